"""A bad archive is reported with its file and line, or read as documented."""

import io
import os
import random
import struct
import zipfile
from pathlib import Path

import pytest
from support.export_archives import ACCOUNT, AGENT, HEADERS, agent_archive, csv_bytes, write_zip

pa = pytest.importorskip("pyarrow")

from aiodiscovery.tables import ArchiveError, open_archive, write_parquet  # noqa: E402

MEMBER = f"{ACCOUNT}_osInfo.csv"
HEADER = ",".join(HEADERS["osInfo"]).encode() + b"\n"
ROW = f"{ACCOUNT},{AGENT},Linux,5,x86,web-1,kvm,2026-01-05\n".encode()
SECRET = "hunter2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export-1.zip"


def error_of(path: Path) -> ArchiveError:
    """Read the archive in each possible way, and return the error, which is always the same."""
    texts = set()
    with pytest.raises(ArchiveError) as caught, open_archive(path) as archive:
        archive.read("os_info_agent")
    texts.add(str(caught.value))
    with pytest.raises(ArchiveError) as caught, open_archive(path) as archive:
        archive.batches("os_info_agent").read_all()
    texts.add(str(caught.value))
    tables = path.parent / "tables"
    with pytest.raises(ArchiveError) as caught:
        write_parquet(path, tables)
    texts.add(str(caught.value))
    assert len(texts) == 1
    # There is no Parquet file of the bad table, and nothing else is left of it.
    left = [path_.name for path_ in tables.glob("os_info_agent/*")]
    assert left == []
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in repr(error)
        error = error.__cause__ or error.__context__
    return caught.value


def error_of_rows(path: Path, rows: bytes) -> ArchiveError:
    error = error_of(agent_archive(path, {"osInfo": HEADER + rows}))
    assert error.member == MEMBER
    assert error.archive == str(path)
    if error.line is not None:
        assert str(error).startswith(f"{path}: {MEMBER}, line {error.line}: ")
    return error


# Rows


@pytest.mark.parametrize("before", [b"", ROW, ROW * 30_000, b"\r\n\n" + ROW])
@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b"1,2,3\n", "has 3 cells, and the header 8"),
        (b"hunter2,2,3,4,5,6,7,8,9\n", "has 9 cells, and the header 8"),
        (b'1,2,3,4,5,6,7,"hunter2\n', "a quote is not closed"),
        (b'"hunter2\n', "a quote is not closed"),
        (b"1,2,3,4,5,hunter2\xe9,7,8\n", "not in UTF-8"),
        (b'1,2,3,4,5,6,7,"hunter2' + b"x" * 2_500_000, "more than 1 MiB"),
    ],
)
def test_a_row_that_is_wrong_is_told_by_its_line(
    path: Path, before: bytes, row: bytes, says: str
) -> None:
    error = error_of_rows(path, before + row)

    assert says in str(error)
    assert error.line == 2 + before.count(b"\n")


def test_the_line_counts_those_inside_cells(path: Path) -> None:
    row = b'1,2,3,4,5,"a\nb\nc",7,8\n'

    error = error_of_rows(path, row + row + b"1\n" + ROW)

    assert error.line == 8


def test_a_quote_that_never_ends_swallows_no_row(path: Path) -> None:
    error = error_of_rows(path, ROW + b'1,2,3,4,5,6,7,"8\n' + ROW * 300_000)

    assert error.line == 3


def test_a_wrong_row_in_an_archive_that_is_damaged_is_damage(path: Path) -> None:
    agent_archive(path, {"osInfo": HEADER + ROW * 1000}, stored=True)
    data = path.read_bytes()
    middle = data.index(ROW, len(data) // 2) + 12  # a comma
    path.write_bytes(data[:middle] + b"." + data[middle + 1 :])

    error = error_of(path)

    assert "CRC is wrong" in str(error)
    assert (error.member, error.line) == (MEMBER, None)


# Headers


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (ROW + ROW, "the first row is data"),
        (b"\xff\xfea\x00,\x00b\x00\n\x00", "not in UTF-8"),
        (b'"agentId,timestamp\n', "a quote is not closed"),
        (b"x" * 300_000, "more than 256 KiB"),
        (b"," * 5_000 + b"\n", "5,001 columns"),
    ],
)
def test_what_is_no_header_is_said(path: Path, data: bytes, says: str) -> None:
    error = error_of(agent_archive(path, {"osInfo": data}))

    assert says in str(error)
    assert (error.member, error.line) == (MEMBER, 1)


# Archives


@pytest.mark.parametrize(
    "data", [b"", b"no zip at all", HEADER + ROW, b"PK\x05\x06", b"\x00" * 999]
)
def test_what_is_no_zip_archive_is_said(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    error = error_of(path)

    assert str(error) == f"{path}: it is not a whole zip archive"
    assert (error.member, error.line) == (None, None)


@pytest.mark.parametrize("part", [0.3, 0.9, 0.99])
def test_an_archive_that_is_cut_off_is_said(path: Path, part: float) -> None:
    agent_archive(path, {"osInfo": HEADER + ROW * 1000})
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])

    assert "not a whole zip archive" in str(error_of(path))


def test_an_archive_that_is_encrypted_is_said(path: Path) -> None:
    agent_archive(path, {"osInfo": HEADER + ROW})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)

    error = error_of(path)

    assert "encrypted" in str(error)
    assert error.member == MEMBER


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_said(path: Path, method: int) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(MEMBER, HEADER + ROW)

    assert "compressed in a way" in str(error_of(path))


def test_a_wrong_crc_is_said(path: Path) -> None:
    agent_archive(path, {"osInfo": HEADER + ROW * 30_000}, stored=True)
    data = path.read_bytes()
    middle = data.index(b"Linux", len(data) // 2)
    path.write_bytes(data[:middle] + b"Minix" + data[middle + 5 :])

    assert "CRC is wrong" in str(error_of(path))


def test_two_files_of_one_type_are_said(path: Path) -> None:
    write_zip(path, {"a_osInfo.csv": HEADER, "b/a_OSINFO.csv": HEADER})

    error = error_of(path)

    assert "another file of the type osInfo: a_osInfo.csv" in str(error)
    assert error.member == "b/a_OSINFO.csv"


def test_the_same_name_twice_is_said(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, HEADER)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(MEMBER, HEADER)

    assert "another file of the type osInfo" in str(error_of(path))


def test_two_results_files_are_said(path: Path) -> None:
    write_zip(path, {"a_results.json": b"{}", "b_results.json": b"{}"})

    assert "another file of the type results" in str(error_of(path))


@pytest.mark.parametrize("count", [1_001, 10_000, 30_000])
def test_an_archive_of_too_many_files_is_said(path: Path, count: int) -> None:
    write_zip(path, {MEMBER: HEADER} | {f"{number}.txt": b"" for number in range(count)})

    assert "files" in str(error_of(path))


def test_an_archive_without_a_file_of_an_export_says_what_it_has(path: Path) -> None:
    write_zip(path, {f"{name}.csv": b"a" for name in "abcde"})

    assert str(error_of(path)).endswith(
        "it has no file of an export, only a.csv, b.csv, c.csv and 2 more"
    )


def test_an_archive_without_a_file_says_so(path: Path) -> None:
    write_zip(path, {})

    assert "it is empty" in str(error_of(path))


def test_an_export_in_graphml_is_said(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("servers.graphml", "<graphml/>")
    write_zip(path, {"servers.zip": inner.getvalue()})

    error = error_of(path)

    assert "only CSV exports" in str(error)
    assert error.member == "servers.zip"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"a": ' + b"9" * 5000 + b"}", b"[" * 100_000, b"\xff", b"5"]
)
def test_a_results_file_that_is_no_json_object_is_said(path: Path, data: bytes) -> None:
    error = error_of(agent_archive(path, {"osInfo": HEADER}, data))

    assert "JSON" in str(error)
    assert error.member == f"{ACCOUNT}_results.json"


def test_a_results_file_without_end_is_said(path: Path) -> None:
    error = error_of(agent_archive(path, {"osInfo": HEADER}, b" " * 2_000_000))

    assert "too long" in str(error)


def test_a_name_that_drives_a_terminal_does_not(path: Path) -> None:
    write_zip(path, {"\x1b[2J\n_osInfo.csv": HEADER + b"1\n"})

    text = str(error_of(path))

    assert text.isprintable()


@pytest.mark.parametrize("folder", ["..", "../../etc", "/etc", "C:\\windows", "..\\..", "a/b/c"])
def test_a_folder_of_a_name_means_nothing(path: Path, folder: str) -> None:
    write_zip(path, {f"{folder}/{MEMBER}": HEADER + ROW})

    files = write_parquet(path, path.parent / "tables")

    assert [file.rows for file in files if file.table == "os_info_agent"] == [1]
    below = {entry.relative_to(path.parent).parts[0] for entry in path.parent.rglob("*")}
    assert below == {"export-1.zip", "tables"}


def test_a_backslash_separates_folders_too(path: Path) -> None:
    write_zip(path, {f"folder\\{MEMBER}": HEADER + ROW})

    with open_archive(path) as archive:
        assert archive.read("os_info_agent").num_rows == 1


# Bombs


def test_a_bomb_of_one_line_ends_early(path: Path) -> None:
    write_zip(path, {MEMBER: HEADER + b"x" * 30_000_000})

    error = error_of(path)

    assert "more than 1 MiB" in str(error)


def test_files_that_overlap_are_said(path: Path) -> None:
    # As in a zip bomb whose files share their bytes.
    write_zip(path, {MEMBER: HEADER + ROW, f"{ACCOUNT}_process.csv": b"agentId\n"}, stored=True)
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    struct.pack_into("<L", data, second + 42, 0)
    path.write_bytes(data)

    with pytest.raises(ArchiveError):
        open_archive(path)


def test_a_damaged_archive_gives_an_error_or_what_was_in_it(path: Path) -> None:
    rows = csv_bytes(HEADERS["osInfo"], [ROW.decode().strip().split(",")] * 50)
    agent_archive(path, {"osInfo": rows})
    whole = path.read_bytes()
    with open_archive(path) as archive:
        expected = archive.read("os_info_agent")
    rng = random.Random(0)
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 1, 4))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            with open_archive(path) as archive:
                if archive.tables["os_info_agent"].member is not None:
                    assert archive.read("os_info_agent") == expected
        except ArchiveError:
            pass


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions")
def test_a_file_that_may_not_be_read_is_an_error_of_the_system(path: Path) -> None:
    agent_archive(path, {})
    path.chmod(0)

    with pytest.raises(PermissionError):
        open_archive(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_a_fifo_or_a_device_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)

    for other in (path, Path("/dev/zero")):
        with pytest.raises(ArchiveError, match="it is not a regular file"):
            open_archive(other)


@pytest.mark.parametrize(
    ("values", "agent_id"),
    [(5, None), (True, None), (1.5, None), ({"a": 1}, None), ([5, AGENT], AGENT), (AGENT, AGENT)],
)
def test_a_filter_of_any_form_is_read_or_left_out(
    path: Path, values: object, agent_id: str | None
) -> None:
    agent_archive(path, {}, {"RequestedFilters": [{"Name": "agentIds", "Values": values}]})

    with open_archive(path) as archive:
        assert archive.export.agent_id == agent_id
