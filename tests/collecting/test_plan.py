"""The plan: whatever exports leave out, the windows cover a range once."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiodiscovery._collecting.plan import (
    HOUR,
    LONGEST,
    SMALLEST,
    Contents,
    Range,
    State,
    Window,
    assess,
    covered_ranges,
    next_range,
    open_ranges,
    subtract,
    target_range,
)

DAY = 24 * HOUR


def plan(target: Range, windows: list[Window], taken: set[Range] | None = None) -> Range | None:
    taken = set() if taken is None else taken
    return next_range(target, windows, is_taken=taken.__contains__, may_extend=True)


def test_a_long_range_is_asked_for_in_the_longest_windows_there_are() -> None:
    target = Range(0, 7 * DAY)
    windows: list[Window] = []
    while (found := plan(target, windows)) is not None:
        windows.append(Window(*found, State.RUNNING))

    assert [window.range for window in windows] == [
        Range(0, 3 * DAY),
        Range(3 * DAY, 6 * DAY),
        Range(6 * DAY, 7 * DAY),
    ]


def test_what_an_archive_did_not_reach_is_asked_for_next() -> None:
    done = Window(0, 3 * DAY, State.DONE, Range(0, 2 * DAY))

    assert plan(Range(0, 7 * DAY), [done]) == Range(2 * DAY, 5 * DAY)
    # Up to the beginning of another window.
    later = Window(3 * DAY, 6 * DAY, State.RUNNING)
    assert plan(Range(0, 7 * DAY), [later, done]) == Range(2 * DAY, 3 * DAY)


@pytest.mark.parametrize(
    ("contents", "state", "covered"),
    [
        (Contents(False, True, Range(0, 2 * DAY)), State.DONE, Range(0, 2 * DAY)),
        (Contents(False, True, Range(HOUR, DAY)), State.DONE, Range(0, DAY)),
        (Contents(False, True, Range(0, 9 * DAY)), State.DONE, Range(0, 2 * DAY)),
        (Contents(False, True, None), State.DONE, Range(0, 2 * DAY)),
        (Contents(False, False, None), State.EMPTY, None),
        (Contents(True, True, Range(0, DAY)), State.DONE, Range(0, DAY)),
        (Contents(True, True, Range(0, 2 * DAY)), State.SPLIT, None),
        (Contents(True, True, Range(0, 0)), State.SPLIT, None),
        (Contents(True, True, None), State.SPLIT, None),
        (Contents(True, False, None), State.SPLIT, None),
        # At least a second of progress.
        (Contents(False, True, Range(0, 0)), State.DONE, Range(0, 1)),
        (Contents(False, True, Range(-9, -5)), State.DONE, Range(0, 1)),
    ],
)
def test_an_archive_covers_its_window_up_to_where_it_ended(
    contents: Contents, state: State, covered: Range | None
) -> None:
    assert assess(Range(0, 2 * DAY), contents) == (state, covered)


def test_halves_go_down_to_an_hour_and_no_further() -> None:
    target = Range(0, 72 * HOUR)
    windows: list[Window] = []
    asked = []
    while (found := plan(target, windows)) is not None and found.end <= 2 * HOUR + HOUR // 4:
        windows.append(Window(*found, assess(found, Contents(True, True, None)).state))
        asked.append(found.length)
    while (found := plan(target, windows)) is not None:
        windows.append(Window(*found, assess(found, Contents(True, True, None)).state))
        asked.append(found.length)

    lengths = [length / HOUR for length in asked]
    assert lengths[:8] == [72, 36, 18, 9, 4.5, 2.25, 1.125, 1]
    smallest = [window for window in windows if window.state is State.TRUNCATED]
    assert all(window.range.length <= SMALLEST for window in smallest)
    assert sum(window.range.length for window in smallest) == target.length


def test_what_one_agent_asks_for_no_other_one_does() -> None:
    taken: set[Range] = set()
    for _ in range(40):
        windows: list[Window] = []
        while True:
            found = next_range(
                Range(0, 5 * DAY), windows, is_taken=taken.__contains__, may_extend=True
            )
            if found is None:
                break
            assert found not in taken
            taken.add(found)
            windows.append(Window(*found, State.RUNNING))
        # It costs no more windows, and moves their borders by less than a minute.
        assert len(windows) == 2
        assert 5 * DAY <= windows[-1].end < 5 * DAY + 60


def test_a_range_that_the_caller_ends_holds_nothing_more() -> None:
    taken = {Range(0, DAY)}

    found = next_range(Range(0, DAY), [], is_taken=taken.__contains__, may_extend=False)

    assert found == Range(0, DAY)


def test_what_is_asked_for_again_has_another_end() -> None:
    before = Window(0, 3 * DAY, State.REOPENED)

    found = plan(Range(0, 4 * DAY), [before], {before.range})

    assert found == Range(0, 3 * DAY - 1)


def test_the_target_is_where_the_agent_and_the_caller_agree() -> None:
    assert target_range(100, 200) == Range(100, 201)
    assert target_range(100, 200, 150, 180) == Range(150, 180)
    assert target_range(100, 200, 50, 500) == Range(100, 201)
    assert target_range(100, 200, 300).length == 0
    assert target_range(100, 200, None, 50).length == 0


RANGES = st.tuples(st.integers(0, 50), st.integers(0, 20)).map(
    lambda pair: Range(pair[0], pair[0] + pair[1])
)


@given(RANGES, st.lists(RANGES, max_size=8))
def test_subtracting_leaves_the_seconds_that_are_in_no_part(
    whole: Range, parts: list[Range]
) -> None:
    left = subtract(whole, parts)

    expected = set(range(*whole)).difference(*(range(*part) for part in parts))
    assert [second for part in left for second in range(*part)] == sorted(expected)
    assert all(part.length > 0 for part in left)
    assert all(one.end < other.start for one, other in itertools.pairwise(left))


@st.composite
def an_archive(draw: st.DrawFn, window: Range) -> Contents:
    has_data = draw(st.integers(0, 9)) > 0
    actual = None
    if has_data and draw(st.integers(0, 9)):
        end = window.end
        if draw(st.booleans()):
            end = draw(st.integers(window.start - 10, window.end + 10))
        actual = Range(draw(st.integers(min(window.start, end), end)), end)
    return Contents(draw(st.integers(0, 3)) == 0, has_data, actual)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_archives_leave_out_the_windows_cover_the_range_once(data: st.DataObject) -> None:
    """Archives come in any order; each is truncated, ends early, is empty, fails or is whole."""
    start = data.draw(st.integers(0, 100))
    target = Range(start, start + data.draw(st.integers(1, 10 * DAY)))
    may_extend = data.draw(st.booleans())
    taken = set(data.draw(st.lists(st.just(Range(start, start + LONGEST)), max_size=1)))
    windows: list[Window] = []
    # In the end all archives are whole, so that it terminates.
    for step in range(400):
        running = [at for at, window in enumerate(windows) if window.state is State.RUNNING]
        found = next_range(target, windows, is_taken=taken.__contains__, may_extend=may_extend)
        if found is not None and len(running) < 5 and (not running or data.draw(st.booleans())):
            assert 0 < found.length <= LONGEST
            assert subtract(found, open_ranges(found, windows)) == []
            taken.add(found)
            windows.append(Window(*found, State.RUNNING))
        elif running:
            at = data.draw(st.sampled_from(running))
            window = windows[at]
            if step > 60:
                contents = Contents(False, True, window.range)
            else:
                contents = data.draw(an_archive(window.range))
            state, covered = assess(window.range, contents)
            if step <= 60 and data.draw(st.integers(0, 9)) == 0:
                state, covered = State.FAILED, None
            windows[at] = replace(window, state=state, covered=covered)
        else:
            break
    else:
        pytest.fail("it does not end")

    held = sorted(held for window in windows if (held := window.held) is not None)
    assert all(one.end <= other.start for one, other in itertools.pairwise(held))
    given_up = [w.range for w in windows if w.state in (State.FAILED, State.TRUNCATED)]
    covered_seconds = covered_ranges(target, windows)
    missing = subtract(target, covered_seconds)
    # What is missing is exactly what was given up.
    assert missing == subtract(target, subtract(target, given_up))
