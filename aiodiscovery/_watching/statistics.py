"""A watcher's statistics, and the reason why it receives nothing."""

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Trouble", "WatcherStatistics"]


@dataclass(frozen=True, slots=True)
class WatcherStatistics:
    """The state of a watcher, as :meth:`ExportWatcher.statistics` returns it.

    Times are on the event loop's clock, like those of ``anyio.current_time()``.
    """

    #: How many calls were made, and how many of them failed.
    calls: int
    failed_calls: int
    #: How many jobs are watched that have not ended.
    watched_jobs: int
    #: Since when calls have failed; None if the latest one was answered, or none was made.
    failing_since: float | None
    #: The error of the last call that failed; None if none did. Not in the repr: an error about
    #: credentials may hold secrets.
    last_error: Exception | None = field(repr=False)
    #: When the next call is due; None if no job is watched, or all are being asked for.
    next_call: float | None


class Trouble(NamedTuple):
    """Calls fail: for how many seconds so far, and with which error."""

    seconds: float
    error: Exception
