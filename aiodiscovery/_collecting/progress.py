"""What a collection tells while it runs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .records import Record
from .report import as_datetime

__all__ = ["CollectedWindow", "CollectionProgress", "describe_window"]


@dataclass(frozen=True, slots=True)
class CollectedWindow:
    """A range of an agent's data that is collected with one export, or a summary."""

    #: None of a summary.
    agent_id: str | None
    #: The range that is asked for; None of a summary.
    start: datetime | None
    end: datetime | None
    #: ``planned``, ``intended`` (its start is being sent), ``running``, ``done``, ``empty`` (there
    #: is no data), ``split`` (truncated, and asked for in halves), ``truncated`` (at the smallest
    #: size), ``failed``, or ``reopened`` (asked for with another range).
    state: str
    export_id: str | None
    #: From when to when its data is, once that is known.
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    #: Where its archive is, and how many bytes it has.
    path: Path | None = None
    size: int | None = None
    #: What the service said of it last, if that was a refusal or a failure.
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CollectionProgress:
    """How far a collection is."""

    #: How many agents there are, and of how many all was done that could be.
    agents: int
    agents_done: int
    #: How many seconds of agents' data are wanted, are there, and cannot be had.
    seconds: int
    seconds_covered: int
    seconds_missing: int
    #: What runs or may run at the service.
    running: tuple[CollectedWindow, ...]
    #: How many bytes of archives this collection has downloaded.
    bytes_downloaded: int
    #: How many seconds it takes still, if it goes on as it went; None where that cannot be said.
    seconds_left: float | None
    #: What has changed just now; None where only numbers have.
    window: CollectedWindow | None = None
    #: What a person should know, such as why the service starts nothing.
    message: str | None = None


def describe_window(record: Record, directory: Path) -> CollectedWindow:
    """Return what a collection tells of a window."""
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
