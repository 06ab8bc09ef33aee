"""The service itself: its state and its operations, in plain Python.

It knows no HTTP, starts no threads and takes the time from a clock that it is given, so it runs
on a virtual one as well::

    service = Service(export_duration=60, clock=lambda: now)
    service.call("StartExportTask", {})
"""

import hashlib
import json
import math
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import EllipsisType
from typing import Any

from aiodiscovery.emulator import _data, _filters

from ._archive import Archive, build_archive
from ._data import Item
from ._errors import DroppedConnection, ServiceError, invalid_value
from ._faults import (
    CorruptDownload,
    DownloadFailure,
    Drop,
    EmptyPage,
    Error,
    ExtraItems,
    FailedDownload,
    Failure,
    Fault,
    Faults,
    NoRanges,
    TokenCycle,
    WrongLength,
)
from ._links import LinkError, Links
from ._model import input_shape, operation_names, read
from ._tasks import BatchDeletes, Imports
from ._tokens import Cursor, Tokens

__all__ = ["DOWNLOAD", "OPERATIONS", "Download", "DroppedConnection", "Service", "ServiceError"]

OPERATIONS = frozenset(
    {
        "DescribeAgents",
        "DescribeBatchDeleteConfigurationTask",
        "DescribeContinuousExports",
        "DescribeExportConfigurations",
        "DescribeExportTasks",
        "DescribeImportTasks",
        "DescribeTags",
        "ListConfigurations",
        "StartBatchDeleteConfigurationTask",
        "StartExportTask",
        "StartImportTask",
    }
)

#: What S3 calls a download. Faults that fall on all operations fall on it if they are of its kinds.
DOWNLOAD = "GetObject"

_MAX_RESULTS = 100
_MAX_IDS = 100
_MAX_RUNNING_AGENT_EXPORTS = 5
_MAX_RANGE = 72 * 3600.0
_DAY = 24 * 3600.0

_MESSAGES = {
    "IN_PROGRESS": "The export is in progress.",
    "SUCCEEDED": "The export succeeded.",
    "FAILED": "The export failed.",
}

# What a page is made from: given a position, the items from there on with their positions.
_Rows = Callable[[int], Iterator[tuple[int, Item]]]


@dataclass(slots=True)
class _Export:
    """An export. Its status is a function of the time: it runs, and then it is what it became."""

    export_id: str
    requested: float
    visible: float
    ends: float | None
    outcome: str
    message: str
    truncated: bool
    agent_id: str | None
    start: float | None
    end: float | None
    archive_version: int = 0

    def running(self, now: float) -> bool:
        return self.ends is None or now < self.ends

    def status(self, now: float) -> str:
        return "IN_PROGRESS" if self.running(now) else self.outcome


@dataclass(frozen=True, slots=True)
class _Plan:
    duration: float | None
    fail_with: str | None
    truncated: bool


@dataclass(frozen=True, slots=True)
class Download:
    """How a download is to be answered."""

    archive: Archive
    has_ranges: bool
    #: How many bytes too long, or too short, the length is that is announced.
    length_error: int
    #: The first of the faults that keep a download from its end.
    failure: DownloadFailure | None


class Service:
    """An Application Discovery Service.

    :param seed: what the data is made from
    :param exports: how many exports there are from the beginning, all of them over
    :param agents: how many agents there are
    :param import_tasks: how many import tasks there are from the beginning, all of them over
    :param continuous_exports: how many continuous exports there are
    :param tags: how many tags there are
    :param configurations: how many configuration items there are of each type
    :param export_duration: seconds that a started export or task takes; None: until it is told to
        end
    :param visibility_delay: seconds that a started one is missing from the describe calls
    :param url_lifetime: seconds for which a download URL works, rounded up to whole ones
    :param exports_per_day: how many exports can be started in 24 hours; None: any number
    :param archive_size: how many bytes an archive has at least
    :param clock: gives the time in seconds since the epoch; must not go back
    :raises ValueError: for a negative number
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        exports: int = 25,
        agents: int = 10,
        import_tasks: int = 5,
        continuous_exports: int = 2,
        tags: int = 20,
        configurations: int = 50,
        export_duration: float | None = 5.0,
        visibility_delay: float = 0.0,
        url_lifetime: float = 3600.0,
        exports_per_day: int | None = None,
        archive_size: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _not_negative(
            exports=exports,
            agents=agents,
            import_tasks=import_tasks,
            continuous_exports=continuous_exports,
            tags=tags,
            configurations=configurations,
            export_duration=export_duration,
            visibility_delay=visibility_delay,
            url_lifetime=url_lifetime,
            exports_per_day=exports_per_day,
            archive_size=archive_size,
        )
        key = hashlib.sha256(f"aiodiscovery.emulator {seed}".encode()).digest()
        self.faults = Faults()
        self.links = Links(key, math.ceil(url_lifetime))
        self._clock = clock
        self._export_duration = export_duration
        self._visibility_delay = visibility_delay
        self._exports_per_day = exports_per_day
        self._archive_size = archive_size
        self._tokens = Tokens(key)

        self._agents = _data.agents(seed, agents)
        self._agent_ids = {item["agentId"] for item in self._agents}
        self._imports = Imports(seed, _data.import_tasks(seed, import_tasks))
        self._continuous_exports = _data.continuous_exports(seed, continuous_exports)
        self._tags = _data.tags(seed, tags)
        self._configurations = _data.configurations(seed, configurations)
        self._batch_deletes = BatchDeletes(
            seed, (item["server.configurationId"] for item in self._configurations["SERVER"])
        )

        self._new_ids = _data.export_ids(seed)
        self._exports: list[_Export] = []
        self._export_index: dict[str, int] = {}
        self._agent_exports: list[_Export] = []
        self._plans: deque[_Plan] = deque()
        # When exports were started with StartExportTask, oldest first: what a day's limit counts.
        self._started: deque[float] = deque()
        for item in _data.exports(seed, exports, [agent["agentId"] for agent in self._agents]):
            self._append(
                requested=item.requested,
                # Visible and over whatever the clock says: a virtual one may begin at 0.
                visible=-math.inf,
                ends=-math.inf,
                outcome="FAILED" if item.failed else "SUCCEEDED",
                message=_MESSAGES["FAILED" if item.failed else "SUCCEEDED"],
                truncated=item.truncated,
                agent_id=item.agent_id,
                start=item.start,
                end=item.end,
            )

        self._operations: dict[str, Callable[[Mapping[str, Any]], Item]] = {
            "DescribeAgents": self._describe_agents,
            "DescribeBatchDeleteConfigurationTask": self._describe_batch_delete,
            "DescribeContinuousExports": self._describe_continuous_exports,
            "DescribeExportConfigurations": self._describe_export_configurations,
            "DescribeExportTasks": self._describe_export_tasks,
            "DescribeImportTasks": self._describe_import_tasks,
            "DescribeTags": self._describe_tags,
            "ListConfigurations": self._list_configurations,
            "StartBatchDeleteConfigurationTask": self._start_batch_delete,
            "StartExportTask": self._start_export_task,
            "StartImportTask": self._start_import_task,
        }

    # What a client does.

    def call(self, operation: str, parameters: object) -> Item:
        """Carry out an operation.

        :param operation: its name, such as ``DescribeExportTasks``
        :param parameters: its parameters as JSON has them, timestamps as seconds since the epoch
        :return: its answer in the same form
        :raises ServiceError: for whatever the service answers with an error, or was told to
        :raises DroppedConnection: where :meth:`faults` say that there is no answer
        """
        if operation not in self._operations:
            raise _unknown_operation(operation)
        match self.faults.take(Failure, operation):
            case Error(code=code, message=message, status=status):
                raise ServiceError(code, message, status)
            case Drop():
                raise DroppedConnection
            case _:
                pass
        return self._operations[operation](read(input_shape(operation), parameters))

    def download(self, path: str, query: Mapping[str, str]) -> Download:
        """Return what a download URL leads to.

        :param path: the path of the URL
        :param query: the parameters of the URL
        :raises LinkError: where it leads nowhere, has expired or was changed, or was told to
        """
        export_id = self.links.export_id(path)
        index = self._export_index.get(export_id)
        if index is None or self._exports[index].status(self._clock()) != "SUCCEEDED":
            raise LinkError("NoSuchKey", "The specified key does not exist.", 404)
        self.links.check(path, query, self._clock())
        failure = self.faults.take(DownloadFailure, DOWNLOAD)
        if isinstance(failure, FailedDownload):
            raise LinkError(failure.code, failure.message, failure.status)
        archive = self.archive(export_id)
        if self.faults.take(CorruptDownload, DOWNLOAD):
            archive = archive.corrupted()
        wrong_length = self.faults.take(WrongLength, DOWNLOAD)
        return Download(
            archive=archive,
            has_ranges=self.faults.take(NoRanges, DOWNLOAD) is None,
            length_error=0 if wrong_length is None else wrong_length.difference,
            failure=failure,
        )

    def archive(self, export_id: str) -> Archive:
        """Return the archive of an export.

        :raises ValueError: where there is no such export
        """
        export = self._export(export_id)
        return build_archive(
            export_id, export.agent_id, size=self._archive_size, version=export.archive_version
        )

    # What a test does.

    def inject(self, fault: Fault) -> None:
        """Let something go wrong.

        :raises ValueError: for fewer than one call, or an operation that the emulator has not
        """
        if fault.calls is not None and fault.calls < 1:
            raise ValueError(f"calls must be at least 1 or None, not {fault.calls}")
        if fault.operation is not None and fault.operation not in OPERATIONS:
            raise ValueError(
                f"operation must be one of {', '.join(sorted(OPERATIONS))}, not {fault.operation!r}"
            )
        self.faults.add(fault)

    def export_ids(self) -> tuple[str, ...]:
        """Return the ids of all exports in listing order, those not visible yet too."""
        return tuple(self._export_index)

    def add_export(
        self,
        *,
        status: str = "IN_PROGRESS",
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        message: str | None = None,
        truncated: bool = False,
        agent_id: str | None = None,
        start_time: float | None = None,
        end_time: float | None = None,
        visibility_delay: float = 0.0,
    ) -> str:
        """Add an export; see :meth:`Emulator.add_export`."""
        _not_negative(visibility_delay=visibility_delay)
        now, _, ends = self._times(duration)
        if status == "IN_PROGRESS":
            outcome, message = _outcome(fail_with)
        else:
            ends, outcome = now, status
            message = _MESSAGES.get(status, "") if message is None else message
        return self._append(
            requested=now,
            visible=now + visibility_delay,
            ends=ends,
            outcome=outcome,
            message=message,
            truncated=truncated,
            agent_id=agent_id,
            start=start_time,
            end=end_time,
        )

    def plan_export(
        self,
        *,
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        truncated: bool = False,
    ) -> None:
        """Say how the next export goes; see :meth:`Emulator.plan_export`."""
        self._plans.append(_Plan(self._duration(duration), fail_with, truncated))

    def set_export_status(
        self, export_id: str, status: str, message: str | None = None, *, truncated: bool = False
    ) -> None:
        """Give an export a status from now on; see :meth:`Emulator.set_export_status`."""
        export = self._export(export_id)
        if status == "IN_PROGRESS":
            export.ends = None
            export.outcome, export.message = _outcome(None)
            return
        export.ends = -math.inf
        export.outcome = status
        export.message = _MESSAGES.get(status, "") if message is None else message
        export.truncated = truncated

    def replace_archive(self, export_id: str) -> None:
        """Give an export another archive; see :meth:`Emulator.replace_archive`."""
        self._export(export_id).archive_version += 1

    def _export(self, export_id: str) -> _Export:
        if export_id not in self._export_index:
            raise ValueError(f"there is no export {export_id!r}")
        return self._exports[self._export_index[export_id]]

    def _append(
        self,
        *,
        requested: float,
        visible: float,
        ends: float | None,
        outcome: str,
        message: str,
        truncated: bool,
        agent_id: str | None,
        start: float | None,
        end: float | None,
    ) -> str:
        export_id = next(self._new_ids)
        # Exports become visible in their order: otherwise one could turn up behind a listing's
        # back, and the listing would have lost it.
        if self._exports:
            visible = max(visible, self._exports[-1].visible)
        export = _Export(
            export_id, requested, visible, ends, outcome, message, truncated, agent_id, start, end
        )
        self._export_index[export_id] = len(self._exports)
        self._exports.append(export)
        if agent_id is not None:
            self._agent_exports.append(export)
        return export_id

    def add_import_task(self, *, duration: float | EllipsisType | None, outcome: str) -> str:
        """Add an import task; see :meth:`Emulator.add_import_task`."""
        now, _, ends = self._times(duration)
        task = self._imports.start(
            name="added",
            url="s3://discovery-imports/added.csv",
            token=None,
            now=now,
            visible=now,
            ends=ends,
            outcome=outcome,
        )
        return str(task["importTaskId"])

    def add_batch_delete_task(self, *, duration: float | EllipsisType | None, outcome: str) -> str:
        """Add a batch-delete task; see :meth:`Emulator.add_batch_delete_task`."""
        now, _, ends = self._times(duration)
        return self._batch_deletes.start([], now=now, visible=now, ends=ends, outcome=outcome)

    def set_task_status(self, task_id: str, status: str) -> None:
        """Give a task a status from now on; see :meth:`Emulator.set_task_status`."""
        now = self._clock()
        imported, deleted = self._imports.find(task_id), self._batch_deletes.find(task_id)
        if imported is not None:
            imported.set_status(status, Imports.PHASES, now)
        elif deleted is not None:
            deleted.set_status(status, BatchDeletes.PHASES, now)
        else:
            raise ValueError(f"there is no task {task_id!r}")

    def _times(
        self, duration: float | EllipsisType | None = ...
    ) -> tuple[float, float, float | None]:
        """Return when a task starts, becomes visible and ends."""
        duration = self._duration(duration)
        now = self._clock()
        return now, now + self._visibility_delay, None if duration is None else now + duration

    def _duration(self, duration: float | EllipsisType | None) -> float | None:
        duration = self._export_duration if duration is ... else duration
        _not_negative(duration=duration)
        return duration

    # The operations.

    def _describe_agents(self, query: Mapping[str, Any]) -> Item:
        passes = _filters.agent_filter(query.get("filters", ()))
        wanted = set(_ids(query, "agentIds"))
        found = [
            item
            for item in self._agents
            if (not wanted or item["agentId"] in wanted) and passes(item)
        ]
        return self._page("DescribeAgents", "agentsInfo", query, _rows(found))

    def _describe_continuous_exports(self, query: Mapping[str, Any]) -> Item:
        wanted = set(_ids(query, "exportIds"))
        found = [
            item for item in self._continuous_exports if not wanted or item["exportId"] in wanted
        ]
        missing = wanted.difference(item["exportId"] for item in found)
        if missing:
            raise ServiceError(
                "ResourceNotFoundException",
                f"There are no continuous exports {', '.join(sorted(missing))}.",
            )
        return self._page("DescribeContinuousExports", "descriptions", query, _rows(found))

    def _describe_export_configurations(self, query: Mapping[str, Any]) -> Item:
        return self._describe_exports("DescribeExportConfigurations", query)

    def _describe_export_tasks(self, query: Mapping[str, Any]) -> Item:
        return self._describe_exports("DescribeExportTasks", query)

    def _describe_exports(self, operation: str, query: Mapping[str, Any]) -> Item:
        now = self._clock()
        agent_ids = _filters.agent_ids(query.get("filters", ()))
        export_ids = _ids(query, "exportIds")
        # By their position in the listing, without a look at any other export.
        indexes: Sequence[int] = range(len(self._exports))
        if export_ids:
            index = self._export_index
            indexes = sorted({index[export_id] for export_id in export_ids if export_id in index})

        def rows(position: int) -> Iterator[tuple[int, Item]]:
            for at in range(bisect_left(indexes, position), len(indexes)):
                number = indexes[at]
                export = self._exports[number]
                if export.visible > now:
                    return
                if agent_ids is None or export.agent_id in agent_ids:
                    yield number, self._export_info(export, now)

        return self._page(operation, "exportsInfo", query, rows)

    def _export_info(self, export: _Export, now: float) -> Item:
        status = export.status(now)
        info: Item = {
            "exportId": export.export_id,
            "exportStatus": status,
            "statusMessage": _MESSAGES[status] if export.running(now) else export.message,
            "exportRequestTime": round(export.requested, 3),
        }
        if status == "SUCCEEDED":
            info["configurationsDownloadUrl"] = self.links.url(export.export_id, now)
            info["isTruncated"] = export.truncated
        if export.start is not None:
            info["requestedStartTime"] = export.start
        if export.end is not None:
            info["requestedEndTime"] = export.end
        return info

    def _describe_import_tasks(self, query: Mapping[str, Any]) -> Item:
        passes = _filters.import_task_filter(query.get("filters", ()))
        found = [item for item in self._imports.items(self._clock()) if passes(item)]
        return self._page("DescribeImportTasks", "tasks", query, _rows(found))

    def _describe_tags(self, query: Mapping[str, Any]) -> Item:
        passes = _filters.tag_filter(query.get("filters", ()))
        found = [item for item in self._tags if passes(item)]
        return self._page("DescribeTags", "tags", query, _rows(found))

    def _list_configurations(self, query: Mapping[str, Any]) -> Item:
        kind = query["configurationType"]
        passes = _filters.configuration_filter(kind, query.get("filters", ()))
        items = self._configurations[kind]
        if kind == "SERVER":
            gone = self._batch_deletes.deleted(self._clock())
            items = [item for item in items if item["server.configurationId"] not in gone]
        found = _filters.sort_configurations(
            kind,
            [item for item in items if passes(item)],
            query.get("orderBy", ()),
        )
        return self._page("ListConfigurations", "configurations", query, _rows(found))

    def _start_export_task(self, query: Mapping[str, Any]) -> Item:
        now = self._clock()
        agent_id = self._agent_to_export(query.get("filters", []))
        start: float | None = None
        end: float | None = None
        if agent_id is not None:
            # Without an agent, the service ignores the range.
            start, end = query.get("startTime"), query.get("endTime")
            _check_range(start, end)
        self._check_limits(agent_id, now)
        plan = _Plan(self._export_duration, None, truncated=False)
        if self._plans:
            plan = self._plans.popleft()
        outcome, message = _outcome(plan.fail_with)
        self._started.append(now)
        export_id = self._append(
            requested=now,
            visible=now + self._visibility_delay,
            ends=None if plan.duration is None else now + plan.duration,
            outcome=outcome,
            message=message,
            truncated=plan.truncated,
            agent_id=agent_id,
            start=start,
            end=end,
        )
        return {"exportId": export_id}

    def _start_import_task(self, query: Mapping[str, Any]) -> Item:
        now, visible, ends = self._times()
        task = self._imports.start(
            name=query["name"],
            url=query["importUrl"],
            token=query.get("clientRequestToken"),
            now=now,
            visible=visible,
            ends=ends,
        )
        return {"task": task}

    def _start_batch_delete(self, query: Mapping[str, Any]) -> Item:
        now, visible, ends = self._times()
        ids = query["configurationIds"]
        return {"taskId": self._batch_deletes.start(ids, now=now, visible=visible, ends=ends)}

    def _describe_batch_delete(self, query: Mapping[str, Any]) -> Item:
        task = self._batch_deletes.describe(query["taskId"], self._clock())
        if task is None:
            raise invalid_value(f"There is no batch-delete task {query['taskId']}.")
        return {"task": task}

    def _agent_to_export(self, filters: Sequence[Mapping[str, Any]]) -> str | None:
        _filters.agent_ids(filters)
        values = [value for item in filters for value in item["values"]]
        if len(values) > 1:
            raise invalid_value("Only one agent can be exported at a time.")
        if not values:
            return None
        if values[0] not in self._agent_ids:
            raise invalid_value(f"There is no agent {values[0]}.")
        return str(values[0])

    def _check_limits(self, agent_id: str | None, now: float) -> None:
        while self._started and self._started[0] <= now - _DAY:
            self._started.popleft()
        if self._exports_per_day is not None and len(self._started) >= self._exports_per_day:
            raise ServiceError(
                "OperationNotPermittedException",
                f"No more than {self._exports_per_day} exports can be started in a day.",
            )
        if agent_id is None:
            return
        running = sum(export.running(now) for export in self._agent_exports)
        if running >= _MAX_RUNNING_AGENT_EXPORTS:
            raise ServiceError(
                "OperationNotPermittedException",
                f"No more than {_MAX_RUNNING_AGENT_EXPORTS} exports of agents can run at once.",
            )

    # Paging.

    def _page(self, operation: str, key: str, query: Mapping[str, Any], rows: _Rows) -> Item:
        limit = query.get("maxResults", _MAX_RESULTS)
        if not 1 <= limit <= _MAX_RESULTS:
            raise invalid_value(f"maxResults must be between 1 and {_MAX_RESULTS}, not {limit}.")
        question = _question(operation, query)
        cursor = Cursor()
        if "nextToken" in query:
            cursor = self._tokens.decode(query["nextToken"], question)

        if self.faults.take(EmptyPage, operation):
            again = replace(cursor, empty_pages=cursor.empty_pages + 1)
            return {key: [], "nextToken": self._tokens.encode(again, question)}
        extra = self.faults.take(ExtraItems, operation)
        if extra is not None:
            limit += extra.count
        # One more than the page holds tells whether there is a next one.
        found = list(islice(rows(cursor.position), limit + 1))
        following = Cursor(found[limit][0]) if len(found) > limit else None
        cycle = self.faults.take(TokenCycle, operation)
        if cycle is not None:
            following = _next_in_cycle(cursor, following, cycle.length)

        page: Item = {key: [item for _, item in found[:limit]]}
        if following is not None:
            page["nextToken"] = self._tokens.encode(following, question)
        return page


def _next_in_cycle(cursor: Cursor, following: Cursor | None, length: int) -> Cursor:
    start = cursor.cycle_start if cursor.cycle_pages else cursor.position
    pages = cursor.cycle_pages + 1
    if following is None or pages >= length:
        return Cursor(start)
    return replace(following, cycle_start=start, cycle_pages=pages)


def _question(operation: str, query: Mapping[str, Any]) -> str:
    """Write down what is asked, apart from how many and where from."""
    asked = {name: value for name, value in query.items() if name not in _PAGING}
    return json.dumps([operation, asked], sort_keys=True)


_PAGING = frozenset({"maxResults", "nextToken"})


def _rows(items: Sequence[Item]) -> _Rows:
    def rows(position: int) -> Iterator[tuple[int, Item]]:
        # A copy: the answer belongs to the caller, who may change it.
        return ((number, dict(items[number])) for number in range(position, len(items)))

    return rows


def _ids(query: Mapping[str, Any], name: str) -> list[str]:
    ids: list[str] = query.get(name, [])
    if len(ids) > _MAX_IDS:
        raise invalid_value(f"{name} must have no more than {_MAX_IDS} ids, not {len(ids)}.")
    return ids


def _check_range(start: float | None, end: float | None) -> None:
    if start is None or end is None:
        return
    if end < start:
        raise invalid_value("endTime must not be before startTime.")
    if end - start > _MAX_RANGE:
        raise invalid_value("The range from startTime to endTime must not be over 72 hours.")


def _outcome(fail_with: str | None) -> tuple[str, str]:
    if fail_with is None:
        return "SUCCEEDED", _MESSAGES["SUCCEEDED"]
    return "FAILED", fail_with


def _not_negative(**numbers: float | None) -> None:
    for name, number in numbers.items():
        # Written so that NaN is refused too.
        if number is not None and not number >= 0:
            raise ValueError(f"{name} must not be negative, but is {number}")


def _unknown_operation(operation: str) -> ServiceError:
    message = f"There is no operation {operation}."
    if operation in operation_names():
        message = f"The service has the operation {operation}, but this emulator does not."
    return ServiceError("UnknownOperationException", message)
