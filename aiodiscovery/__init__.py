"""Read the AWS Application Discovery Service from asynchronous programs."""

from ._client import create_client
from ._paginator import PageIterator, Paginator, ResumableIterator, get_paginator
from ._watcher import ExportUpdate, ExportWatcher, wait_for_exports
from .exceptions import (
    ExportFailedError,
    ExportNotFoundError,
    ExportTimeoutError,
    InvalidResumeTokenError,
    PaginationLoopError,
    PollingError,
    WatcherClosedError,
    WatchError,
)

__all__ = [
    "ExportFailedError",
    "ExportNotFoundError",
    "ExportTimeoutError",
    "ExportUpdate",
    "ExportWatcher",
    "InvalidResumeTokenError",
    "PageIterator",
    "PaginationLoopError",
    "Paginator",
    "PollingError",
    "ResumableIterator",
    "WatchError",
    "WatcherClosedError",
    "create_client",
    "get_paginator",
    "wait_for_exports",
]
