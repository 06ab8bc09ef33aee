"""Answers whose ``nextToken`` cannot be used in a request: the page comes, then an error.

Such a ``nextToken`` may be a number, an object, a list, true or false. It may come with the first
page, a later one, an empty one, one of which a token skips something or everything, one that
MaxItems cuts or ends at, and in any chunk of many ids. Each way of reading returns the items that
came, and shows its position: there is no token behind it, so the resume token is one of the same
page that skips these items. The error is in place of the next page. After it, the reader can ask
again.
"""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.parsers import ResponseParserError
from support.listings import WAYS, ids_in, list_exports, read_into, reading
from support.scripted import ScriptedListing

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

UNUSABLE = [7, 0, False, {}, {"nextToken": "at 10"}, ["at 10"]]
TWENTY = [f"export-{number}" for number in range(20)]
MANY = [f"export-{number}" for number in range(250)]


class WrongTokens(ScriptedListing):
    """A listing that sends something other than its token, a number of times."""

    def __init__(self, ids: list[str], wrong: Any, *, times: int, after: int = 0) -> None:
        super().__init__(ids)
        self.wrong = wrong
        self.times = times
        self.after = after

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = super().answer(request)
        self.after -= 1
        if self.after < 0 and self.times:
            self.times -= 1
            answer["nextToken"] = self.wrong
        return answer


def attach(client: "Client", scripted: ScriptedListing, listing: WrongTokens) -> WrongTokens:
    scripted.detach(client)
    listing.attach(client)
    return listing


@pytest.mark.parametrize("wrong", UNUSABLE, ids=str)
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("ahead", [False, True])
async def test_the_page_comes_then_the_error_then_the_next_page(
    scripted_client: "Client", scripted: ScriptedListing, wrong: Any, after: int, ahead: bool
) -> None:
    attach(scripted_client, scripted, WrongTokens(TWENTY, wrong, times=1, after=after))
    pages = list_exports(scripted_client, PageSize=5)
    async with reading(pages, ahead=ahead) as reader:
        iterator = aiter(reader)
        came = [(await anext(iterator)) for _ in range(after + 1)]
        token = reader.resume_token

        assert came[-1]["NextToken"] == token
        with pytest.raises(ResponseParserError, match="nextToken"):
            await anext(iterator)
        assert reader.resume_token == token
        rest = [export["exportId"] async for page in iterator for export in page["exportsInfo"]]

    assert [export["exportId"] for page in came for export in page["exportsInfo"]] + rest == TWENTY
    assert pages.resume_token is None
    resumed = list_exports(scripted_client, StartingToken=token)
    assert await ids_in(resumed) == TWENTY[5 * (after + 1) :]


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_of_reading_tells_it(
    scripted_client: "Client", scripted: ScriptedListing, way: tuple[str, bool]
) -> None:
    how, ahead = way
    listing = attach(scripted_client, scripted, WrongTokens(TWENTY, 7, times=10, after=1))
    pages = list_exports(scripted_client, PageSize=5)
    before = pages.resume_token
    came: list[str] = []

    async with reading(pages, ahead=ahead) as reader:
        with pytest.raises(ResponseParserError, match="nextToken"):
            await read_into(came, reader, how)

    assert came == ([] if how == "full result" else TWENTY[:10])
    assert (pages.resume_token == before) == (how == "full result")
    listing.times = 0
    rest = list_exports(scripted_client, StartingToken=pages.resume_token)
    assert came + await ids_in(rest) == TWENTY


async def test_while_it_lasts_every_next_page_is_the_error(
    scripted_client: "Client", scripted: ScriptedListing
) -> None:
    listing = attach(scripted_client, scripted, WrongTokens(TWENTY, {"at": 5}, times=100))
    items = list_exports(scripted_client).items()
    came = [(await anext(items))["exportId"] for _ in range(20)]
    for requests in range(1, 5):
        with pytest.raises(ResponseParserError):
            await anext(items)
        assert len(listing.requests) == requests
    token = items.resume_token
    listing.times = 0

    assert [export async for export in items] == []
    assert items.resume_token is None
    assert came == TWENTY
    assert await ids_in(list_exports(scripted_client, StartingToken=token)) == []


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("max_items", [3, 5])
async def test_what_max_items_cuts_or_fills_is_no_error(
    scripted_client: "Client", scripted: ScriptedListing, max_items: int, ahead: bool
) -> None:
    attach(scripted_client, scripted, WrongTokens(TWENTY, 7, times=1))
    pages = list_exports(scripted_client, PageSize=5, MaxItems=max_items)

    async with reading(pages, ahead=ahead) as reader:
        assert await ids_in(reader) == TWENTY[:max_items]

    rest = list_exports(scripted_client, StartingToken=pages.resume_token)
    assert await ids_in(rest) == TWENTY[max_items:]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("skip", [3, 5, 8, 19, 20, 30])
async def test_what_a_token_skips_stays_skipped(
    scripted_client: "Client", scripted: ScriptedListing, skip: int, ahead: bool
) -> None:
    attach(scripted_client, scripted, WrongTokens(TWENTY, 7, times=1))
    scripted.default_page_size = 5
    pages = list_exports(scripted_client, StartingToken=f"None___{skip}")
    came: list[str] = []
    errors = 0

    async with reading(pages, ahead=ahead) as reader:
        items = reader.items()
        while True:
            try:
                async for export in items:
                    came.append(export["exportId"])  # noqa: PERF401  # until an error
                break
            except ResponseParserError:
                errors += 1

    assert (came, errors) == (TWENTY[skip:], 1)
    assert pages.resume_token is None


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("after", [0, 1, 4])
async def test_in_any_chunk_of_many_ids(
    scripted_client: "Client", scripted: ScriptedListing, after: int, ahead: bool
) -> None:
    attach(scripted_client, scripted, WrongTokens(MANY, 7, times=1, after=after))
    pages = list_exports(scripted_client, *MANY, PageSize=40)
    came: list[str] = []
    tokens: list[Any] = []

    async with reading(pages, ahead=ahead) as reader:
        items = reader.items()
        while True:
            try:
                async for export in items:
                    came.append(export["exportId"])  # noqa: PERF401  # until an error
                break
            except ResponseParserError:
                tokens.append((len(came), items.resume_token))

    assert came == MANY
    ((position, token),) = tokens
    resumed = list_exports(scripted_client, *MANY, StartingToken=token)
    assert await ids_in(resumed) == MANY[position:]


async def test_over_http_it_is_the_same(client: "Client", emulator: Emulator) -> None:
    def with_a_number(body: bytes) -> bytes:
        return json.dumps(json.loads(body) | {"nextToken": 7}).encode()

    emulator.inject_foreign_answer(
        "portal",
        body=with_a_number,
        status=200,
        request_id=True,
        headers={"Content-Type": "application/x-amz-json-1.1"},
    )
    items = list_exports(client, PageSize=10).items()
    came = [(await anext(items))["exportId"] for _ in range(10)]
    with pytest.raises(ResponseParserError):
        await anext(items)

    assert came + [export["exportId"] async for export in items] == list(emulator.export_ids)


async def test_an_empty_token_is_the_end(
    scripted_client: "Client", scripted: ScriptedListing
) -> None:
    attach(scripted_client, scripted, WrongTokens(TWENTY, "", times=1))
    pages = list_exports(scripted_client, PageSize=5)

    assert await ids_in(pages) == TWENTY[:5]
    assert pages.resume_token is None


@pytest.mark.parametrize("ahead", [False, True])
async def test_an_empty_page_with_such_a_token_is_a_page(
    scripted_client: "Client", scripted: ScriptedListing, ahead: bool
) -> None:
    attach(scripted_client, scripted, WrongTokens([], 7, times=1))
    async with reading(list_exports(scripted_client), ahead=ahead) as reader:
        pages = aiter(reader)

        assert (await anext(pages))["exportsInfo"] == []
        with pytest.raises(ResponseParserError):
            await anext(pages)
        assert (await anext(pages))["exportsInfo"] == []
        assert pages.resume_token is None
