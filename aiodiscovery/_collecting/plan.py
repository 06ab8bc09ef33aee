"""Which windows of time are to be exported next: pure decisions, with no clock and no I/O.

Times are whole seconds since the epoch, which is the resolution of the service. A range includes
its start and excludes its end: what was collected up to a second continues from that second. That
is an assumption about the service, made here and nowhere else. AWS's own script makes it too. If a
service included the end, a row of that exact second would be in two archives, and none would be
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
#: The longest range that the service exports at once, in seconds.
LONGEST = 72 * HOUR
#: The shortest range that a truncated one is split into, in seconds.
SMALLEST = HOUR
#: How many times an export that FAILED is tried in all.
MAX_TRIES = 3


class Range(NamedTuple):
    """A range of time that includes its start and excludes its end."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Its length in seconds."""
        return self.end - self.start


class Kind(StrEnum):
    """What an export contains."""

    AGENT = "agent"
    #: All servers, without a range.
    SUMMARY = "summary"
    #: EC2 instances for all servers, also without a range.
    RECOMMENDATIONS = "recommendations"


class State(StrEnum):
    """The state of a window."""

    #: It is to be started, perhaps again.
    PLANNED = "planned"
    #: Its start is about to be sent, or was sent and not answered.
    INTENDED = "intended"
    #: It has an export, whose archive has not been downloaded yet.
    RUNNING = "running"
    #: Its archive has been downloaded.
    DONE = "done"
    #: It has no data.
    EMPTY = "empty"
    #: Another window takes its place. Either it had no data up to the agent's last sign of life and
    #: there is a later one now, or its range cannot be obtained.
    REOPENED = "reopened"
    #: It was truncated, and smaller windows take its place.
    SPLIT = "split"
    #: It was truncated, and is too small to be split. What there is of it has been downloaded.
    TRUNCATED = "truncated"
    #: Its export FAILED as many times as it may be tried.
    FAILED = "failed"


#: The states of windows that can still change.
UNSETTLED = frozenset({State.PLANNED, State.INTENDED, State.RUNNING})


@dataclass(frozen=True, slots=True)
class Window:
    """A range of an agent's data for which an export was planned."""

    start: int
    end: int
    state: State
    #: The range that its archive has in full, once it is DONE.
    covered: Range | None = None

    @property
    def range(self) -> Range:
        """The range that is asked for."""
        return Range(self.start, self.end)

    @property
    def held(self) -> Range | None:
        """The range that no other window may ask for; None if it is free again."""
        if self.state in (State.SPLIT, State.REOPENED):
            return None
        return self.covered if self.state is State.DONE else self.range


class Contents(NamedTuple):
    """What an archive says about itself."""

    truncated: bool
    has_data: bool
    #: From when to when its data is. None if it does not say.
    actual: Range | None


class Verdict(NamedTuple):
    """What an archive means for its window."""

    state: State
    #: The range that the archive has in full.
    covered: Range | None


def assess(window: Range, contents: Contents) -> Verdict:
    """Return the new state of a window, given what its archive says.

    An archive has all data from the window's start to the archive's end, whether it was truncated
    there or not. A truncated archive that does not say where it ended may lack data anywhere.
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
    # At least one second, or the same range would be asked for forever.
    return Verdict(State.DONE, Range(window.start, max(end, window.start + 1)))


def target_range(
    first: int, last: int, start_time: int | None = None, end_time: int | None = None
) -> Range:
    """Return what to collect of an agent. The range is empty if there is nothing.

    :param first: when the agent registered.
    :param last: its last sign of life, at which there may be data.
    :param start_time: the start of the range that the caller wants.
    :param end_time: the end of that range.
    """
    start = first if start_time is None else max(first, start_time)
    end = last + 1 if end_time is None else min(last + 1, end_time)
    return Range(start, max(start, end))


def subtract(whole: Range, parts: Iterable[Range]) -> list[Range]:
    """Return what is left of a range without the other ranges, in order."""
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
    """Return the ranges that no window asks for yet, in order."""
    return subtract(target, [held for window in windows if (held := window.held) is not None])


def covered_ranges(target: Range, windows: Iterable[Window]) -> list[Range]:
    """Return what has been collected of a range, in order, with adjoining ranges merged."""
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
    """Return the range of the next window; None if nothing more is to be asked for.

    No other agent's window has the same range, so that the range tells whose export it is. This is
    done by moving its end by whole seconds. There is one exception: the caller has said where to
    end, and the rest fits in one window. Moving the end would then take another export, or bring
    data that was not asked for, so agents may share a range.

    :param is_taken: says whether any window has had this exact range.
    :param may_extend: whether the target ends where the agent's data ends. Then a few seconds more
        bring no more data.
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
        # A range that an earlier, longer target covered is not asked for again.
        beyond = (held.start for window in windows if (held := window.held) and held.start >= end)
        latest = min([start + limit, *beyond])
        later = (Range(start, moved) for moved in range(end, latest + 1))
        free = next((moved for moved in later if not is_taken(moved)), None)
        if free is not None:
            return free
    sooner = (Range(start, moved) for moved in range(end, start, -1))
    return next((moved for moved in sooner if not is_taken(moved)), wanted)


def _limits_at(position: int, windows: Iterable[Window]) -> tuple[int, int]:
    """Return the longest window that may begin at a position, and where it must have ended."""
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
