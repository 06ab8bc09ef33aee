"""Errors that pass: calls that fail for now are backed off from and waited out."""

import itertools
import logging
from typing import Any

import anyio
import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from support.virtual import VirtualService, fail_until, run_virtual, service_error

import aiodiscovery
from aiodiscovery import ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


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
    # 10, 20, 40 ... 300 seconds apart.
    assert len(virtual.calls) < 3600 / 300 + 10
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
    assert times[4] == pytest.approx(10.1)


def test_a_look_that_came_earlier_begins_the_delay_anew() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        first, second = virtual.add_export(duration=100), virtual.add_export(duration=0.5)
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, first)
            await anyio.sleep(1)
            # Its poll carries the first one along, which is due at 10.5.
            await watcher.wait(second)

    times = [call.time for call in run_virtual(scenario).calls]
    assert times[:3] == [0, 1, 11.5]


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
        virtual.failing = lambda call: error if call.time < 300 or 400 < call.time < 900 else None
        async with ExportWatcher(client) as watcher, anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.wait, virtual.add_export())
            await anyio.sleep(399)
            virtual.calls.clear()
            await watcher.wait(virtual.add_export(status="SUCCEEDED"))
            assert anyio.current_time() == 399  # there is no pause any more
            await anyio.sleep(600)
            tasks.cancel_scope.cancel()

    times = [call.time for call in run_virtual(scenario).calls if 400 < call.time < 900]
    delays = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert delays[:4] == [10, 20, 40, 80]
