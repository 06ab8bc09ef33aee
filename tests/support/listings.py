"""Listings of exports, briefly written, and every way to read one."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client


#: How a listing can be read: what is returned, and whether it is read ahead.
WAYS = [
    pytest.param((how, ahead), id=f"{how}{', ahead' if ahead else ''}")
    for ahead in (False, True)
    for how in ("pages", "items", "search", "full result")
]


def list_exports(
    client: "Client", *ids: str, **config: Any
) -> "aiodiscovery.PageIterator[Any, Any]":
    parameters: Any = {"PaginationConfig": config} | ({"exportIds": ids} if ids else {})
    return aiodiscovery.get_paginator(client, "describe_export_tasks").paginate(**parameters)


def ids_of(page: Any) -> list[str]:
    return [export["exportId"] for export in page["exportsInfo"]]


async def ids_in(pages: "aiodiscovery.PageIterator[Any, Any]") -> list[str]:
    return [export["exportId"] async for export in pages.items()]


def asked(emulator: Emulator) -> list[dict[str, Any]]:
    return [request.parameters for request in emulator.requests]


@asynccontextmanager
async def reading(
    pages: "aiodiscovery.PageIterator[Any, Any]", *, ahead: bool
) -> "AsyncGenerator[aiodiscovery.PageIterator[Any, Any]]":
    if ahead:
        async with pages.prefetch() as reader:
            yield reader
    else:
        yield pages


async def read_into(
    came: list[str], pages: "aiodiscovery.PageIterator[Any, Any]", how: str
) -> str | None:
    """Read a listing to its end, and return the NextToken of the last page or item."""
    token = None
    if how == "full result":
        result = await pages.build_full_result()
        came += ids_of(result)
        token = result.get("NextToken")
    elif how == "pages":
        async for page in pages:
            came += ids_of(page)
            token = page.get("NextToken")
    elif how == "items":
        async for export in pages.items():
            came.append(export["exportId"])
    else:
        async for export_id in pages.search("exportsInfo[].exportId"):
            came.append(export_id)
    return token
