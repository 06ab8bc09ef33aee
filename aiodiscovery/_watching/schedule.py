"""When to look again, and how often to call: pure rules, with no clock of their own."""

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["RateLimit", "Schedule"]

#: How much shorter than the longest a delay may be, and the most by which it may exceed min_delay,
#: in seconds.
_JITTER = 0.05
_MOST_JITTER = 0.5
#: The last poll before a deadline is made so many seconds before, which leaves time for an answer.
_TIME_TO_ANSWER = 2.0
#: For how many seconds' worth of calls a rate holds.
_SPAN = 10.0
#: A span is a little longer: what takes a call to the service does not always take the same time.
_SLACK = 1.01


class Schedule(NamedTuple):
    """Delays between looks at a job, in seconds: a fraction of its age, within bounds."""

    min_delay: float
    max_delay: float
    #: The delay in proportion to the age.
    relative_delay: float

    def delay(self, age: float, jitter: float) -> float:
        """Return the delay that follows a look.

        :param age: for how many seconds the job has run.
        :param jitter: from 0 to 1. Watchers with different ones do not stay in step.
        """
        shortest_of_all = self.min_delay + min(_JITTER * self.min_delay, _MOST_JITTER)
        longest = min(max(shortest_of_all, self.relative_delay * age), self.max_delay)
        shortest = max((1 - _JITTER) * longest, self.min_delay)
        return shortest + jitter * (longest - shortest)

    def last_poll(self, deadline: float) -> float:
        """Return when the last poll before a deadline is made."""
        return deadline - min(self.min_delay, _TIME_TO_ANSWER)

    def or_last_poll(self, due: float, now: float, deadlines: Iterable[float]) -> float:
        """Return when something is due, or a last poll before a deadline if that comes earlier."""
        for deadline in deadlines:
            last_poll = self.last_poll(deadline)
            if now < last_poll < due:
                due = last_poll
        return due


class RateLimit:
    """Bounds calls to so many seconds' worth of them in any that many seconds.

    They need not be spaced: calls of one round go together, which is what keeps them full.

    :param rate: how many calls a second; None: any number.
    """

    def __init__(self, rate: float | None) -> None:
        self._most = math.inf if rate is None else max(math.floor(_SPAN * rate), 1)
        self._span = 0.0 if rate is None else self._most / rate * _SLACK
        self._latest = deque[float]()

    def free_at(self) -> float:
        """Return from when on another call may be made."""
        return self._latest[0] + self._span if len(self._latest) >= self._most else -math.inf

    def note_call(self, now: float) -> None:
        """Note that a call is made."""
        while self._latest and self._latest[0] + self._span <= now:
            self._latest.popleft()
        self._latest.append(now)
