"""The service's long jobs: what it calls them, when they have ended, and how to ask for them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import ClientError

from .._client import advise, call_of, describe_error
from .._listing import MAX_IDS, MAX_PAGE_SIZE, describe_exports, get_paginator
from ..exceptions import (
    ExportFailedError,
    ExportNotFoundError,
    ExportTimeoutError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    PollingError,
)

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import (
        BatchDeleteConfigurationTaskTypeDef as BatchDeleteTask,
    )
    from types_aiobotocore_discovery.type_defs import (
        ExportInfoTypeDef,
        ImportTaskTypeDef,
    )

__all__ = ["BATCH_DELETES", "EXPORTS", "IMPORTS", "ExportUpdate", "JobKind", "JobUpdate"]

#: What the service describes a job with.
Info = TypeVar("Info", bound=Mapping[str, Any])

#: What it may say of a task that it does not know, where it takes a single id.
_NOT_FOUND_CODES = frozenset({"InvalidParameterValueException", "ResourceNotFoundException"})


@dataclass(frozen=True, slots=True)
class JobUpdate(Generic[Info]):
    """A status that a job has, and the one it had before."""

    job_id: str
    #: As the service says it; it may be one that is new.
    status: str
    #: The status of the update before this one; None for the first.
    previous_status: str | None
    #: All that the service says of the job. Left out of the repr: a URL in it is a credential.
    info: Info = field(repr=False)


class ExportUpdate(JobUpdate["ExportInfoTypeDef"]):
    """A status that an export has, and the one it had before."""

    __slots__ = ()

    @property
    def export_id(self) -> str:
        """The same as ``job_id``."""
        return self.job_id


Update = TypeVar("Update", bound=JobUpdate[Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind(Generic[Info, Update]):
    """A kind of job, as data. A status that is neither success nor failure is not the last one."""

    #: What one of them is called in messages.
    noun: str
    #: Where an info has its status, and the reason of a failure.
    status_key: str
    reason_key: str
    #: The statuses of success, and how those of failure begin.
    succeeded: frozenset[str]
    failed: tuple[str, ...]
    #: How many of them one call can ask for.
    most: int
    #: Asks for them; gives the infos by id, without those that the service does not know.
    describe: "Callable[[AioBaseClient, Sequence[str]], Awaitable[Mapping[str, Info]]]"
    #: What is told of a change.
    update: "Callable[[str, str, str | None, Info], Update]"
    failed_error: type[JobFailedError] = JobFailedError
    not_found_error: type[JobNotFoundError] = JobNotFoundError
    timeout_error: type[JobTimeoutError] = JobTimeoutError

    def status(self, info: Info) -> str:
        """Return the status that an info says."""
        # Most of the service's members may be missing, says its model.
        return str(info.get(self.status_key, "UNKNOWN"))

    def has_failed(self, info: Info) -> bool:
        """Say whether a job has ended, and not well."""
        return self.status(info).startswith(self.failed)

    def has_ended(self, info: Info) -> bool:
        """Say whether a job has ended, well or not."""
        return self.status(info) in self.succeeded or self.has_failed(info)

    def name(self, job_ids: Sequence[str]) -> str:
        """Name jobs in a message that stays short."""
        first, *others = job_ids
        # "export-123" needs no "export" before it.
        named = first if first.startswith(f"{self.noun}-") else f"{self.noun} {first}"
        return named + (f" and {len(others)} more" if others else "")

    def polling_error(self, cause: BaseException, job_ids: Sequence[str] = ()) -> PollingError:
        """Make the error of waits for which the service cannot be asked.

        :param job_ids: the jobs that are the reason; none where it is another one.
        """
        what = self.name(job_ids) if job_ids else f"{self.noun}s"
        message = f"the service cannot be asked for {what}: {describe_error(cause)}"
        if advice := advise(cause):
            message += f"; {advice}"
        error = PollingError(message, tuple(job_ids))
        error.__cause__ = cause
        return error


async def _describe_imports(
    client: "AioBaseClient", task_ids: Sequence[str]
) -> "Mapping[str, ImportTaskTypeDef]":
    pages = get_paginator(client, "describe_import_tasks").paginate(
        filters=[{"name": "IMPORT_TASK_ID", "values": list(task_ids)}],
        PaginationConfig={"PageSize": MAX_PAGE_SIZE},
    )
    found: dict[str, ImportTaskTypeDef] = {}
    async for task in pages.items():
        found[task.get("importTaskId", "")] = task
    return found


async def _describe_batch_deletes(
    client: "AioBaseClient", task_ids: Sequence[str]
) -> "Mapping[str, BatchDeleteTask]":
    describe = call_of(client, "describe_batch_delete_configuration_task")
    found: dict[str, BatchDeleteTask] = {}
    for task_id in task_ids:
        try:
            task = (await describe(taskId=task_id)).get("task")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _NOT_FOUND_CODES:
                raise
            task = None
        if task:
            found[task_id] = task
    return found


EXPORTS: "JobKind[ExportInfoTypeDef, ExportUpdate]" = JobKind(
    noun="export",
    status_key="exportStatus",
    reason_key="statusMessage",
    succeeded=frozenset({"SUCCEEDED"}),
    failed=("FAILED",),
    most=MAX_IDS,
    describe=describe_exports,
    update=ExportUpdate,
    failed_error=ExportFailedError,
    not_found_error=ExportNotFoundError,
    timeout_error=ExportTimeoutError,
)

IMPORTS: "JobKind[ImportTaskTypeDef, JobUpdate[ImportTaskTypeDef]]" = JobKind(
    noun="import task",
    status_key="status",
    reason_key="status",  # it has no message
    succeeded=frozenset({"IMPORT_COMPLETE", "IMPORT_COMPLETE_WITH_ERRORS"}),
    # Who waits for an import whose data is deleted meanwhile waits in vain.
    failed=("IMPORT_FAILED", "DELETE_COMPLETE", "DELETE_FAILED", "INTERNAL_ERROR"),
    most=MAX_IDS,
    describe=_describe_imports,
    update=JobUpdate,
)

BATCH_DELETES: "JobKind[BatchDeleteTask, JobUpdate[BatchDeleteTask]]" = JobKind(
    noun="batch-delete task",
    status_key="status",
    reason_key="status",
    succeeded=frozenset({"COMPLETED"}),
    failed=("FAILED",),
    most=1,
    describe=_describe_batch_deletes,
    update=JobUpdate,
)
