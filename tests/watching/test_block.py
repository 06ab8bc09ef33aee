"""The block of a watcher, and the arguments that a watcher refuses."""

import math
from typing import Any

import anyio
import pytest
from support.virtual import VirtualService, collect, run_virtual

import aiodiscovery
from aiodiscovery import ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


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
        {"min_delay": 10**400},
        {"max_delay": 10**400},
        {"not_found_timeout": 10**400},
        {"relative_delay": 10**400},
        {"max_rate": 10**400},
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


@pytest.mark.parametrize("timeout", [-1, math.nan, "5", True, 10**400, -(10**400)])
def test_what_is_no_time_out_is_refused(timeout: Any) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        async with ExportWatcher(client) as watcher:
            with pytest.raises(ValueError, match="timeout must be"):
                await watcher.wait("export-1", timeout)

    run_virtual(scenario)
