"""The kinds of long jobs of the service: their names, when they have ended, how to ask for them."""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import ClientError

from .._client import FeatureId, advise, call_of, describe_error, error_code, item_id, undecodable
from .._listing import MAX_IDS, MAX_PAGE_SIZE, get_paginator
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
    from types_aiobotocore_discovery.literals import ExportStatusType
    from types_aiobotocore_discovery.type_defs import (
        BatchDeleteConfigurationTaskTypeDef as BatchDeleteTask,
    )
    from types_aiobotocore_discovery.type_defs import (
        ExportInfoTypeDef,
        ImportTaskTypeDef,
    )

__all__ = ["BATCH_DELETES", "EXPORTS", "IMPORTS", "Answer", "ExportUpdate", "JobKind", "JobUpdate"]

#: The operations that describe jobs.
Info = TypeVar("Info", bound=Mapping[str, Any])

#: Error codes for an unknown task, for an operation that takes a single id.
_NOT_FOUND_CODES = frozenset({"InvalidParameterValueException", "ResourceNotFoundException"})
_DESCRIBE_BATCH_DELETE = "DescribeBatchDeleteConfigurationTask"


@dataclass(frozen=True, slots=True)
class JobUpdate(Generic[Info]):
    """The new status of a job, and the one before."""

    job_id: str
    #: The status that the service gives. It may be a new one.
    status: str
    #: The status of the update before this one; None for the first.
    previous_status: str | None
    #: Everything that the service says about the job. Not in the repr: a URL in it is a credential.
    info: Info = field(repr=False)


class ExportUpdate(JobUpdate["ExportInfoTypeDef"]):
    """The new status of an export, and the one before."""

    __slots__ = ()
    if TYPE_CHECKING:
        # The known statuses. The service may have others.
        status: ExportStatusType | str
        previous_status: ExportStatusType | str | None

    @property
    def export_id(self) -> str:
        """The same as ``job_id``."""
        return self.job_id


Update = TypeVar("Update", bound=JobUpdate[Any])


@dataclass(frozen=True, slots=True)
class Answer(Generic[Info]):
    """The service's answer to a call for jobs."""

    #: The infos by id, without the jobs that the service does not know.
    infos: Mapping[str, Info]
    #: The time of the service's clock, in seconds since the epoch; None if it does not say.
    service_time: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind(Generic[Info, Update]):
    """A kind of job, as data. A status that is neither success nor failure is not final."""

    #: What messages call such a job.
    noun: str
    #: The keys of an info for the status and for the reason of a failure.
    status_key: str
    reason_key: str
    #: The key of an info for the time of the job's start.
    start_key: str
    #: The statuses of success, and the beginnings of those of failure.
    succeeded: frozenset[str]
    failed: tuple[str, ...]
    #: How many jobs one call can ask for.
    most: int
    #: Asks for jobs.
    describe: "Callable[[AioBaseClient, Sequence[str]], Awaitable[Answer[Info]]]"
    #: Makes the update for a change.
    update: "Callable[[str, str, str | None, Info], Update]"
    failed_error: type[JobFailedError] = JobFailedError
    not_found_error: type[JobNotFoundError] = JobNotFoundError
    timeout_error: type[JobTimeoutError] = JobTimeoutError

    def status(self, info: Info) -> str:
        """Return the status in an info."""
        # According to its model, the service may leave out most members.
        return str(info.get(self.status_key, "UNKNOWN"))

    def has_failed(self, info: Info) -> bool:
        """Say whether a job has ended without success."""
        return self.status(info).startswith(self.failed)

    def has_ended(self, info: Info) -> bool:
        """Say whether a job has ended, successfully or not."""
        return self.status(info) in self.succeeded or self.has_failed(info)

    def age(self, info: Info, service_time: float | None) -> float | None:
        """Return how many seconds a job has run, by the service's clocks.

        None if the service does not say, or if its clocks disagree: the clock of the answer is
        behind that of the job's start.
        """
        start = info.get(self.start_key)
        if service_time is None or not isinstance(start, datetime) or start.tzinfo is None:
            return None
        age = service_time - start.timestamp()
        return age if age >= 0 else None

    async def ask(self, client: "AioBaseClient", job_ids: Sequence[str]) -> Answer[Info]:
        """Ask the service for jobs, with the feature id of a waiter."""
        feature_id = FeatureId("WAITER")
        feature_id.add()
        try:
            return await self.describe(client, job_ids)
        finally:
            feature_id.remove()

    def name(self, job_ids: Sequence[str]) -> str:
        """Name jobs in a message, briefly."""
        first, *others = job_ids
        # "export-123" needs no "export" before it.
        named = first if first.startswith(f"{self.noun}-") else f"{self.noun} {first}"
        return named + (f" and {len(others)} more" if others else "")

    def polling_error(self, cause: BaseException, job_ids: Sequence[str] = ()) -> PollingError:
        """Make the error for waits whose jobs the service cannot be asked for.

        :param job_ids: the jobs that are the reason; empty if the reason is something else.
        """
        what = self.name(job_ids) if job_ids else f"{self.noun}s"
        message = f"the service cannot be asked for {what}: {describe_error(cause)}"
        if advice := advise(cause):
            message += f"; {advice}"
        error = PollingError(message, tuple(job_ids))
        error.__cause__ = cause
        return error


async def _describe_exports(
    client: "AioBaseClient", export_ids: Sequence[str]
) -> "Answer[ExportInfoTypeDef]":
    pages = get_paginator(client, "describe_export_tasks").paginate(
        exportIds=list(export_ids), PaginationConfig={"PageSize": MAX_PAGE_SIZE}
    )
    return await _read(pages, "DescribeExportTasks", "exportsInfo", "exportId", export_ids)


async def _describe_imports(
    client: "AioBaseClient", task_ids: Sequence[str]
) -> "Answer[ImportTaskTypeDef]":
    pages = get_paginator(client, "describe_import_tasks").paginate(
        filters=[{"name": "IMPORT_TASK_ID", "values": list(task_ids)}],
        PaginationConfig={"PageSize": MAX_PAGE_SIZE},
    )
    return await _read(pages, "DescribeImportTasks", "tasks", "importTaskId", task_ids)


async def _read(
    pages: AsyncIterable[Any],
    operation_name: str,
    items_key: str,
    id_key: str,
    wanted: Sequence[str],
) -> Answer[Any]:
    """Read the pages of a listing until all wanted jobs were there, and return these."""
    found: dict[str, Any] = {}
    missing = set(wanted)
    nameless: Any = None
    service_time: float | None = None
    async for page in pages:
        if service_time is None:
            service_time = _read_date(page)
        for item in page[items_key]:
            job_id = item.get(id_key)
            if not isinstance(job_id, str):
                nameless = item
            elif job_id in missing or job_id in found:
                missing.discard(job_id)
                found[job_id] = item
        if not missing:
            break
    if missing and nameless is not None:
        # It may be one of the jobs that would be reported missing.
        item_id(operation_name, nameless, id_key)
    return Answer({job_id: found[job_id] for job_id in wanted if job_id in found}, service_time)


async def _describe_batch_deletes(
    client: "AioBaseClient", task_ids: Sequence[str]
) -> "Answer[BatchDeleteTask]":
    describe = call_of(client, "describe_batch_delete_configuration_task")
    found: dict[str, BatchDeleteTask] = {}
    service_time: float | None = None
    for task_id in task_ids:
        try:
            answer = await describe(taskId=task_id)
        except ClientError as error:
            # The source of the credentials, such as a role, may use the same error code.
            is_its_own = error.operation_name == _DESCRIBE_BATCH_DELETE
            if not is_its_own or error_code(error) not in _NOT_FOUND_CODES:
                raise
        else:
            service_time = _read_date(answer)
            if task := answer.get("task"):
                if task.get("taskId", task_id) != task_id:
                    raise undecodable(_DESCRIBE_BATCH_DELETE, "it has another id")
                found[task_id] = task
    return Answer(found, service_time)


def _read_date(answer: Mapping[str, Any]) -> float | None:
    """Return the time in the Date header of an answer, in seconds since the epoch."""
    header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        date = parsedate_to_datetime(header)
    except (TypeError, ValueError, OverflowError):
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()


EXPORTS: "JobKind[ExportInfoTypeDef, ExportUpdate]" = JobKind(
    noun="export",
    status_key="exportStatus",
    reason_key="statusMessage",
    start_key="exportRequestTime",
    succeeded=frozenset({"SUCCEEDED"}),
    failed=("FAILED",),
    most=MAX_IDS,
    describe=_describe_exports,
    update=ExportUpdate,
    failed_error=ExportFailedError,
    not_found_error=ExportNotFoundError,
    timeout_error=ExportTimeoutError,
)

IMPORTS: "JobKind[ImportTaskTypeDef, JobUpdate[ImportTaskTypeDef]]" = JobKind(
    noun="import task",
    status_key="status",
    reason_key="status",  # there is no message
    start_key="importRequestTime",
    succeeded=frozenset({"IMPORT_COMPLETE", "IMPORT_COMPLETE_WITH_ERRORS"}),
    # If an import's data is deleted meanwhile, waiting for the import is in vain.
    failed=("IMPORT_FAILED", "DELETE_COMPLETE", "DELETE_FAILED", "INTERNAL_ERROR"),
    most=MAX_IDS,
    describe=_describe_imports,
    update=JobUpdate,
)

BATCH_DELETES: "JobKind[BatchDeleteTask, JobUpdate[BatchDeleteTask]]" = JobKind(
    noun="batch-delete task",
    status_key="status",
    reason_key="status",
    start_key="startTime",
    succeeded=frozenset({"COMPLETED"}),
    failed=("FAILED",),
    most=1,
    describe=_describe_batch_deletes,
    update=JobUpdate,
)
