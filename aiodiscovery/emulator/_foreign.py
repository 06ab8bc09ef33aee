"""Answers from something between the service and a program, not from the service."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

__all__ = ["PORTAL", "ForeignAnswer", "ForeignKind", "Recipe", "recipe"]

ForeignKind = Literal[
    "portal",
    "empty",
    "half",
    "bom",
    "object",
    "error",
    "null",
    "null-item",
    "array",
    "bytes",
    "unavailable",
    "redirect",
]

_HTML = {"Content-Type": "text/html; charset=utf-8"}
_JSON = {"Content-Type": "application/json"}
_AWS_JSON = {"Content-Type": "application/x-amz-json-1.1"}
_PORTAL = (
    b"<!DOCTYPE html>\n<html><head><title>Welcome to the guest network</title></head>"
    b'<body><form action="/login"><input name="code"> <button>Sign in</button></form>'
    b"</body></html>\n"
)


class ForeignAnswer(Exception):  # noqa: N818 - it says what happened
    """Something other than the service answers a call, because a test asked for that.

    :param status: the HTTP status
    :param headers: the headers
    :param body: the body
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"status {status}, {len(body)} bytes")
        self.status = status
        self.headers = headers
        self.body = body


@dataclass(frozen=True, slots=True)
class Recipe:
    """How such an answer is made.

    :param make: makes the body, from that of the service's own answer
    :param carried_out: whether the service carries out the call
    """

    make: Callable[[bytes], bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    carried_out: bool = False

    def answer(self, answer: bytes) -> ForeignAnswer:
        """Make it.

        :param answer: the body of the service's own answer; empty if the call is not carried out
        """
        return ForeignAnswer(self.status, self.headers, self.make(answer))


def _fixed(body: bytes, headers: Mapping[str, str], status: int = 200) -> Recipe:
    return Recipe(lambda _: body, status, headers)


def _changed(make: Callable[[bytes], bytes]) -> Recipe:
    return Recipe(make, 200, _AWS_JSON, carried_out=True)


def _with_null(answer: bytes) -> bytes:
    value = json.loads(answer)
    for found in value.values():
        if isinstance(found, list):
            found.insert(0, None)
    return json.dumps(value).encode()


_RECIPES: Mapping[str, Recipe] = {
    "portal": _fixed(_PORTAL, _HTML),
    "empty": _fixed(b"", {}),
    "half": _changed(lambda answer: answer[: len(answer) // 2]),
    "bom": _changed(lambda answer: b"\xef\xbb\xbf" + answer),
    "object": _fixed(b"{}", _JSON),
    "error": _fixed(b'{"__type": "InternalFailure", "message": "Try again later."}', _JSON),
    "null": _fixed(b"null", _AWS_JSON),
    "null-item": _changed(_with_null),
    "array": _fixed(b"[null]", _AWS_JSON),
    "bytes": _fixed(b"\xff\xfe\x00\x9f\x1f\x8b", {"Content-Type": "application/octet-stream"}),
    "unavailable": _fixed(
        "<html><body>Dienst nicht verfügbar</body></html>".encode("latin-1"),
        {"Content-Type": "text/html; charset=iso-8859-1"},
        503,
    ),
    "redirect": _fixed(b"", {"Location": "/login"}, 302),
}


def recipe(
    kind: str,
    body: bytes | str | Callable[[bytes], bytes] | None,
    status: int | None,
    headers: Mapping[str, str] | None,
    *,
    carried_out: bool | None = None,
    request_id: bool = False,
) -> Recipe:
    """Make a recipe from one of the fixed ones above and the changes to it.

    :raises ValueError: for an unknown kind or an invalid status
    """
    if kind not in _RECIPES:
        kinds = ", ".join(get_args(ForeignKind))
        raise ValueError(f"kind must be one of {kinds}, not {kind!r}")
    if status is not None and not 200 <= status <= 599:
        raise ValueError(f"status must be between 200 and 599, not {status}")
    chosen = _RECIPES[kind]
    make, needs_answer = chosen.make, chosen.carried_out
    if callable(body):
        make, needs_answer = body, True
    elif body is not None:
        fixed = body.encode() if isinstance(body, str) else body
        make, needs_answer = (lambda _: fixed), False
    return Recipe(
        make,
        chosen.status if status is None else status,
        _merged(chosen.headers, headers or {}, request_id=request_id),
        # A body made from the service's answer needs that answer.
        needs_answer or bool(carried_out),
    )


def _merged(
    headers: Mapping[str, str], given: Mapping[str, str], *, request_id: bool
) -> dict[str, str]:
    names = {name.lower() for name in given}
    merged = {name: value for name, value in headers.items() if name.lower() not in names}
    if request_id and "x-amzn-requestid" not in names:
        merged["x-amzn-RequestId"] = str(uuid.uuid4())
    return merged | dict(given)


#: The page behind the redirect.
PORTAL: Recipe = _RECIPES["portal"]
