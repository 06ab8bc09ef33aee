"""What a collection reports while it runs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .records import Record
from .report import as_datetime

__all__ = ["CollectedWindow", "CollectionProgress", "describe_window"]


@dataclass(frozen=True, slots=True)
class CollectedWindow:
    """A range of an agent's data that is collected with one export, or a summary."""

    #: None for a summary.
    agent_id: str | None
    #: The range that is asked for. None for a summary.
    start: datetime | None
    end: datetime | None
    #: ``planned``, ``intended`` (its start is being sent), ``running``, ``done``, ``empty`` (there
    #: is no data), ``split`` (truncated, and asked for in halves), ``truncated`` (at the smallest
    #: size), ``failed``, or ``reopened`` (asked for with a different range).
    state: str
    export_id: str | None
    #: From when to when its data is, once that is known.
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    #: The path of its archive, and the size in bytes.
    path: Path | None = None
    size: int | None = None
    #: The latest message of the service about it, if it was a refusal or a failure.
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CollectionProgress:
    """How far a collection has got."""

    #: The number of agents, and of those for which everything possible was done.
    agents: int
    agents_done: int
    #: How many seconds of agents' data are wanted, are collected, and cannot be obtained.
    seconds: int
    seconds_covered: int
    seconds_missing: int
    #: The windows whose exports run or may run at the service.
    running: tuple[CollectedWindow, ...]
    #: How many bytes of archives this collection has downloaded.
    bytes_downloaded: int
    #: The estimated number of seconds left, at the pace so far. None if there is no estimate.
    seconds_left: float | None
    #: What has just changed. None if only numbers have.
    window: CollectedWindow | None = None
    #: A message for a person, such as why the service does not start exports.
    message: str | None = None


def describe_window(record: Record, directory: Path) -> CollectedWindow:
    """Return what a collection reports about a window."""
    of_agent = record.agent_id is not None
    actual = record.actual
    return CollectedWindow(
        record.agent_id,
        as_datetime(record.window.start) if of_agent else None,
        as_datetime(record.window.end) if of_agent else None,
        record.state.value,
        record.export_id,
        None if actual is None else as_datetime(actual.start),
        None if actual is None else as_datetime(actual.end),
        None if record.file is None else directory / record.file.path,
        None if record.file is None else record.file.size,
        record.message,
    )
