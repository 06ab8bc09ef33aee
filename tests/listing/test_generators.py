"""Reading ahead inside the user's own async generator, which other code iterates.

The block is entered in the task that asks first and left in the task that closes the generator. The
latter is the consumer's own with ``aclosing()`` or at the end, and one of the event loop's after
``break``. It is another task in a fixture of pytest-asyncio, behind
``asyncio.wait_for(anext(...))`` before Python 3.12, or when other code closes the generator. A
time-out may also be around a single ``anext()``.

On asyncio none of this affects the consumer, nothing stays behind, and nothing is lost. On trio a
nursery must be left where it was entered: with ``aclosing()`` all is well, else an error says so.
"""

import asyncio
import gc
import logging
import warnings
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import pytest_asyncio
from anyio.lowlevel import checkpoint
from support.listings import list_exports

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from support.scripted import ScriptedListing
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

TASK = "aiodiscovery.prefetch"


async def export_ids(client: "Client") -> AsyncGenerator[str]:
    async with list_exports(client, PageSize=5).prefetch() as ahead:
        async for export in ahead.items():
            yield export["exportId"]  # noqa: ASYNC119  # the subject of this module


def tasks_of_ours() -> list[Any]:
    return [task for task in anyio.get_running_tasks() if (task.name or "").startswith(TASK)]


async def settle() -> None:
    gc.collect()
    for _ in range(5):
        await anyio.wait_all_tasks_blocked()


# On both loops


@pytest.mark.anyio
async def test_with_aclosing_the_consumer_may_leave_at_any_time(
    client: "Client", emulator: Emulator
) -> None:
    async with anyio.create_task_group():
        with anyio.fail_after(30):
            async with aclosing(export_ids(client)) as ids:
                async for export_id in ids:
                    assert export_id == emulator.export_ids[0]
                    emulator.inject_latency(3600, calls=None)
                    break
        assert tasks_of_ours() == []
        await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_a_generator_that_is_read_to_its_end_needs_nothing(
    client: "Client", emulator: Emulator
) -> None:
    assert [export_id async for export_id in export_ids(client)] == list(emulator.export_ids)
    assert tasks_of_ours() == []


@pytest.mark.anyio
async def test_a_context_manager_made_of_a_generator_needs_nothing(
    client: "Client", emulator: Emulator
) -> None:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Any]:
        async with list_exports(client, PageSize=5).prefetch() as ahead:
            yield ahead.items()

    async with opened() as items:
        async for export in items:
            assert export["exportId"] == emulator.export_ids[0]
            break
    await checkpoint()
    assert tasks_of_ours() == []


@pytest.mark.anyio
async def test_a_cancellation_of_the_consumer_ends_what_it_began(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_latency(3600, calls=None, after=2)
    came: list[str] = []
    with anyio.CancelScope() as scope:
        async with aclosing(export_ids(client)) as ids:
            async for export_id in ids:
                came.append(export_id)
                if len(came) == 10:
                    scope.cancel()
    assert scope.cancelled_caught
    assert came == list(emulator.export_ids[:10])
    assert tasks_of_ours() == []
    await checkpoint()


@pytest.mark.anyio
async def test_as_many_iterations_as_wanted_share_their_tasks(
    scripted_client: "Client", scripted: "ScriptedListing"
) -> None:
    async with list_exports(scripted_client, PageSize=5).prefetch(3) as ahead:
        for _ in range(10):
            async for export in ahead.items():
                assert export["exportId"] == scripted.ids[0]
                break
            await anyio.wait_all_tasks_blocked()
        assert len(tasks_of_ours()) == 1
        iterators = [ahead.items() for _ in range(4)]
        for export_id in scripted.ids:
            for iterator in iterators:
                assert (await anext(iterator))["exportId"] == export_id
        assert len(tasks_of_ours()) <= 4
    assert tasks_of_ours() == []


# On asyncio


@pytest.mark.asyncio
@pytest.mark.parametrize("in_task_group", [False, True])
async def test_break_leaves_the_consumer_alone(emulator: Emulator, in_task_group: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
            async with AsyncExitStack() as stack:
                if in_task_group:
                    await stack.enter_async_context(anyio.create_task_group())
                async for export_id in export_ids(client):
                    assert export_id == emulator.export_ids[0]
                    emulator.inject_latency(3600, calls=None)
                    break
                await settle()
                assert tasks_of_ours() == []
                await asyncio.sleep(0.01)
            emulator.clear_faults()
            assert len([export_id async for export_id in export_ids(client)]) == 25


@pytest.mark.asyncio
async def test_a_time_out_around_a_single_step_takes_nothing_away(emulator: Emulator) -> None:
    async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
        ids = export_ids(client)
        came = [await asyncio.wait_for(anext(ids), 30)]
        with anyio.fail_after(30):
            came.append(await anext(ids))
        async with asyncio.timeout(30):
            came.append(await anext(ids))
        came.append(await asyncio.create_task(anext(ids)))
        came += [export_id async for export_id in ids]
        await settle()

        assert came == list(emulator.export_ids)
        assert tasks_of_ours() == []


@pytest.mark.asyncio
async def test_a_first_step_that_times_out_ends_what_it_began(emulator: Emulator) -> None:
    async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
        emulator.inject_latency(3600, calls=None)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(export_ids(client)), 0.1)
            with anyio.move_on_after(0.1):
                await anext(export_ids(client))
        await settle()

        assert tasks_of_ours() == []


@pytest.mark.asyncio
async def test_another_task_may_close_the_generator(emulator: Emulator) -> None:
    async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
        ids = export_ids(client)
        await anext(ids)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ids.aclose)
        assert tasks_of_ours() == []
        with pytest.raises(StopAsyncIteration):
            await anext(ids)


@pytest.mark.asyncio
async def test_a_task_that_is_cancelled_leaves_nothing_behind(emulator: Emulator) -> None:
    async with aiodiscovery.create_client(**emulator.client_kwargs) as client:

        async def consume() -> None:
            async for _ in export_ids(client):
                emulator.inject_latency(3600, calls=None)

        task = asyncio.create_task(consume())
        while not emulator.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle()

        assert tasks_of_ours() == []


def test_a_loop_that_ends_closes_what_was_left(emulator: Emulator) -> None:
    kept: list[AsyncGenerator[str]] = []

    async def main() -> None:
        async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
            kept.append(export_ids(client))
            await anext(kept[0])

    asyncio.run(main())


@pytest_asyncio.fixture
async def first_ids(emulator: Emulator) -> AsyncGenerator[aiodiscovery.ReadAhead[Any, Any]]:
    async with (
        aiodiscovery.create_client(**emulator.client_kwargs) as client,
        list_exports(client, PageSize=5).prefetch() as ahead,
    ):
        yield ahead


@pytest.mark.asyncio
async def test_a_fixture_of_pytest_asyncio_may_read_ahead(
    first_ids: aiodiscovery.ReadAhead[Any, Any], emulator: Emulator
) -> None:
    items = first_ids.items()
    assert (await anext(items))["exportId"] == emulator.export_ids[0]


# On trio


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio_leaving_in_another_task_is_an_error_that_names_the_cause(
    client: "Client",
) -> None:
    ahead = list_exports(client, PageSize=5).prefetch()
    errors: list[RuntimeError] = []

    async def leave() -> None:
        try:
            await ahead.__aexit__(None, None, None)
        except RuntimeError as error:
            errors.append(error)

    await ahead.__aenter__()
    await anext(ahead.items())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
    await settle()
    assert tasks_of_ours() == []
    await ahead.__aexit__(None, None, None)

    assert "in another task" in str(errors[0])
    assert "aclosing" in str(errors[0])


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio_leaving_out_of_order_is_an_error_that_names_the_cause(
    client: "Client",
) -> None:
    ahead = list_exports(client, PageSize=5).prefetch()
    await ahead.__aenter__()
    await anext(ahead.items())
    inner = anyio.CancelScope()
    inner.__enter__()
    with pytest.raises(RuntimeError, match=r"before a block that was entered within it.*aclosing"):
        await ahead.__aexit__(None, None, None)
    inner.__exit__(None, None, None)

    assert tasks_of_ours() == []


@pytest.mark.filterwarnings("ignore:.*aclosing:ResourceWarning")
def test_on_trio_break_is_an_error_that_names_the_cause(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with aiodiscovery.create_client(**emulator.client_kwargs) as client:
            async for _ in export_ids(client):
                break
            await settle()
            assert tasks_of_ours() == []

    with caplog.at_level(logging.ERROR), pytest.raises(BaseException) as caught:  # noqa: PT011
        anyio.run(main, backend="trio")

    assert "corrupted" in str(caught.value)
    assert any(
        "in another task" in str(record.exc_info and record.exc_info[1])
        for record in caplog.records
    )
