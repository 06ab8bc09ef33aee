"""Pages: what is common to all listings."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from ._data import Item
from ._errors import invalid_value
from ._faults import EmptyPage, ExtraItems, Faults, TokenCycle
from ._tokens import Cursor, Tokens

__all__ = ["Pages", "Rows", "ids", "rows"]

_MAX_RESULTS = 100
_MAX_IDS = 100
_PAGING = frozenset({"maxResults", "nextToken"})

#: Given a position, returns the items from there on, with their positions.
Rows = Callable[[int], Iterator[tuple[int, Item]]]


class Pages:
    """Makes pages, with the faults that affect them.

    :param key: what the tokens are signed with
    """

    def __init__(self, key: bytes, faults: Faults) -> None:
        self._tokens = Tokens(key)
        self._faults = faults

    def page(self, operation: str, key: str, query: Mapping[str, Any], rows: Rows) -> Item:
        """Make the page that a query asks for.

        :param key: the result key of the items
        :raises ServiceError: for an invalid ``maxResults`` or ``nextToken``
        """
        limit = query.get("maxResults", _MAX_RESULTS)
        if not 1 <= limit <= _MAX_RESULTS:
            raise invalid_value(f"maxResults must be between 1 and {_MAX_RESULTS}, not {limit}.")
        question = _question(operation, query)
        cursor = Cursor()
        if "nextToken" in query:
            cursor = self._tokens.decode(query["nextToken"], question)

        if self._faults.take(EmptyPage, operation):
            again = replace(cursor, empty_pages=cursor.empty_pages + 1)
            return {key: [], "nextToken": self._tokens.encode(again, question)}
        extra = self._faults.take(ExtraItems, operation)
        if extra is not None:
            limit += extra.count
        # One more item than fits on the page tells whether there is a next one.
        found = list(islice(rows(cursor.position), limit + 1))
        following = Cursor(found[limit][0]) if len(found) > limit else None
        cycle = self._faults.take(TokenCycle, operation)
        if cycle is not None:
            following = _next_in_cycle(cursor, following, cycle.length)

        page: Item = {key: [item for _, item in found[:limit]]}
        if following is not None:
            page["nextToken"] = self._tokens.encode(following, question)
        return page


def rows(items: Sequence[Item]) -> Rows:
    """Make the source of pages from a list."""

    def rows(position: int) -> Iterator[tuple[int, Item]]:
        # A copy, because callers may change the answer.
        return ((number, dict(items[number])) for number in range(position, len(items)))

    return rows


def ids(query: Mapping[str, Any], name: str) -> list[str]:
    """Return the ids that a query asks for.

    :raises ServiceError: for more ids than the service allows
    """
    found: list[str] = query.get(name, [])
    if len(found) > _MAX_IDS:
        raise invalid_value(f"{name} must have no more than {_MAX_IDS} ids, not {len(found)}.")
    return found


def _next_in_cycle(cursor: Cursor, following: Cursor | None, length: int) -> Cursor:
    start = cursor.cycle_start if cursor.cycle_pages else cursor.position
    pages = cursor.cycle_pages + 1
    if following is None or pages >= length:
        return Cursor(start)
    return replace(following, cycle_start=start, cycle_pages=pages)


def _question(operation: str, query: Mapping[str, Any]) -> str:
    """Write down the query, apart from the page size and the position."""
    asked = {name: value for name, value in query.items() if name not in _PAGING}
    return json.dumps([operation, asked], sort_keys=True)
