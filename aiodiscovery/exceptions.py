"""Every exception that the package raises itself.

::

    ValueError
      InvalidResumeTokenError
    botocore.exceptions.PaginationError
      PaginationLoopError
    WatchError
      JobFailedError
        ExportFailedError
      JobNotFoundError
        ExportNotFoundError
      JobTimeoutError (also a TimeoutError)
        ExportTimeoutError
      PollingError
      WatcherClosedError
    DownloadError
      ExportNotSucceededError
    ArchiveError
    botocore.exceptions.ClientError
      ExportAlreadyPresentError
      ExportLimitReachedError
    CollectionError
      CollectionInUseError
      CollectionTimeoutError (also a TimeoutError)

Errors of the service and of the network reach the caller of a listing as botocore raises them, the
tasks that wait for a job as the cause of a ``PollingError``. No message holds a download URL:
those are in what the attributes hold, as the service describes it.

Each of them survives pickling whole, with its attributes, notes and causes.
"""

import pickle
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

from botocore.exceptions import ClientError, PaginationError

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = [
    "ArchiveError",
    "CollectionError",
    "CollectionInUseError",
    "CollectionTimeoutError",
    "DownloadError",
    "ExportAlreadyPresentError",
    "ExportFailedError",
    "ExportLimitReachedError",
    "ExportNotFoundError",
    "ExportNotSucceededError",
    "ExportTimeoutError",
    "InvalidResumeTokenError",
    "JobFailedError",
    "JobNotFoundError",
    "JobTimeoutError",
    "PaginationLoopError",
    "PollingError",
    "WatchError",
    "WatcherClosedError",
]


class _PicklesWhole(BaseException):
    """A base of exceptions that keep their attributes, notes and causes when they are pickled.

    Python leaves causes behind. And one attribute that cannot be pickled takes everything along:
    botocore's errors hold requests, and the errors of HTTP libraries. Here such a value leaves the
    name of its type in its place.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (_importable(self), *_take_apart(self))

    def __copy__(self) -> Self:
        parts = (self.args, vars(self), self.__cause__, self.__suppress_context__)
        return cast("Self", _rebuild(type(self), *parts))


class InvalidResumeTokenError(_PicklesWhole, ValueError):
    """A ``StartingToken`` from which no listing can go on.

    It is a resume token with wrong values, or it belongs to a query with other ids. Raised by
    ``paginate()``, before anything is sent. What is not a resume token at all is taken for a token
    of the service, which says itself what it thinks of it.
    """


class PaginationLoopError(_PicklesWhole, PaginationError):
    """The service sent a token that it had sent before in the same run.

    Raised in place of the page that the token leads to, which has been handed out already.
    """


class WatchError(_PicklesWhole, Exception):
    """A wait for exports or other jobs that did not end with their success."""


class JobFailedError(WatchError):
    """At least one job failed; all that were waited for have ended."""

    #: What the service says of those that failed and of those that succeeded, by id, in the order
    #: asked.
    failed: Mapping[str, Any]
    succeeded: Mapping[str, Any]

    def __init__(
        self, message: str, failed: Mapping[str, Any], succeeded: Mapping[str, Any]
    ) -> None:
        super().__init__(message)
        self.failed = failed
        self.succeeded = succeeded


class ExportFailedError(JobFailedError):
    """At least one export FAILED; all that were waited for have ended."""

    failed: "Mapping[str, ExportInfoTypeDef]"
    succeeded: "Mapping[str, ExportInfoTypeDef]"

    @property
    def info(self) -> "ExportInfoTypeDef":
        """The ExportInfo of the first export that FAILED."""
        return next(iter(self.failed.values()))

    @property
    def status_message(self) -> str:
        """What the service says of the first export that FAILED."""
        return self.info.get("statusMessage", "")


class JobNotFoundError(WatchError):
    """The service does not know a job, and has not for the whole ``not_found_timeout``."""

    #: The ids that the service does not know.
    job_ids: Sequence[str]
    #: What the service says, by id, of those that have ended.
    ended: Mapping[str, Any]

    def __init__(self, message: str, job_ids: Sequence[str], ended: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.job_ids = job_ids
        self.ended = ended


class ExportNotFoundError(JobNotFoundError):
    """The service does not know an export, and has not for the whole ``not_found_timeout``."""

    ended: "Mapping[str, ExportInfoTypeDef]"

    @property
    def export_ids(self) -> Sequence[str]:
        """The ids that the service does not know."""
        return self.job_ids


class JobTimeoutError(WatchError, TimeoutError):
    """Not all jobs ended within the timeout."""

    #: What the service says, by id, in the order asked, of those that have ended, well or not.
    ended: Mapping[str, Any]
    #: The ids, in the order asked, of those that have not.
    pending: Sequence[str]
    #: Since when the service could not be asked, and why; empty if it answered. If calls failed,
    #: the last error is the ``__cause__``.
    trouble: str

    def __init__(
        self, message: str, ended: Mapping[str, Any], pending: Sequence[str], trouble: str = ""
    ) -> None:
        super().__init__(message)
        self.ended = ended
        self.pending = pending
        self.trouble = trouble


class ExportTimeoutError(JobTimeoutError):
    """Not all exports ended within the timeout."""

    ended: "Mapping[str, ExportInfoTypeDef]"


class PollingError(WatchError):
    """The service cannot be asked, and asking again would not help.

    Its ``__cause__`` is the error as botocore raised it: no authorization, no home region, wrong
    credentials or parameters, or a fault of the program itself.
    """

    #: The ids that the service refuses to be asked for; empty if the reason is not one of them.
    job_ids: Sequence[str]

    def __init__(self, message: str, job_ids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.job_ids = job_ids


class WatcherClosedError(WatchError):
    """The watcher is not open: it was left, or never entered, with ``async with``."""


class DownloadError(_PicklesWhole, Exception):
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


class ExportNotSucceededError(DownloadError):
    """An export that has no archive, because it has not SUCCEEDED."""

    #: As the service says it: IN_PROGRESS, FAILED, or one that is new.
    export_status: str

    def __init__(self, message: str, export_id: str, export_status: str) -> None:
        super().__init__(message, export_id)
        self.export_status = export_status


class ArchiveError(_PicklesWhole, Exception):
    """An archive that is not one of an export, or is damaged.

    The message says where, and never what a row holds: command lines may hold secrets.
    """

    #: The path of the archive.
    archive: str
    #: The file in it; None where it is about the whole archive.
    member: str | None
    #: The line of that file, from 1, at which the row begins; None where it is not about a row.
    line: int | None

    def __init__(
        self, message: str, archive: str, member: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.archive = archive
        self.member = member
        self.line = line


class ExportLimitReachedError(_PicklesWhole, ClientError):
    """As many exports run at once as the service allows, others' included.

    Start the export again when one of them has ended. It is an ``OperationNotPermittedException``
    of the client too.
    """


class ExportAlreadyPresentError(_PicklesWhole, ClientError):
    """The service has the export that was asked for already, and starts no other.

    It is an ``OperationNotPermittedException`` of the client too.
    """

    #: The id of the export that is there.
    export_id: str

    def __init__(self, error_response: Any, operation_name: str, export_id: str) -> None:
        super().__init__(error_response, operation_name)
        self.export_id = export_id


class CollectionError(_PicklesWhole, Exception):
    """A directory into which exports cannot be collected, or of which there is no report."""


class CollectionInUseError(CollectionError):
    """Another collection is at work in the directory."""


class CollectionTimeoutError(CollectionError, TimeoutError):
    """Not everything was collected within the timeout.

    The exports that were started go on, and the next collection goes on with them.
    """

    #: The ``CollectionReport``: what there is, and what is missing.
    report: Any

    def __init__(self, message: str, report: Any) -> None:
        super().__init__(message)
        self.report = report


# How they are pickled


class _Whole:
    """An exception of anybody's, to be pickled in the same way."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self._error
        if isinstance(error, _PicklesWhole):
            return error.__reduce__()
        # Its own way is the best that is known of a class, but not of every class.
        origin = error if _survives(error) else _importable(error)
        return _rebuild, (origin, *_take_apart(error))


def _take_apart(error: BaseException) -> tuple[Any, ...]:
    cause = error.__cause__
    return (
        tuple(map(_portable, error.args)),
        {name: _portable(value) for name, value in vars(error).items()},
        None if cause is None else _Whole(cause),
        error.__suppress_context__,
    )


def _rebuild(
    origin: BaseException | type[BaseException],
    args: tuple[Any, ...],
    attributes: Mapping[str, Any],
    cause: BaseException | None,
    suppress_context: bool,
) -> BaseException:
    error = origin
    if isinstance(error, type):
        # Not called: what its __init__() takes is its own affair, and what it did is known.
        error = error.__new__(error, *args)
        error.args = args
    vars(error).update(attributes)
    error.__cause__ = cause
    error.__suppress_context__ = suppress_context
    return error


def _portable(value: Any) -> Any:
    """Return what may be pickled in place of a value: itself, if that is possible."""
    if isinstance(value, BaseException):
        return _Whole(value)
    if type(value) is dict:
        return {key: _portable(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_portable, value))
    return value if _survives(value) else f"<{type(value).__qualname__}>"


def _survives(value: Any) -> bool:
    try:
        again = pickle.loads(pickle.dumps(value))  # noqa: S301  # our own bytes
    except Exception:  # noqa: BLE001  # whatever its class has against it
        return False
    # botocore's modelled errors come back as their base, which is not a class of a client.
    return not isinstance(value, BaseException) or (
        isinstance(value, type(again)) and again.args == value.args
    )


def _importable(error: BaseException) -> type[BaseException]:
    """Return the class, or the next base of it that another process can import and make."""
    for base in type(error).__mro__:
        found: Any = sys.modules.get(base.__module__)
        for name in base.__qualname__.split("."):
            found = getattr(found, name, None)
        try:
            if found is base and issubclass(base, BaseException):
                cls: type[BaseException] = base
                cls.__new__(cls, *error.args)
                return cls
        except Exception:  # noqa: BLE001, S112  # whatever its class has against it
            continue
    return BaseException
