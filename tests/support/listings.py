"""Listings of an emulator's exports, in few words."""

from typing import TYPE_CHECKING, Any

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client


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
