"""Reading ahead: the same results as without, sooner."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.listings import list_exports
from support.scripted import EVENT, ScriptedListing

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

MANY = [f"export-{number}" for number in range(250)]


@pytest.fixture
async def listing(client: "Client") -> AsyncIterator[ScriptedListing]:
    scripted = ScriptedListing(MANY)
    scripted.attach(client)
    yield scripted
    scripted.detach(client)


def handle_first(client: "Client", listing: ScriptedListing, handler: Any) -> None:
    """Have a handler see each call before the listing answers it."""
    events: Any = client.meta.events  # their stubs know no asynchronous handlers
    listing.detach(client)
    events.register_first(EVENT, handler)
    listing.attach(client)


async def record(
    pages: "aiodiscovery.PageIterator[Any, Any]", steps: int, *, of_items: bool
) -> list[Any]:
    """Note the results of some steps of an iteration, and where it would continue."""
    came: list[Any] = []
    iterator: aiodiscovery.ResumableIterator[Any] = pages.items() if of_items else aiter(pages)
    for _ in range(steps):
        try:
            came.append((await anext(iterator), pages.resume_token))
        except StopAsyncIteration:
            break
        except EndpointConnectionError as error:
            came.append((str(error), pages.resume_token))
    return [*came, iterator.resume_token]


# What comes


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def portal(request: pytest.FixtureRequest) -> Iterator[BlockingPortal]:
    with start_blocking_portal(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def idle_client(portal: BlockingPortal) -> Iterator["Client"]:
    with portal.wrap_async_context_manager(
        aiodiscovery.create_client(
            region_name="us-west-2", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
    ) as opened:
        yield opened


# The client is made once, outside the examples, which the health check would warn about.
@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_all_comes_as_it_does_without(
    portal: BlockingPortal, idle_client: "Client", data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, 40) | st.integers(95, 330), "exports")
    ids = [f"export-{number}" for number in range(count)]
    listing = ScriptedListing(
        ids,
        default_page_size=data.draw(st.integers(1, 120)),
        extra_items=data.draw(st.sampled_from([0, 0, 3])),
    )
    gone = [f"gone-{number}" for number in range(150)]
    wanted = data.draw(st.sampled_from([[], ids, ids + gone, gone[:50] + ids]))
    config: dict[str, Any] = {
        "PageSize": data.draw(st.none() | st.integers(1, 100), "PageSize"),
        "MaxItems": data.draw(st.none() | st.integers(0, 350), "MaxItems"),
    }
    # With several chunks at once it is not defined which request a failure affects.
    fails = data.draw(st.booleans()) and len(wanted) <= 100
    how: Any = {"of_items": data.draw(st.booleans())}
    steps = data.draw(st.just(10_000) | st.integers(0, 60), "steps")
    ahead_by = data.draw(st.integers(1, 5), "pages ahead")

    answers = data.draw(st.integers(0, 3), "answers before a failure")
    came, requests = [], []
    for ahead in (False, True):
        listing.requests = []
        if fails:
            listing.fail_after(answers, EndpointConnectionError(endpoint_url="scripted"))
        listing.attach(idle_client)

        async def iterate(ahead: bool = ahead) -> list[Any]:
            pages = list_exports(idle_client, *wanted, **config)
            if not ahead:
                return await record(pages, steps, **how)
            async with pages.prefetch(ahead_by) as reader:
                return await record(reader, steps, **how)

        try:
            came.append(portal.call(iterate))
        finally:
            listing.detach(idle_client)
        requests.append(Counter(map(str, listing.requests)))

    assert came[0] == came[1]
    if steps == 10_000 and not listing.extra_items:
        assert requests[0] == requests[1]


@pytest.mark.anyio
async def test_the_whole_result_and_searches_can_be_read_ahead(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=4)

    async with pages.prefetch() as ahead:
        result = await ahead.build_full_result()
        found = [export_id async for export_id in ahead.search("exportsInfo[].exportId")]

    assert found == [export["exportId"] for export in result["exportsInfo"]]
    assert found == list(emulator.export_ids)


# When it is asked for


@pytest.mark.anyio
async def test_nothing_is_asked_for_before_the_iteration(
    client: "Client", listing: ScriptedListing
) -> None:
    async with list_exports(client, PageSize=10).prefetch():
        await anyio.wait_all_tasks_blocked()

    assert listing.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("pages", [1, 2, 5])
async def test_so_many_pages_are_asked_for_ahead_and_no_more(
    client: "Client", listing: ScriptedListing, pages: int
) -> None:
    async with list_exports(client, PageSize=10).prefetch(pages) as ahead:
        async for _ in ahead:
            break
        await anyio.wait_all_tasks_blocked()

        assert len(listing.requests) == 1 + pages


@pytest.mark.anyio
async def test_no_page_is_asked_for_that_max_items_does_not_need(
    client: "Client", listing: ScriptedListing
) -> None:
    async with list_exports(client, PageSize=10, MaxItems=15).prefetch(5) as ahead:
        async for _ in ahead:
            await anyio.wait_all_tasks_blocked()

    assert [request["maxResults"] for request in listing.requests] == [10, 5]


@pytest.mark.anyio
async def test_with_max_items_the_same_requests_are_made_as_without(
    client: "Client", listing: ScriptedListing
) -> None:
    # Only the answer for the first hundred shows how many of the second are needed.
    pages = list_exports(client, *[f"gone-{number}" for number in range(50)], *MANY, MaxItems=150)
    await pages.build_full_result()
    without, listing.requests = listing.requests, []

    async with pages.prefetch(5) as ahead:
        await ahead.build_full_result()

    assert listing.requests == without


@pytest.mark.anyio
async def test_more_than_100_ids_are_asked_for_at_the_same_time(
    client: "Client", listing: ScriptedListing
) -> None:
    under_way, all_are = [], anyio.Event()

    async def wait_for_the_others(**_: Any) -> None:
        under_way.append(1)
        if len(under_way) == 3:
            all_are.set()
        await all_are.wait()

    handle_first(client, listing, wait_for_the_others)
    with anyio.fail_after(30):
        async with list_exports(client, *MANY).prefetch(3) as ahead:
            assert [export["exportId"] async for export in ahead.items()] == MANY
    assert len(under_way) == 3


# Errors and the end


@pytest.mark.anyio
async def test_an_error_of_a_page_ahead_is_raised_when_its_turn_comes(
    client: "Client", listing: ScriptedListing
) -> None:
    listing.fail_after(2, EndpointConnectionError(endpoint_url="scripted"))
    async with list_exports(client, PageSize=10).prefetch(5) as ahead:
        pages = aiter(ahead)
        await anext(pages)
        await anyio.wait_all_tasks_blocked()
        await anext(pages)
        asked = len(listing.requests)
        with pytest.raises(EndpointConnectionError):
            await anext(pages)
        await anyio.wait_all_tasks_blocked()

        # Nothing is tried again until the caller asks again.
        assert len(listing.requests) == asked
        assert [export["exportId"] for export in (await anext(pages))["exportsInfo"]] == MANY[20:30]


@pytest.mark.anyio
async def test_a_token_that_came_before_ends_the_run_when_its_turn_comes(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_token_cycle(length=2)
    pages = list_exports(client, PageSize=5)
    came: list[Any] = []
    came_ahead: list[Any] = []

    with pytest.raises(aiodiscovery.PaginationLoopError):
        async for export in pages.items():
            came.append(export["exportId"])  # noqa: PERF401  # until the error
    with pytest.raises(aiodiscovery.PaginationLoopError):
        async with pages.prefetch(5) as ahead:
            async for export in ahead.items():
                came_ahead.append(export["exportId"])  # noqa: PERF401  # until the error

    assert came == came_ahead


@pytest.mark.asyncio
async def test_a_request_that_something_else_cancels_is_made_again(emulator: Emulator) -> None:
    async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
        emulator.inject_latency(3600)
        async with list_exports(client).prefetch(1) as ahead, anyio.create_task_group() as tasks:
            tasks.start_soon(ahead.build_full_result)
            await anyio.wait_all_tasks_blocked()
            for task in asyncio.all_tasks():
                if task.get_name() == "aiodiscovery.prefetch":
                    task.cancel()

    assert ahead.resume_token is None


@pytest.mark.anyio
@pytest.mark.parametrize("pages", [1, 2, 3])
async def test_after_an_error_the_page_is_asked_for_again_whatever_else_was_meanwhile(
    client: "Client", listing: ScriptedListing, pages: int
) -> None:
    failed, may_answer = False, anyio.Event()

    async def fail_the_first(params: dict[str, Any], **_: Any) -> None:
        nonlocal failed
        if "export-0" in json.loads(params["body"])["exportIds"]:
            if not failed:
                failed = True
                raise EndpointConnectionError(endpoint_url="scripted")
        else:
            await may_answer.wait()

    handle_first(client, listing, fail_the_first)
    with anyio.fail_after(30):
        async with list_exports(client, *MANY, PageSize=10).prefetch(pages) as ahead:
            items = ahead.items()
            with pytest.raises(EndpointConnectionError):
                await anext(items)
            may_answer.set()
            await anyio.wait_all_tasks_blocked()

            assert [export["exportId"] async for export in items] == MANY


@pytest.mark.anyio
async def test_outside_its_block_nothing_is_lost(
    client: "Client", listing: ScriptedListing
) -> None:
    pages = list_exports(client, PageSize=10)
    ahead = pages.prefetch(3)
    iterator = aiter(ahead)
    with pytest.raises(RuntimeError, match="async with"):
        await anext(iterator)
    async with ahead:
        with anyio.fail_after(30):
            await anext(iterator)
        await anyio.wait_all_tasks_blocked()

    for _ in range(4):
        with pytest.raises(RuntimeError, match="async with"):
            await anext(iterator)
    rest = list_exports(client, StartingToken=iterator.resume_token)
    assert [export["exportId"] async for export in rest.items()] == MANY[10:]


@pytest.mark.anyio
async def test_leaving_early_ends_what_is_under_way_and_asks_for_nothing_more(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, PageSize=5)
    with anyio.fail_after(30):
        async with pages.prefetch() as ahead:
            iterator = ahead.items()
            first = await anext(iterator)
            emulator.inject_latency(3600, calls=None)

    rest = list_exports(client, StartingToken=pages.resume_token)
    emulator.clear_faults()
    left = [export["exportId"] async for export in rest.items()]
    assert [first["exportId"], *left] == list(emulator.export_ids)
    with pytest.raises(RuntimeError, match="async with"):
        await anext(aiter(ahead))


@pytest.mark.anyio
async def test_a_time_out_takes_nothing_away(client: "Client", emulator: Emulator) -> None:
    pages = list_exports(client, PageSize=5)
    came: list[str] = []
    async with pages.prefetch() as ahead:
        items = ahead.items()
        came += [(await anext(items))["exportId"] for _ in range(5)]
        emulator.inject_latency(0.5)
        with anyio.move_on_after(0.05):
            came += [export["exportId"] async for export in items]
        assert items.resume_token == pages.resume_token
        came += [export["exportId"] async for export in items]

    assert came == list(emulator.export_ids)


@pytest.mark.anyio
@pytest.mark.parametrize("error", [ValueError("of the caller"), KeyboardInterrupt()])
async def test_an_exception_of_the_block_leaves_it_as_it_is(
    client: "Client", listing: ScriptedListing, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        async with list_exports(client).prefetch() as ahead:
            async for _ in ahead:
                raise error

    assert caught.value is error


@pytest.mark.anyio
async def test_a_cancellation_does_not_take_the_place_of_the_block_s_exception(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_latency(3600, calls=None)
    with pytest.raises(ZeroDivisionError), anyio.CancelScope() as scope:
        async with list_exports(client).prefetch() as ahead, anyio.create_task_group() as tasks:
            tasks.start_soon(anext, aiter(ahead))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        async with list_exports(client).prefetch() as ahead:
            with anyio.move_on_after(0.01):
                await anext(aiter(ahead))
            scope.cancel()
            raise ZeroDivisionError


@pytest.mark.anyio
async def test_an_error_of_the_service_leaves_the_block_as_botocore_raises_it(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_error("AuthorizationErrorException", "no", calls=None)

    with pytest.raises(ClientError, match="AuthorizationErrorException"):
        async with list_exports(client).prefetch() as ahead:
            await ahead.build_full_result()


@pytest.mark.anyio
async def test_it_is_iterated_within_its_block(client: "Client") -> None:
    ahead = list_exports(client).prefetch()

    with pytest.raises(RuntimeError, match="async with"):
        await anext(ahead.items())


@pytest.mark.anyio
async def test_it_is_entered_once(client: "Client") -> None:
    ahead = list_exports(client).prefetch()
    async with ahead:
        pass

    with pytest.raises(RuntimeError, match="once"):
        await ahead.__aenter__()


@pytest.mark.anyio
@pytest.mark.parametrize("pages", [0, -1, 1.5, True, "2"])
async def test_a_number_of_pages_that_is_none_is_refused(client: "Client", pages: Any) -> None:
    with pytest.raises(ValueError, match="whole number of at least 1"):
        list_exports(client).prefetch(pages)
