"""Downloads: what a configurationsDownloadUrl leads to, and for how long."""

import csv
import http.client
import io
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from aiodiscovery.emulator import Emulator, RecordedDownload

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient


def url_of(client: "ApplicationDiscoveryServiceClient", export_id: str) -> str:
    (export,) = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"]
    return export.get("configurationsDownloadUrl", "")


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=named)
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
        names = [name for name in archive.namelist() if not name.endswith("_results.json")]
        assert len(names) in (6, 8)
        for name in names:
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


def test_a_url_is_presigned_for_get_alone(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    status, _, body = fetch(url, "HEAD")
    assert (status, body) == (403, b"")
    assert emulator.downloads[-1].error_code == "SignatureDoesNotMatch"


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


# Ranges.


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=10-19", range(10, 20)),
        ("bytes=1000-", range(1000, 10**9)),
        ("bytes=100-99999999", range(100, 10**9)),
        ("bytes=-7", range(-7, 0)),
        ("bytes=-99999999", range(10**9)),
    ],
)
def test_a_range_gives_those_bytes(
    emulator: Emulator,
    client: "ApplicationDiscoveryServiceClient",
    asked: str,
    expected: range,
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    whole = emulator.archive(export_id)
    part = whole[expected.start : expected.stop or None]
    status, headers, body = fetch(url_of(client, export_id), Range=asked)
    assert (status, body) == (206, part)
    first = whole.index(part)
    last = first + len(part) - 1
    assert headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert headers["Content-Length"] == str(len(part))
    assert headers["ETag"]


@pytest.mark.parametrize(
    "asked", ["bytes=9-3", "bytes=-", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "", "9" * 5000]
)
def test_what_is_no_range_gives_all(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient", asked: str
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    status, headers, body = fetch(url_of(client, export_id), Range=asked)
    assert (status, body) == (200, emulator.archive(export_id))
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_without_a_byte_is_not_satisfiable(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient", asked: str
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    status, headers, body = fetch(url_of(client, export_id), Range=asked)
    assert status == 416
    assert headers["Content-Range"] == f"bytes */{len(emulator.archive(export_id))}"
    assert b"<Code>InvalidRange</Code>" in body


def test_if_range_gives_all_of_an_archive_that_has_changed(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    url = url_of(client, export_id)
    etag = fetch(url)[1]["ETag"]
    before = emulator.archive(export_id)
    assert fetch(url, Range="bytes=5-", If_Range=etag)[::2] == (206, before[5:])
    emulator.replace_archive(export_id)
    status, headers, body = fetch(url, Range="bytes=5-", If_Range=etag)
    assert (status, body) == (200, emulator.archive(export_id))
    assert body != before
    assert headers["ETag"] != etag


def test_downloads_are_recorded(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    url = url_of(client, export_id)
    fetch(url)
    fetch(url, Range="bytes=1-2", If_Range='"other"')
    fetch(f"{emulator.endpoint_url}/archives/nothing.zip")
    assert list(emulator.downloads) == [
        RecordedDownload(export_id, None, None, 200, None),
        RecordedDownload(export_id, "bytes=1-2", '"other"', 200, None),
        RecordedDownload("nothing", None, None, 404, "NoSuchKey"),
    ]
    emulator.clear_requests()
    assert not emulator.downloads


def test_archives_are_as_large_as_asked(
    connect: Callable[[Emulator], "ApplicationDiscoveryServiceClient"],
) -> None:
    with Emulator(archive_size=300_000) as emulator:
        export_id = emulator.add_export(status="SUCCEEDED")
        body = fetch(url_of(connect(emulator), export_id))[2]
    assert 300_000 <= len(body) < 330_000
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None


# Faults.


def test_an_error_falls_on_as_many_downloads_as_asked(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    emulator.inject_download_error("SlowDown", "Please reduce your request rate.", calls=2)
    emulator.inject_expired_url()
    assert [fetch(url)[0] for _ in range(4)] == [503, 503, 403, 200]
    assert [download.error_code for download in emulator.downloads] == [
        "SlowDown",
        "SlowDown",
        "AccessDenied",
        None,
    ]
    # They are not calls of the API.
    emulator.inject_expired_url()
    assert client.describe_tags()


def test_a_broken_download_gives_a_part(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    emulator.inject_broken_download(100)
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(url_of(client, export_id))
    assert caught.value.partial == emulator.archive(export_id)[:100]


def test_a_stalled_download_gives_a_part_and_then_nothing(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    emulator.inject_stalled_download(100)
    with urllib.request.urlopen(url_of(client, export_id), timeout=30) as response:
        assert response.read(100) == emulator.archive(export_id)[:100]
        response.fp.raw._sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            response.read(1)


def test_a_corrupt_download_has_a_wrong_byte_and_the_same_tag(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    url = url_of(client, emulator.add_export(status="SUCCEEDED"))
    emulator.inject_corrupt_download()
    _, bad_headers, bad = fetch(url)
    _, good_headers, good = fetch(url)
    assert sum(a != b for a, b in zip(bad, good, strict=True)) == 1
    assert bad_headers["ETag"] == good_headers["ETag"]


def test_a_wrong_length_is_announced(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    url, whole = url_of(client, export_id), emulator.archive(export_id)
    emulator.inject_wrong_length(+9)
    with pytest.raises(http.client.IncompleteRead) as caught:
        fetch(url)
    assert (caught.value.partial, caught.value.expected) == (whole, 9)
    emulator.inject_wrong_length(-9)
    assert fetch(url)[2] == whole[:-9]


def test_a_server_without_ranges_gives_all(
    emulator: Emulator, client: "ApplicationDiscoveryServiceClient"
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    emulator.inject_no_ranges()
    status, headers, body = fetch(url_of(client, export_id), Range="bytes=5-")
    assert (status, body) == (200, emulator.archive(export_id))
    assert "Accept-Ranges" not in headers
    emulator.clear_faults()
    assert fetch(url_of(client, export_id), Range="bytes=5-")[0] == 206


@pytest.mark.parametrize(
    "inject",
    [
        lambda emulator: emulator.inject_broken_download(-1),
        lambda emulator: emulator.inject_stalled_download(-1),
        lambda emulator: emulator.inject_corrupt_download(0),
        lambda emulator: emulator.inject_download_error("Odd", "", status=200),
        lambda emulator: emulator.archive("export-unknown"),
        lambda emulator: emulator.replace_archive("export-unknown"),
        lambda emulator: Emulator(archive_size=-1),
    ],
)
def test_what_makes_no_sense_is_refused(
    emulator: Emulator, inject: Callable[[Emulator], object]
) -> None:
    with pytest.raises(ValueError, match=r"must|there is no export"):
        inject(emulator)
