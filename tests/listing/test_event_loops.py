"""What is under way in one event loop cannot be used in another one, which raises an error.

That is: an iterator over pages, items or search results, whose next page is asked for; the
iterators of a ``ReadAhead``, its ``build_full_result()``, and entering and leaving it. In another
loop of the same thread, in a loop of another thread, and in a loop of the other kind. The attempt
changes nothing: in its own loop it continues. A ``PageIterator`` describes a query, and may be used
in any loop.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from support.listings import ids_in, list_exports, reading
from support.scripted import ScriptedListing

import aiodiscovery

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


def run_elsewhere(backend: str, function: Callable[[], Awaitable[Any]]) -> BaseException | None:
    """Run something in an event loop of a separate thread, and return the error raised."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            anyio.run(function, backend=backend)
        except BaseException as error:  # noqa: BLE001  # returned
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors[0] if errors else None


ITERATE: dict[str, Callable[[Any], Any]] = {
    "pages": aiter,
    "items": lambda pages: pages.items(),
    "search": lambda pages: pages.search("exportsInfo[].exportId"),
}


@pytest.mark.parametrize("other", ["asyncio", "trio"])
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("iterate", ITERATE.values(), ids=ITERATE)
async def test_an_iterator_that_was_begun_belongs_to_its_loop(
    scripted_client: "Client",
    scripted: ScriptedListing,
    iterate: Callable[[Any], Any],
    ahead: bool,
    other: str,
) -> None:
    pages = list_exports(scripted_client, PageSize=1)
    async with reading(pages, ahead=ahead) as reader:
        iterator = iterate(reader)
        await anext(iterator)
        await anyio.wait_all_tasks_blocked()
        asked, token = len(scripted.requests), pages.resume_token

        for _ in range(2):
            error = run_elsewhere(other, iterator.__anext__)
            assert isinstance(error, RuntimeError)
            assert "another" in str(error)
        assert (len(scripted.requests), pages.resume_token) == (asked, token)
        assert len([page async for page in iterator]) == 19


@pytest.mark.parametrize("other", ["asyncio", "trio"])
async def test_reading_ahead_belongs_to_the_loop_in_which_it_was_entered(
    scripted_client: "Client", scripted: ScriptedListing, other: str
) -> None:
    pages = list_exports(scripted_client, PageSize=7)
    before = pages.resume_token
    async with pages.prefetch() as ahead:

        async def leave() -> None:
            await ahead.__aexit__(None, None, None)

        for use in (
            ahead.build_full_result,
            ahead.items().__anext__,
            aiter(ahead).__anext__,
            ahead.__aenter__,
            leave,
        ):
            error = run_elsewhere(other, use)
            assert isinstance(error, RuntimeError), use
        assert scripted.requests == []
        assert pages.resume_token == before
        assert await ids_in(ahead) == scripted.ids


async def test_a_query_may_be_used_in_any_loop(
    scripted_client: "Client", scripted: ScriptedListing
) -> None:
    pages = list_exports(scripted_client, PageSize=7)
    assert await ids_in(pages) == scripted.ids

    # The client itself answers here: there are no connections that belong to a loop.
    error = run_elsewhere("asyncio", lambda: ids_in(pages))

    assert error is None
    assert len(scripted.requests) == 6


def test_one_loop_after_the_other_in_a_thread(scripted: ScriptedListing) -> None:
    iterators: list[AsyncIterator[Any]] = []

    async def begin() -> None:
        async with aiodiscovery.create_client(
            region_name="us-west-2", aws_access_key_id="t", aws_secret_access_key="t"
        ) as client:
            scripted.attach(client)
            iterators.append(list_exports(client, PageSize=5).items())
            for _ in range(5):
                await anext(iterators[0])

    async def go_on() -> None:
        with pytest.raises(RuntimeError, match="another"):
            await anext(iterators[0])

    asyncio.run(begin())
    asyncio.run(go_on())


async def test_without_an_event_loop_an_iterator_says_so(scripted_client: "Client") -> None:
    errors: list[BaseException] = []

    def step() -> None:
        pages = aiter(list_exports(scripted_client))
        try:
            pages.__anext__().send(None)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()

    assert "event loop" in str(errors[0])
