"""Read the AWS Application Discovery Service from asynchronous programs."""

from ._client import create_client
from ._exports import DownloadedExport, download_export, start_export
from ._listing import (
    PageIterator,
    Paginator,
    ReadAhead,
    ResumableIterator,
    describe_exports,
    get_paginator,
)
from ._watching import (
    BatchDeleteWatcher,
    ExportUpdate,
    ExportWatcher,
    ImportWatcher,
    JobUpdate,
    WatcherStatistics,
    wait_for_exports,
)
from .exceptions import (
    DownloadError,
    ExportFailedError,
    ExportNotFoundError,
    ExportNotSucceededError,
    ExportTimeoutError,
    InvalidResumeTokenError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    PaginationLoopError,
    PollingError,
    WatcherClosedError,
    WatchError,
)

__all__ = [
    "BatchDeleteWatcher",
    "DownloadError",
    "DownloadedExport",
    "ExportFailedError",
    "ExportNotFoundError",
    "ExportNotSucceededError",
    "ExportTimeoutError",
    "ExportUpdate",
    "ExportWatcher",
    "ImportWatcher",
    "InvalidResumeTokenError",
    "JobFailedError",
    "JobNotFoundError",
    "JobTimeoutError",
    "JobUpdate",
    "PageIterator",
    "PaginationLoopError",
    "Paginator",
    "PollingError",
    "ReadAhead",
    "ResumableIterator",
    "WatchError",
    "WatcherClosedError",
    "WatcherStatistics",
    "create_client",
    "describe_exports",
    "download_export",
    "get_paginator",
    "start_export",
    "wait_for_exports",
]
