"""Exports and agents in words, for plain lines and tables alike.

Texts of the service are made safe for a terminal here, field by field.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dateutil.parser import isoparse

from ._text import one_line

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import AgentInfoTypeDef, ExportInfoTypeDef

__all__ = [
    "agent_words",
    "clock",
    "count",
    "counts",
    "field",
    "joined",
    "remark",
    "requested",
    "truncated_remark",
    "utc_now",
]

#: The most characters of a name or a status of the service that are shown.
_MOST = 200
_STATUSES = {"IN_PROGRESS": "in progress", "SUCCEEDED": "succeeded", "FAILED": "failed"}


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def field(item: Mapping[str, Any], name: str) -> str:
    """Return a field of an item of the service."""
    value = item.get(name)
    return "" if value is None else one_line(value, _MOST)


def remark(info: "ExportInfoTypeDef") -> str:
    """Return the remark about an export, besides its status."""
    if info["exportStatus"] == "FAILED":
        return one_line(info.get("statusMessage") or "")
    return truncated_remark(info.get("isTruncated", False))


def truncated_remark(truncated: bool) -> str:
    """Return the remark about an archive."""
    return "TRUNCATED: the service left data out" if truncated else ""


def requested(info: "ExportInfoTypeDef", form: str) -> str:
    """Return when an export was requested, in UTC unless that is out of range."""
    time = info["exportRequestTime"]
    with suppress(OverflowError):
        time = time.astimezone(UTC)
    return f"{time:{form}}"


def clock(seconds: float | None) -> str:
    """Return a duration as hours, minutes and seconds."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def counts(statuses: Iterable[str]) -> str:
    """Return the number of exports for each status. An empty status is not known yet."""
    found = Counter(statuses)
    parts = [
        f"{found.pop(status)} {words}" for status, words in _STATUSES.items() if status in found
    ]
    unseen = found.pop("", 0)
    parts += [f"{number} {one_line(status, 40)}" for status, number in found.items()]
    if unseen:
        parts.append(f"{unseen} not seen yet")
    return ", ".join(parts)


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(*words: str) -> str:
    """Return words as a line that can be split into them again."""
    return "  ".join(words).rstrip()


def agent_words(agent: "AgentInfoTypeDef", form: str) -> tuple[str, str, str, str, str]:
    """Return an agent's id, host name and health, and the times of its first and last contact.

    :param form: the format of times.
    """
    return (
        field(agent, "agentId") or "-",
        field(agent, "hostName") or "-",
        field(agent, "health") or "-",
        _moment(agent.get("registeredTime"), form),
        _moment(agent.get("lastHealthPingTime"), form),
    )


def _moment(text: Any, form: str) -> str:
    """Return a time, which is a string for agents."""
    if not text:
        return "-"
    try:
        time = isoparse(str(text))
        time = time.replace(tzinfo=UTC) if time.utcoffset() is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return one_line(text, 30)
    return f"{time:{form}}"
