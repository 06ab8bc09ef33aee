"""What has been collected, in ``collection.sqlite``: on disk before anything depends on it.

Each method that writes is one transaction, which is on disk when it returns. The methods block, and
are meant for threads. Only one thread uses the connection at a time.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

from ..exceptions import CollectionError
from .database import LEDGER, as_collection_error, check, connect, lock, make_or_check
from .plan import MAX_TRIES, Kind, Range, State, Verdict
from .records import Agent, Record, StoredFile, read_agent, read_record

__all__ = ["Ledger"]


class Ledger:
    """The ledger of a directory. Create it with :meth:`open` or :meth:`read`; its block closes it.

    :param path: the directory.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: sqlite3.Connection | None):
        self.path = path
        self._connection = connection
        self._lock = lock
        # When asyncio cancels a task, its call may still run in a thread.
        self._mutex = threading.Lock()
        self._run: int | None = None

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the ledger of a directory for one collection. Both are created if missing.

        :raises CollectionInUseError: if another collection is at work there.
        :raises CollectionError: if the file is not a ledger, or is one of a newer release.
        :raises OSError: if the directory cannot be created or written to.
        """
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            held = stack.enter_context(closing(lock(directory)))
            connection = stack.enter_context(closing(connect(directory / LEDGER)))
            with _errors(directory):
                # The journal is removed at the end of each transaction. EXTRA, unlike FULL, waits
                # until that is on disk too.
                connection.execute("PRAGMA synchronous = EXTRA")
                make_or_check(connection, directory)
            stack.pop_all()
        return cls(directory, connection, held)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Open the ledger of a directory for reading, even while a collection is at work there.

        :raises CollectionError: if there is none.
        """
        if not (directory / LEDGER).is_file():
            raise CollectionError(f"nothing has been collected into {str(directory)!r}")
        with ExitStack() as stack:
            connection = stack.enter_context(closing(connect(directory / LEDGER)))
            with _errors(directory):
                connection.execute("PRAGMA query_only = ON")
                check(connection, directory)
            stack.pop_all()
        return cls(directory, connection, None)

    def close(self) -> None:
        """Close it, after any call that still runs in a thread."""
        with self._mutex:
            self._connection.close()
            if self._lock is not None:
                self._lock.close()

    # Collections

    def begin_run(self, options: Mapping[str, Any], now: float) -> None:
        """Note that a collection is at work.

        Windows that were planned and never tried are planned again, since there may be more data.
        """
        with self._transaction() as connection:
            self._run = connection.execute(
                "INSERT INTO run (started, process, options) VALUES (?, ?, ?)",
                (now, os.getpid(), json.dumps(options)),
            ).lastrowid
            connection.execute("DELETE FROM window WHERE state = ? AND tries = 0", (State.PLANNED,))
            # Only those of the newest summary are needed.
            connection.execute(
                "UPDATE window SET targets = NULL WHERE targets IS NOT NULL AND id <"
                " (SELECT MAX(id) FROM window AS newest"
                "  WHERE newest.kind = window.kind AND newest.state IN (?, ?))",
                (State.DONE, State.EMPTY),
            )

    def end_run(self, now: float) -> None:
        """Note that the collection has ended normally."""
        with self._transaction() as connection:
            connection.execute("UPDATE run SET ended = ? WHERE id = ?", (now, self._run))

    def options(self) -> dict[str, Any]:
        """Return the options of the latest collection."""
        with self._reading() as connection:
            row = connection.execute("SELECT options FROM run ORDER BY id DESC LIMIT 1").fetchone()
            options: dict[str, Any] = {} if row is None else json.loads(row["options"])
        return options

    # Agents

    def agents(self) -> dict[str, Agent]:
        """Return all agents ever seen, by id."""
        with self._reading() as connection:
            rows = connection.execute("SELECT * FROM agent ORDER BY agent_id").fetchall()
            return {row["agent_id"]: read_agent(row) for row in rows}

    def save_agents(self, agents: Iterable[Agent]) -> None:
        """Write what the service says about agents.

        If an agent's data goes further than before, a window that had none up to the end is asked
        for again, because some may have come late.
        """
        with self._transaction() as connection:
            ends = {
                row["agent_id"]: row["target_end"]
                for row in connection.execute("SELECT * FROM agent WHERE may_extend")
            }
            for agent in agents:
                before = ends.get(agent.agent_id)
                if agent.target is not None and before is not None and agent.target.end > before:
                    connection.execute(
                        "UPDATE window SET state = ?"
                        ' WHERE agent_id = ? AND state = ? AND "end" >= ?',
                        (State.REOPENED, agent.agent_id, State.EMPTY, before),
                    )
                start, end = (None, None) if agent.target is None else agent.target
                connection.execute(
                    "INSERT OR REPLACE INTO agent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(agent.agent_id, agent.host_name, agent.is_connector),
                        *(agent.first, agent.last, start, end),
                        *(agent.may_extend, agent.is_wanted, agent.is_gone),
                    ),
                )

    # Windows

    def records(self) -> list[Record]:
        """Return all windows and summaries, in the order in which they were planned."""
        with self._reading() as connection:
            rows = connection.execute("SELECT * FROM window ORDER BY id").fetchall()
            return [read_record(row) for row in rows]

    def known_exports(self) -> set[str]:
        """Return the ids of the exports that any window has or had."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT export_id FROM attempt WHERE export_id IS NOT NULL"
            ).fetchall()
        return {row["export_id"] for row in rows}

    def known_summaries(self, record: Record) -> set[str]:
        """Return the ids of the summaries that existed before this one was to be started."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT known FROM attempt WHERE window_id = ? ORDER BY id DESC LIMIT 1",
                (record.id,),
            ).fetchone()
            return set(json.loads(row["known"] or "[]")) if row is not None else set()

    def intend(
        self,
        kind: Kind,
        agent_id: str | None,
        window: Range,
        now: float,
        *,
        again: Record | None = None,
        known: Iterable[str] = (),
        targets: Mapping[str, int] | None = None,
    ) -> Record:
        """Note that a start is about to be sent, and return the record of it.

        :param again: the window that was to be started before; None if it is a new one.
        :param known: the summaries that already exist, to tell the new one apart.
        :param targets: for a summary, up to which time the data of agents is wanted now.
        """
        with self._transaction() as connection:
            if again is None:
                made = connection.execute(
                    'INSERT INTO window (kind, agent_id, start, "end", state, requested, targets)'
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(kind, agent_id, *window, State.INTENDED, now),
                        None if targets is None else json.dumps(targets),
                    ),
                )
                number = made.lastrowid
            else:
                number = again.id
                connection.execute(
                    "UPDATE window SET state = ?, export_id = NULL, is_adopted = 0, requested = ?"
                    " WHERE id = ?",
                    (State.INTENDED, now, number),
                )
            connection.execute(
                "INSERT INTO attempt (window_id, intended, known) VALUES (?, ?, ?)",
                (number, now, json.dumps(sorted(known)) if agent_id is None else None),
            )
        return self._get(number)

    def note_started(
        self,
        record: Record,
        export_id: str,
        *,
        is_adopted: bool = False,
        window: Range | None = None,
    ) -> Record:
        """Note which export a window has.

        :param is_adopted: whether the export was found instead of started by an answered call.
        :param window: the range of the export, if it is a different one.
        """
        start, end = window or record.window.range
        with self._transaction() as connection:
            connection.execute(
                'UPDATE window SET state = ?, export_id = ?, is_adopted = ?, start = ?, "end" = ?,'
                " message = NULL WHERE id = ?",
                (State.RUNNING, export_id, is_adopted, start, end, record.id),
            )
            self._close_attempt(record, "adopted" if is_adopted else "started", export_id)
        return self._get(record.id)

    def note_not_started(self, record: Record, message: str | None = None) -> Record:
        """Note that a start was refused or had no effect, or that its export no longer exists."""
        return self._plan_again(record, "not started", message)

    def drop(self, record: Record, message: str) -> Record:
        """Note that this exact range cannot be obtained. Another window takes its place."""
        with self._transaction() as connection:
            self._close_attempt(record, "dropped", None, message)
            connection.execute(
                "UPDATE window SET state = ?, message = ? WHERE id = ?",
                (State.REOPENED, message, record.id),
            )
        return self._get(record.id)

    def note_no_newer(self, record: Record, export_id: str) -> Record:
        """Note that the service has no newer summary than one that was collected."""
        message = f"the service has no newer one than export {export_id}"
        with self._transaction() as connection:
            self._close_attempt(record, "present", None, message)
            connection.execute(
                "UPDATE window SET state = ?, message = ? WHERE id = ?",
                (State.EMPTY, message, record.id),
            )
        return self._get(record.id)

    def note_message(self, record: Record, message: str) -> Record:
        """Note why the archive of a window could not be obtained."""
        with self._transaction() as connection:
            connection.execute("UPDATE window SET message = ? WHERE id = ?", (message, record.id))
        return self._get(record.id)

    def note_foreign(self, record: Record, message: str) -> Record:
        """Note that the export that was found for a window does not belong to it."""
        with self._transaction() as connection:
            self._close_attempt(record, "another's", record.export_id, message)
            connection.execute(
                "UPDATE window SET state = ?, export_id = NULL, is_adopted = 0 WHERE id = ?",
                (State.INTENDED, record.id),
            )
            connection.execute(
                "INSERT INTO attempt (window_id, intended, known)"
                " SELECT window_id, intended, known FROM attempt WHERE window_id = ?"
                " ORDER BY id DESC LIMIT 1",
                (record.id,),
            )
        return self._get(record.id)

    def note_failed(self, record: Record, message: str) -> Record:
        """Note that an export FAILED. After the last try, its window is given up."""
        if record.tries + 1 < MAX_TRIES:
            return self._plan_again(record, "failed", message, tries=record.tries + 1)
        with self._transaction() as connection:
            self._close_attempt(record, "failed", record.export_id, message)
            connection.execute(
                "UPDATE window SET state = ?, tries = ?, message = ? WHERE id = ?",
                (State.FAILED, record.tries + 1, message, record.id),
            )
        return self._get(record.id)

    def settle(
        self,
        record: Record,
        verdict: Verdict,
        *,
        actual: Range | None = None,
        file: StoredFile | None = None,
        message: str | None = None,
    ) -> Record:
        """Note the new state of a window, before its file gets its name."""
        covered = verdict.covered or (None, None)
        with self._transaction() as connection:
            connection.execute(
                "UPDATE window SET state = ?, covered_start = ?, covered_end = ?,"
                " actual_start = ?, actual_end = ?, file = ?, size = ?, modified = ?, sha256 = ?,"
                " message = ? WHERE id = ?",
                (
                    *(verdict.state, *covered, *(actual or (None, None))),
                    *((file.path, file.size, file.modified, file.sha256) if file else [None] * 4),
                    *(message, record.id),
                ),
            )
        return self._get(record.id)

    def fetch_again(self, record: Record) -> Record:
        """Note that the archive of a window is gone, and is to be downloaded again."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE window SET state = ?, covered_start = NULL, covered_end = NULL,"
                " file = NULL, size = NULL, modified = NULL, sha256 = NULL WHERE id = ?",
                (State.RUNNING, record.id),
            )
        return self._get(record.id)

    def _plan_again(
        self, record: Record, outcome: str, message: str | None, tries: int | None = None
    ) -> Record:
        with self._transaction() as connection:
            self._close_attempt(record, outcome, record.export_id, message)
            connection.execute(
                "UPDATE window SET state = ?, tries = ?, export_id = NULL, message = ?"
                " WHERE id = ?",
                (State.PLANNED, record.tries if tries is None else tries, message, record.id),
            )
        return self._get(record.id)

    def _close_attempt(
        self, record: Record, outcome: str, export_id: str | None, message: str | None = None
    ) -> None:
        self._connection.execute(
            "UPDATE attempt SET outcome = ?, export_id = COALESCE(?, export_id), message = ?"
            " WHERE id = (SELECT MAX(id) FROM attempt WHERE window_id = ?)",
            (outcome, export_id, message, record.id),
        )

    def _get(self, number: int | None) -> Record:
        with self._reading() as connection:
            row = connection.execute("SELECT * FROM window WHERE id = ?", (number,)).fetchone()
            return read_record(row)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _errors(self.path), self._mutex:
            try:
                yield self._connection
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                # Damaged on disk, in a way that the database does not notice.
                raise sqlite3.DataError(f"it is damaged ({error})") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _errors(self.path), self._mutex, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection


@contextmanager
def _errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise as_collection_error(error, directory / LEDGER) from error
