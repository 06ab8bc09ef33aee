"""List export tasks: pages, then single items, and the token to continue with.

python examples/list_exports.py                       # against an emulator, no account needed
python examples/list_exports.py --region us-west-2    # against AWS
"""

import argparse
from contextlib import nullcontext
from typing import Any

import anyio

import aiodiscovery
from aiodiscovery.emulator import Emulator


async def main(client_kwargs: Any, config: Any) -> None:
    async with aiodiscovery.create_client(**client_kwargs) as client:
        paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
        pages = paginator.paginate(PaginationConfig=config)

        print("As pages:")
        async for page in pages:
            more = "more to come" if "NextToken" in page else "the last one"
            print(f"  a page of {len(page['exportsInfo'])} exports, {more}")

        print("As items:")
        async for export in pages.items():
            requested = export["exportRequestTime"]
            print(
                f"  {export['exportId']}  {export['exportStatus']:<11}  {requested:%Y-%m-%d %H:%M}"
            )

        if pages.resume_token is None:
            print("That is all of them.")
        else:
            print(f"Continue with: --starting-token {pages.resume_token}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="List export tasks.")
    parser.add_argument(
        "--region", help="list those of AWS in this region instead of an emulator's"
    )
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    parser.add_argument("--max-items", type=int, help="the most exports to list")
    parser.add_argument("--page-size", type=int, default=10, help="exports in a request (10)")
    parser.add_argument("--starting-token", help="continue from the token of an earlier run")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    with Emulator() if arguments.region is None else nullcontext() as emulator:
        anyio.run(
            main,
            {"region_name": arguments.region} if emulator is None else emulator.client_kwargs,
            {
                "MaxItems": arguments.max_items,
                "PageSize": arguments.page_size,
                "StartingToken": arguments.starting_token,
            },
            backend=arguments.backend,
        )
