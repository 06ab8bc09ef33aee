"""``aiodiscovery download``: archives on disk, whatever interrupts it."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from support.command import Running, json_lines, run
from support.processes import has_size, wait_until

from aiodiscovery.emulator import Emulator

SIZE = 2_000_000

needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def archives() -> Iterator[Emulator]:
    with Emulator(exports=0, archive_size=SIZE) as emulator:
        yield emulator


def test_what_fails_keeps_none_of_the_others_back(archives: Emulator, tmp_path: Path) -> None:
    good, truncated = archives.add_export(status="SUCCEEDED"), archives.add_export()
    archives.finish_export(truncated, truncated=True)
    failed = archives.add_export(status="FAILED", message="The bucket is full.")

    done = run(
        archives,
        *("download", failed, "export-unknown", good, truncated, good),
        *("--to", str(tmp_path), "--output", "json"),
    )

    assert done.returncode == 1
    lines = {line["exportId"]: line for line in json_lines(done.stdout)}
    assert lines[good] == {
        "event": "downloaded",
        "exportId": good,
        "path": str(tmp_path / f"{good}.zip"),
        "size": len(archives.archive(good)),
        "isTruncated": False,
    }
    assert lines[truncated]["isTruncated"] is True
    assert lines[failed]["event"] == lines["export-unknown"]["event"] == "notDownloaded"
    assert "The bucket is full." in lines[failed]["reason"]
    assert {path.name for path in tmp_path.iterdir()} == {f"{good}.zip", f"{truncated}.zip"}
    assert done.stderr.count("Error: ") == 2
    assert f"Warning: export {truncated} is truncated: the service left data out" in done.stderr


def test_lines_say_how_far_it_is_and_where_it_went(archives: Emulator, tmp_path: Path) -> None:
    export_id = archives.add_export(status="SUCCEEDED")
    size = len(archives.archive(export_id))
    path = tmp_path / "mine.zip"

    done = run(archives, "download", export_id, "--to", str(path))

    assert (done.returncode, done.stdout) == (0, f"{export_id}  {size:,} bytes  {path}\n")
    progress = done.stderr.splitlines()
    assert progress[-1] == f"{export_id} {size:,} of {size:,} bytes"
    assert 2 <= len(progress) <= 11
    assert path.read_bytes() == archives.archive(export_id)


def test_one_that_is_killed_again_and_again_ends_with_the_right_bytes(
    archives: Emulator, tmp_path: Path
) -> None:
    export_id = archives.add_export(status="SUCCEEDED")
    part = tmp_path / f"{export_id}.zip.part"
    steps, reached = (300_000, 65_536, 1_000_000), 0
    for step in steps:
        archives.inject_stalled_download(step)
        reached += step
        with Running(archives, "download", export_id, "--to", str(tmp_path)) as command:
            wait_until(partial(has_size, part, reached), command.process)
            command.process.kill()

    assert run(archives, "download", export_id, "--to", str(tmp_path)).returncode == 0

    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == archives.archive(export_id)
    # No byte came twice.
    assert [download.range for download in archives.downloads] == [
        None,
        "bytes=300000-",
        "bytes=365536-",
        "bytes=1365536-",
    ]


@needs_signals
def test_ctrl_c_keeps_what_has_come(archives: Emulator, tmp_path: Path) -> None:
    export_id = archives.add_export(status="SUCCEEDED")
    archives.inject_stalled_download(SIZE // 2)

    with Running(archives, "download", export_id, "--to", str(tmp_path)) as command:
        wait_until(
            partial(has_size, tmp_path / f"{export_id}.zip.part", SIZE // 2), command.process
        )
        status = command.stop()

    assert (status, command.stdout) == (130, "")
    again = f"aiodiscovery download {export_id} --to {tmp_path}"
    assert command.stderr.splitlines()[-1] == (
        f"Interrupted. What has arrived is kept. To continue: {again}"
    )
    assert run(archives, *again.split()[1:]).returncode == 0
    assert (tmp_path / f"{export_id}.zip").read_bytes() == archives.archive(export_id)
    assert archives.downloads[-1].range == f"bytes={SIZE // 2}-"


@needs_terminals
def test_a_terminal_gets_a_bar_with_the_rate_and_the_time_left(
    archives: Emulator, tmp_path: Path
) -> None:
    export_id = archives.add_export(status="SUCCEEDED")
    archives.inject_stalled_download(SIZE // 2)

    with Running(archives, "download", export_id, "--to", str(tmp_path), terminal=True) as command:
        command.read_until("/2.1 MB", "━", "B/s", "0:00:0")

    assert "Signature=" not in command.stdout


@needs_terminals
def test_a_terminal_gets_the_path_in_one_line_and_what_went_wrong_before(
    archives: Emulator, tmp_path: Path
) -> None:
    export_id = archives.add_export()
    archives.finish_export(export_id, truncated=True)
    archives.inject_broken_download(SIZE // 2)

    with Running(archives, "download", export_id, "--to", str(tmp_path), terminal=True) as command:
        assert command.wait() == 0

    assert f"Warning: export {export_id}: the connection failed" in command.text
    size, path = len(archives.archive(export_id)), tmp_path / f"{export_id}.zip"
    # In one line, so that the path can be copied.
    assert (
        f"{export_id}: {size:,} bytes in {path} TRUNCATED: the service left data out"
        in command.text
    )
    assert "Signature=" not in command.stdout


def test_debug_shows_logs_and_no_signature(archives: Emulator, tmp_path: Path) -> None:
    export_id = archives.add_export(status="SUCCEEDED")

    done = run(archives, "download", export_id, "--to", str(tmp_path), "--debug")

    assert done.returncode == 0
    assert f"INFO httpx2: HTTP Request: GET {archives.endpoint_url}/archives/" in done.stderr
    assert "Signature=" not in done.stderr
