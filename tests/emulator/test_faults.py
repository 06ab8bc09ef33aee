"""Faults on request: which calls they affect, and what these see."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, PaginationError

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient


def outcome(answer: Any) -> tuple[int, str | None]:
    return answer.status, answer.error


def test_throttling_and_server_errors_come_in_the_order_they_were_asked_for(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_throttling(2)
    emulator.inject_server_error()
    emulator.inject_error("HomeRegionNotSetException", "Set a home region.", status=403)
    assert [outcome(post("DescribeTags")) for _ in range(5)] == [
        (400, "ThrottlingException"),
        (400, "ThrottlingException"),
        (500, "ServerInternalErrorException"),
        (403, "HomeRegionNotSetException"),
        (200, None),
    ]


def test_an_injected_error_has_its_message(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    emulator.inject_throttling()
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.describe_tags()


def test_a_fault_can_be_for_one_operation(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_throttling(operation="DescribeAgents")
    emulator.inject_server_error()
    assert outcome(post("DescribeTags")) == (500, "ServerInternalErrorException")
    assert outcome(post("DescribeTags")) == (200, None)
    assert outcome(post("DescribeAgents")) == (400, "ThrottlingException")
    assert outcome(post("DescribeAgents")) == (200, None)


def test_a_fault_without_an_end_lasts_until_it_is_cleared(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_throttling(calls=None)
    assert {outcome(post("DescribeTags")) for _ in range(3)} == {(400, "ThrottlingException")}
    emulator.clear_faults()
    assert outcome(post("DescribeTags")) == (200, None)


def test_faults_spare_calls_that_are_not_signed_or_unknown(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_throttling()
    post("DescribeTags", headers={"Authorization": None})
    post("CreateTags")
    post("DescribeTags", body=b"nonsense")
    assert outcome(post("DescribeTags")) == (400, "ThrottlingException")


def test_a_call_that_fails_on_request_is_not_carried_out(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    before = emulator.export_ids
    emulator.inject_server_error()
    post("StartExportTask")
    assert emulator.export_ids == before


def test_a_dropped_connection_is_a_connection_error(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    emulator.inject_dropped_connection()
    with pytest.raises(ConnectionClosedError):
        client.describe_tags()
    assert client.describe_tags()["tags"]
    assert [request.status for request in emulator.requests] == [None, 200]


def test_latency_holds_up_no_other_call(call: Callable[..., Any]) -> None:
    refused: list[Exception] = []

    def wait() -> None:
        try:
            call(emulator.endpoint_url, "DescribeTags")
        except OSError as error:
            refused.append(error)

    with Emulator() as emulator:
        emulator.inject_latency(3600, operation="DescribeTags")
        held_up = threading.Thread(target=wait)
        held_up.start()
        while not emulator.requests:
            time.sleep(0.001)
        assert outcome(call(emulator.endpoint_url, "DescribeAgents")) == (200, None)
        assert [request.status for request in emulator.requests] == [None, 200]
    # The end of the emulator ends the wait.
    held_up.join()
    assert len(refused) == 1


def test_latency_goes_together_with_another_fault(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_latency(0.001)
    emulator.inject_server_error()
    started = time.monotonic()
    assert outcome(post("DescribeTags")) == (500, "ServerInternalErrorException")
    assert time.monotonic() - started >= 0.001
    assert outcome(post("DescribeTags")) == (200, None)


def test_an_empty_page_leads_to_what_it_should_have_held(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    emulator.inject_empty_page(calls=2)
    paginator = client.get_paginator("describe_export_tasks")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 20}))
    assert [len(page["exportsInfo"]) for page in pages] == [0, 0, 20, 5]
    listed = [export["exportId"] for page in pages for export in page["exportsInfo"]]
    assert listed == list(emulator.export_ids)


def test_an_empty_page_can_stand_in_the_middle_and_has_a_token_of_its_own(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    first = post("DescribeExportTasks", {"maxResults": 20}).json
    emulator.inject_empty_page()
    empty = post("DescribeExportTasks", {"nextToken": first["nextToken"]}).json
    assert empty["exportsInfo"] == []
    assert empty["nextToken"] != first["nextToken"]
    last = post("DescribeExportTasks", {"nextToken": empty["nextToken"]}).json
    assert [e["exportId"] for e in last["exportsInfo"]] == list(emulator.export_ids[20:])


def test_extra_items_are_more_than_asked_for_and_none_comes_twice(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    emulator.inject_extra_items(3, calls=None)
    paginator = client.get_paginator("describe_export_tasks")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 10}))
    assert [len(page["exportsInfo"]) for page in pages] == [13, 12]
    listed = [export["exportId"] for page in pages for export in page["exportsInfo"]]
    assert listed == list(emulator.export_ids)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_token_cycle_goes_round_in_as_many_pages_as_told(
    emulator: Emulator, post: Callable[..., Any], length: int
) -> None:
    emulator.inject_token_cycle(length)
    query: dict[str, Any] = {"maxResults": 5}
    firsts: list[str] = []
    tokens: list[str] = []
    for _ in range(2 * length + 1):
        page = post("DescribeExportTasks", query).json
        firsts.append(page["exportsInfo"][0]["exportId"])
        query["nextToken"] = page["nextToken"]
        tokens.append(page["nextToken"])
    starts = list(emulator.export_ids[:25:5])[:length]
    assert firsts == (starts * 3)[: 2 * length + 1]
    assert len(set(tokens)) == length
    assert tokens[:length] == tokens[length : 2 * length]


def test_a_token_cycle_can_begin_in_the_middle(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    page = post("DescribeExportTasks", {"maxResults": 5}).json
    emulator.inject_token_cycle(2)
    firsts: list[str] = []
    for _ in range(4):
        page = post("DescribeExportTasks", {"maxResults": 5, "nextToken": page["nextToken"]}).json
        firsts.append(page["exportsInfo"][0]["exportId"])
    assert firsts == [emulator.export_ids[at] for at in (5, 10, 5, 10)]


def test_a_token_cycle_closes_where_the_listing_ends(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_token_cycle(100, calls=3)
    page = post("DescribeExportTasks", {"maxResults": 20}).json
    page = post("DescribeExportTasks", {"nextToken": page["nextToken"]}).json
    assert len(page["exportsInfo"]) == 5
    page = post("DescribeExportTasks", {"maxResults": 20, "nextToken": page["nextToken"]}).json
    assert page["exportsInfo"][0]["exportId"] == emulator.export_ids[0]
    # The cycle is over now, and its token leads on.
    page = post("DescribeExportTasks", {"nextToken": page["nextToken"]}).json
    assert len(page["exportsInfo"]) == 5
    assert "nextToken" not in page


def test_botocores_paginator_sees_the_shortest_cycle(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    emulator.inject_token_cycle(operation="DescribeExportTasks")
    paginator = client.get_paginator("describe_export_tasks")
    with pytest.raises(PaginationError, match="same next token"):
        list(paginator.paginate(PaginationConfig={"PageSize": 5}))


@pytest.mark.parametrize(
    ("inject", "message"),
    [
        (lambda e: e.inject_throttling(0), "calls"),
        (lambda e: e.inject_throttling(operation="describe_tags"), "describe_tags"),
        (lambda e: e.inject_throttling(operation="CreateTags"), "CreateTags"),
        (lambda e: e.inject_error("Fine", "Fine", status=200), "status"),
        (lambda e: e.inject_latency(-1), "seconds"),
        (lambda e: e.inject_extra_items(0), "count"),
        (lambda e: e.inject_token_cycle(0), "length"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    inject: Callable[[Emulator], None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        inject(Emulator())
