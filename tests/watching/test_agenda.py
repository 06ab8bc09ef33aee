"""What is due, what one call takes of it, and until when none is made because calls fail."""

import math
import tracemalloc

import pytest
from botocore.exceptions import CredentialRetrievalError
from hypothesis import given
from hypothesis import strategies as st
from support.virtual import service_error

from aiodiscovery._client import Backoff
from aiodiscovery._watching.agenda import Agenda, Outage, Patience


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


def test_a_call_is_filled_up_although_all_keys_with_another_delay_were_taken() -> None:
    agenda = Agenda()
    agenda.put("often", 1, delay=1)
    assert agenda.take(now=1, most=100) == ["often"]
    agenda.put("seldom", 2, delay=100)

    assert agenda.take(now=2, most=100) == ["seldom"]


def test_what_was_put_last_counts() -> None:
    agenda = Agenda()
    agenda.put("a", 1)
    agenda.put("a", 9)
    agenda.put("b", 5)
    agenda.put("b", 2)
    agenda.put("c", 3)
    agenda.put("d", 4)
    agenda.put("d", 4)
    assert agenda.due("d") == 4
    agenda.drop("c")
    agenda.drop("d")
    agenda.drop("unknown")

    assert agenda.next_due() == 2
    assert agenda.take(now=9, most=100) == ["b", "a"]
    assert agenda.next_due() == math.inf


def test_an_agenda_does_not_grow_with_what_was_put_before() -> None:
    agenda = Agenda()
    tracemalloc.start()
    for due in range(20_000, 0, -1):
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


def test_what_is_put_once_stays_while_others_come_and_go() -> None:
    agenda = Agenda()
    agenda.put("once", due=7)
    for due in range(1000):
        agenda.put("often", due)
        agenda.put("dropped", due)
        agenda.drop("dropped")
        assert (agenda.due("once"), agenda.due("often")) == (7, due)

    assert agenda.take(now=1000, most=100) == ["once", "often"]


def test_an_agenda_of_many_keys_is_filled_in_no_time() -> None:
    agenda = Agenda()
    for number in range(30_000):
        agenda.put(str(number), due=number)

    assert agenda.take(now=0, most=1) == ["0"]


# Lateness


def test_what_is_later_in_proportion_to_its_delay_comes_first() -> None:
    agenda = Agenda()
    agenda.put("a tenth", due=90, delay=100)
    agenda.put("half", due=95, delay=10)
    agenda.put("a fifth", due=80, delay=100)
    agenda.put("not at all", due=100, delay=1)

    assert agenda.take(now=100, most=4) == ["half", "a fifth", "a tenth", "not at all"]


def test_a_call_is_filled_up_with_what_has_waited_most_of_its_delay() -> None:
    agenda = Agenda()
    agenda.put("due", due=100, delay=10)
    agenda.put("just looked at", due=109, delay=10)
    agenda.put("soon, for its delay", due=115, delay=100)

    assert agenda.take(now=100, most=2) == ["due", "soon, for its delay"]


def test_what_has_no_delay_comes_first_once_it_is_due_and_last_before() -> None:
    agenda = Agenda()
    agenda.put("late", due=0, delay=10)
    agenda.put("new", due=99)
    agenda.put("a last poll", due=101)
    agenda.put("later", due=109, delay=10)

    assert agenda.take(now=100, most=4) == ["new", "late", "later", "a last poll"]


@pytest.mark.parametrize(("delay", "other"), [(10, 300), (300, 10), (0.02, 0.2), (10, 13)])
def test_lateness_is_told_apart_to_a_fifth(delay: float, other: float) -> None:
    agenda = Agenda()
    agenda.put("late", due=-delay, delay=delay)
    agenda.put("later", due=-1.2 * other, delay=other)

    assert agenda.take(now=0, most=1) == ["later"]


def test_delays_that_are_about_the_same_do_not_part_what_was_due_before() -> None:
    agenda = Agenda()
    for number in range(100):
        agenda.put(f"key {number}", due=number, delay=300 - number / 10)

    assert agenda.take(now=100, most=100) == [f"key {number}" for number in range(100)]


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.sampled_from([0.0, 10.0, 20.0, 40.0, 300.0])), max_size=50
    ),
    st.integers(1, 60),
)
def test_nothing_is_left_that_is_later_than_what_was_taken(
    keys: list[tuple[float, float]], most: int
) -> None:
    agenda = Agenda()
    for number, (due, delay) in enumerate(keys):
        agenda.put(str(number), due, delay=delay)

    def lateness(key: str) -> float:
        due, delay = keys[int(key)]
        return (50 - due) / (delay or 1e-9)

    taken = agenda.take(now=50, most=most)
    left = {str(number) for number in range(len(keys))} - set(taken)

    due_now = [key for key in map(str, range(len(keys))) if keys[int(key)][0] <= 50]
    assert len(taken) == (min(most, len(keys)) if due_now else 0)
    # Delays that differ by a ninth are distinguished.
    for key in taken:
        assert all(lateness(key) >= lateness(other) - 0.1 * abs(lateness(other)) for other in left)


# Levels


@pytest.mark.parametrize(
    ("size", "level"), [(100, 0), (99, 1), (50, 1), (49, 2), (25, 2), (2, 6), (1, 6), (0, 7)]
)
def test_a_level_is_the_lowest_at_which_a_call_is_small_enough(size: int, level: int) -> None:
    assert Agenda.level_of(100, size) == level


def test_one_call_takes_keys_of_one_level_and_half_as_many_at_the_next() -> None:
    agenda = Agenda()
    for number in range(8):
        agenda.put(f"low {number}", number + 10)
        agenda.put(f"high {number}", number, level=2)

    assert agenda.take(now=20, most=8) == ["high 0", "high 1"]
    assert agenda.due("high 0") == math.inf
    for number in range(2, 8, 2):
        assert agenda.take(now=20, most=8) == [f"high {number}", f"high {number + 1}"]
    assert agenda.take(now=20, most=8) == [f"low {number}" for number in range(8)]


def test_at_the_highest_level_a_call_takes_one() -> None:
    agenda = Agenda()
    agenda.put("a", 1, level=Agenda.MAX_LEVEL)
    agenda.put("b", 2, level=Agenda.MAX_LEVEL)

    assert agenda.take(now=3, most=100) == ["a"]
    assert agenda.take(now=3, most=100) == ["b"]


def test_a_key_may_change_its_level() -> None:
    agenda = Agenda()
    agenda.put("a", 1)
    agenda.put("b", 1)
    agenda.put("a", 1, level=6)

    assert agenda.take(now=1, most=100) == ["a"]
    assert agenda.take(now=1, most=100) == ["b"]


# Outage


def outage_after(*failures: float, explained: bool = True) -> Outage:
    outage = Outage(Backoff(10, 300))
    for time in failures:
        outage.note_failure(time, time, 1.0, size=80, explained=explained)
    return outage


def test_without_failures_there_is_no_outage() -> None:
    outage = outage_after()

    assert (outage.failures, outage.most(100)) == (0, 100)
    assert outage.paused_until == -math.inf


def test_each_failure_in_a_row_doubles_the_pause() -> None:
    assert [outage_after(*range(count)).paused_until - count + 1 for count in (1, 2, 3, 4)] == [
        10,
        20,
        40,
        80,
    ]


def test_calls_that_were_made_before_the_failure_of_another_count_once() -> None:
    outage = Outage(Backoff(10, 300))
    outage.note_failure(0, 5, 1.0, size=80, explained=False)
    outage.note_failure(4, 6, 1.0, size=40, explained=False)
    assert (outage.failures, outage.paused_until, outage.most(100)) == (1, 15, 100)

    outage.note_failure(5, 7, 1.0, size=60, explained=False)
    assert (outage.failures, outage.paused_until, outage.most(100)) == (2, 27, 30)


def test_an_answer_ends_an_outage() -> None:
    outage = outage_after(3, 4, 5)

    outage.note_success()

    assert (outage.failures, outage.paused_until) == (0, -math.inf)
    outage.note_failure(8, 9, 0.5, size=1, explained=True)
    assert (outage.failures, outage.paused_until) == (1, 14)


def test_calls_that_fail_for_no_known_reason_are_made_smaller() -> None:
    assert outage_after(1, explained=False).most(100) == 100
    assert outage_after(1, 2, explained=False).most(100) == 40
    assert outage_after(1, 2, explained=True).most(100) == 100
    outage = outage_after(1, 2, explained=False)
    outage.note_failure(3, 3, 1.0, size=1, explained=False)
    assert outage.most(100) == 1
    outage.note_success()
    assert outage.most(100) == 100


# How long calls fail for one reason

CLOCK = service_error("RequestExpired")
CREDENTIALS = CredentialRetrievalError(provider="custom-process", error_msg="none")
OTHER = service_error("ServiceUnavailable", 503)


@pytest.mark.parametrize(("error", "allowed"), [(CLOCK, 60.0), (CREDENTIALS, 3600.0)])
def test_patience_runs_out_from_the_first_failure_for_a_reason(
    error: Exception, allowed: float
) -> None:
    patience = Patience()

    assert not patience.has_run_out(OTHER, 0.0)
    assert not patience.has_run_out(error, 5000.0)
    assert not patience.has_run_out(error, 5000.0 + allowed - 0.1)
    assert patience.has_run_out(error, 5000.0 + allowed)


@pytest.mark.parametrize("error", [CLOCK, CREDENTIALS])
def test_patience_begins_anew_after_another_reason_or_an_answer(error: Exception) -> None:
    patience = Patience()
    for time, between in enumerate((OTHER, None)):
        assert not patience.has_run_out(error, 10_000.0 * time)
        if between is None:
            patience.renew()
        else:
            assert not patience.has_run_out(between, 10_000.0 * time + 9000.0)
        assert not patience.has_run_out(error, 10_000.0 * time + 9999.0)


def test_patience_with_what_may_always_pass_never_runs_out() -> None:
    patience = Patience()

    assert not any(patience.has_run_out(OTHER, time) for time in (0.0, 1e6, 1e9))
