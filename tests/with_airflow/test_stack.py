"""A real Airflow: fifty deferred tasks share their calls, and survive who waits for them."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow_stack import Stack, kill, wait_until

import aiodiscovery
from aiodiscovery.emulator import Emulator

COUNT = 50
ROUNDS = 5


@dataclass
class Story:
    """What was seen while fifty exports were started, waited for and taken over."""

    started: tuple[str, ...]
    #: What the calls asked for while the first triggerer waited, and after it was killed.
    first_calls: list[list[str]]
    second_calls: list[list[str]]
    ended: str
    infos: list[Any]
    killed_worker: str
    killed_worker_infos: list[Any]
    killed_worker_starts: int
    logs: str


def calls(emulator: Emulator) -> list[list[str]]:
    return [
        each.parameters["exportIds"]
        for each in emulator.requests
        if each.operation == "DescribeExportTasks"
    ]


def starts(emulator: Emulator) -> int:
    return [each.operation for each in emulator.requests].count("StartExportTask")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    begun = time.monotonic()

    def say(what):
        print(f"{time.monotonic() - begun:6.1f} {what}", flush=True)

    home = tmp_path_factory.mktemp("airflow")
    # pytest ends on SIGINT and runs finalizers; let it do the same on SIGTERM.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Emulator(exports=0, export_duration=None) as emulator:
        connection = {
            "conn_type": "aws",
            "login": "emulator",
            "password": "emulator",
            "extra": {"region_name": "us-west-2", "endpoint_url": emulator.endpoint_url},
        }
        settings = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}
        with Stack(home, Path(__file__).parent / "dags", settings) as stack:
            say("up")
            run_id = stack.run("mapped_operator", {"agent_ids": [None] * COUNT})
            say("run")
            wait_until(
                lambda: (
                    stack.count_tasks(run_id, "deferred") == COUNT
                    or stack.count_tasks(run_id, "failed")
                ),
                "all are deferred",
            )
            assert stack.count_tasks(run_id, "failed") == 0
            say("deferred")
            started = emulator.export_ids
            first = stack.start_triggerer()
            wait_until(lambda: len(calls(emulator)) >= ROUNDS, "the first triggerer waits")
            say("first")
            stack.start_triggerer()
            kill(first)
            first_calls = calls(emulator)
            say("killed")
            emulator.clear_requests()
            wait_until(lambda: len(calls(emulator)) >= ROUNDS, "the second triggerer waits")
            second_calls = calls(emulator)
            say("second")
            for export_id in started:
                emulator.finish_export(export_id)
            ended = stack.wait_for(run_id)
            say("ended")
            infos = stack.xcoms("mapped_operator", run_id, "export")
            assert starts(emulator) == 0

            emulator.plan_export(duration=0)
            killed_worker_id = stack.run("killed_operator", {"kill": True})
            killed_worker = stack.wait_for(killed_worker_id)
            say("worker")
            yield Story(
                started,
                first_calls,
                second_calls,
                ended,
                infos,
                killed_worker,
                stack.xcoms("killed_operator", killed_worker_id, "export"),
                starts(emulator),
                stack.logs(),
            )
    say("down")
    signal.signal(signal.SIGTERM, before)


def test_story(story):
    print(len(story.started), [len(x) for x in story.first_calls], [len(x) for x in story.second_calls], story.ended, len(story.infos), story.infos[:2], story.killed_worker, story.killed_worker_infos, story.killed_worker_starts, len(story.logs))
