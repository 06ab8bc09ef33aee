"""What a collection knows while it runs, and what it starts next: decisions, with no I/O."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .plan import UNSETTLED, Kind, Range, State, covered_ranges, next_range, subtract
from .records import Agent, Record

__all__ = ["Book", "Start", "Totals"]

#: How old a summary may be before another one is taken, in seconds.
SUMMARY_AGE = 24 * 3600.0


class Start(NamedTuple):
    """A window to start: a new one, or one that was planned before."""

    kind: Kind
    agent_id: str | None
    range: Range
    again: Record | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """How far a collection has got, in agents and in seconds of their data."""

    agents: int
    agents_done: int
    seconds: int
    seconds_covered: int
    #: What cannot be obtained.
    seconds_missing: int


class Book:
    """The windows of all agents, as the ledger has them.

    :param summaries: the kinds of summaries that are taken.
    """

    def __init__(
        self, agents: Mapping[str, Agent], records: Iterable[Record], summaries: Collection[Kind]
    ) -> None:
        self._agents = {
            agent.agent_id: agent
            for agent in agents.values()
            if agent.is_wanted and not agent.is_connector and agent.target is not None
        }
        self._summaries = summaries
        #: The kinds that this collection has already asked for.
        self._asked_for: set[Kind] = set()
        self._records: dict[int, Record] = {}
        self._of_agent: dict[str | None, dict[int, Record]] = {}
        #: The ranges that any window has or had. They tell one export from another.
        self._taken: set[Range] = set()
        #: The windows whose exports have ended, and whose archives are being downloaded.
        self._coming: set[int] = set()
        #: The windows that this collection cannot get for now.
        self._given_up: set[int] = set()
        #: The time before which a window or an agent must not be started.
        self._not_before: dict[int | str | None, float] = {}
        self._counted: dict[str, tuple[int, int, bool]] = {}
        for record in records:
            self.put(record)
        self._asked_for.clear()

    def put(self, record: Record) -> None:
        """Take in what the ledger now has of a window."""
        if record.agent_id is None and record.id not in self._records:
            self._asked_for.add(record.kind)
        self._records[record.id] = record
        self._of_agent.setdefault(record.agent_id, {})[record.id] = record
        if record.agent_id is not None:
            self._taken.add(record.window.range)
            self._counted.pop(record.agent_id, None)
        if record.state is not State.RUNNING:
            self._coming.discard(record.id)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records.values()))

    def note_coming(self, record: Record) -> None:
        """Note that the export of a window has ended, so that it no longer takes up a place."""
        self._coming.add(record.id)

    def give_up(self, record: Record) -> None:
        """Note that this collection will not get the archive of a window."""
        self._given_up.add(record.id)
        self._coming.discard(record.id)
        if record.agent_id is not None:
            self._counted.pop(record.agent_id, None)

    def postpone(self, key: int | str | None, until: float) -> None:
        """Do not start a window (by its number) or an agent before a time."""
        self._not_before[key] = until

    # What runs

    def running(self) -> list[Record]:
        """Return the windows that take up a place, because their exports run or may run."""
        return [
            record
            for record in self._records.values()
            if record.state in (State.INTENDED, State.RUNNING)
            and record.id not in self._coming
            and record.id not in self._given_up
        ]

    def is_finished(self) -> bool:
        """Say whether nothing runs, nothing is being downloaded and nothing is to be started."""
        unsettled = any(
            record.state in UNSETTLED
            and record.id not in self._given_up
            and (record.state is not State.PLANNED or self._may_be_started(record))
            for record in self._records.values()
        )
        return not unsettled and next(self._open_agents(), None) is None

    def totals(self) -> Totals:
        """Count what there is of everything that is wanted."""
        counted = [self._count(agent) for agent in self._agents.values()]
        return Totals(
            agents=len(counted),
            agents_done=sum(is_done for *_, is_done in counted),
            seconds=sum(
                agent.target.length for agent in self._agents.values() if agent.target is not None
            ),
            seconds_covered=sum(covered for covered, *_ in counted),
            seconds_missing=sum(missing for _, missing, _ in counted),
        )

    def _count(self, agent: Agent) -> tuple[int, int, bool]:
        """Return what is covered and given up of an agent, and whether nothing else is open."""
        counted = self._counted.get(agent.agent_id)
        if counted is None:
            assert agent.target is not None  # noqa: S101  # others are left out
            records = self._of_agent.get(agent.agent_id, {}).values()
            covered = covered_ranges(agent.target, [record.window for record in records])
            left = subtract(agent.target, covered)
            pending = subtract(
                agent.target,
                [
                    *covered,
                    *(
                        record.window.range
                        for record in records
                        if record.state in (State.FAILED, State.TRUNCATED)
                        or record.id in self._given_up
                    ),
                ],
            )
            missing = sum(part.length for part in left) - sum(part.length for part in pending)
            done = sum(part.length for part in covered)
            counted = self._counted[agent.agent_id] = (done, missing, not pending or agent.is_gone)
        return counted

    # What comes next

    def next_start(self, now: float, wall_clock: float) -> Start | None:
        """Return what to start now, or None.

        A window that is to be tried again comes first. Next comes the agent with the fewest windows
        under way, and one that was begun before one that was not. So the windows of an agent follow
        each other, unless there are fewer agents than places. The summary comes last.

        :param now: the time that :meth:`postpone` counts in.
        :param wall_clock: the time in seconds since the epoch, for the age of a summary.
        """
        for record in self._records.values():
            if (
                record.state is State.PLANNED
                and self._may_be_started(record)
                and self._not_before.get(record.id, now) <= now
            ):
                return Start(record.kind, record.agent_id, record.window.range, record)
        agents = (
            agent
            for agent in self._open_agents()
            if self._not_before.get(agent.agent_id, now) <= now
        )
        agent = min(agents, key=self._precedence, default=None)
        if agent is not None:
            found = self._next_range(agent)
            assert found is not None  # noqa: S101  # it has more to ask for
            return Start(Kind.AGENT, agent.agent_id, found)
        if any(record.state in UNSETTLED for record in self._of_agent.get(None, {}).values()):
            # One at a time, because the service's descriptions do not tell the kinds apart.
            return None
        for kind in self._summaries:
            if self._needs(kind, wall_clock):
                return Start(kind, None, Range(0, 0))
        return None

    def next_time(self, now: float) -> float | None:
        """Return when the postponed windows may be started; None if there are none."""
        return min((time for time in self._not_before.values() if time > now), default=None)

    def _may_be_started(self, record: Record) -> bool:
        if record.agent_id is None:
            return record.kind in self._summaries
        agent = self._agents.get(record.agent_id)
        return agent is not None and not agent.is_gone

    def _open_agents(self) -> Iterator[Agent]:
        """Iterate over the agents that have more to ask for."""
        return (
            agent
            for agent in self._agents.values()
            if not agent.is_gone and self._next_range(agent) is not None
        )

    def _precedence(self, agent: Agent) -> tuple[int, bool]:
        records = self._of_agent.get(agent.agent_id, {}).values()
        under_way = sum(record.state in (State.INTENDED, State.RUNNING) for record in records)
        return under_way, not records

    def _next_range(self, agent: Agent) -> Range | None:
        assert agent.target is not None  # noqa: S101  # others are left out
        windows = [record.window for record in self._of_agent.get(agent.agent_id, {}).values()]
        return next_range(
            agent.target,
            windows,
            is_taken=self._taken.__contains__,
            may_extend=agent.may_extend,
        )

    def targets(self) -> dict[str, int]:
        """Return up to which time the data of agents is wanted, by agent id."""
        return {
            agent.agent_id: agent.target.end
            for agent in self._agents.values()
            if agent.target is not None
        }

    def _needs(self, kind: Kind, wall_clock: float) -> bool:
        """Say whether a summary of a kind is to be taken.

        It is if something was collected that was not wanted yet when the latest one was requested,
        or if the latest one is older than a day. A collection takes at most one.
        """
        if kind in self._asked_for:
            return False
        latest = max(
            (
                record
                for record in self._of_agent.get(None, {}).values()
                if record.kind is kind and record.state in (State.DONE, State.EMPTY)
            ),
            key=lambda record: record.id,
            default=None,
        )
        # A clock that was wrong then or is wrong now shows nothing about its age.
        if latest is None or abs(wall_clock - (latest.requested or 0.0)) > SUMMARY_AGE:
            return True
        targets = latest.targets or {}
        return any(
            record.window.covered.end > targets.get(agent_id, record.window.covered.start)
            for agent_id in self._agents
            for record in self._of_agent.get(agent_id, {}).values()
            if record.window.covered is not None
        )
