"""The emulator: a service, its server, and the thread that the server runs in."""

import asyncio
import contextlib
import hashlib
import math
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypedDict

from aiohttp import web

from . import _data
from ._agent_tables import AgentData
from ._archive import Archives
from ._archive_controls import ArchiveControls
from ._contents import ContentsMaker
from ._errors import check_finite, check_not_negative
from ._exports import Exports
from ._fault_controls import FaultControls
from ._faults import Faults
from ._fleet import Fleet
from ._inventory import Inventory
from ._job_controls import JobControls
from ._links import Links
from ._pages import Pages
from ._quirks import Quirks
from ._requests import RecordedDownload, RecordedRequest, RequestLog
from ._server import Server
from ._service import Service
from ._summary_tables import SummaryData
from ._tasks import Tasks
from ._timing import Timing

__all__ = ["ClientKwargs", "Emulator"]

REGION = "us-west-2"
# Signatures are not checked, so these give access to nothing.
ACCESS_KEY_ID = "emulator"
SECRET_ACCESS_KEY = "emulator"  # noqa: S105 - not a secret, see above

_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound


class ClientKwargs(TypedDict):
    """The arguments with which a client can call an emulator."""

    region_name: str
    endpoint_url: str
    aws_access_key_id: str
    aws_secret_access_key: str


class Emulator(JobControls, ArchiveControls, FaultControls):
    """A local AWS Application Discovery Service.

    It answers from ``__enter__`` to ``__exit__``, in its own thread, and can be entered once. All
    its methods may be called from any thread, even before it is entered.

    :param host: the address to bind to
    :param port: the port to bind to; 0 takes a free one
    :param seed: the source of the data: the same seed gives the same data
    :param exports: how many exports exist from the beginning; all of them have ended
    :param agents: how many agents there are
    :param import_tasks: how many import tasks exist from the beginning; all of them have ended
    :param continuous_exports: how many continuous exports there are
    :param tags: how many tags there are
    :param configurations: how many configuration items there are of each type
    :param export_duration: seconds that a started export, import or batch-delete task takes; None:
        until :meth:`finish_export`, :meth:`fail_export` or :meth:`set_task_status`
    :param visibility_delay: seconds for which a started one is missing from the describe calls
    :param url_lifetime: seconds for which a download URL works, rounded up to a whole number and
        counted from the whole second in which it was made; with 0 it has expired from the beginning
    :param exports_per_day: how many exports StartExportTask starts in 24 hours;
        None: any number
    :param refuse_repeats: whether StartExportTask refuses the same range of the same agent again
        once it has SUCCEEDED, with a message that names the earlier export
    :param agent_days: the most days of data that an agent has. All data is from before 1 June 2025,
        unless :meth:`set_agent_life` changes that
    :param connections: how many connections each server opens in 15 minutes, on average; 35,000
        make ten million in 72 hours
    :param export_size_limit: the most bytes of CSV that an agent's export has. A larger one is
        truncated at a quarter of an hour, but has at least one; None: any number
    :param archive_size: the least size of an archive in bytes. If necessary, a file ``Padding.csv``
        makes up the difference
    :param quirks: what varies in archives; None: nothing
    :param clock: returns the time in seconds since the epoch; must not go back
    :raises ValueError: for a negative number, or an invalid port
    :raises ValueError: for a negative number, or a port that there is not
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        exports: int = 25,
        agents: int = 10,
        import_tasks: int = 5,
        continuous_exports: int = 2,
        tags: int = 20,
        configurations: int = 50,
        export_duration: float | None = 5.0,
        visibility_delay: float = 0.0,
        url_lifetime: float = 3600.0,
        exports_per_day: int | None = None,
        refuse_repeats: bool = False,
        agent_days: float = 10.0,
        connections: float = 3.0,
        export_size_limit: int | None = None,
        archive_size: int = 0,
        quirks: Quirks | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be between 0 and 65535, not {port}")
        check_not_negative(
            exports=exports,
            agents=agents,
            import_tasks=import_tasks,
            continuous_exports=continuous_exports,
            tags=tags,
            configurations=configurations,
            export_duration=export_duration,
            visibility_delay=visibility_delay,
            url_lifetime=url_lifetime,
            exports_per_day=exports_per_day,
            agent_days=agent_days,
            connections=connections,
            export_size_limit=export_size_limit,
            archive_size=archive_size,
        )
        check_finite(agent_days=agent_days, connections=connections)
        self._host = host
        self._port = port
        self._lock = threading.RLock()
        self._faults = Faults()
        key = hashlib.sha256(f"aiodiscovery.emulator {seed}".encode()).digest()
        links = Links(key, math.ceil(url_lifetime))
        pages = Pages(key, self._faults)
        timing = Timing(clock, export_duration, visibility_delay)
        fleet = Fleet(seed, agents, agent_days)
        inventory = Inventory(
            pages,
            fleet,
            seed=seed,
            continuous_exports=continuous_exports,
            tags=tags,
            configurations=configurations,
        )
        tasks = Tasks(
            pages, timing, seed=seed, imports=import_tasks, server_ids=inventory.server_ids
        )
        servers = max(agents, configurations)
        account = _data.account_number(seed)
        maker = ContentsMaker(
            account,
            AgentData(account, servers, connections),
            SummaryData(
                account,
                seed,
                _data.hosts(seed, servers),
                frozenset(fleet.lives),
                inventory.applications,
                inventory.tags,
            ),
            export_size_limit,
        )
        self._service = Service(
            timing=timing,
            faults=self._faults,
            links=links,
            fleet=fleet,
            maker=maker,
            inventory=inventory,
            tasks=tasks,
            exports=Exports(
                pages,
                timing,
                fleet,
                url=links.url,
                is_truncated=maker.is_truncated,
                deleted=tasks.deleted,
                seed=seed,
                per_day=exports_per_day,
                refuse_repeats=refuse_repeats,
                quirks=quirks or Quirks(),
            ),
            archives=Archives(maker, archive_size),
        )
        self._service.exports.add_seeded(_data.exports(seed, exports, fleet.lives))
        self._log: RequestLog[RecordedRequest] = RequestLog()
        self._downloads: RequestLog[RecordedDownload] = RequestLog()
        self._entered = False
        self._endpoint_url: str | None = None
        self._finish: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<Emulator {self._endpoint_url or 'not started'}>"

    # Running.

    def __enter__(self) -> Self:
        """Start answering.

        :raises OSError: if the address cannot be bound
        :raises RuntimeError: if it has been entered before
        """
        with self._lock:
            if self._entered:
                raise RuntimeError("an Emulator can be entered only once: create another one")
            self._entered = True
        listener = _listen(self._host, self._port)
        self._endpoint_url = _url(self._host, listener.getsockname()[1])
        self._service.links.base_url = self._endpoint_url
        started: Future[Callable[[], object]] = Future()
        thread = threading.Thread(
            target=self._run, args=(listener, started), name="aiodiscovery-emulator"
        )
        thread.start()
        try:
            stop = started.result()
        except OSError:
            thread.join()
            raise

        def finish() -> None:
            stop()
            thread.join()

        self._finish = finish
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop answering, and close every connection."""
        self._finish()

    def _run(self, listener: socket.socket, started: "Future[Callable[[], object]]") -> None:
        # In its own thread, so that the loop and its signal handlers do not disturb other code.
        try:
            with listener, asyncio.Runner() as runner:
                runner.run(self._serve(listener, started))
        except OSError as error:
            # Too many open files, for example. The thread that waits for the start must get it.
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(
        self, listener: socket.socket, started: "Future[Callable[[], object]]"
    ) -> None:
        server = Server(self._service, self._log, self._downloads, self._lock)
        runner = server.runner()
        await runner.setup()
        site = web.SockSite(runner, listener)
        await site.start()
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        started.set_result(lambda: loop.call_soon_threadsafe(stop.set))
        await stop.wait()
        server.stop()
        # asyncio's server leaves a connection open if it accepts it in the same round in which it
        # is closed (CPython issue 109564). So it is stopped from accepting first. The runner learns
        # about accepted connections some rounds of the loop later.
        with contextlib.suppress(NotImplementedError):  # on Windows
            loop.remove_reader(listener)
        await _rounds(3)
        await runner.cleanup()
        # A connection that was just closed releases its socket equally late.
        await _rounds(3)

    # Calling it.

    def call(self, operation: str, parameters: object) -> dict[str, Any]:
        """Carry out an operation without HTTP, for example for a test on a virtual clock.

        The emulator need not be entered. The call is not recorded in :attr:`requests`, and is not
        subject to latency.

        :param operation: its name, such as ``DescribeExportTasks``
        :param parameters: its parameters in JSON's types, timestamps as seconds since the epoch
        :return: its answer in the same form
        :raises ServiceError: if the service answers with an error, or a fault does
        :raises DroppedConnection: if a fault drops the connection
        :raises ForeignAnswer: if a fault lets something else answer
        """
        with self._lock:
            return self._service.call(operation, parameters)

    @property
    def endpoint_url(self) -> str:
        """Where it answers, such as ``http://127.0.0.1:54321``.

        :raises RuntimeError: before it is entered
        """
        if self._endpoint_url is None:
            raise RuntimeError("the Emulator has not been entered yet")
        return self._endpoint_url

    @property
    def client_kwargs(self) -> ClientKwargs:
        """The arguments for a ``discovery`` client: endpoint, region and (dummy) credentials.

        :raises RuntimeError: before it is entered
        """
        return {
            "region_name": REGION,
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": ACCESS_KEY_ID,
            "aws_secret_access_key": SECRET_ACCESS_KEY,
        }

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The calls of the API so far, in the order in which they arrived.

        The newest 10,000 are kept, or fewer if they would take more than 64 MiB of memory.
        Downloads are not included; they are in :attr:`downloads`.
        """
        with self._lock:
            return self._log.snapshot()

    @property
    def downloads(self) -> tuple[RecordedDownload, ...]:
        """The downloads so far, in the order of their requests, with the same limits."""
        with self._lock:
            return self._downloads.snapshot()

    def clear_requests(self) -> None:
        """Forget the calls and the downloads so far."""
        with self._lock:
            self._log.clear()
            self._downloads.clear()


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _listen(host: str, port: int) -> socket.socket:
    # In the caller's thread, so that the caller gets the error if the address cannot be bound.
    family, *_, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family)


def _url(host: str, port: int) -> str:
    host = _WILDCARDS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
