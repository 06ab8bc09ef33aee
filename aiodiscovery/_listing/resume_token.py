"""Reading and writing resume tokens: pure functions, no I/O.

A resume token has botocore's format: base64 of JSON, ``{"nextToken": ..., "boto_truncate_amount":
n}``. It means "ask with this token of the service, and skip the first n items of the answer". Such
tokens can be exchanged between this package, botocore, boto3, aiobotocore and the AWS CLI.

Only a query with more ids than fit in one request has no counterpart there. Its tokens also say
which chunk of the ids they point into (``aiodiscovery_chunk``), and for which ids they are valid
(``aiodiscovery_ids``). botocore refuses them, because it does not know these keys.

botocore's older tokens are read too: ``token___3``. Any other text is a token of the service
itself, even if it happens to be base64 of JSON.
"""

import base64
import binascii
import json
import math
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from ..exceptions import InvalidResumeTokenError

__all__ = ["BEGINNING", "IdChunks", "Position", "read_resume_token", "write_resume_token"]


_CHUNK_KEYS = frozenset({"aiodiscovery_chunk", "aiodiscovery_ids"})
#: The keys of botocore's tokens and of ours. A token with any other key is the service's own.
_KEYS = frozenset({"nextToken", "boto_truncate_amount", "boto_encoded_keys"}) | _CHUNK_KEYS


class Position(NamedTuple):
    """A place in a listing."""

    #: The service's token to ask with; None for the beginning of the listing or chunk.
    service_token: str | None = None
    #: How many items to skip from there on.
    skip: int = 0
    #: Which chunk of the ids is asked for.
    chunk: int = 0


BEGINNING = Position()


class IdChunks(NamedTuple):
    """The ids of a query that do not fit in one request, in the chunks that are asked for."""

    #: The parameter of the operation that takes them.
    parameter: str
    chunks: tuple[list[str], ...]
    #: Identifies the list of ids, so that a token is not used with a different one.
    digest: str

    @classmethod
    def of(cls, parameter: str, ids: list[str], size: int) -> "IdChunks":
        """Cut the ids into chunks of at most ``size``, in order."""
        chunks = tuple(ids[start : start + size] for start in range(0, len(ids), size))
        return cls(parameter, chunks, sha256(json.dumps(ids).encode()).hexdigest()[:32])


def write_resume_token(position: Position, id_chunks: IdChunks | None = None) -> str:
    """Return the resume token of a position, as botocore would write it."""
    service_token, skip, chunk = position
    # Written by hand: every page has one, and json.dumps() of a dict takes longer than all other
    # work on a page.
    if service_token is None:
        content = f'{{"nextToken": null, "boto_truncate_amount": {skip}'
    else:
        content = f'{{"nextToken": {encode_basestring_ascii(service_token)}'
        if skip:
            content += f', "boto_truncate_amount": {skip}'
    if id_chunks is not None and position != BEGINNING:
        content += f', "aiodiscovery_chunk": {chunk}, "aiodiscovery_ids": "{id_chunks.digest}"'
    return binascii.b2a_base64(f"{content}}}".encode(), newline=False).decode()


def read_resume_token(token: object, id_chunks: IdChunks | None = None) -> Position:
    """Return the position that a resume token stands for.

    A text that is not clearly a resume token is a token of the service itself, and stays as it is.

    :raises InvalidResumeTokenError: if it is a resume token with wrong values, or no listing of
        this query can continue from there.
    """
    if not isinstance(token, str):
        raise InvalidResumeTokenError(
            "StartingToken must be a string, or None to start at the beginning, "
            f"not {type(token).__name__}"
        )
    if not token:
        raise InvalidResumeTokenError(
            "StartingToken is an empty string; leave it out to start at the beginning"
        )
    content = _decode(token)
    position, digest = (_read_old_style(token), None) if content is None else _read(content)
    if digest is None:
        if id_chunks is not None and position != BEGINNING:
            raise InvalidResumeTokenError(
                "StartingToken does not belong to this query: its ids need several requests, and "
                "the token does not say in which of them to continue"
            )
    elif id_chunks is None or digest != id_chunks.digest:
        raise InvalidResumeTokenError(
            "StartingToken belongs to a query with a different list of ids; give the ids that it "
            "came from, in the same order"
        )
    elif position.chunk >= len(id_chunks.chunks):
        raise _not_a_resume_token("it points behind the last of the ids")
    return position


def _decode(token: str) -> dict[str, Any] | None:
    """Return the content of a token if it has the keys of a resume token, and no others."""
    try:
        # As lenient as botocore: what it takes for a resume token must be one here too.
        text = base64.b64decode(token.encode()).decode()
        content = json.loads(text, parse_int=_parse_int)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and content and content.keys() <= _KEYS:
        return content
    return None


def _parse_int(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return math.inf  # more digits than Python reads: wrong wherever a token has a number


def _read_old_style(token: str) -> Position:
    service_token, separator, skipped = token.partition("___")
    if separator and service_token and "___" not in skipped:
        try:
            skip = int(skipped)
        except ValueError:
            pass
        else:
            return Position(
                _none_if_named(service_token), _check_count(skip, "the number of items to skip")
            )
    return Position(_none_if_named(token))


def _read(content: dict[str, Any]) -> tuple[Position, str | None]:
    if "nextToken" not in content:
        raise _not_a_resume_token("nextToken is missing")
    service_token = content["nextToken"]
    if service_token == "" or not isinstance(service_token, str | None):
        raise _not_a_resume_token("nextToken must be a string that is not empty, or null")
    if content.get("boto_encoded_keys") not in (None, []):
        raise _not_a_resume_token("the service's tokens are text, but boto_encoded_keys says bytes")
    position = Position(
        _none_if_named(service_token),
        _check_count(content.get("boto_truncate_amount", 0), "boto_truncate_amount"),
    )
    if content.keys().isdisjoint(_CHUNK_KEYS):
        return position, None
    digest = content.get("aiodiscovery_ids")
    if not isinstance(digest, str):
        raise _not_a_resume_token("aiodiscovery_ids must be a string")
    chunk = _check_count(content.get("aiodiscovery_chunk"), "aiodiscovery_chunk")
    return position._replace(chunk=chunk), digest


def _check_count(value: object, name: str) -> int:
    if type(value) is not int or value < 0:
        raise _not_a_resume_token(f"{name} must be a whole number of at least 0")
    return value


def _none_if_named(service_token: str | None) -> str | None:
    # In both of its formats botocore takes the text "None" for no token.
    return None if service_token == str(None) else service_token


def _not_a_resume_token(reason: str) -> InvalidResumeTokenError:
    return InvalidResumeTokenError(f"StartingToken is not a resume token: {reason}")
