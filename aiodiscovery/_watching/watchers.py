"""The watchers, one for each kind of the service's long jobs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .jobs import BATCH_DELETES, EXPORTS, IMPORTS, ExportUpdate, JobUpdate
from .watcher import JobWatcher

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import (
        BatchDeleteConfigurationTaskTypeDef as BatchDeleteTask,  # noqa: F401  # in quotes below
    )
    from types_aiobotocore_discovery.type_defs import (
        ExportInfoTypeDef,
        ImportTaskTypeDef,  # noqa: F401  # in quotes below
    )

__all__ = ["BatchDeleteWatcher", "ExportWatcher", "ImportWatcher", "wait_for_exports"]


class ExportWatcher(JobWatcher["ExportInfoTypeDef", ExportUpdate]):
    """Waits for exports, for any number of tasks at once, with as few calls as possible.

    ::

        async with aiodiscovery.ExportWatcher(client) as watcher:
            info = await watcher.wait("export-123", timeout=3600)

    With the defaults, an end is seen within 10 seconds, or within 1 % of the time that the export
    has run, whichever is longer. There are never more than ten calls in any ten seconds.

    One call asks for up to 100 exports, whichever tasks wait for them. Each export is polled at
    once. Then the delays are a fraction of its age, between ``min_delay`` and ``max_delay``, with a
    last poll just before a deadline. The age counts from when the export was requested, on the
    service's clock. A call that is made anyway is filled up with the exports that would be due
    next. Calls that fail but may succeed later (throttling, 5xx, broken connections) are logged.
    They are made again after delays that double from ``min_delay`` up to ``max_delay``, with full
    jitter.

    An export is only polled while a task waits for it. Leaving the block ends every wait with
    :exc:`WatcherClosedError`. An exception from the block passes through unchanged. A watcher can
    be entered once, and belongs to the event loop in which it was entered.

    :param client: an aiobotocore client for ``discovery``.
    :param min_delay: the shortest time between two polls of an export, in seconds.
    :param max_delay: the longest such time, in seconds.
    :param relative_delay: the time between two polls in proportion to the export's age, from 0 to
        1: 0.01 is 1 %.
    :param max_rate: how many calls to make per second, at most; None for any number. In any ten
        seconds there are at most ten times as many. If that delays exports, the order of polling
        depends on how late they are, in proportion to their regular delay.
    :param max_concurrency: how many calls may be made at the same time.
    :param not_found_timeout: how many seconds the service may not know an export before that counts
        as final. An export that was just started may be missing for a moment.
    :raises ValueError: if a number is out of range, or the client is for another service.

    Where its methods mention errors of jobs, they raise :exc:`ExportFailedError`,
    :exc:`ExportTimeoutError` and :exc:`ExportNotFoundError`.
    """

    _kind = EXPORTS


class ImportWatcher(JobWatcher["ImportTaskTypeDef", JobUpdate["ImportTaskTypeDef"]]):
    """Waits for import tasks, as :class:`ExportWatcher` does for exports, with the same options.

    IMPORT_COMPLETE and IMPORT_COMPLETE_WITH_ERRORS are success. With either, some records may have
    been left out; the methods return their counts. IMPORT_FAILED and statuses that begin with it,
    INTERNAL_ERROR, DELETE_COMPLETE and DELETE_FAILED are failures: after a deletion nothing is
    imported any more. One call asks for up to 100 tasks.
    """

    _kind = IMPORTS


class BatchDeleteWatcher(JobWatcher["BatchDeleteTask", JobUpdate["BatchDeleteTask"]]):
    """Waits for batch-delete tasks, as :class:`ExportWatcher` does for exports, with its options.

    COMPLETED is success. The methods return which configurations were deleted, and which were not.
    The service describes only one task per call, so ten watched tasks cost ten calls a round.
    """

    _kind = BATCH_DELETES


async def wait_for_exports(
    client: "AioBaseClient",
    export_ids: Iterable[str],
    timeout: float | None = None,  # noqa: ASYNC109  # a last poll precedes it
    raise_on_failure: bool = True,
    *,
    min_delay: float = 10.0,
    max_delay: float = 300.0,
    relative_delay: float = 0.01,
    max_rate: float | None = 1.0,
    max_concurrency: int = 4,
    not_found_timeout: float = 60.0,
) -> "dict[str, ExportInfoTypeDef]":
    """Wait until all of the exports have ended, with a watcher just for them.

    Takes, returns and raises the same as :meth:`ExportWatcher.wait_all`, and also takes the options
    of :class:`ExportWatcher`. Tasks that wait at the same time share calls only if they share a
    watcher.
    """
    async with ExportWatcher(
        client,
        min_delay=min_delay,
        max_delay=max_delay,
        relative_delay=relative_delay,
        max_rate=max_rate,
        max_concurrency=max_concurrency,
        not_found_timeout=not_found_timeout,
    ) as watcher:
        return await watcher.wait_all(export_ids, timeout, raise_on_failure)
