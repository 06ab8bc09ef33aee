"""The watcher on a virtual clock: what each wait gets, and which calls are made for it."""

import gc
import itertools
import logging
import math
import pickle
import random
from contextlib import aclosing
from typing import Any

import anyio
import pytest
import trio
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from support.virtual import VirtualService, run_virtual

import aiodiscovery
from aiodiscovery import ExportUpdate, ExportWatcher


@pytest.fixture(autouse=True)
def longest_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jitter always draw the longest delay, so that times can be told in advance."""
    monkeypatch.setattr(random, "random", lambda: 1.0)


async def collect(updates: Any, into: list[ExportUpdate]) -> None:
    async for update in updates:
        into.append(update)  # noqa: PERF401  # each as it comes


def service_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "DescribeExportTasks",
    )


def fail_until(time: float, error: Exception) -> Any:
    return lambda call: error if call.time < time else None


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


# updates


def test_updates_give_the_first_status_and_every_change_and_end() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good, bad = virtual.add_export(30), virtual.add_export(50, fail_with="no")
        held = virtual.add_export(status="ON_HOLD")
        came: list[ExportUpdate] = []
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(collect, watcher.updates([good, bad, held]), came)
            await anyio.sleep(1000)
            virtual.service.set_export_status(held, "SUCCEEDED")

        assert {(each.export_id, each.previous_status, each.status) for each in came} == {
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
        async with ExportWatcher(client, max_delay=4) as watcher:
            updates = watcher.updates([export_id, other])
            first = {(await anext(updates)).status, (await anext(updates)).status}
            for status in ("ON_HOLD", "RESTARTED", "SUCCEEDED"):
                virtual.service.set_export_status(export_id, status)
                await anyio.sleep(10)
            rest = [update async for update in updates]

        assert first == {"IN_PROGRESS"}
        assert {(each.export_id, each.previous_status, each.status) for each in rest} == {
            (export_id, "IN_PROGRESS", "SUCCEEDED"),
            (other, "IN_PROGRESS", "SUCCEEDED"),
        }

    run_virtual(scenario)


def test_a_change_that_was_taken_back_unseen_is_none() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(status="ON_HOLD")
        async with ExportWatcher(client, max_delay=4) as watcher:
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


# Time-outs


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

    assert [call.time for call in run_virtual(scenario).calls] == [0, 2, 6, 14, 18]


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


# Exports that the service does not know


def test_an_export_that_stays_unknown_is_not_found_in_the_end() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportNotFoundError, match="export-x") as caught:
                await watcher.wait("export-x")

        assert caught.value.export_ids == ("export-x",)
        assert anyio.current_time() == 60

    run_virtual(scenario)


def test_an_export_that_is_missing_for_a_moment_is_waited_for() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100, visibility_delay=50)
        async with ExportWatcher(client) as watcher:
            assert (await watcher.wait(export_id))["exportStatus"] == "SUCCEEDED"

    run_virtual(scenario)


def test_a_time_without_answers_does_not_count_as_not_found() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = fail_until(1000, EndpointConnectionError(endpoint_url="virtual"))
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportNotFoundError):
                await watcher.wait("export-x")

        assert anyio.current_time() >= 1060

    run_virtual(scenario)


def test_a_time_out_goes_before_what_was_not_found() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        running = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as caught:
                await watcher.wait_all([running, "export-x"], timeout=100)

        assert caught.value.pending == (running, "export-x")

    run_virtual(scenario)


def test_wait_all_waits_for_the_others_before_it_says_what_was_not_found() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good = virtual.add_export(duration=500)
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportNotFoundError) as caught:
                await watcher.wait_all(["export-x", good])

        assert caught.value.export_ids == ("export-x",)
        assert list(caught.value.ended) == [good]

    run_virtual(scenario)


def test_updates_say_what_was_not_found_and_go_on() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        good = virtual.add_export(duration=500)
        came: list[ExportUpdate] = []
        async with ExportWatcher(client) as watcher:
            updates = watcher.updates(["export-x", good])
            with pytest.raises(aiodiscovery.ExportNotFoundError):
                await collect(updates, came)
            await collect(updates, came)

        assert [update.status for update in came] == ["IN_PROGRESS", "SUCCEEDED"]

    run_virtual(scenario)


# How it polls


def test_one_export_is_polled_by_smithys_rule() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            await watcher.wait(virtual.add_export(duration=500))

    times = [call.time for call in run_virtual(scenario).calls]
    assert times == [0, 2, 6, 14, 30, 62, 126, 246, 366, 486, 606]


def test_a_thousand_exports_cost_ten_calls_a_round() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(1000, duration=500)
        async with ExportWatcher(client) as watcher:
            await watcher.wait_all(ids)

    virtual = run_virtual(scenario)
    assert all(len(call.ids) == 100 for call in virtual.calls)
    assert len(virtual.calls) == 10 * 11
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

    assert [call.time for call in run_virtual(scenario).calls] == [0, 2, 6, 14, 30, 62, 126]


def test_a_hundred_tasks_that_wait_for_one_export_each_cost_one_call_a_round() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            for export_id in virtual.add_exports(100, duration=100):
                tasks.start_soon(watcher.wait, export_id)

    assert [call.time for call in run_virtual(scenario).calls] == [0, 2, 6, 14, 30, 62, 126]


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
    assert len(calls) <= 30 / 2 + 1


def test_a_wait_that_was_given_up_changes_nothing_for_the_others() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, export_id)
            await anyio.sleep(31)
            for timeout in (7, 15, 25):
                with anyio.move_on_after(0.1):
                    await watcher.wait(export_id, timeout)

    assert [call.time for call in run_virtual(scenario).calls] == [0, 2, 6, 14, 30, 62, 126]


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

    plans = [(chance.uniform(0, 600), chance.expovariate(1 / 600)) for _ in range(120)]

    assert count_calls(*plans) < sum(count_calls(plan) for plan in plans) / 3


# What passes


@pytest.mark.parametrize(
    "error",
    [
        service_error("ThrottlingException"),
        service_error("RequestLimitExceeded"),
        service_error("Whatever", 429),
        service_error("ServerInternalErrorException", 500),
        service_error("ServiceUnavailable", 503),
        EndpointConnectionError(endpoint_url="virtual"),
        ConnectTimeoutError(endpoint_url="virtual"),
        ReadTimeoutError(endpoint_url="virtual"),
        SSLError(endpoint_url="virtual", error=OSError("EOF occurred in violation")),
        CredentialRetrievalError(provider="sso", error_msg="secret"),
        aiodiscovery.PaginationLoopError(message="loop"),
        ResponseParserError("garbage"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_is_logged_and_waited_out(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "aiodiscovery")

    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = fail_until(3600, error)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    virtual = run_virtual(scenario)
    # 2, 4, 8 ... 120 seconds apart.
    assert len(virtual.calls) < 3600 / 120 + 10
    assert caplog.messages[0].startswith("asking for 1 exports failed, trying again: ")
    assert "secret" not in caplog.text


def test_while_calls_fail_one_at_a_time_finds_out_whether_that_is_over() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(1000, duration=100)
        virtual.failing = fail_until(1000, service_error("ThrottlingException"))
        async with ExportWatcher(client) as watcher:
            await watcher.wait_all(ids)

    calls = run_virtual(scenario, latency=0.1).calls
    during = [call.time for call in calls if 1 < call.time < 1000]
    assert len(during) == len({round(time) for time in during}) < 20
    assert len([call for call in calls if call.time >= 1000]) == 10


def test_during_an_outage_each_wait_has_its_own_deadline() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=10)
        virtual.failing = fail_until(1000, service_error("ThrottlingException"))
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=500)
            assert anyio.current_time() == 500
            assert virtual.calls[-1].time == 498
            await watcher.wait(export_id, timeout=700)

    run_virtual(scenario)


def test_a_poll_just_before_the_deadline_finds_out_that_an_outage_is_over() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=10)
        virtual.failing = fail_until(997, service_error("ThrottlingException"))
        async with ExportWatcher(client, max_delay=3600) as watcher:
            await watcher.wait(export_id, timeout=1000)

        assert anyio.current_time() == 998

    run_virtual(scenario)


@pytest.mark.parametrize("count", [2, 20, 100, 400])
def test_an_export_for_which_calls_always_fail_does_not_keep_the_others_from_their_ends(
    count: int,
) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(count, duration=100)
        poisoned = ids[count // 2]
        virtual.failing = lambda call: (
            service_error("ServerInternalErrorException", 500) if poisoned in call.ids else None
        )
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as caught:
                await watcher.wait_all(ids, timeout=1800)

        assert caught.value.pending == (poisoned,)

    assert len(run_virtual(scenario).calls) < 100 + count


def test_an_export_for_which_calls_failed_shares_them_again_once_they_succeed() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(50)
        virtual.failing = lambda call: (
            service_error("ServerInternalErrorException", 500)
            if ids[25] in call.ids and call.time < 1000
            else None
        )
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait_all(ids, timeout=4000)

    calls = run_virtual(scenario).calls
    assert all(len(call.ids) == 50 for call in calls if call.time > 2000)


def test_calls_that_fail_at_the_same_time_are_backed_off_from_once() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(400, duration=100)
        virtual.failing = fail_until(1, service_error("ThrottlingException"))
        async with ExportWatcher(client) as watcher:
            await watcher.wait_all(ids)

    times = [call.time for call in run_virtual(scenario, latency=0.1).calls]
    assert times[:4] == [0, 0, 0, 0]
    assert times[4] == pytest.approx(2.1)


def test_a_look_that_came_earlier_does_not_lengthen_the_delay() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        first, second = virtual.add_export(duration=100), virtual.add_export(duration=0.5)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, first)
            await anyio.sleep(1)
            # Its poll carries the first one along, which is due at 2.
            await watcher.wait(second)

    times = [call.time for call in run_virtual(scenario).calls]
    assert times[:3] == [0, 1, 3]


def test_an_export_for_which_calls_always_fail_does_not_hold_up_new_ones() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        poisoned = virtual.add_export()
        virtual.failing = lambda call: (
            service_error("ServerInternalErrorException", 500) if poisoned in call.ids else None
        )
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, poisoned)
            await anyio.sleep(3000)
            new = [virtual.add_export(status="SUCCEEDED") for _ in range(20)]
            with anyio.fail_after(121):
                await watcher.wait_all(new)
            tasks.cancel_scope.cancel()

    run_virtual(scenario)


def test_calls_that_fail_for_a_known_reason_are_not_made_smaller() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ids = virtual.add_exports(300, duration=0)
        virtual.failing = fail_until(500, service_error("ThrottlingException"))
        async with ExportWatcher(client) as watcher:
            await watcher.wait_all(ids)

    calls = run_virtual(scenario).calls
    assert [len(call.ids) for call in calls if call.time >= 500] == [100, 100, 100]


def test_after_an_outage_another_one_is_backed_off_from_anew() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        error = service_error("ServerInternalErrorException", 500)
        virtual.failing = lambda call: error if call.time < 300 or 400 < call.time < 600 else None
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, virtual.add_export())
            await anyio.sleep(399)
            virtual.calls.clear()
            await watcher.wait(virtual.add_export(status="SUCCEEDED"))
            assert anyio.current_time() == 399  # there is no pause any more
            await anyio.sleep(300)
            tasks.cancel_scope.cancel()

    times = [call.time for call in run_virtual(scenario).calls if 400 < call.time < 600]
    delays = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert delays[:4] == [2, 4, 8, 16]


# What does not pass


@pytest.mark.parametrize(
    "error",
    [
        service_error("AuthorizationErrorException"),
        service_error("HomeRegionNotSetException"),
        service_error("InvalidParameterValueException"),
        service_error("ExpiredTokenException"),
        NoCredentialsError(),
        ParamValidationError(report="wrong"),
        SSLError(endpoint_url="virtual", error=OSError("[SSL: CERTIFICATE_VERIFY_FAILED]")),
        HTTPClientError(error=RuntimeError("Session is closed")),
        HTTPClientError(error=FileNotFoundError("of the CA bundle")),
    ],
    ids=lambda error: str(error)[-40:],
)
def test_what_cannot_get_better_is_raised_in_every_task_that_waits(error: Exception) -> None:
    caught: list[aiodiscovery.PollingError] = []

    async def scenario(client: Any, virtual: VirtualService) -> None:
        first, second = virtual.add_export(), virtual.add_export()

        async def wait(export_id: str) -> None:
            with pytest.raises(aiodiscovery.PollingError) as raised:
                await watcher.wait(export_id)
            caught.append(raised.value)

        async def iterate(export_id: str) -> None:
            with pytest.raises(aiodiscovery.PollingError) as raised:
                await collect(watcher.updates([export_id]), [])
            caught.append(raised.value)

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(wait, first)
            tasks.start_soon(iterate, second)
            await anyio.sleep(5)
            virtual.failing = lambda call: error

    run_virtual(scenario)
    assert [each.__cause__ for each in caught] == [error, error]
    assert caught[0] is not caught[1]


def test_such_an_error_of_an_old_call_does_not_end_waits_that_began_later() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        old, new = virtual.add_export(), virtual.add_export(duration=20)
        virtual.failing = lambda call: (
            service_error("AuthorizationErrorException") if call.time == 0 else None
        )

        async def wait() -> None:
            with pytest.raises(aiodiscovery.PollingError):
                await watcher.wait(old)

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(1)
            with pytest.raises(aiodiscovery.ExportTimeoutError, match=f"export {old} not ended"):
                await watcher.wait_all([new, old], timeout=100)

    run_virtual(scenario, latency=3)


def test_after_such_an_error_the_watcher_can_be_used_further() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=10)
        virtual.failing = lambda call: service_error("AuthorizationErrorException")
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError):
                await watcher.wait(export_id)
            virtual.failing = lambda call: None
            await watcher.wait(export_id)

    run_virtual(scenario)


def test_a_crash_in_the_poller_reaches_the_tasks_that_wait_and_the_block() -> None:
    crash = ZeroDivisionError("crash")
    outside: list[BaseException] = []

    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: crash

        async def wait(watcher: ExportWatcher) -> None:
            with pytest.raises(aiodiscovery.PollingError) as caught:
                await watcher.wait("export-1")
            outside.append(caught.value)

        async with anyio.create_task_group() as tasks, ExportWatcher(client) as watcher:
            tasks.start_soon(wait, watcher)
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        run_virtual(scenario)
    assert caught.value.exceptions == (crash,)  # the group is that of the test's own tasks
    assert outside[0].__cause__ is crash


def test_after_a_crash_no_wait_begins_and_none_hangs() -> None:
    crash = ZeroDivisionError("crash")

    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: crash if call.time == 0 else None
        async with ExportWatcher(client) as watcher:
            with anyio.CancelScope(shield=True):
                for _ in range(2):
                    with pytest.raises(aiodiscovery.PollingError) as caught:
                        await watcher.wait(virtual.add_export())
                    assert caught.value.__cause__ is crash

    with pytest.raises(ZeroDivisionError):
        run_virtual(scenario)


# The block


def test_leaving_the_block_ends_every_wait() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        ended: list[str] = []

        async def wait(watcher: ExportWatcher) -> None:
            with pytest.raises(aiodiscovery.WatcherClosedError, match="was left"):
                await watcher.wait("export-1")
            ended.append("wait")

        async def iterate(watcher: ExportWatcher) -> None:
            with pytest.raises(aiodiscovery.WatcherClosedError, match="was left"):
                await collect(watcher.updates(["export-2"]), [])
            ended.append("updates")

        async with anyio.create_task_group() as tasks:
            async with ExportWatcher(client) as watcher:
                tasks.start_soon(wait, watcher)
                tasks.start_soon(iterate, watcher)
                await anyio.sleep(1)
            assert anyio.current_time() == 1

        assert sorted(ended) == ["updates", "wait"]

    run_virtual(scenario, latency=5)


@pytest.mark.parametrize(
    "error", [KeyError("mine"), KeyboardInterrupt(), ExceptionGroup("", [OSError()])]
)
def test_an_exception_from_the_block_leaves_it_as_it_is(error: BaseException) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        with pytest.raises(type(error)) as caught:
            async with ExportWatcher(client) as watcher:
                with anyio.move_on_after(1):
                    await watcher.wait(virtual.add_export())
                raise error
        assert caught.value is error

    run_virtual(scenario)


def test_a_cancellation_does_not_take_the_place_of_the_block_s_exception() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        with pytest.raises(ZeroDivisionError), anyio.CancelScope() as scope:
            async with ExportWatcher(client):
                scope.cancel()
                raise ZeroDivisionError

    run_virtual(scenario)


def test_a_cancelled_block_is_left_at_once() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        with anyio.move_on_after(10) as scope:
            async with ExportWatcher(client) as watcher:
                await watcher.wait(virtual.add_export())

        assert scope.cancelled_caught
        assert anyio.current_time() == 10

    run_virtual(scenario, latency=3)


def test_outside_its_block_a_watcher_is_not_open() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        watcher = ExportWatcher(client)
        with pytest.raises(aiodiscovery.WatcherClosedError, match="inside `async with`"):
            await watcher.wait("export-1")
        async with watcher:
            updates = watcher.updates(["export-1"])
        with pytest.raises(aiodiscovery.WatcherClosedError, match="inside `async with`"):
            await watcher.wait_all(["export-1"])
        with pytest.raises(aiodiscovery.WatcherClosedError, match="inside `async with`"):
            await anext(updates)
        with pytest.raises(RuntimeError, match="a watcher can be entered only once"):
            await watcher.__aenter__()

    assert run_virtual(scenario).calls == []


# What is refused


@pytest.mark.parametrize(
    "options",
    [
        {"min_delay": 0},
        {"min_delay": -1},
        {"min_delay": 5, "max_delay": 4},
        {"max_delay": math.inf},
        {"min_delay": math.nan},
        {"min_delay": "2"},
        {"min_delay": True},
        {"max_concurrency": 0},
        {"max_concurrency": 1.5},
        {"max_concurrency": True},
        {"not_found_timeout": -1},
        {"not_found_timeout": None},
    ],
)
def test_numbers_out_of_their_range_are_refused(options: Any) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        with pytest.raises(ValueError, match=next(iter(options))):
            ExportWatcher(client, **options)

    run_virtual(scenario)


@pytest.mark.parametrize("export_id", ["", "export 1", "export-1\n", "x" * 201, 7, None])
def test_what_is_no_export_id_is_refused(export_id: Any) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(ValueError, match="export ids are strings"):
                await watcher.wait(export_id)

    assert run_virtual(scenario).calls == []


def test_one_string_is_not_several_ids() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(ValueError, match="must be several, not one str"):
                await watcher.wait_all("export-1")

    run_virtual(scenario)


@pytest.mark.parametrize("timeout", [-1, math.nan, "5", True])
def test_what_is_no_time_out_is_refused(timeout: Any) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(ValueError, match="timeout must be"):
                await watcher.wait("export-1", timeout)

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
