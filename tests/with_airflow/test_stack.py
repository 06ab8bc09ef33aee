"""A real Airflow: fifty deferred tasks share their calls, and survive their triggerer."""

import json
import signal
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.airflow_stack import Stack

import aiodiscovery
from aiodiscovery.emulator import Emulator

COUNT = 50
ROUNDS = 5
#: As in the DAGs.
DELAYS: dict[str, Any] = {"min_delay": 0.5, "max_delay": 1.0, "max_rate": None}


@dataclass
class Story:
    """What was seen while fifty exports were started, waited for, taken over and ended."""

    started: tuple[str, ...] = ()
    #: The ids in each call, from when all tasks were taken up, by the first triggerer and by the
    #: one that took over.
    first_calls: list[list[str]] = field(default_factory=list)
    second_calls: list[list[str]] = field(default_factory=list)
    state: str = ""
    infos: list[Any] = field(default_factory=list)
    starts_after_the_kill: int = -1
    #: Of a task whose worker was killed between the start of its export and the wait.
    killed_state: str = ""
    killed_infos: list[Any] = field(default_factory=list)
    killed_starts: int = -1
    #: And of the same task, cleared when it had succeeded.
    cleared_state: str = ""
    cleared_infos: list[Any] = field(default_factory=list)
    cleared_starts: int = -1
    logs: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    # Otherwise pytest would exit without leaving the blocks.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    told = Story()
    with Emulator(exports=0, export_duration=None) as emulator:
        connection = {
            "conn_type": "aws",
            "login": "emulator",
            "password": "emulator",
            "extra": {"region_name": "us-west-2", "endpoint_url": emulator.endpoint_url},
        }
        settings = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}
        home = tmp_path_factory.mktemp("airflow")
        try:
            with Stack(home, Path(__file__).parent / "dags", settings) as stack:
                tell_of_the_triggerers(told, stack, emulator)
                tell_of_the_worker(told, stack, emulator)
        finally:
            signal.signal(signal.SIGTERM, before)
        told.logs = stack.logs()
    return told


def tell_of_the_triggerers(told: Story, stack: Stack, emulator: Emulator) -> None:
    run_id = stack.run("mapped_operator", {"agent_ids": [None] * COUNT})
    stack.wait_until(
        lambda: (
            stack.count_tasks(run_id, "deferred") == COUNT or stack.count_tasks(run_id, "failed")
        ),
        "all tasks are deferred",
    )
    told.started = emulator.export_ids
    first = stack.start_triggerer()
    stack.wait_until(
        lambda: len(shared_calls(emulator)) >= ROUNDS, "the first triggerer waits for all"
    )
    told.first_calls = shared_calls(emulator)
    stack.start_triggerer()
    stack.kill(first)
    emulator.clear_requests()
    stack.wait_until(
        lambda: len(shared_calls(emulator)) >= ROUNDS, "the second triggerer waits for all"
    )
    told.second_calls = shared_calls(emulator)
    for export_id in emulator.export_ids:
        emulator.finish_export(export_id)
    told.state = stack.wait_for(run_id)
    told.infos = stack.xcoms("mapped_operator", run_id, "export")
    told.starts_after_the_kill = starts(emulator)


def tell_of_the_worker(told: Story, stack: Stack, emulator: Emulator) -> None:
    emulator.clear_requests()
    emulator.plan_export(duration=0)
    run_id = stack.run("killed_operator", {"kill": True})
    told.killed_state = stack.wait_for(run_id)
    told.killed_infos = stack.xcoms("killed_operator", run_id, "export")
    told.killed_starts = starts(emulator)

    emulator.plan_export(duration=0)
    stack.clear("killed_operator", run_id)
    told.cleared_state = stack.wait_for(run_id)
    told.cleared_infos = stack.xcoms("killed_operator", run_id, "export")
    told.cleared_starts = starts(emulator)


def calls(emulator: Emulator) -> list[list[str]]:
    return [
        request.parameters["exportIds"]
        for request in emulator.requests
        if request.operation == "DescribeExportTasks"
    ]


def shared_calls(emulator: Emulator) -> list[list[str]]:
    """Return the latest calls that asked for all. A triggerer takes the tasks up one by one."""
    latest = takewhile(lambda ids: len(ids) == COUNT, reversed(calls(emulator)))
    return list(latest)[::-1]


def starts(emulator: Emulator) -> int:
    return [request.operation for request in emulator.requests].count("StartExportTask")


def calls_of_one_watcher() -> list[list[str]]:
    """Wait for fifty exports with one watcher, and return its first calls."""
    with Emulator(exports=0) as emulator:
        export_ids = emulator.add_exports(COUNT, status="IN_PROGRESS", duration=None)

        async def main() -> None:
            async with (
                aiodiscovery.create_client(**emulator.client_kwargs) as client,
                aiodiscovery.ExportWatcher(client, **DELAYS) as watcher,
                anyio.create_task_group() as tasks,
            ):
                for export_id in export_ids:
                    tasks.start_soon(watcher.wait, export_id)
                while len(calls(emulator)) < ROUNDS:
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()

        anyio.run(main)
        return calls(emulator)[:ROUNDS]


def test_fifty_deferred_tasks_cost_the_calls_of_one_watcher(story: Story) -> None:
    of_triggerer = [sorted(ids) for ids in story.first_calls[:ROUNDS]]

    assert of_triggerer == [sorted(story.started)] * ROUNDS
    assert [len(ids) for ids in calls_of_one_watcher()] == [len(ids) for ids in of_triggerer]


def test_the_triggerer_that_takes_over_shares_them_too(story: Story) -> None:
    assert [sorted(ids) for ids in story.second_calls] == (
        [sorted(story.started)] * len(story.second_calls)
    )


def test_a_triggerer_that_is_killed_loses_nothing(story: Story) -> None:
    assert story.state == "success"
    assert len(story.started) == COUNT
    assert sorted(info["exportId"] for info in story.infos) == sorted(story.started)
    assert {info["exportStatus"] for info in story.infos} == {"SUCCEEDED"}


def test_a_triggerer_that_is_killed_has_nothing_started_twice(story: Story) -> None:
    assert story.starts_after_the_kill == 0


def test_after_a_worker_was_killed_the_retry_goes_on_with_the_same_export(story: Story) -> None:
    assert story.killed_state == "success"
    assert [info["exportStatus"] for info in story.killed_infos] == ["SUCCEEDED"]
    assert story.killed_starts == 1


def test_a_task_that_is_cleared_when_its_export_has_ended_starts_another(story: Story) -> None:
    assert story.cleared_state == "success"
    assert story.cleared_starts == 2
    assert story.cleared_infos != story.killed_infos


def test_no_presigned_url_is_in_any_log(story: Story) -> None:
    assert "Trigger fired event" in story.logs
    assert "X-Amz-Signature" not in story.logs
