"""Errors that do not pass: they end the waits. Also crashes."""

from typing import Any

import anyio
import pytest
from botocore.exceptions import (
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    SSLError,
)
from support.virtual import VirtualService, collect, run_virtual, service_error

import aiodiscovery
from aiodiscovery import ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


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
    assert [refusal.__cause__ for refusal in caught] == [error, error]
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
            with pytest.raises(aiodiscovery.ExportTimeoutError, match=f"{old} has not ended"):
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
