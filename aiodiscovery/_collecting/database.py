"""The database file of the ledger: its tables, its format check, and its lock."""

import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..exceptions import CollectionError, CollectionInUseError

__all__ = ["LEDGER", "LOCK", "as_collection_error", "check", "connect", "lock", "make_or_check"]

#: The names of the ledger and of the file that is locked while a collection is at work. The latter
#: holds nothing else, so that the ledger can be read meanwhile.
LEDGER, LOCK = "collection.sqlite", "collection.lock"
#: Identifies a file as a ledger, and the version of its tables.
_APPLICATION_ID, _VERSION = 0x41444C47, 1
#: How many seconds a reader or the writer waits for the other.
_BUSY_TIMEOUT = 30.0

_TABLES = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, process INTEGER NOT NULL,
    options TEXT NOT NULL
);
CREATE TABLE agent (
    agent_id TEXT PRIMARY KEY, host_name TEXT, is_connector INTEGER NOT NULL,
    first INTEGER, last INTEGER, target_start INTEGER, target_end INTEGER,
    may_extend INTEGER NOT NULL, is_wanted INTEGER NOT NULL, is_gone INTEGER NOT NULL
) WITHOUT ROWID;
-- The window of a summary or of recommendations has no agent and no range.
CREATE TABLE window (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, agent_id TEXT, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, export_id TEXT,
    is_adopted INTEGER NOT NULL DEFAULT 0, covered_start INTEGER, covered_end INTEGER,
    actual_start INTEGER, actual_end INTEGER, file TEXT, size INTEGER, modified INTEGER,
    sha256 TEXT, message TEXT, requested REAL, targets TEXT
);
CREATE INDEX window_state ON window (state);
-- A row for every start that was about to be sent, and its outcome.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT, window_id INTEGER NOT NULL REFERENCES window,
    intended REAL NOT NULL, outcome TEXT, export_id TEXT, message TEXT, known TEXT
);
CREATE INDEX attempt_window ON attempt (window_id);
CREATE INDEX attempt_export ON attempt (export_id);
"""


class _Connection(sqlite3.Connection):
    """A connection that stores whatever the service says, even half of a surrogate pair."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return super().execute(sql, tuple(map(_storable, parameters)))


def _storable(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    # The service may send any JSON value where a text should be.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def connect(path: Path, *, timeout: float = _BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open a database whose rows can be read by column name.

    :raises CollectionError: if something other than a regular file has its name, such as a link to
        a file that is not ours, or if it cannot be opened.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise CollectionError(f"{str(path)!r} is not a regular file, and is left as it is")
    try:
        connection = sqlite3.connect(
            path,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
    except sqlite3.Error as error:
        raise as_collection_error(error, path) from error
    connection.row_factory = sqlite3.Row
    return connection


def lock(directory: Path) -> sqlite3.Connection:
    """Take the lock of a directory. The operating system releases it, however the process ends.

    sqlite3 locks files on every system that it runs on. The locked database stays empty.

    :raises CollectionInUseError: if another collection has it.
    :raises CollectionError: if the file is not ours, or cannot be locked.
    """
    connection = connect(directory / LOCK, timeout=0)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise as_collection_error(error, directory / LOCK) from error
        raise CollectionInUseError(
            f"another collection is at work in {str(directory)!r}{_worker(directory)}"
        ) from None
    return connection


def _worker(directory: Path) -> str:
    """Say which process is at work in a directory, if it is known."""
    if not (directory / LEDGER).is_file():
        return ""
    connection = connect(directory / LEDGER)
    try:
        row = connection.execute(
            "SELECT process FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1"
        ).fetchone()
    except sqlite3.Error:
        return ""
    finally:
        connection.close()
    return "" if row is None else f", in process {row['process']}"


def make_or_check(connection: sqlite3.Connection, directory: Path) -> None:
    """Create the tables if there are none, or check that they are a ledger's."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if (application, tables) == (0, 0):
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID};"
            f" PRAGMA user_version = {_VERSION}; COMMIT;"
        )
    check(connection, directory)


def check(connection: sqlite3.Connection, directory: Path) -> None:
    """Check that a database is a ledger that this release can read.

    :raises CollectionError: if it is not.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise CollectionError(f"{str(directory / LEDGER)!r} is not the ledger of a collection")
    if version != _VERSION:
        raise CollectionError(
            f"the ledger in {str(directory)!r} has version {version}, and this release reads "
            f"version {_VERSION}: use the release that made it, or a newer one"
        )


def as_collection_error(error: sqlite3.Error, path: Path) -> CollectionError:
    """Make the error that says that a database cannot be used."""
    name = "lock" if path.name == LOCK else "ledger"
    return CollectionError(f"the {name} in {str(path.parent)!r} cannot be used: {error}")
