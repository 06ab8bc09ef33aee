"""Errors go from process to process whole: each of the package's, and whatever they hold.

That includes the message, the attributes (also those that other code adds), the notes, and all
causes: botocore's errors of each kind, modelled ones of a client, those of HTTP libraries, errors
that cannot be pickled or unpickled, groups. Something that cannot be pickled at all is replaced by
a placeholder. The same holds for ``copy.copy()`` and ``copy.deepcopy()``.
"""

import copy
import inspect
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Self

import botocore.exceptions
import pytest
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ClientError, HTTPClientError, MissingServiceIdError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import ResponseParserError

from aiodiscovery import exceptions
from aiodiscovery._client import answer_error

INFO = {"exportId": "export-1", "exportStatus": "FAILED"}
REFUSED: Any = {"Error": {"Code": "OperationNotPermittedException", "Message": "no"}}

ERRORS: dict[str, Exception] = {
    error.__class__.__name__: error
    for error in (
        exceptions.ArchiveError("damaged", "a.zip", "b.csv", 3),
        exceptions.CollectionError("no directory"),
        exceptions.CollectionInUseError("in use"),
        exceptions.CollectionTimeoutError("too late", {"missing": ["o-1"]}),
        exceptions.DownloadError("no", "export-1", 403),
        exceptions.ExportAlreadyPresentError(REFUSED, "StartExportTask", "export-1"),
        exceptions.ExportFailedError("failed", {"export-1": INFO}, {}),
        exceptions.ExportLimitReachedError(REFUSED, "StartExportTask"),
        exceptions.ExportNotFoundError("not there", ["export-1"], {}),
        exceptions.ExportNotSucceededError("not yet", "export-1", "IN_PROGRESS"),
        exceptions.ExportTimeoutError("late", {}, ["export-1"], "nobody answered"),
        exceptions.InvalidResumeTokenError("no token"),
        exceptions.JobFailedError("failed", {"1": {"status": "FAILED"}}, {"2": {}}),
        exceptions.JobNotFoundError("not there", ["1"], {"2": {}}),
        exceptions.JobTimeoutError("late", {"2": {}}, ["1"]),
        exceptions.PaginationLoopError(message="again"),
        exceptions.PollingError("refused", ["export-1"]),
        exceptions.WatchError("something"),
        exceptions.WatcherClosedError("closed"),
    )
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "oldest protocol": lambda error: pickle.loads(pickle.dumps(error, 0)),
    "newest protocol": lambda error: pickle.loads(pickle.dumps(error, pickle.HIGHEST_PROTOCOL)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


class LocalError(Exception):
    """Needs an argument that it does not keep."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


def modelled() -> type[ClientError]:
    model = ServiceModel(Loader().load_service_model("discovery", "service-2"), "discovery")
    made: Any = ClientExceptionsFactory().create_client_exceptions(model)
    cls: type[ClientError] = made.AuthorizationErrorException
    return cls


class DemandingError(Exception):
    """Cannot even be allocated without an argument that it does not keep."""

    def __new__(cls, *, reason: str) -> Self:
        return super().__new__(cls, reason)

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


CAUSES: dict[str, BaseException] = {
    "client error": ClientError(REFUSED, "DescribeExportTasks"),
    "modelled": modelled()(REFUSED, "DescribeExportTasks"),
    "parser": ResponseParserError("half a body"),
    "answer": answer_error("DescribeExportTasks", "it is empty"),
    "holds a lock": HTTPClientError(error=ValueError("broken"), request=threading.Lock()),
    "does not come back": MissingServiceIdError(service_name="x"),
    "needs more": LocalError(7, reason="why"),
    "demanding": DemandingError(reason="why"),
    "operating system": FileNotFoundError(2, "No such file", "bundle.pem"),
    "decoding": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    "group": ExceptionGroup("several", [ValueError("one"), LocalError(8, reason="two")]),
    "key": KeyError("exportId"),
}


def parts(error: BaseException | None) -> Any:
    """Return everything of an error that should survive."""
    if error is None:
        return None
    attributes = {
        name: parts(value) if isinstance(value, BaseException) else value
        for name, value in vars(error).items()
    }
    return type(error), str(error), attributes, parts(error.__cause__), error.__suppress_context__


def test_every_exception_is_tried() -> None:
    assert ERRORS.keys() == set(exceptions.__all__)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_survives_whole(name: str, copied: Callable[[Any], Any]) -> None:
    error = copy.deepcopy(ERRORS[name])
    assert parts(copied(error)) == parts(error)
    error.add_note("in the third task")
    error.run_id = "run-7"  # type: ignore[attr-defined]
    error.__cause__ = exceptions.PollingError("refused")
    error.__cause__.__cause__ = ClientError(REFUSED, "DescribeExportTasks")
    error.__cause__.__cause__.add_note("of botocore")

    again = copied(error)

    assert again is not error
    assert parts(again) == parts(error)
    assert repr(again) == repr(error)


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize("first", [exceptions.PollingError("refused"), ValueError("between")])
def test_whatever_the_cause_is_it_comes_along(name: str, first: Exception) -> None:
    error = exceptions.PollingError("the service cannot be asked")
    error.__cause__ = first
    first.__cause__ = CAUSES[name]
    CAUSES[name].__notes__ = ["a note"]

    again = pickle.loads(pickle.dumps(error))

    cause = again.__cause__.__cause__
    assert type(again.__cause__) is type(first)
    assert str(cause) == str(CAUSES[name])
    assert cause.args == CAUSES[name].args or isinstance(cause, ExceptionGroup)
    assert cause.__notes__ == ["a note"]
    assert isinstance(CAUSES[name], type(cause))
    assert (type(cause) is Exception) == (name == "demanding")


def test_what_cannot_be_pickled_leaves_its_place() -> None:
    error = exceptions.PollingError("refused")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    error.values = {"a": 1, "b": lambda: 2}  # type: ignore[attr-defined]
    error.__cause__ = CAUSES["holds a lock"]

    again = pickle.loads(pickle.dumps(error))

    assert (again.lock, again.values) == ("<lock>", {"a": 1, "b": "<function>"})
    assert str(again.__cause__) == "An HTTP Client raised an unhandled exception: broken"
    assert again.__cause__.request == "<lock>"
    assert str(again.__cause__.kwargs["error"]) == "broken"


def test_a_class_that_nobody_else_can_import_comes_back_as_its_base() -> None:
    class OwnError(exceptions.PollingError):
        """Of the caller's, in a function."""

    class ElsewhereError(KeyError):
        """The same, of something else."""

    error = OwnError("refused", ["export-1"])
    error.__cause__ = ElsewhereError("x")

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is exceptions.PollingError
    assert (str(again), again.job_ids) == ("refused", ["export-1"])
    assert type(again.__cause__) is KeyError
    assert again.__cause__.args == ("x",)


def test_an_error_survives_the_way_to_another_process() -> None:
    error = exceptions.PollingError("refused", ["export-1"])
    error.add_note("in the third task")
    error.__cause__ = CAUSES["modelled"]
    script = (
        "import pickle, sys; error = pickle.load(sys.stdin.buffer); "
        "print(repr(error), error.job_ids, error.__notes__, repr(error.__cause__), "
        "error.__cause__.response['Error']['Code'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(error), capture_output=True, check=True
    )

    assert (
        done.stdout.decode().split()
        == (
            f"{error!r} ['export-1'] ['in the third task'] "
            f"ClientError({str(CAUSES['modelled'])!r}) OperationNotPermittedException"
        ).split()
    )


def test_every_error_of_botocore_survives_as_a_cause() -> None:
    classes = [
        cls
        for _, cls in inspect.getmembers(botocore.exceptions, inspect.isclass)
        if issubclass(cls, botocore.exceptions.BotoCoreError)
    ]
    for cls in classes:
        cause = cls.__new__(cls)
        cause.args = (cls.__name__,)
        cause.kwargs = {"request": threading.Lock(), "name": "x"}
        error = exceptions.PollingError("refused")
        error.__cause__ = cause

        again = pickle.loads(pickle.dumps(error)).__cause__

        assert (type(again), str(again)) == (cls, cls.__name__)
        assert again.kwargs == {"request": "<lock>", "name": "x"}
    assert len(classes) > 50


def in_a_circle() -> Exception:
    """Make what ``raise error from error`` and the like leave behind."""
    error = exceptions.PollingError("refused")
    error.__cause__ = ValueError("why")
    error.__cause__.__cause__ = error
    return error


def of_itself() -> Exception:
    error = exceptions.PollingError("refused")
    error.__cause__ = error
    return error


def holding_itself() -> Exception:
    error: Any = exceptions.PollingError("refused")
    error.again = [error, {"again": error}]
    return error  # type: ignore[no-any-return]


def holding_a_circle() -> Exception:
    error: Any = exceptions.PollingError("refused")
    error.circle = []
    error.circle.append({"list": error.circle, "tuple": (error.circle,)})
    return error  # type: ignore[no-any-return]


def with_many_causes() -> Exception:
    error: BaseException = exceptions.PollingError("refused")
    first = error
    for number in range(3_000):
        error.__cause__ = error = ValueError(number)
    return first  # type: ignore[return-value]


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(
    "make", [in_a_circle, of_itself, holding_itself, holding_a_circle, with_many_causes]
)
def test_what_has_no_end_is_cut_off(make: Callable[[], Exception], way: str) -> None:
    error = make()

    again = COPIES[way](error)

    assert type(again) is exceptions.PollingError
    assert str(again) == "refused"
    assert type(again.__cause__) is type(error.__cause__) or error.__cause__ is error
    assert vars(again).keys() == vars(error).keys()
