"""Summaries of all servers, and the EC2 instances that are recommended for them."""

import re
from typing import Any

import pytest
from support.archives import files, read, tables, texts

from aiodiscovery.emulator import Emulator

TABLES = [
    "Server",
    "Application",
    "ApplicationResourceAssociation",
    "ImportTemplate",
    "NetworkInterface",
    "SystemPerformance",
    "Tags",
    "VMwareInfo",
]
RECOMMENDED = {"preferences": {"ec2RecommendationsPreferences": {"enabled": True}}}


@pytest.fixture(scope="module")
def emulated() -> Emulator:
    return Emulator(exports=0, export_duration=0)


def start(emulator: Emulator, query: dict[str, Any]) -> str:
    return str(emulator.call("StartExportTask", query)["exportId"])


def listed(emulator: Emulator, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]]
    found = emulator.call("ListConfigurations", {"configurationType": kind})["configurations"]
    return found


@pytest.fixture(scope="module")
def summary(emulated: Emulator) -> dict[str, list[dict[str, str]]]:
    return tables(emulated.archive(start(emulated, {})))


def test_a_summary_has_the_files_of_the_service(emulated: Emulator) -> None:
    export_id = start(emulated, {})
    content = files(emulated.archive(export_id))
    assert list(content) == [f"{emulated.account_number}_{name}.csv" for name in TABLES]
    assert list(emulated.export_tables(export_id)) == TABLES
    for name, data in zip(TABLES, content.values(), strict=True):
        assert read(data.decode()) == texts(emulated.export_rows(export_id, name))


def test_its_servers_are_those_that_are_listed(
    emulated: Emulator, summary: dict[str, list[dict[str, str]]]
) -> None:
    servers = summary["Server"]
    assert list(servers[0]) == [
        *("Id", "accountNumber", "agentId", "cpuType", "hostName", "hypervisor", "osName"),
        *("osVersion", "smBiosId", "type", "creationTimeStamp", "lastModifiedTimeStamp"),
        "agentProvidedTimeStamp",
    ]
    assert [(row["Id"], row["hostName"], row["osName"]) for row in servers] == [
        (item["server.configurationId"], item["server.hostName"], item["server.osName"])
        for item in listed(emulated, "SERVER")
    ]


def test_its_servers_name_the_agents_that_are_listed(
    emulated: Emulator, summary: dict[str, list[dict[str, str]]]
) -> None:
    agents = [row["agentId"] for row in summary["Server"] if row["agentId"]]
    wanted = [agent_id for agent_id in emulated.agent_ids if agent_id not in emulated.connector_ids]
    assert agents == wanted
    for row in summary["Server"]:
        assert bool(row["agentId"]) == bool(row["agentProvidedTimeStamp"])


def test_what_belongs_to_servers_and_applications_can_be_joined(
    emulated: Emulator, summary: dict[str, list[dict[str, str]]]
) -> None:
    servers = {row["Id"] for row in summary["Server"]}
    applications = {row["Id"]: row["name"] for row in summary["Application"]}
    assert applications == {
        item["application.configurationId"]: item["application.name"]
        for item in listed(emulated, "APPLICATION")
    }
    for row in summary["ApplicationResourceAssociation"]:
        assert row["configId"] in servers
        assert row["applicationConfigurationId"] in applications
    for name in ("NetworkInterface", "SystemPerformance", "VMwareInfo"):
        assert {row["serverId"] for row in summary[name]} <= servers
    assert {row["configurationId"] for row in summary["Tags"]} <= servers
    assert len(summary["Tags"]) == 20


def test_an_import_template_has_32_columns_and_lists_in_its_cells(
    summary: dict[str, list[dict[str, str]]],
) -> None:
    rows = summary["ImportTemplate"]
    assert len(rows[0]) == 32
    assert re.fullmatch("environment:[a-z]+, owner:[a-z]+, wave:[0-9]", rows[0]["Tags"])
    assert any(row["Applications"] for row in rows)
    assert any(not row["Applications"] for row in rows)


def test_disk_sizes_of_servers_without_an_agent_are_in_mb(
    summary: dict[str, list[dict[str, str]]],
) -> None:
    for row in summary["SystemPerformance"]:
        assert (float(row["totalDiskSize"]) > 5000) == (not row["agentId"])


def test_servers_that_were_deleted_before_are_not_in_it() -> None:
    emulator = Emulator(exports=0, export_duration=0)
    before = start(emulator, {})
    first = listed(emulator, "SERVER")[0]["server.configurationId"]
    emulator.call(
        "StartBatchDeleteConfigurationTask",
        {"configurationType": "SERVER", "configurationIds": [first]},
    )
    after = start(emulator, {})
    for name, key in (("Server", "Id"), ("Tags", "configurationId"), ("Server", "Id")):
        assert first in {row[key] for row in emulator.export_rows(before, name)}
        assert first not in {row[key] for row in emulator.export_rows(after, name)}
    assert first.encode() in b"".join(files(emulator.archive(before)).values())
    assert first.encode() not in b"".join(files(emulator.archive(after)).values())


def test_each_summary_has_other_averages_and_the_same_servers(emulated: Emulator) -> None:
    one, other = (tables(emulated.archive(start(emulated, {}))) for _ in range(2))
    assert one["SystemPerformance"] != other["SystemPerformance"]
    assert [row["Id"] for row in one["Server"]] == [row["Id"] for row in other["Server"]]


def test_recommendations_are_one_file_of_57_columns(emulated: Emulator) -> None:
    export_id = start(emulated, RECOMMENDED)
    ((name, data),) = files(emulated.archive(export_id)).items()
    assert name == "EC2InstanceRecommendations.csv"
    rows = read(data.decode())
    assert len(rows[0]) == 57
    assert rows == [
        {**row, "Recommendation.EC2.Instance.Price.EffectiveDate.UTC": _space(row)}
        for row in texts(emulated.export_rows(export_id, name.partition(".")[0]))
    ]
    assert [row["ServerId"] for row in rows] == [
        item["server.configurationId"] for item in listed(emulated, "SERVER")
    ]


def _space(row: dict[str, str]) -> str:
    time = row["Recommendation.EC2.Instance.Price.EffectiveDate.UTC"]
    found = re.fullmatch(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d:\d\d) (am|pm)", time)
    if found is None:
        return time
    month, day, year, hour, rest, half = found.groups()
    return f"{year}-{month}-{day} {int(hour) % 12 + 12 * (half == 'pm'):02d}:{rest}"


def test_a_server_without_a_match_has_a_remark(emulated: Emulator) -> None:
    rows = list(emulated.export_rows(start(emulated, RECOMMENDED), "EC2InstanceRecommendations"))
    for row in rows:
        model, remark = (
            row[f"Recommendation.EC2.{name}"] for name in ("Instance.Model", "Remarks")
        )
        assert (model is None) == (remark is not None)
    assert 0 < sum(row["Recommendation.EC2.Remarks"] is None for row in rows) < len(rows)


def test_recommendations_are_added_without_a_call(emulated: Emulator) -> None:
    export_id = emulated.add_export(status="SUCCEEDED", recommendations=True)
    assert emulated.export_tables(export_id) == ("EC2InstanceRecommendations",)


@pytest.mark.parametrize("enabled", [False, None])
def test_preferences_that_are_not_enabled_give_a_summary(
    emulated: Emulator, enabled: bool | None
) -> None:
    preferences = {} if enabled is None else {"enabled": enabled}
    export_id = start(emulated, {"preferences": {"ec2RecommendationsPreferences": preferences}})
    assert list(emulated.export_tables(export_id)) == TABLES


def test_an_agent_has_its_data_whatever_is_preferred(emulated: Emulator) -> None:
    agents = [{"name": "agentIds", "values": [emulated.agent_ids[0]], "condition": "EQUALS"}]
    export_id = start(emulated, {"filters": agents, **RECOMMENDED})
    assert "osInfo" in emulated.export_tables(export_id)


def test_there_may_be_no_servers_at_all() -> None:
    emulator = Emulator(exports=0, agents=0, configurations=0, tags=0)
    for recommendations in (False, True):
        export_id = emulator.add_export(status="SUCCEEDED", recommendations=recommendations)
        assert files(emulator.archive(export_id)) == {}
