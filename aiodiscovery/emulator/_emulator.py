"""The emulator: a service, a server for it, and the thread that the server runs in."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import EllipsisType, TracebackType
from typing import Self, TypedDict

from aiohttp import web

from ._faults import (
    BrokenDownload,
    CorruptDownload,
    Drop,
    EmptyPage,
    Error,
    ExtraItems,
    FailedDownload,
    Fault,
    Latency,
    NoRanges,
    TokenCycle,
    WrongLength,
)
from ._requests import RecordedDownload, RecordedRequest, RequestLog
from ._server import Server
from ._service import Service

__all__ = ["ClientKwargs", "Emulator"]

REGION = "us-west-2"
# Signatures are not checked, so these open nothing.
ACCESS_KEY_ID = "emulator"
SECRET_ACCESS_KEY = "emulator"  # noqa: S105 - not a secret, see above

_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound


class ClientKwargs(TypedDict):
    """What a client needs to know to call an emulator."""

    region_name: str
    endpoint_url: str
    aws_access_key_id: str
    aws_secret_access_key: str


class Emulator:
    """A local AWS Application Discovery Service.

    It answers from ``__enter__`` to ``__exit__``, from a thread of its own, and can be entered
    once. All its methods may be called from any thread, and before it is entered.

    :param host: the address to bind to
    :param port: the port to bind to; 0 takes a free one
    :param seed: what the data is made from: the same seed makes the same data
    :param exports: how many exports there are from the beginning, all of them over
    :param agents: how many agents there are
    :param import_tasks: how many import tasks there are from the beginning, all of them over
    :param continuous_exports: how many continuous exports there are
    :param tags: how many tags there are
    :param configurations: how many configuration items there are of each type
    :param export_duration: seconds that a started export, import or batch-delete task takes; None:
        until :meth:`finish_export`, :meth:`fail_export` or :meth:`set_task_status`
    :param visibility_delay: seconds that a started one is missing from the describe calls
    :param url_lifetime: seconds for which a download URL works, counted from the whole second in
        which it was made and rounded up to whole ones; with 0 it has expired from the beginning
    :param exports_per_day: how many exports StartExportTask starts in 24 hours (the service
        allows 2); None: any number
    :param archive_size: how many bytes the archive of an export has at least
    :param clock: gives the time in seconds since the epoch; must not go back
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
        archive_size: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be between 0 and 65535, not {port}")
        self._host = host
        self._port = port
        self._service = Service(
            seed=seed,
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
            archive_size=archive_size,
            clock=clock,
        )
        self._lock = threading.RLock()
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

        :raises OSError: where the address cannot be bound
        :raises RuntimeError: where it has been entered before
        """
        with self._lock:
            if self._entered:
                raise RuntimeError("an Emulator can be entered once: make another one")
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
        # In a thread of its own, so neither the loop nor its signal handlers get in anyone's way.
        try:
            with listener, asyncio.Runner() as runner:
                runner.run(self._serve(listener, started))
        except OSError as error:
            # Too many open files, say. Whoever waits for the start must hear of it.
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
        # asyncio's server leaves a connection open that it accepts in the round in which it is
        # closed (CPython issue 109564). So it is kept from accepting first; the runner knows of
        # what it has accepted some rounds of the loop later.
        with contextlib.suppress(NotImplementedError):  # on Windows
            loop.remove_reader(listener)
        await _rounds(3)
        await runner.cleanup()
        # A connection that was just closed lets go of its socket as late.
        await _rounds(3)

    # Calling it.

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
        """What to make a ``discovery`` client with: endpoint, region and (dummy) credentials.

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
        """The calls of the API so far, in the order in which they arrived; the newest 10,000.

        Downloads are not among them: those are in :attr:`downloads`.
        """
        with self._lock:
            return self._log.snapshot()

    @property
    def downloads(self) -> tuple[RecordedDownload, ...]:
        """The downloads so far, in the order in which they were asked for; the newest 10,000."""
        with self._lock:
            return self._downloads.snapshot()

    def clear_requests(self) -> None:
        """Forget the calls and the downloads so far."""
        with self._lock:
            self._log.clear()
            self._downloads.clear()

    # Exports.

    @property
    def export_ids(self) -> tuple[str, ...]:
        """The ids of all exports, in listing order; those that are not visible yet too."""
        with self._lock:
            return self._service.export_ids()

    def add_export(
        self,
        *,
        status: str = "IN_PROGRESS",
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        message: str | None = None,
        truncated: bool = False,
        agent_id: str | None = None,
        start_time: float | None = None,
        end_time: float | None = None,
        visibility_delay: float = 0.0,
    ) -> str:
        """Add an export at the end of the listing, without StartExportTask and its limits.

        :param status: ``IN_PROGRESS``, or any status that the export has from the beginning
        :param duration: seconds until one in progress is over; None: until it is told; left out:
            the emulator's ``export_duration``
        :param fail_with: the message with which one in progress fails in the end; None: it
            succeeds
        :param message: the message of one that is not in progress; None: the usual one
        :param truncated: whether a succeeded one says that its data is incomplete
        :param agent_id: the agent whose data is exported, known or not; None for a summary
        :param start_time: the start of the range asked for, in seconds since the epoch
        :param end_time: the end of the range asked for, in seconds since the epoch
        :param visibility_delay: seconds that it is missing from the describe calls. It does not
            become visible before those that were added before it
        :return: the export's id
        :raises ValueError: for a negative number
        """
        with self._lock:
            return self._service.add_export(
                status=status,
                duration=duration,
                fail_with=fail_with,
                message=message,
                truncated=truncated,
                agent_id=agent_id,
                start_time=start_time,
                end_time=end_time,
                visibility_delay=visibility_delay,
            )

    def add_exports(
        self,
        count: int,
        *,
        status: str = "SUCCEEDED",
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        agent_id: str | None = None,
    ) -> tuple[str, ...]:
        """Add many exports that are alike; the parameters are those of :meth:`add_export`.

        :param count: how many to add
        :return: their ids, in listing order
        :raises ValueError: for a negative number
        """
        with self._lock:
            return tuple(
                self._service.add_export(
                    status=status, duration=duration, fail_with=fail_with, agent_id=agent_id
                )
                for _ in range(count)
            )

    def plan_export(
        self,
        *,
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        truncated: bool = False,
    ) -> None:
        """Say how the next export goes that StartExportTask starts. Plans queue.

        :param duration: seconds that it takes; None: until it is told; left out: the emulator's
            ``export_duration``
        :param fail_with: the message with which it fails; None: it succeeds
        :param truncated: whether it says that its data is incomplete
        :raises ValueError: for a negative duration
        """
        with self._lock:
            self._service.plan_export(duration=duration, fail_with=fail_with, truncated=truncated)

    def finish_export(self, export_id: str, *, truncated: bool = False) -> None:
        """Let an export succeed now, whatever its status was.

        :param truncated: whether it says that its data is incomplete
        :raises ValueError: where there is no such export
        """
        with self._lock:
            self._service.set_export_status(export_id, "SUCCEEDED", truncated=truncated)

    def fail_export(self, export_id: str, message: str = "The export failed.") -> None:
        """Let an export fail now, whatever its status was.

        :param message: its status message
        :raises ValueError: where there is no such export
        """
        self.set_export_status(export_id, "FAILED", message)

    def set_export_status(self, export_id: str, status: str, message: str | None = None) -> None:
        """Give an export a status from now on, known to the service or not.

        With ``IN_PROGRESS`` it runs, until it is told something else.

        :param message: its status message; None: the usual one, or an empty one for a status
            that the service does not know
        :raises ValueError: where there is no such export
        """
        with self._lock:
            self._service.set_export_status(export_id, status, message)

    # Import tasks and batch-delete tasks.

    def add_import_task(
        self, *, duration: float | EllipsisType | None = ..., outcome: str = "IMPORT_COMPLETE"
    ) -> str:
        """Add an import task in progress at the end of the listing.

        :param duration: seconds until it is over; None: until it is told; left out: the emulator's
            ``export_duration``
        :param outcome: the status that it has then
        :return: the task's id
        :raises ValueError: for a negative duration
        """
        with self._lock:
            return self._service.add_import_task(duration=duration, outcome=outcome)

    def add_batch_delete_task(
        self, *, duration: float | EllipsisType | None = ..., outcome: str = "COMPLETED"
    ) -> str:
        """Add a batch-delete task of no configurations; see :meth:`add_import_task`."""
        with self._lock:
            return self._service.add_batch_delete_task(duration=duration, outcome=outcome)

    def set_task_status(self, task_id: str, status: str) -> None:
        """Give an import or batch-delete task a status from now on, known to the service or not.

        With one in which such tasks run, it runs until it is told something else.

        :raises ValueError: where there is no such task
        """
        with self._lock:
            self._service.set_task_status(task_id, status)

    # Archives.

    def archive(self, export_id: str) -> bytes:
        """Return the archive that the download URL of an export gives once it has SUCCEEDED.

        :raises ValueError: where there is no such export
        """
        with self._lock:
            return self._service.archive(export_id).body

    def replace_archive(self, export_id: str) -> None:
        """Give an export another archive, with another ETag.

        :raises ValueError: where there is no such export
        """
        with self._lock:
            self._service.replace_archive(export_id)

    # Faults.

    def inject_error(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        calls: int | None = 1,
        operation: str | None = None,
    ) -> None:
        """Answer calls with an error. Errors and dropped connections queue together.

        Like every fault, it falls on signed calls of operations that the emulator has. A call
        that it falls on is not carried out.

        :param code: the code of the error
        :param message: the text that goes with it
        :param status: the HTTP status
        :param calls: how many calls it falls on; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it falls on, such as ``DescribeExportTasks``;
            None: all of them
        :raises ValueError: for fewer than one call, an unknown operation or a bad status
        """
        if not 400 <= status <= 599:
            raise ValueError(f"status must be between 400 and 599, not {status}")
        self._inject(
            Error(code=code, message=message, status=status, calls=calls, operation=operation)
        )

    def inject_throttling(self, calls: int | None = 1, operation: str | None = None) -> None:
        """Answer calls with ThrottlingException; see :meth:`inject_error`."""
        self.inject_error("ThrottlingException", "Rate exceeded", calls=calls, operation=operation)

    def inject_server_error(self, calls: int | None = 1, operation: str | None = None) -> None:
        """Answer calls with ServerInternalErrorException, status 500; see :meth:`inject_error`."""
        self.inject_error(
            "ServerInternalErrorException",
            "The server experienced an internal error. Try again.",
            status=500,
            calls=calls,
            operation=operation,
        )

    def inject_dropped_connection(
        self, calls: int | None = 1, operation: str | None = None
    ) -> None:
        """Close the connection in place of an answer; see :meth:`inject_error`."""
        self._inject(Drop(calls=calls, operation=operation))

    def inject_latency(
        self, seconds: float, calls: int | None = 1, operation: str | None = None
    ) -> None:
        """Let calls wait before they are carried out; others are answered meanwhile.

        May fall on a call together with another fault.

        :param seconds: how long, in real time, whatever the emulator's clock says
        :param calls: how many calls it falls on; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it falls on; None: all of them
        :raises ValueError: for a negative number, fewer than one call or an unknown operation
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must not be negative, but is {seconds}")
        self._inject(Latency(seconds=seconds, calls=calls, operation=operation))

    def inject_empty_page(self, calls: int | None = 1, operation: str | None = None) -> None:
        """Answer with a page without items, and a token that leads to what it should have held.

        That token is a new one each time, so a run of empty pages is no token cycle.

        :param calls: how many pages it falls on; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it falls on; None: every paginated one
        :raises ValueError: for fewer than one call or an unknown operation
        """
        self._inject(EmptyPage(calls=calls, operation=operation))

    def inject_extra_items(
        self, count: int, calls: int | None = 1, operation: str | None = None
    ) -> None:
        """Answer with more items than ``maxResults`` asked for, as far as there are any.

        :param count: how many more
        :param calls: how many pages it falls on; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it falls on; None: every paginated one
        :raises ValueError: for fewer than one item or call, or an unknown operation
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        self._inject(ExtraItems(count=count, calls=calls, operation=operation))

    def inject_token_cycle(
        self, length: int = 1, calls: int | None = None, operation: str | None = None
    ) -> None:
        """Let the tokens lead round in a circle.

        The circle begins with the first page it falls on, which need not be the first of the
        listing. The token of its last page leads back to its first one. With ``length=2`` the
        pages are A, B, A, B and so on, and so are the tokens. Each run over a listing is in a
        circle of its own.

        :param length: how many pages are in it; fewer, where the listing ends before
        :param calls: how many pages it falls on; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it falls on; None: every paginated one
        :raises ValueError: for fewer than one page or call, or an unknown operation
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        self._inject(TokenCycle(length=length, calls=calls, operation=operation))

    def inject_download_error(
        self, code: str, message: str, *, status: int = 503, calls: int | None = 1
    ) -> None:
        """Answer downloads with an error of S3's.

        What keeps a download from its end queues together: errors, broken and stalled downloads.
        Like every fault of downloads, it falls on those whose URL is good.

        :param code: S3's code of the error, such as ``SlowDown``
        :param message: the text that goes with it
        :param status: the HTTP status
        :param calls: how many downloads it falls on; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download or a bad status
        """
        if not 300 <= status <= 599:
            raise ValueError(f"status must be between 300 and 599, not {status}")
        self._inject(FailedDownload(code=code, message=message, status=status, calls=calls))

    def inject_expired_url(self, calls: int | None = 1) -> None:
        """Answer downloads as if the URL had expired; see :meth:`inject_download_error`."""
        self.inject_download_error("AccessDenied", "Request has expired", status=403, calls=calls)

    def inject_broken_download(self, after: int, calls: int | None = 1) -> None:
        """Close the connection of downloads midway; see :meth:`inject_download_error`.

        :param after: how many bytes come before
        :raises ValueError: for a negative number or fewer than one download
        """
        self._inject(BrokenDownload(after=_count("after", after), calls=calls))

    def inject_stalled_download(self, after: int, calls: int | None = 1) -> None:
        """Let downloads stop midway, with the connection open, until the client goes away.

        See :meth:`inject_download_error`.

        :param after: how many bytes come before
        :raises ValueError: for a negative number or fewer than one download
        """
        self._inject(BrokenDownload(after=_count("after", after), stalled=True, calls=calls))

    def inject_corrupt_download(self, calls: int | None = 1) -> None:
        """Let archives have a wrong byte in the middle, with the same ETag.

        :param calls: how many downloads it falls on; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download
        """
        self._inject(CorruptDownload(calls=calls))

    def inject_wrong_length(self, difference: int, calls: int | None = 1) -> None:
        """Announce another ``Content-Length`` than that of what is sent.

        :param difference: how many bytes are announced beyond those there are, after which the
            connection is closed; negative: how many fewer come
        :param calls: how many downloads it falls on; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download
        """
        self._inject(WrongLength(difference=difference, calls=calls))

    def inject_no_ranges(self, calls: int | None = None) -> None:
        """Give whole archives to downloads that ask for a range.

        :param calls: how many downloads it falls on; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download
        """
        self._inject(NoRanges(calls=calls))

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._service.faults.clear()

    def _inject(self, fault: Fault) -> None:
        with self._lock:
            self._service.inject(fault)


def _count(name: str, number: int) -> int:
    if number < 0:
        raise ValueError(f"{name} must not be negative, but is {number}")
    return number


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _listen(host: str, port: int) -> socket.socket:
    # In the caller's thread, so that the caller hears of an address that cannot be bound.
    family, *_, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family)


def _url(host: str, port: int) -> str:
    host = _WILDCARDS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
