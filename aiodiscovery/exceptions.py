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

The caller of a listing gets errors of the service and of the network as botocore raises them. A
wait for a job raises them as the cause of a ``PollingError``. No message holds a download URL. An
attribute may hold one, because it keeps what the service said.

Each exception survives pickling whole, with its attributes, notes and causes.
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
    """The base of exceptions that keep their attributes, notes and causes when they are pickled.

    Python leaves causes behind, and one attribute that cannot be pickled makes the whole exception
    fail. Errors of botocore and of HTTP libraries hold requests, for example. Such a value is
    replaced by the name of its type.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (_importable(self), *_take_apart(self, (id(self),)))

    def __copy__(self) -> Self:
        parts = (self.args, vars(self), self.__cause__, self.__suppress_context__)
        return cast("Self", _rebuild(type(self), *parts))


class InvalidResumeTokenError(_PicklesWhole, ValueError):
    """A ``StartingToken`` that no listing can continue from.

    It is a resume token with wrong values, or it belongs to a query with other ids. Raised by
    ``paginate()``, before anything is sent. A string that is not a resume token is taken for a
    token of the service, and the service answers for itself.
    """


class PaginationLoopError(_PicklesWhole, PaginationError):
    """The service sent a token that it had already sent in the same run.

    Raised in place of the page that the token leads to. That page was already returned.
    """


class WatchError(_PicklesWhole, Exception):
    """A wait for exports or other jobs ended without their success."""


class JobFailedError(WatchError):
    """At least one job failed. All jobs that were waited for have ended."""

    #: What the service says about the jobs that failed and those that succeeded, by id, in the
    #: order in which they were given.
    failed: Mapping[str, Any]
    succeeded: Mapping[str, Any]

    def __init__(
        self, message: str, failed: Mapping[str, Any], succeeded: Mapping[str, Any]
    ) -> None:
        super().__init__(message)
        self.failed = failed
        self.succeeded = succeeded


class ExportFailedError(JobFailedError):
    """At least one export FAILED. All exports that were waited for have ended."""

    failed: "Mapping[str, ExportInfoTypeDef]"
    succeeded: "Mapping[str, ExportInfoTypeDef]"

    @property
    def info(self) -> "ExportInfoTypeDef":
        """The ExportInfo of the first export that FAILED."""
        return next(iter(self.failed.values()))

    @property
    def status_message(self) -> str:
        """What the service says about the first export that FAILED."""
        return self.info.get("statusMessage", "")


class JobNotFoundError(WatchError):
    """The service has not known a job for the whole ``not_found_timeout``."""

    #: The ids that the service does not know.
    job_ids: Sequence[str]
    #: What the service says about the jobs that have ended, by id.
    ended: Mapping[str, Any]

    def __init__(self, message: str, job_ids: Sequence[str], ended: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.job_ids = job_ids
        self.ended = ended


class ExportNotFoundError(JobNotFoundError):
    """The service has not known an export for the whole ``not_found_timeout``."""

    ended: "Mapping[str, ExportInfoTypeDef]"

    @property
    def export_ids(self) -> Sequence[str]:
        """The ids that the service does not know."""
        return self.job_ids


class JobTimeoutError(WatchError, TimeoutError):
    """Not all jobs ended within the timeout."""

    #: What the service says about the jobs that have ended, successfully or not, by id, in order.
    ended: Mapping[str, Any]
    #: The ids of the jobs that have not ended, in the order in which they were given.
    pending: Sequence[str]
    #: Since when the service could not be asked, and why. Empty if it answered. If calls failed,
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

    #: The ids that the service refuses to be asked about. Empty if the reason is something else.
    job_ids: Sequence[str]

    def __init__(self, message: str, job_ids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.job_ids = job_ids


class WatcherClosedError(WatchError):
    """The watcher is not open: its ``async with`` block was left, or was never entered."""


class DownloadError(_PicklesWhole, Exception):
    """The archive of an export could not be downloaded, or is not a whole zip archive.

    The download URL is a credential. Neither this error nor any in its chain holds it.
    """

    export_id: str
    #: The HTTP status of the answer that was the reason. None if the reason was something else.
    status_code: int | None

    def __init__(self, message: str, export_id: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.export_id = export_id
        self.status_code = status_code


class ExportNotSucceededError(DownloadError):
    """The export has no archive, because it has not SUCCEEDED."""

    #: The status that the service gives: IN_PROGRESS, FAILED, or a new one.
    export_status: str

    def __init__(self, message: str, export_id: str, export_status: str) -> None:
        super().__init__(message, export_id)
        self.export_status = export_status


class ArchiveError(_PicklesWhole, Exception):
    """The file is not the archive of an export, or it is damaged.

    The message says where. It never quotes a row, because command lines may hold secrets.
    """

    #: The path of the archive.
    archive: str
    #: The file in the archive. None if the whole archive is concerned.
    member: str | None
    #: The line of that file, from 1, where the row begins. None if no row is concerned.
    line: int | None

    def __init__(
        self, message: str, archive: str, member: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.archive = archive
        self.member = member
        self.line = line


class ExportLimitReachedError(_PicklesWhole, ClientError):
    """As many exports run at once as the service allows, including those of others.

    Start the export again when one of them has ended. This is also an
    ``OperationNotPermittedException`` of the client.
    """


class ExportAlreadyPresentError(_PicklesWhole, ClientError):
    """The service already has the export that was asked for, and does not start another.

    This is also an ``OperationNotPermittedException`` of the client.
    """

    #: The id of the existing export.
    export_id: str

    def __init__(self, error_response: Any, operation_name: str, export_id: str) -> None:
        super().__init__(error_response, operation_name)
        self.export_id = export_id


class CollectionError(_PicklesWhole, Exception):
    """Exports cannot be collected into the directory, or there is no report on it."""


class CollectionInUseError(CollectionError):
    """Another collection is at work in the directory."""


class CollectionTimeoutError(CollectionError, TimeoutError):
    """Not everything was collected within the timeout.

    The exports that were started keep running, and the next collection continues with them.
    """

    #: The ``CollectionReport``: what is there and what is missing.
    report: Any

    def __init__(self, message: str, report: Any) -> None:
        super().__init__(message)
        self.report = report


# How exceptions are pickled

#: How many causes and containers may be within each other. What is deeper, is cut off.
_DEEPEST = 50


class _Whole:
    """Any exception, to be pickled in the same way.

    :param path: the ids of the objects around it and of itself, so that circles come to an end.
    """

    def __init__(self, error: BaseException, path: tuple[int, ...]) -> None:
        self._error = error
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        error = self._error
        # The exception's own way of pickling is best, but it does not work for every class.
        is_own = isinstance(error, _PicklesWhole)
        origin = error if not is_own and _survives(error) else _importable(error)
        return _rebuild, (origin, *_take_apart(error, self._path))


def _take_apart(error: BaseException, path: tuple[int, ...]) -> tuple[Any, ...]:
    cause = error.__cause__
    if cause is not None and (id(cause) in path or len(path) >= _DEEPEST):
        cause = None
    return (
        tuple(_portable(value, path) for value in error.args),
        {name: _portable(value, path) for name, value in vars(error).items()},
        None if cause is None else _Whole(cause, (*path, id(cause))),
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
        # Not called: the parameters of its __init__() are not known, but what it set is.
        error = error.__new__(error, *args)
        error.args = args
    vars(error).update(attributes)
    error.__cause__ = cause
    error.__suppress_context__ = suppress_context
    return error


def _portable(value: Any, path: tuple[int, ...]) -> Any:
    """Return what to pickle in place of a value: the value itself, if possible."""
    placeholder = f"<{type(value).__qualname__}>"
    if not isinstance(value, BaseException) and type(value) not in (dict, list, tuple):
        return value if _survives(value) else placeholder
    if id(value) in path or len(path) >= _DEEPEST:
        return placeholder
    path = (*path, id(value))
    if isinstance(value, BaseException):
        return _Whole(value, path)
    if isinstance(value, dict):
        return {key: _portable(item, path) for key, item in value.items()}
    return type(value)(_portable(item, path) for item in value)


def _survives(value: Any) -> bool:
    try:
        again = pickle.loads(pickle.dumps(value))  # noqa: S301  # our own bytes
    except Exception:  # noqa: BLE001  # a class may raise anything
        return False
    # botocore's modelled errors come back as their base, which is not a class of a client.
    return not isinstance(value, BaseException) or (
        isinstance(value, type(again)) and again.args == value.args
    )


def _importable(error: BaseException) -> type[BaseException]:
    """Return the class, or its nearest base that another process can import and create."""
    for base in type(error).__mro__:
        found: Any = sys.modules.get(base.__module__)
        for name in base.__qualname__.split("."):
            found = getattr(found, name, None)
        try:
            if found is base and issubclass(base, BaseException):
                cls: type[BaseException] = base
                cls.__new__(cls, *error.args)
                return cls
        except Exception:  # noqa: BLE001, S112  # a class may raise anything
            continue
    return BaseException
