"""Simulate hours of waiting for exports: ``ExportWatcher`` beside one waiter for each export.

Nothing real is waited for. trio's clock jumps to whatever happens next, and botocore's
``before-call`` event has a service in memory answer the calls of a real aiobotocore client. Each
simulation has a process of its own, so that its CPU time and its memory are its own.

Prints a table in Markdown; ``--quick`` makes a small one, in seconds. README.md says what it means.
"""

import argparse
import json
import math
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio
import trio
from trio.testing import MockClock

import aiodiscovery
from aiodiscovery._client.backoff import Schedule

SEED = 20261124
MEDIAN_DURATION = 20 * 60.0
SIGMA = 0.8
SHORTEST_DURATION, LONGEST_DURATION = 60.0, 6 * 3600.0
#: From the start of a call to its answer, in virtual seconds. The service looks halfway.
LATENCY = 0.05
#: What botocore's waiters sleep between an answer and the next call.
WAITER_DELAY = 15.0

_EVENT = "before-call.application-discovery-service"
_REQUEST_TIME = datetime(2026, 11, 24, tzinfo=UTC)


class Case(NamedTuple):
    """What one process does."""

    kind: str
    exports: int
    min_delay: float = WAITER_DELAY
    max_delay: float = WAITER_DELAY

    def __str__(self) -> str:
        bounds = f"{self.min_delay:g} s .. {self.max_delay:g} s"
        return {
            "idle": "idle",
            "waiters computed": "a waiter for each, computed",
            "waiters run": "a waiter for each, run",
            "schedule": f"our schedule for each, {bounds}, computed",
            "watcher": f"ExportWatcher, {bounds}",
        }[self.kind]


class Result(NamedTuple):
    """What came of it. Delays are from an export's end to its report."""

    calls: int
    mean_delay: float
    p99_delay: float
    cpu: float
    peak: float
    elapsed: float


class Service:
    """Describes exports that end at given times of the event loop's clock."""

    def __init__(self, ends: Mapping[str, float]) -> None:
        self.calls = 0
        self._ends = ends

    async def answer(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer a call in place of the network."""
        self.calls += 1
        await trio.sleep(LATENCY / 2)
        now = trio.current_time()
        infos = [
            {
                "exportId": each,
                "exportStatus": "SUCCEEDED" if self._ends[each] <= now else "IN_PROGRESS",
                "statusMessage": "",
                "exportRequestTime": _REQUEST_TIME,
            }
            for each in json.loads(params["body"])["exportIds"]
        ]
        await trio.sleep(LATENCY / 2)
        return SimpleNamespace(status_code=200), {
            "exportsInfo": infos,
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }


def make_ends(exports: int) -> dict[str, float]:
    """Make exports that begin at 0, and when they end."""
    draw = random.Random(SEED)  # nothing to guess
    ends: dict[str, float] = {}
    for number in range(exports):
        duration = draw.lognormvariate(math.log(MEDIAN_DURATION), SIGMA)
        duration = min(max(duration, SHORTEST_DURATION), LONGEST_DURATION)
        ends[f"export-{number:032x}"] = duration
    return ends


def compute_waiters(ends: Mapping[str, float]) -> tuple[int, list[float]]:
    """Compute what botocore's waiters would do: call, and sleep until it has ended."""
    calls, delays = 0, list[float]()
    for end in ends.values():
        sleeps = math.ceil((end - LATENCY / 2) / (WAITER_DELAY + LATENCY))
        calls += 1 + sleeps
        delays.append(sleeps * (WAITER_DELAY + LATENCY) + LATENCY - end)
    return calls, delays


def compute_schedule(ends: Mapping[str, float], schedule: Schedule) -> tuple[int, list[float]]:
    """Compute what the watcher's schedule would do with one export to a call."""
    calls, delays = 0, list[float]()
    for end in ends.values():
        now, attempt = 0.0, 1
        while now + LATENCY / 2 < end:
            jitter = random.random()  # nothing to guess
            now += LATENCY + schedule.delay(attempt, jitter)
            attempt += 1
        calls += attempt
        delays.append(now + LATENCY - end)
    return calls, delays


async def run_waiters(client: Any, ends: Mapping[str, float]) -> list[float]:
    """Do as botocore's waiters do, in a task for each export."""
    delays: list[float] = []

    async def wait(export_id: str) -> None:
        while True:
            answer = await client.describe_export_tasks(exportIds=[export_id])
            if answer["exportsInfo"][0]["exportStatus"] == "SUCCEEDED":
                break
            await anyio.sleep(WAITER_DELAY)
        delays.append(anyio.current_time() - ends[export_id])

    async with anyio.create_task_group() as tasks:
        for export_id in ends:
            tasks.start_soon(wait, export_id)
    return delays


async def run_watcher(client: Any, ends: Mapping[str, float], schedule: Schedule) -> list[float]:
    """Watch all exports with one watcher."""
    async with aiodiscovery.ExportWatcher(client, **schedule._asdict()) as watcher:
        return [
            anyio.current_time() - ends[update.export_id]
            async for update in watcher.updates(ends)
            if update.status == "SUCCEEDED"
        ]


async def run(case: Case, ends: Mapping[str, float]) -> tuple[int, list[float]]:
    """Run a case with a client, from 0 on the virtual clock."""
    service = Service(ends)
    async with aiodiscovery.create_client(
        region_name="us-west-2",
        endpoint_url="http://simulation.invalid",
        verify=False,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # nobody asks for it
    ) as client:
        answer: Any = service.answer  # the stubs do not know asynchronous handlers
        client.meta.events.register_first(_EVENT, answer)
        if case.kind == "watcher":
            delays = await run_watcher(client, ends, Schedule(case.min_delay, case.max_delay))
        else:  # no exports: idle
            delays = await run_waiters(client, ends)
    return service.calls, delays


def simulate(case: Case) -> Result:
    """Do what a process is there for."""
    begun = time.monotonic()
    random.seed(SEED)
    ends = make_ends(case.exports)
    if case.kind == "waiters computed":
        calls, delays = compute_waiters(ends)
    elif case.kind == "schedule":
        calls, delays = compute_schedule(ends, Schedule(case.min_delay, case.max_delay))
    else:
        calls, delays = trio.run(run, case, ends, clock=MockClock(autojump_threshold=0))
    if len(delays) != case.exports:
        raise RuntimeError(f"{len(delays)} of {case.exports} ends were reported")
    delays.sort()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Result(
        calls=calls,
        mean_delay=sum(delays) / len(delays) if delays else math.nan,
        p99_delay=delays[math.ceil(0.99 * len(delays)) - 1] if delays else math.nan,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        elapsed=time.monotonic() - begun,
    )


def make_cases(quick: bool) -> Iterator[Case]:
    """List what is simulated."""
    yield Case("idle", 0)
    sizes = (100, 1_000) if quick else (1_000, 10_000, 100_000)
    for exports in sizes:
        yield Case("waiters computed", exports)
        if exports == sizes[0]:
            yield Case("waiters run", exports)
        yield Case("schedule", exports, 2, 120)
        yield Case("watcher", exports, 2, 120)
        if exports <= 10_000:  # more takes minutes
            yield Case("watcher", exports, 2, 15)
            yield Case("watcher", exports, 15, 15)


def make_row(case: Case, result: Result, peer: Result | None) -> str:
    """Write a row of the table."""
    cells = [f"{case.exports:,}", str(case)]
    if peer is None:
        cells += ["0", "", "", ""]
    else:
        ratio = peer.calls / result.calls
        fraction = f"1/{ratio:.0f}" if ratio >= 10 else f"1/{ratio:.1f}"
        cells += [
            f"{result.calls:,}",
            "1" if ratio == 1 else fraction,
            f"{result.mean_delay:.1f}",
            f"{result.p99_delay:.1f}",
        ]
    computed = case.kind in {"waiters computed", "schedule"}
    cells += ["", ""] if computed else [f"{result.cpu:.1f}", f"{result.peak:.0f}"]
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Simulate waiting for exports.")
    parser.add_argument("--quick", action="store_true", help="100 and 1,000 exports only")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (default: 1)")
    arguments = parser.parse_args()
    cases = list(make_cases(arguments.quick))
    peer: Result | None = None
    sys.stdout.write(
        "| exports | what | calls | of the waiters' | mean delay, s | p99 delay, s | CPU, s "
        "| peak, MiB |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
    with ProcessPoolExecutor(
        arguments.jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as processes:
        for case, result in zip(cases, processes.map(simulate, cases), strict=True):
            sys.stderr.write(f"{case.exports:,} exports, {case}: took {result.elapsed:.1f} s\n")
            if case.kind == "waiters computed":
                peer = result
            sys.stdout.write(make_row(case, result, peer))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
