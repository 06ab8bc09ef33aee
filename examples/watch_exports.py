"""Start exports and watch them until they have ended: one line for each change, then a summary.

    python examples/watch_exports.py                       # against an emulator, no account needed
    python examples/watch_exports.py --region us-west-2    # against AWS: starts one export
    python examples/watch_exports.py --region us-west-2 export-1 export-2    # watches these

However many there are, one call asks for up to 100 of them.
"""

import argparse
import sys
from collections import Counter
from contextlib import aclosing, nullcontext
from typing import Any

import anyio
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

import aiodiscovery
from aiodiscovery.emulator import Emulator

# The exports that the emulator starts: how many seconds each takes, and the message with which it
# fails, or None if it succeeds.
PLANS = [
    (1.0, None),
    (3.0, None),
    (2.0, "The agent stopped sending data."),
    (0.5, None),
    (1.5, "There is no data in the time range."),
    (3.5, None),
]


async def main(client_kwargs: Any, export_ids: list[str], count: int, delays: Any) -> int:
    """Start exports if no ids are given, watch them, and return how many FAILED."""
    async with aiodiscovery.create_client(**client_kwargs) as client:
        if not export_ids:
            export_ids = [await aiodiscovery.start_export(client) for _ in range(count)]
            print(f"Started {count} exports." if count > 1 else "Started an export.")
        async with aiodiscovery.ExportWatcher(client, **delays) as watcher:
            return await watch(watcher, export_ids)


async def watch(watcher: aiodiscovery.ExportWatcher, export_ids: list[str]) -> int:
    started = anyio.current_time()
    statuses: dict[str, str] = {}
    async with aclosing(watcher.updates(export_ids)) as updates:
        async for update in updates:
            seconds = anyio.current_time() - started
            before = update.previous_status or ""
            line = f"{seconds:5.1f} s  {update.export_id}  {before:>11} -> {update.status}"
            if update.status == "FAILED":
                line += f": {update.info['statusMessage']}"
            print(line, flush=True)
            statuses[update.export_id] = update.status
    ends = Counter(statuses.values())
    print(f"All have ended: {ends['SUCCEEDED']} succeeded, {ends['FAILED']} failed.")
    return ends["FAILED"]


def run() -> int:
    parser = argparse.ArgumentParser(description="Start exports and watch them until they end.")
    parser.add_argument("--region", help="use AWS in this region instead of an emulator")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    parser.add_argument("export_ids", nargs="*", help="watch these, start none (with --region)")
    arguments = parser.parse_args()
    if arguments.export_ids and arguments.region is None:
        parser.error("an emulator has none of your exports: give a --region")

    with Emulator() if arguments.region is None else nullcontext() as emulator:
        if emulator is None:
            job: Any = ({"region_name": arguments.region}, arguments.export_ids, 1, {})
        else:
            for duration, message in PLANS:
                emulator.plan_export(duration=duration, fail_with=message)
            # Exports that take seconds are polled more often than those that take minutes or hours.
            delays = {"min_delay": 0.25, "max_delay": 1.0, "max_rate": None}
            job = (emulator.client_kwargs, [], len(PLANS), delays)
        try:
            failed = anyio.run(main, *job, backend=arguments.backend)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            print(f"They were not started: {error}", file=sys.stderr)
            return 1
        except aiodiscovery.WatchError as error:
            print(f"Not all were watched to their ends: {error}", file=sys.stderr)
            return 1
        if emulator is None:
            return 1 if failed else 0
        calls = Counter(request.operation for request in emulator.requests)
        print(
            f"The emulator saw {calls['StartExportTask']} calls to start them and "
            f"{calls['DescribeExportTasks']} to watch them all."
        )
        return 0


if __name__ == "__main__":
    sys.exit(run())
