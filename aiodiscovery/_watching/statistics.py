"""What a watcher says of itself: how it is doing, and why nothing is heard."""

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Trouble", "WatcherStatistics"]


@dataclass(frozen=True, slots=True)
class WatcherStatistics:
    """How a watcher is doing, as :meth:`ExportWatcher.statistics` gives it.

    Times are on the event loop's clock, as ``anyio.current_time()`` gives it.
    """

    #: How many calls were made, and how many of them failed.
    calls: int
    failed_calls: int
    #: How many jobs are watched that have not ended.
    watched_jobs: int
    #: Since when calls fail; None if the latest one was answered, or none was made.
    failing_since: float | None
    #: What the last call that failed raised; None if none did. Left out of the repr: an error of
    #: credentials may hold what is secret.
    last_error: Exception | None = field(repr=False)
    #: When the next call is due; None if none is, because no job is watched or all are asked for.
    next_call: float | None


class Trouble(NamedTuple):
    """That calls fail: for how many seconds, and with what."""

    seconds: float
    error: Exception
