"""Read the AWS Application Discovery Service from asynchronous programs."""

from ._client import create_client
from ._describe import describe_exports
from ._paginator import PageIterator, Paginator, ReadAhead, ResumableIterator, get_paginator
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
    "ReadAhead",
    "ResumableIterator",
    "WatchError",
    "WatcherClosedError",
    "create_client",
    "describe_exports",
    "get_paginator",
    "wait_for_exports",
]
