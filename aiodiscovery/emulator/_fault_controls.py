"""Faults on request, for tests."""

import threading
from collections.abc import Callable, Iterable, Mapping

from ._faults import (
    BrokenDownload,
    CorruptDownload,
    Drop,
    EmptyPage,
    Error,
    ExtraItems,
    FailedDownload,
    Fault,
    Faults,
    Foreign,
    ForeignDownload,
    Latency,
    NoRanges,
    TokenCycle,
    WrongLength,
)
from ._foreign import ForeignKind, recipe
from ._service import OPERATIONS

__all__ = ["FaultControls"]

# The only operation that a fault affects, or several of them; None: all.
Operations = str | Iterable[str] | None


class FaultControls:
    """The methods of an emulator for tests that want something to go wrong."""

    _lock: threading.RLock
    _faults: Faults

    def inject_error(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        calls: int | None = 1,
        after: int = 0,
        operation: Operations = None,
    ) -> None:
        """Answer calls with an error. Errors and dropped connections queue together.

        Like every fault, it affects signed calls of operations that the emulator has. An affected
        call is not carried out.

        :param code: the code of the error
        :param message: its message
        :param status: the HTTP status
        :param calls: how many calls it affects; None: all, until :meth:`clear_faults`
        :param after: how many calls it lets through first. Calls that an earlier fault affects do
            not count
        :param operation: the only operation that it affects, such as ``DescribeExportTasks``, or
            several of them; None: all of them
        :raises ValueError: for fewer than one call, a negative number, an unknown operation or an
            invalid status
        """
        if not 400 <= status <= 599:
            raise ValueError(f"status must be between 400 and 599, not {status}")
        fault = Error(code=code, message=message, status=status, calls=calls, after=after)
        self._inject(fault, operation)

    def inject_throttling(
        self, calls: int | None = 1, operation: Operations = None, *, after: int = 0
    ) -> None:
        """Answer calls with ThrottlingException; see :meth:`inject_error`."""
        self.inject_error(
            "ThrottlingException", "Rate exceeded", calls=calls, after=after, operation=operation
        )

    def inject_server_error(
        self, calls: int | None = 1, operation: Operations = None, *, after: int = 0
    ) -> None:
        """Answer calls with ServerInternalErrorException, status 500; see :meth:`inject_error`."""
        self.inject_error(
            "ServerInternalErrorException",
            "The server experienced an internal error. Try again.",
            status=500,
            calls=calls,
            after=after,
            operation=operation,
        )

    def inject_dropped_connection(
        self, calls: int | None = 1, operation: Operations = None, *, after: int = 0
    ) -> None:
        """Close the connection in place of an answer; see :meth:`inject_error`."""
        self._inject(Drop(calls=calls, after=after), operation)

    def inject_foreign_answer(
        self,
        kind: ForeignKind = "portal",
        *,
        body: bytes | str | Callable[[bytes], bytes] | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: bool = False,
        carried_out: bool | None = None,
        calls: int | None = 1,
        after: int = 0,
        operation: Operations = None,
    ) -> None:
        """Let something other than the service answer calls.

        The service's own answers, including errors, are JSON objects with the content type
        ``application/x-amz-json-1.1`` and an ``x-amzn-RequestId``. This answer may be anything. It
        queues together with errors and dropped connections.

        :param kind: what answers. The other parameters change parts of it. Fixed answers are:

            - ``portal``: status 200 and the HTML page of a network's login portal
            - ``empty``: status 200 and nothing
            - ``object``: status 200 and ``{}``, as a gateway may answer
            - ``error``: status 200 and the JSON of an error
            - ``null``: status 200 and the JSON value ``null``
            - ``array``: status 200 and ``[null]``
            - ``bytes``: status 200 and bytes that are not text
            - ``unavailable``: status 503 and an HTML page in Latin-1
            - ``redirect``: status 302 to ``/login``, which is the portal's page

            These are made from the service's own answer, so the call is carried out:

            - ``half``: the first half of its bytes
            - ``bom``: a byte order mark and the answer
            - ``null-item``: the answer, with a ``null`` as the first item of each list
        :param body: a different body. A function makes it from the body of the service's own
            answer, so the call is carried out
        :param status: a different HTTP status, such as 307
        :param headers: more headers, such as ``Location`` or a different ``Content-Type``
        :param request_id: whether it has an ``x-amzn-RequestId``, like the service's answers
        :param carried_out: whether the service carries out the call; None: only if the answer is
            made from the service's own
        :param calls: how many calls it affects; None: all, until :meth:`clear_faults`
        :param after: how many calls it lets through first; with 1, it affects page 2 of a listing.
            Calls that an earlier fault affects do not count
        :param operation: the only operation that it affects, or several of them; None: all of them
        :raises ValueError: for an unknown kind or operation, an invalid status, fewer than one
            call, or a negative number
        """
        made = recipe(kind, body, status, headers, carried_out=carried_out, request_id=request_id)
        self._inject(Foreign(recipe=made, calls=calls, after=after), operation)

    def inject_latency(
        self, seconds: float, calls: int | None = 1, operation: Operations = None, *, after: int = 0
    ) -> None:
        """Let calls wait before they are carried out. Others are answered meanwhile.

        May affect a call together with another fault.

        :param seconds: how long, in real time, whatever the emulator's clock says
        :param calls: how many calls it affects; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it affects; None: all of them
        :raises ValueError: for a negative number, fewer than one call or an unknown operation
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must not be negative, but is {seconds}")
        self._inject(Latency(seconds=seconds, calls=calls, after=after), operation)

    def inject_empty_page(
        self, calls: int | None = 1, operation: Operations = None, *, after: int = 0
    ) -> None:
        """Answer with a page without items, and a token that leads to the items left out.

        That token is a new one each time, so a run of empty pages is not a token cycle.

        :param calls: how many pages it affects; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it affects; None: every paginated one
        :raises ValueError: for fewer than one call or an unknown operation
        """
        self._inject(EmptyPage(calls=calls, after=after), operation)

    def inject_extra_items(
        self, count: int, calls: int | None = 1, operation: Operations = None, *, after: int = 0
    ) -> None:
        """Answer with more items than ``maxResults`` asked for, if there are any.

        :param count: how many more
        :param calls: how many pages it affects; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it affects; None: every paginated one
        :raises ValueError: for fewer than one item or call, or an unknown operation
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        self._inject(ExtraItems(count=count, calls=calls, after=after), operation)

    def inject_token_cycle(
        self,
        length: int = 1,
        calls: int | None = None,
        operation: Operations = None,
        *,
        after: int = 0,
    ) -> None:
        """Let the tokens lead round in a circle.

        The circle begins with the first page that it affects, which need not be the first of the
        listing. The token of its last page leads back to its first one. With ``length=2`` the pages
        are A, B, A, B and so on, and so are the tokens. Each run over a listing has its own circle.

        :param length: how many pages are in it; fewer, if the listing ends before
        :param calls: how many pages it affects; None: all, until :meth:`clear_faults`
        :param operation: the only operation that it affects; None: every paginated one
        :raises ValueError: for fewer than one page or call, or an unknown operation
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        self._inject(TokenCycle(length=length, calls=calls, after=after), operation)

    def inject_download_error(
        self, code: str, message: str, *, status: int = 503, calls: int | None = 1
    ) -> None:
        """Answer downloads with an error of S3.

        Faults that keep a download from completing queue together: errors, broken and stalled
        downloads. Like every fault of downloads, they affect downloads with a valid URL.

        :param code: S3's code of the error, such as ``SlowDown``
        :param message: its message
        :param status: the HTTP status
        :param calls: how many downloads it affects; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download or an invalid status
        """
        if not 300 <= status <= 599:
            raise ValueError(f"status must be between 300 and 599, not {status}")
        self._inject(FailedDownload(code=code, message=message, status=status, calls=calls))

    def inject_expired_url(self, calls: int | None = 1) -> None:
        """Answer downloads as if the URL had expired; see :meth:`inject_download_error`."""
        self.inject_download_error("AccessDenied", "Request has expired", status=403, calls=calls)

    def inject_foreign_download(
        self,
        kind: ForeignKind = "portal",
        *,
        body: bytes | str | Callable[[bytes], bytes] | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        calls: int | None = 1,
    ) -> None:
        """Let something other than the storage answer downloads.

        The parameters are those of :meth:`inject_foreign_answer`. Here ``half`` and the function
        ``body`` get the whole archive, whatever range was asked for. This queues together with
        download errors; see :meth:`inject_download_error`.
        """
        made = recipe(kind, body, status, headers)
        self._inject(ForeignDownload(recipe=made, calls=calls))

    def inject_broken_download(self, after: int, calls: int | None = 1) -> None:
        """Close the connection of downloads midway; see :meth:`inject_download_error`.

        :param after: how many bytes are sent before
        :raises ValueError: for a negative number or fewer than one download
        """
        self._inject(BrokenDownload(size=_count("after", after), calls=calls))

    def inject_stalled_download(self, after: int, calls: int | None = 1) -> None:
        """Let downloads stop midway, with the connection open, until the client goes away.

        See :meth:`inject_download_error`.

        :param after: how many bytes are sent before
        :raises ValueError: for a negative number or fewer than one download
        """
        self._inject(BrokenDownload(size=_count("after", after), stalled=True, calls=calls))

    def inject_corrupt_download(self, calls: int | None = 1) -> None:
        """Let archives have a wrong byte in the middle, with the same ETag.

        :param calls: how many downloads it affects; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download
        """
        self._inject(CorruptDownload(calls=calls))

    def inject_wrong_length(self, difference: int, calls: int | None = 1) -> None:
        """Announce a ``Content-Length`` that differs from what is sent.

        :param difference: how many more bytes are announced than there are, after which the
            connection is closed; if negative, how many fewer are sent
        :param calls: how many downloads it affects; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download
        """
        self._inject(WrongLength(difference=difference, calls=calls))

    def inject_no_ranges(self, calls: int | None = None) -> None:
        """Send whole archives to downloads that ask for a range.

        :param calls: how many downloads it affects; None: all, until :meth:`clear_faults`
        :raises ValueError: for fewer than one download
        """
        self._inject(NoRanges(calls=calls))

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def _inject(self, fault: Fault, operation: Operations = None) -> None:
        if fault.calls is not None and fault.calls < 1:
            raise ValueError(f"calls must be at least 1 or None, not {fault.calls}")
        if fault.after < 0:
            raise ValueError(f"after must not be negative, but is {fault.after}")
        fault.operations = _operations(operation)
        with self._lock:
            self._faults.add(fault)


def _operations(operation: Operations) -> frozenset[str] | None:
    if operation is None:
        return None
    operations = frozenset((operation,) if isinstance(operation, str) else operation)
    for name in operations or ("none",):
        if name not in OPERATIONS:
            raise ValueError(
                f"operation must be one of {', '.join(sorted(OPERATIONS))}, not {name!r}"
            )
    return operations


def _count(name: str, number: int) -> int:
    if number < 0:
        raise ValueError(f"{name} must not be negative, but is {number}")
    return number
