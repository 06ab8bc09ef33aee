"""What an archive says about itself, in every form and with every possible defect."""

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from aiodiscovery._collecting.plan import Kind, Range
from aiodiscovery._collecting.results import Results, parse_time, read_results

SUMMARY = {
    "isTruncated": True,
    "ActualStartTime": "2017-11-04 00:00:00",
    "ActualEndTime": "2017-11-04 00:01:00",
}
START = 1_509_753_600
ROWS = "accountNumber,agentId,timestamp\r\n001,o-1,2017-11-04 00:00:00\r\n"


def write(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def results(**fields: Any) -> str:
    return json.dumps({"ExportSummary": SUMMARY, **fields})


def test_the_results_say_what_there_is(tmp_path: Path) -> None:
    filters = [{"Name": "agentIds", "Values": ["o-1"]}]
    text = results(RequestedFilters=filters, RequestedStartTime="2017-11-04 00:00:00",
                   RequestedEndTime="2017-11-05 00:00:00")  # fmt: skip
    path = write(tmp_path / "a.zip", {"001_results.json": text, "001_process.csv": ROWS})

    found = read_results(path)

    assert found == Results(
        asked_for=frozenset({"o-1"}),
        in_rows=frozenset({"o-1"}),
        requested=Range(START, START + 86400),
        actual=Range(START, START + 60),
        truncated=True,
        has_data=True,
    )
    assert found.is_of(Kind.AGENT, "o-1")
    assert not found.is_of(Kind.AGENT, "o-2")
    assert not found.is_of(Kind.SUMMARY, None)


@pytest.mark.parametrize(
    "name", ["results.json", "a/b/001_results.json", "001_RESULTS.JSON", "x_Results.json"]
)
def test_the_results_are_found_by_the_end_of_their_name(tmp_path: Path, name: str) -> None:
    folded = {"export_summary": {"is_truncated": True, "actual_start_time": 1, "ACTUALENDTIME": 9}}
    path = write(tmp_path / "a.zip", {name: b"\xef\xbb\xbf" + json.dumps(folded).encode()})

    found = read_results(path)

    assert (found.truncated, found.actual, found.has_data) == (True, Range(1, 9), False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"ExportSummary": []}',
        b'{"ExportSummary": {"ActualStartTime": {}, "ActualEndTime": [1]}}',
        b'{"ExportSummary": {"ActualStartTime": 1e999, "ActualEndTime": NaN}}',
        b'{"RequestedFilters": {"Values": 1}}',
        b'{"RequestedFilters": [1, {"Values": {"a": 1}}]}',
        b'{"a": "' + b"x" * 2_000_000 + b'"}',
    ],
    ids=lambda text: repr(text[:30]),
)
def test_results_that_cannot_be_read_say_nothing(tmp_path: Path, text: bytes) -> None:
    path = write(tmp_path / "a.zip", {"001_results.json": text, "001_process.csv": ROWS})

    found = read_results(path)

    assert (found.asked_for, found.actual, found.truncated) == (frozenset(), None, False)
    assert found.has_data
    # The rows show whose they are.
    assert found.is_of(Kind.AGENT, "o-1")
    assert not found.is_of(Kind.AGENT, "o-2")


def test_what_unpacks_to_much_is_read_up_to_a_bound(tmp_path: Path) -> None:
    members: dict[str, str | bytes] = {
        "001_results.json": b" " * 20_000_000,
        "001_process.csv": b"a" * 50_000_000,
    }

    # There may be rows after what was read.
    assert read_results(write(tmp_path / "a.zip", members)) == Results(has_data=True)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06"])
def test_what_is_no_archive_may_be_anything(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)

    found = read_results(path)

    assert found == Results(recommends=None, has_data=True)
    assert found.is_of(Kind.SUMMARY, None)
    assert found.is_of(Kind.RECOMMENDATIONS, None)


def test_an_archive_that_zipfile_cannot_open_may_have_data(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"001_process.csv": ROWS})
    # A member on another system's disk, in a version of the format that nobody knows.
    path.write_bytes(path.read_bytes().replace(b"PK\1\2\x14\x03\x14", b"PK\1\2\x14\x03\xff"))
    with pytest.raises(NotImplementedError):
        zipfile.ZipFile(path)

    assert read_results(path).has_data


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_table_that_would_take_much_memory_is_not_read(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("001_process.csv", b"\0" * 20_000_000)
        archive.writestr("001_results.json", b" " * 20_000_000)

    tracemalloc.start()
    try:
        found = read_results(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found.has_data
    assert peak < 5_000_000


def test_reading_can_be_ended_at_each_member(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {f"{number}.txt": "" for number in range(5)})
    members = 0

    def check() -> None:
        nonlocal members
        members += 1
        if members == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        read_results(path, check)


@pytest.mark.parametrize(
    ("members", "has_data"),
    [
        ({}, False),
        ({"001_process.csv": "agentId,name\r\n"}, False),
        ({"001_process.csv": "agentId,name\r\n\r\n"}, False),
        ({"001_process.csv": ""}, False),
        ({"001_process.csv": ROWS}, True),
        ({"folder/": "", "001_process.csv": "agentId\r\n,\r\no-1\r\n"}, True),
    ],
)
def test_an_archive_has_data_if_a_table_has_a_row(
    tmp_path: Path, members: dict[str, str | bytes], has_data: bool
) -> None:
    assert read_results(write(tmp_path / "a.zip", members)).has_data is has_data


def test_recommendations_are_no_summary(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"EC2InstanceRecommendations-1.csv": "ServerId\r\nd-1\r\n"})

    found = read_results(path)

    assert found.is_of(Kind.RECOMMENDATIONS, None)
    assert not found.is_of(Kind.SUMMARY, None)


@pytest.mark.parametrize(
    "value",
    [
        "2017-11-04 00:01:00",
        "2017-11-04T00:01:00",
        "2017-11-04T00:01:00Z",
        "2017-11-04T01:01:00+01:00",
        " 2017-11-04 00:01:00 ",
        "11/04/2017 12:01:00 am",
        START + 60,
        START + 60.5,
    ],
)
def test_a_time_is_read_in_every_form(value: object) -> None:
    assert parse_time(value) == START + 60


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "now", True, [], {}, "99/99/2017 12:01:00 am"),
        # No calendar has these, and no database holds the last one.
        *("9999-12-31T23:59:59Z", START * 1000, -1e18, 1e300),
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert parse_time(value) is None
