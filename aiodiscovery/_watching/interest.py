"""Interests in jobs, and what is known about a job that is watched."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from ..exceptions import WatchError
from .jobs import Info

__all__ = ["Interest", "Job", "LeftJobs"]


class Interest(Protocol):
    """An interest in some jobs. It is told about them."""

    #: The jobs of interest.
    job_ids: tuple[str, ...]
    #: Until when they are of interest, on the event loop's clock; infinity if without a limit. The
    #: last poll is made just before.
    deadline: float

    def see(self, job_id: str, info: Any, /) -> None:
        """Receive a job's state."""

    def miss(self, job_id: str, /) -> None:
        """Receive the news that a job does not exist."""

    def refuse(self, job_id: str, failure: Callable[[], WatchError], /) -> None:
        """Receive the news that the service cannot be asked for a job."""

    def fail(self, failure: Callable[[], WatchError], /) -> None:
        """Receive the news that nothing more will come."""


@dataclass(slots=True, eq=False)
class Job(Generic[Info]):
    """What is known about a job that is watched."""

    id: str
    #: When its own schedule polls it next, and how long that is after the poll before.
    due: float
    delay: float = 0.0
    interests: set[Interest] = field(default_factory=set)
    info: Info | None = None
    #: When it began, on the event loop's clock, as far as known.
    begun: float = math.inf
    #: How many polls of it failed in a row, since when, when the last one did, and its error.
    failures: int = 0
    failing_since: float = math.inf
    failed_at: float = math.inf
    error: Exception | None = None
    #: How small a call for it has to be, see Agenda.
    level: int = 0
    #: When it was last asked for, and when it was last asked for with an answer.
    asked_at: float = -math.inf
    looked_at: float = -math.inf
    in_flight: bool = False
    #: Since when the service has not known it.
    missing_since: float | None = None

    def note_age(self, age: float, now: float) -> None:
        """Note the least number of seconds that it has run."""
        self.begun = min(self.begun, now - age)

    def note_failure(self, error: Exception, now: float) -> None:
        """Note that a call for it failed."""
        self.failures += 1
        self.failing_since, self.failed_at = min(self.failing_since, now), now
        self.error = error

    def note_answer(self, started: float, delay: float) -> None:
        """Note that a call was answered, and the delay before the next one."""
        # Counted from the start of the call, because the state may be as old as that.
        self.looked_at = started
        self.delay = delay
        self.due = started + delay
        self.failures, self.level = 0, 0
        self.failing_since, self.failed_at, self.error = math.inf, math.inf, None


class LeftJobs(Generic[Info]):
    """Jobs that are no longer watched, kept for a while.

    :param keep: how many seconds to keep them.
    """

    def __init__(self, keep: float) -> None:
        self._keep = keep
        # In the order in which they were left.
        self._jobs: dict[str, tuple[float, Job[Info]]] = {}

    def put(self, job: Job[Info], now: float) -> None:
        """Keep a job that was just left."""
        self._jobs[job.id] = now, job

    def take(self, job_id: str, now: float) -> Job[Info] | None:
        """Return a job, if it is still kept."""
        while self._jobs:
            left_at, left = next(iter(self._jobs.values()))
            if now - left_at < self._keep:
                break
            del self._jobs[left.id]
        return self._jobs.pop(job_id, (0.0, None))[1]
