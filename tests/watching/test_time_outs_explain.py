"""A time-out says whether there was any answer, and comes after one more poll.

The places that are affected:

- a time-out without any answer: calls that fail, calls that hang,
- a process that was stopped when a last poll was due.
"""

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError
from support.virtual import VirtualService, fail_until, run_virtual, service_error

import aiodiscovery
from aiodiscovery import ExportWatcher
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

virtual_only = pytest.mark.usefixtures("longest_delays")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(exports=0, export_duration=None) as running:
        yield running


# Time-outs without an answer


@virtual_only
def test_a_time_out_says_since_when_calls_fail_and_how() -> None:
    error = EndpointConnectionError(endpoint_url="http://virtual.invalid")

    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        virtual.failing = lambda call: error if call.time > 30 else None
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as raised:
                await watcher.wait(export_id, timeout=100)
        message = str(raised.value)
        assert message.startswith(f"{export_id} has not ended within 100 s; calls have failed for ")
        assert "EndpointConnectionError" in message
        assert raised.value.__cause__ is error

    run_virtual(scenario)


@virtual_only
def test_a_time_out_says_that_nobody_has_answered() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError, match="has not answered yet"):
                await watcher.wait("export-1", timeout=100)

    run_virtual(scenario, latency=1000)


@virtual_only
def test_a_time_out_says_since_when_nobody_answers() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()

        async def wait(timeout: float, seconds: float) -> None:
            silence = f"the service has not answered for {seconds:.0f} s"
            with pytest.raises(aiodiscovery.ExportTimeoutError, match=silence):
                await watcher.wait(export_id, timeout)

        async with ExportWatcher(client) as watcher, anyio.create_task_group() as group:
            group.start_soon(wait, 1000, 989.5)
            await anyio.sleep(5)
            virtual.latency = math.inf
            await anyio.sleep(500)
            group.start_soon(wait, 100, 594.5)  # it never was answered, as far as this one knows

    run_virtual(scenario)


@virtual_only
def test_a_last_poll_that_is_under_way_is_no_silence() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as raised:
                await watcher.wait(export_id, timeout=100)
        assert str(raised.value) == f"{export_id} has not ended within 100 s"

    run_virtual(scenario, latency=3)


@virtual_only
def test_a_time_out_while_the_service_answers_says_nothing_of_that() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        virtual.failing = fail_until(10, service_error("ThrottlingException"))
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError) as raised:
                await watcher.wait(export_id, timeout=100)
        assert str(raised.value) == f"{export_id} has not ended within 100 s"
        assert raised.value.__cause__ is None

    run_virtual(scenario)


# A process that was stopped


@pytest.mark.anyio
async def test_a_process_that_was_stopped_looks_once_more(
    client: "Client", emulator: Emulator
) -> None:
    export_id = emulator.add_export(status="IN_PROGRESS", duration=None)

    async with ExportWatcher(client, min_delay=0.1) as watcher:
        updates = watcher.updates([export_id])

        async def stop() -> None:
            # Like SIGSTOP: nothing of the process runs until all deadlines are over.
            await anext(updates)
            emulator.finish_export(export_id)
            time.sleep(1.0)  # noqa: ASYNC251  # on purpose

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            found = await watcher.wait(export_id, timeout=0.5)
            assert found["exportStatus"] == "SUCCEEDED"


@pytest.mark.anyio
async def test_after_that_look_it_times_out_as_ever(client: "Client", emulator: Emulator) -> None:
    export_id = emulator.add_export(status="IN_PROGRESS", duration=None)

    async with ExportWatcher(client, min_delay=0.1) as watcher:
        updates = watcher.updates([export_id])

        async def stop() -> None:
            await anext(updates)
            time.sleep(1.0)  # noqa: ASYNC251  # on purpose

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=0.5)
