"""Import tasks and batch-delete tasks: how they start, change and end."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.clocks import Clock

from aiodiscovery.emulator import Emulator, ServiceError
from aiodiscovery.emulator._model import output_shape, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_discovery import ApplicationDiscoveryServiceClient

IMPORT = {"name": "servers", "importUrl": "s3://bucket/servers.csv"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Emulator:
    return Emulator(exports=0, import_tasks=2, export_duration=60.0, clock=clock)


def answer_of(service: Emulator, operation: str, parameters: dict[str, Any]) -> Any:
    answer = service.call(operation, parameters)
    # Members that the model does not have would be missing from the parsed answer.
    assert read(output_shape(operation), json.loads(json.dumps(answer))) == answer
    return answer


def start_import(service: Emulator, **more: str) -> str:
    task = answer_of(service, "StartImportTask", IMPORT | more)["task"]
    return str(task["importTaskId"])


def import_task(service: Emulator, task_id: str) -> Any:
    filters = [{"name": "IMPORT_TASK_ID", "values": [task_id]}]
    (task,) = answer_of(service, "DescribeImportTasks", {"filters": filters})["tasks"]
    return task


def start_delete(service: Emulator, *ids: str) -> str:
    parameters = {"configurationType": "SERVER", "configurationIds": list(ids)}
    return str(answer_of(service, "StartBatchDeleteConfigurationTask", parameters)["taskId"])


def delete_task(service: Emulator, task_id: str) -> Any:
    parameters = {"taskId": task_id}
    return answer_of(service, "DescribeBatchDeleteConfigurationTask", parameters)["task"]


def servers(service: Emulator) -> list[str]:
    answer = service.call("ListConfigurations", {"configurationType": "SERVER"})
    return [configuration["server.configurationId"] for configuration in answer["configurations"]]


def status_of(client: "ApplicationDiscoveryServiceClient", task_id: str) -> str | None:
    task = client.describe_batch_delete_configuration_task(taskId=task_id)["task"]
    return task.get("status")


def test_an_import_is_in_progress_until_its_time_is_over(clock: Clock, service: Emulator) -> None:
    task_id = start_import(service)
    clock.now += 59.0
    assert import_task(service, task_id)["status"] == "IMPORT_IN_PROGRESS"
    clock.now += 1.0
    task = import_task(service, task_id)
    assert task["status"] == "IMPORT_COMPLETE"
    assert task["importCompletionTime"] == clock.now
    assert (task["name"], task["importUrl"]) == (IMPORT["name"], IMPORT["importUrl"])


def test_imports_are_listed_behind_those_that_were_there(service: Emulator) -> None:
    task_id = start_import(service)
    tasks = service.call("DescribeImportTasks", {})["tasks"]
    assert len(tasks) == 3
    assert tasks[-1]["importTaskId"] == task_id


def test_an_import_is_started_once_for_each_token(service: Emulator) -> None:
    first = start_import(service, clientRequestToken="once")
    assert start_import(service, clientRequestToken="once") == first
    assert start_import(service, clientRequestToken="twice") != first


def test_a_batch_delete_goes_through_its_phases(clock: Clock, service: Emulator) -> None:
    task_id = start_delete(service)
    statuses = []
    for _ in range(4):
        statuses.append(delete_task(service, task_id)["status"])
        clock.now += 20.0
    assert statuses == ["INITIALIZING", "VALIDATING", "DELETING", "COMPLETED"]


def test_what_a_batch_delete_deletes_is_gone_in_the_end(clock: Clock, service: Emulator) -> None:
    first, *others = servers(service)
    task_id = start_delete(service, first, "d-server-unknown")
    assert servers(service) == [first, *others]
    clock.now += 60.0
    assert servers(service) == others
    task = delete_task(service, task_id)
    assert task["deletedConfigurations"] == [first]
    assert [configuration["configurationId"] for configuration in task["failedConfigurations"]] == [
        "d-server-unknown"
    ]


def test_a_batch_delete_that_fails_deletes_nothing(clock: Clock, service: Emulator) -> None:
    before = servers(service)
    task_id = start_delete(service, before[0])
    service.set_task_status(task_id, "FAILED")
    assert delete_task(service, task_id)["status"] == "FAILED"
    assert servers(service) == before


def test_a_task_that_was_just_started_may_be_missing_for_a_moment(clock: Clock) -> None:
    service = Emulator(import_tasks=0, visibility_delay=5.0, clock=clock)
    import_id, delete_id = start_import(service), start_delete(service)
    assert not service.call("DescribeImportTasks", {})["tasks"]
    with pytest.raises(ServiceError, match="There is no batch-delete task"):
        delete_task(service, delete_id)
    clock.now += 5.0
    assert import_task(service, import_id)["importTaskId"] == import_id
    assert delete_task(service, delete_id)["taskId"] == delete_id


@pytest.mark.parametrize("status", ["IMPORT_COMPLETE_WITH_ERRORS", "INTERNAL_ERROR", "IMPORT_NEW"])
def test_an_import_has_whatever_status_it_is_given(service: Emulator, status: str) -> None:
    task_id = start_import(service)
    service.set_task_status(task_id, status)
    *_, task = service.call("DescribeImportTasks", {})["tasks"]
    assert task["status"] == status


def test_a_task_that_is_over_can_be_told_to_run_again(clock: Clock, service: Emulator) -> None:
    import_id, delete_id = start_import(service), start_delete(service)
    clock.now += 60.0
    service.set_task_status(import_id, "DELETE_IN_PROGRESS")
    service.set_task_status(delete_id, "DELETING")
    clock.now += 6000.0
    assert import_task(service, import_id)["status"] == "DELETE_IN_PROGRESS"
    assert delete_task(service, delete_id)["status"] == "DELETING"


def test_tasks_are_added_without_a_call(
    connect: "Callable[[Emulator], ApplicationDiscoveryServiceClient]",
) -> None:
    with Emulator() as emulator:
        client = connect(emulator)
        failed = emulator.add_import_task(duration=0, outcome="IMPORT_FAILED")
        running = emulator.add_batch_delete_task(duration=None)
        *_, task = client.describe_import_tasks()["tasks"]
        assert (task.get("importTaskId"), task.get("status")) == (failed, "IMPORT_FAILED")
        assert status_of(client, running) == "INITIALIZING"
        emulator.set_task_status(running, "COMPLETED")
        assert status_of(client, running) == "COMPLETED"
        with pytest.raises(ValueError, match="there is no task 'task-1'"):
            emulator.set_task_status("task-1", "COMPLETED")
        with pytest.raises(ValueError, match="duration must not be negative"):
            emulator.add_import_task(duration=-1)
