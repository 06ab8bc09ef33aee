"""When a started export or task becomes visible, and when it ends."""

from collections.abc import Callable
from dataclasses import dataclass
from types import EllipsisType

from ._errors import check_not_negative

__all__ = ["Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take.

    :param clock: returns the time in seconds since the epoch
    :param duration: seconds that an export or a task takes; None: until it is ended
    :param visibility_delay: seconds for which a started one is missing from the describe calls
    """

    clock: Callable[[], float]
    duration: float | None
    visibility_delay: float

    def chosen(self, duration: float | EllipsisType | None) -> float | None:
        """Return a duration, or the usual one if it was left out.

        :raises ValueError: for a negative one
        """
        duration = self.duration if duration is ... else duration
        check_not_negative(duration=duration)
        return duration

    def times(
        self, duration: float | EllipsisType | None = ...
    ) -> tuple[float, float, float | None]:
        """Return when something that is started now starts, becomes visible and ends."""
        duration = self.chosen(duration)
        now = self.clock()
        return now, now + self.visibility_delay, None if duration is None else now + duration
