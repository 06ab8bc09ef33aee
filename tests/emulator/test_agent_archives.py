"""The archive of an agent: its files, its rows, its results, and where it was cut off."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import AGENT_TABLES, files, results, tables, texts

from aiodiscovery.emulator import Emulator, ServiceError

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

HOUR, DAY = 3600.0, 86400.0

COLUMNS = {
    "osInfo": "accountNumber,agentId,osName,osVersion,cpuType,hostName,hypervisor,timestamp",
    "networkInterface": "accountNumber,agentId,name,macAddress,family,ipAddress,gateway,netMask,"
    "timestamp",
    "process": "accountNumber,agentId,agentAssignedProcessId,isSystem,name,cmdLine,path,"
    "agentProvidedTimeStamp",
    "sourceProcessConnection": "accountNumber,agentId,sourceIp,sourcePort,destinationIp,"
    "destinationPort,ipVersion,transportProtocol,agentAssignedProcessId,agentCreationDate",
    "systemPerformance": "accountNumber,agentId,totalDiskBytesReadPerSecond,"
    "totalDiskBytesWrittenPerSecond,totalDiskReadOpsPerSecond,totalDiskWriteOpsPerSecond,"
    "totalNetworkBytesReadPerSecond,totalNetworkBytesWrittenPerSecond,totalNumLogicalProcessors,"
    "totalNumCores,totalNumCpus,totalNumDisks,totalNumNetworkCards,totalCpuUsagePct,"
    "totalDiskSize,totalDiskFreeSize,totalRAM,freeRAM,timestamp",
}
COLUMNS["destinationProcessConnection"] = COLUMNS["sourceProcessConnection"]


@pytest.fixture
def emulated() -> Emulator:
    return Emulator(exports=0, export_duration=0)


def agent_filter(agent_id: str) -> list[dict[str, Any]]:
    return [{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}]


def start(emulator: Emulator, agent_id: str, **times: float) -> str:
    query = {"filters": agent_filter(agent_id), **times}
    return str(emulator.call("StartExportTask", query)["exportId"])


def describe(emulator: Emulator, export_id: str) -> dict[str, Any]:
    export: dict[str, Any]
    query = {"exportIds": [export_id]}
    (export,) = emulator.call("DescribeExportTasks", query)["exportsInfo"]
    return export


def seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


def utc(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"


def test_an_archive_has_the_files_and_columns_of_the_service(emulated: Emulator) -> None:
    content = files(emulated.archive(start(emulated, emulated.agent_ids[0])))
    account = emulated.account_number
    assert list(content) == [
        *(f"{account}_{name}.csv" for name in AGENT_TABLES),
        f"{account}_results.json",
    ]
    for name in AGENT_TABLES:
        header = content[f"{account}_{name}.csv"].decode().partition("\n")[0]
        assert header == COLUMNS[name]


def test_an_export_holds_the_rows_of_its_range(emulated: Emulator) -> None:
    agent_id = emulated.agent_ids[0]
    end = emulated.agent_life(agent_id)[1] - 5000.5
    export_id = start(emulated, agent_id, startTime=end - DAY, endTime=end)
    found = tables(emulated.archive(export_id))
    for name in AGENT_TABLES:
        rows = list(emulated.agent_rows(agent_id, name, end - DAY, end))
        assert found[name] == texts(rows)
        assert list(emulated.export_rows(export_id, name)) == rows
    assert len(found["systemPerformance"]) == 96


def test_values_are_those_of_the_reference(emulated: Emulator) -> None:
    found = tables(emulated.archive(start(emulated, emulated.agent_ids[0])))
    assert found["process"][0]["isSystem"] in ("true", "false")
    for row in found["sourceProcessConnection"]:
        assert 0 < int(row["sourcePort"]) < 65536
        assert row["accountNumber"] == emulated.account_number
        datetime.strptime(row["agentCreationDate"], "%m/%d/%Y %I:%M:%S %p")
    for row in found["systemPerformance"]:
        assert 0 <= float(row["totalCpuUsagePct"]) <= 100
        assert float(row["freeRAM"]) < float(row["totalRAM"])


def test_command_lines_have_what_must_be_quoted() -> None:
    emulator = Emulator()
    lines = {
        row["cmdLine"]
        for agent_id in emulator.agent_ids
        for row in emulator.agent_rows(agent_id, "process")
    }
    for character in (",", '"', "\n", "\r\n", "\t", "ü"):
        assert any(character in line for line in lines)


def test_the_results_say_what_was_asked_for_and_what_came(emulated: Emulator) -> None:
    agent_id = emulated.agent_ids[0]
    end = emulated.agent_life(agent_id)[1]
    export_id = start(emulated, agent_id, startTime=end - DAY, endTime=end)
    body = emulated.archive(export_id)
    sizes = [len(data) for name, data in files(body).items() if name.endswith(".csv")]
    assert results(body) == {
        "CustomerAccount": emulated.account_number,
        "RequestedFilters": [{"Name": "agentIds", "Values": [agent_id], "Condition": "EQUALS"}],
        "RequestedStartTime": utc(end - DAY),
        "RequestedEndTime": utc(end),
        "ResultFilesGenerated": 6,
        "TotalSizeOfResultFiles": sum(sizes),
        "ExportStartedAt": utc(end),
        "ExportStatus": "SUCCEEDED",
        "StatusMessage": "The export succeeded.",
        "ExportSummary": {
            "isTruncated": False,
            "ActualStartTime": utc(end - DAY),
            "ActualEndTime": utc(end),
        },
    }


def test_an_export_of_nothing_has_its_results_alone(emulated: Emulator) -> None:
    agent_id = emulated.agent_ids[0]
    born = emulated.agent_life(agent_id)[0]
    for first, last in [(born - DAY, born), (born + 60, born + 60)]:
        body = emulated.archive(start(emulated, agent_id, startTime=first, endTime=last))
        assert list(files(body)) == [f"{emulated.account_number}_results.json"]
        assert results(body)["ExportSummary"] == {"isTruncated": False}


@pytest.mark.parametrize("ends", ["both", "start", "end", "none"])
def test_an_open_range_covers_72_hours(ends: str) -> None:
    emulator = Emulator(exports=0, agent_days=20, seed=3)
    agent_id = max(emulator.agent_ids, key=lambda agent_id: _length(emulator, agent_id))
    born, died = emulator.agent_life(agent_id)
    times = {
        "both": {"startTime": born, "endTime": born + 72 * HOUR},
        "start": {"startTime": born + 1},
        "end": {"endTime": died - HOUR},
        "none": {},
    }[ends]
    first, last = emulator.export_range(start(emulator, agent_id, **times))
    assert last - first == 72 * HOUR
    assert first == times.get("startTime", last - 72 * HOUR)
    assert last == times.get("endTime", died if ends == "none" else last)


def _length(emulator: Emulator, agent_id: str) -> float:
    born, died = emulator.agent_life(agent_id)
    return died - born


def test_an_export_keeps_the_life_that_its_agent_had(emulated: Emulator) -> None:
    agent_id = emulated.agent_ids[0]
    export_id = start(emulated, agent_id)
    before = emulated.archive(export_id)
    born, died = emulated.agent_life(agent_id)
    emulated.set_agent_life(agent_id, registered_time=died, last_ping_time=died + DAY)
    assert emulated.archive(export_id) == before
    assert emulated.archive(start(emulated, agent_id)) != before
    assert born < died


def test_the_same_range_has_the_same_archive_on_any_day(emulated: Emulator) -> None:
    agent_id = emulated.agent_ids[1]
    died = emulated.agent_life(agent_id)[1]
    times = {"startTime": died - DAY, "endTime": died}
    body = emulated.archive(start(emulated, agent_id, **times))
    assert emulated.archive(start(emulated, agent_id, **times)) == body
    later = Emulator(exports=3, clock=lambda: 2_000_000_000.0)
    assert later.archive(start(later, agent_id, **times)) == body
    assert Emulator(seed=1).account_number.encode() not in body


@pytest.mark.parametrize(
    "times",
    [
        {"startTime": -253_402_300_799},
        {"endTime": -253_402_300_799},
        {"startTime": 253_402_300_799},
        {"endTime": 253_402_300_799.0},
        {"startTime": -0.5, "endTime": 0.5},
    ],
)
def test_a_range_far_from_every_life_has_an_archive(
    emulated: Emulator, times: dict[str, float]
) -> None:
    export_id = start(emulated, emulated.agent_ids[0], **times)
    assert describe(emulated, export_id)["isTruncated"] is False
    body = emulated.archive(export_id)
    assert tables(body) == {}
    assert results(body)["ExportSummary"] == {"isTruncated": False}


def test_an_agent_that_is_not_listed_has_data_too(emulated: Emulator) -> None:
    export_id = emulated.add_export(status="SUCCEEDED", agent_id="o-0123456789abcdef0")
    found = tables(emulated.archive(export_id))
    assert {row["agentId"] for row in found["systemPerformance"]} == {"o-0123456789abcdef0"}


def test_seeded_exports_of_agents_have_rows() -> None:
    emulator = Emulator(exports=60)
    exports = emulator.call("DescribeExportTasks", {})["exportsInfo"]
    of_agents = [export for export in exports if "requestedStartTime" in export]
    assert len(of_agents) > 5
    for export in of_agents:
        assert any(True for _ in emulator.export_rows(export["exportId"], "systemPerformance"))
        assert export["requestedEndTime"] <= export["exportRequestTime"]


# Truncated exports.


def test_an_export_that_is_too_large_is_truncated() -> None:
    emulator = Emulator(exports=0, export_duration=0, export_size_limit=50_000)
    agent_id = emulator.agent_ids[0]
    export_id = start(emulator, agent_id)
    assert describe(emulator, export_id)["isTruncated"] is True
    first, last = emulator.export_range(export_id)
    body = emulator.archive(export_id)
    summary = results(body)["ExportSummary"]
    assert summary["isTruncated"] is True
    assert seconds(summary["ActualStartTime"]) == first
    assert seconds(summary["ActualEndTime"]) == last
    assert last % 900 == 0
    # As many quarters of an hour as fit.
    assert 45_000 < sum(map(len, files(body).values())) < 52_000
    for name in AGENT_TABLES:
        rows = emulator.agent_rows(agent_id, name, first, last)
        assert tables(body).get(name, []) == texts(rows)


@settings(deadline=None, max_examples=15)
@given(limit=st.integers(0, 60_000), window=st.floats(0.3, 72), seed=st.integers(0, 5))
def test_exports_that_go_on_where_the_last_one_stopped_have_each_row_once(
    limit: int, window: float, seed: int
) -> None:
    emulator = Emulator(
        exports=0, seed=seed, agent_days=0.2, agents=2, configurations=2, export_size_limit=limit
    )
    agent_id = emulator.agent_ids[1]
    position, died = emulator.agent_life(agent_id)
    found: dict[str, list[dict[str, str]]] = {name: [] for name in AGENT_TABLES}
    while position < died:
        end = min(position + window * HOUR, died)
        export_id = emulator.add_export(
            status="SUCCEEDED", agent_id=agent_id, start_time=position, end_time=end
        )
        body = emulator.archive(export_id)
        summary = results(body)["ExportSummary"]
        position = seconds(summary["ActualEndTime"]) if "ActualEndTime" in summary else end
        for name, rows in tables(body).items():
            found[name] += rows
    for name in AGENT_TABLES:
        key = sorted(map(str, found[name]))
        assert key == sorted(map(str, texts(emulator.agent_rows(agent_id, name))))


@pytest.mark.parametrize("how", ["plan", "add", "finish"])
def test_an_export_that_is_said_to_be_truncated_stops_midway(emulated: Emulator, how: str) -> None:
    agent_id = emulated.agent_ids[0]
    died = emulated.agent_life(agent_id)[1]
    times = {"startTime": died - DAY, "endTime": died}
    if how == "plan":
        emulated.plan_export(duration=0, truncated=True)
    if how == "add":
        export_id = emulated.add_export(
            status="SUCCEEDED",
            agent_id=agent_id,
            start_time=died - DAY,
            end_time=died,
            truncated=True,
        )
    else:
        export_id = start(emulated, agent_id, **times)
    if how == "finish":
        emulated.finish_export(export_id, truncated=True)
    assert describe(emulated, export_id)["isTruncated"] is True
    body = emulated.archive(export_id)
    assert results(body)["ExportSummary"] == {
        "isTruncated": True,
        "ActualStartTime": utc(died - DAY),
        "ActualEndTime": utc(died - DAY / 2),
    }
    assert len(tables(body)["systemPerformance"]) == 48


# What the service refuses.


def test_an_export_that_is_present_is_not_made_again() -> None:
    emulator = Emulator(exports=0, export_duration=None, refuse_repeats=True)
    agent_id, other_id = emulator.agent_ids[:2]
    times = {"startTime": 1_748_000_000.0, "endTime": 1_748_003_600.0}
    earlier = start(emulator, agent_id, **times)
    start(emulator, agent_id, **times)  # not there yet
    emulator.finish_export(earlier)
    with pytest.raises(ServiceError) as caught:
        start(emulator, agent_id, **times)
    assert caught.value.code == "OperationNotPermittedException"
    assert caught.value.message == f"A successful export is already present Export ID: {earlier}"
    start(emulator, agent_id, startTime=1_748_000_000.0)
    start(emulator, other_id, **times)
    for _ in range(2):
        export_id = str(emulator.call("StartExportTask", {})["exportId"])
        emulator.finish_export(export_id)


def test_a_failed_export_is_made_again() -> None:
    emulator = Emulator(exports=0, export_duration=0, refuse_repeats=True)
    emulator.plan_export(duration=0, fail_with="no luck")
    start(emulator, emulator.agent_ids[0])
    start(emulator, emulator.agent_ids[0])


def test_the_sixth_export_at_once_is_refused_as_the_service_does() -> None:
    emulator = Emulator(exports=0, export_duration=None)
    for _ in range(5):
        start(emulator, emulator.agent_ids[0])
    with pytest.raises(ServiceError) as caught:
        start(emulator, emulator.agent_ids[1])
    assert caught.value.message == (
        "You have reached limit of maximum allowed concurrent exports. Please wait for current "
        "export tasks to finish before starting another."
    )


def test_boto3_downloads_what_the_emulator_says(
    connect: "Callable[[Emulator], ApplicationDiscoveryServiceClient]",
) -> None:
    with Emulator(export_duration=0) as emulator:
        client = connect(emulator)
        export_id = client.start_export_task(
            filters=[
                {"name": "agentIds", "values": [emulator.agent_ids[0]], "condition": "EQUALS"}
            ],
            startTime=datetime(2025, 5, 31, tzinfo=UTC),
            endTime=datetime(2025, 5, 31, 6, tzinfo=UTC),
        )["exportId"]
        (export,) = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"]
        with urlopen(export.get("configurationsDownloadUrl", ""), timeout=30) as response:
            assert response.read() == emulator.archive(export_id)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e, of_agent, _: e.export_rows(of_agent, "Server"), "table must be one of osInfo"),
        (lambda e, _, summary: e.export_rows(summary, "osInfo"), "table must be one of Server"),
        (lambda e, _, summary: e.export_range(summary), "is not an agent's"),
        (lambda e, *_: e.export_rows("export-none", "osInfo"), "there is no export"),
        (lambda e, *_: Emulator(export_size_limit=-1), "export_size_limit must not be negative"),
    ],
)
def test_what_makes_no_sense_is_refused(
    emulated: Emulator, ask: Callable[..., Any], message: str
) -> None:
    of_agent = emulated.add_export(agent_id=emulated.agent_ids[0])
    with pytest.raises(ValueError, match=message):
        ask(emulated, of_agent, emulated.add_export())
