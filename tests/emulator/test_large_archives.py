"""Archives of any size: made once, in bounded memory, and the same bytes each time."""

import contextlib
import gc
import http.client
import tempfile
import threading
import time
import tracemalloc
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiodiscovery.emulator import Emulator
from aiodiscovery.emulator._contents import ContentsMaker

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

    Connect = Callable[[Emulator], ApplicationDiscoveryServiceClient]

DAY = 86400.0
DESCRIBE = "DescribeTags"


def large(connections: float = 200, **options: Any) -> Emulator:
    """Make an emulator with one server, whose agent has a day of this many connections."""
    emulator = Emulator(exports=0, agents=1, configurations=1, connections=connections, **options)
    (agent_id,) = emulator.agent_ids
    end = emulator.agent_life(agent_id)[1]
    emulator.set_agent_life(agent_id, registered_time=end - DAY)
    return emulator


def add_export(emulator: Emulator) -> str:
    return emulator.add_export(status="SUCCEEDED", agent_id=emulator.agent_ids[0])


def url_of(client: "ApplicationDiscoveryServiceClient", export_id: str) -> str:
    (export,) = client.describe_export_tasks(exportIds=[export_id])["exportsInfo"]
    return export.get("configurationsDownloadUrl", "")


def fetch(url: str, part: range | None = None) -> bytes:
    headers = {} if part is None else {"Range": f"bytes={part.start}-{part.stop - 1}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        body: bytes = answer.read()
    return body


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Return the temporary files as they are made."""
    made: list[Any] = []
    make = tempfile.SpooledTemporaryFile

    def spool(*args: Any, **kwargs: Any) -> Any:
        made.append(make(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", spool)
    yield made
    made.clear()


def test_an_archive_is_never_in_memory(tmp_path: Path) -> None:
    emulator = large(900)
    export_id = add_export(emulator)
    path = tmp_path / "large.zip"
    tracemalloc.start()
    try:
        emulator.write_archive(export_id, path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        size = sum(member.file_size for member in archive.infolist())
    assert size > 8_000_000
    assert peak < 4_500_000


def test_the_same_bytes_come_from_another_emulator(tmp_path: Path) -> None:
    paths = [tmp_path / "one.zip", tmp_path / "other.zip"]
    for path in paths:
        emulator = large()
        emulator.write_archive(add_export(emulator), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_any_range_comes_while_others_are_sent(connect: "Connect") -> None:
    # It is larger than the part that is kept in memory.
    with large(archive_size=2_000_000) as emulator:
        export_id = add_export(emulator)
        url = url_of(connect(emulator), export_id)
        whole = emulator.archive(export_id)
        cuts = [0, 1, 65_536, 262_143, 262_144, 700_001, 1_500_000, len(whole) - 1, len(whole)]
        parts = [range(a, b) for a, b in pairwise(cuts)] * 3
        with ThreadPoolExecutor(8) as threads:
            bodies = list(threads.map(lambda part: fetch(url, part), parts))
    for part, body in zip(parts, bodies, strict=True):
        assert body == whole[part.start : part.stop]


def test_an_archive_is_made_once_for_all_who_ask(connect: "Connect", spools: list[Any]) -> None:
    with large(400) as emulator:
        url = url_of(connect(emulator), add_export(emulator))
        # The same range of the same agent, so the same archive.
        other_url = url_of(connect(emulator), add_export(emulator))
        with ThreadPoolExecutor(6) as threads:
            bodies = set(threads.map(fetch, [url, other_url] * 3))
    assert len(bodies) == 1
    assert len(spools) == 1


def test_temporary_files_go_with_the_emulator(spools: list[Any]) -> None:
    emulator = large(archive_size=2_000_000)
    emulator.archive(add_export(emulator))
    for _ in range(20):
        emulator.archive(emulator.add_export(status="SUCCEEDED"))
    gc.collect()
    # Only the last archives are kept.
    assert [spool.closed for spool in spools] == [True] * 5 + [False] * 16
    del emulator
    gc.collect()
    assert all(spool.closed for spool in spools)


def test_an_archive_that_was_forgotten_is_the_same_again(spools: list[Any]) -> None:
    emulator = Emulator(exports=0)
    export_id = emulator.add_export(status="SUCCEEDED")
    before = emulator.archive(export_id)
    for _ in range(20):
        emulator.archive(emulator.add_export(status="SUCCEEDED"))
    assert emulator.archive(export_id) == before
    assert len(spools) == 22


def test_calls_are_answered_while_an_archive_is_made(
    connect: "Connect", monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = threading.Event(), threading.Event()
    files = ContentsMaker.files

    def slow_files(*args: Any) -> Any:
        started.set()
        assert go_on.wait(30)
        return files(*args)

    monkeypatch.setattr(ContentsMaker, "files", slow_files)
    with Emulator() as emulator, ThreadPoolExecutor(1) as threads:
        client = connect(emulator)
        export_id = emulator.add_export(status="SUCCEEDED")
        body = threads.submit(fetch, url_of(client, export_id))
        assert started.wait(30)
        try:
            assert client.describe_tags()["tags"]
            assert emulator.export_ids
            assert not body.done()
        finally:
            go_on.set()
        assert body.result() == emulator.archive(export_id)


def test_the_end_of_the_emulator_ends_what_is_being_made(
    connect: "Connect", send: Callable[..., Any], spools: list[Any]
) -> None:
    with ThreadPoolExecutor(1) as threads:
        # This one would take too long to wait for.
        with large(2_000_000) as emulator:
            path = url_of(connect(emulator), add_export(emulator)).removeprefix(
                emulator.endpoint_url
            )
            download = threads.submit(send, emulator.endpoint_url, "GET", path)
            while not spools:
                time.sleep(0.001)
        # It gets an error, or the connection is closed.
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert download.result().status == 503
