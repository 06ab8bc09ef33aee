"""Where archives are in the directory, and how they get there."""

import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from errno import EEXIST
from itertools import chain, count
from pathlib import Path, PurePosixPath

from .._exports import find_flaw
from .plan import Kind, Range, State
from .records import Record, StoredFile

__all__ = [
    "agent_file",
    "arriving_file",
    "discard",
    "free_name",
    "has_arrived",
    "incoming_file",
    "is_unchanged",
    "note_arrived",
    "place",
    "put_in_order",
    "set_aside",
    "store",
    "summary_file",
]

#: Where archives are until their contents are known.
_INCOMING = "incoming"
#: The names of files there, including those that a download leaves behind.
_OURS = re.compile(r"\.(download|zip)(\.[\w-]+)*~?$")
_CHUNK = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def agent_file(agent_id: str, actual: Range) -> str:
    """Return the path of an agent's archive, relative to the directory."""
    return f"agents/{_as_name(agent_id)}/{_stamp(actual.start)}_{_stamp(actual.end)}.zip"


def summary_file(kind: Kind, time: float) -> str:
    """Return the path of a summary that was requested at a time, relative to the directory."""
    return f"{kind}/{_stamp(int(time))}.zip"


def incoming_file(directory: Path, export_id: str) -> Path:
    """Return where the archive of an export waits until its contents are known.

    Its name does not end in ``.zip``, so that readers of the directory only find placed archives.
    """
    return directory / _INCOMING / f"{_as_name(export_id)}.download"


def arriving_file(directory: Path, export_id: str) -> Path:
    """Return where the archive of an export is downloaded to, in a folder that exists."""
    folder = directory / _INCOMING
    folder.mkdir(exist_ok=True)
    return folder / f"{_as_name(export_id)}.zip"


def has_arrived(directory: Path, export_id: str, check: Callable[[], object]) -> bool:
    """Say whether the archive of an export was downloaded by an earlier collection.

    It is read to its end. One that was damaged since then is removed.

    :param check: called again and again. An exception that it raises ends the reading.
    :raises FileExistsError: if something other than a regular file has its name.
    """
    path = incoming_file(directory, export_id)
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError(EEXIST, "Something that is not an archive exists there", str(path))
    with path.open("rb") as file:
        flaw = find_flaw(file.fileno(), check)
    if flaw is not None:
        path.unlink()
    return flaw is None


def note_arrived(directory: Path, export_id: str) -> None:
    """Move a downloaded archive to where it waits."""
    os.replace(arriving_file(directory, export_id), incoming_file(directory, export_id))


def free_name(directory: Path, wanted: str, export_id: str) -> str:
    """Return a path that is not in use. An existing file is never overwritten."""
    path = PurePosixPath(wanted)
    first = path.with_name(f"{path.stem}_{_as_name(export_id)}.zip")
    others = (first.with_name(f"{first.stem}_{number}.zip") for number in count(2))
    names = chain((path, first), others)
    return next(str(name) for name in names if not os.path.lexists(directory / name))


def store(path: Path, name: str, check: Callable[[], object]) -> StoredFile:
    """Return what the ledger keeps about a file that is to get a name.

    :param check: called again and again. An exception that it raises ends the reading.
    """
    status = path.stat()
    return StoredFile(name, status.st_size, status.st_mtime_ns, _checksum(path, check))


def place(directory: Path, export_id: str, file: StoredFile) -> None:
    """Give a downloaded file its name, durably."""
    target = directory / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(incoming_file(directory, export_id), target)
    # The name is also on disk when this returns.
    for folder in (target.parent, target.parent.parent, directory):
        _sync(folder)


def set_aside(directory: Path, file: StoredFile) -> None:
    """Rename a file that is no longer what was downloaded, so that its name is free."""
    path = directory / file.path
    first = path.with_name(f"{path.name}.changed")
    others = (path.with_name(f"{first.name}-{number}") for number in count(2))
    # One that was set aside before is kept too.
    path.rename(next(name for name in chain((first,), others) if not os.path.lexists(name)))


def put_in_order(directory: Path, records: Iterable[Record]) -> None:
    """Finish interrupted work: name the archives that are kept, and remove the others."""
    folder = directory / _INCOMING
    if not folder.is_dir():
        return
    wanted = set[str]()
    for record in records:
        if record.export_id is None:
            continue
        path = incoming_file(directory, record.export_id)
        if record.state is State.RUNNING:
            zipped = arriving_file(directory, record.export_id).name
            wanted |= {path.name, zipped, f"{zipped}.part", f"{zipped}.part.json"}
            # Archives that were kept although they cannot be read.
            wanted |= {found.name for found in folder.glob(f"{zipped}.unverified*")}
        elif (
            record.file is not None
            and path.is_file()
            and not os.path.lexists(directory / record.file.path)
        ):
            place(directory, record.export_id, record.file)
    for path in folder.iterdir():
        if path.name not in wanted and _OURS.search(path.name) and not path.is_dir():
            path.unlink()


def discard(directory: Path, export_id: str) -> None:
    """Remove a downloaded file that is not kept."""
    incoming_file(directory, export_id).unlink(missing_ok=True)


def is_unchanged(
    directory: Path, file: StoredFile, *, thoroughly: bool, check: Callable[[], object]
) -> bool | None:
    """Say whether a file is still what was downloaded; None if it is not there.

    A file that cannot be read is not.

    :param thoroughly: whether to read it even if its size and its time have not changed.
    :param check: called again and again. An exception that it raises ends the reading.
    """
    path = directory / file.path
    try:
        status = path.stat()
        if status.st_size != file.size or not stat.S_ISREG(status.st_mode):
            return False
        if status.st_mtime_ns == file.modified and not thoroughly:
            return True
        return _checksum(path, check) == file.sha256
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        # Such as a bad sector, or links in a circle. A report tells about the others all the same.
        return False


def _checksum(path: Path, check: Callable[[], object]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            check()
            digest.update(chunk)
    return digest.hexdigest()


def _stamp(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}"


def _as_name(text: str) -> str:
    """Return a text as a file name. Characters of the service's ids stay as they are."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda match: f"%{ord(match[0]):02X}", text)


def _sync(folder: Path) -> None:
    if sys.platform == "win32":
        return  # Windows cannot sync a directory
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
