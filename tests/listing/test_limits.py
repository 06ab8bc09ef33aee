"""PaginationConfig: how much is requested and returned, and what is refused."""

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from support.listings import asked, ids_in, ids_of, list_exports

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio


# MaxItems and what is asked for


async def test_max_items_counts_over_page_borders(client: "Client", emulator: Emulator) -> None:
    pages = [page async for page in list_exports(client, PageSize=10, MaxItems=13)]

    assert [len(page["exportsInfo"]) for page in pages] == [10, 3]
    assert "NextToken" in pages[-1]


async def test_max_items_that_end_with_the_listing_leave_no_token_after_a_resume(
    client: "Client", emulator: Emulator
) -> None:
    items = list_exports(client).items()
    came = [(await anext(items))["exportId"] for _ in range(20)]
    # The token skips 20 items of the only page.
    rest = list_exports(client, MaxItems=5, StartingToken=items.resume_token)

    pages = [page async for page in rest]

    assert came + [export_id for page in pages for export_id in ids_of(page)] == list(
        emulator.export_ids
    )
    assert "NextToken" not in pages[-1]
    assert rest.resume_token is None


async def test_max_items_starts_anew_over_a_resume(client: "Client", emulator: Emulator) -> None:
    token = None
    sizes: list[int] = []
    came: list[str] = []
    while not sizes or token is not None:
        pages = list_exports(client, MaxItems=10, PageSize=4, StartingToken=token)
        part = await ids_in(pages)
        came += part
        sizes.append(len(part))
        token = pages.resume_token

    assert sizes == [10, 10, 5]
    assert came == list(emulator.export_ids)


@pytest.mark.parametrize("max_items", [25, 26, 1000, "25"])
async def test_a_limit_that_is_not_reached_leaves_nothing(
    client: "Client", emulator: Emulator, max_items: int | str
) -> None:
    pages = list_exports(client, MaxItems=max_items)

    assert len(await ids_in(pages)) == 25
    assert pages.resume_token is None


async def test_max_items_of_0_sends_nothing_and_stays_where_it_is(
    client: "Client", emulator: Emulator
) -> None:
    started = list_exports(client, MaxItems=3)
    await ids_in(started)
    emulator.clear_requests()
    token = started.resume_token

    pages = list_exports(client, MaxItems=0, StartingToken=token)

    assert [page async for page in pages] == []
    assert await pages.build_full_result() == {"exportsInfo": [], "NextToken": token}
    assert pages.resume_token == token
    assert emulator.requests == ()


async def test_no_request_asks_for_more_than_max_items_allows(
    client: "Client", emulator: Emulator
) -> None:
    await ids_in(list_exports(client, PageSize=10, MaxItems=13))
    await ids_in(list_exports(client, MaxItems=7))

    assert [request["maxResults"] for request in asked(emulator)] == [10, 3, 7]


async def test_a_mid_page_token_asks_for_what_it_has_to_skip_too(
    client: "Client", emulator: Emulator
) -> None:
    items = list_exports(client, PageSize=20).items()
    for _ in range(5):
        await anext(items)
    emulator.clear_requests()

    pages = list_exports(client, MaxItems=3, StartingToken=items.resume_token)

    assert await ids_in(pages) == list(emulator.export_ids[5:8])
    assert [request["maxResults"] for request in asked(emulator)] == [8]


async def test_without_a_limit_the_service_chooses_the_page_size(
    client: "Client", emulator: Emulator
) -> None:
    await ids_in(list_exports(client))
    await ids_in(list_exports(client, MaxItems=100))

    assert asked(emulator) == [{}, {}]


async def test_a_page_with_more_than_asked_is_cut_and_the_token_points_inside_it(
    client: "Client", emulator: Emulator
) -> None:
    emulator.inject_extra_items(5)
    pages = list_exports(client, MaxItems=7)

    assert await ids_in(pages) == list(emulator.export_ids[:7])

    rest = list_exports(client, StartingToken=pages.resume_token, PageSize=3)
    assert await ids_in(rest) == list(emulator.export_ids[7:])


async def test_a_small_page_size_does_not_make_skipping_cost_requests(
    client: "Client", emulator: Emulator
) -> None:
    items = list_exports(client, PageSize=20).items()
    for _ in range(10):
        await anext(items)
    emulator.clear_requests()

    rest = list_exports(client, StartingToken=items.resume_token, PageSize=4)

    assert [len(page["exportsInfo"]) async for page in rest] == [4, 4, 4, 3]
    assert [request["maxResults"] for request in asked(emulator)] == [14, 4, 4, 4]


async def test_pages_that_a_token_skips_whole_are_not_handed_out(
    client: "Client", emulator: Emulator
) -> None:
    emulator.add_exports(225)
    content = {"nextToken": None, "boto_truncate_amount": 230}
    token = base64.b64encode(json.dumps(content).encode()).decode()
    emulator.inject_empty_page()

    pages = list_exports(client, StartingToken=token, MaxItems=15)

    # The empty page, on which nothing was skipped, is a page like any other.
    assert [ids_of(page) async for page in pages] == [[], list(emulator.export_ids[230:245])]
    assert [request.get("maxResults") for request in asked(emulator)] == [None, None, None, 45]


# PaginationConfig


@pytest.mark.parametrize(
    "value", [-1, 2.7, "2.7", True, "many", "", [], float("inf"), float("nan")]
)
@pytest.mark.parametrize("name", ["MaxItems", "PageSize"])
async def test_a_number_that_is_none_is_refused(client: "Client", name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a whole number .*, not "):
        list_exports(client, **{name: value})


@pytest.mark.parametrize("value", [0, 101, "101"])
async def test_a_page_size_outside_the_service_s_limits_is_refused(
    client: "Client", value: int | str
) -> None:
    with pytest.raises(ValueError, match="PageSize must be a whole number from 1 to 100, not"):
        list_exports(client, PageSize=value)


async def test_numeric_strings_are_numbers(client: "Client", emulator: Emulator) -> None:
    assert len(await ids_in(list_exports(client, MaxItems="6", PageSize="4"))) == 6

    assert [request["maxResults"] for request in asked(emulator)] == [4, 2]


async def test_none_in_the_config_is_as_if_it_were_not_there(
    client: "Client", emulator: Emulator
) -> None:
    pages = list_exports(client, MaxItems=None, PageSize=None, StartingToken=None)

    assert len(await ids_in(pages)) == 25
    assert asked(emulator) == [{}]


async def test_an_unknown_key_in_the_config_is_refused(client: "Client") -> None:
    with pytest.raises(ValueError, match="'maxItems'; allowed are MaxItems, PageSize and Starting"):
        list_exports(client, maxItems=3)


async def test_a_config_that_is_no_dict_is_refused(client: "Client") -> None:
    paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")

    with pytest.raises(ValueError, match="PaginationConfig must be a dict, not list"):
        paginator.paginate(PaginationConfig=[])


@pytest.mark.parametrize(
    ("name", "instead"), [("nextToken", "StartingToken"), ("maxResults", "PageSize")]
)
async def test_the_service_s_own_paging_parameters_are_refused(
    client: "Client", name: str, instead: str
) -> None:
    paginator: Any = aiodiscovery.get_paginator(client, "describe_export_tasks")

    with pytest.raises(ValueError, match=f"give {instead} in PaginationConfig instead of {name}"):
        paginator.paginate(**{name: "1"})
