"""Descriptions of many exports, by their ids."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._client import item_id
from .checks import check_count, check_ids
from .paginator import get_paginator
from .query import MAX_IDS, MAX_PAGE_SIZE

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["describe_exports"]


async def describe_exports(
    client: "AioBaseClient", export_ids: Iterable[str], *, max_concurrency: int = 8
) -> "dict[str, ExportInfoTypeDef]":
    """Describe any number of exports, with concurrent requests for up to 100 each.

    An error or a cancellation ends the requests that are under way.

    :param client: an aiobotocore client for ``discovery``.
    :param max_concurrency: how many requests to make at the same time, at most.
    :return: the ExportInfos by id, in the order of the ids. An id that is given twice is returned
        once. One that the service does not know is left out.
    :raises botocore.exceptions.BotoCoreError: as botocore raises it; the same goes for
        ``ClientError``.
    :raises botocore.parsers.ResponseParserError: if an answer is not the service's, or cannot be
        decoded.
    :raises ValueError: if something is not an export id, ``max_concurrency`` is not a whole number
        of at least 1, or the client is for another service.
    """
    check_count("max_concurrency", max_concurrency)
    paginator = get_paginator(client, "describe_export_tasks")
    ids = check_ids(export_ids)
    if not ids:
        return {}
    # A list, because handlers of botocore's events expect one.
    pages = paginator.paginate(exportIds=list(ids), PaginationConfig={"PageSize": MAX_PAGE_SIZE})
    if len(ids) <= MAX_IDS:
        found = {_id_of(info): info async for info in pages.items()}
    else:
        async with pages.prefetch(max_concurrency) as ahead:
            found = {_id_of(info): info async for info in ahead.items()}
    return {export_id: found[export_id] for export_id in ids if export_id in found}


def _id_of(info: "ExportInfoTypeDef") -> str:
    return item_id("DescribeExportTasks", info, "exportId")
