"""How long to wait before asking again: a pure rule, with no clock of its own.

The delays follow the rule that the newer AWS SDKs share, Smithy's:
https://smithy.io/2.0/additional-specs/waiters.html#waiter-retries
"""

import math
from typing import NamedTuple

__all__ = ["Schedule"]


class Schedule(NamedTuple):
    """Delays between polls, in seconds, that double from the shortest to the longest."""

    min_delay: float
    max_delay: float

    def delay(self, attempt: int, jitter: float) -> float:
        """Return the delay that follows an attempt.

        :param attempt: how many polls were made, from 1.
        :param jitter: where in the range of this attempt the delay lies, from 0 to 1.
        """
        longest = self.max_delay
        # Compared as exponents: a high attempt would be too large for a float.
        if attempt - 1 < math.log2(self.max_delay) - math.log2(self.min_delay):
            longest = math.ldexp(self.min_delay, attempt - 1)
        return self.min_delay + jitter * (longest - self.min_delay)

    def last_poll(self, deadline: float) -> float:
        """Return when the last poll before a deadline is made."""
        return deadline - self.min_delay
