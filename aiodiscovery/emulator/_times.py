"""Times, as texts and as values, in the formats of the service's files."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

__all__ = ["DAY", "HOUR", "TIMESTAMP_FORMS", "TimestampForm", "formatter", "iso", "moment"]

HOUR = 3600
DAY = 24 * HOUR

TimestampForm = Literal["us", "iso", "iso-z", "space", "space-z"]

_FIRST, _LAST = -62_135_596_800, 253_402_300_799
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return a time in seconds since the epoch as a datetime in UTC."""
    # datetime.fromtimestamp() fails before the epoch on Windows. The service's timestamps may also
    # be from before the year 1.
    return _EPOCH + timedelta(seconds=min(max(seconds, _FIRST), _LAST))


def iso(seconds: float) -> str:
    """Write a time in the format of DescribeAgents, such as ``2017-05-10T12:00:00Z``."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _us(seconds: float) -> str:
    time = moment(seconds)
    half = "am" if time.hour < 12 else "pm"
    return f"{time:%m/%d/%Y} {time.hour % 12 or 12:02d}:{time:%M:%S} {half}"


def _iso_naive(seconds: float) -> str:
    return iso(seconds)[:-1]


def _space(seconds: float) -> str:
    return iso(seconds)[:-1].replace("T", " ")


def _space_z(seconds: float) -> str:
    return iso(seconds).replace("T", " ")


#: The formats and the functions that write them.
TIMESTAMP_FORMS: dict[TimestampForm, Callable[[float], str]] = {
    "us": _us,
    "iso": _iso_naive,
    "iso-z": iso,
    "space": _space,
    "space-z": _space_z,
}


@lru_cache(maxsize=16)
def formatter(form: TimestampForm) -> Callable[[int], str]:
    """Return a function that writes times in a format, and caches the last ones."""
    return lru_cache(maxsize=4096)(TIMESTAMP_FORMS[form])
