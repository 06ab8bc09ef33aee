"""The service itself: its state and its operations, in plain Python.

It knows no HTTP, starts no threads, and takes the time from a given clock, so it also runs on a
virtual one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._archive import Archives
from ._contents import Contents, ContentsMaker
from ._data import Item
from ._errors import DroppedConnection, ServiceError
from ._exports import Exports
from ._faults import (
    CorruptDownload,
    DownloadFailure,
    Drop,
    Error,
    FailedDownload,
    Failure,
    Faults,
    Foreign,
    NoRanges,
    WrongLength,
)
from ._fleet import Fleet
from ._inventory import Inventory
from ._links import LinkError, Links
from ._model import operation_names, read_parameters
from ._tasks import Tasks
from ._timing import Timing

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

#: The operation name of a download. Faults of all operations affect it if their kind allows it.
DOWNLOAD = "GetObject"


@dataclass(frozen=True, slots=True)
class Download:
    """How a download is to be answered."""

    #: The contents of the archive.
    contents: Contents
    #: Whether it has a wrong byte.
    is_corrupt: bool
    has_ranges: bool
    #: The difference between the announced length and the real one, in bytes.
    length_error: int
    #: The first of the faults that keep a download from completing.
    failure: DownloadFailure | None


class Service:
    """An Application Discovery Service, put together from its parts."""

    def __init__(
        self,
        *,
        timing: Timing,
        faults: Faults,
        links: Links,
        fleet: Fleet,
        maker: ContentsMaker,
        inventory: Inventory,
        tasks: Tasks,
        exports: Exports,
        archives: Archives,
    ) -> None:
        self.faults = faults
        self.links = links
        self.exports = exports
        self.tasks = tasks
        self.archives = archives
        self.fleet = fleet
        self.maker = maker
        inventory.deleted = tasks.deleted
        self.timing = timing
        self._operations: Mapping[str, Callable[[Mapping[str, Any]], Item]] = {
            "DescribeAgents": inventory.describe_agents,
            "DescribeBatchDeleteConfigurationTask": tasks.describe_batch_delete,
            "DescribeContinuousExports": inventory.describe_continuous_exports,
            "DescribeExportConfigurations": exports.describe_export_configurations,
            "DescribeExportTasks": exports.describe_export_tasks,
            "DescribeImportTasks": tasks.describe_import_tasks,
            "DescribeTags": inventory.describe_tags,
            "ListConfigurations": inventory.list_configurations,
            "StartBatchDeleteConfigurationTask": tasks.start_batch_delete,
            "StartExportTask": exports.start_export_task,
            "StartImportTask": tasks.start_import_task,
        }

    def call(self, operation: str, parameters: object) -> Item:
        """Carry out an operation; see :meth:`Emulator.call`."""
        if operation not in self._operations:
            raise _unknown_operation(operation)
        match self.faults.take(Failure, operation):
            case Error(code=code, message=message, status=status):
                raise ServiceError(code, message, status)
            case Drop():
                raise DroppedConnection
            case Foreign(recipe=recipe) if recipe.carried_out:
                answer = self._carry_out(operation, parameters)
                raise recipe.answer(json.dumps(answer).encode("ascii"))
            case Foreign(recipe=recipe):
                raise recipe.answer(b"")
            case _:
                return self._carry_out(operation, parameters)

    def _carry_out(self, operation: str, parameters: object) -> Item:
        return self._operations[operation](read_parameters(operation, parameters))

    def download(self, path: str, query: Mapping[str, str]) -> Download:
        """Return what a download URL leads to.

        :param path: the path of the URL
        :param query: the parameters of the URL
        :raises LinkError: if it leads nowhere, has expired or was changed, or if a fault says so
        """
        now = self.timing.clock()
        export = self.exports.find(self.links.export_id(path))
        if export is None or export.status(now) != "SUCCEEDED":
            raise LinkError("NoSuchKey", "The specified key does not exist.", 404)
        self.links.check(path, query, now)
        failure = self.faults.take(DownloadFailure, DOWNLOAD)
        if isinstance(failure, FailedDownload):
            raise LinkError(failure.code, failure.message, failure.status)
        corrupt = self.faults.take(CorruptDownload, DOWNLOAD)
        wrong_length = self.faults.take(WrongLength, DOWNLOAD)
        return Download(
            contents=export.contents,
            is_corrupt=corrupt is not None,
            has_ranges=self.faults.take(NoRanges, DOWNLOAD) is None,
            length_error=0 if wrong_length is None else wrong_length.difference,
            failure=failure,
        )


def _unknown_operation(operation: str) -> ServiceError:
    message = f"There is no operation {operation}."
    if operation in operation_names():
        message = f"The service has the operation {operation}, but this emulator does not."
    return ServiceError("UnknownOperationException", message)
