"""What is due when, and whether calls currently fail: pure, with no clock and no I/O."""

import math
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple, Self

from .._client import Backoff, is_of_credentials, is_of_the_clock

__all__ = ["Agenda", "Outage", "Patience"]

#: How many seconds the clock may be wrong, and how many seconds credentials may be missing, before
#: that counts as final. Roles and metadata services have outages too.
_CLOCK_TIMEOUT = 60.0
_CREDENTIALS_TIMEOUT = 3600.0


class Agenda:
    """What is due when, and which of it one call takes.

    The order depends on how late a key is in proportion to its delay. Of two keys that are 10 s
    late, the one with a delay of 10 s comes before the one with a delay of 100 s. A key without a
    delay comes before all others once it is due.

    Each key has a level. One call takes keys of one level only, and each level allows half as many
    as the one before. This separates the keys that make calls fail from the others.
    """

    #: At the highest level, a call takes one key where it could take a hundred.
    MAX_LEVEL = 7

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, _Slot]] = {}
        # One heap for each level and scale of delays. Entries that no longer agree with _entries
        # are skipped when they come up.
        self._heaps: dict[_Slot, list[tuple[float, str]]] = {}
        #: How many entries were pushed since the heaps had none to skip.
        self._pushes = 0

    @classmethod
    def level_of(cls, most: int, size: int) -> int:
        """Return the level at which a call that may take ``most`` takes no more than a size."""
        return next(
            (level for level in range(cls.MAX_LEVEL) if most >> level <= size), cls.MAX_LEVEL
        )

    def put(self, key: str, due: float, level: int = 0, delay: float = 0.0) -> None:
        """Make a key due at a time, replacing its earlier due time.

        :param delay: the time between its last take and the due time, in seconds; 0 if it should
            have been taken long ago.
        """
        slot = _Slot.of(level, delay)
        if self._entries.get(key) == (due, slot):
            return
        self._entries[key] = (due, slot)
        self._push(key, due, slot)
        if self._pushes > 2 * len(self._entries):
            self._heaps.clear()
            self._pushes = 0
            for other, (own_due, own_slot) in self._entries.items():
                self._push(other, own_due, own_slot)

    def drop(self, key: str) -> None:
        """Remove a key from the agenda, if it is there."""
        self._entries.pop(key, None)

    def due(self, key: str) -> float:
        """Return when a key is due; infinity if it is not on the agenda."""
        entry = self._entries.get(key)
        return math.inf if entry is None else entry[0]

    def next_due(self) -> float:
        """Return when the next key is due; infinity if there is none."""
        return min(map(self._next_due_in, list(self._heaps)), default=math.inf)

    def take(self, now: float, most: int) -> list[str]:
        """Take the keys for one call off the agenda; none, if none is due.

        The call is filled up with the keys that are closest to being due, in proportion to their
        delays. It must be made anyway, so they cost nothing.
        """
        heads = [
            (slot, due) for slot in list(self._heaps) if (due := self._next_due_in(slot)) < math.inf
        ]
        overdue = [(slot.lateness(due, now), slot) for slot, due in heads if due <= now]
        if not overdue:
            return []
        level = max(overdue)[1].level
        queue = [(-slot.lateness(due, now), slot) for slot, due in heads if slot.level == level]
        heapify(queue)
        taken: list[str] = []
        while queue and len(taken) < max(most >> level, 1):
            slot = queue[0][1]
            taken.append(self._pop(slot))
            due = self._next_due_in(slot)
            if due < math.inf:
                heapreplace(queue, (-slot.lateness(due, now), slot))
            else:
                heappop(queue)
        return taken

    def _push(self, key: str, due: float, slot: "_Slot") -> None:
        heappush(self._heaps.setdefault(slot, []), (due, key))
        self._pushes += 1

    def _pop(self, slot: "_Slot") -> str:
        _, key = heappop(self._heaps[slot])
        del self._entries[key]
        return key

    def _next_due_in(self, slot: "_Slot") -> float:
        heap = self._heaps[slot]
        while heap:
            due, key = heap[0]
            if self._entries.get(key) == (due, slot):
                return due
            heappop(heap)
        return math.inf


class _Slot(NamedTuple):
    """Keys of one level with similar delays, so that the first one due comes first."""

    level: int
    scale: int

    @classmethod
    def of(cls, level: int, delay: float) -> Self:
        """Return the slot for a level and a delay."""
        # Eight slots for each doubling. A delay of 0 counts as a very small one.
        return cls(level, math.floor(8 * math.log2(max(delay, 1e-9))))

    def lateness(self, due: float, now: float) -> float:
        """Return how late a key is, in proportion to its delay; negative if it is not due."""
        return (now - due) / 2 ** (self.scale / 8)


class Outage:
    """Whether calls currently fail, and until when none is made because of that."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        #: How many calls failed in a row.
        self.failures = 0
        self.paused_until = -math.inf
        self._failed_at = -math.inf
        self._unexplained = 0
        self._size = 0

    def note_failure(
        self, started: float, now: float, jitter: float, *, size: int, explained: bool
    ) -> None:
        """Note the failure of a call that was started at a time.

        :param size: how many keys it asked for.
        :param explained: whether it is known that these keys are not the reason.
        """
        # Calls that were under way at the same time fail for the same reason. They count once.
        if started >= self._failed_at:
            self.failures += 1
            self._unexplained += not explained
            self._size = size
            self._failed_at = now
            self.paused_until = now + self._backoff.delay(self.failures, jitter)

    def note_success(self) -> None:
        """Note that a call was answered."""
        self.failures = self._unexplained = 0
        self.paused_until = -math.inf

    def most(self, most: int) -> int:
        """Return how many keys a call may ask for: ever fewer, in case one is the reason."""
        return max(self._size // 2, 1) if self._unexplained > 1 else most


class Patience:
    """How long calls have failed for the same reason. Some reasons become final in time."""

    def __init__(self) -> None:
        self._reason: object = None
        self._since = math.inf

    def has_run_out(self, error: Exception, now: float) -> bool:
        """Note a failed call, and say whether its reason has become final.

        Time counts from the first failure of the same kind. Failures of other kinds do not count.
        """
        reason = allowed = None
        if is_of_the_clock(error):
            reason, allowed = is_of_the_clock, _CLOCK_TIMEOUT
        elif is_of_credentials(error):
            reason, allowed = is_of_credentials, _CREDENTIALS_TIMEOUT
        if reason is not self._reason:
            self._reason, self._since = reason, now
        return allowed is not None and now - self._since >= allowed

    def renew(self) -> None:
        """Note that a call was answered, or that no task waits any more."""
        self._reason = None
