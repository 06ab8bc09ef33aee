"""Collections from the emulator: over HTTP, with all possible faults, and killed at any moment."""

import itertools
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiobotocore.session import AioSession
from support import processes
from support.archives import AGENT_TABLES, tables, texts
from support.collect_in_process import DELAYS

import aiodiscovery
from aiodiscovery import CollectionReport
from aiodiscovery.emulator import Emulator

PROGRAM = Path(__file__).parents[1] / "support" / "collect_in_process.py"


def key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row.values())


def assert_rows_are_the_truth(emulator: Emulator, report: CollectionReport) -> None:
    """Compare the rows of all archives on disk with those of the agents."""
    for agent in report.agents:
        collected = {name: Counter[tuple[str, ...]]() for name in AGENT_TABLES}
        for file in agent.files:
            for name, rows in tables(file.path.read_bytes()).items():
                collected[name].update(map(key, rows))
        for name in AGENT_TABLES:
            truth = texts(emulator.agent_rows(agent.agent_id, name))
            assert collected[name] == Counter(map(key, truth))


def started(emulator: Emulator) -> Counter[tuple[str, float, float]]:
    """Count the starts that were carried out, by agent and range, except those that FAILED."""
    failed = {
        (info["requestedStartTime"], info["requestedEndTime"])
        for info in exports(emulator)
        if info["exportStatus"] == "FAILED" and "requestedStartTime" in info
    }
    counts: Counter[tuple[str, float, float]] = Counter()
    for info in exports(emulator):
        if "requestedStartTime" in info:
            span = info["requestedStartTime"], info["requestedEndTime"]
            if span not in failed:
                counts["", *span] += 1
    return counts


def exports(emulator: Emulator) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = emulator.call("DescribeExportTasks", {"maxResults": 100, **token})
        yield from page["exportsInfo"]
        if "nextToken" not in page:
            return
        token = {"nextToken": page["nextToken"]}


@pytest.mark.long
@pytest.mark.anyio
async def test_forty_agents_come_whole_whatever_goes_wrong(
    anyio_backend: str, session: AioSession, tmp_path: Path
) -> None:
    agents, days = (40, 30.0) if anyio_backend == "asyncio" else (10, 8.0)
    with Emulator(
        agents=agents,
        agent_days=days,
        exports=3,
        connections=0.01,
        export_duration=0.05,
        visibility_delay=0.05,
        refuse_repeats=True,
    ) as emulator:
        # Others take up three of the five places for a while.
        (other, *_) = emulator.agent_ids
        for number, duration in enumerate((0.5, 1.0, 2.0)):
            emulator.add_export(agent_id=other, duration=duration, start_time=0, end_time=number)
        # An export that FAILED is tried again soon, so no window meets three of these.
        for number in range(agents):
            if number % 10 == 9:
                emulator.plan_export(fail_with=f"Failure {number}.")
            else:
                emulator.plan_export(truncated=number % 5 == 0)
        emulator.inject_throttling(5, "StartExportTask", after=3)
        emulator.inject_dropped_connection(3, "StartExportTask", after=9)
        emulator.inject_foreign_answer(
            "empty", carried_out=True, calls=3, operation="StartExportTask", after=15
        )
        emulator.inject_server_error(2, "StartExportTask", after=25)
        emulator.inject_throttling(4, "DescribeExportTasks", after=8)
        emulator.inject_dropped_connection(3, "DescribeExportTasks", after=20)
        emulator.inject_expired_url(5)
        emulator.inject_broken_download(1000, 4)
        emulator.inject_corrupt_download(2)

        async with aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client:
            report = await aiodiscovery.collect_exports(client, tmp_path, **DELAYS)

        missing = [(agent.agent_id, agent.missing) for agent in report.agents if agent.missing]
        assert (missing, report.summary_missing) == ([], None)
        assert len(report.agents) + len(report.connectors) == agents
        assert_rows_are_the_truth(emulator, report)
        assert set(started(emulator).values()) == {1}
        before = len(emulator.export_ids)
        async with aiodiscovery.create_client(session=session, **emulator.client_kwargs) as client:
            report = await aiodiscovery.collect_exports(client, tmp_path, **DELAYS)
        assert report.is_complete
        assert len(emulator.export_ids) == before


def run(endpoint_url: str, directory: Path, is_time: Callable[[], bool] | None = None) -> int:
    """Collect until it ends or is to be killed, and return the exit status."""
    with processes.start(str(PROGRAM), endpoint_url, str(directory)) as process:
        while process.poll() is None:
            if is_time is not None and is_time():
                process.kill()
                break
            time.sleep(0.003)
        return process.wait()


class Steps:
    """A number of requested exports and downloads, and some seconds after that."""

    def __init__(self, emulator: Emulator, count: int, seconds: float) -> None:
        self._emulator = emulator
        self._count = count
        self._seconds = seconds
        self._reached: float | None = None

    def are_done(self) -> bool:
        requests, downloads = self._emulator.requests, self._emulator.downloads
        starts = sum(request.operation == "StartExportTask" for request in requests)
        if self._reached is None and starts + len(downloads) >= self._count:
            self._reached = time.monotonic()
        return self._reached is not None and time.monotonic() >= self._reached + self._seconds


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_collections_that_are_killed_sixty_times_start_each_window_once(tmp_path: Path) -> None:
    rng = random.Random(15)
    kills = 0
    # One collection is usually enough for all of them.
    for number in itertools.count():
        kills += collect_and_kill(tmp_path / str(number), rng, 60 - kills)
        if kills == 60:
            break


def collect_and_kill(directory: Path, rng: random.Random, most: int) -> int:
    """Collect, killed at random moments, and check what came; return how often it was killed."""
    with Emulator(
        agents=40,
        agent_days=12,
        exports=3,
        connections=0.01,
        export_duration=0.15,
        visibility_delay=0.05,
    ) as emulator:
        for number in range(40):
            emulator.plan_export(truncated=number % 4 == 0)
        kills, is_complete = 0, False
        while kills < most and not is_complete:
            emulator.clear_requests()
            steps = Steps(emulator, rng.randrange(5), rng.uniform(0.0, 0.05))
            status = run(emulator.endpoint_url, directory, steps.are_done)
            assert status in (0, -signal.SIGKILL)
            kills += status != 0
            is_complete = status == 0
        status = 0 if is_complete else run(emulator.endpoint_url, directory)
        report = anyio.run(aiodiscovery.check_collection, directory)

        missing = [(agent.agent_id, agent.missing) for agent in report.agents if agent.missing]
        assert (status, missing, report.summary_missing) == (0, [], None)
        assert_rows_are_the_truth(emulator, report)
        assert set(started(emulator).values()) == {1}
    return kills
