"""However a listing is cut, its pieces are the listing; botocore's tokens can be exchanged."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from anyio.from_thread import start_blocking_portal
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.scripted import ScriptedListing

import aiodiscovery

CREDENTIALS: dict[str, Any] = {
    "region_name": "us-west-2",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}

# The clients are made once, outside the examples, which the health check would warn about.
properties = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

page_sizes = st.none() | st.integers(1, 12)


def numbered(counts: st.SearchStrategy[int]) -> st.SearchStrategy[list[str]]:
    return counts.map(lambda count: [f"export-{number}" for number in range(count)])


class Lister:
    """Runs this package's paginator in a separate event loop, from blocking code."""

    def __init__(self, portal: Any, client: Any) -> None:
        self._portal = portal
        self._client = client

    def take(
        self,
        listing: ScriptedListing,
        how: str,
        *,
        ids: list[str] | None = None,
        stop_after: int | None = None,
        **config: Any,
    ) -> tuple[list[str], str | None]:
        """Return the ids that a run returns until it stops, and the token to continue with."""
        listing.attach(self._client)
        try:
            came: tuple[list[str], str | None]
            came = self._portal.call(self._take, how, ids, stop_after, config)
        finally:
            listing.detach(self._client)
        return came

    async def _take(
        self, how: str, ids: list[str] | None, stop_after: int | None, config: dict[str, Any]
    ) -> tuple[list[str], str | None]:
        paginator = aiodiscovery.get_paginator(self._client, "describe_export_tasks")
        parameters: Any = {"PaginationConfig": config}
        if ids is not None:
            parameters["exportIds"] = ids
        pages: Any = paginator.paginate(**parameters)
        came: list[str] = []
        try:
            if how == "full result":
                result = await pages.build_full_result()
                return [export["exportId"] for export in result["exportsInfo"]], result.get(
                    "NextToken"
                )
            steps = 0
            async for part in pages.items() if how == "items" else pages:
                came += [item["exportId"] for item in part.get("exportsInfo", [part])]
                steps += 1
                if steps == stop_after:
                    break
        except EndpointConnectionError:
            pass
        return came, pages.resume_token


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def lister(request: pytest.FixtureRequest) -> Iterator[Lister]:
    with (
        start_blocking_portal(request.param) as portal,
        portal.wrap_async_context_manager(aiodiscovery.create_client(**CREDENTIALS)) as client,
    ):
        yield Lister(portal, client)


@pytest.fixture(scope="module")
def botocores() -> Iterator[Any]:
    client = boto3.client("discovery", **CREDENTIALS)
    yield client
    client.close()


def take_with_botocore(
    client: Any, listing: ScriptedListing, **config: Any
) -> tuple[list[str], str | None]:
    listing.attach(client)
    try:
        pages = client.get_paginator("describe_export_tasks").paginate(PaginationConfig=config)
        ids = [export["exportId"] for page in pages for export in page["exportsInfo"]]
        return ids, pages.resume_token
    finally:
        listing.detach(client)


def join_slices(
    lister: Lister, listing: ScriptedListing, data: st.DataObject, ids: list[str] | None = None
) -> list[str]:
    """Read a listing in slices that end in any possible way, each resumed from the one before."""
    joined: list[str] = []
    token: str | None = None
    while True:
        if data.draw(st.booleans(), "connection breaks"):
            good_answers = data.draw(st.integers(0, 2), "answers before that")
            listing.fail_after(good_answers, EndpointConnectionError(endpoint_url="scripted"))
        max_items = data.draw(st.none() | st.integers(0, 40), "MaxItems")
        how = data.draw(st.sampled_from(["pages", "items", "full result"]), "how")
        before = token
        try:
            came, token = lister.take(
                listing,
                how,
                ids=ids,
                stop_after=data.draw(st.none() | st.integers(1, 20), "stop after"),
                MaxItems=max_items,
                PageSize=data.draw(page_sizes, "PageSize"),
                StartingToken=token,
            )
        finally:
            listing.fail_after(None, None)
        assert max_items is None or len(came) <= max_items
        joined += came
        if token is None:
            return joined
        if not came and before == token:
            # A slice may be empty, but not all of them.
            rest, none_left = lister.take(listing, "items", ids=ids, StartingToken=token)
            assert none_left is None
            return joined + rest


@properties
@given(data=st.data(), ids=numbered(st.integers(0, 60)), extra_items=st.sampled_from([0, 0, 1, 5]))
def test_the_pieces_of_any_chain_of_resumes_are_the_listing(
    lister: Lister, data: st.DataObject, ids: list[str], extra_items: int
) -> None:
    listing = ScriptedListing(ids, default_page_size=7, extra_items=extra_items)

    assert join_slices(lister, listing, data) == ids


@settings(properties, max_examples=60)
@given(data=st.data(), ids=numbered(st.integers(101, 320)), known=st.integers(0, 320))
def test_the_pieces_of_a_listing_of_many_ids_are_the_listing(
    lister: Lister, data: st.DataObject, ids: list[str], known: int
) -> None:
    listing = ScriptedListing(ids[:known], default_page_size=7)

    assert join_slices(lister, listing, data, ids) == ids[:known]


@properties
@given(
    ids=numbered(st.integers(0, 45)),
    page_size=st.integers(1, 12),
    max_items=st.integers(1, 50),
    resumed_page_size=page_sizes,
)
def test_botocore_gives_the_same_items_and_its_tokens_work_here(
    lister: Lister,
    botocores: Any,
    ids: list[str],
    page_size: int,
    max_items: int,
    resumed_page_size: int | None,
) -> None:
    listing = ScriptedListing(ids)
    config: dict[str, Any] = {"PageSize": page_size, "MaxItems": max_items}

    theirs, token = take_with_botocore(botocores, listing, **config)
    ours, our_token = lister.take(listing, "items", **config)

    assert ours == theirs
    assert (our_token is None) == (token is None)
    if token is not None:
        config = {"StartingToken": token, "PageSize": resumed_page_size}
        rest, _ = lister.take(listing, "items", **config)
        assert theirs + rest == ids


@properties
@given(
    ids=numbered(st.integers(0, 45)),
    page_size=page_sizes,
    stop_after=st.integers(1, 50),
    how=st.sampled_from(["pages", "items"]),
    extra_items=st.sampled_from([0, 3]),
)
def test_botocore_continues_from_our_tokens(
    lister: Lister,
    botocores: Any,
    ids: list[str],
    page_size: int | None,
    stop_after: int,
    how: str,
    extra_items: int,
) -> None:
    listing = ScriptedListing(ids, extra_items=extra_items)

    ours, token = lister.take(listing, how, PageSize=page_size, stop_after=stop_after)

    if token is None:
        assert ours == ids
    else:
        # With a page that holds all items to be skipped: botocore only skips on the first page.
        rest, _ = take_with_botocore(botocores, listing, StartingToken=token)
        assert ours + rest == ids


@properties
@given(
    ids=numbered(st.integers(0, 45)),
    page_size=page_sizes,
    max_items=st.integers(0, 50),
    skip=st.integers(0, 20),
)
def test_no_item_is_asked_for_that_may_not_be_handed_out(
    lister: Lister, ids: list[str], page_size: int | None, max_items: int, skip: int
) -> None:
    listing = ScriptedListing(ids)

    lister.take(
        listing,
        "items",
        PageSize=page_size,
        MaxItems=max_items,
        StartingToken=f"None___{skip}",
    )

    assert sum(request["maxResults"] for request in listing.requests) <= max_items + skip
