"""Parsing the texts of a file as values of a type.

Each function returns None for a text that does not fit: no text is lost, and no value is guessed.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from ._schemas import Type

__all__ = ["PARSERS", "parse_time"]

_INTEGER = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# Longer ones are not counts, and int() has a limit of its own.
_DIGITS = 100

_ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?)?)?"
    r"(?: ?(?P<zone>[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
#: As in the User Guide: the month first, and am or pm.
_US = re.compile(
    r"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{4})"
    r"(?: (?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?)?(?: ?(?P<half>[AaPp][Mm]))?(?: ?(?P<zone>Z|UTC|GMT))?)?"
)


def parse_integer(text: str) -> int | None:
    """Read a 64-bit integer. ``4.0`` is one too."""
    match = _INTEGER.fullmatch(text.strip(" "))
    if match is None or len(text) > _DIGITS:
        return None
    value = int(match[1])
    return value if -(2**63) <= value < 2**63 else None


def parse_double(text: str) -> float | None:
    """Read a number. NaN and infinity do not count: they would spoil every sum and maximum."""
    text = text.strip(" ")
    if _DOUBLE.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_boolean(text: str) -> bool | None:
    """Read true or false, 1 or 0, in any case."""
    return _BOOLEANS.get(text.strip(" ").lower())


def parse_time(text: str) -> datetime | None:
    """Read a time in one of AWS's formats. It is in UTC unless it says otherwise.

    The finest resolution is a microsecond, so a time with more digits does not fit.
    """
    text = text.strip(" ")
    match = _ISO.fullmatch(text) or _US.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    fraction = (part["fraction"] or "").rstrip("0")
    hour = _hour(int(part["hour"] or 0), part.get("half"))
    zone = _zone(part["zone"])
    if len(fraction) > 6 or hour is None or zone is None:
        return None
    try:
        return datetime(
            int(part["year"]),
            int(part["month"]),
            int(part["day"]),
            hour,
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int(fraction.ljust(6, "0")),
            zone,
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _hour(hour: int, half: str | None) -> int | None:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        return None
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _zone(text: str | None) -> timezone | None:
    if text is None or text[0] not in "+-":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


#: The parser of each type that is not text.
PARSERS: dict[Type, Callable[[str], object]] = {
    Type.INTEGER: parse_integer,
    Type.DOUBLE: parse_double,
    Type.BOOLEAN: parse_boolean,
    Type.TIME: parse_time,
}
