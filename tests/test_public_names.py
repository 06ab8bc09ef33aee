"""The public names of ``aiodiscovery`` and its public packages."""

import importlib

import pytest

import aiodiscovery


def test_the_package_hands_out_these_names() -> None:
    assert sorted(aiodiscovery.__all__) == [
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


@pytest.mark.parametrize("name", ["aiodiscovery", "aiodiscovery.exceptions"])
def test_each_public_name_is_there(name: str) -> None:
    module = importlib.import_module(name)

    assert [public for public in module.__all__ if not hasattr(module, public)] == []
