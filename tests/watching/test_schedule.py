"""When to poll again, and how often to call: the rules, without a clock."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodiscovery._watching.schedule import RateLimit, Schedule

DEFAULT = Schedule(min_delay=10, max_delay=300, relative_delay=0.01)

seconds = st.floats(0.001, 10_000)
ages = st.floats(0, 10**7)
jitters = st.floats(0, 1)
schedules = st.builds(
    lambda one, other, relative_delay: Schedule(min(one, other), max(one, other), relative_delay),
    seconds,
    seconds,
    st.floats(0, 1),
)


@pytest.mark.parametrize(
    ("age", "shortest", "longest"),
    [
        (0, 10, 10.5),
        (1000, 10, 10.5),
        (1100, 10.45, 11),
        (2000, 19, 20),
        (20_000, 190, 200),
        (30_000, 285, 300),
        (10**9, 285, 300),
    ],
)
def test_a_delay_is_a_hundredth_of_the_age_from_ten_seconds_to_five_minutes(
    age: float, shortest: float, longest: float
) -> None:
    assert DEFAULT.delay(age, jitter=0) == pytest.approx(shortest)
    assert DEFAULT.delay(age, jitter=0.5) == pytest.approx((shortest + longest) / 2)
    assert DEFAULT.delay(age, jitter=1) == pytest.approx(longest)


@pytest.mark.parametrize(("min_delay", "longest"), [(1, 1.05), (10, 10.5), (60, 60.5)])
def test_jitter_exceeds_the_shortest_delay_by_half_a_second_at_most(
    min_delay: float, longest: float
) -> None:
    assert Schedule(min_delay, 300, 0.01).delay(0, jitter=1) == pytest.approx(longest)


def test_delays_that_are_all_the_same_have_no_jitter() -> None:
    schedule = Schedule(15, 15, 0.01)

    assert {schedule.delay(age, jitter) for age in (0, 10**6) for jitter in (0, 1)} == {15}


@given(schedules, ages, jitters)
def test_a_delay_is_never_below_the_shortest_nor_above_the_longest(
    schedule: Schedule, age: float, jitter: float
) -> None:
    # To what a float can tell.
    delay = schedule.delay(age, jitter)

    assert schedule.min_delay <= delay <= schedule.max_delay * (1 + 1e-12)


@given(schedules, ages, ages, jitters)
def test_a_delay_does_not_get_shorter_with_age(
    schedule: Schedule, age: float, other: float, jitter: float
) -> None:
    younger, older = sorted((age, other))

    assert schedule.delay(younger, jitter) <= schedule.delay(older, jitter) * (1 + 1e-12)


@given(ages, jitters)
def test_a_delay_keeps_what_is_promised(age: float, jitter: float) -> None:
    assert DEFAULT.delay(age, jitter) <= max(10.5, age / 100)


@pytest.mark.parametrize(("min_delay", "time"), [(0.5, 99.5), (2, 98), (10, 98)])
def test_the_last_poll_leaves_two_seconds_or_the_shortest_delay_to_the_deadline(
    min_delay: float, time: float
) -> None:
    assert Schedule(min_delay, 300, 0.01).last_poll(100) == time


def test_without_a_deadline_there_is_no_last_poll() -> None:
    assert DEFAULT.last_poll(math.inf) == math.inf


@pytest.mark.parametrize(
    ("deadlines", "due"),
    [
        ([], 100),
        ([math.inf], 100),
        ([150], 100),
        ([102], 100),
        ([101], 99),
        ([80, 60], 58),
        ([53], 51),
        # It was made.
        ([52], 100),
        ([20], 100),
        ([20, 52, 70], 68),
    ],
)
def test_a_last_poll_that_is_still_to_come_may_be_due_before_all_else(
    deadlines: list[float], due: float
) -> None:
    assert DEFAULT.or_last_poll(100, now=50, deadlines=deadlines) == due


def make_calls(limit: RateLimit, wanted: list[float]) -> list[float]:
    """Make calls at the wanted times, or as soon after as is allowed."""
    times: list[float] = []
    for want in wanted:
        times.append(max(want, limit.free_at(), *times[-1:]))
        limit.note_call(times[-1])
    return times


def test_ten_calls_of_one_a_second_may_go_together() -> None:
    times = make_calls(RateLimit(1), [0] * 25)

    assert times[:10] == [0] * 10
    assert times[10:20] == [pytest.approx(10.1)] * 10
    assert times[20:] == [pytest.approx(20.2)] * 5


def test_calls_that_are_rarer_are_not_held_up() -> None:
    wanted = [float(number) for number in range(0, 200, 2)]

    assert make_calls(RateLimit(1), wanted) == wanted


@pytest.mark.parametrize(
    ("rate", "together", "span"), [(0.5, 5, 10), (0.25, 2, 8), (0.05, 1, 20), (2.55, 25, 9.8)]
)
def test_a_rate_holds_for_ten_seconds_or_for_one_call(
    rate: float, together: int, span: float
) -> None:
    times = make_calls(RateLimit(rate), [0] * (together + 1))

    assert times[:-1] == [0] * together
    assert span <= times[-1] <= span * 1.02


@given(
    st.sampled_from([0.05, 0.3, 1, 3]),
    st.lists(st.floats(0, 30), max_size=80),
)
def test_there_are_never_more_calls_in_a_span_than_allowed(
    rate: float, pauses: list[float]
) -> None:
    times = make_calls(RateLimit(rate), list(itertools.accumulate(pauses)))

    for index, start in enumerate(times):
        span = max(10.0, 1 / rate)
        assert sum(start <= time < start + span for time in times[index:]) <= max(10 * rate, 1)


def test_without_a_rate_nothing_is_held_up() -> None:
    limit = RateLimit(None)

    assert make_calls(limit, [0] * 1000) == [0] * 1000
