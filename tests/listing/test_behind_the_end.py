"""A listing that got shorter: resuming behind its end ends, with no token left.

A run can begin behind the end from any token that skips: botocore's and ours, old style or new, in
one request or in the last of several pages or chunks of ids. Each way of reading shows it: the
iterators of ``__aiter__()``, ``items()`` and ``search()`` by their ``resume_token`` and that of the
``PageIterator``, ``build_full_result()`` by ``NextToken``, ``prefetch()`` in all these ways.
"""

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError
from support.listings import WAYS, ids_in, list_exports, read_into, reading
from support.scripted import ScriptedListing

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

MANY = [f"export-{number}" for number in range(250)]


def skipping(amount: int, service_token: str | None = None) -> str:
    content = {"nextToken": service_token, "boto_truncate_amount": amount}
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "token", [skipping(20), skipping(10**4000), skipping(5, "at 15"), "None___21", "at 15___5"]
)
async def test_behind_the_end_nothing_comes_and_nothing_is_left(
    scripted_client: "Client", token: str, way: tuple[str, bool]
) -> None:
    how, ahead = way
    pages = list_exports(scripted_client, StartingToken=token, MaxItems=7, PageSize=4)
    came: list[str] = []

    async with reading(pages, ahead=ahead) as reader:
        next_token = await read_into(came, reader, how)

    assert (came, next_token) == ([], None)
    assert pages.resume_token is reader.resume_token is None


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    "iterate",
    [aiter, lambda pages: pages.items(), lambda pages: pages.search("exportsInfo")],
    ids=["pages", "items", "search"],
)
async def test_an_iterator_behind_the_end_knows_it(
    scripted_client: "Client", iterate: Callable[[Any], Any], ahead: bool
) -> None:
    pages = list_exports(scripted_client, StartingToken=skipping(30))
    async with reading(pages, ahead=ahead) as reader:
        iterator = iterate(reader)
        assert iterator.resume_token == pages.resume_token == skipping(30)
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(iterator)
            assert iterator.resume_token is pages.resume_token is None
        await iterator.aclose()

        assert iterator.resume_token is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("left", [0, 200, 230])
async def test_the_same_behind_the_last_of_many_ids(
    scripted_client: "Client", scripted: ScriptedListing, left: int, way: tuple[str, bool]
) -> None:
    how, ahead = way
    scripted.ids = MANY
    cut = list_exports(scripted_client, *MANY, MaxItems=230)
    await cut.build_full_result()
    scripted.ids = MANY[:left]
    pages = list_exports(scripted_client, *MANY, StartingToken=cut.resume_token, PageSize=9)
    came: list[str] = []

    async with reading(pages, ahead=ahead) as reader:
        next_token = await read_into(came, reader, how)

    assert (came, next_token, pages.resume_token) == ([], None, None)


@pytest.mark.parametrize("way", WAYS)
async def test_an_error_on_the_way_to_the_end_leaves_the_token(
    scripted_client: "Client", scripted: ScriptedListing, way: tuple[str, bool]
) -> None:
    how, ahead = way
    scripted.default_page_size = 5
    scripted.fail_after(2, EndpointConnectionError(endpoint_url="scripted"))
    pages = list_exports(scripted_client, StartingToken=skipping(30))

    async with reading(pages, ahead=ahead) as reader:
        with pytest.raises(EndpointConnectionError):
            await read_into([], reader, how)
        assert pages.resume_token == skipping(30)
        assert await read_into([], reader, how) is None

    assert pages.resume_token is None


async def test_max_items_of_0_behind_the_end_does_not_look(
    scripted_client: "Client", scripted: ScriptedListing
) -> None:
    pages = list_exports(scripted_client, StartingToken=skipping(30), MaxItems=0)

    result = await pages.build_full_result()

    assert result == {"exportsInfo": [], "NextToken": skipping(30)}
    assert pages.resume_token == skipping(30)
    assert scripted.requests == []


async def test_a_loop_over_slices_ends_though_the_listing_gets_shorter(
    scripted_client: "Client", scripted: ScriptedListing
) -> None:
    came: list[str] = []
    token: str | None = None
    for _ in range(10):
        pages = list_exports(scripted_client, MaxItems=6, StartingToken=token)
        came += await ids_in(pages)
        token = pages.resume_token
        if token is None:
            break
        scripted.ids = scripted.ids[:-5]

    assert token is None
    assert came == [f"export-{number}" for number in range(12)]
