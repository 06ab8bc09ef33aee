"""Exports and agents in words: what plain lines and tables have in common.

What the service says is made fit for a terminal here, field by field.
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

#: The longest that a name or a status of the service is shown, in characters.
_MOST = 200
_STATUSES = {"IN_PROGRESS": "in progress", "SUCCEEDED": "succeeded", "FAILED": "failed"}


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def field(item: Mapping[str, Any], name: str) -> str:
    """Return a field of what the service describes."""
    value = item.get(name)
    return "" if value is None else one_line(value, _MOST)


def remark(info: "ExportInfoTypeDef") -> str:
    """Return what there is to say of an export beside its status."""
    if info["exportStatus"] == "FAILED":
        return one_line(info.get("statusMessage") or "")
    return truncated_remark(info.get("isTruncated", False))


def truncated_remark(truncated: bool) -> str:
    """Return what there is to say of an archive."""
    return "TRUNCATED: the service left data out" if truncated else ""


def requested(info: "ExportInfoTypeDef", form: str) -> str:
    """Return when an export was requested, in UTC if UTC has a date for it."""
    time = info["exportRequestTime"]
    with suppress(OverflowError):
        time = time.astimezone(UTC)
    return f"{time:{form}}"


def clock(seconds: float | None) -> str:
    """Return a time that has passed as hours, minutes and seconds."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def counts(statuses: Iterable[str]) -> str:
    """Return how many exports have which status; an empty one is not known yet."""
    found = Counter(statuses)
    parts = [f"{found.pop(each)} {words}" for each, words in _STATUSES.items() if each in found]
    unseen = found.pop("", 0)
    parts += [f"{number} {one_line(status, 40)}" for status, number in found.items()]
    if unseen:
        parts.append(f"{unseen} not seen yet")
    return ", ".join(parts)


def count(number: int, noun: str) -> str:
    """Return how many there are of something."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(*words: str) -> str:
    """Return words as a line that can be cut into them again."""
    return "  ".join(words).rstrip()


def agent_words(agent: "AgentInfoTypeDef", form: str) -> tuple[str, str, str, str, str]:
    """Return an agent's id, host name, health, and since when until when it has been seen.

    :param form: how times are written.
    """
    return (
        field(agent, "agentId") or "-",
        field(agent, "hostName") or "-",
        field(agent, "health") or "-",
        _moment(agent.get("registeredTime"), form),
        _moment(agent.get("lastHealthPingTime"), form),
    )


def _moment(text: Any, form: str) -> str:
    """Return a time, which of agents is a string."""
    if not text:
        return "-"
    try:
        time = isoparse(str(text))
        time = time.replace(tzinfo=UTC) if time.utcoffset() is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return one_line(text, 30)
    return f"{time:{form}}"
