"""Safe access to files on disk: regular files only, never through a link, never another's.

All functions block. Anyone who may write to the directory can give a name to another file at any
time. So what counts is the open file, and names are compared with it.
"""

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Callable
from errno import EACCES, EAGAIN, EEXIST, ENOLCK, ENOSYS, EOPNOTSUPP
from pathlib import Path

from .archive import read_at

__all__ = [
    "copy",
    "create",
    "give_name",
    "has_name",
    "is_there",
    "open_regular",
    "private_name",
    "read_at",
    "remove",
    "same_content",
    "stat_regular",
    "try_lock",
    "unlock",
    "write",
]

#: Not on Windows: never follow a link, and never wait for the other end of a FIFO.
_SAFE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
#: The permissions of a new file, before the umask.
_MODE = 0o666
_CHUNK = 1024 * 1024

#: The errors of a file system without locks.
_NO_LOCKS = (ENOSYS, EOPNOTSUPP, ENOLCK)

# Not with the library filelock: that opens and locks a path. What has to be locked here is the open
# file that was checked, because its name may mean another file by then.
if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # A locked region cannot be read, so it is far behind the end of the file.
        os.lseek(descriptor, 0x7FFF_FFFE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def unlock(descriptor: int) -> None:
        """Do nothing: closing the file is enough."""
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # flock(), because locks of lockf() belong to the whole process.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(descriptor: int) -> None:
        """Release a lock, even if a forked process has the file open too."""
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def try_lock(descriptor: int, path: Path) -> bool:
    """Lock an open file. Return False if someone else has locked it.

    :raises OSError: if the file system has no locks.
    """
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in (EACCES, EAGAIN):
            return False
        if error.errno in _NO_LOCKS:
            raise OSError(
                error.errno,
                "downloads need a file system with locks (flock), and this one has none",
                str(path),
            ) from None
        raise
    return True


def stat_regular(path: Path) -> os.stat_result | None:
    """Return the status of the file with a name.

    :return: None if there is no such file.
    :raises IsADirectoryError, FileExistsError: if it is not a regular file.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{str(path)!r} is a directory, and is not replaced by a file")
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        raise FileExistsError(f"{str(path)!r} is {kind}, and is left as it is")
    return found


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int | None:
    """Open an existing regular file. Return None if there is none.

    :raises IsADirectoryError, FileExistsError: if it is not a regular file.
    """
    if stat_regular(path) is None:
        return None
    try:
        descriptor = os.open(path, flags | _SAFE)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        # It was replaced between the two calls.
        os.close(descriptor)
        raise FileExistsError(f"{str(path)!r} is not a regular file, and is left as it is")
    return descriptor


def create(path: Path, *, append: bool = True) -> int:
    """Create a new file, for reading and writing.

    :param append: whether to write at its end, wherever it was read.
    :raises FileExistsError: if the name is in use.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | (os.O_APPEND if append else 0)
    return os.open(path, flags | _SAFE, _MODE)


def write(descriptor: int, data: bytes | memoryview, path: Path) -> None:
    """Write all of the data. An error names the file."""
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def copy(source: int, path: Path, length: int, check_wanted: Callable[[], object]) -> int:
    """Copy the first bytes of an open file into a new one, and return the new one, open.

    :param check_wanted: called again and again. An exception that it raises ends the copying.
    """
    descriptor = create(path)
    try:
        position = 0
        while position < length:
            check_wanted()
            chunk = read_at(source, min(_CHUNK, length - position), position)
            if not chunk:
                break
            write(descriptor, chunk, path)
            position += len(chunk)
    except BaseException:
        os.close(descriptor)
        remove(path)
        raise
    return descriptor


def same_content(one: int, other: int, check_wanted: Callable[[], object]) -> bool:
    """Say whether two open files hold the same bytes."""
    length = os.fstat(one).st_size
    if os.fstat(other).st_size != length:
        return False
    for position in range(0, length, _CHUNK):
        check_wanted()
        if read_at(one, _CHUNK, position) != read_at(other, _CHUNK, position):
            return False
    return True


def is_there(path: Path) -> bool:
    """Say whether a name is in use, even by a dangling link."""
    return os.path.lexists(path)


def has_name(descriptor: int, path: Path) -> bool:
    """Say whether an open file has a given name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def private_name(path: Path) -> Path:
    """Return a unique name beside another one, no longer than that of its note."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}~")


def remove(path: Path) -> None:
    """Remove a name, if possible."""
    with contextlib.suppress(OSError):
        path.unlink()


def give_name(
    descriptor: int,
    path: Path,
    name: Path,
    check_wanted: Callable[[], object],
    replaced: os.stat_result | None = None,
) -> None:
    """Give an open file, and no other, a name that is not in use.

    :param path: its present name, which is gone afterwards.
    :param check_wanted: called again and again. An exception that it raises leaves everything as it
        was.
    :param replaced: the one file that may have the name already. It is replaced.
    :raises FileExistsError: if something else has the name.
    """
    if sys.platform == "win32":
        os.close(descriptor)  # Windows cannot rename an open file
        (os.rename if replaced is None else os.replace)(path, name)
        return
    link = f"/proc/self/fd/{descriptor}"
    if replaced is None:
        with contextlib.suppress(_CannotLinkError):
            # On Linux: this exact file, in one step.
            _link(link, name, descriptor)
            _drop(descriptor, path)
            return
    private = private_name(path)
    try:
        _link(link, private, descriptor)
    except _CannotLinkError:
        _take_away(descriptor, path, private, check_wanted)
    try:
        _place(private, name, replaced)
    except BaseException:
        if is_there(path):
            remove(private)
        else:
            os.rename(private, path)
        raise
    _drop(descriptor, path)


class _CannotLinkError(Exception):
    """The system, or the file system, cannot create such a link."""


def _link(source: str | Path, name: Path, descriptor: int | None = None) -> None:
    try:
        if descriptor is None:
            os.link(source, name)
        else:
            # An absolute path does not need a directory descriptor. With one, Python calls linkat()
            # and lets it follow the link in /proc.
            os.link(source, name, src_dir_fd=descriptor, follow_symlinks=True)
    except FileExistsError:
        raise FileExistsError(EEXIST, "Something already exists there", str(name)) from None
    except (OSError, NotImplementedError):
        raise _CannotLinkError from None


def _take_away(
    descriptor: int, path: Path, private: Path, check_wanted: Callable[[], object]
) -> None:
    """Give an open file a private name, under which no other code can open it."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, private)
        if has_name(descriptor, private):
            return
        # The name belongs to another file by now.
        os.rename(private, path)
    os.close(copy(descriptor, private, os.fstat(descriptor).st_size, check_wanted))


def _place(private: Path, name: Path, replaced: os.stat_result | None) -> None:
    if replaced is not None:
        with contextlib.suppress(FileNotFoundError):
            if not os.path.samestat(name.lstat(), replaced):
                raise FileExistsError(EEXIST, "Something else exists there by now", str(name))
        os.replace(private, name)
        return
    try:
        _link(private, name)
    except _CannotLinkError:
        # A file system without hard links needs two steps.
        if is_there(name):
            raise FileExistsError(EEXIST, "Something already exists there", str(name)) from None
        os.rename(private, name)
    else:
        remove(private)


def _drop(descriptor: int, path: Path) -> None:
    """Remove the name of an open file."""
    if has_name(descriptor, path):
        remove(path)
