"""Listings as data: what to ask for next, and what to return of the answer. Pure, no I/O."""

from collections.abc import Awaitable, Callable
from copy import Error as CopyError
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from .resume_token import IdChunks, Position, write_resume_token

__all__ = [
    "MAX_IDS",
    "MAX_PAGE_SIZE",
    "Operation",
    "Page",
    "Query",
    "copy_parameters",
    "has_unusable_token",
]

#: The service's limits for a request: the items on a page, and the ids.
MAX_PAGE_SIZE = 100
MAX_IDS = 100


class Operation(NamedTuple):
    """The names that a paginated operation uses."""

    name: str
    result_key: str
    ids_parameter: str | None = None


# The same as Position(), in half the time: every page has one.
_position: Callable[[tuple[str, int, int]], Position] = partial(tuple.__new__, Position)

#: What may be returned of an answer: the response, cut; the position of its first item; its number
#: of items; and where the listing continues after it, or None if nothing is left. A plain tuple,
#: because creating anything else takes a tenth of the time of a page.
Page: TypeAlias = tuple[dict[str, Any], Position, int, Position | None]


@dataclass(frozen=True, slots=True)
class Query:
    """A listing: the arguments of ``paginate()``, checked."""

    method: Callable[..., Awaitable[Any]]
    operation: Operation
    parameters: dict[str, Any]
    id_chunks: IdChunks | None
    max_items: int | None
    page_size: int | None
    starting_token: str | None
    start: Position

    @property
    def chunks(self) -> int:
        """The least number of requests that it takes."""
        return 1 if self.id_chunks is None else len(self.id_chunks.chunks)

    def resume_token(self, position: Position | None) -> str | None:
        """Return the token that continues at a position."""
        if position is None:
            return None
        if self.starting_token is not None and position == self.start:
            return self.starting_token
        return write_resume_token(position, self.id_chunks)

    def request(self, position: Position, remaining: int | None) -> dict[str, Any]:
        """Return the parameters that ask for the page at a position.

        :param remaining: how many more items may be returned; None for any number.
        """
        service_token, skip, chunk = position
        # A copy for each request, because handlers of botocore's events may change it.
        parameters = copy_parameters(self.parameters) if self.parameters else {}
        if self.id_chunks is not None:
            parameters[self.id_chunks.parameter] = [*self.id_chunks.chunks[chunk]]
        limit = self.page_size
        if remaining is not None and (limit is None or remaining < limit):
            limit = remaining
        if limit is not None:
            # Items to skip come on top, or a small page size would cost many requests.
            limit += skip
            if limit < MAX_PAGE_SIZE or self.page_size is not None:
                parameters["maxResults"] = min(limit, MAX_PAGE_SIZE)
        if service_token is not None:
            parameters["nextToken"] = service_token
        return parameters

    def following(self, response: dict[str, Any], position: Position) -> Position | None:
        """Return where the listing continues after a whole answer; None at its end.

        If the answer's token cannot be used, that is behind the items of this same answer.
        """
        service_token, skip, chunk = position
        next_token = response.get("nextToken")
        if next_token and isinstance(next_token, str):
            if skip:
                # The token may come from a larger page than this, so the rest is carried over.
                skip = max(skip - self._count(response), 0)
            return _position((next_token, skip, chunk))
        if next_token is not None and next_token != "":
            return Position(service_token, max(skip, self._count(response)), chunk)
        return Position(None, 0, chunk + 1) if chunk + 1 < self.chunks else None

    def size(self, position: Position, response: dict[str, Any]) -> int:
        """Return how many items of an answer are not to be skipped."""
        return max(self._count(response) - position.skip, 0)

    def most_items(self, position: Position) -> int:
        """Return how many items a chunk of the ids can have at most."""
        return 0 if self.id_chunks is None else len(self.id_chunks.chunks[position.chunk])

    def cut(
        self, response: dict[str, Any], position: Position, remaining: int | None
    ) -> Page | None:
        """Cut an answer to a position down to what may be returned of it.

        :return: None if there are items and all of them are to be skipped.
        """
        key = self.operation.result_key
        items = response.get(key) or ()
        first, last = 0, len(items)
        after = self.following(response, position)
        if position.skip and items:
            first = position.skip
            if first >= last:
                return None
        if remaining is not None and remaining < last - first:
            last = first + remaining
            after = Position(position.service_token, last, position.chunk)
        page = response.copy()
        page.pop("nextToken", None)
        if last - first < len(items):
            page[key] = items[first:last]
        if after is not None:
            page["NextToken"] = write_resume_token(after, self.id_chunks)
        return page, position, last - first, after

    def _count(self, response: dict[str, Any]) -> int:
        return len(response.get(self.operation.result_key) or ())


def has_unusable_token(response: dict[str, Any]) -> bool:
    """Say whether the token of an answer cannot be used in a request.

    The rest of the answer may be returned all the same.
    """
    token = response.get("nextToken")
    return token is not None and not isinstance(token, str)


def copy_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of parameters, down to nested lists."""
    try:
        return deepcopy(parameters)
    except (CopyError, TypeError, RecursionError):
        # A generator, for example. It cannot be sent either: botocore reports it.
        return parameters.copy()
