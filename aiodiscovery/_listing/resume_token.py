"""Reading and writing resume tokens: pure functions, no I/O.

A resume token is botocore's: base64 of JSON, ``{"nextToken": ..., "boto_truncate_amount": n}``,
which means "ask with this token of the service, and leave out the first n items of what comes".
Such tokens go both ways between this package, botocore, boto3, aiobotocore and the AWS CLI.

Only a query with more ids than one request takes has no counterpart there. Its tokens also say
which part of the ids they stand in (``aiodiscovery_chunk``) and for which ids they hold
(``aiodiscovery_ids``); botocore refuses them, as parameters that it does not know.
"""

import base64
import binascii
import json
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from ..exceptions import InvalidResumeTokenError

__all__ = ["BEGINNING", "IdChunks", "Position", "read_resume_token", "write_resume_token"]


class Position(NamedTuple):
    """A place in a listing."""

    #: The service's token to ask with; None for the beginning of the listing, or of the chunk.
    service_token: str | None = None
    #: How many items to leave out from there on.
    skip: int = 0
    #: Which chunk of the ids is asked for.
    chunk: int = 0


BEGINNING = Position()


class IdChunks(NamedTuple):
    """The ids of a query that are too many for one request, in the chunks they are asked for."""

    #: The parameter of the operation that takes them.
    parameter: str
    chunks: tuple[list[str], ...]
    #: Tells lists of ids apart, so that a token is not used with another one.
    digest: str

    @classmethod
    def of(cls, parameter: str, ids: list[str], size: int) -> "IdChunks":
        """Cut the ids into chunks of at most ``size``, in order."""
        chunks = tuple(ids[start : start + size] for start in range(0, len(ids), size))
        return cls(parameter, chunks, sha256(json.dumps(ids).encode()).hexdigest()[:32])


def write_resume_token(position: Position, id_chunks: IdChunks | None = None) -> str:
    """Return the resume token of a position, as botocore would write it."""
    service_token, skip, chunk = position
    # Put together by hand: every page has one, and json.dumps() of a dict takes longer than all
    # else that a page does.
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

    What is not base64 of JSON is read as botocore reads it: ``token___3`` as a token of its old
    style, anything else as a token of the service itself.

    :raises InvalidResumeTokenError: where no listing of this query can go on from there.
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
    try:
        # Lenient as botocore is: what it takes for a resume token must not be another thing here.
        content = json.loads(base64.b64decode(token.encode()).decode())
    except RecursionError:
        raise _not_a_resume_token("it is nested too deeply") from None
    except (binascii.Error, UnicodeError, json.JSONDecodeError):
        position, digest = _read_old_style(token), None
    except ValueError:
        raise _not_a_resume_token("a number in it has too many digits") from None
    else:
        position, digest = _read_content(content)

    if digest is None:
        if id_chunks is not None and position != BEGINNING:
            raise InvalidResumeTokenError(
                "StartingToken does not belong to this query: its ids need several requests, and "
                "the token does not say in which of them to go on"
            )
    elif id_chunks is None or digest != id_chunks.digest:
        raise InvalidResumeTokenError(
            "StartingToken belongs to a query with another list of ids; give the ids that it came "
            "from, in the same order"
        )
    elif position.chunk >= len(id_chunks.chunks):
        raise _not_a_resume_token("it stands behind the last of the ids")
    return position


def _read_old_style(token: str) -> Position:
    match token.split("___"):
        case [service_token, skip]:
            try:
                position = Position(service_token, int(skip))
            except ValueError:
                position = Position(token)
        case [service_token]:
            position = Position(service_token)
        case _:
            raise InvalidResumeTokenError(
                "StartingToken is neither a resume token nor a token of the service: "
                "'___' may stand in it once, before the number of items to skip"
            )
    if position.skip < 0:
        raise _not_a_resume_token("the number of items to skip is negative")
    return position._replace(service_token=_none_if_named(position.service_token))


def _read_content(content: object) -> tuple[Position, str | None]:
    if not isinstance(content, dict):
        raise _not_a_resume_token("it is not a JSON object")
    match content:
        case {"nextToken": str() | None as service_token, **rest} if service_token != "":
            pass
        case _:
            raise _not_a_resume_token("nextToken must be there, and be a string or null")
    skip = _read_count(rest.pop("boto_truncate_amount", 0), "boto_truncate_amount")
    match rest:
        case {} if not rest:
            return Position(_none_if_named(service_token), skip), None
        case {"aiodiscovery_chunk": chunk, "aiodiscovery_ids": str(digest), **others} if not others:
            chunk = _read_count(chunk, "aiodiscovery_chunk")
            return Position(_none_if_named(service_token), skip, chunk), digest
        case _:
            raise _not_a_resume_token(f"unknown keys {sorted(rest)}")


def _read_count(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _not_a_resume_token(f"{key} must be a whole number that is not negative")
    return value


def _none_if_named(service_token: str | None) -> str | None:
    # botocore takes the text "None" for no token in both of its styles.
    return None if service_token == str(None) else service_token


def _not_a_resume_token(reason: str) -> InvalidResumeTokenError:
    return InvalidResumeTokenError(f"StartingToken is not a resume token: {reason}")
