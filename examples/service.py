"""A web service that starts exports and tells when they end, with one watcher for all its clients.

    python examples/service.py                       # against an emulator, no account needed
    python examples/service.py --region us-west-2    # against AWS

It needs ``pip install 'aiodiscovery[examples]'`` and answers

    POST /exports               202 with the id of the export that it started; takes a JSON object
                                with an agent_id, or no body
    GET /exports/{id}           200 with the export once it has ended, SUCCEEDED or FAILED
        ?timeout=60             504 if it has not by then
        ?include_download_url=true
    GET /exports/{id}/events    its changes as server-sent events, until it has ended

However many clients wait, for whatever exports, the service calls AWS as often as for one. A client
that goes away costs no more calls.
"""

import argparse
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote

import anyio
import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef


# What all requests share


class State(TypedDict):
    """What the lifespan of the application holds open."""

    client: "ApplicationDiscoveryServiceClient"
    watcher: aiodiscovery.ExportWatcher
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
            yield {"client": client, "watcher": watcher, "stopping": stopping}
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
    """A server that stops with waits and streams still open.

    uvicorn lets open requests finish before it ends the lifespan, and these might last for hours.
    Leaving the watcher first ends them with a WatcherClosedError.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open requests end, then stop."""
        self.lifespan.state["stopping"].set()
        await super().shutdown(sockets)


# The requests


async def start_export(request: "Request") -> Response:
    client: ApplicationDiscoveryServiceClient = request.state.client
    try:
        options = parse_options(await request.body())
    except ValueError as error:
        return error_response(400, str(error))
    try:
        export_id = (await client.start_export_task(**options))["exportId"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        return error_response(400 if code.startswith("InvalidParameter") else 502, str(error))
    except BotoCoreError as error:
        return error_response(502, f"the service cannot be called: {type(error).__name__}")
    return JSONResponse(
        {"exportId": export_id}, 202, headers={"Location": f"/exports/{quote(export_id)}"}
    )


def parse_options(body: bytes) -> Any:
    """Make the parameters of StartExportTask of what the client sent."""
    match json.loads(body or b"{}"):
        case {"agent_id": str(agent_id)}:
            return {"filters": [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}]}
        case dict(options) if not options:
            return {}
    raise ValueError('the body may be JSON such as {"agent_id": "..."}, or nothing')


async def wait_for_export(request: "Request") -> Response:
    async with cancelled_when_client_goes(request.receive):
        return await export_response(request)
    return Response()  # for nobody: the client has gone


async def export_response(request: "Request") -> Response:
    watcher: aiodiscovery.ExportWatcher = request.state.watcher
    export_id = request.path_params["export_id"]
    timeout = request.query_params.get("timeout")
    try:
        infos = await watcher.wait_all(
            [export_id], None if timeout is None else float(timeout), raise_on_failure=False
        )
    except ValueError as error:
        return error_response(400, str(error))
    except aiodiscovery.WatchError as error:
        return watch_error_response(error)
    with_url = request.query_params.get("include_download_url") == "true"
    return JSONResponse(to_json(infos[export_id], with_url=with_url))


async def stream_events(request: "Request") -> Response:
    watcher: aiodiscovery.ExportWatcher = request.state.watcher
    try:
        updates = watcher.updates([request.path_params["export_id"]])
    except ValueError as error:
        return error_response(400, str(error))
    except aiodiscovery.WatchError as error:
        return watch_error_response(error)
    return EventStream(updates)


class EventStream(StreamingResponse):
    """Updates as server-sent events, closed at once when the client goes away."""

    media_type = "text/event-stream"

    def __init__(self, updates: AsyncGenerator[aiodiscovery.ExportUpdate]) -> None:
        super().__init__(format_events(updates), headers={"Cache-Control": "no-store"})
        self._updates = updates

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Send the events."""
        async with cancelled_when_client_goes(receive), aclosing(self._updates):
            await self.stream_response(send)


async def format_events(
    updates: AsyncGenerator[aiodiscovery.ExportUpdate],
) -> AsyncGenerator[str]:
    try:
        async for update in updates:
            data = {"previousStatus": update.previous_status, **to_json(update.info)}
            yield format_event("status", data)
    except aiodiscovery.WatchError as error:
        yield format_event("error", {"error": str(error)})


@asynccontextmanager
async def cancelled_when_client_goes(receive: "Receive") -> AsyncGenerator[None]:
    """Cancel the block when its client disconnects.

    Starlette does so by itself for streams alone, and not with every version of ASGI.

    The block should raise nothing: it would come out in an ExceptionGroup.
    """

    async def cancel_when_client_goes() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel_when_client_goes)
        yield
        tasks.cancel_scope.cancel()


# The answers


def to_json(info: "ExportInfoTypeDef", *, with_url: bool = False) -> dict[str, Any]:
    """Take an ExportInfo without its download URL, unless asked for: that is a credential."""
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in info.items()
        if with_url or key != "configurationsDownloadUrl"
    }


def format_event(event: str, data: Mapping[str, Any]) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def watch_error_response(error: aiodiscovery.WatchError) -> Response:
    match error:
        case aiodiscovery.ExportNotFoundError():
            status = 404
        case aiodiscovery.ExportTimeoutError():
            status = 504
        case aiodiscovery.WatcherClosedError():
            status = 503
        case _:
            status = 502
    return error_response(status, str(error))


def error_response(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def main() -> int:
    parser = argparse.ArgumentParser(description="Start exports and wait for them, over HTTP.")
    add = partial(parser.add_argument, metavar="SECONDS", type=float)
    parser.add_argument("--region", help="use AWS in this region, not an emulator")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (8000)")
    add("--min-delay", default=2.0, help="between two looks at an export, at least (2)")
    add("--max-delay", default=30.0, help="and at most (30)")
    add("--not-found-timeout", default=60.0, help="when an unknown export counts as final (60)")
    options = parser.parse_args()

    # Ends the process like Ctrl-C, so that the emulator is stopped too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        Emulator() if options.region is None else nullcontext() as emulator,
        socket.create_server((options.host, options.port)) as listener,
        suppress(KeyboardInterrupt),  # uvicorn has stopped, and raises the signal once more
    ):
        app = create_app(
            {"region_name": options.region} if emulator is None else emulator.client_kwargs,
            min_delay=options.min_delay,
            max_delay=options.max_delay,
            not_found_timeout=options.not_found_timeout,
        )
        url = f"http://{options.host}:{listener.getsockname()[1]}"
        print(f"Listening at {url}\n  curl -X POST {url}/exports\nStop with Ctrl-C.", flush=True)
        # The grace is for clients that do not read what they are sent.
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=5)
        Server(config).run([listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
