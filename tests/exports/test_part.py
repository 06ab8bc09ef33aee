"""The part on disk: what its lock and its note promise, with timing that no download can force.

Also what it promises if locks do not work: a published file is never written again. The places
where a file is written: a part that starts over, one that is resumed, its note, a copy.
"""

import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anyio import ClosedResourceError
from anyio.to_thread import run_sync
from hypothesis import given, settings
from hypothesis import strategies as st

from aiodiscovery._exports import files
from aiodiscovery._exports.part import Part
from aiodiscovery._exports.published import Published


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
    try_lock = files.try_lock
    monkeypatch.setattr(files, "try_lock", lambda *file: overtake() and try_lock(*file))

    def overtake() -> bool:
        """Let one publish and a third one begin when the note is open and not yet locked."""
        monkeypatch.setattr(files, "try_lock", try_lock)
        first.begin(None, None)
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
    copy = os.dup(note._descriptor)  # which is what a forked process has
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

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", die)
        with pytest.raises(SystemExit):
            part.begin('"new"', 7)
    part.close()

    again = opened(stack, path)
    assert (again.size, again.offset, again.etag) == (4, 4, '"old"')


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
    assert [entry.name for entry in path.parent.iterdir()] == ["archive.zip"]


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
    reader: Part | Published = part
    if published:
        part.publish()
        reader = Published(path)
        reader.open()
    assert await run_sync(reader.find_flaw) is None

    reader.close()

    with pytest.raises(ClosedResourceError):
        await run_sync(reader.find_flaw)


def test_what_was_closed_before_it_was_opened_stays_closed(path: Path) -> None:
    part = Part(path, "export-1")
    part.close()

    assert not part.try_open()
    assert list(path.parent.iterdir()) == []


# Bytes that are kept until others have proved themselves


def begun(stack: ExitStack, path: Path) -> Part:
    """Open a part with four bytes from which a download can continue."""
    part = opened(stack, path)
    part.begin('"old"', 9)
    part.append(b"abcd")
    return part


def left(stack: ExitStack, path: Path) -> tuple[int, str | None, bytes]:
    again = opened(stack, path)
    return again.offset, again.etag, Path(f"{path}.part").read_bytes()


def test_what_starts_anew_leaves_what_there_was(stack: ExitStack, path: Path) -> None:
    part = begun(stack, path)
    part.begin('"new"', 9)
    part.append(b"xy")
    assert (part.offset, part.etag) == (2, '"new"')

    part.close()

    assert left(stack, path) == (4, '"old"', b"abcd")
    assert names(path) == ["archive.zip.part", "archive.zip.part.json"]


def test_what_is_more_takes_its_place(stack: ExitStack, path: Path) -> None:
    part = begun(stack, path)
    part.begin('"new"', 9)
    part.append(b"uvwxyz")
    part.close()

    assert left(stack, path) == (6, '"new"', b"uvwxyz")
    assert names(path) == ["archive.zip.part", "archive.zip.part.json"]


def test_what_two_answers_are_of_takes_its_place(stack: ExitStack, path: Path) -> None:
    part = begun(stack, path)
    part.begin('"new"', 9)
    part.append(b"xy")
    part.settle()
    part.go_on(9)
    part.close()

    assert left(stack, path) == (2, '"new"', b"xy")


@pytest.mark.parametrize(("etag", "size"), [(None, 8), ('"old"', 3)])
def test_what_is_worth_less_is_forgotten_once_it_broke_off(
    stack: ExitStack, path: Path, etag: str | None, size: int
) -> None:
    part = begun(stack, path)
    part.begin(etag, 9)
    part.append(b"x" * size)

    part.settle()

    assert (part.offset, part.etag) == (4, '"old"')
    part.go_on(9)
    part.append(b"e")
    part.close()
    assert left(stack, path) == (5, '"old"', b"abcde")


def test_what_proved_wrong_is_dropped(stack: ExitStack, path: Path) -> None:
    part = begun(stack, path)
    part.begin('"new"', 2)
    part.append(b"xy")

    part.drop_new()

    assert (part.offset, part.etag) == (4, '"old"')
    part.drop_new()
    assert (part.offset, part.etag) == (0, None)


def test_a_process_that_is_killed_leaves_nothing_but_a_part(stack: ExitStack, path: Path) -> None:
    part = begun(stack, path)
    part.begin('"new"', 9)
    part.append(b"x")
    # Its locks end with the process, but not the files that it has created.
    files.unlock(part._note._descriptor)  # type: ignore[arg-type]
    assert len(names(path)) == 3

    assert left(stack, path) == (4, '"old"', b"abcd")
    assert names(path) == ["archive.zip.part", "archive.zip.part.json"]


def names(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


# Where locks do not lock


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_lock", lambda descriptor: None)
    monkeypatch.setattr(Part, "_check_wanted", lambda part: None)  # this is no thread of anyio's


@pytest.mark.usefixtures("no_locks")
def test_what_was_published_does_not_grow(stack: ExitStack, path: Path) -> None:
    first = begun(stack, path)
    second = opened(stack, path)
    second.go_on(9)
    second.append(b"EFGHI")
    first.append(b"efghi")

    first.publish()
    second.append(b"more")
    with pytest.raises(FileExistsError):
        second.publish()
    second.begin('"x"', None)
    second.append(b"others")
    second.clear()
    second.close()

    assert path.read_bytes() == b"abcdefghi"
    assert path.stat().st_nlink == 1


@pytest.mark.usefixtures("no_locks")
def test_what_another_one_has_taken_over_is_published_all_the_same(
    stack: ExitStack, path: Path
) -> None:
    first = begun(stack, path)
    second = opened(stack, path)
    second.go_on(9)  # with a file of its own in the place of the first one's
    first.append(b"efghi")

    first.publish()

    assert path.read_bytes() == b"abcdefghi"
    assert path.stat().st_nlink == 1
    second.append(b"EFGHI")
    assert path.read_bytes() == b"abcdefghi"


class Op(NamedTuple):
    part: int
    name: str
    links: bool


OPS = ["open", "begin", "other", "go_on", "append", "settle", "drop", "clear", "publish", "keep"]


@given(
    st.lists(
        st.builds(Op, st.integers(0, 2), st.sampled_from([*OPS, "close"]), st.booleans()),
        max_size=30,
    )
)
@settings(deadline=None, max_examples=200)
def test_whatever_parts_do_without_locks_what_was_published_stays(ops: list[Op]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        path = Path(folder) / "archive.zip"
        patch.setattr(files, "_lock", lambda descriptor: None)
        patch.setattr(Part, "_check_wanted", lambda part: None)
        parts: list[Part | None] = [None] * 3
        published: dict[str, tuple[int, bytes]] = {}
        for op in ops:
            part = parts[op.part]
            if op.name == "open" and part is None:
                part = parts[op.part] = Part(path, "export-1")
                stack.callback(part.close)
                assert part.try_open()
            elif part is not None:
                with pytest.MonkeyPatch.context() as inner:
                    if not op.links:
                        inner.delattr(os, "link")
                        inner.setattr(os, "link", no_link, raising=False)
                    do(part, op)
                if op.name == "close":
                    parts[op.part] = None
            for name in ("archive.zip", "archive.zip.unverified", "archive.zip.unverified-2"):
                final = path.with_name(name)
                if final.exists():
                    now = final.stat().st_ino, final.read_bytes()
                    assert published.setdefault(name, now) == now
                else:
                    assert name not in published


def no_link(*_: Any, **__: Any) -> None:
    raise PermissionError


def do(part: Part, op: Op) -> None:
    has_bytes = part._bytes is not None
    is_own = part._bytes is not None and part._bytes.is_own
    if op.name == "begin":
        part.begin('"1"', 9)
    elif op.name == "other":
        part.begin('"2"', None)
    elif op.name == "go_on" and part.offset:
        part.go_on(9)
    elif op.name == "append" and is_own:
        part.append(b"%d" % op.part)
    elif op.name == "settle":
        part.settle()
    elif op.name == "drop":
        part.drop_new()
    elif op.name == "clear":
        part.clear()
    elif op.name == "publish" and has_bytes and is_own:
        with suppress(FileExistsError):
            part.publish()
    elif op.name == "keep" and has_bytes and is_own:
        part.keep_unverified()
    elif op.name == "close":
        part.close()
