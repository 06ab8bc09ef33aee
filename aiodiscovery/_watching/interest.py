"""What is wanted: interests in jobs, and what is known of a job that somebody wants."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from ..exceptions import WatchError
from .jobs import Info

__all__ = ["Interest", "Job", "LeftJobs"]


class Interest(Protocol):
    """Somebody's interest in some jobs: what is wanted, and who hears of it."""

    #: The jobs that are wanted.
    job_ids: tuple[str, ...]
    #: Until when they are wanted, on the event loop's clock; infinity if for ever. The last poll
    #: is made just before.
    deadline: float

    def see(self, job_id: str, info: Any, /) -> None:
        """Hear of a job's state."""

    def miss(self, job_id: str, /) -> None:
        """Hear that there is no such job."""

    def refuse(self, job_id: str, failure: Callable[[], WatchError], /) -> None:
        """Hear that the service cannot be asked for a job."""

    def fail(self, failure: Callable[[], WatchError], /) -> None:
        """Hear that nothing more will come."""


@dataclass(slots=True, eq=False)
class Job(Generic[Info]):
    """What is known of a job that somebody wants."""

    id: str
    #: When its own schedule has it polled next, and how long after the look before.
    due: float
    delay: float = 0.0
    interests: set[Interest] = field(default_factory=set)
    info: Info | None = None
    #: When it began, on the event loop's clock, as far as that is known.
    begun: float = math.inf
    #: How many polls of it failed in a row, since when, when the last one did, and with what.
    failures: int = 0
    failing_since: float = math.inf
    failed_at: float = math.inf
    error: Exception | None = None
    #: How small a call for it has to be, see Agenda.
    level: int = 0
    #: When it was asked for last, and when it was asked for last so that it was answered.
    asked_at: float = -math.inf
    looked_at: float = -math.inf
    in_flight: bool = False
    #: Since when the service does not know it.
    missing_since: float | None = None

    def note_age(self, age: float, now: float) -> None:
        """Note for how many seconds it has run at least."""
        self.begun = min(self.begun, now - age)

    def note_failure(self, error: Exception, now: float) -> None:
        """Note that a call for it failed."""
        self.failures += 1
        self.failing_since, self.failed_at = min(self.failing_since, now), now
        self.error = error

    def note_answer(self, started: float, delay: float) -> None:
        """Note that a call was answered, and after what delay the next one is to be made."""
        # Counted from the start of the call: the service looked no earlier.
        self.looked_at = started
        self.delay = delay
        self.due = started + delay
        self.failures, self.level = 0, 0
        self.failing_since, self.failed_at, self.error = math.inf, math.inf, None


class LeftJobs(Generic[Info]):
    """Jobs that nobody wants any more, for a while.

    :param keep: for how many seconds they are kept.
    """

    def __init__(self, keep: float) -> None:
        self._keep = keep
        # In the order in which they were left.
        self._jobs: dict[str, tuple[float, Job[Info]]] = {}

    def put(self, job: Job[Info], now: float) -> None:
        """Keep a job that was just left."""
        self._jobs[job.id] = now, job

    def take(self, job_id: str, now: float) -> Job[Info] | None:
        """Give back a job, if it is still here."""
        while self._jobs:
            left_at, left = next(iter(self._jobs.values()))
            if now - left_at < self._keep:
                break
            del self._jobs[left.id]
        return self._jobs.pop(job_id, (0.0, None))[1]
