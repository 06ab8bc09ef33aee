"""The call that a task is in: how far it has got, and which part of its answer is decoded."""

from contextvars import ContextVar
from typing import Any

__all__ = ["Progress", "current_call"]


class Progress:
    """How far a call of this package has got."""

    __slots__ = ("_answer", "_body", "decoding")

    def __init__(self) -> None:
        #: Whether botocore is decoding an answer right now.
        self.decoding = False
        self._body: bytes | None = None
        self._answer: dict[str, Any] | None = None

    def keep(self, body: bytes, answer: dict[str, Any]) -> None:
        """Keep what ``json.loads`` made of a body, for a parser that also needs it."""
        self._body, self._answer = body, answer

    def take(self, body: bytes) -> dict[str, Any] | None:
        """Return what was made of this same body, but only once, because a parser may change it."""
        answer = self._answer if self._body is body else None
        self._body = self._answer = None
        return answer


#: The call of this package that the running task is in. None in calls that other code makes.
current_call: ContextVar[Progress | None] = ContextVar("aiodiscovery_call", default=None)
