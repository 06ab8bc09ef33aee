"""Every exception that the package raises itself.

::

    ValueError
      InvalidResumeTokenError
    botocore.exceptions.PaginationError
      PaginationLoopError
    WatchError
      ExportFailedError
      ExportNotFoundError
      ExportTimeoutError (also a TimeoutError)
      PollingError
      WatcherClosedError
    DownloadError
      ExportNotSucceededError

Errors of the service and of the network reach the caller of a listing as botocore raises them, the
tasks that wait for an export as the cause of a ``PollingError``. No message holds a download URL:
those are in the ExportInfos that the attributes hold.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import PaginationError

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = [
    "DownloadError",
    "ExportFailedError",
    "ExportNotFoundError",
    "ExportNotSucceededError",
    "ExportTimeoutError",
    "InvalidResumeTokenError",
    "PaginationLoopError",
    "PollingError",
    "WatchError",
    "WatcherClosedError",
]


class InvalidResumeTokenError(ValueError):
    """A ``StartingToken`` from which no listing can go on.

    It is not a resume token at all, or it belongs to a query with other ids. Raised by
    ``paginate()``, before anything is sent.
    """


class PaginationLoopError(PaginationError):
    """The service sent a token that it had sent before in the same run.

    Raised in place of the page that the token leads to, which has been handed out already.
    """


class WatchError(Exception):
    """A wait for exports that did not end with their success."""


class ExportFailedError(WatchError):
    """At least one export FAILED; all that were waited for have ended."""

    #: The ExportInfos by id, in the order asked: of those that FAILED, and of those that SUCCEEDED.
    failed: "Mapping[str, ExportInfoTypeDef]"
    succeeded: "Mapping[str, ExportInfoTypeDef]"

    def __init__(
        self,
        message: str,
        failed: "Mapping[str, ExportInfoTypeDef]",
        succeeded: "Mapping[str, ExportInfoTypeDef]",
    ) -> None:
        super().__init__(message)
        self.failed = failed
        self.succeeded = succeeded

    @property
    def info(self) -> "ExportInfoTypeDef":
        """The ExportInfo of the first export that FAILED."""
        return next(iter(self.failed.values()))

    @property
    def status_message(self) -> str:
        """What the service says of the first export that FAILED."""
        return self.info.get("statusMessage", "")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.failed, self.succeeded)


class ExportNotFoundError(WatchError):
    """The service does not know an export, and has not for the whole ``not_found_timeout``."""

    #: The ids that the service does not know.
    export_ids: Sequence[str]
    #: The ExportInfos by id of those that have ended.
    ended: "Mapping[str, ExportInfoTypeDef]"

    def __init__(
        self, message: str, export_ids: Sequence[str], ended: "Mapping[str, ExportInfoTypeDef]"
    ) -> None:
        super().__init__(message)
        self.export_ids = export_ids
        self.ended = ended

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.export_ids, self.ended)


class ExportTimeoutError(WatchError, TimeoutError):
    """Not all exports ended within the timeout."""

    #: The ExportInfos by id, in the order asked, of those that have ended, SUCCEEDED or FAILED.
    ended: "Mapping[str, ExportInfoTypeDef]"
    #: The ids, in the order asked, of those that have not.
    pending: Sequence[str]

    def __init__(
        self, message: str, ended: "Mapping[str, ExportInfoTypeDef]", pending: Sequence[str]
    ) -> None:
        super().__init__(message)
        self.ended = ended
        self.pending = pending

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.ended, self.pending)


class PollingError(WatchError):
    """The service cannot be asked, and asking again would not help.

    Its ``__cause__`` is the error as botocore raised it: no authorization, no home region, wrong
    credentials or parameters, or a fault of the program itself.
    """


class WatcherClosedError(WatchError):
    """The watcher is not open: it was left, or never entered, with ``async with``."""


class DownloadError(Exception):
    """An export whose archive could not be downloaded, or is no whole zip archive.

    Neither it nor anything that it is chained to holds the download URL, which is a credential.
    """

    export_id: str
    #: The HTTP status of the answer that was the reason; None where another thing was.
    status_code: int | None

    def __init__(self, message: str, export_id: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.export_id = export_id
        self.status_code = status_code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.export_id, self.status_code)


class ExportNotSucceededError(DownloadError):
    """An export that has no archive, because it has not SUCCEEDED."""

    #: As the service says it: IN_PROGRESS, FAILED, or one that is new.
    export_status: str

    def __init__(self, message: str, export_id: str, export_status: str) -> None:
        super().__init__(message, export_id)
        self.export_status = export_status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.export_id, self.export_status)
