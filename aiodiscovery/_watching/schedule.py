"""When to poll again, and how often to call: pure rules, with no clock of their own."""

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["RateLimit", "Schedule"]

#: How much a delay may be shorter than the longest one, and the most by which it may exceed
#: min_delay, in seconds.
_JITTER = 0.05
_MOST_JITTER = 0.5
#: How many seconds before a deadline the last poll is made, to leave time for an answer.
_TIME_TO_ANSWER = 2.0
#: The number of seconds over which the rate is counted.
_SPAN = 10.0
#: The span is a little longer, because the time that a call takes to the service varies.
_SLACK = 1.01


class Schedule(NamedTuple):
    """Delays between polls of a job, in seconds: a fraction of its age, within bounds."""

    min_delay: float
    max_delay: float
    #: The delay in proportion to the age.
    relative_delay: float

    def delay(self, age: float, jitter: float) -> float:
        """Return the delay after a poll.

        :param age: how many seconds the job has run.
        :param jitter: from 0 to 1. Watchers with different values do not stay in step.
        """
        shortest_of_all = self.min_delay + min(_JITTER * self.min_delay, _MOST_JITTER)
        longest = min(max(shortest_of_all, self.relative_delay * age), self.max_delay)
        shortest = max((1 - _JITTER) * longest, self.min_delay)
        return shortest + jitter * (longest - shortest)

    def last_poll(self, deadline: float) -> float:
        """Return when the last poll before a deadline is made."""
        return deadline - min(self.min_delay, _TIME_TO_ANSWER)

    def or_last_poll(self, due: float, now: float, deadlines: Iterable[float]) -> float:
        """Return when something is due, or when a last poll before a deadline is, if earlier."""
        for deadline in deadlines:
            last_poll = self.last_poll(deadline)
            if now < last_poll < due:
                due = last_poll
        return due


class RateLimit:
    """Limits calls: in any span of some seconds, to as many as the rate allows in that time.

    They need not be evenly spaced: the calls of one round are made together, which keeps them full.

    :param rate: how many calls per second; None: any number.
    """

    def __init__(self, rate: float | None) -> None:
        self._most = math.inf if rate is None else max(math.floor(_SPAN * rate), 1)
        self._span = 0.0 if rate is None else self._most / rate * _SLACK
        self._latest = deque[float]()

    def free_at(self) -> float:
        """Return the time from which another call may be made."""
        return self._latest[0] + self._span if len(self._latest) >= self._most else -math.inf

    def note_call(self, now: float) -> None:
        """Note that a call is made."""
        while self._latest and self._latest[0] + self._span <= now:
            self._latest.popleft()
        self._latest.append(now)
