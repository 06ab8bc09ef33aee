"""Simulate days of waiting for exports: ``ExportWatcher`` beside fixed rounds and waiters.

Nothing waits in real time. trio's clock jumps to the next event, and through botocore's
``before-call`` event a service in memory answers the calls of a real aiobotocore client.

Prints the goals and whether they are reached, then the figures behind them, in Markdown. README.md
explains them. The exit status is 1 if a goal is missed. ``--quick`` takes seconds and only shows
that it works, ``--full`` simulates everything, and ``--airflow`` prints the table of costs in
docs/airflow.md instead.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import resource
import statistics
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import anyio
import trio
from aiobotocore.session import get_session
from trio.testing import MockClock

import aiodiscovery

SEED = 20261125
#: The time from the start of a call to its answer, in virtual seconds. The service looks halfway.
LATENCY = 0.05
#: How long botocore's waiters sleep between an answer and the next call, in seconds.
WAITER_DELAY = 15.0
#: How many exports one call describes.
MOST = 100
HOUR, DAY = 3600.0, 86400.0

_SESSION = get_session()
#: How many yardsticks a hundred thousand exports may take to compute. It is what they took when
#: each poll was followed by its own delay, drawn from 2 s to 120 s.
_YARDSTICKS = 14.7

_EVENT = "before-call.application-discovery-service"
#: The wall-clock time at 0 on the virtual clock.
_EPOCH = datetime(2026, 11, 25, tzinfo=UTC)


def log_normal(draw: random.Random) -> float:
    """20 minutes in the middle, 28 on average."""
    return min(max(draw.lognormvariate(math.log(20 * 60), 0.8), 60), 6 * HOUR)


def alike(draw: random.Random) -> float:
    """Ten minutes, give or take half a minute."""
    return draw.uniform(570, 630)


def heavy(draw: random.Random) -> float:
    """From one minute to two days, Pareto's distribution with exponent 0.8."""
    return min(60 * draw.paretovariate(0.8), 2 * DAY)


DISTRIBUTIONS: dict[str, Callable[[random.Random], float]] = {
    "log-normal": log_normal,
    "alike": alike,
    "heavy": heavy,
}


class Export(NamedTuple):
    """The times when an export begins and ends, on the virtual clock."""

    start: float
    end: float


class Case(NamedTuple):
    """What is watched, and how."""

    distribution: str
    exports: int
    #: The number of seconds over which the exports begin.
    spread: float = 0.0
    draws: int = 1
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        draws = f", median of {self.draws} draws" if self.draws > 1 else ""
        return f"{self.distribution}, {self.exports:,} {self.began}{draws}"

    @property
    def began(self) -> str:
        """When the exports begin."""
        return f"over {self.spread / HOUR:g} h" if self.spread else "together"

    def exports_of(self, draw: int) -> list[Export]:
        """Draw the exports."""
        chance = random.Random(f"{SEED} {self.distribution} {draw}")  # nothing to guess
        duration = DISTRIBUTIONS[self.distribution]
        starts = [chance.uniform(0, self.spread) for _ in range(self.exports)]
        return [Export(start, start + duration(chance)) for start in starts]


class Run(NamedTuple):
    """The results of one draw. Delays are from an export's end to its report."""

    calls: int
    delays: list[float]
    #: How much the worst delay exceeds the promised one.
    excess: float
    #: The most calls per second, in any ten seconds.
    rate: float


class Figures(NamedTuple):
    """The results of a case: medians of its draws, except for the worst of all."""

    calls: float
    mean_delay: float
    p99_delay: float
    excess: float
    rate: float
    #: The calls in proportion to those of fixed rounds with the same mean delay.
    of_rounds: float
    #: The same in proportion to a waiter for each export.
    of_waiters: float
    cpu: float
    elapsed: float


class Service:
    """Describes exports that end at given times of the event loop's clock."""

    def __init__(self, exports: dict[str, Export]) -> None:
        self.calls: list[float] = []
        self._exports = exports

    async def answer(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer a call in place of the network."""
        self.calls.append(trio.current_time())
        await trio.sleep(LATENCY / 2)
        now = trio.current_time()
        infos = []
        for export_id in json.loads(params["body"])["exportIds"]:
            start, end = self._exports[export_id]
            infos.append(
                {
                    "exportId": export_id,
                    "exportStatus": "SUCCEEDED" if end <= now else "IN_PROGRESS",
                    "statusMessage": "",
                    "exportRequestTime": _EPOCH + timedelta(seconds=start),
                }
            )
        await trio.sleep(LATENCY / 2)
        date = format_datetime(_EPOCH + timedelta(seconds=int(now)), usegmt=True)
        return SimpleNamespace(status_code=200), {
            "exportsInfo": infos,
            "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}},
        }


# Other ways to wait, computed


def fixed_rounds(exports: Sequence[Export], delay: float) -> tuple[int, float]:
    """Ask for all running exports every ``delay`` seconds. Return the calls and the mean delay."""
    changes = defaultdict[int, int](int)
    late = 0.0
    for start, end in exports:
        first = math.ceil(start / delay)
        last = max(math.ceil(end / delay), first)
        late += last * delay - end
        changes[first] += 1
        changes[last + 1] -= 1
    calls = running = before = 0
    for number in sorted(changes):
        calls += math.ceil(running / MOST) * (number - before)
        running += changes[number]
        before = number
    return calls, late / len(exports)


def calls_of_rounds(exports: Sequence[Export], mean_delay: float) -> int:
    """Return how many calls fixed rounds with the same mean delay make."""
    shortest, longest = 0.01, 10 * DAY
    while longest / shortest > 1 + 1e-9:
        delay = math.sqrt(shortest * longest)
        if fixed_rounds(exports, delay)[1] < mean_delay:
            shortest = delay
        else:
            longest = delay
    return fixed_rounds(exports, shortest)[0]


def waiters(exports: Iterable[Export], delay: float = WAITER_DELAY) -> tuple[int, float]:
    """Use a waiter for each: call, and sleep until it has ended. Return calls and mean delay."""
    calls, late = 0, list[float]()
    for start, end in exports:
        sleeps = math.ceil((end - start - LATENCY / 2) / (delay + LATENCY))
        calls += 1 + sleeps
        late.append(start + sleeps * (delay + LATENCY) + LATENCY - end)
    return calls, sum(late) / len(late)


# The watcher, run


def open_client() -> Any:
    """Open a client whose calls never reach a network."""
    return aiodiscovery.create_client(
        session=_SESSION,
        region_name="us-west-2",
        endpoint_url="http://simulation.invalid",
        verify=False,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # never checked
    )


async def watch(
    exports: Sequence[Export], options: dict[str, Any], for_seconds: float, begin: float = 0.0
) -> tuple[list[float], dict[Export, list[float]]]:
    """Watch exports from their starts. Return the times of the calls, and the delay of each."""
    by_id = {f"export-{number:032x}": export for number, export in enumerate(exports)}
    service = Service(by_id)
    delays: dict[Export, list[float]] = defaultdict(list)

    def note_end(export_id: str) -> None:
        export = by_id[export_id]
        delays[export].append(anyio.current_time() - export.end)

    async def wait(export_id: str) -> None:
        await anyio.sleep_until(by_id[export_id].start)
        await watcher.wait(export_id)
        note_end(export_id)

    async def wait_for_all() -> None:
        async for update in watcher.updates(by_id):
            if update.status == "SUCCEEDED":
                note_end(update.export_id)

    async with open_client() as client:
        answer: Any = service.answer  # the stubs do not know asynchronous handlers
        client.meta.events.register_first(_EVENT, answer)
        await anyio.sleep(begin)
        async with aiodiscovery.ExportWatcher(client, **options) as watcher:
            with anyio.move_on_after(for_seconds):
                async with anyio.create_task_group() as tasks:
                    if max(export.start for export in exports) <= begin:
                        tasks.start_soon(wait_for_all)
                    else:
                        for export_id in by_id:
                            tasks.start_soon(wait, export_id)
    return service.calls, delays


def run_watch(
    exports: Sequence[Export],
    options: dict[str, Any] | None = None,
    for_seconds: float = math.inf,
    begin: float = 0.0,
) -> tuple[list[float], dict[Export, list[float]]]:
    """Watch exports on a virtual clock."""
    clock = MockClock(autojump_threshold=0)
    return trio.run(watch, exports, options or {}, for_seconds, begin, clock=clock)


async def run_waiters(exports: Sequence[Export]) -> None:
    """Wait like botocore's waiters, in a task for each export."""
    by_id = {f"export-{number:032x}": export for number, export in enumerate(exports)}

    async def wait(client: Any, export_id: str) -> None:
        while True:
            answer = await client.describe_export_tasks(exportIds=[export_id])
            if answer["exportsInfo"][0]["exportStatus"] == "SUCCEEDED":
                break
            await anyio.sleep(WAITER_DELAY)

    async with open_client() as client, anyio.create_task_group() as tasks:
        client.meta.events.register_first(_EVENT, Service(by_id).answer)
        for export_id in by_id:
            tasks.start_soon(wait, client, export_id)


def most_in(seconds: float, times: Sequence[float]) -> int:
    """Return the most of the times that are within any span of that length."""
    return max(bisect_left(times, start + seconds) - index for index, start in enumerate(times))


def run(exports: Sequence[Export], options: dict[str, Any]) -> Run:
    """Watch one draw of exports until all have ended."""
    min_delay, relative_delay = options.get("min_delay", 10.0), options.get("relative_delay", 0.01)
    calls, delays_of = run_watch(exports, options)
    delays = sorted(delay for delays in delays_of.values() for delay in delays)
    if len(delays) != len(exports):
        raise RuntimeError(f"{len(delays)} of {len(exports)} ends were reported")
    excess = max(
        max(delays) - max(min_delay, relative_delay * (end - start))
        for (start, end), delays in delays_of.items()
    )
    return Run(len(calls), delays, excess, most_in(10, calls) / 10)


def cpu_seconds() -> float:
    """Return how much CPU time the process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def simulate(case: Case) -> Figures:
    """Simulate a case. This is the work of one process."""
    begun, cpu = time.monotonic(), cpu_seconds()
    random.seed(SEED)
    runs: list[Run] = []
    of_rounds: list[float] = []
    of_waiters: list[float] = []
    for draw in range(case.draws):
        exports = case.exports_of(draw)
        runs.append(run(exports, dict(case.options)))
        mean_delay = statistics.fmean(runs[-1].delays)
        of_rounds.append(runs[-1].calls / calls_of_rounds(exports, mean_delay))
        of_waiters.append(runs[-1].calls / waiters(exports)[0])
    return Figures(
        calls=statistics.median(one.calls for one in runs),
        mean_delay=statistics.median(statistics.fmean(one.delays) for one in runs),
        p99_delay=statistics.median(
            one.delays[math.ceil(0.99 * len(one.delays)) - 1] for one in runs
        ),
        excess=max(one.excess for one in runs),
        rate=max(one.rate for one in runs),
        of_rounds=statistics.median(of_rounds),
        of_waiters=statistics.median(of_waiters),
        cpu=(cpu_seconds() - cpu) / case.draws,
        elapsed=time.monotonic() - begun,
    )


def calls_for_old_exports() -> int:
    """Begin to watch a hundred exports of a day ago, and count the calls of ten minutes."""
    random.seed(SEED)
    calls, _ = run_watch([Export(0, 2 * DAY)] * MOST, for_seconds=600, begin=DAY)
    return len(calls)


def yardstick() -> float:
    """Return how much CPU time this machine needs for a hundred waiters."""
    cpu = cpu_seconds()
    exports = Case("log-normal", 100).exports_of(0)
    trio.run(run_waiters, exports, clock=MockClock(autojump_threshold=0))
    return cpu_seconds() - cpu


# Goals


class Check(NamedTuple):
    """A goal, and whether it is reached."""

    measure: str
    limit: str
    reached: str
    passed: bool


def check(measure: str, reached: float, limit: float, unit: str = "", form: str = ".2f") -> Check:
    """Compare what was reached with the allowed maximum."""
    return Check(measure, f"at most {limit:g}{unit}", f"{reached:{form}}{unit}", reached <= limit)


def make_checks(
    figures: dict[Case, Figures], old_calls: int, yardsticks: float | None
) -> Iterator[Check]:
    """Compare the figures with the goals."""
    few = {case: found for case, found in figures.items() if case.exports <= 1000}
    yield check(
        "every end of up to 1,000 exports: how much later than 10 s or 1 % of the age",
        max(found.excess for found in few.values()),
        1,
        " s",
    )
    for name, exports, limit in (
        ("log-normal", 100, 0.8),
        ("log-normal", 1000, 1.0),
        ("alike", 1000, 1.05),
        ("heavy", 1000, 0.15),
    ):
        for case, found in figures.items():
            if case[:3] == (name, exports, 0.0):
                measure = f"calls, of those of fixed rounds with the same mean delay: {case}"
                yield check(measure, found.of_rounds, limit)
    means = [found.mean_delay for case, found in few.items() if case.distribution == "log-normal"]
    yield check("mean delay: log-normal, up to 1,000 exports", max(means), 10, " s")
    rates = [found.rate for found in figures.values()]
    yield check("calls a second, in any ten seconds, whatever is watched", max(rates), 1.1)
    for case, found in figures.items():
        if case[:3] == ("log-normal", 10_000, 0.0):
            yield check(f"mean delay: {case}", found.mean_delay, 32, " s")
    measure = "calls in the first ten minutes of watching 100 exports that are a day old"
    yield check(measure, old_calls, 4, form=".0f")
    if yardsticks is not None:
        measure = "CPU of 100,000 exports, of that of a waiter for each of 100"
        yield check(measure, yardsticks, _YARDSTICKS, form=".1f")


# The simulated cases, and the output


def make_cases(extent: str) -> Iterator[Case]:
    """List the simulated cases."""
    if extent == "quick":
        for exports, draws in ((1, 20), (10, 5), (100, 3)):
            yield Case("log-normal", exports, draws=draws)
        yield from (Case(name, 1000) for name in DISTRIBUTIONS)
        yield Case("log-normal", 100, 2 * HOUR)
        return
    yield Case("log-normal", 100_000)  # takes longest, so it begins first
    if extent == "full":
        for name in DISTRIBUTIONS:
            for exports in (1, 10, 100, 1000, 10_000):
                for spread in (0.0, 2 * HOUR):
                    yield Case(name, exports, spread, draws=30 if exports <= 1000 else 3)
        return
    yield from (Case("log-normal", exports, draws=30) for exports in (1, 10, 100, 1000))
    yield from (Case(name, 1000, draws=30) for name in ("alike", "heavy"))
    yield Case("log-normal", 10_000)
    for name in DISTRIBUTIONS:
        yield from (Case(name, exports, 2 * HOUR, draws=3) for exports in (100, 1000))
    yield Case("log-normal", 10_000, 2 * HOUR)


def write_row(cells: Iterable[object]) -> None:
    """Write a row of a table."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")


def write_checks(checks: Iterable[Check]) -> bool:
    """Write the goals. Return whether all are reached."""
    write_row(("measure", "to reach", "reached", ""))
    write_row(("---", "---", "---", "---"))
    passed = True
    for one in checks:
        write_row((one.measure, one.limit, one.reached, "PASS" if one.passed else "FAIL"))
        passed &= one.passed
    return passed


def write_figures(figures: dict[Case, Figures]) -> None:
    """Write the results of the simulation."""
    write_row(
        (
            *("durations", "exports", "began", "draws", "calls", "of fixed rounds'"),
            *("of the waiters'", "mean delay, s", "p99 delay, s", "worst, beyond the promise, s"),
            *("most calls a second", "CPU, s"),
        )
    )
    write_row(("---", "---:", "---", *["---:"] * 9))
    order = list(DISTRIBUTIONS)
    for case in sorted(figures, key=lambda one: (order.index(one[0]), one.spread, one.exports)):
        found = figures[case]
        write_row(
            (
                *(case.distribution, f"{case.exports:,}", case.began, case.draws),
                *(f"{found.calls:,.0f}", f"{found.of_rounds:.2f}", f"1/{1 / found.of_waiters:.0f}"),
                *(f"{found.mean_delay:.1f}", f"{found.p99_delay:.1f}", f"{found.excess:.1f}"),
                *(f"{found.rate:.1f}", f"{found.cpu:.1f}"),
            )
        )


def write_costs() -> None:
    """Write the cost of exports that do not end: the table in docs/airflow.md."""
    times = (600, HOUR, 6 * HOUR, DAY)
    write_row(
        ("exports", "calls in the first 10 minutes", "hour", "6 hours", "day", "then, a second")
    )
    write_row(("---", *["---:"] * 5))
    for exports, spread in ((1, 0), (100, 0), (100, 600), (1000, 0), (1000, 600)):
        random.seed(SEED)
        starts = [spread * number / exports for number in range(exports)]
        running = [Export(start, 3 * DAY) for start in starts]
        calls, _ = run_watch(running, for_seconds=DAY)
        until = [bisect_left(calls, end) for end in times]
        then = sum(DAY - 6000 <= time < DAY for time in calls) / 6000
        began = "over 10 minutes" if spread else "together"
        write_row((f"{exports:,}, started {began}", *map("{:,}".format, until), f"{then:.3g}"))


def main() -> int:
    """Print the tables, and return the exit status."""
    parser = argparse.ArgumentParser(description="Simulate waiting for exports.")
    extent = parser.add_mutually_exclusive_group()
    for name, text in (
        ("quick", "few draws and no more than 1,000 exports"),
        ("full", "every distribution, number and start; takes an hour"),
        ("airflow", "print the table of costs of docs/airflow.md instead"),
    ):
        extent.add_argument(f"--{name}", dest="extent", action="store_const", const=name, help=text)
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes at a time (default: all)"
    )
    arguments = parser.parse_args()
    if arguments.extent == "airflow":
        write_costs()
        return 0
    cases = list(make_cases(arguments.extent))
    figures: dict[Case, Figures] = {}
    # A process for each case, so that its CPU time can be measured.
    with ProcessPoolExecutor(
        arguments.jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as processes:
        old_calls = processes.submit(calls_for_old_exports)
        one_yardstick = processes.submit(yardstick)
        for case, found in zip(cases, processes.map(simulate, cases), strict=True):
            sys.stderr.write(f"{case}: took {found.elapsed:.1f} s\n")
            figures[case] = found
    largest = max(cases, key=lambda case: case.exports)
    yardsticks = figures[largest].cpu / one_yardstick.result()
    checks = make_checks(
        figures, old_calls.result(), yardsticks if largest.exports >= 100_000 else None
    )
    passed = write_checks(checks)
    sys.stdout.write("\n")
    write_figures(figures)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
