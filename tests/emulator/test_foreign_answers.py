"""Answers that are not the service's: a portal, a gateway, half a document, a redirect."""

import http.client
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from aiodiscovery.emulator import Emulator, ForeignAnswer, ForeignKind

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def own(post: Callable[..., Any]) -> bytes:
    """Return the service's own answer to DescribeTags."""
    body: bytes = post("DescribeTags").body
    return body


@pytest.mark.parametrize(
    ("kind", "body", "content_type"),
    [
        ("empty", b"", None),
        ("object", b"{}", "application/json"),
        ("null", b"null", "application/x-amz-json-1.1"),
        ("array", b"[null]", "application/x-amz-json-1.1"),
    ],
)
def test_something_else_answers_with_status_200(
    emulator: Emulator,
    post: Callable[..., Any],
    kind: ForeignKind,
    body: bytes,
    content_type: str | None,
) -> None:
    emulator.inject_foreign_answer(kind)
    answer = post("DescribeTags")
    assert (answer.status, answer.body) == (200, body)
    assert content_type is None or answer.headers["Content-Type"] == content_type
    assert "x-amzn-RequestId" not in answer.headers
    assert post("DescribeTags").json["tags"]


def test_a_portal_answers_with_its_page(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_foreign_answer()
    answer = post("DescribeTags")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<html>" in answer.body


def test_an_error_object_comes_with_status_200(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_foreign_answer("error")
    answer = post("DescribeTags")
    assert (answer.status, answer.error) == (200, "InternalFailure")


@pytest.mark.parametrize("kind", ["bytes", "unavailable"])
def test_what_answers_may_be_no_utf_8(
    emulator: Emulator, post: Callable[..., Any], kind: ForeignKind
) -> None:
    emulator.inject_foreign_answer(kind)
    with pytest.raises(UnicodeDecodeError):
        post("DescribeTags").body.decode()


def test_half_of_the_services_own_answer_comes(
    emulator: Emulator, post: Callable[..., Any], own: bytes
) -> None:
    emulator.inject_foreign_answer("half")
    assert post("DescribeTags").body == own[: len(own) // 2]


def test_a_byte_order_mark_stands_before_the_services_own_answer(
    emulator: Emulator, post: Callable[..., Any], own: bytes
) -> None:
    emulator.inject_foreign_answer("bom")
    assert post("DescribeTags").body == BOM + own


def test_a_null_stands_among_the_items(
    emulator: Emulator, post: Callable[..., Any], own: bytes
) -> None:
    emulator.inject_foreign_answer("null-item")
    assert post("DescribeTags").json["tags"] == [None, *json.loads(own)["tags"]]


def test_a_redirect_leads_to_the_portals_page(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_foreign_answer("redirect")
    answer = post("DescribeTags")
    assert (answer.status, answer.headers["Location"]) == (302, "/login")
    with urlopen(emulator.endpoint_url + answer.headers["Location"], timeout=30) as page:
        assert b"Sign in" in page.read()


def test_a_redirect_leads_anywhere(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_foreign_answer("redirect", status=307, headers={"location": "http://[::1]:1/"})
    answer = post("DescribeTags")
    assert (answer.status, answer.headers.get_all("Location")) == (307, ["http://[::1]:1/"])


def test_anything_may_answer(emulator: Emulator, post: Callable[..., Any], own: bytes) -> None:
    emulator.inject_foreign_answer(body="text", status=502, headers={"Content-Type": "a/b"})
    emulator.inject_foreign_answer(body=lambda answer: answer[:-1], status=203)
    answers = [post("DescribeTags") for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [
        (502, b"text"),
        (203, own[:-1]),
    ]
    assert answers[0].headers["Content-Type"] == "a/b"


@pytest.mark.parametrize("status", [201, 204, 205, 301, 304, 308, 404, 418, 500, 599])
def test_it_may_have_any_status(emulator: Emulator, post: Callable[..., Any], status: int) -> None:
    emulator.inject_foreign_answer(status=status)
    assert post("DescribeTags").status == status
    assert post("DescribeTags").status == 200


def test_it_may_have_a_request_id(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_foreign_answer("object", request_id=True)
    emulator.inject_foreign_answer("object", headers={"x-amzn-RequestId": "mine"})
    assert post("DescribeTags").headers["x-amzn-RequestId"]
    assert post("DescribeTags").headers["x-amzn-RequestId"] == "mine"


def test_it_may_be_the_second_page_of_a_listing(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient", post: Callable[..., Any]
) -> None:
    emulator.inject_foreign_answer("object", after=1, operation="DescribeExportTasks")
    first = post("DescribeExportTasks", {"maxResults": 10}).json
    assert len(client.describe_tags()["tags"]) == 20
    query = {"maxResults": 10, "nextToken": first["nextToken"]}
    assert post("DescribeExportTasks", query).json == {}
    assert len(post("DescribeExportTasks", query).json["exportsInfo"]) == 10


def test_it_falls_on_some_operations(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_foreign_answer(
        "object", calls=None, operation=["DescribeTags", "DescribeAgents"]
    )
    assert post("DescribeTags").json == post("DescribeAgents").json == {}
    assert post("DescribeImportTasks").json["tasks"]


def test_it_queues_with_errors(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_throttling()
    emulator.inject_foreign_answer("object", after=1)
    assert post("DescribeTags").error == "ThrottlingException"
    assert post("DescribeTags").json["tags"]
    assert post("DescribeTags").json == {}


@pytest.mark.parametrize(
    ("options", "started"),
    [({}, 0), ({"carried_out": True}, 1), ({"body": lambda answer: answer}, 1)],
)
def test_the_call_behind_it_is_carried_out_if_told(
    emulator: Emulator, post: Callable[..., Any], options: dict[str, Any], started: int
) -> None:
    before = len(emulator.export_ids)
    emulator.inject_foreign_answer(**options)
    post("StartExportTask")
    assert len(emulator.export_ids) == before + started


def test_an_error_of_the_service_stays_one(emulator: Emulator, post: Callable[..., Any]) -> None:
    emulator.inject_foreign_answer("half")
    answer = post("DescribeTags", {"maxResults": 0})
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")


def test_a_foreign_answer_is_recorded_with_its_status(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    emulator.inject_foreign_answer("unavailable")
    post("DescribeTags")
    assert [(request.status, request.error_code) for request in emulator.requests] == [(503, None)]


def test_without_http_it_is_raised() -> None:
    emulator = Emulator()
    emulator.inject_foreign_answer("portal")
    with pytest.raises(ForeignAnswer) as caught:
        emulator.call("DescribeTags", {})
    assert (caught.value.status, caught.value.body[:15]) == (200, b"<!DOCTYPE html>")


# Downloads.


@pytest.fixture
def url(emulator: Emulator, client: "ApplicationDiscoveryServiceClient") -> str:
    """Return the download URL of an export."""
    export_id = emulator.add_export(status="SUCCEEDED")
    (export,) = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"]
    return export.get("configurationsDownloadUrl", "")


def test_a_portal_answers_a_download(emulator: Emulator, url: str) -> None:
    emulator.inject_foreign_download()
    with urlopen(url, timeout=30) as page:
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "ETag" not in page.headers
        assert b"Sign in" in page.read()
    assert [(download.status, download.error_code) for download in emulator.downloads] == [
        (200, None)
    ]


def test_a_download_is_redirected(emulator: Emulator, url: str) -> None:
    emulator.inject_foreign_download("redirect")
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.request("GET", f"{address.path}?{address.query}")
    answer = connection.getresponse()
    connection.close()
    assert (answer.status, answer.headers["Location"]) == (302, "/login")


def test_a_page_comes_with_status_503_in_place_of_an_archive(emulator: Emulator, url: str) -> None:
    emulator.inject_foreign_download("unavailable")
    with pytest.raises(HTTPError) as caught:
        urlopen(url, timeout=30)
    with caught.value as error:
        assert (error.code, error.headers["Content-Type"]) == (
            503,
            "text/html; charset=iso-8859-1",
        )


# What makes no sense.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "nonsense"}, "kind must be one of portal, empty"),
        ({"status": 100}, "status must be between 200 and 599, not 100"),
        ({"calls": 0}, "calls must be at least 1"),
        ({"after": -1}, "after must not be negative"),
        ({"operation": "DescribeNothing"}, "operation must be one of"),
        ({"operation": ["DescribeTags", "GetObject"]}, "not 'GetObject'"),
        ({"operation": []}, "operation must be one of"),
    ],
)
def test_a_foreign_answer_that_makes_no_sense_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Emulator().inject_foreign_answer(**options)


def test_every_kind_has_an_answer(emulator: Emulator, post: Callable[..., Any]) -> None:
    for kind in get_args(ForeignKind):
        emulator.inject_foreign_answer(kind)
        answer = post("DescribeTags")
        assert "x-amzn-RequestId" not in answer.headers, kind
    assert post("DescribeTags").json["tags"]
