"""Measure aiodiscovery.tables beside pyarrow and the csv module, in one run.

The archive of one agent with many outbound connections is converted to Parquet. Each measurement
has its own process. The compared ones alternate, round after round. The table shows each one's
median, and the ratio of the medians.

- pyarrow: ``csv.open_csv`` to ``ParquetWriter`` on the extracted file, with its own settings. It
  reads account numbers as numbers and leaves times as text.
- csv: ``csv.DictReader`` over the zip archive as people write it, with ports as numbers, times by
  ``strptime`` and Parquet at the end. It keeps all rows in memory, so it gets fewer of them.
- ours: ``write_parquet`` of the zip archive.

It prints a table in Markdown. ``--quick`` takes few rows and only shows whether it works.
"""

import argparse
import csv
import importlib
import io
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

HEADER = (
    "accountNumber,agentId,sourceIp,sourcePort,destinationIp,destinationPort,ipVersion,"
    "transportProtocol,agentAssignedProcessId,agentCreationDate\n"
)
MEMBER = "012345678901_sourceProcessConnection.csv"
AGENT = "o-0123456789abcdefg"
TIME = "%m/%d/%Y %I:%M:%S %p"
START = datetime(2026, 1, 5)  # as in the file
#: The seconds of an export.
SECONDS = 72 * 60 * 60
MIB = 1024 * 1024


def main() -> None:
    """Measure everything, or one thing in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--measure", nargs=3, metavar=("WHAT", "FROM", "TO"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return
    rows = 100_000 if arguments.quick else arguments.rows
    rounds = 1 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory() as folder:
        print_table(rows, measure_all(Path(folder), rows, rounds))


def measure_all(folder: Path, rows: int, rounds: int) -> list[tuple[str, str, str, str, str]]:
    """Measure everything, and return the rows of the table."""
    few = min(rows, 500_000)
    print(f"making archives of {rows:,}, {rows // 10:,} and {few:,} rows", file=sys.stderr)
    make_archive(folder / "all.zip", rows)
    make_archive(folder / "tenth.zip", max(1, rows // 10))
    make_archive(folder / "few.zip", few)
    with zipfile.ZipFile(folder / "all.zip") as archive:
        archive.extract(MEMBER, folder)
    rates: dict[str, list[float]] = {}
    cpus: dict[str, list[float]] = {}
    peaks: dict[str, list[float]] = {}
    for number in range(rounds):
        for what, source, count in (
            ("pyarrow", folder / MEMBER, rows),
            ("ours", folder / "all.zip", rows),
            ("tenth", folder / "tenth.zip", max(1, rows // 10)),
            ("csv", folder / "few.zip", few),
        ):
            if what == "csv" and number > 1:
                continue  # it takes long, and is not close
            done = run(what, source, folder / "out")
            assert done["rows"] == count, done
            rates.setdefault(what, []).append(count / done["seconds"])
            cpus.setdefault(what, []).append(count / done["cpu"])
            peaks.setdefault(what, []).append(done["peak"])
            print(f"{what}: {done}", file=sys.stderr)
    rate = {what: statistics.median(values) for what, values in rates.items()}
    cpu = {what: statistics.median(values) for what, values in cpus.items()}
    peak = {what: max(values) for what, values in peaks.items()}
    return [
        (
            f"{rows:,} rows: rows a second, beside pyarrow on the extracted file",
            f"{rate['pyarrow']:,.0f}",
            f"{rate['ours']:,.0f}",
            f"{rate['ours'] / rate['pyarrow']:.2f}",
            "at least 0.7",
        ),
        (
            "the same, rows a CPU second",
            f"{cpu['pyarrow']:,.0f}",
            f"{cpu['ours']:,.0f}",
            f"{cpu['ours'] / cpu['pyarrow']:.2f}",
            "",
        ),
        (
            f"the same, beside csv.DictReader over an archive of {few:,}",
            f"{rate['csv']:,.0f}",
            f"{rate['ours']:,.0f}",
            f"{rate['ours'] / rate['csv']:.1f}",
            "at least 10",
        ),
        (
            "the same, rows a CPU second",
            f"{cpu['csv']:,.0f}",
            f"{cpu['ours']:,.0f}",
            f"{cpu['ours'] / cpu['csv']:.1f}",
            "",
        ),
        (
            f"{rows:,} rows: peak memory over that of importing pyarrow, MiB",
            f"{peak['pyarrow']:,.0f}",
            f"{peak['ours']:,.0f}",
            "",
            "at most 300",
        ),
        (
            f"{rows // 10:,} rows: the same",
            "",
            f"{peak['tenth']:,.0f}",
            "",
            "at most 300",
        ),
    ]


# Data


def make_archive(path: Path, rows: int) -> None:
    """Write the archive of an agent with this many outbound connections."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(MEMBER, "w", force_zip64=True) as file,
    ):
        file.write(HEADER.encode())
        for chunk in chunks(rows):
            file.write(chunk.encode())


def chunks(rows: int) -> Iterator[str]:
    """Generate rows as an export may have them, ordered by time."""
    rng = random.Random(0)
    peers = [f"10.{rng.randrange(4)}.{rng.randrange(20)}.{rng.randrange(250)}" for _ in range(200)]
    processes = [str(rng.randrange(1, 32_768)) for _ in range(300)]
    connections = [
        f"012345678901,{AGENT},10.0.3.17,{rng.randrange(32_768, 61_000)},{rng.choice(peers)},"
        f"{rng.choice((443, 5432, 6379, 8080))},IPv4,TCP,{rng.choice(processes)},"
        for _ in range(min(rows, 200_000))
    ]
    size = len(connections)
    for first in range(0, rows, size):
        numbers = range(first, min(first + size, rows))
        times: dict[int, str] = {}
        lines = []
        for number in numbers:
            second = number * SECONDS // rows
            if second not in times:
                times[second] = f"{START + timedelta(seconds=second):{TIME}}\n"
            lines.append(connections[number - first] + times[second])
        yield "".join(lines)


# Measuring, in a separate process


def run(what: str, source: Path, target: Path) -> dict[str, Any]:
    """Measure one thing in a separate process."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, str(source), str(target)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(what: str, source: str, target: str) -> dict[str, float]:
    """Do one thing. Return how long it took, how much memory, and the number of rows."""
    for module in ("pyarrow.compute", "pyarrow.csv", "pyarrow.parquet"):
        importlib.import_module(module)
    before = peak_memory()
    importlib.import_module("aiodiscovery.tables")
    function: Callable[[Path, Path], int] = {"pyarrow": with_pyarrow, "csv": with_csv}.get(
        what, with_tables
    )
    with tempfile.TemporaryDirectory(dir=Path(target).parent) as folder:
        started, cpu = time.perf_counter(), time.process_time()
        rows = function(Path(source), Path(folder))
        seconds = time.perf_counter() - started
        cpu = time.process_time() - cpu
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu": cpu,
        "peak": (peak_memory() - before) / MIB,
    }


def peak_memory() -> int:
    """Return the peak memory of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def with_tables(source: Path, folder: Path) -> int:
    from aiodiscovery.tables import write_parquet  # noqa: PLC0415

    return sum(file.rows for file in write_parquet(source, folder))


def with_pyarrow(source: Path, folder: Path) -> int:
    import pyarrow.csv as pacsv  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    rows = 0
    reader = pacsv.open_csv(source)
    with pq.ParquetWriter(folder / "out.parquet", reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def with_csv(source: Path, folder: Path) -> int:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    rows: list[dict[str, object]] = []
    with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8")):
            values: dict[str, object] = dict(row)
            values["sourcePort"] = int(row["sourcePort"])
            values["destinationPort"] = int(row["destinationPort"])
            values["agentCreationDate"] = datetime.strptime(  # as people write it
                row["agentCreationDate"], TIME
            )
            rows.append(values)
    pq.write_table(pa.Table.from_pylist(rows), folder / "out.parquet")
    return len(rows)


def print_table(rows: int, lines: list[tuple[str, str, str, str, str]]) -> None:
    """Print the measurements, and their environment."""
    print("| measure | peer | ours | ratio | to reach |")
    print("| --- | ---: | ---: | ---: | --- |")
    for line in lines:
        print(f"| {' | '.join(line)} |")
    print(
        f"\n{rows:,} rows, Python {platform.python_version()}, pyarrow {version('pyarrow')}, "
        f"{os.cpu_count()} processors."
    )


if __name__ == "__main__":
    main()
