"""What a user can check with a clock: how late an end is seen, and how often calls are made.

An end is seen within ten seconds, or within 1 % of the time that the export has run, whichever is
longer. There are never more than ten calls in any ten seconds.
"""

import dataclasses
import gc
import itertools
import random
import time
from bisect import bisect_left
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from typing import Any

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError
from support.virtual import (
    EPOCH,
    Call,
    VirtualService,
    fail_until,
    run_virtual,
    service_error,
)

import aiodiscovery
from aiodiscovery import BatchDeleteWatcher, ExportWatcher, ImportWatcher
from aiodiscovery.emulator import Emulator

DAY = 86_400.0


def most_in(seconds: float, calls: list[Call]) -> int:
    """Return the most calls in any span of that length."""
    times = [call.time for call in calls]
    return max(bisect_left(times, start + seconds) - index for index, start in enumerate(times))


DURATIONS: dict[str, Callable[[random.Random], float]] = {
    "log-normal": lambda chance: min(max(chance.lognormvariate(7, 0.8), 60), 21_600),
    "alike": lambda chance: chance.uniform(570, 630),
    "heavy": lambda chance: min(60 * chance.random() ** -1.25, 2 * DAY),
}


@pytest.mark.parametrize("spread", [0, 1200])
@pytest.mark.parametrize("count", [1, 30, 150])
@pytest.mark.parametrize("durations", DURATIONS)
def test_every_end_is_seen_in_time(durations: str, count: int, spread: float) -> None:
    chance = random.Random(f"{durations} {count} {spread}")
    late: list[float] = []

    async def scenario(client: Any, virtual: VirtualService) -> None:
        async def watch(start: float, duration: float) -> None:
            await anyio.sleep(start)
            await watcher.wait(virtual.add_export(duration))
            seen_after = anyio.current_time() - start - duration
            late.append(seen_after - max(10, duration / 100))

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(watch, chance.uniform(0, spread), DURATIONS[durations](chance))

    virtual = run_virtual(scenario, latency=0.1)
    assert len(late) == count
    assert max(late) <= 1
    assert most_in(10, virtual.calls) <= 10


@pytest.mark.parametrize("spread", [0, 600])
def test_more_exports_than_can_be_asked_for_in_time_share_the_calls_there_are(
    spread: float,
) -> None:
    chance = random.Random(7)
    seen: list[float] = []

    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(2500, duration=300)

        async def watch(export_id: str) -> None:
            await anyio.sleep(chance.uniform(0, spread))
            await watcher.wait(export_id)
            seen.append(anyio.current_time())

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for export_id in ids:
                tasks.start_soon(watch, export_id)

    virtual = run_virtual(scenario, latency=0.1)
    assert most_in(10, virtual.calls) == 10
    # Twenty-five calls a round take two and a half times ten seconds.
    assert max(seen) <= max(300, spread) + 32


def test_the_bound_of_calls_is_an_option() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client, max_rate=0.3) as watcher:
            await watcher.wait_all(virtual.add_exports(1000, duration=100))

    async def unbounded(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client, max_rate=None) as watcher:
            await watcher.wait_all(virtual.add_exports(2000, duration=100))

    assert most_in(10, run_virtual(scenario).calls) == 3
    assert most_in(10, run_virtual(unbounded).calls) == 20


def test_where_calls_are_short_young_exports_come_before_old_ones() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        old = virtual.add_exports(1000)
        await anyio.sleep(DAY / 4)
        young = virtual.add_exports(100)
        async with ExportWatcher(client, max_rate=0.1) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait_all([*old, *young], timeout=3600)

        # Without the first polls. Of an age of six hours 1 % is 216 s, 20 times ten seconds.
        asked = [export_id for call in virtual.calls[11:] for export_id in call.ids]
        for_young = sum(export_id in set(young) for export_id in asked) / len(young)
        for_old = sum(export_id in set(old) for export_id in asked) / len(old)
        assert for_young > 4 * for_old > 0

    run_virtual(scenario)


def test_five_hundred_tasks_that_begin_together_make_five_calls() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for export_id in virtual.add_exports(500):
                tasks.start_soon(watcher.wait, export_id)
            await anyio.sleep(9)
            tasks.cancel_scope.cancel()

    assert len(run_virtual(scenario).calls) == 5


# Age


def test_exports_of_yesterday_are_asked_for_each_five_minutes_from_the_start() -> None:
    assert len(looks_at_exports_of_yesterday(for_seconds=600)) <= 3


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "yesterday"},
        {"date": formatdate(EPOCH - 2 * DAY, usegmt=True)},
        {"date": "Sat, 32 Foo 2026 25:00:00 GMT"},
    ],
    ids=str,
)
def test_where_the_service_s_clocks_tell_no_age_it_counts_from_the_first_look(
    headers: dict[str, str],
) -> None:
    looks = looks_at_exports_of_yesterday(for_seconds=600, headers=headers)

    assert all(10 <= delay <= 10.5 for delay in delays(looks))
    later = looks_at_exports_of_yesterday(for_seconds=3000, headers=headers)
    assert 25 < delays(later)[-1] < 30


def test_the_age_is_the_one_on_the_service_s_clocks_whatever_ours_say() -> None:
    # 5,000 s old, by a clock that stands still.
    headers = {"date": formatdate(EPOCH + 5000, usegmt=True)}

    looks = looks_at_exports_of_yesterday(for_seconds=300, headers=headers, sleep=0)

    assert all(47 <= delay <= 53 for delay in delays(looks))


def test_an_age_that_was_told_is_not_forgotten_when_it_is_told_no_more() -> None:
    def forget_the_date(virtual: VirtualService, call: Call) -> None:
        if call.time > DAY:
            virtual.headers = {}

    looks = looks_at_exports_of_yesterday(for_seconds=3000, on_call=forget_the_date)

    assert all(285 <= delay <= 300 for delay in delays(looks))


def delays(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def looks_at_exports_of_yesterday(
    *,
    for_seconds: float,
    sleep: float = DAY,
    headers: dict[str, str] | None = None,
    on_call: Callable[[VirtualService, Call], None] = lambda virtual, call: None,
) -> list[float]:
    """Return when a hundred exports that are a day old are polled."""

    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.on_call = partial(on_call, virtual)
        ids = virtual.add_exports(100)
        await anyio.sleep(sleep)
        virtual.headers = headers
        async with ExportWatcher(client) as watcher:
            with anyio.move_on_after(for_seconds):
                await watcher.wait_all(ids)

    return [call.time for call in run_virtual(scenario).calls]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("watcher", "add", "end"),
    [
        (ImportWatcher, Emulator.add_import_task, "IMPORT_COMPLETE"),
        (BatchDeleteWatcher, Emulator.add_batch_delete_task, "COMPLETED"),
    ],
)
async def test_other_jobs_have_an_age_too(
    session: Any, anyio_backend: str, watcher: Any, add: Callable[[Emulator], str], end: str
) -> None:
    now = time.time() - 4000
    with Emulator(export_duration=None, clock=lambda: now) as emulator:
        task_id = add(emulator)
        async with (
            aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client,
            watcher(client, min_delay=0.01, relative_delay=0.5) as watching,
        ):
            begun = anyio.current_time()
            assert (await anext(watching.updates([task_id]))).job_id == task_id
            with anyio.move_on_after(0.5):
                await watching.wait(task_id)
            # A young one would have been polled many times.
            assert watching.statistics().calls <= 2
            next_call = watching.statistics().next_call
            assert next_call is None or next_call - begun > 100


# Statistics


def test_statistics_tell_how_a_watcher_is_doing() -> None:
    error = EndpointConnectionError(endpoint_url="virtual")

    async def scenario(client: Any, virtual: VirtualService) -> None:
        watcher = ExportWatcher(client, min_delay=10, max_delay=10)
        assert (watcher.statistics().calls, watcher.statistics().next_call) == (0, None)
        async with watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait_all, virtual.add_exports(250, duration=65))
            await anyio.sleep(25)
            statistics = watcher.statistics()
            assert (statistics.calls, statistics.failed_calls) == (9, 0)
            assert statistics.watched_jobs == 250
            assert (statistics.failing_since, statistics.last_error) == (None, None)
            assert statistics.next_call == 30

            virtual.failing = fail_until(45, error)
            await anyio.sleep(10)
            statistics = watcher.statistics()
            assert statistics.failed_calls == statistics.calls - 9 > 0
            assert statistics.failing_since == 30
            assert statistics.last_error is error
            assert "virtual" not in repr(statistics)

            await anyio.sleep(25)
            statistics = watcher.statistics()
            assert statistics.failing_since is None
            assert statistics.last_error is error

        statistics = watcher.statistics()
        assert (statistics.watched_jobs, statistics.next_call) == (0, None)
        assert statistics.calls == len(virtual.calls)

    run_virtual(scenario)


def test_statistics_do_not_count_what_was_left() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            updates = watcher.updates(virtual.add_exports(2))
            await anext(updates)
            assert watcher.statistics().watched_jobs == 2
            del updates
            gc.collect()
            assert watcher.statistics() == dataclasses.replace(
                watcher.statistics(), watched_jobs=0, next_call=None
            )

    run_virtual(scenario)


def test_when_the_next_call_is_due_counts_the_bound_in() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(2500)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait_all, ids)
            await anyio.sleep(1)
            assert watcher.statistics().next_call == pytest.approx(10.1)
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


# Failures


def test_after_failures_it_is_asked_again_after_any_part_of_a_bound_that_doubles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)

    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = fail_until(1000, service_error("ServerInternalErrorException", 500))
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(virtual.add_export(), timeout=500)

    times = [call.time for call in run_virtual(scenario).calls]
    assert delays(times)[:5] == [5, 10, 20, 40, 80]
    assert times[-1] == 498
