"""A token that came before, at any distance, ends the run before its page comes again.

A listing can lead back to the page just asked for, an earlier one, the first that a token names, or
one that was skipped. This can happen in any chunk of many ids, and however the listing is read,
ahead too. A run that was resumed in the circle goes round at most once. The same token in another
chunk of ids, or in another run, is a different page.
"""

from typing import TYPE_CHECKING, Any

import pytest
from support.listings import WAYS, ids_in, list_exports, read_into, reading
from support.scripted import ScriptedListing

import aiodiscovery

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

MANY = [f"export-{number}" for number in range(250)]


class Circle(ScriptedListing):
    """A listing of two items a page whose page ``end`` leads back to page ``start``."""

    def __init__(self, start: int, end: int, ids: list[str] | None = None) -> None:
        super().__init__(ids or [f"export-{n}" for n in range(100)], default_page_size=2)
        self.start, self.end = 2 * start, 2 * end

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = super().answer(request)
        if answer.get("nextToken") == f"at {self.end + 2}":
            answer["nextToken"] = f"at {self.start}"
        return answer


def attach(client: "Client", scripted: ScriptedListing, circle: Circle) -> Circle:
    scripted.detach(client)
    circle.attach(client)
    return circle


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("start", "end"), [(1, 1), (1, 2), (3, 4), (1, 40)])
async def test_no_page_comes_twice(
    scripted_client: "Client",
    scripted: ScriptedListing,
    start: int,
    end: int,
    way: tuple[str, bool],
) -> None:
    how, ahead = way
    circle = attach(scripted_client, scripted, Circle(start, end))
    came: list[str] = []
    pages = list_exports(scripted_client)

    async with reading(pages, ahead=ahead) as reader:
        for _ in range(2):
            came.clear()
            with pytest.raises(aiodiscovery.PaginationLoopError):
                await read_into(came, reader, how)

    assert came == ([] if how == "full result" else circle.ids[: 2 * end + 2])
    assert len(circle.requests) == 2 * (end + 1)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("token", ["at 4", "at 4___1", "at 4___3", "at 4___6"])
async def test_a_run_that_begins_in_the_circle_goes_round_once(
    scripted_client: "Client", scripted: ScriptedListing, token: str, ahead: bool
) -> None:
    circle = attach(scripted_client, scripted, Circle(1, 3))
    came: list[str] = []

    async with reading(list_exports(scripted_client, StartingToken=token), ahead=ahead) as reader:
        with pytest.raises(aiodiscovery.PaginationLoopError):
            await read_into(came, reader, "items")

    assert len(circle.requests) == 3
    assert len(came) == len(set(came)) == 6 - int(token.partition("___")[2] or 0)


@pytest.mark.parametrize("ahead", [False, True])
async def test_each_chunk_of_many_ids_has_its_own_tokens(
    scripted_client: "Client", scripted: ScriptedListing, ahead: bool
) -> None:
    attach(scripted_client, scripted, Circle(100, 101, MANY))

    async with reading(list_exports(scripted_client, *MANY), ahead=ahead) as reader:
        assert await ids_in(reader) == MANY


@pytest.mark.parametrize("ahead", [False, True])
async def test_a_circle_in_a_later_chunk_is_told_when_its_turn_comes(
    scripted_client: "Client", scripted: ScriptedListing, ahead: bool
) -> None:
    # Only the first hundred is longer than the page that leads back.
    wanted = [*[f"gone-{n}" for n in range(100)], *MANY]
    circle = attach(scripted_client, scripted, Circle(10, 20, MANY))
    pages = list_exports(scripted_client, *wanted)
    came: list[str] = []

    async with reading(pages, ahead=ahead) as reader:
        with pytest.raises(aiodiscovery.PaginationLoopError):
            await read_into(came, reader, "items")

    assert came == circle.ids[:42]
