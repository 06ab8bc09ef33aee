"""Several downloads at once, and downloads that are cancelled."""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from support.downloads import (
    answers,
    leave_a_part,
    names,
)

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient


pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


# Several at once


async def test_downloads_of_the_same_export_at_once_make_one(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    results: list[aiodiscovery.DownloadedExport] = []

    async def download() -> None:
        results.append(await aiodiscovery.download_export(client, export_id, tmp_path))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(download)

    assert set(results) == {results[0]}
    assert results[0].path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]
    assert answers(emulator).count((None, 200)) == 1


async def test_a_download_that_waits_takes_over_where_the_other_one_stopped(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "aiodiscovery")
    emulator.inject_stalled_download(100_000)
    stalled = anyio.Event()

    def note(done: int, total: int | None) -> None:
        if done >= 100_000:
            stalled.set()

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def first() -> None:
            with scope:
                await aiodiscovery.download_export(client, export_id, tmp_path, progress=note)

        async def second() -> None:
            await aiodiscovery.download_export(client, export_id, tmp_path)

        tasks.start_soon(first)
        await stalled.wait()
        tasks.start_soon(second)
        while not any("already" in message for message in caplog.messages):
            await anyio.sleep(0.001)
        assert len(emulator.downloads) == 1
        scope.cancel()

    assert (tmp_path / f"{export_id}.zip").read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=100000-", 206)]


async def test_different_exports_do_not_wait_for_each_other(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    other_id = emulator.add_export(status="SUCCEEDED")
    emulator.inject_stalled_download(100_000)
    stalled = anyio.Event()

    async def first() -> None:
        await aiodiscovery.download_export(
            client,
            export_id,
            tmp_path,
            progress=lambda done, total: stalled.set() if done >= 100_000 else None,
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await stalled.wait()
        await aiodiscovery.download_export(client, other_id, tmp_path)
        tasks.cancel_scope.cancel()

    assert (tmp_path / f"{other_id}.zip").read_bytes() == emulator.archive(other_id)


async def test_where_locks_do_not_lock_all_end_with_the_right_bytes(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiodiscovery._exports.files._lock", lambda descriptor: None)
    path = tmp_path / f"{export_id}.zip"
    await leave_a_part(client, emulator, export_id, tmp_path, 50_000)
    emulator.inject_broken_download(20_000, calls=10)
    inodes: set[int] = set()

    async def download() -> None:
        await aiodiscovery.download_export(client, export_id, tmp_path)
        assert path.read_bytes() == archive
        inodes.add(path.stat().st_ino)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(download)

    assert path.read_bytes() == archive
    assert len(inodes) == 1
    assert path.stat().st_nlink == 1


# Cancellation


@pytest.mark.parametrize("calls", range(1, 12, 2))
async def test_a_download_may_be_cancelled_at_any_time(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    calls: int,
) -> None:
    left = [calls]

    def cancel(done: int, total: int | None) -> None:
        left[0] -= 1
        if not left[0]:
            scope.cancel()

    with anyio.CancelScope() as scope:
        await aiodiscovery.download_export(client, export_id, tmp_path, progress=cancel)

    assert left[0] > 0 or f"{export_id}.zip" not in names(tmp_path)
    done = await aiodiscovery.download_export(client, export_id, tmp_path)
    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]


async def test_a_wait_for_another_download_may_be_cancelled(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    emulator.inject_stalled_download(100_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(aiodiscovery.download_export, client, export_id, tmp_path)
        while not emulator.downloads:
            await anyio.sleep(0.001)
        with anyio.move_on_after(0.05) as scope:
            await aiodiscovery.download_export(client, export_id, tmp_path)
        assert scope.cancelled_caught
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("rounds", [1, 3, 10, 30, 60, 100, 150])
async def test_a_task_may_be_cancelled_as_asyncio_does_it(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    rounds: int,
) -> None:
    task = asyncio.create_task(aiodiscovery.download_export(client, export_id, tmp_path))
    for _ in range(rounds):
        await asyncio.sleep(0)
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait([task])

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]
