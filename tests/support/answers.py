"""Answers as bytes: as the service's model describes them, unlike it, and not at all."""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import strategies as st

__all__ = [
    "GARBAGE",
    "ODD_TIMESTAMPS",
    "OPERATIONS",
    "SERVICE",
    "Body",
    "answers",
    "damaged",
    "error_bodies",
    "garbage",
    "headers",
    "sample",
    "statuses",
    "with_one_other",
]

SERVICE = ServiceModel(Loader().load_service_model("discovery", "service-2"), "discovery")
OPERATIONS = SERVICE.operation_names


class Body:
    """The parts of an aiohttp response that aiobotocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


# Answers as text, because JSON allows more than json.dumps can write: the same key twice, NaN ...

plain_json: st.SearchStrategy[str] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
).map(json.dumps)
odd_json = st.sampled_from(
    ["null", "true", "{}", "[]", "[null]", '""', "NaN", "-Infinity", "1e400", "9" * 5000]
)
ODD_TIMESTAMPS = [
    "0",
    "-1",
    "true",
    "253402300799",
    "253402300799.9999999",
    "253402300800",
    "-62135596800",
    "-62135596801",
    "1e18",
    "1" + 40 * "0",
    "1" + 400 * "0",
    "NaN",
    "Infinity",
    '"1767571200.5"',
    '"nan"',
    '"inf"',
    '""',
    '"2026-01-05T00:00:00Z"',
    '"2026-01-05T02:00:00.25+02:00"',
    '"Mon, 05 Jan 2026 00:00:00 GMT"',
    '"9999-12-31T23:59:59-05:00"',
    '"0001-01-01T00:00:00+05:00"',
    '"never"',
    "[]",
    "{}",
]
timestamps = st.one_of(
    st.integers(-(10**10), 4 * 10**9).map(str),
    st.floats(0, 4e9).map(str),
    st.floats(-1e13, 1e13).map(str),
    st.integers(0, 10**9).map(lambda halves: f"{halves}.{halves % 10**6:06}5"),
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda at: f'"{at.isoformat()}"'),
    st.sampled_from(ODD_TIMESTAMPS),
)
SCALARS: dict[str, st.SearchStrategy[str]] = {
    "string": st.text(max_size=8).map(json.dumps),
    "boolean": st.sampled_from(["true", "false"]),
    "integer": st.integers().map(str),
    "long": st.integers().map(str),
}


def json_object(pairs: list[str]) -> str:
    return "{" + ", ".join(pairs) + "}"


@cache
def texts(shape: Any, wild: bool) -> st.SearchStrategy[str]:
    """Return JSON texts of values of the shape; if wild, with parts that do not belong there."""
    kind = shape.type_name
    if kind == "structure":
        nulls = st.sampled_from([f'"{name}": null' for name in ("__type", *shape.members)])
        unknown = st.sampled_from(['"__type": "a#B"', '"unknown": {"a": [null]}', '"ne\\u0077": 1'])
        members = [
            st.tuples(st.just(f'"{name}"'), texts(member, wild)).map(": ".join)
            for name, member in shape.members.items()
        ]
        # Some are left out, some come twice, and they come in any order.
        pairs = st.lists(st.one_of(*members, nulls, unknown), max_size=len(members) + 3)
        found = pairs.map(json_object)
    elif kind == "list":
        elements = st.lists(texts(shape.member, wild) | st.just("null"), max_size=4)
        found = elements.map(", ".join).map("[{}]".format)
    elif kind == "map":
        pair = st.tuples(texts(shape.key, wild=False), texts(shape.value, wild) | st.just("null"))
        found = st.lists(pair.map(": ".join), max_size=4).map(json_object)
    elif kind == "timestamp":
        found = timestamps if wild else st.floats(-6e10, 2e11).map(str)
    else:
        found = SCALARS[kind]
    return st.one_of(found, found, found, found, odd_json, plain_json) if wild else found


def answers(operation: str, wild: bool) -> st.SearchStrategy[bytes]:
    shape = SERVICE.operation_model(operation).output_shape
    assert shape is not None
    return texts(shape, wild).map(str.encode)


def damaged(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Cut out a piece, and insert another one."""
    return st.builds(
        lambda body, start, length, piece: body[:start] + piece + body[start + length :],
        bodies,
        st.integers(0, 80),
        st.integers(0, 3),
        st.binary(max_size=2)
        | st.sampled_from([b"{", b"}", b"[", b"]", b'"', b",", b"0", b"null"]),
    )


def sample(shape: Any, length: int) -> Any:
    """Return an answer in full, with lists of this length."""
    if shape.type_name == "structure":
        return {name: sample(member, length) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [sample(shape.member, length)] * length
    if shape.type_name == "map":
        return {"a": sample(shape.value, length), "b": sample(shape.value, length)}
    return {
        "string": "x",
        "boolean": False,
        "integer": 1,
        "long": 2**40,
        "timestamp": 1.7e9 + 0.123,
    }[shape.type_name]


def with_one_other(value: Any, other: Any) -> Iterator[Any]:
    """Copy the value, each time with the other value in a different place."""
    yield other
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (value | {name: variant} for variant in with_one_other(inner, other))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from (
                [*value[:at], variant, *value[at + 1 :]] for variant in with_one_other(inner, other)
            )


codes = st.sampled_from(
    [shape.name for shape in SERVICE.error_shapes]
    + ["ThrottlingException", "com.amazonaws.x#InvalidParameterException", "A:http://x", "#", ""]
)
error_members = st.one_of(
    codes.map(lambda code: f'"__type": {json.dumps(code)}'),
    SCALARS["string"].map('"message": {}'.format),
    SCALARS["string"].map('"Message": {}'.format),
    plain_json.map('"message": {}'.format),
    plain_json.map('"__type": {}'.format),
)
error_bodies = st.lists(error_members, max_size=3).map(json_object).map(str.encode)
GARBAGE = [
    b"",
    b" ",
    b"<html><body>Service Unavailable</body></html>",
    b"\xef\xbb\xbf{}",
    '{"nextToken": "x"}'.encode("utf-16"),
    b'{"nextToken": "\xff"}',
    b'{"nextToken": "\\ud800"}',
    b'{"nextToken": "x"} {}',
    b'{"nextToken": "x"',
    b"[" * 100_000,
]
garbage = st.one_of(
    st.binary(max_size=40),
    (odd_json | plain_json).map(str.encode),
    st.sampled_from(GARBAGE),
)
statuses = st.sampled_from([200, 201, 202, 204, 206, 300, 301, 400, 403, 404, 429, 500, 503])
header_names = st.sampled_from(
    ["x-amzn-requestid", "x-amzn-RequestId", "X-Amzn-Query-Error", "x-amzn-query-error", "Date"]
)
headers = st.dictionaries(
    header_names, st.sampled_from(["", "a;b", "Code;Sender"]) | st.text("aZ9-", max_size=5)
)
