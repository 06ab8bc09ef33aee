"""How long to wait after calls that failed: a pure rule, with no clock of its own."""

import math
from typing import NamedTuple

__all__ = ["Backoff"]


class Backoff(NamedTuple):
    """Exponential back-off with full jitter, in seconds.

    The upper bound of the delay doubles with each failure in a row, and the delay is drawn from
    below it: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    #: The upper bound after the first failure.
    first: float
    #: The highest upper bound.
    longest: float

    def delay(self, failures: int, jitter: float) -> float:
        """Return the delay after a failure.

        :param failures: how many failures in a row there were, from 1.
        :param jitter: where the delay lies between 0 and the upper bound, from 0 to 1.
        """
        bound = self.longest
        # Exponents are compared, because a large power would not fit in a float.
        if failures - 1 < math.log2(self.longest) - math.log2(self.first):
            bound = math.ldexp(self.first, failures - 1)
        return jitter * bound
