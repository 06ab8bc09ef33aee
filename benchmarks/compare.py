"""Measure aiodiscovery beside aiobotocore, in one run, and print a table in Markdown.

The service is a separate process, on loopback. Peers alternate, round after round. The table shows
each one's median, and the ratio of the medians. ``--quick`` takes less of everything and only shows
whether it works. README.md explains the rows.
"""

import argparse
import asyncio
import gc
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from aiobotocore.session import get_session
from server import PAGE, TOKEN, export

import aiodiscovery

Measure = Callable[[], Awaitable[float]]


class Row(NamedTuple):
    """One line of the table."""

    measure: str
    unit: str
    peer: float
    ours: float
    ratio: float
    goal: str


def main() -> None:
    """Measure everything, or one thing in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peak-memory", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_memory:
        print(asyncio.run(peak_memory(arguments.peak_memory)))
        return
    rows = [*asyncio.run(measure_all(quick=arguments.quick)), import_time(quick=arguments.quick)]
    print_table(rows)


async def measure_all(*, quick: bool) -> list[Row]:
    """Measure what runs in this process."""
    rounds = 3 if quick else 9
    exports = 1_000 if quick else 10_000
    rows: list[Row] = []
    with serving(exports) as url:
        rows += await listing(url, exports, rounds)
    rows += await engine(100 if quick else 1_000, rounds)
    with serving(4 * PAGE if quick else 40 * PAGE, latency=0.05) as url:
        rows += [await busy_consumer(url, 3)]
    with serving(1, latency=0.05) as url:
        rows += [await many_ids(url, exports, 3)]
    few, many = (1_000, 10_000) if quick else (10_000, 1_000_000)
    rows += [memory(few, many)]
    return rows


# Over loopback


async def listing(url: str, exports: int, rounds: int) -> list[Row]:
    """List all exports: items per second, and CPU seconds of this process."""
    elapsed: dict[str, list[float]] = {"peer": [], "ours": []}
    cpu: dict[str, list[float]] = {"peer": [], "ours": []}

    async with peer_client(url) as peer_s, our_client(url) as ours_s:

        async def peer() -> int:
            return await count_items(peer_s.get_paginator("describe_export_tasks").paginate())

        async def ours() -> int:
            pages = aiodiscovery.get_paginator(ours_s, "describe_export_tasks").paginate()
            async with pages.prefetch() as ahead:
                return await count_items(ahead)

        for _ in range(rounds):
            for name, list_all in (("peer", peer), ("ours", ours)):
                gc.collect()
                started, cpu_started = time.perf_counter(), time.process_time()
                assert await list_all() == exports
                elapsed[name].append(time.perf_counter() - started)
                cpu[name].append(time.process_time() - cpu_started)
    rate = {name: exports / statistics.median(values) for name, values in elapsed.items()}
    seconds = {name: statistics.median(values) for name, values in cpu.items()}
    return [
        Row(
            f"listing {exports:,} exports over loopback, `create_client` and `prefetch`",
            "items/s",
            rate["peer"],
            rate["ours"],
            rate["ours"] / rate["peer"],
            "at least 4",
        ),
        Row("the same", "CPU s", *_compare(seconds), "at most 0.25"),
    ]


async def count_items(pages: AsyncIterator[Any] | Any) -> int:
    return sum([len(page["exportsInfo"]) async for page in pages])


async def busy_consumer(url: str, rounds: int) -> Row:
    """List pages that take 50 ms to arrive and 50 ms to process."""

    async def work(pages: Any) -> None:
        async for _ in pages:
            await anyio.sleep(0.05)

    async def peer() -> float:
        async with peer_client(url) as client:
            pages = client.get_paginator("describe_export_tasks").paginate()
            return await elapsed(lambda: work(pages))

    async def ours() -> float:
        async with our_client(url) as client:
            pages = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate()
            async with pages.prefetch() as ahead:
                return await elapsed(lambda: work(ahead))

    seconds = await alternate(rounds, peer=peer, ours=ours)
    return Row(
        "40 pages, 50 ms latency, consumer busy for 50 ms a page",
        "s",
        seconds["peer"],
        seconds["ours"],
        seconds["peer"] / seconds["ours"],
        "at least 1.9",
    )


async def many_ids(url: str, exports: int, rounds: int) -> Row:
    """Describe exports by their ids, with 50 ms of latency."""
    ids = [str(export(number)["exportId"]) for number in range(exports)]

    async with peer_client(url) as peer_s, our_client(url) as ours_s:

        async def one_after_another() -> None:
            found = {}
            for start in range(0, len(ids), PAGE):
                answer = await peer_s.describe_export_tasks(exportIds=ids[start : start + PAGE])
                found.update({export["exportId"]: export for export in answer["exportsInfo"]})
            assert len(found) == len(ids)

        async def at_once() -> None:
            assert len(await aiodiscovery.describe_exports(ours_s, ids)) == len(ids)

        seconds = await alternate(
            rounds, peer=lambda: elapsed(one_after_another), ours=lambda: elapsed(at_once)
        )
    return Row(
        f"`describe_exports` of {exports:,} ids, 50 ms latency",
        "s",
        seconds["peer"],
        seconds["ours"],
        seconds["peer"] / seconds["ours"],
        "at least 7",
    )


# In memory


async def engine(pages: int, rounds: int) -> list[Row]:
    """Measure the paginators alone: the calls are answered from memory."""
    items = [export(number) for number in range(PAGE)]

    def answering() -> Callable[..., Awaitable[dict[str, Any]]]:
        left = pages

        async def answer(**_: Any) -> dict[str, Any]:
            nonlocal left
            left -= 1
            page: dict[str, Any] = {"exportsInfo": items, "ResponseMetadata": {}}
            return page | {"nextToken": TOKEN.format(left)} if left else page

        return answer

    async def bare() -> None:
        answer, token = answering(), TOKEN
        while token:
            token = (await answer(nextToken=token)).get("nextToken", "")

    async with peer_client("http://127.0.0.1:9") as client:

        def peer_pages() -> Any:
            paginator: Any = client.get_paginator("describe_export_tasks")
            paginator._method = answering()  # there is no other way to leave the network out
            return paginator.paginate()

        def our_pages() -> Any:
            paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")
            paginator._method = answering()
            return paginator.paginate()

        async def exhaust(iterator: Any) -> None:
            async for _ in iterator:
                pass

        seconds = await alternate(
            rounds,
            bare=lambda: elapsed(bare),
            peer=lambda: elapsed(lambda: exhaust(peer_pages())),
            ours=lambda: elapsed(lambda: exhaust(our_pages())),
            peer_items=lambda: elapsed(lambda: exhaust(peer_pages().result_key_iters()[0])),
            our_items=lambda: elapsed(lambda: exhaust(our_pages().items())),
        )
    a_page = {name: (seconds[name] - seconds["bare"]) / pages * 1e6 for name in ("peer", "ours")}
    an_item = {
        "peer": seconds["peer_items"] / pages / PAGE * 1e9,
        "ours": seconds["our_items"] / pages / PAGE * 1e9,
    }
    return [
        Row("engine: a page, beside the call itself", "us", *_compare(a_page), "at most 0.33"),
        Row("engine: an item, `items()`", "ns", *_compare(an_item), "at most 0.5"),
    ]


# Of a whole process


def memory(few: int, many: int) -> Row:
    """Stream exports in a separate process, few and many."""
    peaks: list[float] = []
    for exports in (few, many):
        with serving(exports) as url:
            command = [sys.executable, __file__, "--peak-memory", url]
            peaks += [float(subprocess.run(command, check=True, capture_output=True).stdout)]
    measure = f"peak memory while streaming {many:,} exports; peer: {few:,}"
    return Row(measure, "MiB", peaks[0], peaks[1], peaks[1] - peaks[0], "at most 5 more")


async def peak_memory(url: str) -> float:
    """Stream all exports and return the largest resident size, in MiB."""
    import resource  # noqa: PLC0415  # not on every system

    async with our_client(url) as client:
        pages = aiodiscovery.get_paginator(client, "describe_export_tasks").paginate()
        async with pages.prefetch() as ahead:
            async for _ in ahead.items():
                pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def import_time(*, quick: bool) -> Row:
    """Import in fresh processes: aiobotocore.session first, then this package."""
    script = (
        "import time; begun = time.perf_counter(); import aiobotocore.session; "
        "between = time.perf_counter(); import aiodiscovery; "
        "print(between - begun, time.perf_counter() - between)"
    )
    environment = {
        key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
    }
    # The first run writes the bytecode.
    times = [
        [
            float(seconds) * 1e3
            for seconds in subprocess.check_output(
                [sys.executable, "-c", script], env=environment
            ).split()
        ]
        for _ in range(4 if quick else 21)
    ][1:]
    peer, more = (statistics.median(values) for values in zip(*times, strict=True))
    return Row(
        "`import aiodiscovery` after `import aiobotocore.session`",
        "ms",
        peer,
        more,
        more,
        "at most 10",
    )


# Measuring


async def alternate(rounds: int, **peers: Measure) -> dict[str, float]:
    """Return the median of each peer's measurements, made in turns."""
    measured: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, measure in peers.items():
            gc.collect()
            measured[name].append(await measure())
    return {name: statistics.median(values) for name, values in measured.items()}


async def elapsed(work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def _compare(values: dict[str, float]) -> tuple[float, float, float]:
    return values["peer"], values["ours"], values["ours"] / values["peer"]


@contextmanager
def serving(exports: int, latency: float = 0.0) -> Iterator[str]:
    """Run the service in a separate process and yield its URL."""
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    command += ["--exports", str(exports), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def client_kwargs(url: str) -> dict[str, Any]:
    return {
        "endpoint_url": url,
        "region_name": "us-west-2",
        "aws_access_key_id": "benchmark",
        "aws_secret_access_key": "benchmark",
    }


@asynccontextmanager
async def peer_client(url: str) -> AsyncGenerator[Any, None]:
    async with get_session().create_client("discovery", **client_kwargs(url)) as client:
        yield client


@asynccontextmanager
async def our_client(url: str) -> AsyncGenerator[Any, None]:
    async with aiodiscovery.create_client(**client_kwargs(url)) as client:
        yield client


def print_table(rows: list[Row]) -> None:
    """Print the rows, and the environment of the measurement."""
    print("| measure | unit | peer | aiodiscovery | ratio | to reach |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        figures = " | ".join(
            f"{value:,.3g}" if value < 100 else f"{value:,.0f}" for value in row[2:5]
        )
        print(f"| {row.measure} | {row.unit} | {figures} | {row.goal} |")
    versions = ", ".join(f"{name} {version(name)}" for name in ("aiobotocore", "botocore", "anyio"))
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {versions}")


if __name__ == "__main__":
    main()
