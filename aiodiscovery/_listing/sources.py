"""Where iterations get their pages from: the code that asks the service for listings."""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import anyio

from .._asynctools import current_loop
from .._client import FeatureId, answer_error
from ..exceptions import PaginationLoopError
from .query import MAX_PAGE_SIZE, Page, Query, has_unusable_token
from .resume_token import Position
from .workers import Workers

__all__ = ["AheadSource", "DirectSource", "PageSource"]


class PageSource(Protocol):
    """Provides the pages of a listing, one after another."""

    @property
    @abstractmethod
    def at_end(self) -> bool:
        """Whether the listing has ended after the pages that were provided."""

    def check_loop(self) -> None:
        """Raise RuntimeError if called in a different event loop or thread than before."""

    async def next_page(self) -> Page | None:
        """Return the next page; None if there is none.

        An error or a cancellation skips nothing: the page that was not returned is still the next.
        """


class DirectSource(PageSource):
    """Asks for a page when it is needed."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._position: Position | None = query.start
        self._remaining = query.max_items
        self._feature_id = FeatureId("PAGINATOR")
        self._loop: object = None
        #: The service's tokens that were sent in the current chunk.
        self._seen = set[str]()
        #: Whether an error comes in place of the next page, once.
        self._stuck = False

    @property
    def at_end(self) -> bool:
        return self._position is None

    def check_loop(self) -> None:
        loop = current_loop()
        if self._loop is None:
            self._loop = loop
        elif loop is not self._loop:
            raise RuntimeError(
                "an iterator belongs to the event loop in which it was begun; "
                "this is another one, or another thread"
            )

    async def next_page(self) -> Page | None:
        query, position, remaining = self._query, self._position, self._remaining
        while position is not None and remaining != 0:
            if self._stuck:
                self._stuck = False
                raise _token_error(query)
            if position.service_token in self._seen:
                raise _loop_error()
            response = await _ask(query, self._feature_id, position, remaining)
            page = query.cut(response, position, remaining)
            after = query.following(response, position) if page is None else page[3]
            self._stuck = has_unusable_token(response)
            if after is None or after.chunk != position.chunk:
                self._seen.clear()
            elif position.service_token is not None and not self._stuck:
                self._seen.add(position.service_token)
            self._position = position = after
            if page is not None:
                if remaining is not None:
                    self._remaining = remaining - page[2]
                return page
        return None


class _Chunk:
    """The requests and answers for one chunk of the ids, or for a listing without chunks."""

    __slots__ = ("answers", "asking", "failed", "position", "seen")

    def __init__(self, position: Position) -> None:
        #: What to ask for next; None at the end.
        self.position: Position | None = position
        self.asking = False
        #: Whether the latest request failed; it is made again when the caller asks again.
        self.failed = False
        #: What was not returned yet: requests with their answers, and an error at the end.
        self.answers: deque[tuple[Position, dict[str, Any]] | Exception] = deque()
        #: The service's tokens that were sent.
        self.seen = set[str | None]()

    @property
    def next_position(self) -> Position | None:
        """What may be asked for now."""
        return None if self.asking or self.failed else self.position

    @property
    def over(self) -> bool:
        return self.position is None and not self.answers


class AheadSource(PageSource):
    """Asks for the next pages before they are needed, those of several chunks at once.

    :param workers: make the requests.
    :param pages: how many pages to ask for before they are needed.
    """

    def __init__(self, query: Query, workers: Workers, pages: int) -> None:
        self._query = query
        self._workers = workers
        self._pages = pages
        self._remaining = query.max_items
        first = query.start.chunk
        self._chunks = deque(
            _Chunk(query.start if number == first else Position(chunk=number))
            for number in range(first, query.chunks)
        )
        #: How many pages were asked for and not returned yet.
        self._ahead = 0
        self._changed = anyio.Event()

    @property
    def at_end(self) -> bool:
        return not self._chunks

    def check_loop(self) -> None:
        self._workers.check_loop()

    async def next_page(self) -> Page | None:
        if self._chunks and not self._chunks[0].answers:
            self._chunks[0].failed = False
        while self._chunks and self._remaining != 0:
            if not self._workers.is_open:
                raise RuntimeError("iterate within `async with pages.prefetch() as ahead:`")
            chunk = self._chunks[0]
            if chunk.over:
                self._chunks.popleft()
            elif chunk.answers:
                page = self._take(chunk)
                if page is not None:
                    return page
            else:
                self._changed = anyio.Event()
                self._ask_ahead()
                await self._changed.wait()
        return None

    def _take(self, chunk: _Chunk) -> Page | None:
        answer = chunk.answers.popleft()
        self._ahead -= 1
        if isinstance(answer, Exception):
            try:
                raise answer
            finally:
                del answer  # its frame would be in a reference cycle
        position, response = answer
        page = self._query.cut(response, position, self._remaining)
        if page is not None and self._remaining is not None:
            self._remaining -= page[2]
        if has_unusable_token(response):
            # In place of the page that cannot be asked for.
            chunk.answers.appendleft(_token_error(self._query))
            self._ahead += 1
        self._ask_ahead()
        return page

    def _ask_ahead(self) -> None:
        """Start the requests that are certain to be needed, as far as there is room."""
        if not self._workers.is_open:
            return
        query, remaining, certain = self._query, self._remaining, True
        full = query.page_size or MAX_PAGE_SIZE
        room = self._pages
        if self._chunks and self._chunks[0].failed and not self._chunks[0].answers:
            room -= 1  # for when the caller asks again
        for chunk in self._chunks:
            if self._ahead >= room or remaining == 0:
                return
            if remaining is not None:
                remaining = max(remaining - self._items_in(chunk), 0)
            # If the number of items before is unknown, MaxItems must not matter yet.
            position = chunk.next_position
            enough = remaining is None or remaining >= (1 if certain else full)
            if position is not None and enough:
                chunk.asking = True
                self._ahead += 1
                self._workers.start_soon(partial(self._ask, chunk, position, remaining))
            if remaining is not None and not chunk.over and chunk.position is not None:
                certain = False
                remaining = max(remaining - query.most_items(chunk.position), 0)

    def _items_in(self, chunk: _Chunk) -> int:
        return sum(
            self._query.size(*answer) for answer in chunk.answers if isinstance(answer, tuple)
        )

    async def _ask(
        self, chunk: _Chunk, position: Position, remaining: int | None
    ) -> Callable[[], None]:
        query = self._query
        answer: tuple[Position, dict[str, Any]] | Exception | None = None
        try:
            if position.service_token in chunk.seen:
                raise _loop_error()  # noqa: TRY301  # handled like an error of the call
            response = await _ask(query, FeatureId("PAGINATOR"), position, remaining)
            after = query.following(response, position)
            answer = (position, response)
        except Exception as caught:  # noqa: BLE001  # raised when its turn comes
            answer = caught
            chunk.failed = True
        else:
            if has_unusable_token(response):
                chunk.failed = True  # as soon as the page is returned
            elif position.service_token is not None:
                chunk.seen.add(position.service_token)
            chunk.position = after if after is not None and after.chunk == position.chunk else None
        finally:
            # A cancellation leaves no answer. The request is made again if it is still needed.
            chunk.asking = False
            if answer is None:
                self._ahead -= 1
            else:
                chunk.answers.append(answer)
                answer = None  # its frame would be in a reference cycle
            self._changed.set()
        return self._ask_ahead


async def _ask(
    query: Query, feature_id: FeatureId, position: Position, remaining: int | None
) -> dict[str, Any]:
    """Ask the service for the page at a position."""
    feature_id.add()
    try:
        response: dict[str, Any] = await query.method(**query.request(position, remaining))
    finally:
        feature_id.remove()
    return response


def _loop_error() -> PaginationLoopError:
    return PaginationLoopError(
        message="the service sent a token that it had already sent in this run"
    )


def _token_error(query: Query) -> Exception:
    return answer_error(query.operation.name, "its nextToken is not a string")
