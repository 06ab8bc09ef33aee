"""The report of a collection: what it has and what it lacks."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from .plan import Kind, Range, State, covered_ranges, open_ranges, subtract
from .records import Agent, Record, StoredFile

__all__ = [
    "AgentReport",
    "CollectedFile",
    "CollectionReport",
    "MissingRange",
    "MissingReason",
    "TimeRange",
    "as_datetime",
    "make_report",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MissingReason(StrEnum):
    """Why a range of an agent's data is missing."""

    #: Its export FAILED as many times as it is tried.
    FAILED = "failed"
    #: The service left data out even of the smallest range that is asked for.
    TRUNCATED = "truncated"
    #: The service no longer knows the agent, or never has.
    GONE = "gone"
    #: Its archive is no longer in the directory.
    FILE_MISSING = "file missing"
    #: Its archive is not what was downloaded.
    FILE_CHANGED = "file changed"
    #: It has not been collected yet.
    NOT_COLLECTED = "not collected"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of time in UTC that includes its start and excludes its end."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class MissingRange:
    """A range of an agent's data that is missing, and why."""

    start: datetime
    end: datetime
    reason: MissingReason
    #: What the service says about it, or how far it has got. None if there is nothing to add.
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CollectedFile:
    """An archive that was downloaded."""

    path: Path
    #: Its size in bytes.
    size: int
    sha256: str
    export_id: str
    #: Whether it is still there, as it was downloaded.
    is_intact: bool
    #: From when to when its data is. None for a summary, or if the service does not say.
    actual: TimeRange | None = None


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What has been collected of an agent's data, and what is missing."""

    agent_id: str
    host_name: str | None
    #: What is to be collected. None if the service does not say since when there is data.
    target: TimeRange | None
    #: What has been collected, in order.
    covered: tuple[TimeRange, ...]
    #: What is missing, in order.
    missing: tuple[MissingRange, ...]
    files: tuple[CollectedFile, ...]
    #: Why more may be missing. None if there is no such reason.
    message: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and self.message is None


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What a directory has, and lacks, of what was to be collected into it."""

    directory: Path
    agents: tuple[AgentReport, ...]
    #: The summaries of all servers, oldest first.
    summaries: tuple[CollectedFile, ...]
    #: The recommendations of EC2 instances, oldest first.
    recommendations: tuple[CollectedFile, ...]
    #: Why a wanted summary, or wanted recommendations, are missing. None if they are not.
    summary_missing: str | None
    #: The ids of the connectors, which have no data of their own.
    connectors: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether everything that was to be collected is there."""
        return self.summary_missing is None and all(agent.is_complete for agent in self.agents)


def make_report(
    directory: Path,
    agents: Iterable[Agent],
    records: Iterable[Record],
    intact: Mapping[int, bool | None],
    summaries: Collection[Kind],
) -> CollectionReport:
    """Make the report of a directory.

    :param intact: whether the file of a record is unchanged, by the number of the record; None if
        it is missing.
    :param summaries: the kinds of summaries that were wanted.
    """
    of_agents: dict[str | None, list[Record]] = {}
    for record in records:
        of_agents.setdefault(record.agent_id, []).append(record)
    wanted = [agent for agent in agents if agent.is_wanted]
    general = {
        kind: [record for record in of_agents.get(None, []) if record.kind is kind]
        for kind in (Kind.SUMMARY, Kind.RECOMMENDATIONS)
    }
    problems = [problem for kind in summaries if (problem := _problem(kind, general[kind], intact))]
    return CollectionReport(
        directory,
        tuple(
            _of_agent(directory, agent, of_agents.get(agent.agent_id, []), intact)
            for agent in wanted
            if not agent.is_connector
        ),
        _files(directory, general[Kind.SUMMARY], intact),
        _files(directory, general[Kind.RECOMMENDATIONS], intact),
        "; ".join(problems) or None,
        tuple(agent.agent_id for agent in wanted if agent.is_connector),
    )


def _of_agent(
    directory: Path, agent: Agent, records: list[Record], intact: Mapping[int, bool | None]
) -> AgentReport:
    files = _files(directory, records, intact)
    target = agent.target
    if target is None:
        message = "the service does not say since when there is data: give a start_time"
        if agent.is_gone:
            message = "the service does not know this agent"
        return AgentReport(agent.agent_id, agent.host_name, None, (), (), files, message)
    missing: list[MissingRange] = []
    lost: list[Range] = []
    for record in records:
        parts = [] if record.window.held is None else _clip(target, record.window.held)
        for part in parts:
            found = _what_is_missing(record, part, intact)
            if found is not None:
                missing.append(found)
                lost.append(part)
    reason = MissingReason.GONE if agent.is_gone else MissingReason.NOT_COLLECTED
    text = "the service no longer knows this agent" if agent.is_gone else None
    missing += [
        MissingRange(as_datetime(start), as_datetime(end), reason, text)
        for start, end in open_ranges(target, [record.window for record in records])
    ]
    covered = [
        left
        for part in covered_ranges(target, [record.window for record in records])
        for left in subtract(part, lost)
    ]
    return AgentReport(
        agent.agent_id,
        agent.host_name,
        _time_range(target),
        tuple(map(_time_range, covered)),
        tuple(sorted(missing, key=lambda missing: missing.start)),
        files,
    )


def _what_is_missing(
    record: Record, part: Range, intact: Mapping[int, bool | None]
) -> MissingRange | None:
    """Say why the range of a window is missing; None if it is not."""
    message = record.message
    match record.state:
        case State.FAILED:
            reason = MissingReason.FAILED
        case State.TRUNCATED:
            reason = MissingReason.TRUNCATED
            if record.file is not None:
                message = f"what there is of it is in {record.file.path}"
        case State.DONE if record.id in intact:
            if intact[record.id]:
                return None
            unchanged = intact[record.id]
            reason = MissingReason.FILE_MISSING if unchanged is None else MissingReason.FILE_CHANGED
            message = None if record.file is None else record.file.path
        case State.DONE | State.EMPTY:
            return None
        case _:
            reason = MissingReason.NOT_COLLECTED
            if record.state is State.RUNNING and message is None:
                message = f"export {record.export_id} has not been downloaded yet"
    return MissingRange(as_datetime(part.start), as_datetime(part.end), reason, message)


def _problem(kind: Kind, records: list[Record], intact: Mapping[int, bool | None]) -> str | None:
    """Say why the newest summary of a kind is missing; None if it is not."""
    done = [record for record in records if record.state is State.DONE]
    newest = records[-1] if records else None
    if newest is not None and newest.state is State.FAILED:
        return f"the latest {kind} FAILED: {newest.message}"
    if not done:
        return f"no {kind} has been collected yet"
    if not intact.get(done[-1].id):
        return f"the latest {kind} is not what was downloaded"
    if done[-1].message is not None:
        return f"the latest {kind} is {done[-1].message}"
    return None


def _files(
    directory: Path, records: Iterable[Record], intact: Mapping[int, bool | None]
) -> tuple[CollectedFile, ...]:
    return tuple(
        CollectedFile(
            directory / file.path,
            file.size,
            file.sha256,
            record.export_id or "",
            bool(intact.get(record.id)),
            None if record.actual is None else _time_range(record.actual),
        )
        for record, file in _stored(records)
    )


def _stored(records: Iterable[Record]) -> Iterator[tuple[Record, StoredFile]]:
    for record in sorted(records, key=lambda record: (record.window.start, record.id)):
        if record.file is not None:
            yield record, record.file


def _clip(target: Range, part: Range) -> list[Range]:
    start, end = max(target.start, part.start), min(target.end, part.end)
    return [Range(start, end)] if start < end else []


def _time_range(part: Range) -> TimeRange:
    return TimeRange(as_datetime(part.start), as_datetime(part.end))


def as_datetime(seconds: int) -> datetime:
    """Return seconds since the epoch as a time in UTC."""
    return _EPOCH + timedelta(seconds=seconds)
