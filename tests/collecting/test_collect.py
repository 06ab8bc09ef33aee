"""A collection on a virtual clock: every row once, each window started once, a true report."""

import contextlib
import io
import json
import os
import sqlite3
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from botocore.exceptions import ClientError, ConnectionClosedError
from support.estate import (
    EPOCH,
    HOUR,
    Agent,
    Estate,
    Export,
    as_time,
    collected_rows,
    make_agents,
    run_at_once,
)

import aiodiscovery
from aiodiscovery import CollectionProgress, CollectionReport, MissingReason

DAY = 24 * HOUR


def collect(estate: Estate, directory: Path, **options: Any) -> CollectionReport:
    async def scenario() -> CollectionReport:
        async with estate.open() as (client, http):
            return await aiodiscovery.collect_exports(
                client, directory, http_client=http, **options
            )

    report: CollectionReport = run_at_once(scenario)
    return report


def files(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()
    )


def assert_all_once(estate: Estate, directory: Path, report: CollectionReport) -> None:
    assert report.is_complete
    assert collected_rows(directory) == estate.expected_rows()
    # A summary has no range, and is taken again.
    assert {count for (agent_id, *_), count in estate.started.items() if agent_id} <= {1}


# What comes


def test_all_rows_of_all_agents_come_once(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 10, 200, 0.5]))

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)
    # 100 hours take two windows, 200 take three.
    assert sum(agent_id is not None for agent_id, _, _ in estate.started) == 7


def test_archives_lie_where_their_names_say_what_they_cover(tmp_path: Path) -> None:
    estate = Estate(make_agents([80]))

    report = collect(estate, tmp_path)

    agent_id = estate.agents[0].id
    (summary,) = report.summaries
    assert files(tmp_path) == sorted(
        [
            f"agents/{agent_id}/20260105T080000Z_20260108T080000Z.zip",
            f"agents/{agent_id}/20260108T080000Z_20260108T160001Z.zip",
            "collection.lock",
            "collection.sqlite",
            str(summary.path.relative_to(tmp_path)),
        ]
    )
    assert [file.path.name for file in report.agents[0].files] == [
        "20260105T080000Z_20260108T080000Z.zip",
        "20260108T080000Z_20260108T160001Z.zip",
    ]


def test_what_is_truncated_is_asked_for_from_where_it_ended(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 300]), most_rows=100)

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)


def test_what_is_truncated_anywhere_is_asked_for_in_halves(tmp_path: Path) -> None:
    estate = Estate(make_agents([100]), most_rows=50, says_where=False)

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)
    lengths = {
        end - start for _, start, end in estate.started if start is not None and end is not None
    }
    assert {72 * HOUR, 36 * HOUR, 18 * HOUR, 9 * HOUR} <= lengths
    # An archive that was replaced by its halves is not kept.
    assert all("T" in file.path.name for agent in report.agents for file in agent.files)
    assert not list((tmp_path / "incoming").iterdir())


def test_what_is_truncated_at_the_smallest_size_is_said_to_be_missing(tmp_path: Path) -> None:
    agent = Agent("o-1", list(range(EPOCH, EPOCH + 2 * HOUR, 10)), last=EPOCH + 2 * HOUR - 1)
    estate = Estate([agent], most_rows=50, says_where=False)

    report = collect(estate, tmp_path)

    assert not report.is_complete
    (of_agent,) = report.agents
    assert {missing.reason for missing in of_agent.missing} == {MissingReason.TRUNCATED}
    assert of_agent.covered == ()
    assert all("what there is of it is in agents/o-1/" in str(m.message) for m in of_agent.missing)
    assert len(of_agent.files) == 2
    assert all(count == 1 for count in collected_rows(tmp_path).values())


def test_what_ends_early_is_gone_on_with_from_there(tmp_path: Path) -> None:
    estate = Estate(make_agents([200, 90]), ends_after=lambda export: 31 * HOUR)

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)


def test_time_without_data_is_done(tmp_path: Path) -> None:
    (agent,) = make_agents([300])
    del agent.rows[100:1000]
    estate = Estate([agent])

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)


def test_only_what_was_asked_for_comes(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 200, 5]))
    start, end = as_time(EPOCH + 20 * HOUR), as_time(EPOCH + 150 * HOUR)

    report = collect(
        estate,
        tmp_path,
        agent_ids=[estate.agents[1].id, estate.agents[0].id],
        start_time=start,
        end_time=end.isoformat(),
        summary=False,
    )

    assert report.is_complete
    assert report.summaries == ()
    assert [agent.agent_id for agent in report.agents] == [estate.agents[0].id, estate.agents[1].id]
    estate.agents = [
        Agent(a.id, [row for row in a.rows if EPOCH + 20 * HOUR <= row < EPOCH + 150 * HOUR],
              last=a.last)
        for a in estate.agents[:2]
    ]  # fmt: skip
    assert collected_rows(tmp_path) == estate.expected_rows()


def test_connectors_have_nothing_and_unknown_agents_are_said_to_be_missing(tmp_path: Path) -> None:
    estate = Estate(make_agents([10, 10]))
    estate.agents[1].type = "AGENTLESS_Connector"

    report = collect(estate, tmp_path)
    assert report.is_complete
    assert report.connectors == (estate.agents[1].id,)
    assert len(report.agents) == 1

    report = collect(estate, tmp_path, agent_ids=["o-unknown"])
    assert not report.is_complete
    assert report.agents[0].message == "the service does not know this agent"


def test_agents_that_register_at_once_are_asked_for_by_ranges_of_their_own(tmp_path: Path) -> None:
    estate = Estate(make_agents([100] * 12))

    report = collect(estate, tmp_path, summary=False)

    assert_all_once(estate, tmp_path, report)
    ranges = [(start, end) for _, start, end in estate.started]
    assert len(set(ranges)) == len(ranges) == 24


# Starting once


@pytest.mark.parametrize("fault", ["drop", "lose"])
@pytest.mark.parametrize("visibility_delay", [0.0, 40.0])
def test_a_start_without_an_answer_is_sent_again_only_if_it_was_not_carried_out(
    tmp_path: Path, fault: str, visibility_delay: float
) -> None:
    estate = Estate(make_agents([100, 90, 80, 70, 60]), visibility_delay=visibility_delay)
    faults = iter([None, fault, fault, None, fault] * 2)
    estate.start_fault = lambda request: next(faults, None)

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)


def test_an_error_of_the_server_does_not_say_that_nothing_was_started(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    faults = iter([("ServerInternalErrorException", "Sorry.")])
    estate.start_fault = lambda request: next(faults, None)

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)
    # It was looked for, for a minute, before the start was sent again.
    assert sum(name == "DescribeExportTasks" for _, name in estate.calls) >= 4


def test_an_export_that_is_already_present_is_taken(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]), duration=0.0)
    agent = estate.agents[0]

    async def scenario() -> CollectionReport:
        async with estate.open() as (client, http):
            estate.add_export(agent.id, EPOCH, agent.last + 1)
            return await aiodiscovery.collect_exports(client, tmp_path, http_client=http)

    report: CollectionReport = run_at_once(scenario)

    assert_all_once(estate, tmp_path, report)
    assert report.agents[0].files[0].export_id == "export-0"
    assert not any(agent_id for agent_id, _, _ in estate.started)


def test_an_export_of_another_agent_is_not_taken_for_a_lost_one(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    agent = estate.agents[0]
    faults = iter(["drop"])
    estate.start_fault = lambda request: next(faults, None)

    async def scenario() -> CollectionReport:
        async with estate.open() as (client, http):
            estate.add_export("o-another", EPOCH, agent.last + 1)
            return await aiodiscovery.collect_exports(client, tmp_path, http_client=http)

    assert_all_once(estate, tmp_path, run_at_once(scenario))


# Failures


def test_an_export_that_failed_is_tried_three_times_in_all(tmp_path: Path) -> None:
    estate = Estate(make_agents([200, 10]))
    failures = {estate.agents[0].id: 2, estate.agents[1].id: 5}

    def fails(export: Export) -> str | None:
        left = failures.get(str(export.agent_id), 0)
        failures[str(export.agent_id)] = left - 1
        return f"Failure {left}." if left > 0 else None

    estate.fails = fails

    report = collect(estate, tmp_path)

    assert not report.is_complete
    first, second = report.agents
    assert first.is_complete
    (missing,) = second.missing
    assert (missing.reason, missing.message) == (MissingReason.FAILED, "Failure 3.")
    assert (missing.start, missing.end) == (as_time(EPOCH), as_time(EPOCH + 10 * HOUR + 1))
    of_second = [count for (agent_id, *_), count in estate.started.items()
                 if agent_id == second.agent_id]  # fmt: skip
    assert of_second == [3]
    # The same is true of later collections.
    assert not collect(estate, tmp_path).is_complete
    assert sum(count for (agent_id, *_), count in estate.started.items()
               if agent_id == second.agent_id) == 3  # fmt: skip


def test_calls_that_fail_are_made_again(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 100]))
    count = 0

    def call_fault(operation: str) -> Exception | None:
        nonlocal count
        count += 1
        if count % 3 == 0 and operation != "StartExportTask":
            return ConnectionClosedError(endpoint_url="estate")
        return None

    estate.call_fault = call_fault

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_downloads_that_fail_are_made_again(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 100]))
    faults = iter(
        [
            httpx2.Response(403, text="<Error><Code>AccessDenied</Code></Error>"),
            httpx2.Response(200, content=b"no zip"),
            httpx2.Response(503),
            httpx2.Response(404),
        ]
    )
    estate.download_fault = lambda export_id: next(faults, None)

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_an_archive_that_cannot_be_downloaded_is_missing_until_it_can(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 10]))
    broken = estate.agents[1].id
    estate.download_fault = lambda export_id: (
        httpx2.Response(200, content=b"no zip")
        if estate.exports[export_id].agent_id == broken
        else None
    )

    report = collect(estate, tmp_path)

    assert not report.is_complete
    (missing,) = report.agents[1].missing
    assert missing.reason is MissingReason.NOT_COLLECTED
    assert "not downloaded" in str(missing.message)
    broken = ""
    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_what_would_not_help_to_repeat_is_raised(tmp_path: Path) -> None:
    estate = Estate(make_agents([100]))
    estate.start_fault = lambda request: ("AuthorizationErrorException", "No.")

    with pytest.raises(ClientError, match="AuthorizationErrorException"):
        collect(estate, tmp_path)

    estate.start_fault = lambda request: None
    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


# Limits


def test_no_more_exports_run_at_once_than_the_service_allows(tmp_path: Path) -> None:
    estate = Estate(make_agents([200] * 6))

    collect(estate, tmp_path)

    assert estate.most_at_once <= 5


def test_while_others_take_places_it_waits_and_does_not_spin(tmp_path: Path) -> None:
    estate = Estate(make_agents([200] * 3))

    async def scenario() -> CollectionReport:
        async with estate.open() as (client, http):
            for duration in (500.0, 1000.0, 4000.0, 4000.0):
                estate.add_export(None, duration=duration)
            return await aiodiscovery.collect_exports(client, tmp_path, http_client=http)

    report: CollectionReport = run_at_once(scenario)

    assert_all_once(estate, tmp_path, report)
    refused = len(estate.starts) - sum(estate.started.values())
    assert 1 <= refused <= 40


def test_another_refusal_is_shown_and_tried_again(tmp_path: Path) -> None:
    estate = Estate(make_agents([200] * 3))
    faults = iter(
        [
            ("OperationNotPermittedException", "Two exports a day."),
            ("ThrottlingException", "Rate exceeded"),
            *[("OperationNotPermittedException", "Two exports a day.")] * 3,
        ]
    )
    estate.start_fault = lambda request: next(faults, None)
    told: list[CollectionProgress] = []

    report = collect(estate, tmp_path, progress=told.append)

    assert_all_once(estate, tmp_path, report)
    messages = [progress.message for progress in told if progress.message]
    assert sum("Two exports a day." in message for message in messages) == 4
    assert any("Rate exceeded" in message for message in messages)


def test_a_refusal_that_lasts_ends_with_the_timeout(tmp_path: Path) -> None:
    estate = Estate(make_agents([200] * 3))
    estate.start_fault = lambda request: ("OperationNotPermittedException", "Never.")

    with pytest.raises(aiodiscovery.CollectionTimeoutError, match="within 5000 s") as caught:
        collect(estate, tmp_path, timeout=5000)

    assert isinstance(caught.value, TimeoutError)
    assert not caught.value.report.is_complete
    assert {m.reason for a in caught.value.report.agents for m in a.missing} == {
        MissingReason.NOT_COLLECTED
    }
    # After delays that double from 10 to 300 seconds.
    assert 10 <= len(estate.starts) <= 30


def test_a_window_that_the_service_calls_wrong_holds_nothing_up(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 100]))
    wrong = estate.agents[0].id
    estate.start_fault = lambda request: (
        ("InvalidParameterValueException", "No such agent.") if wrong in str(request) else None
    )

    report = collect(estate, tmp_path)

    first, second = report.agents
    assert {(m.reason, m.message) for m in first.missing} == {
        (MissingReason.FAILED, "No such agent.")
    }
    assert second.is_complete


# Again


def test_a_second_collection_starts_and_downloads_nothing(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 10, 200]), most_rows=150)
    collect(estate, tmp_path)
    starts, downloads, before = len(estate.starts), len(estate.downloads), files(tmp_path)

    report = collect(estate, tmp_path)

    assert_all_once(estate, tmp_path, report)
    assert (len(estate.starts), len(estate.downloads)) == (starts, downloads)
    assert files(tmp_path) == before


def test_agents_that_live_on_are_collected_from_where_they_were_left(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 50]))
    now, starts = max(agent.last for agent in estate.agents), 0
    for step in range(1, 5):
        report = collect(estate, tmp_path)
        assert_all_once(estate, tmp_path, report)
        # The last rows come after the ping, as if they were late.
        for agent in estate.agents:
            agent.rows += range(agent.rows[-1] + 900, now + step * DAY, 900)
            agent.last = now + step * DAY - 7000
        starts = len(estate.starts)
    assert starts <= 20

    for agent in estate.agents:
        agent.last = agent.rows[-1]
    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_a_summary_is_taken_again_for_what_is_new(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))

    def summaries() -> int:
        return sum(not request.get("filters") for request in estate.starts)

    collect(estate, tmp_path)
    assert summaries() == 1
    collect(estate, tmp_path)
    assert summaries() == 1
    agent = estate.agents[0]
    agent.last += HOUR
    agent.rows.append(agent.last)
    report = collect(estate, tmp_path)
    assert summaries() == 2
    assert len(report.summaries) == 2


def test_recommendations_are_an_export_of_their_own(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))

    report = collect(estate, tmp_path, recommendations=True)

    assert report.is_complete
    assert len(report.summaries) == len(report.recommendations) == 1
    (path,) = (file.path for file in report.recommendations)
    assert path.parent == tmp_path / "recommendations"
    wanted = [request.get("preferences") for request in estate.starts if "filters" not in request]
    assert wanted == [None, {"ec2RecommendationsPreferences": {"enabled": True}}]
    collect(estate, tmp_path, recommendations=True)
    assert len(estate.starts) == 3


@pytest.mark.parametrize(
    "damage",
    [
        *("remove", "change", "cut"),
        pytest.param(
            "circle", marks=pytest.mark.skipif(sys.platform == "win32", reason="needs links")
        ),
    ],
)
def test_a_file_that_is_not_what_was_downloaded_is_downloaded_again(
    tmp_path: Path, damage: str
) -> None:
    estate = Estate(make_agents([100, 10]))
    report = collect(estate, tmp_path)
    path = report.agents[0].files[0].path
    if damage in ("remove", "circle"):
        path.unlink()
    if damage == "circle":
        path.symlink_to(path.name)
    elif damage != "remove":
        path.write_bytes(b"x" * path.stat().st_size if damage == "change" else b"")

    found: CollectionReport = run_at_once(lambda: aiodiscovery.check_collection(tmp_path))
    assert not found.is_complete
    (missing,) = found.agents[0].missing
    assert missing.reason is (
        MissingReason.FILE_MISSING if damage == "remove" else MissingReason.FILE_CHANGED
    )
    assert missing.message == str(path.relative_to(tmp_path))

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_a_report_needs_no_service_and_says_the_same(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 10]))
    report = collect(estate, tmp_path)

    assert run_at_once(lambda: aiodiscovery.check_collection(tmp_path)) == report


def test_an_agent_that_is_gone_keeps_what_was_collected(tmp_path: Path) -> None:
    estate = Estate(make_agents([100, 10]))
    with pytest.raises(aiodiscovery.CollectionTimeoutError):
        collect(estate, tmp_path, timeout=320, max_running=1)
    gone = estate.agents.pop(0)

    report = collect(estate, tmp_path)

    of_gone = next(agent for agent in report.agents if agent.agent_id == gone.id)
    assert {missing.reason for missing in of_gone.missing} == {MissingReason.GONE}
    assert of_gone.files
    assert collected_rows(tmp_path).keys() >= estate.expected_rows().keys()


# What is not ours, is damaged, or makes no sense


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize("name", ["collection.sqlite", "collection.lock"])
@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "garbage"])
def test_what_is_not_a_database_of_ours_is_left_alone(tmp_path: Path, name: str, kind: str) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"")
    path = tmp_path / name
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(target)
        case _:
            path.write_bytes(b"garbage, longer than a header of SQLite has to be" * 10)
    before = path.lstat()

    with pytest.raises(aiodiscovery.CollectionError, match=r"left as it is|cannot be used"):
        collect(Estate(), tmp_path)

    assert target.read_bytes() == b""
    assert (path.lstat().st_ino, path.lstat().st_size) == (before.st_ino, before.st_size)


@pytest.mark.parametrize("damage", ["pages", "state", "options", "end"])
def test_a_report_on_a_damaged_ledger_says_that_it_is_damaged(tmp_path: Path, damage: str) -> None:
    collect(Estate(make_agents([10] * 20)), tmp_path)
    path = tmp_path / "collection.sqlite"
    content = bytearray(path.read_bytes())
    match damage:
        case "pages":
            for place in range(4096, len(content), 4096):
                content[place : place + 512] = b"\xa5" * 512
        case "end":
            del content[len(content) // 2 :]
        case "state":
            content = content.replace(b"done", b"dome")
        case "options":
            content = content.replace(b'{"summaries"', b'["summaries"')
    path.write_bytes(content)

    with pytest.raises(aiodiscovery.CollectionError, match=r"the ledger in .* cannot be used"):
        run_at_once(lambda: aiodiscovery.check_collection(tmp_path))


@pytest.mark.parametrize("end", [EPOCH * 1000, 1e300, "9999-12-31T23:59:59Z", "\ud800", {}])
def test_an_end_that_makes_no_sense_does_not_end_the_collection(tmp_path: Path, end: Any) -> None:
    estate = Estate(make_agents([10]))
    archive = estate.archive

    def with_end(export_id: str) -> bytes:
        text = json.dumps({"ExportSummary": {"ActualStartTime": end, "ActualEndTime": end}})
        return rewritten(archive(export_id), {"012345678901_results.json": text})

    estate.archive = with_end  # type: ignore[method-assign]

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def rewritten(content: bytes, members: dict[str, str]) -> bytes:
    """Change members of a zip archive."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, members.get(name, old.read(name)))
    return buffer.getvalue()


def test_half_of_a_surrogate_pair_in_a_text_of_the_service_ends_nothing(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]), fails=lambda export: "it failed \ud83d")
    estate.agents[0].name = "host \udc00"

    report = collect(estate, tmp_path)

    (agent,) = report.agents
    assert agent.host_name == "host \\udc00"
    (missing,) = agent.missing
    assert missing.message == "it failed \\ud83d"


def test_a_message_of_the_service_that_is_not_a_text_ends_nothing(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    refusals: Any = {"InvalidParameterException": {"a": [1]}}
    estate.start_fault = lambda request: (
        next(iter(refusals.items())) if request.get("filters") else None
    )

    report = collect(estate, tmp_path)

    (missing,) = report.agents[0].missing
    assert missing.message == "{'a': [1]}"


@pytest.mark.parametrize("last", ["9999-12-31T23:59:59Z", 1e300, EPOCH * 1000])
def test_a_last_sign_of_life_that_makes_no_sense_counts_as_none(tmp_path: Path, last: Any) -> None:
    estate = Estate(make_agents([10]))
    describe = estate.agents[0].describe
    changed = describe() | {"lastHealthPingTime": last}
    estate.agents[0].describe = lambda: changed  # type: ignore[method-assign]

    report = collect(estate, tmp_path, end_time=as_time(EPOCH + 11 * HOUR))

    assert_all_once(estate, tmp_path, report)


def test_an_archive_that_was_damaged_before_its_contents_were_known_is_downloaded_again(
    tmp_path: Path,
) -> None:
    estate = Estate(make_agents([10]))
    with pytest.raises(aiodiscovery.CollectionTimeoutError):
        collect(estate, tmp_path, timeout=200)
    export_id = next(iter(estate.exports))
    (tmp_path / "incoming").mkdir()
    # The power was lost, or somebody changed it.
    (tmp_path / "incoming" / f"{export_id}.download").write_bytes(b"\0" * 1000)

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_what_has_the_name_of_an_archive_is_never_replaced(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    folder = tmp_path / "agents" / estate.agents[0].id
    folder.mkdir(parents=True)
    first = folder / "20260105T080000Z_20260105T180001Z.zip"
    second = folder / "20260105T080000Z_20260105T180001Z_export-0.zip"
    first.symlink_to(tmp_path / "nowhere")
    second.write_bytes(b"precious")

    report = collect(estate, tmp_path)

    assert report.is_complete
    assert first.is_symlink()
    assert second.read_bytes() == b"precious"
    for path in (first, second):
        path.unlink()
    assert collected_rows(tmp_path) == estate.expected_rows()


def test_each_file_that_was_changed_is_kept(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    path = collect(estate, tmp_path).agents[0].files[0].path
    for content in (b"one", b"two", b"three"):
        path.write_bytes(content)
        assert_all_once(estate, tmp_path, collect(estate, tmp_path))

    changed = sorted(other.read_bytes() for other in path.parent.glob("*.changed*"))
    assert changed == [b"one", b"three", b"two"]


def test_an_archive_that_cannot_be_read_stays_until_it_can(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    whole = estate.archive

    def encrypted(export_id: str) -> bytes:
        if estate.exports[export_id].agent_id is None:
            return whole(export_id)
        content = bytearray(whole(export_id))
        for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            content[content.index(signature) + place] |= 1
        return bytes(content)

    estate.archive = encrypted  # type: ignore[method-assign]
    kept = set[tuple[str, int]]()
    for _ in range(2):
        report = collect(estate, tmp_path)
        (missing,) = report.agents[0].missing
        assert ".zip.unverified" in str(missing.message)
        found = (tmp_path / "incoming").glob("*.unverified*")
        kept |= {(path.name, path.stat().st_mtime_ns) for path in found}
    assert [name for name, _ in kept] == ["export-0.zip.unverified"]

    estate.archive = whole  # type: ignore[method-assign]
    assert_all_once(estate, tmp_path, collect(estate, tmp_path))
    collect(estate, tmp_path)
    assert not list((tmp_path / "incoming").iterdir())


def test_what_killed_downloads_leave_behind_is_removed(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    collect(estate, tmp_path)
    incoming = tmp_path / "incoming"
    for name in ("export-0.zip.12ab34cd~", "export-0.zip.part", "export-0.zip.part.json"):
        (incoming / name).write_bytes(b"left")
    (incoming / "mine.zip").mkdir()
    (incoming / "notes.txt").write_bytes(b"mine")

    collect(estate, tmp_path)

    assert sorted(path.name for path in incoming.iterdir()) == ["mine.zip", "notes.txt"]


def test_a_summary_from_the_future_does_not_keep_others_back(tmp_path: Path) -> None:
    estate = Estate(make_agents([10]))
    collect(estate, tmp_path)
    connection = sqlite3.connect(tmp_path / "collection.sqlite")
    with contextlib.closing(connection), connection:
        connection.execute("UPDATE window SET requested = requested + 1e9")

    report = collect(estate, tmp_path)

    assert len(report.summaries) == 2


# Interruptions


@pytest.mark.parametrize("interval", [100.0, 170.0, 310.0])
def test_a_collection_that_is_ended_again_and_again_starts_each_window_once(
    tmp_path: Path, interval: float
) -> None:
    estate = Estate(make_agents([150, 80, 30, 90, 200, 10]), visibility_delay=5.0)
    faults = iter(["lose", None, None, "drop"] * 4)
    estate.start_fault = lambda request: next(faults, None)
    report = None
    for _ in range(200):
        try:
            report = collect(estate, tmp_path, timeout=interval)
        except aiodiscovery.CollectionTimeoutError:
            continue
        break

    assert report is not None
    assert_all_once(estate, tmp_path, report)


def test_a_second_collection_at_the_same_time_says_so(tmp_path: Path) -> None:
    estate = Estate(make_agents([100]))

    async def scenario() -> None:
        async with estate.open() as (client, http), trio.open_nursery() as nursery:

            async def first() -> None:
                await aiodiscovery.collect_exports(client, tmp_path, http_client=http)

            nursery.start_soon(first)
            await trio.sleep(100)
            with pytest.raises(
                aiodiscovery.CollectionInUseError, match=r"at work in .*, in process \d+"
            ):
                await aiodiscovery.collect_exports(client, tmp_path, http_client=http)
            # A report can be made meanwhile.
            assert not (await aiodiscovery.check_collection(tmp_path)).is_complete

    run_at_once(scenario)

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


def test_what_the_callback_raises_ends_the_collection(tmp_path: Path) -> None:
    estate = Estate(make_agents([100]))

    def progress(progress: CollectionProgress) -> None:
        if progress.seconds_covered:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        collect(estate, tmp_path, progress=progress)

    assert_all_once(estate, tmp_path, collect(estate, tmp_path))


# What is told


def test_progress_tells_how_far_it_is(tmp_path: Path) -> None:
    estate = Estate(make_agents([200, 10]))
    told: list[CollectionProgress] = []

    collect(estate, tmp_path, progress=told.append)

    covered = [progress.seconds_covered for progress in told]
    assert covered == sorted(covered)
    last = told[-1]
    assert (last.agents, last.agents_done) == (2, 2)
    assert last.seconds_covered == last.seconds == 210 * HOUR + 2
    assert last.running == ()
    assert last.seconds_left == 0.0
    assert last.bytes_downloaded > 0
    assert max(len(progress.running) for progress in told) == 5
    states = [
        progress.window.state
        for progress in told
        if progress.window and progress.window.agent_id == estate.agents[1].id
    ]
    assert states == ["intended", "running", "done"]


def test_the_whole_takes_the_time_that_the_limits_dictate(tmp_path: Path) -> None:
    estate = Estate(make_agents([200, 70, 140, 60, 210, 72]), duration=600.0)
    times: list[float] = []

    async def scenario() -> None:
        async with estate.open() as (client, http):
            await aiodiscovery.collect_exports(client, tmp_path, http_client=http)
            times.append(trio.current_time())

    run_at_once(scenario)

    rounds = -(-len(estate.exports) // 5)
    assert times[0] <= 1.1 * rounds * estate.duration


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agent_ids": "o-1"}, "agent ids must be several"),
        ({"start_time": "2026-01-05"}, "start_time must say its offset"),
        ({"end_time": as_time(0), "start_time": as_time(1)}, "is before start_time"),
        ({"max_running": 0}, "max_running must be a whole number of at least 1"),
        ({"min_delay": 0}, "min_delay"),
        ({"min_delay": 5, "max_delay": 1}, "max_delay"),
        ({"not_found_timeout": -1}, "not_found_timeout"),
        ({"timeout": -1}, "timeout must be at least 0"),
        ({"timeout": float("nan")}, "timeout must be at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    estate = Estate()

    with pytest.raises(ValueError, match=message):
        collect(estate, tmp_path / "new", **options)

    assert estate.calls == []
    assert not (tmp_path / "new").exists()


def test_an_http_client_of_another_kind_is_refused_before_anything_is_started(
    tmp_path: Path,
) -> None:
    estate = Estate(make_agents([10]))
    another: Any = object()

    async def scenario() -> None:
        async with estate.open() as (client, _):
            await aiodiscovery.collect_exports(client, tmp_path / "new", http_client=another)

    with pytest.raises(ValueError, match=r"http_client must be an httpx2\.AsyncClient"):
        run_at_once(scenario)

    assert estate.calls == []
    assert not (tmp_path / "new").exists()


def test_a_directory_without_a_collection_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(aiodiscovery.CollectionError, match="nothing has been collected"):
        run_at_once(lambda: aiodiscovery.check_collection(tmp_path))
    assert files(tmp_path) == []


def test_a_file_that_is_not_a_ledger_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "collection.sqlite"
    path.write_bytes(b"something else, longer than a header of SQLite has to be" * 10)
    before = path.read_bytes()

    with pytest.raises(aiodiscovery.CollectionError, match="cannot be used"):
        collect(Estate(), tmp_path)

    assert path.read_bytes() == before
