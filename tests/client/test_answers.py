"""Which answers count as the service's, and what happens with those that cannot be decoded.

The kinds, each tried with clients of ``create_client()`` and of aiobotocore, on both loops. The
places that ask the service are in ``test_answers_everywhere``:

- with status 200, but not the service's: by status, content type, ``x-amzn-RequestId``, JSON,
  result;
- the service's, and empty: with an empty list, without one, with null;
- of test doubles, in place of HTTP and in place of the call: accepted as they are;
- undecodable, as a whole or in one value: always an error of botocore's kind, which says nothing
  about the content of the answer, not even in its chain;
- undecodable errors: an error whose code is the status;
- odd, but decoded by aiobotocore: decoded.
"""

import json
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import AioSession
from aiobotocore.stub import AioStubber
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from support.clients import Maker

import aiodiscovery
from aiodiscovery._client import error_code
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

AWS_JSON = "application/x-amz-json-1.1"
#: Stands for secrets in an answer.
SECRET = "hush-hush"
EXPORT = {
    "exportId": "export-1",
    "exportStatus": "SUCCEEDED",
    "statusMessage": "Fine.",
    "exportRequestTime": 1.7e9,
}


@pytest.fixture
def maker(anyio_backend: str, session: AioSession) -> Maker:
    """Make clients in both ways. The event loop makes no difference to decoding."""
    return Maker("ours" if anyio_backend == "trio" else "aiobotocore's", anyio_backend, session)


def pages_of(client: "Client") -> Any:
    return aiodiscovery.get_paginator(client, "describe_export_tasks").paginate()


def page_with(**changes: Any) -> str:
    return json.dumps({"exportsInfo": [EXPORT | changes]})


def answer(
    emulator: Emulator,
    body: bytes | str,
    *,
    content_type: str | None = AWS_JSON,
    request_id: bool = True,
    status: int = 200,
) -> None:
    """Have the next call answered with this."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    emulator.inject_foreign_answer(
        "empty", body=body, status=status, headers=headers, request_id=request_id
    )


# What counts


@pytest.mark.parametrize(
    "body",
    [
        '{"exportsInfo": []}',
        '{"exportsInfo": null}',
        '{"exportsInfo": [], "nextToken": null}',
        '{"nextToken": null}',
        "{}",
        " {\n} ",
        '{"exportsInfo": [], "new": {"exportsInfo": 1}}',
    ],
)
@pytest.mark.parametrize("content_type", [AWS_JSON, f"{AWS_JSON}; charset=utf-8", AWS_JSON.upper()])
async def test_an_empty_listing_of_the_service_is_an_empty_listing(
    any_client: "Client", emulator: Emulator, body: str, content_type: str
) -> None:
    answer(emulator, body, content_type=content_type)

    (page,) = [page async for page in pages_of(any_client)]

    assert page["exportsInfo"] == []


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain; charset=utf-8"])
@pytest.mark.parametrize("body", ['{"exportsInfo": []}', '{"exportsInfo": [], "nextToken": null}'])
async def test_a_result_counts_without_the_service_s_headers(
    any_client: "Client", emulator: Emulator, content_type: str | None, body: str
) -> None:
    answer(emulator, body, content_type=content_type, request_id=False)

    assert await pages_of(any_client).build_full_result() == {"exportsInfo": []}


REFUSED: dict[str, dict[str, Any]] = {
    "no request id": {"body": "{}", "request_id": False},
    "another content type": {"body": "{}", "content_type": "application/json"},
    "no content type": {"body": "{}", "content_type": None},
    "null without headers": {"body": '{"exportsInfo": null}', "request_id": False},
    "a token only": {"body": '{"nextToken": "a"}', "request_id": False},
    "an error object": {"body": '{"__type": "InternalFailure", "message": "x"}'},
    "a message": {"body": '{"message": "Please sign in"}'},
    "another list": {"body": '{"items": []}'},
    "HTML that is JSON": {"body": '{"exportsInfo": []}', "content_type": "text/html"},
    "XML that is JSON": {"body": '{"exportsInfo": []}', "content_type": "application/xml"},
    "a page as the service's": {"body": "<html></html>"},
    "nothing": {"body": ""},
    "blanks": {"body": " \n"},
    "null": {"body": "null"},
    "true": {"body": "true"},
    "a number": {"body": "7"},
    "a string": {"body": '"exportsInfo"'},
    "an array": {"body": '[{"exportsInfo": []}]'},
    "half": {"body": '{"exportsInfo": ['},
    "more": {"body": '{"exportsInfo": []} {}'},
    "a byte order mark": {"body": b'\xef\xbb\xbf{"exportsInfo": []}'},
    "UTF-16": {"body": '{"exportsInfo": []}'.encode("utf-16")},
    "Latin-1": {"body": page_with(statusMessage="\xe4").replace("\\u00e4", "\xe4").encode("l1")},
    "nested too deeply": {"body": '{"exportsInfo": ' + "[" * 100_000 + "]" * 100_000 + "}"},
    "too many digits": {"body": '{"exportsInfo": [], "a": ' + "9" * 5000 + "}"},
    "not a number": {"body": '{"exportsInfo": [], "a": NaN}'},
    "infinity": {"body": '{"exportsInfo": [], "a": -Infinity}'},
    "two lists": {"body": '{"exportsInfo": [{"exportId": "a"}], "exportsInfo": []}'},
    "a list and null": {"body": '{"exportsInfo": [{"exportId": "a"}], "exportsInfo": null}'},
    "two tokens": {"body": '{"exportsInfo": [], "nextToken": "a", "nextToken": null}'},
    "created": {"body": '{"exportsInfo": []}', "status": 201},
    "accepted": {"body": '{"exportsInfo": []}', "status": 202},
    "no content": {"body": "", "status": 204},
    "partial content": {"body": '{"exportsInfo": []}', "status": 206},
    "multiple choices": {"body": '{"exportsInfo": []}', "status": 300},
    "an object for the list": {"body": '{"exportsInfo": {}}'},
    "a string for the list": {"body": '{"exportsInfo": ""}'},
    "a number for the list": {"body": '{"exportsInfo": 0}'},
    "false for the list": {"body": '{"exportsInfo": false}'},
    "a null in the list": {"body": '{"exportsInfo": [null]}'},
    "a string in the list": {"body": '{"exportsInfo": [{"exportId": "a"}, "b"]}'},
    "a list in the list": {"body": '{"exportsInfo": [[]]}'},
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_any_other_is_refused(any_client: "Client", emulator: Emulator, kind: str) -> None:
    answer(emulator, **REFUSED[kind])
    pages = pages_of(any_client)

    with pytest.raises(ResponseParserError, match="DescribeExportTasks"):
        await pages.build_full_result()

    assert len((await pages.build_full_result())["exportsInfo"]) == 25


# What cannot be decoded

VALUES: dict[str, str] = {
    "milliseconds": '{"exportRequestTime": 1767571200000}',
    "no time": '{"exportRequestTime": "hush-hush"}',
    "an empty time": '{"exportRequestTime": ""}',
    "a huge float": '{"exportRequestTime": 1e400}',
    "a huge number": '{"exportRequestTime": ' + "9" * 400 + "}",
    "a list": '{"exportRequestTime": []}',
    "an object": '{"exportRequestTime": {"a": "hush-hush"}}',
    "true in milliseconds": '{"requestedEndTime": 1767571200000.5}',
}


@pytest.mark.parametrize("kind", VALUES)
async def test_a_value_that_cannot_be_decoded_is_an_error_of_botocore_s_kind(
    any_client: "Client", emulator: Emulator, kind: str
) -> None:
    value = VALUES[kind]
    answer(emulator, f'{{"exportsInfo": [{{"exportId": "hush-hush"}}, {value}]}}')
    pages = pages_of(any_client)

    with pytest.raises(ResponseParserError, match="DescribeExportTasks cannot be used") as caught:
        await pages.build_full_result()

    # Including everything in its chain, shown or not.
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown + repr(chain(caught.value))
    assert len((await pages.build_full_result())["exportsInfo"]) == 25


def chain(error: BaseException | None) -> list[Any]:
    """Return everything that an error is chained to, and its contents."""
    found = []
    while error is not None:
        found += [error.args, vars(error)]
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("null", "500"),
        ("[]", "500"),
        ("7", "500"),
        ('"x"', "500"),
        ("[" * 100_000, "500"),
        ("9" * 5000, "500"),
        ("{", "500"),
        ("<html>hush-hush</html>", "500"),
        ("hush-hush", "500"),
        (b"\xff\xfe", "500"),
        (b"\xef\xbb\xbf{}", "500"),
        ('{"__type": null}', "500"),
        ('{"__type": 7, "message": "hush-hush"}', "500"),
        ('{"__type": ["A:B"]}', "500"),
        ("{}", "500"),
        ('{"__type": "a.b#ServerInternalErrorException"}', "ServerInternalErrorException"),
        ('{"__type": "InternalFailure", "message": null}', "InternalFailure"),
        ('{"__type": "InternalFailure", "message": [1]}', "InternalFailure"),
        ('{"__type": "InternalFailure", "Message": {}}', "InternalFailure"),
        ('{"__type": "InvalidParameterException", "message": 5}', "InvalidParameterException"),
    ],
)
@pytest.mark.parametrize("request_id", [False, True])
async def test_an_error_that_cannot_be_read_is_one_with_its_status(
    any_client: "Client", emulator: Emulator, body: bytes | str, code: str, request_id: bool
) -> None:
    answer(emulator, body, status=500, request_id=request_id)

    with pytest.raises(ClientError) as caught:
        await pages_of(any_client).build_full_result()

    assert error_code(caught.value) == code
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("member", ["null", "7", "[]", '"a"'])
async def test_a_map_in_a_list_is_an_object_too(
    any_client: "Client", emulator: Emulator, member: str
) -> None:
    answer(emulator, f'{{"configurations": [{{"server.hostName": "a"}}, {member}]}}')
    listing = aiodiscovery.get_paginator(any_client, "list_configurations")

    with pytest.raises(ResponseParserError, match="is not an object"):
        await listing.paginate(configurationType="SERVER").build_full_result()


@pytest.mark.parametrize("message", ["null", "5", "[1]", '{"a": "b"}'])
@pytest.mark.parametrize("name", ["message", "Message"])
async def test_a_message_that_is_no_text_is_left_out(
    any_client: "Client", emulator: Emulator, name: str, message: str
) -> None:
    body = f'{{"__type": "OperationNotPermittedException", "{name}": {message}}}'
    answer(emulator, body, status=400)

    with pytest.raises(any_client.exceptions.OperationNotPermittedException) as caught:
        await aiodiscovery.start_export(any_client)

    assert caught.value.response.get("Error", {}).get("Message") == ""


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ('"9999-12-31T23:59:59-05:00"', "9999-12-31T23:59:59-05:00"),
        ('"0001-01-01T00:00:00+05:00"', "0001-01-01T00:00:00+05:00"),
    ],
)
async def test_a_time_that_aiobotocore_decodes_is_decoded(
    any_client: "Client", emulator: Emulator, time: str, text: str
) -> None:
    answer(emulator, f'{{"exportsInfo": [{{"exportId": "a", "exportRequestTime": {time}}}]}}')

    (found,) = (await pages_of(any_client).build_full_result())["exportsInfo"]

    assert found["exportRequestTime"].isoformat() == text


@pytest.mark.parametrize("null", ["statusMessage", "exportRequestTime", "isTruncated"])
async def test_a_member_that_is_null_is_left_out(
    any_client: "Client", emulator: Emulator, null: str
) -> None:
    answer(emulator, page_with(**{null: None}))

    (found,) = (await pages_of(any_client).build_full_result())["exportsInfo"]

    assert null not in found


# Test doubles


@asynccontextmanager
async def answered(
    client: Any,
    event: str,
    handler: Callable[..., Any],
    of: str = ".application-discovery-service.DescribeExportTasks",
) -> AsyncIterator[None]:
    name = event + of
    client.meta.events.register(name, handler)
    yield
    client.meta.events.unregister(name, handler)


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content

    aread = read


@pytest.mark.parametrize("parsed", [{"exportsInfo": []}, {}])
async def test_what_a_handler_says_in_place_of_the_call_counts(
    any_client: "Client", parsed: dict[str, Any]
) -> None:
    def instead(**_: Any) -> Any:
        return SimpleNamespace(status_code=200), dict(parsed)

    async with answered(any_client, "before-call", instead):
        (page,) = [page async for page in pages_of(any_client)]

    assert page == {"exportsInfo": []}


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}])
async def test_what_a_handler_says_in_place_of_http_counts_with_a_result(
    any_client: "Client", headers: dict[str, str]
) -> None:
    def instead(**_: Any) -> Any:
        made: Any = headers  # a double need not be as exact as the stubs
        return AioAWSResponse("http://double", 200, made, Body(b'{"exportsInfo": []}'))

    async with answered(any_client, "before-send", instead):
        assert await pages_of(any_client).build_full_result() == {"exportsInfo": []}


async def test_a_stubber_counts(any_client: "Client") -> None:
    with AioStubber(any_client) as stubber:
        stubber.add_response("describe_export_tasks", {"exportsInfo": [EXPORT]}, {})
        stubber.add_client_error("describe_export_tasks", "AuthorizationErrorException")

        assert (await pages_of(any_client).build_full_result())["exportsInfo"] == [EXPORT]
        with pytest.raises(ClientError, match="AuthorizationErrorException"):
            await pages_of(any_client).build_full_result()


HANDLED = (
    "provide-client-params",
    "before-call",
    "request-created",
    "before-sign",
    "before-send",
    "before-parse",
    "response-received",
    "needs-retry",
    "after-call",
)


async def test_an_error_in_a_handler_of_the_caller_s_own_stays_what_it_is(
    any_client: "Client",
) -> None:
    def wrong(**_: Any) -> Any:
        raise KeyError(SECRET)

    service = ".application-discovery-service"
    for event in HANDLED:
        for of in ("", service, f"{service}.DescribeExportTasks"):
            async with answered(any_client, event, wrong, of):
                with pytest.raises(KeyError):
                    await pages_of(any_client).build_full_result()


async def test_the_caller_s_own_calls_stay_as_botocore_makes_them(
    any_client: "Client", emulator: Emulator
) -> None:
    await pages_of(any_client).build_full_result()
    emulator.inject_foreign_answer("portal")

    assert (await any_client.describe_export_tasks()).keys() == {"ResponseMetadata"}
