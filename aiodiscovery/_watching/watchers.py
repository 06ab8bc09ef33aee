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

    With the defaults, an end is seen within 10 seconds, or within 1 % of the time the export has
    run, whichever is longer, and never with more than ten calls in any ten seconds.

    One call asks for up to 100 exports, whoever waits for them. Each export is polled at once, then
    after delays that are a fraction of its age, between ``min_delay`` and ``max_delay``, and a last
    time just before a deadline. The age counts from when the export was requested, on the service's
    clock. A call that is made anyway is filled up with the exports that would be due next. Calls
    that fail but may succeed later (throttling, 5xx, broken connections) are logged, and made again
    after delays that double from ``min_delay`` up to ``max_delay``, with full jitter.

    Nothing is polled that nobody waits for. Leaving the block ends every wait with
    :exc:`WatcherClosedError`; an exception from the block leaves it as it is. A watcher belongs to
    the event loop in which it was entered, and is entered once.

    :param client: an aiobotocore client for ``discovery``.
    :param min_delay: the shortest time between two polls of an export, in seconds.
    :param max_delay: the longest, in seconds.
    :param relative_delay: the time between two polls in proportion to the export's age, from 0 to
        1: 0.01 is 1 %.
    :param max_rate: how many calls to make a second, at most; None for any number. It holds for ten
        seconds' worth of calls in any ten seconds. Exports that it holds up are polled in the order
        of how late they are, in proportion to the delay that they should have.
    :param max_concurrency: how many calls may be made at the same time.
    :param not_found_timeout: for how many seconds the service may not know an export before that
        counts as final. An export that was just started may be missing for a moment.
    :raises ValueError: if a number is out of its range, or the client is for another service.

    Its methods raise :exc:`ExportFailedError`, :exc:`ExportTimeoutError` and
    :exc:`ExportNotFoundError`, where they speak of jobs.
    """

    _kind = EXPORTS


class ImportWatcher(JobWatcher["ImportTaskTypeDef", JobUpdate["ImportTaskTypeDef"]]):
    """Waits for import tasks, as :class:`ExportWatcher` does for exports, with the same options.

    A task succeeds with IMPORT_COMPLETE and with IMPORT_COMPLETE_WITH_ERRORS. With either, some of
    its records may have been left out: what the methods return counts them. IMPORT_FAILED
    and those that begin with it, INTERNAL_ERROR, and DELETE_COMPLETE and DELETE_FAILED, after
    which nothing is imported any more, are failures. One call asks for up to 100 tasks.
    """

    _kind = IMPORTS


class BatchDeleteWatcher(JobWatcher["BatchDeleteTask", JobUpdate["BatchDeleteTask"]]):
    """Waits for batch-delete tasks, as :class:`ExportWatcher` does for exports, with its options.

    A task succeeds with COMPLETED: which configurations were deleted, and which were not, is in
    what the methods return. The service describes one task in a call, so ten that are watched cost
    ten calls a round.
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
    """Wait until every one of the exports has ended, with a watcher for just that.

    Takes, returns and raises what :meth:`ExportWatcher.wait_all` does, and takes the options of
    :class:`ExportWatcher`. Tasks that wait at the same time share their calls only if they share a
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
