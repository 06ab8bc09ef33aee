"""Which starting tokens are accepted, what they mean, and which are refused.

A ``StartingToken`` is read in one place, ``paginate()``, and may be

- botocore's: base64 of JSON with ``nextToken`` and perhaps ``boto_truncate_amount``,
- botocore's of the old style: ``token___3``,
- one of a query with many ids: botocore's, with ``aiodiscovery_chunk`` and ``aiodiscovery_ids``,
- the service's own: everything else. It is sent unchanged, whatever it looks like,
- wrong: it has only our keys, but values that are never written; or it is not even a string.

A wrong one is refused before anything is sent, with a message that stays short.
"""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiobotocore.session import AioSession
from botocore.paginate import TokenEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted import ScriptedListing

import aiodiscovery
from aiodiscovery._listing.query import Operation

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
        (encode({"nextToken": "at 4", "boto_encoded_keys": []}), "export-4"),
        (encode({"nextToken": "at 4", "boto_encoded_keys": None}), "export-4"),
        ("\n" + encode({"nextToken": "at 4", "boto_truncate_amount": 3}) + "\n", "export-7"),
        ("at 4___+1_0", "export-14"),
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


@pytest.mark.parametrize(
    "token",
    [
        "at___some place",
        "at___4___3",
        "at___4___",
        "______",
        "______3",
        "___3",
        "___",
        "at 4___",
        "at 4___1.5",
        "at 4____3",
        "at 4___" + "9" * 5000,
        "a" * 100_000,
        encode(123),
        encode(-1.5),
        encode(None),
        encode(True),
        encode("at 4"),
        encode(""),
        encode([]),
        encode(["at 4"]),
        encode([{"nextToken": "at 4"}]),
        encode({}),
        encode({"foo": 1}),
        encode({"NextToken": "at 4"}),
        encode({"nextToken": "at 4", "foo": 1}),
        encode({"nextToken": 4, "foo": 1}),
        encode({"nextToken": "at 4", "boto_truncate_amount": -1, "shard": 2}),
        encode({"token": {"nextToken": "at 4"}}),
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(b"9" * 5000).decode(),
        base64.b64encode(b'{"offset": %s}' % (b"9" * 5000)).decode(),
        base64.b64encode(b'{"nextToken": "at 4"').decode(),
        base64.b64encode(b'\xef\xbb\xbf{"nextToken": "at 4"}').decode(),
        base64.b64encode('{"nextToken": "at 4"}'.encode("utf-16")).decode(),
        "\N{SNOWMAN}",
        "\ud800",
    ],
    ids=lambda token: ascii(token[:40]),
)
async def test_any_other_text_is_a_token_of_the_service_and_sent_as_it_is(
    paginator: Any, listing: ScriptedListing, token: str
) -> None:
    listing.fail_after(0, EOFError())
    with pytest.raises(EOFError):
        await first_id(paginator, token)

    assert listing.requests == [{"nextToken": token}]


async def test_a_page_in_the_middle_of_such_a_listing_can_be_resumed(
    paginator: Any, listing: ScriptedListing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [encode([1]), "a___b___2", encode({"at": 4}), "___3"]
    answers = {
        asked: {"exportsInfo": [{"exportId": f"{number} {letter}"} for letter in "ab"]}
        | ({"nextToken": tokens[number]} if number < len(tokens) else {})
        for number, asked in enumerate([None, *tokens])
    }
    monkeypatch.setattr(listing, "answer", lambda request: answers[request.get("nextToken")])
    came: list[str] = []
    token: str | None = None

    while token is not None or not came:
        pages = paginator.paginate(PaginationConfig={"MaxItems": 1, "StartingToken": token})
        came += [export["exportId"] async for export in pages.items()]
        token = pages.resume_token

    assert came == [f"{number} {letter}" for number in range(5) for letter in "ab"]


@pytest.mark.parametrize(
    "content",
    [
        {"boto_truncate_amount": 3},
        {"boto_encoded_keys": []},
        {"aiodiscovery_chunk": 1, "aiodiscovery_ids": "a"},
        {"nextToken": 4},
        {"nextToken": False},
        {"nextToken": ""},
        {"nextToken": ["at 4"]},
        {"nextToken": {"nextToken": "at 4"}},
        {"nextToken": "at 4", "boto_truncate_amount": -1},
        {"nextToken": "at 4", "boto_truncate_amount": 1.5},
        {"nextToken": "at 4", "boto_truncate_amount": 1e400},
        {"nextToken": "at 4", "boto_truncate_amount": "1"},
        {"nextToken": "at 4", "boto_truncate_amount": True},
        {"nextToken": "at 4", "boto_truncate_amount": None},
        {"nextToken": "at 4", "boto_truncate_amount": [1]},
        {"nextToken": "YXQgNA==", "boto_encoded_keys": [["nextToken"]]},
        {"nextToken": "at 4", "boto_encoded_keys": 0},
        {"nextToken": "at 4", "aiodiscovery_chunk": 1},
        {"nextToken": "at 4", "aiodiscovery_ids": "a"},
        {"nextToken": "at 4", "aiodiscovery_chunk": -1, "aiodiscovery_ids": ""},
        {"nextToken": "at 4", "aiodiscovery_chunk": 1.0, "aiodiscovery_ids": ""},
        {"nextToken": "at 4", "aiodiscovery_chunk": 1, "aiodiscovery_ids": 7},
        {"nextToken": 10**4000},
        {"nextToken": ["at 4"] * 100_000},
        {"nextToken": "at 4", "boto_truncate_amount": "1" * 1_000_000},
    ],
    ids=lambda content: str(content)[:60],
)
@pytest.mark.parametrize("count", [None, 150])
async def test_our_keys_with_wrong_values_are_refused(
    paginator: Any, listing: ScriptedListing, content: Any, count: int | None
) -> None:
    ids: Any = {} if count is None else {"exportIds": [f"export-{n}" for n in range(count)]}
    with pytest.raises(
        aiodiscovery.InvalidResumeTokenError, match="is not a resume token: "
    ) as caught:
        paginator.paginate(**ids, PaginationConfig={"StartingToken": encode(content)})

    assert len(str(caught.value)) < 200
    assert listing.requests == []


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "empty string"),
        (7, "must be a string, or None .* not int"),
        (0, "must be a string, or None .* not int"),
        (False, "must be a string, or None .* not bool"),
        (b"at 4", "must be a string, or None .* not bytes"),
        ({"nextToken": "at 4"}, "must be a string, or None .* not dict"),
        ("at 4___-3", "at least 0"),
        ("None___-1", "at least 0"),
        (
            base64.b64encode(
                b'{"nextToken": "at 4", "boto_truncate_amount": %s}' % (b"9" * 5000)
            ).decode(),
            "boto_truncate_amount must be a whole number",
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_any_other_text_or_type_that_cannot_be_gone_on_from_is_refused(
    paginator: Any, token: Any, reason: str
) -> None:
    with pytest.raises(aiodiscovery.InvalidResumeTokenError, match=reason) as caught:
        paginator.paginate(PaginationConfig={"StartingToken": token})

    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 200


KEYS = st.sampled_from(
    [
        "nextToken",
        "boto_truncate_amount",
        "boto_encoded_keys",
        "aiodiscovery_chunk",
        "aiodiscovery_ids",
        "shard",
    ]
)
CONTENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=8,
)
TEXTS = st.lists(st.sampled_from(["a", "_", "___", "3", "-", "None", " ", "="])).map("".join)


@settings(max_examples=500, deadline=None)
@given(CONTENTS.map(encode) | TEXTS | st.text())
def test_any_text_is_read_or_refused_in_a_few_words(token: str) -> None:
    paginator = aiodiscovery.Paginator(AsyncMock(), Operation("DescribeTags", "tags"))
    try:
        pages = paginator.paginate(PaginationConfig={"StartingToken": token})
    except aiodiscovery.InvalidResumeTokenError as error:
        assert len(str(error)) < 200  # noqa: PT017  # it need not be raised
    else:
        assert pages.resume_token == token


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
