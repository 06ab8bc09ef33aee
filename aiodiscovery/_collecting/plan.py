"""Which windows of time are to be exported next: pure decisions, with no clock and no I/O.

Times are whole seconds since the epoch, which is what the service counts in. A range holds its
start and not its end: what was collected up to a second goes on from that second. That is an
assumption about the service, made here and nowhere else. AWS's own script makes it too. If a
service counted the end in, a row of that very second would be in two archives, and none would be
lost.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "LONGEST",
    "MAX_TRIES",
    "SMALLEST",
    "Contents",
    "Kind",
    "Range",
    "State",
    "Verdict",
    "Window",
    "assess",
    "covered_ranges",
    "next_range",
    "open_ranges",
    "subtract",
    "target_range",
]

HOUR = 3600
#: The longest range that the service exports at once.
LONGEST = 72 * HOUR
#: The shortest range that one which was truncated is parted into.
SMALLEST = HOUR
#: How often an export that FAILED is tried in all.
MAX_TRIES = 3


class Range(NamedTuple):
    """A range of time, with its start and without its end."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many seconds it has."""
        return self.end - self.start


class Kind(StrEnum):
    """What an export is of."""

    AGENT = "agent"
    #: Of all servers, with no range.
    SUMMARY = "summary"
    #: EC2 instances for all servers, with no range either.
    RECOMMENDATIONS = "recommendations"


class State(StrEnum):
    """What has become of a window."""

    #: It is to be started, again if it was tried before.
    PLANNED = "planned"
    #: Its start is about to be sent, or was sent and not answered.
    INTENDED = "intended"
    #: It has an export, whose archive is not here yet.
    RUNNING = "running"
    #: Its archive is here.
    DONE = "done"
    #: It has no data.
    EMPTY = "empty"
    #: Another window takes its place: it had no data up to the agent's last sign of life, and there
    #: is a later one now, or its range cannot be had.
    REOPENED = "reopened"
    #: It was truncated, and smaller ones take its place.
    SPLIT = "split"
    #: It was truncated, and is too small to be parted. What there is of it is here.
    TRUNCATED = "truncated"
    #: Its export FAILED as often as it may be tried.
    FAILED = "failed"


#: The states of windows that still change.
UNSETTLED = frozenset({State.PLANNED, State.INTENDED, State.RUNNING})


@dataclass(frozen=True, slots=True)
class Window:
    """A range of an agent's data for which an export was planned."""

    start: int
    end: int
    state: State
    #: What its archive has all of, once it is DONE.
    covered: Range | None = None

    @property
    def range(self) -> Range:
        """The range that is asked for."""
        return Range(self.start, self.end)

    @property
    def held(self) -> Range | None:
        """The range that no other window is to ask for; None if it is free again."""
        if self.state in (State.SPLIT, State.REOPENED):
            return None
        return self.covered if self.state is State.DONE else self.range


class Contents(NamedTuple):
    """What an archive says of itself."""

    truncated: bool
    has_data: bool
    #: From when to when its data is; None where it does not say.
    actual: Range | None


class Verdict(NamedTuple):
    """What an archive makes of its window."""

    state: State
    #: What the archive has all of.
    covered: Range | None


def assess(window: Range, contents: Contents) -> Verdict:
    """Say what a window has become, by what its archive says.

    An archive has all data from the window's start up to where it ended, whether it was truncated
    there or not. One that is truncated and does not say where it ended lacks something anywhere.
    """
    end = None if contents.actual is None else min(contents.actual.end, window.end)
    if contents.truncated:
        if contents.has_data and end is not None and window.start < end < window.end:
            return Verdict(State.DONE, Range(window.start, end))
        return Verdict(State.SPLIT if window.length > SMALLEST else State.TRUNCATED, None)
    if not contents.has_data:
        return Verdict(State.EMPTY, None)
    if end is None:
        return Verdict(State.DONE, window)
    # One second at least, or the same would be asked for again and again.
    return Verdict(State.DONE, Range(window.start, max(end, window.start + 1)))


def target_range(
    first: int, last: int, start_time: int | None = None, end_time: int | None = None
) -> Range:
    """Return what is to be collected of an agent; empty where that is nothing.

    :param first: when the agent registered.
    :param last: its last sign of life, which may come with data.
    :param start_time: the start of the range that the caller wants.
    :param end_time: the end of it.
    """
    start = first if start_time is None else max(first, start_time)
    end = last + 1 if end_time is None else min(last + 1, end_time)
    return Range(start, max(start, end))


def subtract(whole: Range, parts: Iterable[Range]) -> list[Range]:
    """Return what is left of a range without others, in order."""
    left = []
    position = whole.start
    for start, end in sorted(part for part in parts if part.length > 0):
        if start >= whole.end:
            break
        if start > position:
            left.append(Range(position, start))
        position = max(position, end)
    if position < whole.end:
        left.append(Range(position, whole.end))
    return left


def open_ranges(target: Range, windows: Iterable[Window]) -> list[Range]:
    """Return what no window asks for yet, in order."""
    return subtract(target, [held for window in windows if (held := window.held) is not None])


def covered_ranges(target: Range, windows: Iterable[Window]) -> list[Range]:
    """Return what has been collected of a range, in order, adjoining ranges as one."""
    parts = [
        held
        for window in windows
        if window.state in (State.DONE, State.EMPTY) and (held := window.held) is not None
    ]
    return subtract(target, subtract(target, parts))


def next_range(
    target: Range,
    windows: Sequence[Window],
    *,
    is_taken: Callable[[Range], bool],
    may_extend: bool,
) -> Range | None:
    """Return the range of the next window; None where no more is to be asked for.

    It is one that no other agent's window has, so that it tells whose export it is that has it: its
    end is moved by whole seconds. Only where the caller has said where to end, and the rest fits
    in one window, that would take another export or bring data that nobody asked for; there, other
    agents may have the same range.

    :param is_taken: says whether there has been a window with this very range.
    :param may_extend: whether the target ends where the agent's data ends, so that no more comes
        with some seconds more.
    """
    opens = open_ranges(target, windows)
    if not opens:
        return None
    start, open_end = opens[0]
    limit, border = _limits_at(start, windows)
    end = min(open_end, start + limit, border)
    wanted = Range(start, end)
    if end == target.end:
        if not may_extend:
            return wanted
        # What an earlier, longer target had is not asked for again.
        beyond = (held.start for window in windows if (held := window.held) and held.start >= end)
        latest = min([start + limit, *beyond])
        later = (Range(start, moved) for moved in range(end, latest + 1))
        free = next((moved for moved in later if not is_taken(moved)), None)
        if free is not None:
            return free
    sooner = (Range(start, moved) for moved in range(end, start, -1))
    return next((moved for moved in sooner if not is_taken(moved)), wanted)


def _limits_at(position: int, windows: Iterable[Window]) -> tuple[int, int]:
    """Return how long a window may be that begins at a position, and where it must have ended."""
    limit, border = LONGEST, position + LONGEST
    for window in windows:
        if window.state is not State.SPLIT:
            continue
        if window.start <= position < window.end:
            half = (window.end - window.start + 1) // 2
            limit = min(limit, max(half, SMALLEST))
            border = min(border, window.end)
        elif window.start > position:
            border = min(border, window.start)
    return limit, border
