"""Faults on request: the kinds, and which calls they affect."""

from dataclasses import dataclass
from typing import TypeVar

from ._foreign import Recipe

__all__ = [
    "BrokenDownload",
    "CorruptDownload",
    "DownloadFailure",
    "Drop",
    "EmptyPage",
    "Error",
    "ExtraItems",
    "FailedDownload",
    "Failure",
    "Fault",
    "Faults",
    "Foreign",
    "ForeignDownload",
    "Latency",
    "NoRanges",
    "TokenCycle",
    "WrongLength",
]


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong with some calls.

    :param calls: how many more calls it affects; None for every one until it is cleared
    :param after: how many more calls it lets through first
    :param operations: the only operations whose calls it affects; None for all
    """

    calls: int | None = 1
    after: int = 0
    operations: frozenset[str] | None = None


class Failure(Fault):
    """A fault that replaces the answer of a call. All kinds queue together."""


@dataclass(kw_only=True)
class Error(Failure):
    """An error in place of the answer."""

    code: str
    message: str
    status: int


@dataclass(kw_only=True)
class Foreign(Failure):
    """An answer that is not the service's."""

    recipe: Recipe


class Drop(Failure):
    """A connection that is closed in place of an answer."""


@dataclass(kw_only=True)
class Latency(Fault):
    """A wait in seconds before a call is processed."""

    seconds: float


class EmptyPage(Fault):
    """A page without items, with a token for the items left out."""


@dataclass(kw_only=True)
class ExtraItems(Fault):
    """A page with more items than asked for."""

    count: int


@dataclass(kw_only=True)
class TokenCycle(Fault):
    """Pages whose tokens lead round in a circle of ``length`` pages."""

    length: int


class DownloadFailure(Fault):
    """A fault that keeps a download from completing. All kinds queue together."""


@dataclass(kw_only=True)
class FailedDownload(DownloadFailure):
    """An error in place of the archive."""

    code: str
    message: str
    status: int


@dataclass(kw_only=True)
class ForeignDownload(DownloadFailure):
    """An answer that is not the storage's."""

    recipe: Recipe


@dataclass(kw_only=True)
class BrokenDownload(DownloadFailure):
    """An answer that stops after a number of bytes."""

    size: int
    #: Whether the connection stays open then.
    stalled: bool = False


class CorruptDownload(Fault):
    """An archive with a wrong byte in it."""


@dataclass(kw_only=True)
class WrongLength(Fault):
    """A ``Content-Length`` that is wrong by a number of bytes."""

    difference: int


class NoRanges(Fault):
    """A server that only sends whole archives."""


F = TypeVar("F", bound=Fault)


class Faults:
    """The pending faults. Those of a kind affect calls in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Queue a fault after the others of its kind."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove every fault, including those without an end."""
        self._faults.clear()

    def take(self, kind: type[F], operation: str) -> F | None:
        """Return the fault of a kind that affects this call, and count the call.

        :return: None if the call is not affected
        """
        for index, fault in enumerate(self._faults):
            if isinstance(fault, kind) and (
                fault.operations is None or operation in fault.operations
            ):
                if fault.after:
                    fault.after -= 1
                    continue
                if fault.calls is not None:
                    fault.calls -= 1
                    if fault.calls == 0:
                        del self._faults[index]
                return fault
        return None
