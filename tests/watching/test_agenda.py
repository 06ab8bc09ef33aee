"""When to poll next: Smithy's rule, and what one call takes of what is due."""

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodiscovery._client.backoff import Schedule
from aiodiscovery._watching.agenda import Agenda

seconds = st.floats(0.001, 10_000)


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 2), (2, 4), (3, 8), (6, 64), (7, 120), (8, 120), (10**9, 120)]
)
def test_the_longest_delay_doubles_up_to_the_maximum(attempt: int, longest: float) -> None:
    assert Schedule(2, 120).delay(attempt, jitter=1) == longest


@given(seconds, seconds, st.integers(1, 10**6), st.floats(0, 1))
def test_a_delay_is_between_the_shortest_and_the_longest(
    first: float, second: float, attempt: int, jitter: float
) -> None:
    schedule = Schedule(min(first, second), max(first, second))

    delay = schedule.delay(attempt, jitter)

    assert schedule.min_delay <= delay <= schedule.max_delay * (1 + 1e-9)
    assert delay <= schedule.delay(attempt + 1, jitter) * (1 + 1e-9)


def test_a_delay_may_begin_as_short_as_a_float_can_be() -> None:
    schedule = Schedule(5e-324, 120)

    assert schedule.delay(1, jitter=1) == 5e-324
    assert schedule.delay(10**9, jitter=1) == 120
    assert 0 < schedule.delay(1080, jitter=1) < 120


def test_jitter_spreads_the_delay_over_the_whole_range() -> None:
    schedule = Schedule(2, 120)

    assert [schedule.delay(5, jitter) for jitter in (0, 0.5, 1)] == [2, 17, 32]


def test_the_last_poll_is_the_shortest_delay_before_the_deadline() -> None:
    assert Schedule(2, 120).last_poll(100) == 98


def test_nothing_is_taken_before_something_is_due() -> None:
    agenda = Agenda()
    agenda.put("later", 5)

    assert agenda.next_due() == 5
    assert agenda.take(now=4.9, most=100) == []


def test_a_call_is_filled_up_with_what_is_due_soonest() -> None:
    agenda = Agenda()
    for due, key in enumerate("abcdef"):
        agenda.put(key, due)

    assert agenda.take(now=1, most=4) == ["a", "b", "c", "d"]
    assert agenda.take(now=1, most=4) == []
    assert agenda.next_due() == 4


def test_what_was_put_last_counts() -> None:
    agenda = Agenda()
    agenda.put("a", 1)
    agenda.put("a", 9)
    agenda.put("b", 5)
    agenda.put("b", 2)
    agenda.put("c", 3)
    agenda.drop("c")
    agenda.drop("unknown")

    assert agenda.next_due() == 2
    assert agenda.take(now=9, most=100) == ["b", "a"]
    assert agenda.next_due() == math.inf


def test_an_agenda_does_not_grow_with_what_was_put_before() -> None:
    agenda = Agenda()
    tracemalloc.start()
    for due in range(100_000, 0, -1):
        agenda.put("a", due)
        agenda.put("b", due + 0.5)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 100_000
    assert agenda.take(now=1, most=100) == ["a", "b"]


steps_of_some_keys = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.none() | st.integers(0, 30)), max_size=400
)


@given(steps_of_some_keys)
def test_an_agenda_gives_each_key_once_in_the_order_of_its_latest_due_time(
    steps: list[tuple[str, int | None]],
) -> None:
    agenda = Agenda()
    expected: dict[str, int] = {}
    for key, due in steps:
        if due is None:
            agenda.drop(key)
            expected.pop(key, None)
        else:
            agenda.put(key, due)
            expected[key] = due

    assert agenda.next_due() == min(expected.values(), default=math.inf)
    assert agenda.take(now=30, most=100) == sorted(expected, key=lambda key: (expected[key], key))
