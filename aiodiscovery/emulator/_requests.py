"""The requests that the emulator received."""

import sys
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar, cast

__all__ = ["MAX_PARAMETERS", "RecordedDownload", "RecordedRequest", "RequestLog", "memory"]

#: The most bytes of memory that kept parameters of a request may take.
MAX_PARAMETERS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One call of the API, as the emulator received and answered it.

    :param operation: the operation asked for, known or not; None if the request named none
    :param parameters: the parameters as they were sent; empty if the body was not a JSON object,
        or if they would take more than 1 MiB of memory
    :param user_agent: the User-Agent header; empty if there was none
    :param status: the HTTP status of the answer; None if the connection was dropped, or while the
        call has not been answered
    :param error_code: the code of the error in the answer; None for a success
    """

    operation: str | None
    parameters: dict[str, Any]
    user_agent: str
    status: int | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedDownload:
    """One download, as the emulator received and answered it.

    :param export_id: the export that the URL names; empty if it names none
    :param range: the Range header; None if there was none
    :param if_range: the If-Range header; None if there was none
    :param status: the HTTP status of the answer; None while there is none
    :param error_code: S3's code of the error in the answer; None for a success
    """

    export_id: str
    range: str | None
    if_range: str | None
    status: int | None = None
    error_code: str | None = None


R = TypeVar("R", RecordedRequest, RecordedDownload)


class RequestLog(Generic[R]):
    """The newest requests, in the order in which they arrived.

    Both limits keep an emulator that runs for days from growing.

    :param capacity: how many to keep
    :param size: the most bytes of memory that they may take together
    """

    def __init__(self, capacity: int = 10_000, size: int = 64 * 1024 * 1024) -> None:
        self._capacity = capacity
        self._size = size
        self._requests: dict[int, R] = {}
        self._sizes: dict[int, int] = {}
        self._used = 0
        self._next = 0

    def add(self, request: R) -> int:
        """Keep a request.

        :return: its number for :meth:`close`
        """
        number = self._next
        self._next += 1
        self._requests[number] = request
        self._sizes[number] = memory([getattr(request, field.name) for field in fields(request)])
        self._used += self._sizes[number]
        while len(self._requests) > self._capacity or self._used > self._size:
            oldest = next(iter(self._requests))
            del self._requests[oldest]
            self._used -= self._sizes.pop(oldest)
        return number

    def close(self, number: int, status: int, error_code: str | None) -> None:
        """Note the answer of a request, unless the request has been cleared meanwhile."""
        if number in self._requests:
            self._requests[number] = replace(
                self._requests[number], status=status, error_code=error_code
            )

    def clear(self) -> None:
        """Remove all requests."""
        self._requests.clear()
        self._sizes.clear()
        self._used = 0

    def snapshot(self) -> tuple[R, ...]:
        """Return the kept requests, oldest first."""
        return tuple(self._requests.values())


def memory(value: object) -> int:
    """Return how many bytes of memory a JSON value takes."""
    total = 0
    left = [value]
    while left:
        item = left.pop()
        total += sys.getsizeof(item)
        if isinstance(item, dict):
            left += cast("dict[object, object]", item).keys()
            left += cast("dict[object, object]", item).values()
        elif isinstance(item, list):
            left += cast("list[object]", item)
    return total
