"""What proves that an answer is the service's: pure, no I/O.

Between a client and the service there may be portals, proxies and gateways that answer in its
place, with status 200 too. The service itself sends a JSON object as ``application/x-amz-json-1.1``
with an ``x-amzn-RequestId``. An answer counts if it has status 200 and is

- a JSON object with a result in it: a member, other than ``nextToken``, that the model has for the
  answer. A list is a list of objects. A test double need not send the service's headers with it.
- or an object without a result, and nothing in it that the model does not know, with the service's
  headers: the service may leave out what is empty. Without them ``{}`` is a gateway's.

Nothing that says it is HTML or XML counts. What the service says in an error, it says in a JSON
object too: of any other error only the status counts, and its text is dropped.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from botocore.model import OperationModel

__all__ = [
    "AnswerError",
    "UndecodableAnswerError",
    "answer_error",
    "item_id",
    "prove",
    "readable_error",
    "undecodable",
]

_CONTENT_TYPE = "application/x-amz-json-1.1"
_REQUEST_ID = "x-amzn-requestid"
#: What no JSON is sent as.
_OTHER_LANGUAGES = ("html", "xml")
#: What a JSON object stands for.
_OBJECTS = ("map", "structure")
_TOKEN = "nextToken"  # noqa: S105  # the name of a member
#: Where an error has its message.
_MESSAGES = ("message", "Message")

# What json.loads raises: no UTF-8, no JSON, a number with too many digits, nested too deeply.
_UNREADABLE = (ValueError, RecursionError)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


#: NaN and the infinities are no JSON.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class AnswerError(ResponseParserError):
    """An answer that is not the service's, or cannot be used; its text holds nothing of it."""


class UndecodableAnswerError(AnswerError):
    """An answer of the service that cannot be decoded: one of the things in it is the reason."""


def prove(
    operation: "OperationModel", status: int, headers: Mapping[str, Any], body: bytes
) -> dict[str, Any]:
    """Return what an answer that is no error says, decoded as JSON.

    :raises ResponseParserError: if it is not the service's.
    """
    if status != 200:
        raise _not_the_service_s(operation, f"its status is {status}")
    sent = {str(name).lower(): value for name, value in headers.items()}
    content_type = str(sent.get("content-type", "")).lower()
    if any(language in content_type for language in _OTHER_LANGUAGES):
        raise _not_the_service_s(operation, "it is not JSON")
    answer = _decode(operation, body)
    shape: Any = operation.output_shape
    members: Mapping[str, Any] = {} if shape is None else shape.members
    has_result = False
    for name in answer.keys() & members.keys():
        if body.count(f'"{name}"'.encode()) > 1 and _comes_twice(name, body):
            raise answer_error(operation.name, f"it has {name} twice")
        if answer[name] is not None and name != _TOKEN:
            has_result = True
            _check_list(operation, name, members[name], answer[name])
    if not has_result:
        if content_type.partition(";")[0].strip() != _CONTENT_TYPE or not sent.get(_REQUEST_ID):
            raise _not_the_service_s(operation, "it has no result")
        if answer.keys() - members.keys():
            raise _not_the_service_s(operation, "it holds something else")
    return answer


def _decode(operation: "OperationModel", body: bytes) -> dict[str, Any]:
    try:
        answer, is_readable = _DECODER.decode(body.decode()), True
    except (UnicodeDecodeError, json.JSONDecodeError):
        answer, is_readable = None, True
    except _UNREADABLE:
        answer, is_readable = None, False
    # Not raised above: the other errors hold the answer.
    if not is_readable:
        raise undecodable(operation.name, "a number in it is none, or too long, or it is too deep")
    if type(answer) is not dict:
        raise _not_the_service_s(operation, "it is not a JSON object" if body else "it is empty")
    return answer


def _check_list(operation: "OperationModel", name: str, member: Any, value: object) -> None:
    """Check what should be a list, as botocore does not: it takes ``{}`` for an empty one."""
    if member.type_name == "list":
        if not isinstance(value, list):
            raise answer_error(operation.name, f"its {name} is not a list")
        if member.member.type_name in _OBJECTS and not {dict}.issuperset(map(type, value)):
            raise undecodable(operation.name, f"something in its {name} is not an object")


def _comes_twice(name: str, body: bytes) -> bool:
    """Say whether an object has a member twice, of which one would be taken and the other lost."""
    names = json.loads(body, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    return bool(names.count(name) > 1)


def readable_error(body: bytes) -> bytes:
    """Return the body of an error if botocore can read it; nothing, if it is not the service's.

    Of an empty body botocore makes an error whose code is the status. A message that is not a text
    is left out: whoever reads it expects one.
    """
    try:
        error = json.loads(body.decode())
    except _UNREADABLE:
        return b""
    if type(error) is not dict or not isinstance(error.get("__type", ""), str):
        return b""
    odd = [name for name in _MESSAGES if not isinstance(error.get(name, ""), str)]
    if not odd:
        return body
    return json.dumps({name: error[name] for name in error if name not in odd}).encode()


def item_id(operation_name: str, item: Mapping[str, Any], key: str) -> str:
    """Return the id of what an answer describes.

    :raises ResponseParserError: if it has none. Which one it is cannot be told then, so none can be
        said to be missing.
    """
    found = item.get(key)
    if not isinstance(found, str):
        raise undecodable(operation_name, f"it describes something without {key}")
    return found


def answer_error(operation_name: str, what: str) -> AnswerError:
    """Return the error of an answer that cannot be used.

    :param what: what is wrong with it, with nothing of the answer in it: that may be secret.
    """
    return AnswerError(f"the answer to {operation_name} cannot be used: {what}")


def undecodable(operation_name: str, what: str) -> UndecodableAnswerError:
    """Return the error of an answer of the service of which a part cannot be used."""
    return UndecodableAnswerError(f"the answer to {operation_name} cannot be used: {what}")


def _not_the_service_s(operation: "OperationModel", what: str) -> AnswerError:
    return AnswerError(
        f"the answer to {operation.name} is not the service's: {what}. "
        "A portal, a proxy or another server may have answered"
    )
