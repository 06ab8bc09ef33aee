"""Time-outs, cancelled waits, and last polls before a deadline."""

import math
from typing import Any

import anyio
import pytest
from support.virtual import VirtualService, run_virtual

import aiodiscovery
from aiodiscovery import ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


def test_a_time_out_says_what_has_ended_and_what_has_not() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good, bad = virtual.add_export(10), virtual.add_export(10, fail_with="no")
        running, unknown = virtual.add_export(), "export-unknown"
        async with ExportWatcher(client, not_found_timeout=math.inf) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as caught:
                await watcher.wait_all([running, bad, unknown, good], timeout=300)

        assert anyio.current_time() == 300
        assert list(caught.value.ended) == [bad, good]
        assert caught.value.pending == (running, unknown)
        assert isinstance(caught.value, TimeoutError)

    run_virtual(scenario)


@pytest.mark.parametrize("timeout", [5, 47, 300, 3601.5])
def test_the_last_poll_is_made_just_before_the_deadline(timeout: float) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=timeout - 2.25)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id, timeout)

    assert run_virtual(scenario).calls[-1].time == timeout - 2


def test_after_the_last_poll_before_the_deadline_there_is_none() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(virtual.add_export(), timeout=20)
            await anyio.sleep(1000)

    assert [call.time for call in run_virtual(scenario).calls] == [0, 10.5, 18]


def test_each_deadline_has_its_last_poll() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        ended: list[float] = []

        async def wait(timeout: float) -> None:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout)
            ended.append(anyio.current_time())

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for timeout in (10, 21, 25, 1):
                tasks.start_soon(wait, timeout)

        assert ended == [1, 10, 21, 25]

    times = [call.time for call in run_virtual(scenario).calls]
    assert {8, 19, 23} <= set(times)
    assert times[-1] == 23


def test_a_time_out_of_nothing_asks_and_waits_for_nothing() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=0)

        assert anyio.current_time() == 0

    run_virtual(scenario)


def test_a_cancelled_wait_does_no_harm_to_others() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        infos: list[Any] = []

        async def wait() -> None:
            infos.append(await watcher.wait(export_id))

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for delay in (0, 0.5, 3, 7):
                with anyio.move_on_after(delay):
                    await watcher.wait(export_id)

        assert len(infos) == 1

    run_virtual(scenario, latency=1)
