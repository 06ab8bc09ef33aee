"""The part on disk: what its lock and its note promise, where no download gets the timing right."""

import io
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from anyio import ClosedResourceError
from anyio.to_thread import run_sync

from aiodiscovery._exports import part as part_module
from aiodiscovery._exports.part import Part


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.zip"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, path: Path) -> Part:
    part = stack.enter_context(closing(Part(path, "export-1")))
    assert part.try_open()
    return part


def test_only_one_has_it_at_a_time(stack: ExitStack, path: Path) -> None:
    first = opened(stack, path)
    second = stack.enter_context(closing(Part(path, "export-1")))

    assert not second.try_open()
    first.close()
    assert second.try_open()


def test_a_lock_on_a_note_that_was_removed_is_none(
    stack: ExitStack, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, third = opened(stack, path), Part(path, "export-1")
    stack.callback(third.close)
    try_lock: Any = getattr(part_module, "_try_lock")  # noqa: B009  # private
    monkeypatch.setattr(part_module, "_try_lock", lambda file: overtake() and try_lock(file))

    def overtake() -> bool:
        """Let one publish and a third one begin when the note is open and not yet locked."""
        monkeypatch.setattr(part_module, "_try_lock", try_lock)
        first.publish()
        first.close()
        assert third.try_open()
        return True

    second = stack.enter_context(closing(Part(path, "export-1")))
    assert not second.try_open()
    third.close()
    assert second.try_open()


def test_a_fork_does_not_keep_the_lock(stack: ExitStack, path: Path) -> None:
    part = opened(stack, path)
    note: Any = part._note
    copy = os.dup(note.fileno())  # which is what a forked process has
    stack.callback(os.close, copy)

    part.close()

    opened(stack, path)


def test_it_goes_on_with_what_was_left(stack: ExitStack, path: Path) -> None:
    part = opened(stack, path)
    part.begin('"1"', 9)
    part.append(b"abcd")
    part.close()

    again = opened(stack, path)

    assert (again.offset, again.etag, again.total) == (4, '"1"', 9)


@pytest.mark.parametrize("etag", ['"1"', None])
def test_what_has_no_etag_cannot_go_on(stack: ExitStack, path: Path, etag: str | None) -> None:
    part = opened(stack, path)
    part.begin(etag, None)
    part.append(b"abcd")

    assert part.offset == (4 if etag else 0)


def test_what_has_no_bytes_yet_starts_anew(stack: ExitStack, path: Path) -> None:
    part = opened(stack, path)
    part.begin('"1"', 0)

    assert part.offset == 0


def test_a_process_that_dies_when_it_starts_anew_leaves_nothing_wrong(
    stack: ExitStack, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = opened(stack, path)
    part.begin('"old"', 9)
    part.append(b"abcd")

    def die(file: Any, data: bytes) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(part_module, "_write", die)
        with pytest.raises(SystemExit):
            part.begin('"new"', 7)
    part.close()

    again = opened(stack, path)
    assert (again.size, again.offset, again.etag) == (0, 0, None)


def test_closing_waits_for_a_call_that_still_runs_in_its_thread(
    stack: ExitStack, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = opened(stack, path)
    part.begin('"1"', 4)
    part.append(b"abcd")
    begun, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow_fsync(descriptor: int) -> None:
        begun.set()
        go_on.wait(30)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    publishing = threading.Thread(target=part.publish)
    publishing.start()
    begun.wait(30)
    closing_it = threading.Thread(target=part.close)
    closing_it.start()
    other = stack.enter_context(closing(Part(path, "export-1")))
    assert not other.try_open()

    go_on.set()
    publishing.join()
    closing_it.join()

    assert path.read_bytes() == b"abcd"
    assert [each.name for each in path.parent.iterdir()] == ["archive.zip"]


@pytest.mark.anyio
@pytest.mark.parametrize("published", [False, True])
async def test_what_was_closed_is_read_no_further(
    stack: ExitStack, path: Path, published: bool
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "rows")
    part = opened(stack, path)
    part.begin('"1"', None)
    part.append(buffer.getvalue())
    if published:
        part.publish()
    read = part.published_size if published else part.find_flaw
    await run_sync(read)

    part.close()

    with pytest.raises(ClosedResourceError):
        await run_sync(read)


def test_what_was_closed_before_it_was_opened_stays_closed(path: Path) -> None:
    part = Part(path, "export-1")
    part.close()

    assert not part.try_open()
    assert list(path.parent.iterdir()) == []
