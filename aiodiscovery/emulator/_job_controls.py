"""Exports and tasks, for tests to add and change."""

import threading
from types import EllipsisType

from ._errors import check_finite, check_not_negative
from ._exports import ExportPlan, Outcome
from ._quirks import Quirks
from ._service import Service

__all__ = ["JobControls"]


class JobControls:
    """The methods of an emulator for tests that control exports and tasks."""

    _lock: threading.RLock
    _service: Service

    @property
    def export_ids(self) -> tuple[str, ...]:
        """The ids of all exports, in listing order, including those not visible yet."""
        with self._lock:
            return self._service.exports.ids

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
        recommendations: bool = False,
        quirks: Quirks | None = None,
    ) -> str:
        """Add an export at the end of the listing, without StartExportTask and its limits.

        :param status: ``IN_PROGRESS``, or any status that the export has from the beginning
        :param duration: seconds until one in progress ends; None: until it is ended; left out: the
            emulator's ``export_duration``
        :param fail_with: the message with which one in progress fails in the end; None: it
            succeeds
        :param message: the message of one that is not in progress; None: the usual one
        :param truncated: whether one that succeeded says that its data is incomplete
        :param agent_id: the agent whose data is exported, listed or not; None for all servers
        :param start_time: the start of the range asked for, in seconds since the epoch
        :param end_time: the end of the range asked for, in seconds since the epoch
        :param visibility_delay: seconds for which it is missing from the describe calls. It does
            not become visible before exports that were added earlier
        :param recommendations: whether it recommends EC2 instances; not for an agent
        :param quirks: what varies in its archive; None: the emulator's ``quirks``
        :return: the export's id
        :raises ValueError: for a negative delay or duration, or a time that is not finite
        """
        check_not_negative(visibility_delay=visibility_delay)
        check_finite(start_time=start_time, end_time=end_time)
        with self._lock:
            now, _, ends = self._service.timing.times(duration)
            outcome = Outcome.planned(fail_with)
            if status != "IN_PROGRESS":
                ends, outcome = now, Outcome(status, message)
            return self._service.exports.add(
                requested=now,
                visible=now + visibility_delay,
                ends=ends,
                outcome=outcome,
                truncated=truncated,
                quirks=quirks,
                agent_id=agent_id,
                kind="recommendations" if recommendations else "summary",
                start=start_time,
                end=end_time,
            )

    def add_exports(
        self,
        count: int,
        *,
        status: str = "SUCCEEDED",
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        agent_id: str | None = None,
    ) -> tuple[str, ...]:
        """Add several identical exports; the parameters are those of :meth:`add_export`.

        :param count: how many to add
        :return: their ids, in listing order
        :raises ValueError: for a negative number
        """
        with self._lock:
            return tuple(
                self.add_export(
                    status=status, duration=duration, fail_with=fail_with, agent_id=agent_id
                )
                for _ in range(count)
            )

    def plan_export(
        self,
        *,
        duration: float | EllipsisType | None = ...,
        fail_with: str | None = None,
        truncated: bool = False,
        quirks: Quirks | None = None,
    ) -> None:
        """Set the course of the next export that StartExportTask starts. Plans queue.

        :param duration: seconds that it takes; None: until it is ended; left out: the emulator's
            ``export_duration``
        :param fail_with: the message with which it fails; None: it succeeds
        :param truncated: whether it says that its data is incomplete. An agent's export then stops
            in the middle of its range
        :param quirks: what varies in its archive; None: the emulator's ``quirks``
        :raises ValueError: for a negative duration
        """
        with self._lock:
            chosen = self._service.timing.chosen(duration)
            plan = ExportPlan(chosen, Outcome.planned(fail_with), truncated, quirks)
            self._service.exports.plan(plan)

    def finish_export(self, export_id: str, *, truncated: bool = False) -> None:
        """Let an export succeed now, whatever its status was.

        :param truncated: whether it says that its data is incomplete
        :raises ValueError: if there is no such export
        """
        with self._lock:
            self._service.exports.get(export_id).end_as(Outcome(), truncated=truncated)

    def fail_export(self, export_id: str, message: str = "The export failed.") -> None:
        """Let an export fail now, whatever its status was.

        :param message: its status message
        :raises ValueError: if there is no such export
        """
        self.set_export_status(export_id, "FAILED", message)

    def set_export_status(self, export_id: str, status: str, message: str | None = None) -> None:
        """Give an export a status from now on, known to the service or not.

        With ``IN_PROGRESS`` it runs until it is ended.

        :param message: its status message; None: the usual one, or an empty one for a status
            that the service does not know
        :raises ValueError: if there is no such export
        """
        with self._lock:
            export = self._service.exports.get(export_id)
            export.end_as(Outcome(status, message), truncated=False)

    # Import tasks and batch-delete tasks.

    def add_import_task(
        self, *, duration: float | EllipsisType | None = ..., outcome: str = "IMPORT_COMPLETE"
    ) -> str:
        """Add an import task in progress at the end of the listing.

        :param duration: seconds until it ends; None: until it is ended; left out: the emulator's
            ``export_duration``
        :param outcome: the status that it then has
        :return: the task's id
        :raises ValueError: for a negative duration
        """
        with self._lock:
            return self._service.tasks.add_import(duration, outcome)

    def add_batch_delete_task(
        self, *, duration: float | EllipsisType | None = ..., outcome: str = "COMPLETED"
    ) -> str:
        """Add a batch-delete task without configurations; see :meth:`add_import_task`."""
        with self._lock:
            return self._service.tasks.add_batch_delete(duration, outcome)

    def set_task_status(self, task_id: str, status: str) -> None:
        """Give an import or batch-delete task a status from now on, known to the service or not.

        With a status of a running task, it runs until it is ended.

        :raises ValueError: if there is no such task
        """
        with self._lock:
            self._service.tasks.set_status(task_id, status)
