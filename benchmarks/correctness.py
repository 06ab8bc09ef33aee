"""What goes wrong with aiobotocore's paginator, and what happens here: the README's table.

    python benchmarks/correctness.py

Runs both against the emulator and prints a line for each case. botocore and boto3 have the same
paginator as aiobotocore, so it stands for them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from botocore.config import Config

import aiodiscovery
from aiodiscovery.emulator import Emulator

__all__ = ["CASES", "run_case"]

#: Makes the pages of a listing from a PaginationConfig.
Paginate = Callable[..., Any]
Case = Callable[[Emulator, Paginate], Awaitable[str]]

#: How many pages of a circular listing are read before it counts as endless.
_ENDLESS = 50


async def ids_of(pages: Any) -> list[str]:
    """Read a listing to its end."""
    return [export["exportId"] async for page in pages for export in page.get("exportsInfo", ())]


async def twice(emulator: Emulator, paginate: Paginate) -> str:
    """Iterate twice over the same pages (10 exports, PageSize 4)."""
    pages = paginate(PageSize=4)
    return f"{len(await ids_of(pages))} exports, then {len(await ids_of(pages))}"


async def another_page_size(emulator: Emulator, paginate: Paginate) -> str:
    """Resume with a smaller PageSize (after 7 of 10 exports, PageSize 3)."""
    first = paginate(MaxItems=7)
    ids = await ids_of(first)
    rest = await ids_of(paginate(PageSize=3, StartingToken=first.resume_token))
    repeated = len(set(ids) & set(rest))
    lost = 10 - len(set(ids) | set(rest))
    return f"{repeated} repeated, {lost} lost"


async def left(emulator: Emulator, paginate: Paginate) -> str:
    """Leave the loop after the first page, then resume."""
    pages = paginate(PageSize=4)
    # aiobotocore's iterator should be closed.
    async with aclosing(aiter(pages)) as iterator:
        await anext(iterator)
    if pages.resume_token is None:
        return "there is no token to resume from"
    return f"the other {len(await ids_of(paginate(StartingToken=pages.resume_token)))} exports"


async def circle(emulator: Emulator, paginate: Paginate) -> str:
    """Read a listing whose tokens form a loop."""
    emulator.inject_token_cycle(2)
    count = 0
    try:
        async with aclosing(aiter(paginate(PageSize=2))) as iterator:
            async for _ in iterator:
                count += 1
                if count == _ENDLESS:
                    return "never ends"
    except aiodiscovery.PaginationLoopError:
        return "PaginationLoopError before a page is repeated"
    return f"ends after {count} pages"


async def portal(emulator: Emulator, paginate: Paginate) -> str:
    """Read on while a gateway answers `{}` for the second of three pages."""
    emulator.inject_foreign_answer("object", after=1)
    pages = paginate(PageSize=4)
    try:
        count = len(await ids_of(pages))
    except Exception as error:  # noqa: BLE001  # any error is reported
        return f"{type(error).__mro__[1].__name__}; the token resumes at page 2"
    return f"ends after {count} exports, without an error"


async def negative(emulator: Emulator, paginate: Paginate) -> str:
    """Give MaxItems=-3."""
    try:
        return f"{len(await ids_of(paginate(MaxItems=-3)))} of 10 exports"
    except ValueError:
        return "ValueError before anything is sent"


CASES: tuple[Case, ...] = (twice, another_page_size, left, circle, portal, negative)


async def run_case(case: Case, *, ours: bool) -> str:
    """Run a case with a fresh emulator, and return what happens."""
    config = Config(retries={"total_max_attempts": 1})
    with Emulator(exports=10) as emulator:
        async with aiodiscovery.create_client(**emulator.client_kwargs, config=config) as client:
            makers: list[Any] = [client.get_paginator, partial(aiodiscovery.get_paginator, client)]
            paginator = makers[ours]("describe_export_tasks")

            def paginate(**config: Any) -> Any:
                return paginator.paginate(PaginationConfig=config)

            return await case(emulator, paginate)


async def main() -> None:
    for case in CASES:
        what = (case.__doc__ or "").rstrip(".")
        before, after = await run_case(case, ours=False), await run_case(case, ours=True)
        print(f"| {what} | {before} | {after} |")


if __name__ == "__main__":
    asyncio.run(main())
