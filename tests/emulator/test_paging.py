"""Paging: what is on a page, and what its token does."""

import base64
import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.paginate import TokenDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

from aiodiscovery.emulator import Emulator, ServiceError

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

PAGED = [
    ("describe_agents", "agentsInfo", {}, 10),
    ("describe_continuous_exports", "descriptions", {}, 2),
    ("describe_export_configurations", "exportsInfo", {}, 25),
    ("describe_export_tasks", "exportsInfo", {}, 25),
    ("describe_import_tasks", "tasks", {}, 5),
    ("describe_tags", "tags", {}, 20),
    ("list_configurations", "configurations", {"configurationType": "SERVER"}, 50),
    ("list_configurations", "configurations", {"configurationType": "PROCESS"}, 50),
    ("list_configurations", "configurations", {"configurationType": "CONNECTION"}, 50),
    ("list_configurations", "configurations", {"configurationType": "APPLICATION"}, 50),
]


def refused(service: Emulator, parameters: dict[str, Any]) -> str:
    with pytest.raises(ServiceError) as caught:
        service.call("DescribeExportTasks", parameters)
    return caught.value.code


def pages(service: Emulator, operation: str, **parameters: Any) -> list[dict[str, Any]]:
    found = [service.call(operation, parameters)]
    while "nextToken" in found[-1]:
        parameters["nextToken"] = found[-1]["nextToken"]
        found.append(service.call(operation, parameters))
    return found


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [export["exportId"] for page in found for export in page["exportsInfo"]]


@pytest.mark.parametrize(("operation", "key", "parameters", "count"), PAGED)
def test_boto3s_paginator_reads_every_listing_to_its_end(
    client: "ApplicationDiscoveryServiceClient",
    operation: Any,
    key: str,
    parameters: dict[str, Any],
    count: int,
) -> None:
    paginator: Any = client.get_paginator(operation)
    whole = paginator.paginate(**parameters).build_full_result()[key]
    by_twos = paginator.paginate(**parameters, PaginationConfig={"PageSize": 2})
    assert len(whole) == count
    assert len({json.dumps(item, default=str) for item in whole}) == count
    items = [item for page in by_twos for item in page[key]]
    stable = [{k: v for k, v in i.items() if k != "configurationsDownloadUrl"} for i in items]
    assert stable == [
        {k: v for k, v in i.items() if k != "configurationsDownloadUrl"} for i in whole
    ]


def test_a_listing_is_in_the_order_of_creation(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    started = client.start_export_task()["exportId"]
    added = emulator.add_export()
    listed = [export["exportId"] for export in client.describe_export_tasks()["exportsInfo"]]
    assert listed == list(emulator.export_ids)
    assert listed[-2:] == [started, added]


def test_a_page_has_at_most_a_hundred_items() -> None:
    first, second, third = pages(Emulator(exports=250), "DescribeExportTasks")
    assert [len(page["exportsInfo"]) for page in (first, second, third)] == [100, 100, 50]


@pytest.mark.parametrize("exports", [0, 1, 3])
def test_the_last_page_has_no_token_even_when_it_is_full(exports: int) -> None:
    page = Emulator(exports=exports).call("DescribeExportTasks", {"maxResults": max(exports, 1)})
    assert "nextToken" not in page


def test_nothing_is_lost_or_repeated_while_exports_are_added() -> None:
    service = Emulator(exports=5)
    page = service.call("DescribeExportTasks", {"maxResults": 2})
    found = [page]
    while "nextToken" in page:
        if len(service.export_ids) < 12:
            service.add_export()
        page = service.call(
            "DescribeExportTasks", {"maxResults": 2, "nextToken": page["nextToken"]}
        )
        found.append(page)
    assert ids(found) == list(service.export_ids)


def test_a_token_works_with_another_page_size() -> None:
    service = Emulator(exports=10)
    first = service.call("DescribeExportTasks", {"maxResults": 3})
    rest = service.call("DescribeExportTasks", {"maxResults": 100, "nextToken": first["nextToken"]})
    assert ids([first, rest]) == list(service.export_ids)


def test_a_token_works_after_a_restart_with_the_same_seed() -> None:
    first = Emulator(exports=10, seed=7).call("DescribeExportTasks", {"maxResults": 3})
    again = Emulator(exports=10, seed=7)
    rest = again.call("DescribeExportTasks", {"nextToken": first["nextToken"]})
    assert ids([first, rest]) == list(again.export_ids)


def test_a_token_of_another_seed_is_refused() -> None:
    token = Emulator(seed=1).call("DescribeExportTasks", {"maxResults": 3})["nextToken"]
    assert refused(Emulator(seed=2), {"nextToken": token}) == "InvalidParameterValueException"


def test_a_token_of_another_operation_is_refused() -> None:
    service = Emulator()
    token = service.call("DescribeExportConfigurations", {"maxResults": 3})["nextToken"]
    assert refused(service, {"nextToken": token}) == "InvalidParameterValueException"


def test_a_token_of_another_query_is_refused() -> None:
    service = Emulator()
    some = list(service.export_ids[:5])
    token = service.call("DescribeExportTasks", {"maxResults": 2, "exportIds": some})["nextToken"]
    assert refused(service, {"nextToken": token}) == "InvalidParameterValueException"
    query = {"nextToken": token, "exportIds": some[:4]}
    assert refused(service, query) == "InvalidParameterValueException"


def test_a_member_that_the_service_does_not_know_changes_no_query() -> None:
    service = Emulator()
    token = service.call("DescribeExportTasks", {"maxResults": 2, "hint": 1})["nextToken"]
    assert service.call("DescribeExportTasks", {"nextToken": token})["exportsInfo"]


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_a_made_up_token_is_refused(token: str) -> None:
    assert refused(Emulator(exports=3), {"nextToken": token}) == "InvalidParameterValueException"


@settings(deadline=None)
@given(st.integers(0, 43), st.sampled_from("ABCxyz019+/=-_ "))
def test_a_changed_token_is_refused(position: int, character: str) -> None:
    service = Emulator(exports=3)
    token = service.call("DescribeExportTasks", {"maxResults": 1})["nextToken"]
    changed = token[:position] + character + token[position + 1 :]
    if changed != token:
        assert refused(service, {"nextToken": changed}) == "InvalidParameterValueException"


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30))
def test_no_token_can_be_taken_for_one_of_botocores(seed: int, size: int) -> None:
    token = Emulator(seed=seed, exports=31).call("DescribeExportTasks", {"maxResults": size})
    with pytest.raises(UnicodeDecodeError):
        base64.b64decode(token["nextToken"]).decode("utf-8")
    with pytest.raises(ValueError, match="utf-8"):
        TokenDecoder().decode(token["nextToken"])


@pytest.mark.parametrize("size", [-1, 0, 101, 2**31 - 1])
@pytest.mark.parametrize(
    "operation", ["DescribeExportTasks", "DescribeImportTasks", "DescribeContinuousExports"]
)
def test_a_page_size_out_of_range_is_refused(
    post: Callable[..., Any], operation: str, size: int
) -> None:
    answer = post(operation, {"maxResults": size})
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")


@pytest.mark.parametrize(
    ("operation", "name", "one"),
    [
        ("DescribeAgents", "agentIds", "o-0123456789abcdef0"),
        ("DescribeContinuousExports", "exportIds", "export-1"),
        ("DescribeExportConfigurations", "exportIds", "export-1"),
        ("DescribeExportTasks", "exportIds", "export-1"),
    ],
)
def test_more_than_a_hundred_ids_are_refused(
    post: Callable[..., Any], operation: str, name: str, one: str
) -> None:
    answer = post(operation, {name: [one] * 101})
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")


def test_ids_are_answered_once_each_in_listing_order(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    first, second, third = emulator.export_ids[:3]
    unknown = f"export-{uuid.uuid4()}"
    found = client.describe_export_tasks(exportIds=[third, unknown, first, third, second])
    assert [export["exportId"] for export in found["exportsInfo"]] == [first, second, third]


def test_ids_are_paged_too() -> None:
    service = Emulator(exports=30)
    wanted = list(service.export_ids[::2])
    found = pages(service, "DescribeExportTasks", exportIds=wanted, maxResults=4)
    assert [len(page["exportsInfo"]) for page in found] == [4, 4, 4, 3]
    assert ids(found) == wanted


def test_an_empty_list_of_ids_asks_for_everything() -> None:
    service = Emulator(exports=5)
    assert len(ids(pages(service, "DescribeExportTasks", exportIds=[]))) == 5


def test_unknown_ids_alone_give_an_empty_page(client: "ApplicationDiscoveryServiceClient") -> None:
    page = client.describe_export_tasks(exportIds=["export-unknown"])
    assert page["exportsInfo"] == []
    assert "nextToken" not in page
    assert client.describe_agents(agentIds=["o-unknown-agent"])["agentsInfo"] == []


def test_an_unknown_continuous_export_is_not_found(
    client: "ApplicationDiscoveryServiceClient",
) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="nowhere"):
        client.describe_continuous_exports(exportIds=["nowhere"])


def test_agents_and_continuous_exports_are_found_by_id(
    client: "ApplicationDiscoveryServiceClient",
) -> None:
    agent_ids = [a.get("agentId", "") for a in client.describe_agents()["agentsInfo"]]
    found = client.describe_agents(agentIds=[agent_ids[4], agent_ids[1]])["agentsInfo"]
    assert [agent.get("agentId") for agent in found] == [agent_ids[1], agent_ids[4]]
    continuous = client.describe_continuous_exports()["descriptions"][1]
    export_id = continuous.get("exportId", "")
    found_exports = client.describe_continuous_exports(exportIds=[export_id, export_id])
    assert found_exports["descriptions"] == [continuous]


def test_a_bad_token_reaches_boto3_as_the_services_error(
    client: "ApplicationDiscoveryServiceClient",
) -> None:
    with pytest.raises(ClientError) as caught:
        client.describe_export_tasks(nextToken="nonsense")
    assert caught.value.response.get("Error", {}).get("Code") == "InvalidParameterValueException"
