"""The seeded data: the same for the same seed, in the service's shapes, and open to its filters."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from aiodiscovery.emulator import Emulator, ServiceError
from aiodiscovery.emulator._model import output_shape, read
from aiodiscovery.emulator._service import OPERATIONS

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

TYPES = ["SERVER", "PROCESS", "CONNECTION", "APPLICATION"]
LISTINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("DescribeAgents", "agentsInfo", {}),
    ("DescribeContinuousExports", "descriptions", {}),
    ("DescribeExportConfigurations", "exportsInfo", {}),
    ("DescribeExportTasks", "exportsInfo", {}),
    ("DescribeImportTasks", "tasks", {}),
    ("DescribeTags", "tags", {}),
    *(("ListConfigurations", "configurations", {"configurationType": kind}) for kind in TYPES),
]

NO_LISTINGS = {
    "DescribeBatchDeleteConfigurationTask",
    "StartBatchDeleteConfigurationTask",
    "StartExportTask",
    "StartImportTask",
}


def everything(service: Emulator) -> list[Any]:
    return [service.call(operation, parameters)[key] for operation, key, parameters in LISTINGS]


def refused(operation: str, parameters: dict[str, Any]) -> str:
    with pytest.raises(ServiceError) as caught:
        Emulator().call(operation, parameters)
    return caught.value.code


#: Prints all data of an emulator, and two of its archives.
DATA = """
import hashlib
from aiodiscovery.emulator import Emulator
service = Emulator(seed=3, clock=lambda: 1_800_000_000.0)
print([service.call(operation, parameters)[key] for operation, key, parameters in LISTINGS])
for agent_id in (None, service.agent_ids[0]):
    archive = service.archive(service.add_export(status="SUCCEEDED", agent_id=agent_id))
    print(hashlib.sha256(archive).hexdigest())
"""


def test_the_same_seed_gives_the_same_data_in_another_process() -> None:
    # In this process an emulator may have it from another one.
    seen = {
        subprocess.run(
            [sys.executable, "-c", DATA.replace("LISTINGS", repr(LISTINGS))],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    (output,) = seen
    *_, summary, of_agent = output.splitlines()
    assert summary != of_agent


def test_another_seed_gives_other_data() -> None:
    for one, other in zip(everything(Emulator(seed=3)), everything(Emulator(seed=4)), strict=True):
        assert one != other


def test_more_data_begins_with_what_there_was() -> None:
    few = everything(Emulator(exports=5, import_tasks=3, tags=8, clock=lambda: 0.0))
    many = everything(Emulator(exports=50, import_tasks=9, tags=20, clock=lambda: 0.0))
    for some, more in zip(few, many, strict=True):
        assert more[: len(some)] == some


@pytest.mark.parametrize(("operation", "key", "parameters"), LISTINGS)
def test_every_answer_fits_the_services_model(
    operation: str, key: str, parameters: dict[str, Any]
) -> None:
    service = Emulator(
        exports=100,
        agents=100,
        import_tasks=100,
        continuous_exports=3,
        tags=100,
        configurations=100,
    )
    answer = service.call(operation, parameters)
    assert answer[key]
    # Members that the model does not have would be missing from the parsed answer.
    assert read(output_shape(operation), json.loads(json.dumps(answer))) == answer


def test_the_answer_of_a_start_fits_the_services_model() -> None:
    answer = Emulator().call("StartExportTask", {})
    assert read(output_shape("StartExportTask"), answer) == answer


def test_no_list_of_operations_is_left_out() -> None:
    assert {operation for operation, _, _ in LISTINGS} == OPERATIONS - NO_LISTINGS


def test_seeded_exports_are_a_mix(client: "ApplicationDiscoveryServiceClient") -> None:
    exports = client.describe_export_tasks()["exportsInfo"]
    assert {export["exportStatus"] for export in exports} == {"SUCCEEDED", "FAILED"}
    assert any("requestedStartTime" in export for export in exports)
    assert any("requestedStartTime" not in export for export in exports)
    for export in exports:
        assert ("configurationsDownloadUrl" in export) == (export["exportStatus"] == "SUCCEEDED")


def test_seeded_exports_of_agents_are_found_by_agent() -> None:
    service = Emulator(exports=50)
    agents = service.call("DescribeAgents", {})["agentsInfo"]
    found = 0
    for agent in agents:
        query = [{"name": "agentIds", "values": [agent["agentId"]], "condition": "EQUALS"}]
        found += len(service.call("DescribeExportTasks", {"filters": query})["exportsInfo"])
    assert 0 < found < 50


def test_there_can_be_no_data_at_all() -> None:
    service = Emulator(
        exports=0, agents=0, import_tasks=0, continuous_exports=0, tags=0, configurations=0
    )
    assert everything(service) == [[]] * len(LISTINGS)
    assert Emulator(agents=0).call("DescribeExportTasks", {})["exportsInfo"]


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("EQUALS", lambda value, wanted: value == wanted),
        ("EQ", lambda value, wanted: value == wanted),
        ("NOT_EQUALS", lambda value, wanted: value != wanted),
        ("NE", lambda value, wanted: value != wanted),
        ("CONTAINS", lambda value, wanted: wanted in value),
        ("NOT_CONTAINS", lambda value, wanted: wanted not in value),
    ],
)
@pytest.mark.parametrize(("name", "wanted"), [("health", "HEALTHY"), ("hostName", "web-")])
def test_agents_are_filtered(
    condition: str, matches: Callable[[str, str], bool], name: str, wanted: str
) -> None:
    service = Emulator(agents=50)
    query = [{"name": name, "values": [wanted], "condition": condition}]
    found = service.call("DescribeAgents", {"filters": query})["agentsInfo"]
    agents = service.call("DescribeAgents", {})["agentsInfo"]
    assert found == [agent for agent in agents if matches(agent[name], wanted)]


def test_filters_are_joined_by_and_their_values_by_or() -> None:
    service = Emulator(agents=50)
    query = [
        {"name": "hostName", "values": ["web-", "db-"], "condition": "CONTAINS"},
        {"name": "health", "values": ["HEALTHY"], "condition": "EQUALS"},
    ]
    found = service.call("DescribeAgents", {"filters": query})["agentsInfo"]
    agents = service.call("DescribeAgents", {})["agentsInfo"]
    assert found == [
        agent
        for agent in agents
        if agent["hostName"].startswith(("web-", "db-")) and agent["health"] == "HEALTHY"
    ]
    assert found


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        (
            "DescribeAgents",
            {"filters": [{"name": "color", "values": ["red"], "condition": "EQUALS"}]},
        ),
        (
            "DescribeAgents",
            {"filters": [{"name": "health", "values": ["HEALTHY"], "condition": "LIKE"}]},
        ),
        ("DescribeAgents", {"filters": [{"name": "health", "values": [], "condition": "EQUALS"}]}),
        ("DescribeTags", {"filters": [{"name": "color", "values": ["red"]}]}),
        ("DescribeTags", {"filters": [{"name": "tagKey", "values": []}]}),
        (
            "ListConfigurations",
            {
                "configurationType": "SERVER",
                "filters": [
                    {"name": "process.name", "values": ["nginx"], "condition": "EQUALS"},
                ],
            },
        ),
        (
            "ListConfigurations",
            {
                "configurationType": "SERVER",
                "filters": [
                    {
                        "name": "server.performance.avgCpuUsagePct",
                        "values": ["high"],
                        "condition": "GE",
                    },
                ],
            },
        ),
        (
            "ListConfigurations",
            {"configurationType": "SERVER", "orderBy": [{"fieldName": "server.agentId"}]},
        ),
        (
            "ListConfigurations",
            {"configurationType": "PROCESS", "orderBy": [{"fieldName": "application.name"}]},
        ),
        (
            "ListConfigurations",
            {
                "configurationType": "APPLICATION",
                "filters": [
                    {"name": "application.serverCount", "values": ["1"], "condition": "EQ"},
                ],
            },
        ),
    ],
)
def test_an_unsupported_filter_or_order_is_refused(
    operation: str, parameters: dict[str, Any]
) -> None:
    assert refused(operation, parameters) == "InvalidParameterValueException"


@pytest.mark.parametrize("name", ["tagKey", "tagValue", "configurationId"])
def test_tags_are_filtered(name: str) -> None:
    service = Emulator(tags=60)
    tags = service.call("DescribeTags", {})["tags"]
    key = {"tagKey": "key", "tagValue": "value"}.get(name, name)
    wanted = [tags[0][key], tags[7][key]]
    found = service.call("DescribeTags", {"filters": [{"name": name, "values": wanted}]})["tags"]
    assert found == [tag for tag in tags if tag[key] in wanted]
    assert len(found) < len(tags)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("IMPORT_TASK_ID", "importTaskId"),
        ("STATUS", "status"),
        ("NAME", "name"),
        ("FILE_CLASSIFICATION", "fileClassification"),
    ],
)
def test_import_tasks_are_filtered(name: str, key: str) -> None:
    service = Emulator(import_tasks=30)
    tasks = service.call("DescribeImportTasks", {})["tasks"]
    query = [{"name": name, "values": [tasks[0][key]]}]
    found = service.call("DescribeImportTasks", {"filters": query})["tasks"]
    assert found == [task for task in tasks if task[key] == tasks[0][key]]
    assert len(found) < len(tasks)


def test_a_filter_of_import_tasks_by_status_puts_the_others_out() -> None:
    service = Emulator(import_tasks=30)
    by_status = {"name": "STATUS", "values": ["IMPORT_COMPLETE"]}
    by_name = {"name": "NAME", "values": ["nothing has this name"]}
    query = {"filters": [by_name, by_status]}
    assert service.call("DescribeImportTasks", query) == service.call(
        "DescribeImportTasks", {"filters": [by_status]}
    )


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("GE", lambda value: value >= 50),
        ("LE", lambda value: value <= 50),
        ("GT", lambda value: value > 50),
        ("LT", lambda value: value < 50),
    ],
)
def test_servers_are_filtered_by_number(condition: str, matches: Callable[[float], bool]) -> None:
    service = Emulator()
    name = "server.performance.avgCpuUsagePct"
    query: dict[str, Any] = {"configurationType": "SERVER"}
    servers = service.call("ListConfigurations", query)["configurations"]
    query["filters"] = [{"name": name, "values": ["50"], "condition": condition}]
    found = service.call("ListConfigurations", query)["configurations"]
    assert found == [server for server in servers if matches(float(server[name]))]
    assert 0 < len(found) < len(servers)


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("SERVER", "server.hostName", str),
        ("PROCESS", "process.name", str),
        ("CONNECTION", "connection.destinationPort", int),
        ("APPLICATION", "application.serverCount", int),
    ],
)
def test_configurations_are_ordered(kind: str, name: str, key: Callable[[str], Any]) -> None:
    service = Emulator()
    query: dict[str, Any] = {"configurationType": kind}
    plain = service.call("ListConfigurations", query)["configurations"]
    query["orderBy"] = [{"fieldName": name}]
    ascending = service.call("ListConfigurations", query)["configurations"]
    assert ascending == sorted(plain, key=lambda item: key(item[name]))
    query["orderBy"] = [{"fieldName": name, "sortOrder": "DESC"}]
    descending = service.call("ListConfigurations", query)["configurations"]
    assert descending == sorted(plain, key=lambda item: key(item[name]), reverse=True)


def test_the_first_field_of_an_order_decides() -> None:
    query = {
        "configurationType": "SERVER",
        "orderBy": [
            {"fieldName": "server.osName", "sortOrder": "DESC"},
            {"fieldName": "server.hostName", "sortOrder": "ASC"},
        ],
    }
    servers = Emulator().call("ListConfigurations", query)["configurations"]
    by_name = sorted(servers, key=lambda server: server["server.hostName"])
    assert servers == sorted(by_name, key=lambda s: s["server.osName"], reverse=True)


def test_an_answer_is_the_callers_to_change() -> None:
    service = Emulator()
    service.call("DescribeTags", {})["tags"][0].clear()
    assert service.call("DescribeTags", {})["tags"][0]
