"""Where archives lie in the directory, and how they get there."""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

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

#: Where archives are until it is known what they hold.
_INCOMING = "incoming"
_CHUNK = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def agent_file(agent_id: str, actual: Range) -> str:
    """Return the path of an agent's archive, in the directory."""
    return f"agents/{_as_name(agent_id)}/{_stamp(actual.start)}_{_stamp(actual.end)}.zip"


def summary_file(kind: Kind, time: float) -> str:
    """Return the path of a summary that was asked for at a time, in the directory."""
    return f"{kind}/{_stamp(int(time))}.zip"


def incoming_file(directory: Path, export_id: str) -> Path:
    """Return where the archive of an export waits until it is known what it holds.

    It is no ``.zip``: whoever reads the directory reads what has its place.
    """
    return directory / _INCOMING / f"{_as_name(export_id)}.download"


def arriving_file(directory: Path, export_id: str) -> Path:
    """Return where the archive of an export is downloaded to, in a folder that is there."""
    folder = directory / _INCOMING
    folder.mkdir(exist_ok=True)
    return folder / f"{_as_name(export_id)}.zip"


def has_arrived(directory: Path, export_id: str) -> bool:
    """Say whether the archive of an export was downloaded, by an earlier collection too."""
    return incoming_file(directory, export_id).is_file()


def note_arrived(directory: Path, export_id: str) -> None:
    """Have an archive that was downloaded wait."""
    os.replace(arriving_file(directory, export_id), incoming_file(directory, export_id))


def free_name(directory: Path, wanted: str, export_id: str) -> str:
    """Return a path that nothing has: what is there is never written again."""
    if not (directory / wanted).exists():
        return wanted
    path = PurePosixPath(wanted)
    return str(path.with_name(f"{path.stem}_{_as_name(export_id)}.zip"))


def store(path: Path, name: str) -> StoredFile:
    """Return what the ledger has to say of a file that is to get a name."""
    status = path.stat()
    return StoredFile(name, status.st_size, status.st_mtime_ns, _checksum(path))


def place(directory: Path, export_id: str, file: StoredFile) -> None:
    """Give a file that has come its name, for good."""
    target = directory / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(incoming_file(directory, export_id), target)
    # The name is on disk too when this returns.
    for folder in (target.parent, target.parent.parent, directory):
        _sync(folder)


def set_aside(directory: Path, file: StoredFile) -> None:
    """Rename a file that is not what was downloaded any more, so that its name is free."""
    path = directory / file.path
    path.replace(path.with_name(f"{path.name}.changed"))


def put_in_order(directory: Path, records: Iterable[Record]) -> None:
    """Give what has come its name, and remove what is not kept, where that was cut short."""
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
        elif (
            record.file is not None
            and path.is_file()
            and not (directory / record.file.path).exists()
        ):
            place(directory, record.export_id, record.file)
    for path in folder.iterdir():
        if path.name not in wanted and re.search(r"\.(download|zip)(\.\w+)*$", path.name):
            path.unlink()


def discard(directory: Path, export_id: str) -> None:
    """Remove a file that has come and is not kept."""
    incoming_file(directory, export_id).unlink(missing_ok=True)


def is_unchanged(
    directory: Path, file: StoredFile, *, thoroughly: bool, check: Callable[[], object]
) -> bool | None:
    """Say whether a file is still what was downloaded; None if it is not there.

    :param thoroughly: whether to read it even if neither its size nor its time has changed.
    :param check: called again and again; what it raises ends the reading.
    """
    path = directory / file.path
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if status.st_size != file.size:
        return False
    if status.st_mtime_ns == file.modified and not thoroughly:
        return True
    return _checksum(path, check) == file.sha256


def _checksum(path: Path, check: Callable[[], object] = lambda: None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            check()
            digest.update(chunk)
    return digest.hexdigest()


def _stamp(seconds: int) -> str:
    return f"{_EPOCH + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}"


def _as_name(text: str) -> str:
    """Return a text as the name of a file: what the service's ids have stays as it is."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda match: f"%{ord(match[0]):02X}", text)


def _sync(folder: Path) -> None:
    if sys.platform == "win32":
        return  # which has no such thing
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
