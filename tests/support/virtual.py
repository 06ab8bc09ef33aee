"""The emulator's service on a virtual clock: hours of simulated time in milliseconds.

The client is a real one of aiobotocore. botocore's ``before-call`` event lets the emulator's
service answer in place of the network, so nothing waits in real time.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio
import trio
from aiobotocore.session import get_session
from anyio.from_thread import BlockingPortal
from botocore.exceptions import ClientError, ConnectionClosedError
from trio.testing import MockClock

import aiodiscovery
from aiodiscovery import ExportUpdate
from aiodiscovery.emulator import DroppedConnection, Emulator, ServiceError
from support.scripted import EVENT

SESSION = get_session()
EPOCH = 1_750_000_000.0


class Call(NamedTuple):
    """A DescribeExportTasks call: when it came, in virtual seconds, and for which exports."""

    time: float
    ids: tuple[str, ...]


class VirtualService:
    """An emulated service on the event loop's time."""

    def __init__(self, *, latency: float = 0.0) -> None:
        self.service = Emulator(
            exports=0, export_duration=None, clock=lambda: EPOCH + anyio.current_time()
        )
        self.latency = latency
        self.calls: list[Call] = []
        self.most_at_once = 0
        #: Sees each call as it comes.
        self.on_call: Callable[[Call], None] = lambda call: None
        #: Decides which calls fail, and how.
        self.failing: Callable[[Call], Exception | None] = lambda call: None
        #: The headers of answers; None: a date that agrees with the service's clock.
        self.headers: dict[str, str] | None = None
        self._running = 0

    def add_export(self, duration: float | None = None, **options: Any) -> str:
        return self.service.add_export(duration=duration, **options)

    def add_exports(self, count: int, duration: float | None = None) -> list[str]:
        return [self.add_export(duration) for _ in range(count)]

    async def answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, Any]:
        request = json.loads(params["body"])
        call = Call(anyio.current_time(), tuple(request["exportIds"]))
        self.calls.append(call)
        self.on_call(call)
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            await anyio.sleep(self.latency)
            failure = self.failing(call)
            if failure is not None:
                raise failure
            status, answer = 200, decode_times(self.service.call(model.name, request))
        except ServiceError as error:
            status = error.status
            answer = {"Error": {"Code": error.code, "Message": error.message}}
        except DroppedConnection:
            raise ConnectionClosedError(endpoint_url="virtual") from None
        finally:
            self._running -= 1
        headers = self.headers
        if headers is None:
            headers = {"date": formatdate(EPOCH + anyio.current_time(), usegmt=True)}
        return SimpleNamespace(status_code=status), answer | {
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers}
        }


def decode_times(answer: dict[str, Any]) -> dict[str, Any]:
    """Convert the times of exports to what a parser returns."""
    return answer | {
        "exportsInfo": [
            {
                key: datetime.fromtimestamp(value, UTC) if key.endswith("Time") else value
                for key, value in info.items()
            }
            for info in answer["exportsInfo"]
        ]
    }


@asynccontextmanager
async def open_client(virtual: VirtualService) -> AsyncGenerator[Any]:
    """Open a client that the service answers."""
    async with aiodiscovery.create_client(
        session=SESSION,
        region_name="us-west-2",
        endpoint_url="http://virtual.invalid",
        verify=False,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ) as client:
        answer: Any = virtual.answer  # the stubs do not know asynchronous handlers
        client.meta.events.register_first(EVENT, answer)
        yield client


@contextmanager
def start_virtual_portal(clock: MockClock) -> Iterator[BlockingPortal]:
    """Run trio in a separate thread, on the clock.

    anyio's start_blocking_portal() takes a clock too, but the oldest anyio ignores it.
    """
    started: Future[BlockingPortal] = Future()

    async def main() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(partial(trio.run, main, clock=clock))
        portal = started.result()
        try:
            yield portal
        finally:
            portal.call(portal.stop)
            ended.result()


def run_virtual(
    scenario: Callable[[Any, VirtualService], Awaitable[None]], *, latency: float = 0.0
) -> VirtualService:
    """Run a scenario with a client and a service, and return the service."""
    virtual = VirtualService(latency=latency)

    async def main() -> None:
        async with open_client(virtual) as client:
            await scenario(client, virtual)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return virtual


async def collect(updates: Any, into: list[ExportUpdate]) -> None:
    """Iterate to the end."""
    async for update in updates:
        into.append(update)  # noqa: PERF401  # each as it comes


def service_error(code: str, status: int = 400) -> ClientError:
    """Make the error that is raised for a code of the service."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "DescribeExportTasks",
    )


def fail_until(time: float, error: Exception) -> Any:
    """Let calls fail before a time, as in ``VirtualService.failing``."""
    return lambda call: error if call.time < time else None
