"""Checks of a watcher's numeric arguments. Each raises a ValueError."""

import math
from typing import Any

__all__ = ["check_delays", "check_timeout"]


def check_delays(
    min_delay: float,
    max_delay: float,
    not_found_timeout: float,
    relative_delay: float = 0.01,
    max_rate: float | None = 1.0,
) -> None:
    """Raise ValueError if delays or the rate of calls are out of range."""
    _check_number("min_delay", min_delay)
    _check_number("max_delay", max_delay)
    _check_number("not_found_timeout", not_found_timeout)
    if not 0 < min_delay <= max_delay < math.inf:
        raise ValueError(
            "min_delay must be greater than 0, and max_delay at least min_delay and finite, "
            f"not {min_delay!r} and {max_delay!r}"
        )
    if not_found_timeout < 0:
        raise ValueError(f"not_found_timeout must be at least 0, not {not_found_timeout!r}")
    _check_number("relative_delay", relative_delay, "a number")
    if not 0 <= relative_delay <= 1:
        raise ValueError(f"relative_delay must be from 0 to 1, not {relative_delay!r}")
    if max_rate is not None:
        _check_number("max_rate", max_rate, "a number of calls per second, or None")
        if not 0 < max_rate < math.inf:
            raise ValueError(
                f"max_rate must be greater than 0 and finite, or None, not {max_rate!r}"
            )


def check_timeout(timeout: float) -> None:
    """Raise ValueError if a time-out is out of range."""
    _check_number("timeout", timeout)
    if timeout < 0:
        raise ValueError(f"timeout must be at least 0 seconds, or None, not {timeout!r}")


def _check_number(name: str, value: Any, what: str = "a number of seconds") -> None:
    try:
        valid = not isinstance(value, bool) and isinstance(value, (int, float))
        valid = valid and not math.isnan(value)
    except OverflowError:
        # It cannot be added to a time. It may also have too many digits to be shown.
        raise ValueError(f"{name} must be {what}, not one that is too large for a float") from None
    if not valid:
        raise ValueError(f"{name} must be {what}, not {value!r}")
