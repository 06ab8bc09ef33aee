"""Quirks: what varies in archives, and that nothing else does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import AGENT_TABLES, files, read, results, texts

from aiodiscovery.emulator import Emulator, Quirks
from aiodiscovery.emulator.__main__ import main

FORMS = {
    "us": ("%m/%d/%Y %I:%M:%S %p", r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d [ap]m"),
    "iso": ("%Y-%m-%dT%H:%M:%S", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    "iso-z": ("%Y-%m-%dT%H:%M:%SZ", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "space": ("%Y-%m-%d %H:%M:%S", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "space-z": ("%Y-%m-%d %H:%M:%SZ", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"),
}
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def emulated() -> Emulator:
    return Emulator(exports=0, agent_days=0.5)


def archive(emulator: Emulator, **quirks: Any) -> dict[str, bytes]:
    """Return the files of an agent's archive by type."""
    export_id = emulator.add_export(
        status="SUCCEEDED", agent_id=emulator.agent_ids[0], quirks=Quirks(**quirks)
    )
    content = files(emulator.archive(export_id))
    return {name.rpartition("_")[2].partition(".")[0]: data for name, data in content.items()}


@pytest.mark.parametrize("form", FORMS)
def test_times_have_the_form_that_is_asked_for(emulated: Emulator, form: str) -> None:
    rows = read(archive(emulated, timestamps=form)["osInfo"].decode())
    written, pattern = FORMS[form]
    assert all(re.fullmatch(pattern, row["timestamp"]) for row in rows)
    assert rows == texts(emulated.agent_rows(emulated.agent_ids[0], "osInfo"), written)


def test_midnight_and_noon_are_twelve() -> None:
    emulator = Emulator(exports=0)
    agent_id = emulator.agent_ids[0]
    for registered, expected in [
        (1_748_649_600, "05/31/2025 12:00:00 am"),
        (1_748_692_800, "05/31/2025 12:00:00 pm"),
    ]:
        emulator.set_agent_life(agent_id, registered_time=registered)
        rows = read(archive(emulator)["osInfo"].decode())
        assert rows[0]["timestamp"] == expected


def test_a_byte_order_mark_stands_first(emulated: Emulator) -> None:
    content, usual = archive(emulated, byte_order_mark=True), archive(emulated)
    for name in AGENT_TABLES:
        assert content[name] == BOM + usual[name]
    assert not content["results"].startswith(BOM)


def test_lines_end_with_cr_and_lf(emulated: Emulator) -> None:
    content, usual = archive(emulated, crlf=True), archive(emulated)
    for name in AGENT_TABLES:
        assert read(content[name].decode()) == read(usual[name].decode())
        assert content[name].endswith(b"\r\n")
    assert content["osInfo"] == usual["osInfo"].replace(b"\n", b"\r\n")


@pytest.mark.parametrize(("folder", "prefix"), [("a/b", "a/b/"), ("a/", "a/"), ("", "")])
def test_members_are_in_a_folder(emulated: Emulator, folder: str, prefix: str) -> None:
    export_id = emulated.add_export(
        status="SUCCEEDED", agent_id=emulated.agent_ids[0], quirks=Quirks(folder=folder)
    )
    names = list(files(emulated.archive(export_id)))
    assert len(names) == 7
    for name in names:
        assert name.startswith(f"{prefix}{emulated.account_number}_")


@pytest.mark.parametrize("empty_files", [True, False])
def test_a_type_without_rows_has_a_file_or_none(empty_files: bool) -> None:
    emulator = Emulator(exports=0, connections=0)
    content = archive(emulator, empty_files=empty_files)
    assert ("sourceProcessConnection" in content) == empty_files
    if empty_files:
        assert content["sourceProcessConnection"].count(b"\n") == 1
        assert content["sourceProcessConnection"].startswith(b"accountNumber,agentId,sourceIp,")


def test_connections_have_two_more_columns(emulated: Emulator) -> None:
    content, usual = archive(emulated, command_columns=True), archive(emulated)
    for name in ("sourceProcessConnection", "destinationProcessConnection"):
        rows = read(content[name].decode())
        assert list(rows[0])[-2:] == ["commandPath", "commandParameters"]
        assert {row.pop("commandPath") for row in rows} != {""}
        assert len({row.pop("commandParameters") for row in rows}) == 1
        assert rows == read(usual[name].decode())
    assert content["process"] == usual["process"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("usual", "accountNumber,agentId,osName"),
        ("lower", "accountnumber,agentid,osname"),
        ("upper", "ACCOUNTNUMBER,AGENTID,OSNAME"),
        ("snake", "account_number,agent_id,os_name"),
    ],
)
def test_a_header_has_the_case_that_is_asked_for(
    emulated: Emulator, header: str, expected: str
) -> None:
    content, usual = archive(emulated, header=header), archive(emulated)
    assert content["osInfo"].startswith(expected.encode())
    assert content["osInfo"].partition(b"\n")[2] == usual["osInfo"].partition(b"\n")[2]


quirks = st.builds(
    Quirks,
    timestamps=st.sampled_from(list(FORMS)),
    byte_order_mark=st.booleans(),
    crlf=st.booleans(),
    folder=st.sampled_from(["", "a", "a/b c/ü"]),
    empty_files=st.booleans(),
    command_columns=st.booleans(),
    header=st.sampled_from(["usual", "lower", "upper", "snake"]),
)


@settings(deadline=None, max_examples=30)
@given(chosen=quirks)
def test_every_value_comes_through_every_mix_of_quirks(emulated: Emulator, chosen: Quirks) -> None:
    export_id = emulated.add_export(
        status="SUCCEEDED", agent_id=emulated.agent_ids[0], quirks=chosen
    )
    body = emulated.archive(export_id)
    content = {name.rpartition("_")[2]: data for name, data in files(body).items()}
    for name in AGENT_TABLES:
        rows = read(content[f"{name}.csv"].decode("utf-8-sig"))
        truth = texts(emulated.export_rows(export_id, name), FORMS[chosen.timestamps][0])
        assert [list(row.values()) for row in rows] == [list(row.values()) for row in truth]
    sizes = [len(data) for name, data in content.items() if name.endswith(".csv")]
    assert results(body)["TotalSizeOfResultFiles"] == sum(sizes)


def test_quirks_are_those_of_all_exports_or_of_one() -> None:
    emulator = Emulator(exports=0, export_duration=0, quirks=Quirks(folder="all"))
    emulator.plan_export(duration=0, quirks=Quirks(folder="planned"))

    def folders() -> Iterator[str]:
        for _ in range(2):
            yield str(emulator.call("StartExportTask", {})["exportId"])
        yield emulator.add_export(status="SUCCEEDED", quirks=Quirks(folder="added"))

    found = [
        next(iter(files(emulator.archive(export_id)))).partition("/")[0] for export_id in folders()
    ]
    assert found == ["planned", "all", "added"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Quirks()),
        ("crlf", Quirks(crlf=True)),
        (
            "byte-order-mark, folder=a/b ,timestamps=iso,header=snake",
            Quirks(byte_order_mark=True, folder="a/b", timestamps="iso", header="snake"),
        ),
        ("empty_files,command-columns", Quirks(empty_files=True, command_columns=True)),
    ],
)
def test_quirks_are_read_from_a_text(text: str, expected: Quirks) -> None:
    assert Quirks.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cr", "must be some of timestamps, byte-order-mark, crlf"),
        ("crlf=yes", "crlf takes no value: crlf=yes"),
        ("folder", "folder takes a value: folder"),
        ("timestamps=mixed", "timestamps must be one of us, iso, iso-z, space, space-z"),
        ("header=camel", "header must be one of usual, lower, upper, snake"),
        ("folder=/a", "folder must be a relative path"),
        ("folder=a/../b", "folder must be a relative path"),
    ],
)
def test_quirks_that_there_are_not_are_refused(
    capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Quirks.parse(text)
    with pytest.raises(SystemExit):
        main(["--quirks", text])
    assert message in capsys.readouterr().err
