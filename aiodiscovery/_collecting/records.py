"""What the ledger keeps: agents, and a record for each window and summary."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from .plan import Kind, Range, State, Window

__all__ = ["Agent", "Record", "StoredFile", "read_agent", "read_record"]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, as the service last described it."""

    agent_id: str
    host_name: str | None = None
    is_connector: bool = False
    #: When it registered and when it was last heard of. None if the service does not say.
    first: int | None = None
    last: int | None = None
    #: What is to be collected of it. None if that is not known.
    target: Range | None = None
    #: Whether the target ends with the agent's data, and not where the caller wants it to.
    may_extend: bool = True
    #: Whether the latest collection was for this agent, among others.
    is_wanted: bool = True
    #: Whether the service no longer knows it.
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An archive in the directory."""

    #: Its path relative to the directory, with slashes.
    path: str
    size: int
    #: Its modification time in nanoseconds, as ``os.stat()`` returns it.
    modified: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger has of a window, a summary or recommendations."""

    id: int
    kind: Kind
    #: None if it does not belong to an agent.
    agent_id: str | None
    window: Window
    tries: int = 0
    export_id: str | None = None
    #: Whether the export was found instead of started by an answered call.
    is_adopted: bool = False
    #: From when to when its data is.
    actual: Range | None = None
    file: StoredFile | None = None
    message: str | None = None
    #: When it was requested, in seconds since the epoch by the local clock.
    requested: float | None = None
    #: For a summary: up to when the data of agents was wanted then, by agent id.
    targets: Mapping[str, int] | None = None

    @property
    def state(self) -> State:
        """The state of its window."""
        return self.window.state


def read_agent(row: sqlite3.Row) -> Agent:
    """Create an agent from its row."""
    return Agent(
        row["agent_id"],
        row["host_name"],
        bool(row["is_connector"]),
        row["first"],
        row["last"],
        _range(row["target_start"], row["target_end"]),
        bool(row["may_extend"]),
        bool(row["is_wanted"]),
        bool(row["is_gone"]),
    )


def read_record(row: sqlite3.Row) -> Record:
    """Create a record from its row."""
    file = None
    if row["file"] is not None:
        file = StoredFile(row["file"], row["size"], row["modified"], row["sha256"])
    covered = _range(row["covered_start"], row["covered_end"])
    return Record(
        row["id"],
        Kind(row["kind"]),
        row["agent_id"],
        Window(row["start"], row["end"], State(row["state"]), covered),
        row["tries"],
        row["export_id"],
        bool(row["is_adopted"]),
        _range(row["actual_start"], row["actual_end"]),
        file,
        row["message"],
        row["requested"],
        None if row["targets"] is None else json.loads(row["targets"]),
    )


def _range(start: int | None, end: int | None) -> Range | None:
    return None if start is None or end is None else Range(start, end)
