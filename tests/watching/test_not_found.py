"""Exports that the service does not know."""

from typing import Any

import anyio
import pytest
from botocore.exceptions import (
    EndpointConnectionError,
)
from support.virtual import VirtualService, collect, fail_until, run_virtual

import aiodiscovery
from aiodiscovery import ExportUpdate, ExportWatcher

pytestmark = pytest.mark.usefixtures("longest_delays")


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
