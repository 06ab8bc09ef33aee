"""What an iteration over updates returns, and when watching for it stops."""

import gc
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from support.virtual import VirtualService, collect, run_virtual

from aiodiscovery import ExportUpdate, ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


def test_updates_give_the_first_status_and_every_change_and_end() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good, bad = virtual.add_export(30), virtual.add_export(50, fail_with="no")
        held = virtual.add_export(status="ON_HOLD")
        came: list[ExportUpdate] = []
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(collect, watcher.updates([good, bad, held]), came)
            await anyio.sleep(1000)
            virtual.service.set_export_status(held, "SUCCEEDED")

        assert {(update.export_id, update.previous_status, update.status) for update in came} == {
            (good, None, "IN_PROGRESS"),
            (bad, None, "IN_PROGRESS"),
            (held, None, "ON_HOLD"),
            (good, "IN_PROGRESS", "SUCCEEDED"),
            (bad, "IN_PROGRESS", "FAILED"),
            (held, "ON_HOLD", "SUCCEEDED"),
        }
        assert len(came) == 6
        assert came[-1].info["exportId"] == held

    run_virtual(scenario)


def test_a_slow_consumer_gets_the_newest_state_of_each_export() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id, other = virtual.add_export(), virtual.add_export(duration=10)
        async with ExportWatcher(client, min_delay=4) as watcher:
            updates = watcher.updates([export_id, other])
            first = {(await anext(updates)).status, (await anext(updates)).status}
            for status in ("ON_HOLD", "RESTARTED", "SUCCEEDED"):
                virtual.service.set_export_status(export_id, status)
                await anyio.sleep(10)
            rest = [update async for update in updates]

        assert first == {"IN_PROGRESS"}
        assert {(update.export_id, update.previous_status, update.status) for update in rest} == {
            (export_id, "IN_PROGRESS", "SUCCEEDED"),
            (other, "IN_PROGRESS", "SUCCEEDED"),
        }

    run_virtual(scenario)


def test_a_change_that_was_taken_back_unseen_is_none() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(status="ON_HOLD")
        async with ExportWatcher(client, min_delay=4) as watcher:
            updates = watcher.updates([export_id])
            await anext(updates)
            for status in ("RESTARTED", "ON_HOLD"):
                virtual.service.set_export_status(export_id, status)
                await anyio.sleep(10)
            with anyio.move_on_after(20) as scope:
                await anext(updates)

        assert scope.cancelled_caught

    run_virtual(scenario)


def test_a_consumer_that_comes_later_gets_what_is_known_at_once() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            await anext(watcher_updates := watcher.updates([export_id]))
            await anyio.sleep(1)
            assert (await anext(watcher.updates([export_id]))).status == "IN_PROGRESS"
            await watcher_updates.aclose()

        assert anyio.current_time() == 1

    assert len(run_virtual(scenario).calls) == 1


@pytest.mark.parametrize("how", ["break", "close", "throw"])
def test_updates_that_are_left_are_not_polled_for(how: str) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            if how == "break":
                async for _ in watcher.updates([export_id]):
                    break
                gc.collect()
            elif how == "close":
                async with aclosing(watcher.updates([export_id])) as updates:
                    await anext(updates)
                assert [update async for update in updates] == []
            else:
                updates = watcher.updates([export_id])
                await anext(updates)
                with pytest.raises(KeyError):
                    await updates.athrow(KeyError())
            await anyio.sleep(3600)

    assert len(run_virtual(scenario).calls) == 1


def test_closing_updates_ends_the_iteration_of_another_task() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            updates = watcher.updates([virtual.add_export()])
            tasks.start_soon(collect, updates, [])
            await anyio.sleep(10)
            await updates.aclose()

        assert anyio.current_time() == 10

    run_virtual(scenario)


def test_updates_go_on_after_a_cancellation() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        async with ExportWatcher(client) as watcher:
            updates = watcher.updates([export_id])
            await anext(updates)
            with anyio.move_on_after(5):
                await anext(updates)
            assert [update.status async for update in updates] == ["SUCCEEDED"]

    run_virtual(scenario)


def test_updates_are_for_one_task_at_a_time() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            updates = watcher.updates([virtual.add_export(duration=10)])
            tasks.start_soon(collect, updates, [])
            await anyio.sleep(1)
            with pytest.raises(anyio.BusyResourceError):
                await anext(updates)

    run_virtual(scenario)


def test_an_update_shows_no_download_url() -> None:
    update = ExportUpdate("export-1", "SUCCEEDED", None, {"configurationsDownloadUrl": "secret"})  # type: ignore[typeddict-item]

    assert "secret" not in repr(update)
