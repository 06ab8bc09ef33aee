"""What a wait returns or raises: the infos of what ended, the errors, and nothing else."""

import logging
import pickle
from typing import Any

import anyio
import pytest
from support.virtual import VirtualService, run_virtual

import aiodiscovery
from aiodiscovery import ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


# wait


def test_wait_gives_the_export_once_it_succeeded() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        async with ExportWatcher(client) as watcher:
            info = await watcher.wait(export_id)

        assert info["exportId"] == export_id
        assert info["exportStatus"] == "SUCCEEDED"
        assert "configurationsDownloadUrl" in info
        assert 100 <= anyio.current_time() <= 100 + 120

    run_virtual(scenario)


def test_wait_raises_once_the_export_failed() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=10, fail_with="the disk is full")
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportFailedError, match="the disk is full") as caught:
                await watcher.wait(export_id)

        assert caught.value.info["exportId"] == export_id
        assert caught.value.status_message == "the disk is full"

    run_virtual(scenario)


def test_an_export_that_has_ended_costs_one_call() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(status="SUCCEEDED")
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

        assert anyio.current_time() == 0

    assert len(run_virtual(scenario).calls) == 1


def test_a_status_that_is_not_known_counts_as_not_ended() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(status="ON_HOLD")
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=600)

    run_virtual(scenario)


# wait_all


def test_wait_all_gives_the_exports_in_the_order_asked() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = [virtual.add_export(duration) for duration in (300, 5, 90)]
        async with ExportWatcher(client) as watcher:
            infos = await watcher.wait_all([ids[1], ids[0], ids[2], ids[1]])

        assert list(infos) == [ids[1], ids[0], ids[2]]
        assert {info["exportStatus"] for info in infos.values()} == {"SUCCEEDED"}

    run_virtual(scenario)


def test_wait_all_raises_with_everything_once_all_have_ended() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        bad = virtual.add_export(duration=5, fail_with="no")
        good = virtual.add_export(duration=900)
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportFailedError) as caught:
                await watcher.wait_all([good, bad])

        assert anyio.current_time() >= 900
        assert list(caught.value.failed) == [bad]
        assert list(caught.value.succeeded) == [good]

    run_virtual(scenario)


def test_wait_all_can_leave_failures_to_the_caller() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        bad = virtual.add_export(duration=5, fail_with="no")
        good = virtual.add_export(duration=9)
        async with ExportWatcher(client) as watcher:
            infos = await watcher.wait_all([bad, good], raise_on_failure=False)

        assert [info["exportStatus"] for info in infos.values()] == ["FAILED", "SUCCEEDED"]

    run_virtual(scenario)


def test_no_exports_are_waited_for_without_a_call() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            assert await watcher.wait_all([]) == {}
            assert [update async for update in watcher.updates([])] == []

    assert run_virtual(scenario).calls == []


def test_each_task_gets_an_export_info_of_its_own() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=5)
        infos: list[Any] = []

        async def wait() -> None:
            infos.append(await watcher.wait(export_id))

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)

        infos[0].clear()
        assert infos[1]["exportId"] == export_id

    run_virtual(scenario)


def test_wait_for_exports_needs_no_watcher_of_one_s_own() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good, bad = virtual.add_export(30), virtual.add_export(30, fail_with="no")

        assert list(await aiodiscovery.wait_for_exports(client, [good], min_delay=1)) == [good]
        with pytest.raises(aiodiscovery.ExportFailedError):
            await aiodiscovery.wait_for_exports(client, [good, bad])
        with pytest.raises(aiodiscovery.ExportTimeoutError):
            await aiodiscovery.wait_for_exports(client, [virtual.add_export()], 5)

    run_virtual(scenario)


# Errors and logs


def test_the_errors_can_be_pickled() -> None:
    info: Any = {"exportId": "export-1", "statusMessage": "no"}
    errors = [
        aiodiscovery.ExportFailedError("failed", {"export-1": info}, {}),
        aiodiscovery.ExportNotFoundError("not found", ("export-1",), {"export-2": info}),
        aiodiscovery.ExportTimeoutError("late", {"export-1": info}, ("export-2",)),
    ]

    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_progress_is_logged_without_download_urls(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aiodiscovery")

    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=5)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)
        assert f"export {export_id} is SUCCEEDED, was IN_PROGRESS" in caplog.messages

    run_virtual(scenario)
    assert "asked for 1 exports, the service knows 1" in caplog.messages
    assert "X-Amz" not in caplog.text
