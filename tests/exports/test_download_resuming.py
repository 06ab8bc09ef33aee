"""Resuming what an earlier download left."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.downloads import answers, changed_client, leave_a_part, names

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient


pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


async def test_a_cancelled_download_goes_on_the_next_time(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    assert names(tmp_path) == [f"{export_id}.zip.part", f"{export_id}.zip.part.json"]
    assert "X-Amz" not in (tmp_path / f"{export_id}.zip.part.json").read_text()

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert names(tmp_path) == [f"{export_id}.zip"]
    assert answers(emulator) == [(None, 200), ("bytes=100000-", 206)]
    assert emulator.downloads[-1].if_range is not None


async def test_a_part_that_is_complete_needs_a_byte_to_be_known_as_still_the_same(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, len(archive))

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [(f"bytes={len(archive) - 1}-", 206)]


async def test_a_part_that_is_complete_is_not_used_when_the_archive_has_changed(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, len(archive))
    emulator.replace_archive(export_id)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == emulator.archive(export_id) != archive


async def test_an_archive_that_has_changed_meanwhile_is_got_anew(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    emulator.replace_archive(export_id)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert answers(emulator)[1:] == [("bytes=100000-", 200)]


async def test_a_changed_archive_is_noticed_where_the_server_does_not_mind_if_range(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    emulator.replace_archive(export_id)

    def forget(request: Any) -> None:
        request.headers.pop("If-Range", None)

    async with changed_client(on_request=forget) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert answers(emulator)[1:] == [("bytes=100000-", 206), (None, 200)]


async def test_a_part_that_is_longer_than_the_archive_now_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    part = tmp_path / f"{export_id}.zip.part"
    part.write_bytes(bytes(len(archive) + 5))

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive


async def test_a_range_that_is_not_there_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    emulator.inject_wrong_length(+10)  # so more is asked for than there is

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200), (f"bytes={len(archive)}-", 416), (None, 200)]


@pytest.mark.parametrize("etag", ['W/"weak"', '"\N{LATIN SMALL LETTER E WITH ACUTE}"', None])
async def test_without_a_strong_etag_it_starts_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    etag: str | None,
) -> None:
    def weaken(response: Any) -> None:
        del response.headers["ETag"]
        if etag is not None:
            # A header may hold bytes that are not ASCII, but a request cannot be sent with them.
            response.headers.encoding = "latin-1"
            response.headers["ETag"] = etag

    emulator.inject_broken_download(200_000)
    async with changed_client(on_response=weaken) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200), (None, 200)]


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-9/*",
        "bytes 100001-9/*",
        "lines 1-2/3",
        None,
        "bytes 100000-100009/7",
        f"bytes 100000-100009/{'9' * 5000}",
    ],
)
async def test_an_answer_that_does_not_go_on_where_the_part_ends_is_not_used(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    content_range: str | None,
) -> None:
    def spoil(response: Any) -> None:
        if response.status_code == 206:
            del response.headers["Content-Range"]
            if content_range is not None:
                response.headers["Content-Range"] = content_range

    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    async with changed_client(on_response=spoil) as http:
        done = await aiodiscovery.download_export(client, export_id, tmp_path, http_client=http)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=100000-", 206), (None, 200)]


@pytest.mark.parametrize(
    "note", ["", "no JSON", "[]", '{"exportId": "other", "etag": "\\"1\\"", "size": 9}', "{}"]
)
async def test_a_part_of_nobody_knows_what_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
    note: str,
) -> None:
    (tmp_path / f"{export_id}.zip.part").write_bytes(archive[:1000])
    (tmp_path / f"{export_id}.zip.part.json").write_text(note)

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator) == [(None, 200)]


async def test_a_part_of_another_export_is_not_used(
    client: "ApplicationDiscoveryServiceClient", emulator: Emulator, export_id: str, tmp_path: Path
) -> None:
    other_id = emulator.add_export(status="SUCCEEDED")
    path = tmp_path / "latest.zip"
    await leave_a_part(client, emulator, other_id, path, 100_000)

    done = await aiodiscovery.download_export(client, export_id, path)

    assert done.path.read_bytes() == emulator.archive(export_id)
    assert names(tmp_path) == ["latest.zip"]


async def test_a_part_that_was_damaged_on_disk_is_got_anew(
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    export_id: str,
    archive: bytes,
    tmp_path: Path,
) -> None:
    await leave_a_part(client, emulator, export_id, tmp_path, 100_000)
    # As after a power failure.
    (tmp_path / f"{export_id}.zip.part").write_bytes(bytes(100_000))

    done = await aiodiscovery.download_export(client, export_id, tmp_path)

    assert done.path.read_bytes() == archive
    assert answers(emulator)[1:] == [("bytes=100000-", 206), (None, 200)]
