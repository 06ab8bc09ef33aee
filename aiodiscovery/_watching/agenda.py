"""What is due when, and whether calls fail at the moment: pure, with no clock and no I/O."""

import math
from heapq import heapify, heappop, heappush

from .._client import Schedule

__all__ = ["Agenda", "Outage"]


class Agenda:
    """What is due when, and what one call takes of it.

    A key has a level. One call takes keys of one level only, and at each level half as many as at
    the one before: this is how what makes calls fail is parted from what does not.
    """

    #: At the highest level, one call takes one of a hundred.
    MAX_LEVEL = 7

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, int]] = {}
        # What no longer agrees with _entries is passed over when it comes up.
        self._heaps: list[list[tuple[float, str]]] = [[] for _ in range(self.MAX_LEVEL + 1)]

    @classmethod
    def level_of(cls, most: int, size: int) -> int:
        """Return the level at which a call that may take ``most`` takes no more than a size."""
        return next(
            (level for level in range(cls.MAX_LEVEL) if most >> level <= size), cls.MAX_LEVEL
        )

    def put(self, key: str, due: float, level: int = 0) -> None:
        """Make a key due at a time, whenever it was due before."""
        if self._entries.get(key) == (due, level):
            return
        self._entries[key] = (due, level)
        heap = self._heaps[level]
        heappush(heap, (due, key))
        if len(heap) > 2 * len(self._entries) + 64:
            heap[:] = [(due, key) for key, (due, own) in self._entries.items() if own == level]
            heapify(heap)

    def drop(self, key: str) -> None:
        """Take a key off the agenda, if it is there."""
        self._entries.pop(key, None)

    def due(self, key: str) -> float:
        """Return when a key is due; infinity if it is not on the agenda."""
        return self._entries.get(key, (math.inf, 0))[0]

    def next_due(self) -> float:
        """Return when the next key is due; infinity where there is none."""
        return min(map(self._next_due_at, range(len(self._heaps))))

    def take(self, now: float, most: int) -> list[str]:
        """Take off the agenda what one call asks for; nothing, if nothing is due.

        It is filled up with what is due soonest: a call that must be made costs no more for it.
        """
        level = min(range(len(self._heaps)), key=self._next_due_at)
        if self._next_due_at(level) > now:
            return []
        taken: list[str] = []
        while len(taken) < max(most >> level, 1) and self._next_due_at(level) < math.inf:
            _, key = heappop(self._heaps[level])
            del self._entries[key]
            taken.append(key)
        return taken

    def _next_due_at(self, level: int) -> float:
        heap = self._heaps[level]
        while heap:
            due, key = heap[0]
            if self._entries.get(key) == (due, level):
                return due
            heappop(heap)
        return math.inf


class Outage:
    """Whether calls fail at the moment, and until when none is made for it."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        #: How many calls failed in a row.
        self.failures = 0
        self.paused_until = -math.inf
        self._failed_at = -math.inf
        self._unexplained = 0
        self._size = 0

    def note_failure(
        self, started: float, now: float, jitter: float, *, size: int, explained: bool
    ) -> None:
        """Note that a call failed that was started at a time.

        :param size: for how much it asked.
        :param explained: whether it is known that what it asked for is not the reason.
        """
        # Calls that were under way at the same time fail for the same reason: they count once.
        if started >= self._failed_at:
            self.failures += 1
            self._unexplained += not explained
            self._size = size
            self._failed_at = now
            self.paused_until = now + self._schedule.delay(self.failures, jitter)

    def note_success(self) -> None:
        """Note that a call was answered."""
        self.failures = self._unexplained = 0
        self.paused_until = -math.inf

    def most(self, most: int) -> int:
        """Return how much a call may ask for: less and less, in case a part of it is the reason."""
        return max(self._size // 2, 1) if self._unexplained > 1 else most
