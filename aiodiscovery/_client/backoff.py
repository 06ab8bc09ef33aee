"""How long to wait after calls that failed: a pure rule, with no clock of its own."""

import math
from typing import NamedTuple

__all__ = ["Backoff"]


class Backoff(NamedTuple):
    """Exponential back-off with full jitter, in seconds.

    The bound of the delay doubles with each failure in a row, and the delay is drawn from all that
    is below it: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    #: The bound after the first failure.
    first: float
    #: The bound that is not exceeded.
    longest: float

    def delay(self, failures: int, jitter: float) -> float:
        """Return the delay that follows a failure.

        :param failures: how many there were in a row, from 1.
        :param jitter: where in the range of this failure the delay lies, from 0 to 1.
        """
        bound = self.longest
        # Compared as exponents: a high number would be too large for a float.
        if failures - 1 < math.log2(self.longest) - math.log2(self.first):
            bound = math.ldexp(self.first, failures - 1)
        return jitter * bound
