"""Exports: how they are started, how their status changes, and how they end."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clocks import Clock

from aiodiscovery.emulator import Emulator, ServiceError

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

HOUR = 3600.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def service_on(clock: Clock, **settings: Any) -> Emulator:
    return Emulator(exports=0, clock=clock, **settings)


def describe(service: Emulator, export_id: str) -> dict[str, Any]:
    export: dict[str, Any]
    (export,) = service.call("DescribeExportTasks", {"exportIds": [export_id]})["exportsInfo"]
    return export


def agent_of(service: Emulator) -> str:
    return str(service.call("DescribeAgents", {})["agentsInfo"][0]["agentId"])


def agent_filter(agent_id: str, name: str = "agentIds", condition: str = "EQUALS") -> Any:
    return [{"name": name, "values": [agent_id], "condition": condition}]


def refused(service: Emulator, parameters: dict[str, Any]) -> str:
    with pytest.raises(ServiceError) as caught:
        service.call("StartExportTask", parameters)
    return caught.value.code


def test_an_export_is_in_progress_until_its_time_is_over(clock: Clock) -> None:
    service = service_on(clock, export_duration=60.0)
    export_id = service.call("StartExportTask", {})["exportId"]
    running = describe(service, export_id)
    assert running["exportStatus"] == "IN_PROGRESS"
    assert running["exportRequestTime"] == clock.now
    assert running["statusMessage"]
    assert "configurationsDownloadUrl" not in running
    clock.now += 59.9
    assert describe(service, export_id)["exportStatus"] == "IN_PROGRESS"
    clock.now += 0.1
    over = describe(service, export_id)
    assert over["exportStatus"] == "SUCCEEDED"
    assert over["isTruncated"] is False
    assert over["configurationsDownloadUrl"]


def test_an_export_without_a_duration_runs_until_it_is_finished(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = client.start_export_task(exportDataFormat=["CSV"])["exportId"]
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert described["exportStatus"] == "IN_PROGRESS"
    emulator.finish_export(export_id, truncated=True)
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert described["exportStatus"] == "SUCCEEDED"
    assert described.get("isTruncated") is True


def test_an_export_fails_with_the_message_it_is_given(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = client.start_export_task()["exportId"]
    emulator.fail_export(export_id, "the disk is full")
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert described["exportStatus"] == "FAILED"
    assert described["statusMessage"] == "the disk is full"
    assert "configurationsDownloadUrl" not in described


def test_an_export_can_have_a_status_that_the_service_does_not_know(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="PAUSED")
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert (described["exportStatus"], described["statusMessage"]) == ("PAUSED", "")
    emulator.set_export_status(export_id, "QUEUED", "third in line")
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert (described["exportStatus"], described["statusMessage"]) == ("QUEUED", "third in line")


def test_an_export_that_is_over_can_run_again(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="FAILED", message="gone")
    emulator.set_export_status(export_id, "IN_PROGRESS")
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert described["exportStatus"] == "IN_PROGRESS"


def test_an_unknown_export_cannot_be_told_anything() -> None:
    emulator = Emulator()
    with pytest.raises(ValueError, match="there is no export 'export-1'"):
        emulator.finish_export("export-1")


def test_an_added_export_takes_the_duration_and_the_end_it_is_given(clock: Clock) -> None:
    service = service_on(clock, export_duration=None)
    fails = service.add_export(duration=10, fail_with="no luck")
    truncated = service.add_export(duration=20, truncated=True)
    told = service.add_export()
    clock.now += 20
    assert describe(service, fails)["exportStatus"] == "FAILED"
    assert describe(service, fails)["statusMessage"] == "no luck"
    assert describe(service, truncated)["isTruncated"] is True
    assert describe(service, told)["exportStatus"] == "IN_PROGRESS"


def test_an_added_export_shows_the_range_and_the_agent_it_is_given(clock: Clock) -> None:
    service = service_on(clock)
    export_id = service.add_export(agent_id="o-1234567890", start_time=1.5, end_time=2.5)
    service.add_export()
    query = {"filters": agent_filter("o-1234567890", "AgentId")}
    (export,) = service.call("DescribeExportTasks", query)["exportsInfo"]
    assert export["exportId"] == export_id
    assert (export["requestedStartTime"], export["requestedEndTime"]) == (1.5, 2.5)


def test_exports_can_be_added_by_the_thousand(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    added = emulator.add_exports(5000)
    assert emulator.export_ids[-5000:] == added
    paginator = client.get_paginator("describe_export_tasks")
    listed = [e["exportId"] for page in paginator.paginate() for e in page["exportsInfo"]]
    assert listed == list(emulator.export_ids)


def test_plans_are_for_the_exports_that_are_started_next(clock: Clock) -> None:
    service = service_on(clock, export_duration=1.0)
    service.plan_export(duration=10, fail_with="as planned")
    service.plan_export(truncated=True)
    first, second, third = (service.call("StartExportTask", {})["exportId"] for _ in range(3))
    clock.now += 1
    assert describe(service, first)["exportStatus"] == "IN_PROGRESS"
    assert describe(service, second)["isTruncated"] is True
    assert describe(service, third)["isTruncated"] is False
    clock.now += 9
    assert describe(service, first)["statusMessage"] == "as planned"


def test_an_export_is_missing_until_its_visibility_delay_is_over(clock: Clock) -> None:
    service = service_on(clock, visibility_delay=2.0)
    export_id = service.call("StartExportTask", {})["exportId"]
    later = service.add_export()
    assert service.call("DescribeExportTasks", {"exportIds": [export_id]})["exportsInfo"] == []
    assert service.call("DescribeExportTasks", {})["exportsInfo"] == []
    assert service.export_ids == (export_id, later)
    clock.now += 2.0
    assert len(service.call("DescribeExportTasks", {})["exportsInfo"]) == 2
    hidden = service.add_export(visibility_delay=1)
    assert service.call("DescribeExportTasks", {"exportIds": [hidden]})["exportsInfo"] == []


@settings(deadline=None)
@given(st.data())
def test_a_listing_loses_nothing_that_becomes_visible_on_the_way(data: st.DataObject) -> None:
    clock = Clock()
    service = service_on(clock, visibility_delay=3.0)
    seen: list[str] = []
    query: dict[str, Any] = {"maxResults": 2}
    for _ in range(data.draw(st.integers(1, 15))):
        match data.draw(st.sampled_from(["start", "add", "hide", "wait", "list"])):
            case "start":
                service.call("StartExportTask", {})
            case "add":
                service.add_export()
            case "hide":
                service.add_export(visibility_delay=data.draw(st.integers(0, 5)))
            case "wait":
                clock.now += 1
            case _:
                page = service.call("DescribeExportTasks", query)
                seen += [export["exportId"] for export in page["exportsInfo"]]
                if "nextToken" not in page:
                    break
                query["nextToken"] = page["nextToken"]
    assert seen == list(service.export_ids[: len(seen)])


@pytest.mark.parametrize("name", ["agentIds", "AgentId", "agentId"])
def test_an_agent_export_has_its_range_and_is_found_by_its_agent(clock: Clock, name: str) -> None:
    service = service_on(clock)
    agent_id = agent_of(service)
    filters = agent_filter(agent_id, name)
    times = {"startTime": clock.now - 72 * HOUR, "endTime": clock.now}
    service.call("StartExportTask", {})
    export_id = service.call("StartExportTask", {"filters": filters, **times})["exportId"]
    (export,) = service.call("DescribeExportTasks", {"filters": filters})["exportsInfo"]
    assert export["exportId"] == export_id
    assert export["requestedStartTime"] == times["startTime"]
    assert export["requestedEndTime"] == times["endTime"]


def test_filters_of_exports_must_all_match(clock: Clock) -> None:
    service = service_on(clock)
    service.add_export(agent_id="o-1234567890")
    both = [*agent_filter("o-1234567890"), *agent_filter("o-0987654321")]
    assert service.call("DescribeExportTasks", {"filters": both})["exportsInfo"] == []


def test_a_range_without_an_agent_is_ignored(clock: Clock) -> None:
    service = service_on(clock)
    query = {"startTime": clock.now, "endTime": clock.now - 1000 * HOUR}
    export = describe(service, service.call("StartExportTask", query)["exportId"])
    assert "requestedStartTime" not in export
    assert "requestedEndTime" not in export


def test_half_a_range_is_enough(clock: Clock) -> None:
    service = service_on(clock)
    query = {"filters": agent_filter(agent_of(service)), "startTime": clock.now - 1000 * HOUR}
    export = describe(service, service.call("StartExportTask", query)["exportId"])
    assert export["requestedStartTime"] == query["startTime"]
    assert "requestedEndTime" not in export


@pytest.mark.parametrize(("start", "end"), [(0, -1), (0, 72 * HOUR + 1)])
def test_a_bad_range_is_refused(clock: Clock, start: float, end: float) -> None:
    service = service_on(clock)
    query = {
        "filters": agent_filter(agent_of(service)),
        "startTime": clock.now + start,
        "endTime": clock.now + end,
    }
    assert refused(service, query) == "InvalidParameterValueException"


@pytest.mark.parametrize("operation", ["StartExportTask", "DescribeExportTasks"])
@pytest.mark.parametrize(
    "bad",
    [
        {"name": "serverIds", "values": ["o-1234567890"], "condition": "EQUALS"},
        {"name": "agentIds", "values": ["o-1234567890"], "condition": "CONTAINS"},
        {"name": "agentIds", "values": [], "condition": "EQUALS"},
    ],
)
def test_an_unsupported_filter_of_exports_is_refused(
    post: Callable[..., Any], operation: str, bad: Any
) -> None:
    answer = post(operation, {"filters": [bad]})
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")


def test_an_export_of_an_unknown_agent_is_refused(clock: Clock) -> None:
    query = {"filters": agent_filter("o-00000000000000000")}
    assert refused(service_on(clock), query) == "InvalidParameterValueException"


def test_an_export_of_two_agents_is_refused(clock: Clock) -> None:
    service = service_on(clock)
    agent_id = agent_of(service)
    two = {"name": "agentIds", "values": [agent_id, agent_id], "condition": "EQUALS"}
    assert refused(service, {"filters": [two]}) == "InvalidParameterValueException"
    query = {"filters": agent_filter(agent_id) * 2}
    assert refused(service, query) == "InvalidParameterValueException"


def test_five_agent_exports_run_at_once(clock: Clock) -> None:
    service = service_on(clock, export_duration=60.0)
    query = {"filters": agent_filter(agent_of(service))}
    for _ in range(5):
        service.call("StartExportTask", query)
    assert refused(service, query) == "OperationNotPermittedException"
    service.call("StartExportTask", {})
    clock.now += 60
    service.call("StartExportTask", query)


def test_a_days_exports_are_limited(clock: Clock) -> None:
    service = service_on(clock, exports_per_day=2)
    service.call("StartExportTask", {})
    clock.now += HOUR
    service.call("StartExportTask", {})
    assert refused(service, {}) == "OperationNotPermittedException"
    service.add_export()
    clock.now += 23 * HOUR
    service.call("StartExportTask", {})
    assert refused(service, {}) == "OperationNotPermittedException"


def test_a_plan_can_be_made_from_outside(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    emulator.plan_export(duration=0, fail_with="as planned")
    export_id = client.start_export_task()["exportId"]
    described = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"][0]
    assert described["statusMessage"] == "as planned"


def test_an_export_that_is_refused_uses_up_no_plan(clock: Clock) -> None:
    service = service_on(clock)
    service.plan_export(duration=0, fail_with="planned")
    refused(service, {"filters": agent_filter("o-00000000000000000")})
    export = describe(service, service.call("StartExportTask", {})["exportId"])
    assert export["statusMessage"] == "planned"


@pytest.mark.parametrize(
    "settings",
    [
        {"exports": -1},
        {"export_duration": -0.5},
        {"visibility_delay": float("nan")},
        {"exports_per_day": -1},
        {"port": 65536},
        {"port": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Emulator(**settings)


def test_a_negative_duration_is_refused(clock: Clock) -> None:
    service = service_on(clock)
    with pytest.raises(ValueError, match="duration"):
        service.add_export(duration=-1)
    with pytest.raises(ValueError, match="duration"):
        service.plan_export(duration=-1)
