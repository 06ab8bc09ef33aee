"""How long to wait after calls that failed: exponential back-off with full jitter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodiscovery._client.backoff import Backoff

seconds = st.floats(0.001, 10_000)


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 2), (2, 4), (3, 8), (6, 64), (7, 120), (8, 120), (10**9, 120)]
)
def test_the_bound_doubles_up_to_the_longest(failures: int, bound: float) -> None:
    assert Backoff(2, 120).delay(failures, jitter=1) == bound


def test_jitter_spreads_the_delay_over_all_that_is_below_the_bound() -> None:
    backoff = Backoff(2, 120)

    assert [backoff.delay(5, jitter) for jitter in (0, 0.5, 1)] == [0, 16, 32]


@given(seconds, seconds, st.integers(1, 10**6), st.floats(0, 1))
def test_a_delay_does_not_exceed_the_longest_and_grows_with_the_failures(
    first: float, second: float, failures: int, jitter: float
) -> None:
    backoff = Backoff(min(first, second), max(first, second))

    delay = backoff.delay(failures, jitter)

    assert 0 <= delay <= backoff.longest * (1 + 1e-9)
    assert delay <= backoff.delay(failures + 1, jitter) * (1 + 1e-9)


def test_the_first_bound_may_be_as_short_as_a_float_can_be() -> None:
    backoff = Backoff(5e-324, 120)

    assert backoff.delay(1, jitter=1) == 5e-324
    assert backoff.delay(10**9, jitter=1) == 120
    assert 0 < backoff.delay(1080, jitter=1) < 120
