"""Import tasks and batch-delete tasks: they run for a time, and then have their outcome."""

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from . import _data, _filters
from ._data import Item, generator
from ._errors import invalid_value
from ._pages import Pages, rows
from ._timing import Timing

__all__ = ["BatchDeletes", "Imports", "Task", "Tasks"]


@dataclass(slots=True)
class Task:
    """A task. Its status depends only on the time."""

    item: Item
    started: float
    visible: float
    ends: float | None
    outcome: str

    def running(self, now: float) -> bool:
        """Say whether it still runs."""
        return self.ends is None or now < self.ends

    def set_status(self, status: str, phases: Sequence[str], now: float) -> None:
        """Give it a status from now on: one of those in which it runs, or an outcome."""
        if status in phases:
            self.ends = None
            self.item["status"] = status
        else:
            # Never before its start. With a virtual clock that begins at 0, its end would be.
            self.ends, self.outcome = max(now, self.started), status


class Imports:
    """The import tasks.

    :param seed: the source of the data
    :param seeded: the tasks that had ended before the emulator was started
    """

    #: The statuses of a running task.
    PHASES = ("IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS")

    def __init__(self, seed: int, seeded: Iterable[Item]) -> None:
        self._rng = generator(seed, "new imports")
        self._tasks = {
            item["importTaskId"]: Task(item, -math.inf, -math.inf, -math.inf, item["status"])
            for item in seeded
        }

    def start(
        self,
        *,
        name: str,
        url: str,
        token: str | None,
        now: float,
        visible: float,
        ends: float | None,
        outcome: str = "IMPORT_COMPLETE",
    ) -> Item:
        """Start a task, unless one was already started with the same token."""
        for task in self._tasks.values():
            if token is not None and task.item["clientRequestToken"] == token:
                return self._describe(task, now)
        drawn = [self._rng.getrandbits(128) for _ in range(2)]
        item: Item = {
            "importTaskId": f"import-task-{drawn[0]:032x}",
            "clientRequestToken": token or str(uuid.UUID(int=drawn[1], version=4)),
            "name": name,
            "importUrl": url,
            "status": "IMPORT_IN_PROGRESS",
            "importRequestTime": round(now, 3),
            "fileClassification": "IMPORT_TEMPLATE",
        }
        if self._tasks:
            # Tasks become visible in their order, so that no listing misses one.
            visible = max(visible, next(reversed(self._tasks.values())).visible)
        task = self._tasks[item["importTaskId"]] = Task(item, now, visible, ends, outcome)
        return self._describe(task, now)

    def find(self, task_id: str) -> Task | None:
        """Return a task, visible or not."""
        return self._tasks.get(task_id)

    def items(self, now: float) -> Iterator[Item]:
        """Describe the tasks that are visible, in listing order."""
        return (self._describe(task, now) for task in self._tasks.values() if task.visible <= now)

    @staticmethod
    def _describe(task: Task, now: float) -> Item:
        item = dict(task.item)
        if task.running(now) or task.outcome == item["status"]:
            return item
        imported = 100 if task.outcome.startswith("IMPORT_COMPLETE") else 0
        return item | {
            "status": task.outcome,
            "importCompletionTime": round(task.ends or now, 3),
            "serverImportSuccess": imported,
            "serverImportFailure": 0 if task.outcome == "IMPORT_COMPLETE" else 3,
            "applicationImportSuccess": imported // 10,
            "applicationImportFailure": 0,
        }


class BatchDeletes:
    """The batch-delete tasks.

    :param seed: the source of the data
    :param known: the ids of the servers that exist at the beginning
    """

    #: The statuses of a running task, in order.
    PHASES = ("INITIALIZING", "VALIDATING", "DELETING")

    def __init__(self, seed: int, known: Iterable[str]) -> None:
        self._rng = generator(seed, "batch deletes")
        self._known = frozenset(known)
        self._tasks: dict[str, Task] = {}

    def start(
        self,
        configuration_ids: Sequence[str],
        *,
        now: float,
        visible: float,
        ends: float | None,
        outcome: str = "COMPLETED",
    ) -> str:
        """Start a task and return its id."""
        task_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        item: Item = {
            "taskId": task_id,
            "status": self.PHASES[0],
            "startTime": round(now, 3),
            "configurationType": "SERVER",
            "requestedConfigurations": list(configuration_ids),
            "deletedConfigurations": [],
            "failedConfigurations": [],
            "deletionWarnings": [],
        }
        self._tasks[task_id] = Task(item, now, visible, ends, outcome)
        return task_id

    def find(self, task_id: str) -> Task | None:
        """Return a task, visible or not."""
        return self._tasks.get(task_id)

    def describe(self, task_id: str, now: float) -> Item | None:
        """Describe a task; None if it does not exist or is not visible."""
        task = self._tasks.get(task_id)
        if task is None or task.visible > now:
            return None
        item = dict(task.item)
        if task.running(now):
            if task.ends is not None:
                part = (now - task.started) / (task.ends - task.started)
                item["status"] = self.PHASES[int(part * len(self.PHASES))]
            return item
        item |= {"status": task.outcome, "endTime": round(task.ends or now, 3)}
        if task.outcome == "COMPLETED":
            requested = item["requestedConfigurations"]
            item["deletedConfigurations"] = [
                server_id for server_id in requested if server_id in self._known
            ]
            item["failedConfigurations"] = [
                {
                    "configurationId": server_id,
                    "errorStatusCode": 404,
                    "errorMessage": "There is no such server.",
                }
                for server_id in requested
                if server_id not in self._known
            ]
        return item

    def deleted(self, now: float) -> set[str]:
        """Return the ids of the servers that have been deleted by now."""
        return {
            server_id
            for task in self._tasks.values()
            if not task.running(now) and task.outcome == "COMPLETED"
            for server_id in task.item["requestedConfigurations"]
        }


class Tasks:
    """All tasks, and the operations on them.

    :param seed: the source of the data
    :param imports: how many import tasks exist from the beginning; all of them have ended
    :param server_ids: the ids of the servers that exist at the beginning
    """

    def __init__(
        self, pages: Pages, timing: Timing, *, seed: int, imports: int, server_ids: Iterable[str]
    ) -> None:
        self._pages = pages
        self._timing = timing
        self._imports = Imports(seed, _data.import_tasks(seed, imports))
        self._batch_deletes = BatchDeletes(seed, server_ids)

    # For tests.

    def add_import(self, duration: float | EllipsisType | None, outcome: str) -> str:
        """Add an import task, as :meth:`Emulator.add_import_task` does."""
        now, _, ends = self._timing.times(duration)
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

    def add_batch_delete(self, duration: float | EllipsisType | None, outcome: str) -> str:
        """Add a batch-delete task, as :meth:`Emulator.add_batch_delete_task` does."""
        now, _, ends = self._timing.times(duration)
        return self._batch_deletes.start([], now=now, visible=now, ends=ends, outcome=outcome)

    def set_status(self, task_id: str, status: str) -> None:
        """Give a task a status from now on, as :meth:`Emulator.set_task_status` does."""
        now = self._timing.clock()
        imported, deleted = self._imports.find(task_id), self._batch_deletes.find(task_id)
        if imported is not None:
            imported.set_status(status, Imports.PHASES, now)
        elif deleted is not None:
            deleted.set_status(status, BatchDeletes.PHASES, now)
        else:
            raise ValueError(f"there is no task {task_id!r}")

    def deleted(self) -> set[str]:
        """Return the ids of the servers that have been deleted by now."""
        return self._batch_deletes.deleted(self._timing.clock())

    # For clients.

    def describe_import_tasks(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeImportTasks."""
        passes = _filters.import_task_filter(query.get("filters", ()))
        found = [item for item in self._imports.items(self._timing.clock()) if passes(item)]
        return self._pages.page("DescribeImportTasks", "tasks", query, rows(found))

    def start_import_task(self, query: Mapping[str, Any]) -> Item:
        """Answer StartImportTask."""
        now, visible, ends = self._timing.times()
        task = self._imports.start(
            name=query["name"],
            url=query["importUrl"],
            token=query.get("clientRequestToken"),
            now=now,
            visible=visible,
            ends=ends,
        )
        return {"task": task}

    def start_batch_delete(self, query: Mapping[str, Any]) -> Item:
        """Answer StartBatchDeleteConfigurationTask."""
        now, visible, ends = self._timing.times()
        server_ids = query["configurationIds"]
        task_id = self._batch_deletes.start(server_ids, now=now, visible=visible, ends=ends)
        return {"taskId": task_id}

    def describe_batch_delete(self, query: Mapping[str, Any]) -> Item:
        """Answer DescribeBatchDeleteConfigurationTask."""
        task = self._batch_deletes.describe(query["taskId"], self._timing.clock())
        if task is None:
            raise invalid_value(f"There is no batch-delete task {query['taskId']}.")
        return {"task": task}
