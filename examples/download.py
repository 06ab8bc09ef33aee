"""Start an export, wait for it and download its archive, printing the progress.

    python examples/download.py                       # from an emulator, no account needed
    python examples/download.py --region us-west-2    # from AWS: starts an export
    python examples/download.py --region us-west-2 export-1    # downloads this one

Stop it and start it again with the same export, and it continues where it stopped. The emulator
breaks the connection twice and lets the URL expire once.
"""

import argparse
import logging
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any

import anyio

import aiodiscovery
from aiodiscovery.emulator import Emulator


def printer() -> Any:
    """Return a function that prints the progress of a download, at every tenth of it."""
    printed = -1

    def show(done: int, total: int | None) -> None:
        nonlocal printed
        tenths = 10 * done // total if total else 0
        if tenths != printed:
            printed = tenths
            print(f"{done:>12,} bytes of {'?' if total is None else f'{total:,}'}", flush=True)

    return show


async def main(client_kwargs: Any, export_id: str | None, destination: str, delays: Any) -> None:
    async with aiodiscovery.create_client(**client_kwargs) as client:
        if export_id is None:
            export_id = await aiodiscovery.start_export(client)
            print(f"Started {export_id}.")
        infos = await aiodiscovery.wait_for_exports(client, [export_id], **delays)
        done = await aiodiscovery.download_export(
            client, infos[export_id], destination, progress=printer()
        )
    print(f"All {done.size:,} bytes are in {done.path}, with every CRC in it right.")


def run() -> int:
    parser = argparse.ArgumentParser(description="Start an export and download its archive.")
    parser.add_argument("--region", help="use AWS in this region instead of an emulator")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    parser.add_argument("--to", default=".", metavar="PATH", help="a directory or the file's path")
    parser.add_argument("export_id", nargs="?", help="download this one (with --region)")
    arguments = parser.parse_args()
    if arguments.export_id and arguments.region is None:
        parser.error("an emulator has none of your exports: give a --region")

    if find_spec("httpx2") is None:
        # Checked before an export is started that could not be downloaded.
        print('It needs the extra: pip install "aiodiscovery[download]"', file=sys.stderr)
        return 1

    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger("aiodiscovery").setLevel(logging.INFO)
    size = 5_000_000
    emulated = Emulator(archive_size=size) if arguments.region is None else nullcontext()
    with emulated as emulator:
        if emulator is None:
            job: Any = ({"region_name": arguments.region}, arguments.export_id, arguments.to, {})
        else:
            emulator.plan_export(duration=0.5)
            emulator.inject_broken_download(size // 3)
            emulator.inject_expired_url()
            emulator.inject_broken_download(size // 3)
            # Exports that take seconds are polled more often than those that take minutes or hours.
            delays = {"min_delay": 0.25, "max_delay": 1.0, "max_rate": None}
            job = (emulator.client_kwargs, None, arguments.to, delays)
        try:
            anyio.run(main, *job, backend=arguments.backend)
        except (aiodiscovery.WatchError, aiodiscovery.DownloadError, OSError) as error:
            print(f"It was not downloaded: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
