"""Listings as data: what to ask for next, and what of the answer to hand out. Pure, no I/O."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._resume_token import IdChunks, Position, write_resume_token

__all__ = ["MAX_IDS", "MAX_PAGE_SIZE", "Operation", "Page", "Query"]

#: The service's limits for a request: items on a page, and ids asked for.
MAX_PAGE_SIZE = 100
MAX_IDS = 100


class Operation(NamedTuple):
    """What a paginated operation calls things."""

    result_key: str
    ids_parameter: str | None = None


class Page(NamedTuple):
    """What may be handed out of an answer."""

    response: dict[str, Any]
    #: Where its first item stands.
    before: Position
    #: How many items it has.
    size: int
    #: Where the listing goes on behind it; None where nothing is left.
    after: Position | None
    #: Whether all that came was to be skipped.
    skipped: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A listing: what ``paginate()`` was given, checked."""

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
        """How many requests it takes at least."""
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

        :param remaining: how many items may still be handed out; None for any number.
        """
        service_token, skip, chunk = position
        parameters = self.parameters.copy()
        if self.id_chunks is not None:
            parameters[self.id_chunks.parameter] = self.id_chunks.chunks[chunk]
        limit = self.page_size
        if remaining is not None and (limit is None or remaining < limit):
            limit = remaining
        if limit is not None:
            # What is to be skipped comes on top, or a small page size would cost many requests.
            limit += skip
            if limit < MAX_PAGE_SIZE or self.page_size is not None:
                parameters["maxResults"] = min(limit, MAX_PAGE_SIZE)
        if service_token is not None:
            parameters["nextToken"] = service_token
        return parameters

    def following(self, response: dict[str, Any], position: Position) -> Position | None:
        """Return where the listing goes on behind a whole answer; None at its end."""
        _, skip, chunk = position
        service_token = response.get("nextToken")
        if service_token:
            if skip:
                # The token may have been cut from a larger page than this: carry the rest over.
                skip = max(skip - len(response.get(self.operation.result_key) or ()), 0)
            return Position(service_token, skip, chunk)
        if chunk + 1 < self.chunks:
            return Position(None, 0, chunk + 1)
        return None

    def cut(self, response: dict[str, Any], position: Position, remaining: int | None) -> Page:
        """Cut what came from a position to what may be handed out of it."""
        service_token, skip, chunk = position
        key = self.operation.result_key
        page = response.copy()
        items = page.get(key) or ()
        count = len(items)
        first = min(skip, count)
        last = count if remaining is None else min(count, first + remaining)
        if last - first < count:
            page[key] = items[first:last]
        page.pop("nextToken", None)
        if last < count:
            after: Position | None = Position(service_token, last, chunk)
        else:
            after = self.following(response, position)
        if after is not None:
            page["NextToken"] = self.resume_token(after)
        before = position if first == skip else Position(service_token, first, chunk)
        return Page(page, before, last - first, after, 0 < count == first)
