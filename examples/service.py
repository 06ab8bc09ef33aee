"""A web service that starts exports and reports when they end, with one watcher for all clients.

    python examples/service.py                       # against an emulator, no account needed
    python examples/service.py --region us-west-2    # against AWS

It needs ``pip install 'aiodiscovery[examples]'`` and answers

    POST /exports               202 with the id of the export that it started; takes a JSON object
                                with an agent_id, or no body
    GET /exports/{id}           200 with the export once it has ended, SUCCEEDED or FAILED
        ?timeout=60             504 if it has not by then; an hour at most
        ?include_download_url=true
    GET /exports/{id}/events    its changes as server-sent events, until it has ended

However many clients wait, for whatever exports, the service calls AWS no more often than for one. A
client that disconnects causes no more calls. For an id that AWS does not know the answer is 404,
within seconds.

A stream of events ends with an event "end", which says why, so that a browser's EventSource can
close. Until then something is sent every 15 seconds, so that no proxy closes the stream as idle.
"""

import argparse
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote

import anyio
import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef


# Limits for clients

#: The largest body of a request, in bytes.
MOST_BODY = 10_000
#: The most exports that may be started at the same time.
MOST_STARTS = 2
#: The most connections. Others are answered with 503.
MOST_CONNECTIONS = 1_000
#: How long a client may wait, in seconds. It can ask again.
LONGEST_WAIT = 3_600.0
#: The longest pause on a stream of events, in seconds.
HEARTBEAT = 15.0

#: How many seconds AWS may not know an export that was started here, and how often to ask again.
UNKNOWN_YET, LOOK_AGAIN = 60.0, 1.0


# State that all requests share


class Starts:
    """Exports that were started here recently, which AWS may not know yet."""

    def __init__(self) -> None:
        self.limiter = anyio.CapacityLimiter(MOST_STARTS)
        self._times: dict[str, float] = {}

    def add(self, export_id: str) -> None:
        """Note that an export was started."""
        self._forget_old()
        self._times[export_id] = time.monotonic()

    def __contains__(self, export_id: str) -> bool:
        self._forget_old()
        return export_id in self._times

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._times and now - next(iter(self._times.values())) > UNKNOWN_YET:
            del self._times[next(iter(self._times))]


class State(TypedDict):
    """What the lifespan of the application keeps open."""

    client: "ApplicationDiscoveryServiceClient"
    watcher: aiodiscovery.ExportWatcher
    starts: Starts
    #: Set when the server begins to stop.
    stopping: anyio.Event


def create_app(client_kwargs: Any, **watcher_options: Any) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[State]:
        stopping = anyio.Event()
        async with (
            aiodiscovery.create_client(**client_kwargs) as client,
            anyio.create_task_group() as tasks,
        ):
            watcher = aiodiscovery.ExportWatcher(client, **watcher_options)
            await tasks.start(keep_open, watcher, stopping)
            yield {"client": client, "watcher": watcher, "starts": Starts(), "stopping": stopping}
            stopping.set()

    routes = [
        Route("/exports", start_export, methods=["POST"]),
        Route("/exports/{export_id}", wait_for_export),
        Route("/exports/{export_id}/events", stream_events),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def keep_open(
    watcher: aiodiscovery.ExportWatcher, stopping: anyio.Event, *, task_status: "TaskStatus[None]"
) -> None:
    async with watcher:
        task_status.started()
        await stopping.wait()


class Server(uvicorn.Server):
    """A server that can stop while waits and streams are open.

    uvicorn lets open requests finish before it ends the lifespan, and these might last for hours.
    Leaving the watcher first ends them with a WatcherClosedError.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open requests end, then stop."""
        self.lifespan.state["stopping"].set()
        await super().shutdown(sockets)


# The requests


async def start_export(request: "Request") -> Response:
    starts: Starts = request.state.starts
    try:
        options = parse_options(await read_body(request))
    except ValueError as error:
        return error_response(400, str(error))
    try:
        starts.limiter.acquire_nowait()
    except anyio.WouldBlock:
        return error_response(429, "other exports are being started: try again", retry_after=5)
    try:
        # The request is sent once: a second one could start a second export.
        export_id = await aiodiscovery.start_export(request.state.client, **options)
    except aiodiscovery.ExportAlreadyPresentError as error:
        export_id = error.export_id
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        return start_error_response(error)
    finally:
        starts.limiter.release()
    starts.add(export_id)
    location = f"/exports/{quote(export_id, safe='')}"
    return AsciiJSONResponse({"exportId": export_id}, 202, headers={"Location": location})


def start_error_response(error: Exception) -> Response:
    match error:
        case aiodiscovery.ExportLimitReachedError():
            message = "as many exports run as AWS allows: try again when one has ended"
            return error_response(429, message, retry_after=60)
        case ClientError():
            code = str(error.response.get("Error", {}).get("Code"))
            return error_response(400 if code.startswith("InvalidParameter") else 502, str(error))
        case ValueError():
            return error_response(400, str(error))
        case ResponseParserError():
            # Something else has answered, such as a portal. AWS may have started an export or not.
            return error_response(502, str(error))
    return error_response(502, f"AWS cannot be called: {type(error).__name__}")


async def read_body(request: "Request") -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise ValueError(f"the body may have {MOST_BODY:,} bytes")
    return body


def parse_options(body: bytes) -> Any:
    """Return the options of a start from the client's body."""
    try:
        options = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        options = None
    match options:
        case {"agent_id": str(agent_id)} if len(options) == 1:
            return {"agent_id": agent_id}
        case dict() if not options:
            return {}
    raise ValueError('the body may be JSON such as {"agent_id": "..."}, or nothing')


async def wait_for_export(request: "Request") -> Response:
    if request.method == "HEAD":
        return Response(status_code=405)
    async with cancelled_when_client_goes(request.receive):
        return await export_response(request)
    return Response()  # not sent: the client has disconnected


async def export_response(request: "Request") -> Response:
    export_id = request.path_params["export_id"]
    try:
        timeout = parse_timeout(request.query_params.get("timeout"))
        info = await wait(request.state.watcher, request.state.starts, export_id, timeout)
    except ValueError as error:
        return error_response(400, str(error))
    except aiodiscovery.WatchError as error:
        status, message = explain(error)
        return error_response(status, message)
    with_url = request.query_params.get("include_download_url") == "true"
    return AsciiJSONResponse(to_json(info, with_url=with_url))


async def wait(
    watcher: aiodiscovery.ExportWatcher, starts: Starts, export_id: str, seconds: float
) -> "ExportInfoTypeDef":
    deadline = anyio.current_time() + seconds
    while True:
        left = max(0.0, deadline - anyio.current_time())
        try:
            infos = await watcher.wait_all([export_id], left, raise_on_failure=False)
        except aiodiscovery.ExportNotFoundError:
            if export_id not in starts:
                raise
            await anyio.sleep(LOOK_AGAIN)
        else:
            return infos[export_id]


def parse_timeout(text: str | None) -> float:
    timeout = LONGEST_WAIT if text is None else float(text)
    if not 0 <= timeout <= LONGEST_WAIT:
        raise ValueError(f"timeout must be from 0 to {LONGEST_WAIT:g} seconds")
    return timeout


async def stream_events(request: "Request") -> Response:
    if request.method == "HEAD":
        return Response(status_code=405)
    state, export_id = request.state, request.path_params["export_id"]
    try:
        state.watcher.updates([export_id])
    except ValueError as error:
        return error_response(400, str(error))
    except aiodiscovery.WatchError as error:
        status, message = explain(error)
        return error_response(status, message)
    return EventStream(state.watcher, state.starts, export_id)


class EventStream(StreamingResponse):
    """Updates as server-sent events, closed at once when the client disconnects."""

    media_type = "text/event-stream"

    def __init__(self, watcher: aiodiscovery.ExportWatcher, starts: Starts, export_id: str) -> None:
        super().__init__((), headers={"Cache-Control": "no-store"})
        self._watcher, self._starts, self._export_id = watcher, starts, export_id

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Send the events."""
        events, received = anyio.create_memory_object_stream[str]()
        self.body_iterator = with_heartbeats(received)
        async with events, received, cancelled_when_client_goes(receive) as tasks:
            tasks.start_soon(self._produce, events)
            await self.stream_response(send)

    async def _produce(self, events: "MemoryObjectSendStream[str]") -> None:
        """Produce the events. The last one says why there are no more."""
        try:
            with anyio.fail_after(LONGEST_WAIT):
                last = {"exportStatus": await self._watch(events)}
        except aiodiscovery.WatchError as error:
            last = {"error": explain(error)[1]}
        except TimeoutError:
            last = {"error": "you have waited long: connect again to continue"}
        await events.send(format_event("end", last))
        events.close()

    async def _watch(self, events: "MemoryObjectSendStream[str]") -> str:
        """Produce an event for each change, and return the last status."""
        while True:
            status = ""
            try:
                async with aclosing(self._watcher.updates([self._export_id])) as updates:
                    async for update in updates:
                        status = update.status
                        data = {"previousStatus": update.previous_status, **to_json(update.info)}
                        await events.send(format_event("status", data))
            except aiodiscovery.ExportNotFoundError:
                if self._export_id not in self._starts:
                    raise
                await anyio.sleep(LOOK_AGAIN)
            else:
                return status


async def with_heartbeats(events: "MemoryObjectReceiveStream[str]") -> AsyncGenerator[str]:
    """Pass events on. In pauses, send comments, which clients ignore."""
    while True:
        event = ": nothing new\n\n"
        try:
            with anyio.move_on_after(HEARTBEAT):
                event = await events.receive()
        except anyio.EndOfStream:
            return
        yield event


@asynccontextmanager
async def cancelled_when_client_goes(receive: "Receive") -> AsyncGenerator["TaskGroup"]:
    """Cancel the block, and the tasks in its task group, when the client disconnects.

    Starlette does this only for streams, and not with every version of ASGI.

    The block should not raise anything: it would arrive in an ExceptionGroup.
    """

    async def cancel_when_client_goes() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel_when_client_goes)
        yield tasks
        tasks.cancel_scope.cancel()


# The answers


class AsciiJSONResponse(JSONResponse):
    """JSON with escapes, because text of clients and of AWS may hold what UTF-8 cannot encode."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content).encode()


def to_json(info: "ExportInfoTypeDef", *, with_url: bool = False) -> dict[str, Any]:
    """Return an ExportInfo, without its download URL unless asked for: that is a credential."""
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in info.items()
        if with_url or key != "configurationsDownloadUrl"
    }


def format_event(event: str, data: Mapping[str, Any]) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def explain(error: aiodiscovery.WatchError) -> tuple[int, str]:
    """Return the status and the text of an answer. The exceptions are written for programs."""
    match error:
        case aiodiscovery.ExportNotFoundError():
            return 404, f"AWS does not know {', '.join(error.export_ids)}"
        case aiodiscovery.ExportTimeoutError():
            return 504, f"{', '.join(error.pending)} has not ended yet: ask again to keep waiting"
        case aiodiscovery.WatcherClosedError():
            return 503, "this server is being stopped: ask again in a moment"
    return 502, str(error)


def error_response(status: int, message: str, retry_after: int | None = None) -> Response:
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return AsciiJSONResponse({"error": message}, status, headers=headers)


def main() -> int:
    parser = argparse.ArgumentParser(description="Start exports and wait for them, over HTTP.")
    add = partial(parser.add_argument, type=float)
    parser.add_argument("--region", help="use AWS in this region instead of an emulator")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (8000)")
    add("--min-delay", metavar="SECONDS", help="the shortest time between two polls (10)")
    add("--max-delay", metavar="SECONDS", help="the longest time between two polls (300)")
    add("--max-rate", metavar="CALLS", help="the most calls of AWS per second (1)")
    add("--not-found-timeout", metavar="SECONDS", help="when an unknown export is final (1)")
    options = parser.parse_args()

    # Ends the process like Ctrl-C, so that the emulator is stopped too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        Emulator() if options.region is None else nullcontext() as emulator,
        socket.create_server((options.host, options.port)) as listener,
        suppress(KeyboardInterrupt),  # uvicorn has stopped, and raises the signal again
    ):
        if emulator is None:
            client_kwargs: Any = {"region_name": options.region}
            watcher_options: dict[str, Any] = {}
        else:
            client_kwargs = emulator.client_kwargs
            # Its exports take seconds, and it can be polled often.
            watcher_options = {"min_delay": 0.25, "max_delay": 1.0, "max_rate": None}
        # A short time, because exports that were started here are waited for all the same.
        watcher_options["not_found_timeout"] = 1.0
        for name in ("min_delay", "max_delay", "max_rate", "not_found_timeout"):
            if getattr(options, name) is not None:
                watcher_options[name] = getattr(options, name)
        app = create_app(client_kwargs, **watcher_options)
        url = f"http://{options.host}:{listener.getsockname()[1]}"
        print(f"Listening at {url}\n  curl -X POST {url}/exports\nStop with Ctrl-C.", flush=True)
        # The grace is for clients that do not read what they are sent.
        config = uvicorn.Config(
            app,
            log_level="warning",
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        Server(config).run([listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
