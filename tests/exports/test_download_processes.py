"""Downloads in separate processes, which are killed."""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support import processes
from support.processes import Process, has_size, wait_until

from aiodiscovery.emulator import Emulator

pytest.importorskip("httpx2")

PROGRAM = Path(__file__).parents[1] / "support" / "download_in_process.py"
SIZE = 2_000_000

Start = Callable[[str, Emulator, str, Path], Process]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(archive_size=SIZE) as running:
        yield running


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes, none of which outlives the test."""
    with contextlib.ExitStack() as stack:

        def start(backend: str, emulator: Emulator, export_id: str, folder: Path) -> Process:
            command = (str(PROGRAM), backend, emulator.endpoint_url, export_id, str(folder))
            process = processes.start(*command)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def has_downloads(emulator: Emulator, count: int) -> bool:
    return len(emulator.downloads) >= count


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_download_that_is_killed_again_and_again_ends_with_the_right_bytes(
    backend: str, emulator: Emulator, start: Start, tmp_path: Path
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    part = tmp_path / f"{export_id}.zip.part"
    steps = [1, 300_000, 0, 65_536, 1_000_000]
    reached = 0
    for number, step in enumerate(steps, 1):
        emulator.inject_stalled_download(step)
        reached += step
        process = start(backend, emulator, export_id, tmp_path)
        wait_until(partial(has_downloads, emulator, number), process)
        wait_until(partial(has_size, part, reached), process)
        process.kill()
        process.wait()
        # At some moments the part has another name too, which the next process removes.
        names = {path.name for path in tmp_path.iterdir() if path.suffix[-1] != "~"}
        assert names == {part.name, f"{part.name}.json"}

    assert start(backend, emulator, export_id, tmp_path).wait() == 0

    assert (tmp_path / f"{export_id}.zip").read_bytes() == emulator.archive(export_id)
    assert [path.name for path in tmp_path.iterdir()] == [f"{export_id}.zip"]
    # No byte came twice.
    expected = [sum(steps[: number + 1]) for number in range(len(steps))]
    assert [download.range for download in emulator.downloads] == [
        None,
        *(f"bytes={size}-" for size in expected),
    ]


@pytest.mark.long
def test_a_download_that_is_killed_at_any_time_ends_with_the_right_bytes(
    emulator: Emulator, start: Start, tmp_path: Path
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    final = tmp_path / f"{export_id}.zip"
    for pause in (0.0, 0.001, 0.003, 0.01, 0.02, 0.04):
        asked = len(emulator.downloads)
        process = start("asyncio", emulator, export_id, tmp_path)
        # A download that finds all bytes on disk asks for none.
        while not has_downloads(emulator, asked + 1) and process.poll() is None:
            time.sleep(0.002)
        time.sleep(pause)
        process.kill()
        process.wait()
        assert not final.exists() or final.read_bytes() == emulator.archive(export_id)

    assert start("asyncio", emulator, export_id, tmp_path).wait() == 0

    assert final.read_bytes() == emulator.archive(export_id)
    assert list(tmp_path.iterdir()) == [final]


def test_a_process_that_waits_for_one_that_is_killed_takes_over(
    emulator: Emulator, start: Start, tmp_path: Path
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    part = tmp_path / f"{export_id}.zip.part"
    emulator.inject_stalled_download(500_000)
    first = start("asyncio", emulator, export_id, tmp_path)
    wait_until(partial(has_size, part, 500_000), first)
    second = start("trio", emulator, export_id, tmp_path)
    wait_until(lambda: len(emulator.requests) == 2, second)

    first.kill()

    assert second.wait() == 0
    assert (tmp_path / f"{export_id}.zip").read_bytes() == emulator.archive(export_id)
    assert [download.range for download in emulator.downloads] == [None, "bytes=500000-"]


def test_many_processes_at_once_end_with_the_right_bytes(
    emulator: Emulator, start: Start, tmp_path: Path
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")

    processes = [start("asyncio", emulator, export_id, tmp_path) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / f"{export_id}.zip").read_bytes() == emulator.archive(export_id)
    assert [path.name for path in tmp_path.iterdir()] == [f"{export_id}.zip"]
