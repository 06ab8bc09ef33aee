"""Whatever goes wrong with downloads, no wrong file gets its name, and the right one arrives."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiodiscovery
from aiodiscovery._client.backoff import Backoff
from aiodiscovery._exports.archive import Flaw, find_flaw
from aiodiscovery.emulator import Emulator

pytest.importorskip("httpx2")

SIZE = 100_000

sizes = st.integers(0, SIZE * 5 // 4)

# What goes wrong with the requests of one download.
faults = st.one_of(
    sizes.map(lambda size: lambda emulator: emulator.inject_broken_download(size)),
    st.builds(
        lambda status: lambda emulator: emulator.inject_download_error("E", "", status=status),
        st.sampled_from([400, 403, 404, 429, 500, 503]),
    ),
    st.integers(-SIZE, 50).map(lambda by: lambda emulator: emulator.inject_wrong_length(by)),
    st.just(lambda emulator: emulator.inject_corrupt_download()),
    st.just(lambda emulator: emulator.inject_no_ranges(calls=3)),
)


def overwrite(path: Path, content: bytes) -> None:
    if path.exists():
        path.write_bytes(content)


def damage(path: Path) -> None:
    """Damage an archive, but not the end of it."""
    if path.exists() and path.stat().st_size > 65536 + 100:
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)


def replace(emulator: Emulator, export_id: str, path: Path) -> None:
    emulator.replace_archive(export_id)
    path.unlink(missing_ok=True)  # which is another one now


# What happens between two downloads.
events: st.SearchStrategy[Callable[[Emulator, str, Path], object]] = st.one_of(
    st.just(replace),
    sizes.map(
        lambda size: (
            lambda emulator, export_id, path: overwrite(
                path.with_name(f"{path.name}.part"), bytes(size)
            )
        )
    ),
    st.binary(max_size=5).map(
        lambda text: (
            lambda emulator, export_id, path: overwrite(
                path.with_name(f"{path.name}.part.json"), text
            )
        )
    ),
    st.just(lambda emulator, export_id, path: path.write_bytes(b"")),
    st.just(lambda emulator, export_id, path: damage(path)),
)

# A download: what goes wrong, when it is cancelled, and what happens afterwards.
rounds = st.lists(
    st.tuples(st.lists(faults, max_size=5), st.none() | sizes, st.lists(events, max_size=2)),
    max_size=5,
)


class Downloader:
    """Downloads in a separate event loop, from blocking code."""

    def __init__(self, portal: Any, client: Any) -> None:
        self._portal = portal
        self._client = client

    def download(self, export_id: str, path: Path, cancel_at: int | None) -> bool:
        """Say whether a download came to its end."""
        came: bool = self._portal.call(self._download, export_id, path, cancel_at)
        return came

    async def _download(self, export_id: str, path: Path, cancel_at: int | None) -> bool:
        def progress(done: int, total: int | None) -> None:
            if cancel_at is not None and done >= cancel_at:
                scope.cancel()

        came = False
        with anyio.CancelScope() as scope:
            try:
                await aiodiscovery.download_export(self._client, export_id, path, progress=progress)
                came = True
            except (aiodiscovery.DownloadError, FileExistsError):
                # A corrupt answer may make an existing archive look like a different one.
                pass
        return came


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(archive_size=SIZE) as running:
        yield running


@pytest.fixture(params=["asyncio", "trio"])
def downloader(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Downloader]:
    with (
        start_blocking_portal(request.param) as portal,
        portal.wrap_async_context_manager(
            aiodiscovery.create_client(**emulator.client_kwargs)
        ) as client,
    ):
        yield Downloader(portal, client)


@given(rounds=rounds)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_wrong_file_gets_its_name_and_in_the_end_the_right_one_is_there(
    downloader: Downloader, emulator: Emulator, rounds: Any
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("aiodiscovery._exports.transfer._BACKOFF", Backoff(0.0001, 0.0001))
        path = Path(folder) / "archive.zip"
        for injected, cancel_at, happening in rounds:
            emulator.clear_faults()
            for inject in injected:
                inject(emulator)
            before = path.read_bytes() if path.exists() else None

            came = downloader.download(export_id, path, cancel_at)

            after = path.read_bytes() if path.exists() else None
            assert after in ({emulator.archive(export_id)} | (set() if came else {before}))
            for happen in happening:
                happen(emulator, export_id, path)

        emulator.clear_faults()
        assert downloader.download(export_id, path, None)
        assert path.read_bytes() == emulator.archive(export_id)
        assert [path.name for path in Path(folder).iterdir()] == ["archive.zip"]


def whole_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.csv", "b.csv"):
            archive.writestr(zipfile.ZipInfo(name), "row\r\n" * 20, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo("c.bz2"), "row\r\n" * 20, zipfile.ZIP_BZIP2)
        archive.writestr(zipfile.ZipInfo("d.xz"), "row\r\n" * 20, zipfile.ZIP_LZMA)
    return buffer.getvalue()


WHOLE = whole_archive()


def flaw_of(content: bytes) -> Flaw | None:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return find_flaw(file.fileno(), lambda: None)


def test_a_whole_archive_has_no_flaw() -> None:
    assert flaw_of(WHOLE) is None


@given(st.integers(0, len(WHOLE) - 1))
@settings(deadline=None, max_examples=100)
def test_an_archive_that_was_cut_off_has_a_flaw(length: int) -> None:
    assert flaw_of(WHOLE[:length])


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4)
)
@settings(deadline=None, max_examples=400)
def test_whatever_bytes_an_archive_has_it_is_read_without_an_error(
    changes: list[tuple[int, int]],
) -> None:
    content = bytearray(WHOLE)
    for position, value in changes:
        content[position] = value

    flaw = flaw_of(bytes(content))

    assert flaw is None or flaw.text
    if flaw is None:
        # What passes can be read.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
