"""The behaviour of a client's connections, with each backend of aiobotocore.

The kinds of faults, and every place that they affect:

- A redirect is followed, with the session token. All calls of this package, with clients that
  ``create_client()`` makes (also direct calls) and with those that aiobotocore made; to a page on
  the same server and to another origin; with 301, 302, 303, 307 and 308; before the first
  connection and after it; through the caller's own backend that follows them all the same.
- A closed client keeps working. ``create_client()``'s and aiobotocore's, left or closed with
  ``close()``, used before or not: by a listing, a watcher, a start and a direct call.
- A client is used in another event loop than its own.
- A cookie that something else sets is kept. One that cannot be sent made every later call fail.
- Waiting for a connection of the pool ends after five seconds on one backend and not on the other.

aiobotocore has no public setting for these. What is used instead is private there. These tests
notice when it changes.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, ConnectTimeoutError, HTTPClientError
from botocore.parsers import ResponseParserError
from support.clients import Maker
from support.relays import recorder

import aiodiscovery
from aiodiscovery import ExportWatcher, PollingError
from aiodiscovery._client import error_code
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client


def listing(client: "Client") -> Any:
    paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
    return paginator.paginate(PaginationConfig={"PageSize": 10})


# Redirects


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("calls_before", [0, 1])
async def test_a_redirect_to_another_origin_is_an_error_and_nothing_goes_there(
    any_client: "Client", emulator: Emulator, status: int, calls_before: int
) -> None:
    with Emulator() as other:
        emulator.inject_foreign_answer(
            "redirect",
            status=status,
            headers={"Location": f"{other.endpoint_url}/"},
            after=calls_before,
        )
        pages = listing(any_client)

        with pytest.raises(ClientError) as caught:
            await pages.build_full_result()

        assert error_code(caught.value) == str(status)
        assert other.requests == ()
    found = await pages.build_full_result()
    assert len(found["exportsInfo"]) == 25


@pytest.mark.anyio
async def test_a_redirect_is_no_answer_to_a_direct_call_either(
    anyio_backend: str, session: AioSession, emulator: Emulator
) -> None:
    maker = Maker("ours", anyio_backend, session)
    async with maker.open(emulator) as client:
        with Emulator() as other:
            headers = {"Location": f"{other.endpoint_url}/"}
            emulator.inject_foreign_answer("redirect", status=307, headers=headers)

            with pytest.raises(ClientError, match="307"):
                await client.describe_export_tasks()

            assert other.requests == ()


@pytest.mark.asyncio
async def test_the_caller_s_own_calls_stay_as_aiobotocore_makes_them(
    session: AioSession, emulator: Emulator
) -> None:
    async with Maker("aiobotocore's", "asyncio", session).open(emulator) as client:
        await listing(client).build_full_result()
        with Emulator() as other:
            headers = {"Location": f"{other.endpoint_url}/"}
            emulator.inject_foreign_answer("redirect", status=307, headers=headers)

            with pytest.raises(ClientError):  # aiohttp does not send the signature there
                await client.describe_export_tasks()

            assert len(other.requests) == 1


@pytest.mark.asyncio
async def test_an_answer_that_came_after_a_redirect_all_the_same_is_refused(
    session: AioSession, emulator: Emulator
) -> None:
    class Own(AIOHTTPSession):
        original: Any = vars(AIOHTTPSession)["_get_session"]

        async def send(self, request: Any) -> Any:
            # Not through a call of this package.
            connected = await self.original(None)
            self._get_session = lambda _: _returned(connected)
            return await super().send(request)

    config: Any = AioConfig(http_session_cls=Own, retries={"total_max_attempts": 1})
    made: Any = session.create_client("discovery", config=config, **emulator.client_kwargs)
    async with made as client:
        with Emulator() as other:
            headers = {"Location": f"{other.endpoint_url}/"}
            emulator.inject_foreign_answer("redirect", status=307, headers=headers)

            with pytest.raises(ResponseParserError, match="after a redirect"):
                await listing(client).build_full_result()


async def _returned(value: Any) -> Any:
    return value


# Cookies


@pytest.mark.anyio
@pytest.mark.parametrize("cookie", ["portal=1; Path=/", "name=M\xfcller", "\xfc=1", 'a="\xff"'])
async def test_a_cookie_of_something_else_is_not_sent_to_the_service(
    maker: Maker, emulator: Emulator, cookie: str
) -> None:
    heads: list[str] = []
    answer = f"HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}".encode("latin-1")
    with recorder(heads, answer, whole=True) as port:
        # aiohttp keeps no cookies of numeric addresses.
        url = f"http://localhost:{port}"
        async with maker.open(emulator, endpoint_url=url) as client:
            for _ in range(3):
                with pytest.raises((ResponseParserError, HTTPClientError)):
                    await listing(client).build_full_result()

    assert len(heads) == 3
    assert not any("cookie" in head.lower() for head in heads)


# Closed clients


@pytest.mark.anyio
@pytest.mark.parametrize("calls_before", [0, 1])
@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_listing_that_goes_on_with_a_closed_client_says_so(
    maker: Maker, emulator: Emulator, calls_before: int, by_hand: bool
) -> None:
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(maker.open(emulator))
        iterator = aiter(listing(opened))
        for _ in range(calls_before):
            await anext(iterator)
        token = iterator.resume_token
        if by_hand:
            await opened.close()
        else:
            await stack.aclose()

        with pytest.raises(RuntimeError, match="the client is closed"):
            await anext(iterator)

        assert iterator.resume_token == token
        with pytest.raises(RuntimeError, match="the client is closed"):
            await aiodiscovery.describe_exports(opened, emulator.export_ids)
        with pytest.raises(RuntimeError, match="the client is closed"):
            await aiodiscovery.start_export(opened)
        assert len(emulator.requests) == calls_before
        with suppress(AssertionError):  # aiobotocore 3.9 cannot be closed twice
            await stack.aclose()


@pytest.mark.anyio
async def test_a_watcher_of_a_closed_client_says_so(maker: Maker, emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=None)
    async with maker.open(emulator) as client:
        pass

    with pytest.raises(RuntimeError, match="the client is closed"):
        async with ExportWatcher(client, min_delay=0.01) as watcher:
            with pytest.raises(PollingError, match="the client is closed"):
                await watcher.wait(export_id)


@pytest.mark.anyio
async def test_a_direct_call_of_a_closed_client_says_so_on_both_loops(
    anyio_backend: str, session: AioSession, emulator: Emulator
) -> None:
    async with Maker("ours", anyio_backend, session).open(emulator) as client:
        pass

    with pytest.raises(RuntimeError, match="the client is closed"):
        await client.describe_export_tasks()


# Event loops


@pytest.mark.parametrize("name", ["ours", "aiobotocore's"])
def test_a_client_of_another_event_loop_is_refused(
    session: AioSession, emulator: Emulator, name: str
) -> None:
    maker = Maker(name, "asyncio", session)

    async def open_and_use() -> Any:
        opened = await opening.__aenter__()
        await listing(opened).build_full_result()
        return opened

    with asyncio.Runner() as runner:
        opening = maker.open(emulator)
        client = runner.run(open_and_use())
        before = len(emulator.requests)

        async def use() -> None:
            await listing(client).build_full_result()

        with pytest.raises(RuntimeError, match="another event loop"):
            anyio.run(use, backend="asyncio")
        with pytest.raises(RuntimeError, match="another event loop"):
            anyio.run(use, backend="trio")
        assert len(emulator.requests) == before
        runner.run(use())
        runner.run(opening.__aexit__(None, None, None))


# Waiting for a connection


@pytest.mark.anyio
async def test_waiting_for_a_connection_of_the_pool_takes_as_long_as_it_takes(
    maker: Maker, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # aiobotocore's limit of 5 seconds, shortened so that the test need not wait for so long.
    shorten_pool_timeout(monkeypatch, 0.05)
    emulator.inject_latency(0.3, calls=1)
    async with (
        maker.open(emulator, max_pool_connections=1) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(3):
            tasks.start_soon(aiodiscovery.describe_exports, client, emulator.export_ids)

    assert len(emulator.requests) == 3


@pytest.mark.anyio
async def test_a_pool_timeout_of_the_caller_s_own_is_kept(maker: Maker, emulator: Emulator) -> None:
    if maker.backend == "asyncio":
        pytest.skip("aiohttp has none")
    emulator.inject_latency(0.5, calls=1)
    options: Any = {"max_pool_connections": 1, "connector_args": {"pool_timeout": 0.05}}
    async with maker.open(emulator, **options) as client:
        with pytest.raises(ExceptionGroup) as caught:
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(aiodiscovery.describe_exports, client, emulator.export_ids)

    assert caught.group_contains(ConnectTimeoutError)


def shorten_pool_timeout(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    make: Any = vars(HttpxSession)["_make_async_client"]

    def shorter(self: Any) -> Any:
        timeout = self._timeout
        self._timeout = type(timeout)(
            connect=timeout.connect, read=timeout.read, write=timeout.write, pool=seconds
        )
        return make(self)

    monkeypatch.setattr(HttpxSession, "_make_async_client", shorter)
