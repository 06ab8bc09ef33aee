"""The watcher over HTTP, in real time: both event loops, every fault of the emulator."""

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiobotocore.session import AioSession

import aiodiscovery
from aiodiscovery import ExportWatcher
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

# Delays short enough for a test, which does not depend on timing.
FAST: dict[str, Any] = {"min_delay": 0.02, "max_delay": 0.2, "max_rate": None}


@pytest.fixture
def emulator() -> Any:
    with Emulator(exports=0, export_duration=None) as running:
        yield running


@pytest.mark.anyio
async def test_an_export_is_watched_from_its_start_to_its_end(
    client: "Client", emulator: Emulator
) -> None:
    export_id = (await client.start_export_task())["exportId"]
    statuses: list[str] = []

    async with ExportWatcher(client, **FAST) as watcher:
        async for update in watcher.updates([export_id]):
            statuses.append(update.status)
            emulator.finish_export(export_id)

    assert statuses == ["IN_PROGRESS", "SUCCEEDED"]


@pytest.mark.anyio
async def test_calls_carry_the_feature_id_of_a_waiter(client: "Client", emulator: Emulator) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    await client.describe_export_tasks()
    async with ExportWatcher(client) as watcher:
        await watcher.wait(export_id)
    await client.describe_export_tasks()

    plain, waiting, plain_again = [_features(request.user_agent) for request in emulator.requests]
    assert "B" in waiting - plain
    assert plain == plain_again


def _features(user_agent: str) -> set[str]:
    (found,) = [part for part in user_agent.split() if part.startswith("m/")]
    return set(found.removeprefix("m/").split(","))


FAULTS = {
    "throttling": lambda emulator: emulator.inject_throttling(calls=12),
    "server error": lambda emulator: emulator.inject_server_error(calls=12),
    "dropped connection": lambda emulator: emulator.inject_dropped_connection(calls=12),
    "latency": lambda emulator: emulator.inject_latency(0.3, calls=4),
    "empty page": lambda emulator: emulator.inject_empty_page(calls=5),
    "extra items": lambda emulator: emulator.inject_extra_items(50, calls=4),
    "token cycle": lambda emulator: emulator.inject_token_cycle(2, calls=4),
}


@pytest.mark.anyio
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_wait_outlasts_every_fault(
    client: "Client", emulator: Emulator, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.01)  # botocore's own retries, too
    ids = emulator.add_exports(150, status="IN_PROGRESS", duration=None)

    async with ExportWatcher(client, **FAST) as watcher, anyio.create_task_group() as tasks:
        FAULTS[fault](emulator)

        async def finish() -> None:
            while len(emulator.requests) < 20:
                await anyio.sleep(0.01)
            for export_id in ids:
                emulator.finish_export(export_id)

        tasks.start_soon(finish)
        assert list(await watcher.wait_all(ids)) == list(ids)


@pytest.mark.anyio
async def test_an_error_that_cannot_get_better_ends_the_wait(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_error("AuthorizationErrorException", "not for you", calls=None)

    async with ExportWatcher(client, **FAST) as watcher:
        with pytest.raises(aiodiscovery.PollingError, match="AuthorizationErrorEx") as caught:
            await watcher.wait("export-1")

    assert isinstance(caught.value.__cause__, client.exceptions.AuthorizationErrorException)


@pytest.mark.anyio
async def test_an_export_that_was_just_started_may_be_missing_for_a_moment(
    client: "Client", emulator: Emulator
) -> None:
    export_id = emulator.add_export(duration=0, visibility_delay=0.3)

    async with ExportWatcher(client, **FAST) as watcher:
        assert (await watcher.wait(export_id))["exportStatus"] == "SUCCEEDED"


@pytest.mark.anyio
async def test_a_thousand_exports_cost_a_hundredth_of_the_calls_of_one_waiter_each(
    anyio_backend: str, session: AioSession
) -> None:
    now = 0.0
    with Emulator(exports=0, clock=lambda: now) as emulator:
        ids = emulator.add_exports(1000, status="IN_PROGRESS", duration=60)
        async with (
            aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client,
            # The delay does not vary, as in a waiter of botocore's.
            ExportWatcher(client, min_delay=0.1, max_delay=0.1, max_rate=None) as watcher,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(watcher.wait_all, ids)
            while len(emulator.requests) < 50:
                await anyio.sleep(0.01)
            now = 60.0

        asked = [request.parameters["exportIds"] for request in emulator.requests]
        assert {export_id for ids_of_call in asked for export_id in ids_of_call} == set(ids)
        assert len(asked) * 100 == sum(map(len, asked))


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["wait_for", "timeout", "cancel"])
async def test_time_outs_and_cancellation_of_asyncio_work_from_outside(
    emulator: Emulator, how: str
) -> None:
    export_id = emulator.add_export(duration=None)
    async with (
        aiodiscovery.create_client(**emulator.client_kwargs) as client,
        ExportWatcher(client, **FAST) as watcher,
    ):
        other = asyncio.create_task(watcher.wait(export_id))
        if how == "wait_for":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watcher.wait(export_id), 0.1)
        elif how == "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await watcher.wait(export_id)
        else:
            task = asyncio.create_task(watcher.wait(export_id))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        emulator.finish_export(export_id)
        assert (await other)["exportStatus"] == "SUCCEEDED"


@pytest.mark.asyncio
async def test_cancelling_the_poller_s_own_tasks_does_not_go_unnoticed(emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=None)
    reached = False

    async def watch() -> None:
        nonlocal reached
        async with (
            aiodiscovery.create_client(**emulator.client_kwargs) as client,
            ExportWatcher(client, **FAST) as watcher,
        ):
            await watcher.wait(export_id)
        reached = True

    task = asyncio.create_task(watch())
    while not emulator.requests:
        await asyncio.sleep(0.01)
    current = asyncio.current_task()
    for other in asyncio.all_tasks():
        if other not in (task, current):
            other.cancel()

    with pytest.raises(aiodiscovery.PollingError) as caught:
        await task
    assert "was cancelled, but not the watcher" in str(caught.value.__cause__)
    assert not reached


@pytest.mark.asyncio
async def test_a_cancelled_task_of_asyncio_leaves_the_watcher_it_opened(emulator: Emulator) -> None:
    export_id = emulator.add_export(duration=None)

    async def watch() -> None:
        async with (
            aiodiscovery.create_client(**emulator.client_kwargs) as client,
            ExportWatcher(client, **FAST) as watcher,
        ):
            await watcher.wait(export_id)

    task = asyncio.create_task(watch())
    while not emulator.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert task.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
