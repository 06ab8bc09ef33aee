"""Read a listing in slices, each in its own process, and show that every export came once.

    python examples/resume.py                       # against an emulator, no account needed
    python examples/resume.py --region us-west-2    # against AWS

Only the resume token goes from one process to the next. The slices are of any size and ask for
pages of any size.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from itertools import cycle
from typing import Any

import anyio

import aiodiscovery
from aiodiscovery.emulator import Emulator

# How many exports a slice stops after, and the size of its pages.
SLICES = [(7, 3), (1, 1), (60, 100), (33, 8)]


async def read(client_kwargs: Any, config: Any) -> None:
    """Print the ids of a part of a listing, and the token behind them, as one line of JSON."""
    async with aiodiscovery.create_client(**client_kwargs) as client:
        paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
        pages = paginator.paginate(PaginationConfig=config)
        ids = [export["exportId"] async for export in pages.items()]
    print(json.dumps({"ids": ids, "resume_token": pages.resume_token}))


def read_in_another_process(backend: str, **job: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--backend", backend, "--job"]
    # On standard input, because everyone can see the command line of a process.
    done = subprocess.run(
        command, input=json.dumps(job), stdout=subprocess.PIPE, check=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def compare(backend: str, client_kwargs: Any) -> int:
    token = None
    came: list[str] = []
    for max_items, page_size in cycle(SLICES):
        config = {"MaxItems": max_items, "PageSize": page_size, "StartingToken": token}
        part = read_in_another_process(backend, client_kwargs=client_kwargs, config=config)
        came += part["ids"]
        token = part["resume_token"]
        print(f"A process read {len(part['ids']):>2} exports and stopped; {len(came)} so far.")
        if token is None:
            break

    whole = read_in_another_process(backend, client_kwargs=client_kwargs, config={})["ids"]
    repeated = [export_id for export_id, times in Counter(came).items() if times > 1]
    lost = set(whole) - set(came)
    print(f"{len(whole)} exports in one go: {len(lost)} lost, {len(repeated)} repeated.")
    return 1 if lost or repeated else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Read a listing in slices.")
    parser.add_argument("--region", help="read from AWS in this region instead of an emulator")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job = json.load(sys.stdin)
        anyio.run(read, job["client_kwargs"], job["config"], backend=arguments.backend)
        return 0
    with Emulator(exports=100) if arguments.region is None else nullcontext() as emulator:
        client_kwargs = (
            {"region_name": arguments.region} if emulator is None else emulator.client_kwargs
        )
        return compare(arguments.backend, client_kwargs)


if __name__ == "__main__":
    sys.exit(main())
