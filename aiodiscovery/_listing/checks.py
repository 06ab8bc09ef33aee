"""Checks of arguments. Each raises a ValueError that says what is allowed."""

from collections.abc import Iterable
from reprlib import Repr
from typing import Any

__all__ = ["check_count", "check_ids", "show"]

_REPR = Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 100


def show(value: Any) -> str:
    """Return a short repr of any value, for a message."""
    try:
        return _REPR.repr(value)
    except ValueError:
        return "a number with too many digits"


def check_count(name: str, value: Any) -> None:
    """Raise ValueError if the value is not a whole number of at least 1."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {show(value)}")


def check_ids(given: Iterable[Any], noun: str = "export") -> tuple[str, ...]:
    """Return the ids without repetitions; raise ValueError if any of them is not valid."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(f"{noun} ids must be several, not one {type(given).__name__}")  # noqa: TRY004
    ids = tuple(given)
    for id_ in ids:
        # The service refuses a whole request for one invalid id.
        if not isinstance(id_, str) or not 0 < len(id_) <= 200 or any(map(str.isspace, id_)):
            raise ValueError(
                f"{noun} ids are strings of 1 to 200 characters without spaces, not {show(id_)}"
            )
    return tuple(dict.fromkeys(ids))
