"""Which starting tokens are accepted, what they mean, and which are refused."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.paginate import TokenEncoder
from support.scripted import ScriptedListing

import aiodiscovery

pytestmark = pytest.mark.anyio


@pytest.fixture
def listing() -> ScriptedListing:
    return ScriptedListing([f"export-{number}" for number in range(20)])


@pytest.fixture
async def paginator(
    anyio_backend: str, session: AioSession, listing: ScriptedListing
) -> AsyncIterator[Any]:
    async with aiodiscovery.create_client(
        session=session,
        region_name="us-west-2",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ) as client:
        listing.attach(client)
        yield aiodiscovery.get_paginator(client, "describe_export_tasks")


def encode(content: Any) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


async def first_id(paginator: Any, token: str) -> str:
    pages = paginator.paginate(PaginationConfig={"StartingToken": token})
    async for export in pages.items():
        return str(export["exportId"])
    raise AssertionError("nothing came")


@pytest.mark.parametrize(
    ("token", "first"),
    [
        (encode({"nextToken": "at 4"}), "export-4"),
        (encode({"nextToken": "at 4", "boto_truncate_amount": 3}), "export-7"),
        (encode({"nextToken": None, "boto_truncate_amount": 3}), "export-3"),
        (encode({"nextToken": None}), "export-0"),
        (encode({"nextToken": "None", "boto_truncate_amount": 3}), "export-3"),
        ("at 4___3", "export-7"),
        ("None___3", "export-3"),
        ("None", "export-0"),
        ("at 4", "export-4"),
    ],
)
async def test_a_token_that_botocore_accepts_means_the_same_here(
    paginator: Any, token: str, first: str
) -> None:
    assert await first_id(paginator, token) == first


async def test_what_only_looks_like_an_old_token_is_a_token_of_the_service(
    paginator: Any, listing: ScriptedListing
) -> None:
    listing.fail_after(0, EOFError())
    with pytest.raises(EOFError):
        await first_id(paginator, "at___some place")

    assert listing.requests == [{"nextToken": "at___some place"}]


@pytest.mark.parametrize(
    "content",
    [
        123,
        None,
        "at 4",
        ["at 4"],
        {},
        {"boto_truncate_amount": 3},
        {"foo": 1},
        {"nextToken": "at 4", "foo": 1},
        {"nextToken": 4},
        {"nextToken": ""},
        {"nextToken": ["at 4"]},
        {"nextToken": "at 4", "boto_truncate_amount": -1},
        {"nextToken": "at 4", "boto_truncate_amount": 1.5},
        {"nextToken": "at 4", "boto_truncate_amount": "1"},
        {"nextToken": "at 4", "boto_truncate_amount": True},
        {"nextToken": "at 4", "boto_truncate_amount": None},
        {"nextToken": "at 4", "aiodiscovery_chunk": 1},
        {"nextToken": "at 4", "aiodiscovery_chunk": -1, "aiodiscovery_ids": ""},
        {"nextToken": "at 4", "aiodiscovery_chunk": 1, "aiodiscovery_ids": 7},
    ],
)
async def test_base64_of_json_that_is_no_resume_token_is_refused(
    paginator: Any, listing: ScriptedListing, content: Any
) -> None:
    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match="is not a resume token: "):
        paginator.paginate(PaginationConfig={"StartingToken": encode(content)})

    assert listing.requests == []


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "empty string"),
        (7, "must be a string, or None .* not int"),
        (b"at 4", "must be a string, or None .* not bytes"),
        ("at 4___-3", "negative"),
        ("at___4___3", "once"),
        (base64.b64encode(b"[" * 100_000).decode(), "nested too deeply"),
        (
            base64.b64encode(
                b'{"nextToken": "at 4", "boto_truncate_amount": %s}' % (b"9" * 5000)
            ).decode(),
            "too many digits",
        ),
    ],
)
async def test_any_other_text_or_type_that_cannot_be_gone_on_from_is_refused(
    paginator: Any, token: Any, reason: str
) -> None:
    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match=reason) as caught:
        paginator.paginate(PaginationConfig={"StartingToken": token})

    assert isinstance(caught.value, ValueError)


async def test_tokens_are_written_as_botocore_writes_them(
    paginator: Any, listing: ScriptedListing
) -> None:
    listing.extra_items = 2
    first = paginator.paginate(PaginationConfig={"MaxItems": 4})
    await first.build_full_result()
    second = paginator.paginate(
        PaginationConfig={"MaxItems": 4, "PageSize": 2, "StartingToken": first.resume_token}
    )
    await second.build_full_result()

    write = TokenEncoder().encode
    assert first.resume_token == write({"nextToken": None, "boto_truncate_amount": 4})
    assert second.resume_token == write({"nextToken": "at 8"})


async def test_an_empty_token_of_the_service_ends_the_listing(
    paginator: Any, listing: ScriptedListing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "answer", lambda _: {"exportsInfo": [], "nextToken": ""})

    pages = [page async for page in paginator.paginate()]

    assert ["NextToken" in page for page in pages] == [False]


async def test_a_token_that_stands_behind_the_last_id_is_refused(paginator: Any) -> None:
    ids = [f"export-{number}" for number in range(150)]
    pages = paginator.paginate(exportIds=ids, PaginationConfig={"MaxItems": 2})
    await pages.build_full_result()
    content = json.loads(base64.b64decode(pages.resume_token))

    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match="behind the last"):
        paginator.paginate(
            exportIds=ids,
            PaginationConfig={"StartingToken": encode(content | {"aiodiscovery_chunk": 2})},
        )
