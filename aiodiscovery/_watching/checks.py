"""Checks of the numbers that a watcher is given: each raises a ValueError."""

import math
from typing import Any

__all__ = ["check_delays", "check_timeout"]


def check_delays(min_delay: float, max_delay: float, not_found_timeout: float) -> None:
    """Raise ValueError if a watcher cannot wait so long."""
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


def check_timeout(timeout: float) -> None:
    """Raise ValueError if a task cannot wait so long."""
    _check_number("timeout", timeout)
    if timeout < 0:
        raise ValueError(f"timeout must be at least 0 seconds, or None, not {timeout!r}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")
