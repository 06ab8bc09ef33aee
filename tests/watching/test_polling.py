"""Polling: which calls are made, when, and for which exports."""

import itertools
import math
import random
from typing import Any

import anyio
import pytest
import trio
from support.virtual import VirtualService, fail_until, run_virtual, service_error

from aiodiscovery import ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")

#: The longest delay after a poll of a young export, and the times of its polls.
ROUND = 10.5
ROUNDS = [ROUND * number for number in range(1, 100)]


def test_one_export_is_polled_after_a_hundredth_of_its_age_within_bounds() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            await watcher.wait(virtual.add_export(duration=50_000))

    times = [call.time for call in run_virtual(scenario).calls]
    assert times[:4] == [0, *ROUNDS[:3]]
    for time, following in itertools.pairwise(times):
        assert following - time == pytest.approx(min(max(ROUND, time / 100), 300), abs=0.02)


def test_a_thousand_exports_cost_ten_calls_a_round() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(1000, duration=500)
        async with ExportWatcher(client) as watcher:
            await watcher.wait_all(ids)

    virtual = run_virtual(scenario)
    assert all(len(call.ids) == 100 for call in virtual.calls)
    assert [call.time for call in virtual.calls[::10]] == [0, *ROUNDS[:48]]
    assert virtual.most_at_once == 4


@pytest.mark.parametrize("limit", [1, 4, 10])
def test_no_more_calls_than_allowed_run_at_once(limit: int) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(1000, duration=5)
        async with ExportWatcher(client, max_concurrency=limit) as watcher:
            await watcher.wait_all(ids)

    assert run_virtual(scenario, latency=0.1).most_at_once == limit


def test_five_hundred_tasks_that_wait_for_one_export_cost_one_call_a_round() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for _ in range(500):
                tasks.start_soon(watcher.wait, export_id)

    assert [call.time for call in run_virtual(scenario).calls] == [0, *ROUNDS[:10]]


def test_a_hundred_tasks_that_wait_for_one_export_each_cost_one_call_a_round() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for export_id in virtual.add_exports(100, duration=100):
                tasks.start_soon(watcher.wait, export_id)

    assert [call.time for call in run_virtual(scenario).calls] == [0, *ROUNDS[:10]]


def test_exports_of_one_call_stay_together_whatever_the_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "random", random.Random(7).random)

    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(300, duration=3600)
        async with ExportWatcher(client) as watcher:
            await watcher.wait_all(ids)

    assert {len(call.ids) for call in run_virtual(scenario).calls} == {100}


def test_a_new_export_is_polled_at_once_and_takes_others_along() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        old = virtual.add_exports(50, duration=1000)
        new = virtual.add_export(duration=0)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait_all, old)
            await anyio.sleep(300)
            virtual.calls.clear()
            await watcher.wait(new)
            tasks.cancel_scope.cancel()

    calls = run_virtual(scenario).calls
    assert [(call.time, len(call.ids)) for call in calls] == [(300, 51)]


def test_a_task_that_comes_later_has_its_export_polled_at_once() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=1000)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, export_id)
            await anyio.sleep(1100)
            virtual.calls.clear()
            await watcher.wait(export_id)

        assert anyio.current_time() == 1100

    assert len(run_virtual(scenario).calls) == 1


def test_an_export_that_nobody_waits_for_any_more_is_not_polled() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        kept, left = virtual.add_export(duration=1000), virtual.add_export()
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, kept)
            with anyio.move_on_after(100):
                await watcher.wait(left)
            virtual.calls.clear()

        assert {call.ids for call in virtual.calls} == {(kept,)}

    run_virtual(scenario)


def test_waiting_again_and_again_polls_no_more_often() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            for _ in range(60):
                with anyio.move_on_after(0.5):
                    await watcher.wait(export_id)

    calls = run_virtual(scenario, latency=0.1).calls
    assert len(calls) <= 30 / 10 + 1


def test_a_wait_that_was_given_up_changes_nothing_for_the_others() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, export_id)
            await anyio.sleep(22)
            for timeout in (7, 15, 25):
                with anyio.move_on_after(0.1):
                    await watcher.wait(export_id, timeout)

    assert [call.time for call in run_virtual(scenario).calls] == [0, *ROUNDS[:10]]


def test_during_a_pause_a_wait_that_is_short_is_polled_for_at_once() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(status="SUCCEEDED")
        virtual.failing = fail_until(1000, service_error("ServerInternalErrorException", 500))
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, virtual.add_export())
            await anyio.sleep(1001)
            await watcher.wait(export_id, timeout=1.9)
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


@pytest.mark.parametrize("before", ["nothing", "cancelled", "ended"])
def test_a_watcher_with_nothing_to_watch_does_not_wake(before: str) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            if before == "cancelled":
                with anyio.move_on_after(10):
                    await watcher.wait(virtual.add_export())
            elif before == "ended":
                await watcher.wait(virtual.add_export(duration=10))
            await trio.testing.wait_all_tasks_blocked()
            calls = len(virtual.calls)

            assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf
            await anyio.sleep(3600)
            assert len(virtual.calls) == calls

    run_virtual(scenario)


@pytest.mark.parametrize("seed", range(2))
def test_the_calls_never_exceed_what_the_schedules_alone_would_make(seed: int) -> None:
    chance = random.Random(seed)

    def count_calls(*plans: tuple[float, float]) -> int:
        async def scenario(client: Any, virtual: VirtualService) -> None:
            async def watch(start: float, duration: float) -> None:
                await anyio.sleep(start)
                await watcher.wait(virtual.add_export(duration=duration))

            async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
                for plan in plans:
                    tasks.start_soon(watch, *plan)

        return len(run_virtual(scenario).calls)

    plans = [(chance.uniform(0, 600), chance.expovariate(1 / 600)) for _ in range(30)]

    assert count_calls(*plans) < sum(count_calls(plan) for plan in plans) / 3
