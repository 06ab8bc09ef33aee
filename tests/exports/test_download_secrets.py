"""A download URL is a credential: no log, error, traceback or repr holds one.

The places that have one: the caller's ExportInfo, a fresh description of the export, the redirect
of S3, the request. The ways to show them: log lines, messages, chained errors, and tracebacks with
the values of arguments and variables (rich, pytest -l, cgitb).
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from support.downloads import describe

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


FAILURES: dict[str, Callable[[Emulator], object]] = {
    "none": lambda emulator: None,
    "broken": lambda emulator: emulator.inject_broken_download(0, calls=None),
    "down": lambda emulator: emulator.inject_download_error("InternalError", "Sorry.", calls=None),
    "refused": lambda emulator: emulator.inject_expired_url(calls=None),
    "corrupt": lambda emulator: emulator.inject_corrupt_download(calls=None),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("own", [False, True])
async def test_no_log_and_no_error_holds_the_url(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    failure: str,
    own: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    FAILURES[failure](emulator)

    error: BaseException | None = None
    async with httpx2.AsyncClient() as http:
        try:
            await aiodiscovery.download_export(
                client, export_id, tmp_path, http_client=http if own else None
            )
        except aiodiscovery.DownloadError as caught:
            error = caught

    assert (error is None) == (failure == "none")
    # Both are logged, without the parts that make them a credential.
    assert any("configurationsDownloadUrl" in message for message in caplog.messages)
    assert any(f"/archives/{export_id}.zip?..." in message for message in caplog.messages)
    for message in caplog.messages:
        assert "X-Amz-Signature" not in message
    if error is not None:
        assert "X-Amz-Signature" not in "".join(traceback.format_exception(error))
        assert "X-Amz-Signature" not in repr(error)
        # The hidden parts do not exist there either.
        assert error.__cause__ is None
        assert error.__context__ is None


async def test_no_traceback_that_shows_variables_holds_the_url(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    def fail(done: int, total: int | None) -> None:
        raise LookupError("no more")

    with pytest.raises(LookupError) as caught:
        await aiodiscovery.download_export(client, export_id, tmp_path, progress=fail)

    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "X-Amz-Signature" not in "".join(shown.format())


def shown_by(error: BaseException) -> str:
    """Show an error like tools that show the variables of our frames, but not the test's own."""
    lines = list(traceback.format_exception(error))
    at = error.__traceback__
    while at is not None:
        if "aiodiscovery" in at.tb_frame.f_code.co_filename and "tests" not in (
            at.tb_frame.f_code.co_filename
        ):
            code = Path(at.tb_frame.f_code.co_filename).read_text().splitlines()[at.tb_lineno - 1]
            for name, value in at.tb_frame.f_locals.items():
                lines.append(f"{name} = {value!r}")
                # Like cgitb, for the names in the line.
                for attributes in re.findall(rf"\b{name}((?:\.\w+)+)", code):
                    shown = value
                    for attribute in attributes[1:].split("."):
                        with suppress(ValueError):
                            shown = getattr(shown, attribute, None)
                        lines.append(repr(shown))
        at = at.tb_next
    return "".join(lines)


def fails_with_progress(done: int, total: int | None) -> None:
    raise LookupError("no more")


@pytest.mark.parametrize(
    "kind",
    ["progress", "status", "client", "id", "url as id", "directory", "proxy", "portal", "disk"],
)
async def test_no_frame_of_ours_shows_the_url_of_an_export_info(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    info: Any = await describe(client, export_id)
    assert "X-Amz-Signature" in str(info)
    asked: Any = client
    destination = tmp_path
    progress = None
    if kind == "progress":
        progress = fails_with_progress
    elif kind == "status":
        info |= {"exportStatus": "FAILED", "statusMessage": info["configurationsDownloadUrl"]}
    elif kind == "client":
        asked = boto3.client("s3", "us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    elif kind == "id":
        info |= {"exportId": "../x"}
    elif kind == "url as id":
        info = info["configurationsDownloadUrl"]
    elif kind == "directory":
        destination = tmp_path / "file"
        destination.touch()
    elif kind == "proxy":
        monkeypatch.setenv("ALL_PROXY", "socks://x")
    elif kind == "portal":
        emulator.inject_foreign_download("portal", calls=None)
    else:
        monkeypatch.setattr("aiodiscovery._exports.files.write", fails_to_write)

    with pytest.raises((LookupError, ValueError, OSError, aiodiscovery.DownloadError)) as caught:
        await aiodiscovery.download_export(asked, info, destination, progress=progress)

    shown = shown_by(caught.value)
    assert "download.py" in shown
    assert "Signature" not in shown


def fails_to_write(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("again", [False, True])
async def test_no_frame_of_ours_shows_a_url_that_was_got(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
    again: bool,
) -> None:
    if again:
        emulator.inject_expired_url()

    with pytest.raises(LookupError) as caught:
        await aiodiscovery.download_export(
            client, export_id, tmp_path, progress=fails_with_progress
        )

    assert "Signature" not in shown_by(caught.value)


async def test_a_download_that_is_under_way_shows_no_url(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    info = await describe(client, export_id)
    frames: list[str] = []

    def look(done: int, total: int | None) -> None:
        frame = sys._getframe()
        while (frame := frame.f_back) is not None:  # type: ignore[assignment]
            if "_exports" in frame.f_code.co_filename:
                frames.extend(repr(value) for value in frame.f_locals.values())

    await aiodiscovery.download_export(client, info, tmp_path, progress=look)

    assert frames
    assert "Signature" not in "".join(frames)


def test_what_other_libraries_log_of_presigned_urls_has_no_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = "https://bucket.s3.us-west-2.amazonaws.com/a.zip?X-Amz-Signature=1&X-Amz-Security-Token=2"

    logging.getLogger("httpcore2.http11").debug("headers=%r", [(b"Location", url.encode())])
    logging.getLogger("botocore.parsers").debug("Body:\n%s", b'{"Url": "%s"}' % url.encode())
    logging.getLogger("httpx2").info("GET %s", "https://a.example/?page=2")

    # Escaping does not reveal it: escaped as in JSON, or as a URL in another query.
    logging.getLogger("botocore.parsers").debug(
        r'"https:\/\/b\/a?Date\u003d1\u0026Signature\u003d2"'
    )
    logging.getLogger("httpcore2.http11").debug("https://b/?to=https%3A%2F%2Fb%3FSignature%3D2")
    logging.getLogger("httpcore2.http11").debug("https://b/https%3A%2F%2Fb%2Fa%3FSignature%3D2")
    # Including compressed headers.
    logging.getLogger("hpack.hpack").debug("Encoded header block to %r", b"D\x9c")
    logging.getLogger("hpack.table").debug("Evicting %s: %s", b":path", b"/a?Signature=2")

    first, second, third, *escaped = caplog.messages
    assert (
        first == "headers=[(b'Location', b'https://bucket.s3.us-west-2.amazonaws.com/a.zip?...')]"
    )
    assert second.endswith('"https://bucket.s3.us-west-2.amazonaws.com/a.zip?..."}\'')
    assert third == "GET https://a.example/?page=2"
    assert escaped == [
        r'"https:\/\/b\/a?..."',
        "https://b/?...",
        "https://b/https%3A%2F%2Fb%2Fa%3F...",
    ]


async def test_no_repr_holds_the_url(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert repr(done) == f"DownloadedExport(path={done.path!r}, size={done.size}, truncated=False)"
