"""What proves that an answer is the service's: pure, no I/O.

Portals, proxies and gateways between a client and the service may answer in its place, even with
status 200. The service itself sends a JSON object as ``application/x-amz-json-1.1`` with an
``x-amzn-RequestId``. An answer counts if it has status 200 and is one of these:

- A JSON object with a result: a member, other than ``nextToken``, that the model has for the
  answer. A list must be a list of objects. The service's headers are not required, so that a test
  double need not send them.
- An object without a result, with nothing in it that the model does not know, and with the
  service's headers: the service may leave out what is empty. Without them ``{}`` is a gateway's.

Nothing that claims to be HTML or XML counts. The service sends its errors as JSON objects too. Of
any other error only the status counts, and its text is dropped.
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
#: Content types that never carry JSON.
_OTHER_LANGUAGES = ("html", "xml")
#: The types of the model that are JSON objects.
_OBJECTS = ("map", "structure")
_TOKEN = "nextToken"  # noqa: S105  # the name of a member
#: Members of an error that may hold its message.
_MESSAGES = ("message", "Message")

# What json.loads raises: not UTF-8, not JSON, a number with too many digits, nested too deeply.
_UNREADABLE = (ValueError, RecursionError)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


#: NaN and the infinities are not JSON.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class AnswerError(ResponseParserError):
    """An answer is not the service's, or cannot be used. The text holds nothing of the answer."""


class UndecodableAnswerError(AnswerError):
    """An answer of the service cannot be decoded, because of one of the things in it."""


def prove(
    operation: "OperationModel", status: int, headers: Mapping[str, Any], body: bytes
) -> dict[str, Any]:
    """Return an answer that is not an error, decoded from JSON.

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
    # Not raised above: an error raised there would be chained to one that holds the answer.
    if not is_readable:
        raise undecodable(
            operation.name, "a number in it is invalid or too long, or it is nested too deeply"
        )
    if type(answer) is not dict:
        raise _not_the_service_s(operation, "it is not a JSON object" if body else "it is empty")
    return answer


def _check_list(operation: "OperationModel", name: str, member: Any, value: object) -> None:
    """Check what should be a list. botocore does not: it takes ``{}`` for an empty one."""
    if member.type_name == "list":
        if not isinstance(value, list):
            raise answer_error(operation.name, f"its {name} is not a list")
        if member.member.type_name in _OBJECTS and not {dict}.issuperset(map(type, value)):
            raise undecodable(operation.name, f"something in its {name} is not an object")


def _comes_twice(name: str, body: bytes) -> bool:
    """Say whether an object has a member twice. One would be taken and the other lost."""
    names = json.loads(body, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    return bool(names.count(name) > 1)


def readable_error(body: bytes) -> bytes:
    """Return the body of an error if botocore can read it, or nothing if it is not the service's.

    For an empty body botocore makes an error whose code is the status. A message that is not a
    string is left out, because callers expect one.
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
    """Return the id of an item in an answer.

    :raises ResponseParserError: if the item has no id. It cannot be told which one it is, so none
        can be reported missing.
    """
    found = item.get(key)
    if not isinstance(found, str):
        raise undecodable(operation_name, f"it describes something without {key}")
    return found


def answer_error(operation_name: str, what: str) -> AnswerError:
    """Make the error for an answer that cannot be used.

    :param what: what is wrong with it. It must not quote the answer, which may be secret.
    """
    return AnswerError(f"the answer to {operation_name} cannot be used: {what}")


def undecodable(operation_name: str, what: str) -> UndecodableAnswerError:
    """Make the error for an answer of the service that cannot be used in part."""
    return UndecodableAnswerError(f"the answer to {operation_name} cannot be used: {what}")


def _not_the_service_s(operation: "OperationModel", what: str) -> AnswerError:
    return AnswerError(
        f"the answer to {operation.name} is not the service's: {what}. "
        "A portal, a proxy or another server may have answered"
    )
