"""Downloads: what a configurationsDownloadUrl gives, and for how long."""

import csv
import io
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient


def url_of(client: "ApplicationDiscoveryServiceClient", export_id: str) -> str:
    (export,) = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"]
    return export.get("configurationsDownloadUrl", "")


def fetch(url: str, method: str = "GET") -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.parametrize("agent_id", [None, "o-0123456789abcdef0"])
def test_an_archive_is_a_zip_of_csv_files_with_rows(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient", agent_id: str | None
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED", agent_id=agent_id)
    status, headers, body = fetch(url_of(client, export_id))
    assert status == 200
    assert headers["Content-Type"] == "application/zip"
    assert headers["Content-Length"] == str(len(body))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 4
        for name in archive.namelist():
            assert name.endswith(".csv")
            rows = list(csv.reader(io.StringIO(archive.read(name).decode())))
            assert len(rows) > 1
            assert {len(row) for row in rows} == {len(rows[0])}


def test_an_archive_is_the_same_each_time_and_after_a_restart(
    emulator: Emulator,
    client: "ApplicationDiscoveryServiceClient",
    connect: Callable[[Emulator], "ApplicationDiscoveryServiceClient"],
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    other_id = emulator.add_export(status="SUCCEEDED")
    first = fetch(url_of(client, export_id))
    with Emulator() as again:
        assert again.add_export(status="SUCCEEDED") == export_id
        second = fetch(url_of(connect(again), export_id))
    assert first[2] == second[2]
    assert first[1]["ETag"] == second[1]["ETag"]
    assert fetch(url_of(client, other_id))[1]["ETag"] != first[1]["ETag"]


def test_head_gives_the_headers_alone(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    status, headers, body = fetch(url, "HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(fetch(url)[2]))
    assert headers["ETag"]


def test_a_url_expires_and_a_fresh_one_works(
    connect: Callable[[Emulator], "ApplicationDiscoveryServiceClient"],
) -> None:
    now = [1_800_000_000.25]
    with Emulator(url_lifetime=59.5, clock=lambda: now[0]) as emulator:
        client = connect(emulator)
        export_id = emulator.add_export(status="SUCCEEDED")
        url = url_of(client, export_id)
        now[0] += 59.5
        assert fetch(url)[0] == 200
        now[0] += 0.5
        status, headers, body = fetch(url)
        assert status == 403
        assert headers["Content-Type"].startswith("application/xml")
        assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in body
        assert fetch(url_of(client, export_id))[0] == 200


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
        ("&X-Amz-SignedHeaders=host", ""),
        ("X-Amz-Algorithm", "%ff"),
    ],
)
def test_a_changed_url_is_refused(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient", old: str, new: str
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    assert old in url
    status, _, body = fetch(url.replace(old, new))
    assert status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in body


def test_the_url_of_another_export_does_not_help(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    first, second = (emulator.add_export(status="SUCCEEDED") for _ in range(2))
    assert fetch(url_of(client, first).replace(first, second))[0] == 403


def test_a_url_without_a_signature_is_refused(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    status, _, body = fetch(url.partition("?")[0])
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body


@pytest.mark.parametrize("path", ["/archives/export-unknown.zip", "/archives/", "/archives/a.csv"])
def test_an_unknown_archive_is_not_found(emulator: Emulator, path: str) -> None:
    status, headers, body = fetch(emulator.endpoint_url + path)
    assert status == 404
    assert headers["Content-Type"].startswith("application/xml")
    assert b"<Code>NoSuchKey</Code>" in body


def test_there_is_no_archive_of_an_export_that_has_not_succeeded(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    url = url_of(client, export_id)
    emulator.fail_export(export_id)
    assert fetch(url)[0] == 404


def test_an_archive_cannot_be_written(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    assert fetch(url, "PUT")[0] == 405
