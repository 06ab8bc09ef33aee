"""Exports: how they are started, how their status changes, and how they are described."""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _data, _filters
from ._contents import Contents, ExportKind
from ._data import Item, SeededExport
from ._errors import ServiceError, invalid_value
from ._fleet import Agent, Fleet
from ._pages import Pages, ids
from ._quirks import Quirks
from ._timing import Timing

__all__ = ["Export", "ExportPlan", "Exports", "Outcome"]

_MAX_RUNNING_AGENT_EXPORTS = 5
_MAX_RANGE = 72 * 3600.0
_DAY = 24 * 3600.0

_MESSAGES = {
    "IN_PROGRESS": "The export is in progress.",
    "SUCCEEDED": "The export succeeded.",
    "FAILED": "The export failed.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an export ends.

    :param message: its status message; None: the usual one, or an empty one for a status that the
        service does not know
    """

    status: str = "SUCCEEDED"
    message: str | None = None

    @classmethod
    def planned(cls, fail_with: str | None) -> "Outcome":
        """Return an outcome: FAILED with a message, or SUCCEEDED without one."""
        return cls() if fail_with is None else cls("FAILED", fail_with)

    @property
    def text(self) -> str:
        """The status message."""
        return _MESSAGES.get(self.status, "") if self.message is None else self.message


@dataclass(slots=True, kw_only=True)
class Export:
    """An export. Its status depends only on the time: first it runs, then it has its outcome."""

    export_id: str
    requested: float
    visible: float
    ends: float | None
    outcome: Outcome
    truncated: bool = False
    start: float | None = None
    end: float | None = None
    kind: ExportKind = "summary"
    agent: Agent | None = None
    quirks: Quirks = field(default_factory=Quirks)
    gone: frozenset[str] = frozenset()
    archive_version: int = 0

    @property
    def agent_id(self) -> str | None:
        """The id of the agent whose data is exported; None for all servers."""
        return None if self.agent is None else self.agent.agent_id

    @property
    def contents(self) -> Contents:
        """What is in its archive."""
        seconds = range(0)
        if self.agent is not None:
            seconds = _seconds(self.start, self.end, self.agent.life)
        return Contents(
            kind=self.kind,
            # The same range of the same agent always has the same contents.
            edition=self.export_id if self.agent is None else "",
            version=self.archive_version,
            agent=self.agent,
            requested=(self.start, self.end),
            seconds=seconds,
            cut=self.truncated,
            gone=self.gone,
            quirks=self.quirks,
        )

    def running(self, now: float) -> bool:
        """Say whether it still runs."""
        return self.ends is None or now < self.ends

    def status(self, now: float) -> str:
        """Return the status that it has."""
        return "IN_PROGRESS" if self.running(now) else self.outcome.status

    def message(self, now: float) -> str:
        """Return the status message that it has."""
        return _MESSAGES["IN_PROGRESS"] if self.running(now) else self.outcome.text

    def end_as(self, outcome: Outcome, *, truncated: bool) -> None:
        """End it now, or let it run until it is ended again."""
        if outcome.status == "IN_PROGRESS":
            self.ends, self.outcome = None, Outcome()
        else:
            self.ends, self.outcome, self.truncated = -math.inf, outcome, truncated


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The course of the next export that StartExportTask starts."""

    duration: float | None
    outcome: Outcome = Outcome()
    truncated: bool = False
    quirks: Quirks | None = None


class Exports:
    """All exports, and the operations on them.

    :param url: makes the download URL of an export, given its id and the time
    :param is_truncated: says whether contents are incomplete
    :param deleted: returns the ids of the servers that were deleted
    :param seed: the source of the ids
    :param per_day: how many can be started in 24 hours; None: any number
    :param refuse_repeats: whether an agent's range that was exported is not exported again
    :param quirks: the quirks of the archives
    """

    def __init__(
        self,
        pages: Pages,
        timing: Timing,
        fleet: Fleet,
        *,
        url: Callable[[str, float], str],
        is_truncated: Callable[[Contents], bool],
        deleted: Callable[[], set[str]],
        seed: int,
        per_day: int | None,
        refuse_repeats: bool,
        quirks: Quirks,
    ) -> None:
        self._pages = pages
        self._timing = timing
        self._fleet = fleet
        self._url = url
        self._is_truncated = is_truncated
        self._deleted = deleted
        self._per_day = per_day
        self._refuse_repeats = refuse_repeats
        self._quirks = quirks
        self._new_ids = _data.export_ids(seed)
        self._exports: list[Export] = []
        self._index: dict[str, int] = {}
        self._of_agents: list[Export] = []
        self._plans: deque[ExportPlan] = deque()
        # When StartExportTask started exports, oldest first, for the limit per day.
        self._started: deque[float] = deque()

    # For tests.

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all exports in listing order, including those not visible yet."""
        return tuple(self._index)

    def add_seeded(self, exports: Iterable[SeededExport]) -> None:
        """Add exports that have ended."""
        for item in exports:
            self.add(
                requested=item.requested,
                # Visible and ended at any time: a virtual clock may begin at 0.
                visible=-math.inf,
                ends=-math.inf,
                outcome=Outcome("FAILED" if item.failed else "SUCCEEDED"),
                truncated=item.truncated,
                agent_id=item.agent_id,
                start=item.start,
                end=item.end,
            )

    def add(
        self,
        *,
        visible: float,
        agent_id: str | None = None,
        kind: ExportKind = "summary",
        quirks: Quirks | None = None,
        **values: Any,
    ) -> str:
        """Add an export at the end of the listing.

        :param agent_id: the agent whose data is exported, listed or not
        :param kind: what is exported without an agent
        :param quirks: the quirks of its archive; None: the usual ones
        :param values: further arguments of :class:`Export`
        :return: its id
        """
        export_id = next(self._new_ids)
        # Exports become visible in their order. Otherwise one could appear behind the position of
        # a listing, and the listing would miss it.
        if self._exports:
            visible = max(visible, self._exports[-1].visible)
        export = Export(
            export_id=export_id,
            visible=visible,
            agent=None if agent_id is None else self._fleet.get_or_make(agent_id),
            kind=kind if agent_id is None else "agent",
            quirks=quirks or self._quirks,
            gone=frozenset(self._deleted()),
            **values,
        )
        self._index[export_id] = len(self._exports)
        self._exports.append(export)
        if agent_id is not None:
            self._of_agents.append(export)
        return export_id

    def plan(self, plan: ExportPlan) -> None:
        """Set the course of the next export. Plans queue."""
        self._plans.append(plan)

    def find(self, export_id: str) -> Export | None:
        """Return an export, visible or not."""
        index = self._index.get(export_id)
        return None if index is None else self._exports[index]

    def get(self, export_id: str) -> Export:
        """Return an export, visible or not.

        :raises ValueError: if there is none
        """
        export = self.find(export_id)
        if export is None:
            raise ValueError(f"there is no export {export_id!r}")
        return export

    # For clients.

    def describe_export_configurations(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeExportConfigurations."""
        return self._describe("DescribeExportConfigurations", query)

    def describe_export_tasks(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeExportTasks."""
        return self._describe("DescribeExportTasks", query)

    def _describe(self, operation: str, query: Mapping[str, Any]) -> Item:
        now = self._timing.clock()
        agent_ids = _filters.agent_ids(query.get("filters", ()))
        export_ids = ids(query, "exportIds")
        # Found by their position in the listing, without a look at any other export.
        indexes: Sequence[int] = range(len(self._exports))
        if export_ids:
            index = self._index
            indexes = sorted({index[export_id] for export_id in export_ids if export_id in index})

        def rows(position: int) -> Iterator[tuple[int, Item]]:
            for at in range(bisect_left(indexes, position), len(indexes)):
                number = indexes[at]
                export = self._exports[number]
                if export.visible > now:
                    return
                if agent_ids is None or export.agent_id in agent_ids:
                    yield number, self._info(export, now)

        return self._pages.page(operation, "exportsInfo", query, rows)

    def _info(self, export: Export, now: float) -> Item:
        status = export.status(now)
        info: Item = {
            "exportId": export.export_id,
            "exportStatus": status,
            "statusMessage": export.message(now),
            "exportRequestTime": round(export.requested, 3),
        }
        if status == "SUCCEEDED":
            info["configurationsDownloadUrl"] = self._url(export.export_id, now)
            info["isTruncated"] = self._is_truncated(export.contents)
        if export.start is not None:
            info["requestedStartTime"] = export.start
        if export.end is not None:
            info["requestedEndTime"] = export.end
        return info

    def start_export_task(self, query: Mapping[str, Any]) -> Item:
        """Answer StartExportTask."""
        now, visible, _ = self._timing.times()
        agent_id = self._agent_to_export(query.get("filters", []))
        start: float | None = None
        end: float | None = None
        if agent_id is not None:
            # Without an agent, the service ignores the range.
            start, end = query.get("startTime"), query.get("endTime")
            _check_range(start, end)
        self._check_limits(agent_id, start, end, now)
        plan = self._plans.popleft() if self._plans else ExportPlan(self._timing.duration)
        self._started.append(now)
        export_id = self.add(
            requested=now,
            visible=visible,
            ends=None if plan.duration is None else now + plan.duration,
            outcome=plan.outcome,
            truncated=plan.truncated,
            quirks=plan.quirks,
            agent_id=agent_id,
            kind="recommendations" if _wants_recommendations(query) else "summary",
            start=start,
            end=end,
        )
        return {"exportId": export_id}

    def _agent_to_export(self, filters: Sequence[Mapping[str, Any]]) -> str | None:
        _filters.agent_ids(filters)
        values = [value for item in filters for value in item["values"]]
        if len(values) > 1:
            raise invalid_value("Only one agent can be exported at a time.")
        if not values:
            return None
        agent = self._fleet.find(values[0])
        if agent is None:
            raise invalid_value(f"There is no agent {values[0]}.")
        if agent.is_connector:
            raise invalid_value(f"The agent {values[0]} is a connector, which has no data.")
        return agent.agent_id

    def _check_limits(
        self, agent_id: str | None, start: float | None, end: float | None, now: float
    ) -> None:
        while self._started and self._started[0] <= now - _DAY:
            self._started.popleft()
        if self._per_day is not None and len(self._started) >= self._per_day:
            raise ServiceError(
                "OperationNotPermittedException",
                f"No more than {self._per_day} exports can be started in a day.",
            )
        if agent_id is None:
            return
        for export in self._of_agents if self._refuse_repeats else ():
            asked = (export.agent_id, export.start, export.end)
            if asked == (agent_id, start, end) and export.status(now) == "SUCCEEDED":
                raise ServiceError(
                    "OperationNotPermittedException",
                    f"A successful export is already present Export ID: {export.export_id}",
                )
        running = sum(export.running(now) for export in self._of_agents)
        if running >= _MAX_RUNNING_AGENT_EXPORTS:
            raise ServiceError(
                "OperationNotPermittedException",
                "You have reached limit of maximum allowed concurrent exports. Please wait for "
                "current export tasks to finish before starting another.",
            )


def _check_range(start: float | None, end: float | None) -> None:
    if start is None or end is None:
        return
    if end < start:
        raise invalid_value("endTime must not be before startTime.")
    if end - start > _MAX_RANGE:
        raise invalid_value("The range from startTime to endTime must not be over 72 hours.")


def _seconds(start: float | None, end: float | None, life: range) -> range:
    """Return the seconds that an export covers; 72 hours if the end was left open."""
    if start is None:
        end = life.stop if end is None else end
        start = end - _MAX_RANGE
    elif end is None:
        end = start + _MAX_RANGE
    return range(math.ceil(start), math.ceil(end))


def _wants_recommendations(query: Mapping[str, Any]) -> bool:
    preferences = query.get("preferences", {}).get("ec2RecommendationsPreferences", {})
    return bool(preferences.get("enabled"))
