"""Listings: pages, items, resume tokens, reading ahead, and requests for many ids."""

from .checks import check_count, check_ids
from .describe import describe_exports
from .iteration import ResumableIterator
from .pages import PageIterator, ReadAhead
from .paginator import Paginator, get_paginator
from .query import MAX_IDS, MAX_PAGE_SIZE

__all__ = [
    "MAX_IDS",
    "MAX_PAGE_SIZE",
    "PageIterator",
    "Paginator",
    "ReadAhead",
    "ResumableIterator",
    "check_count",
    "check_ids",
    "describe_exports",
    "get_paginator",
]
