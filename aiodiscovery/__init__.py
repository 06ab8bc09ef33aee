"""Read the AWS Application Discovery Service from asynchronous programs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    CollectionError,
    CollectionInUseError,
    CollectionTimeoutError,
    DownloadError,
    ExportAlreadyPresentError,
    ExportFailedError,
    ExportLimitReachedError,
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

if TYPE_CHECKING:
    from ._collecting import (
        AgentReport,
        CollectedFile,
        CollectedWindow,
        CollectionProgress,
        CollectionReport,
        MissingRange,
        MissingReason,
        TimeRange,
        check_collection,
        collect_exports,
    )
else:

    def __getattr__(name: str) -> Any:
        # A collection needs a database and more, which takes as long to import as all the rest.
        if name in __all__:
            globals()[name] = found = getattr(import_module("._collecting", __name__), name)
            return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "AgentReport",
    "BatchDeleteWatcher",
    "CollectedFile",
    "CollectedWindow",
    "CollectionError",
    "CollectionInUseError",
    "CollectionProgress",
    "CollectionReport",
    "CollectionTimeoutError",
    "DownloadError",
    "DownloadedExport",
    "ExportAlreadyPresentError",
    "ExportFailedError",
    "ExportLimitReachedError",
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
    "MissingRange",
    "MissingReason",
    "PageIterator",
    "PaginationLoopError",
    "Paginator",
    "PollingError",
    "ReadAhead",
    "ResumableIterator",
    "TimeRange",
    "WatchError",
    "WatcherClosedError",
    "WatcherStatistics",
    "check_collection",
    "collect_exports",
    "create_client",
    "describe_exports",
    "download_export",
    "get_paginator",
    "start_export",
    "wait_for_exports",
]
