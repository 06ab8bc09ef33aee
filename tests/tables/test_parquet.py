"""Writing Parquet: each file whole or not at all, once, and with its true origin."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.export_archives import (
    ACCOUNT,
    AGENT,
    HEADERS,
    RESULTS,
    agent_archive,
    csv_bytes,
    write_zip,
)

pa = pytest.importorskip("pyarrow")

import pyarrow.parquet as pq  # noqa: E402

from aiodiscovery.tables import ArchiveError, open_archive, write_parquet  # noqa: E402

CONNECTION = [
    *(ACCOUNT, AGENT, "10.0.0.1", "50000", "10.0.0.2", "443", "IPv4", "TCP", "1234"),
    "2026-01-05 00:00:00",
]
TABLES = 6


def connections(path: Path, *rows: list[str], **options: Any) -> Path:
    data = csv_bytes(HEADERS["sourceProcessConnection"], rows)
    return agent_archive(path, {"sourceProcessConnection": data}, **options)


def file_of(directory: Path, table: str = "outbound_connection_agent") -> Path:
    (path,) = (directory / table).iterdir()
    return path


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    """Return the existing files, with what would change if one was written."""
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "tables"


def test_there_is_a_file_of_each_archive_and_table(tmp_path: Path, directory: Path) -> None:
    folder = tmp_path / "archives"
    (folder / "deep").mkdir(parents=True)
    connections(folder / "export-1.zip", CONNECTION)
    connections(folder / "deep" / "export-2.ZIP", CONNECTION, CONNECTION)
    (folder / "export-3.zip.part").write_bytes(b"half")
    other = connections(tmp_path / "export-4.zip", *[CONNECTION] * 3)

    files = write_parquet([folder, other, str(other)], directory)

    assert len(files) == 3 * TABLES
    assert all(file.written and file.path.is_file() for file in files)
    assert sorted(file.rows for file in files if file.rows) == [1, 2, 3]
    assert {file.path.parent for file in files} == {directory / file.table for file in files}
    assert all(file.path.name.startswith(f"{file.archive.stem}-") for file in files)
    assert pq.read_table(directory / "outbound_connection_agent").num_rows == 6


def test_what_is_in_a_file_is_what_read_returns(tmp_path: Path, directory: Path) -> None:
    odd = [*CONNECTION[:3], "http", *CONNECTION[4:]]
    path = connections(tmp_path / "export-1.zip", *[CONNECTION] * 50_000, odd, CONNECTION)

    write_parquet(path, directory)

    with open_archive(path) as archive:
        for name in archive.tables:
            assert pq.read_table(file_of(directory, name)) == archive.read(name)
        assert "source_port_text" in archive.read("outbound_connection_agent").column_names


def test_what_does_not_fit_is_counted_once(
    tmp_path: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = [*CONNECTION[:3], "http", *CONNECTION[4:]]
    path = connections(tmp_path / "export-1.zip", *[odd, CONNECTION] * 30_000)

    write_parquet(path, directory)

    (message,) = [record.getMessage() for record in caplog.records]
    assert "30000 value(s) of source_port are not valid as integer" in message


def test_a_second_run_leaves_alone_what_is_there(tmp_path: Path, directory: Path) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    first = write_parquet(path, directory)
    before = snapshot(directory)
    os.utime(path)

    second = write_parquet(path, directory)

    assert snapshot(directory) == before
    assert not any(file.written for file in second)
    assert [(file.path, file.rows) for file in second] == [(file.path, file.rows) for file in first]


def test_a_second_run_writes_what_is_missing(tmp_path: Path, directory: Path) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    write_parquet(path, directory)
    file_of(directory).unlink()

    files = write_parquet(path, directory)

    assert [file.table for file in files if file.written] == ["outbound_connection_agent"]


def test_the_same_bytes_under_another_name_are_no_more_rows(
    tmp_path: Path, directory: Path
) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    copy = shutil.copy(path, tmp_path / "copy.zip")

    write_parquet([path, copy], directory)
    write_parquet(copy, directory)

    assert pq.read_table(directory / "outbound_connection_agent").num_rows == 1


def test_archives_of_the_same_name_are_all_there(tmp_path: Path, directory: Path) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        connections(tmp_path / str(number) / "export.zip", *[CONNECTION] * number)

    write_parquet([tmp_path / "1", tmp_path / "2"], directory)

    assert pq.read_table(directory / "outbound_connection_agent").num_rows == 3


@pytest.mark.parametrize("name", [".hidden", "_hidden", "...", "é" * 120, "a=b", "*"])
def test_a_name_of_an_archive_hides_no_file(tmp_path: Path, directory: Path, name: str) -> None:
    path = connections(tmp_path / f"{name}.zip", CONNECTION)

    write_parquet(path, directory)
    (again, *_) = write_parquet(path, directory)

    assert not again.written
    assert pq.read_table(directory / "outbound_connection_agent").num_rows == 1


def test_a_file_that_is_damaged_is_replaced(tmp_path: Path, directory: Path) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    write_parquet(path, directory)
    file_of(directory).write_bytes(b"PAR1")

    write_parquet(path, directory)

    assert pq.read_table(file_of(directory)).num_rows == 1


def test_nothing_but_a_file_is_replaced(tmp_path: Path, directory: Path) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    write_parquet(path, directory)
    target = file_of(directory)
    target.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    target.symlink_to(elsewhere)

    with pytest.raises(FileExistsError):
        write_parquet(path, directory)

    assert elsewhere.read_bytes() == b"mine"
    assert list(target.parent.iterdir()) == [target]


def test_the_metadata_say_where_a_file_came_from(tmp_path: Path, directory: Path) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)

    write_parquet(path, directory)

    found = pq.read_metadata(file_of(directory)).metadata or {}
    told = {
        key.decode().removeprefix("aiodiscovery."): value.decode()
        for key, value in found.items()
        if key.startswith(b"aiodiscovery.")
    }
    digest = told.pop("sha256")
    assert digest[:16] in file_of(directory).name
    assert told == {
        "format": "1",
        "archive": "export-1.zip",
        "kind": "agent",
        "member": f"{ACCOUNT}_sourceProcessConnection.csv",
        "export_id": "export-1",
        "account_number": ACCOUNT,
        "agent_id": AGENT,
        "requested_start": "2026-01-05T00:00:00+00:00",
        "requested_end": "2026-01-08T00:00:00+00:00",
        "actual_start": "2026-01-05T00:15:00+00:00",
        "actual_end": "2026-01-07T23:45:00+00:00",
        "truncated": "false",
        "status": "SUCCEEDED",
    }


def test_a_truncated_export_and_an_unknown_file_are_logged(
    tmp_path: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    results = RESULTS | {"ExportSummary": {"isTruncated": True}}
    agent_archive(tmp_path / "export-1.zip", {"other": b"a,b"}, results)

    write_parquet(tmp_path / "export-1.zip", directory)

    unknown, truncated = [record.getMessage() for record in caplog.records]
    assert "is truncated" in truncated
    assert f"{ACCOUNT}_other.csv" in unknown


def test_progress_goes_from_nothing_to_all_bytes(tmp_path: Path, directory: Path) -> None:
    paths = [
        connections(tmp_path / f"export-{number}.zip", *[CONNECTION] * 30_000 * number)
        for number in (1, 2)
    ]
    total = sum(path.stat().st_size for path in paths)
    calls: list[tuple[int, int]] = []

    write_parquet(paths, directory, progress=lambda done, of: calls.append((done, of)))

    done = [done for done, _ in calls]
    assert {of for _, of in calls} == {total}
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, total)
    assert len(set(done)) > 4


def test_a_bad_archive_keeps_no_other_from_being_written(tmp_path: Path, directory: Path) -> None:
    connections(tmp_path / "a.zip", ["1"])
    (tmp_path / "b.zip").write_bytes(b"no zip")
    connections(tmp_path / "c.zip", CONNECTION)

    with pytest.raises(ArchiveError, match=r"a\.zip.*line 2") as caught:
        write_parquet(tmp_path, directory)

    (note,) = caught.value.__notes__
    assert note == f"{tmp_path / 'b.zip'}: it is not a whole zip archive"
    assert pq.read_table(file_of(directory)).num_rows == 1


def test_a_bad_table_keeps_no_other_from_being_written(tmp_path: Path, directory: Path) -> None:
    tables = {
        "osInfo": csv_bytes(HEADERS["osInfo"], [["1"]]),
        "process": csv_bytes(HEADERS["process"], [["1"] * 9]),
        "sourceProcessConnection": csv_bytes(HEADERS["sourceProcessConnection"], [CONNECTION]),
    }
    agent_archive(tmp_path / "export-1.zip", tables)

    with pytest.raises(ArchiveError, match="osInfo") as caught:
        write_parquet(tmp_path, directory)

    assert len(caught.value.__notes__) == 1
    assert pq.read_table(file_of(directory)).num_rows == 1
    assert not list(directory.glob("processes_agent/*"))


def test_a_source_that_does_not_exist_is_an_error(tmp_path: Path, directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_parquet(tmp_path / "none.zip", directory)
    assert not directory.exists()


def test_a_folder_without_archives_is_no_error(tmp_path: Path, directory: Path) -> None:
    assert write_parquet(tmp_path, directory) == []


def test_a_full_disk_leaves_no_file(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)

    with pytest.raises(OSError, match="No space left"):
        write_parquet(path, directory)

    assert [path for path in directory.rglob("*") if path.is_file()] == []


WRITE = """
import sys
from aiodiscovery.tables import write_parquet

def progress(done, total):
    if done:
        print("writing", flush=True)
        sys.stdin.read()

write_parquet(sys.argv[1], sys.argv[2], progress=progress)
"""


def test_a_process_that_is_killed_leaves_no_file_under_a_final_name(
    tmp_path: Path, directory: Path
) -> None:
    rows = csv_bytes(HEADERS["osInfo"], [["1"] * 8] * 100_000)
    path = agent_archive(tmp_path / "export-1.zip", {"osInfo": rows})
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)

    assert list(directory.rglob("*.parquet")) == []
    (part,) = (path for path in directory.rglob("*") if path.is_file())

    write_parquet(path, directory)
    assert part.exists()  # another process may be writing it
    long_ago = time.time() - 100_000
    os.utime(part, (long_ago, long_ago))
    file_of(directory, "sys_performance_agent").unlink()
    next(directory.rglob("os_info_agent/*.parquet")).unlink()
    write_parquet(path, directory)

    assert not part.exists()
    assert pq.read_table(file_of(directory, "os_info_agent")).num_rows == 100_000


IMPORTS = """
import sys
from aiodiscovery.tables import write_parquet

write_parquet(sys.argv[1], sys.argv[2])
print(*sys.modules)
"""


def test_pandas_is_not_imported_for_what_does_not_need_it(tmp_path: Path, directory: Path) -> None:
    rows = [
        [*CONNECTION[:9], time] for time in ("01/05/2026 12:00:00 am", "01/05/2026 01:00:00 pm")
    ]
    path = connections(tmp_path / "export-1.zip", *rows)

    output = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(path), str(directory)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert "pyarrow" in output.split()
    assert "pandas" not in output.split()


def test_row_groups_have_a_size_that_is_bounded(tmp_path: Path, directory: Path) -> None:
    long_row = ["1"] * 5 + ["x" * 100_000] + ["1"] * 2
    data = csv_bytes(HEADERS["process"], [long_row] * 1_000)
    path = agent_archive(tmp_path / "export-1.zip", {"process": data})

    write_parquet(path, directory)

    metadata = pq.read_metadata(file_of(directory, "processes_agent"))
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert sum(sizes) == 1_000
    assert max(sizes) * 100_000 < 40_000_000


def test_a_summary_is_written_with_its_mapping(tmp_path: Path, directory: Path) -> None:
    server = csv_bytes(["Id", "agentId"], [["d-server-1", AGENT], ["d-server-2", None]])
    path = write_zip(tmp_path / "summary.zip", {f"{ACCOUNT}_Server.csv": server})

    files = write_parquet(path, directory)

    assert {file.table: file.rows for file in files} == {"server": 2, "id_mapping_agent": 1}


def test_what_a_killed_process_left_of_any_archive_is_removed_a_day_later(
    tmp_path: Path, directory: Path
) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    write_parquet(path, directory)
    folder = directory / "outbound_connection_agent"
    # Its archive was written since, or is gone.
    old = folder / f".export-2-{'0' * 16}.parquet.12345678.part"
    new = folder / f".export-2-{'0' * 16}.parquet.87654321.part"
    other = folder / ".notes.part"
    for left in (old, new, other):
        left.write_bytes(b"left")
    for left in (old, other):
        os.utime(left, (0, 0))

    write_parquet(path, directory)

    assert not old.exists()
    assert new.exists()
    assert other.exists()


def test_a_folder_is_listed_once_however_many_archives_there_are(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = [
        connections(
            tmp_path / f"export-{number}.zip", [*CONNECTION[:3], str(number), *CONNECTION[4:]]
        )
        for number in range(20)
    ]
    # The same bytes under another name are not written twice.
    shutil.copy(archives[0], tmp_path / "copy.zip")
    archives.append(tmp_path / "copy.zip")
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: Any = ".") -> Any:
        listed.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    for written in (20 * TABLES, 0):
        files = write_parquet(archives, directory)
        assert sum(file.written for file in files) == written

    assert listed.count(str(directory / "outbound_connection_agent")) == 2
    assert len(listed) == 2 * TABLES


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
def test_a_fifo_with_the_name_of_a_file_holds_nothing_up(tmp_path: Path, directory: Path) -> None:
    path = connections(tmp_path / "export-1.zip", CONNECTION)
    (file, *_) = [file for file in write_parquet(path, directory) if file.rows]
    os.mkfifo(file.path.with_name(f"another-{file.path.name}"))

    assert not any(file.written for file in write_parquet(path, directory))


def test_names_of_files_reach_a_log_in_a_safe_form(
    tmp_path: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = csv_bytes(HEADERS["sourceProcessConnection"], [CONNECTION])
    names = ["\x1b]52;c;QQ==\x07", "a\nWARNING:root:forged", "\u202egnp", *"bcdef", "x" * 9000]
    files = {f"{ACCOUNT}_sourceProcessConnection.csv": row, **{f"{n}.txt": b"" for n in names}}

    write_parquet(write_zip(tmp_path / "export-1.zip", files), directory)

    (record,) = caplog.records
    text = record.getMessage()
    assert text.isprintable()
    assert text.endswith("and 6 more")
    assert len(text) < 2000


def test_each_file_is_told_even_if_another_archive_is_bad(tmp_path: Path, directory: Path) -> None:
    connections(tmp_path / "a.zip", CONNECTION)
    connections(tmp_path / "b.zip", ["too short"])
    told: list[Any] = []

    with pytest.raises(ArchiveError):
        write_parquet(tmp_path, directory, on_file=told.append)

    assert sorted(str(file.path) for file in told) == sorted(snapshot(directory))
    assert len(told) == 2 * TABLES - 1
