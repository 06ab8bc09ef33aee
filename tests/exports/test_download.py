"""Downloads: a verified archive under its final name, or a clear error and no such file."""

import logging
import pickle
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import boto3
import pytest
from support.downloads import Body, describe, names, own_client

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

httpx2 = pytest.importorskip("httpx2")

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


# What comes out


async def test_an_archive_is_saved_under_the_id_of_its_export(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path == tmp_path / f"{export_id}.zip"
    assert done.path.read_bytes() == archive
    assert (done.size, done.truncated) == (len(archive), False)
    assert names(tmp_path) == [f"{export_id}.zip"]


@pytest.mark.parametrize("kind", [str, Path, anyio.Path])
async def test_an_archive_is_saved_to_the_path_of_a_file(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    kind: Callable[[Path], Any],
) -> None:
    done = await aiodiscovery.download_export(client, export_id, kind(tmp_path / "servers.zip"))

    assert done.path == tmp_path / "servers.zip"
    assert done.path.read_bytes() == archive
    assert names(tmp_path) == ["servers.zip"]


async def test_the_file_has_the_permissions_of_any_new_file(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.stat().st_mode == ordinary.stat().st_mode


async def test_the_url_of_an_export_info_is_used_without_another_call(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    info = await describe(client, export_id)
    emulator.clear_requests()

    done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive
    assert emulator.requests == ()


@pytest.mark.parametrize("url", [None, b"https://x/y?Signature=secret"])
async def test_an_export_info_without_a_url_that_can_be_used_is_described_again(
    client: "ApplicationDiscoveryServiceClient",
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    url: object,
) -> None:
    info = await describe(client, export_id)
    del info["configurationsDownloadUrl"]
    if url is not None:
        info["configurationsDownloadUrl"] = url

    done = await aiodiscovery.download_export(client, info, tmp_path)

    assert done.path.read_bytes() == archive


@pytest.mark.parametrize("as_info", [False, True])
async def test_an_export_that_is_truncated_is_said_to_be(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    as_info: bool,
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED", truncated=True)
    export = await describe(client, export_id) if as_info else export_id

    for _ in range(2):  # when it is there already too
        caplog.clear()
        done = await aiodiscovery.download_export(client, export, tmp_path)

        assert done.truncated
        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert record.name == "aiodiscovery"
        assert record.getMessage().startswith(f"export {export_id} is truncated")


async def test_progress_goes_from_nothing_to_everything(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    calls: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        calls.append((done, total))

    await aiodiscovery.download_export(client, export_id, tmp_path, progress=note)
    first = calls.copy()
    await aiodiscovery.download_export(client, export_id, tmp_path, progress=note)

    total = len(archive)
    assert first[0] == (0, total)
    assert first[-1] == (total, total)
    assert first == sorted(first)
    assert len(first) > 2
    assert calls[len(first) :] == [(total, total)]


async def test_progress_without_a_length_has_no_total(
    client: "ApplicationDiscoveryServiceClient", export_id: str, archive: bytes, tmp_path: Path
) -> None:
    totals: set[int | None] = set()
    async with own_client(lambda request: httpx2.Response(200, stream=Body(archive))) as http:
        done = await aiodiscovery.download_export(
            client,
            export_id,
            tmp_path,
            http_client=http,
            progress=lambda done, total: totals.add(total),
        )

    assert totals == {None}
    assert done.path.read_bytes() == archive


async def test_an_error_of_progress_ends_the_download_and_leaves_the_part(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    def fail(done: int, total: int | None) -> None:
        if done > 100_000:
            raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        await aiodiscovery.download_export(client, export_id, tmp_path, progress=fail)
    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert emulator.downloads[-1].status == 206


async def test_a_large_archive_is_never_in_memory(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    source = tmp_path / "source.zip"
    with zipfile.ZipFile(source, "w") as writer, writer.open("zeros.csv", "w") as member:
        for _ in range(64):
            member.write(bytes(1024 * 1024))

    def answer(request: Any) -> Any:
        return httpx2.Response(200, stream=Body.of_file(source))

    async with own_client(answer) as http:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            done = await aiodiscovery.download_export(
                client, export_id, tmp_path / "copy.zip", http_client=http
            )
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    assert done.size == source.stat().st_size > 64 * 1024 * 1024
    assert peak < 8 * 1024 * 1024


# Exports without an archive


@pytest.mark.parametrize("status", ["IN_PROGRESS", "FAILED", "NEW_STATUS"])
@pytest.mark.parametrize("as_info", [False, True])
async def test_an_export_that_has_not_succeeded_is_an_error(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
    status: str,
    as_info: bool,
) -> None:
    export_id = emulator.add_export(status=status, duration=None, message="Because.")
    export = await describe(client, export_id) if as_info else export_id

    with pytest.raises(aiodiscovery.ExportNotSucceededError, match=f"it is {status}") as caught:
        await aiodiscovery.download_export(client, export, tmp_path)

    assert isinstance(caught.value, aiodiscovery.DownloadError)
    assert (caught.value.export_id, caught.value.export_status) == (export_id, status)
    assert emulator.downloads == ()
    assert names(tmp_path) == []


async def test_an_export_that_the_service_does_not_know_is_an_error(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path
) -> None:
    with pytest.raises(aiodiscovery.DownloadError, match="does not know export export-none"):
        await aiodiscovery.download_export(client, "export-none", tmp_path)


async def test_a_download_error_can_be_pickled() -> None:
    error = aiodiscovery.DownloadError("no", "export-1", 403)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.export_id, copy.status_code) == ("no", "export-1", 403)
    other = aiodiscovery.ExportNotSucceededError("no", "export-1", "FAILED")
    copy = pickle.loads(pickle.dumps(other))
    assert (str(copy), copy.export_id, copy.export_status) == ("no", "export-1", "FAILED")


# Bad input


@pytest.mark.parametrize(
    "export",
    ["", "../../etc/passwd", "a/b", "..", ".hidden", "a\\b", "x" * 201, "with space", None, 1, {}],
)
async def test_what_is_no_export_is_refused(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path, export: Any
) -> None:
    exports = [export, {"exportId": export, "exportStatus": "SUCCEEDED"}]

    for given in exports:
        with pytest.raises(ValueError, match="export must be an ExportInfo or an export id"):
            await aiodiscovery.download_export(client, given, tmp_path)

    assert emulator.requests == ()
    assert names(tmp_path) == []


async def test_a_url_that_is_given_as_an_export_is_not_shown(
    client: "ApplicationDiscoveryServiceClient", tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        await aiodiscovery.download_export(client, "https://x/y?Signature=secret", tmp_path)

    assert "secret" not in str(caught.value)


async def test_the_directory_of_a_file_has_to_be_there_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        await aiodiscovery.download_export(client, export_id, tmp_path / "none" / "file.zip")

    assert emulator.requests == ()


async def test_a_directory_that_has_the_name_of_the_file_is_an_error_before_anything_is_sent(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "export-1.zip").mkdir()

    with pytest.raises(IsADirectoryError, match=r"export-1\.zip' is a directory"):
        await aiodiscovery.download_export(client, "export-1", tmp_path)

    assert emulator.requests == ()


async def test_a_file_that_cannot_be_written_is_an_error(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    (tmp_path / f"{export_id}.zip.part").mkdir()

    with pytest.raises(OSError, match="part"):
        await aiodiscovery.download_export(client, export_id, tmp_path)


async def test_an_http_client_of_another_kind_is_refused(
    client: "ApplicationDiscoveryServiceClient", export_id: str, tmp_path: Path
) -> None:
    # As alike as that of httpx.
    http: Any = type("AsyncClient", (), {"__module__": "httpx"})()

    with pytest.raises(ValueError, match=r"must be an httpx2\.AsyncClient, not httpx\.AsyncClient"):
        await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)


async def test_a_blocking_client_is_refused(anyio_backend: str, tmp_path: Path) -> None:
    blocking: Any = boto3.client(
        "discovery", "us-west-2", aws_access_key_id="x", aws_secret_access_key="x"
    )

    with pytest.raises(ValueError, match="blocking"):
        await aiodiscovery.download_export(blocking, "export-1", tmp_path)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_without_the_extra_it_says_what_to_install(
    client: "ApplicationDiscoveryServiceClient",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(ImportError, match=r'pip install "aiodiscovery\[download\]"'):
        await aiodiscovery.download_export(client, "export-1", tmp_path)
