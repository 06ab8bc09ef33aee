"""Writing the tables of archives as Parquet files."""

import os
import re
import secrets
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from errno import EEXIST
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from aiodiscovery.exceptions import ArchiveError

from ._archive import Archive, open_archive
from ._find import Source, find_archives
from ._flaws import logger, names_of, printable
from ._reading import log_kept_as_text, schema_with_texts
from ._results import ArchivedExport

__all__ = ["TableFile", "write_parquet"]

#: Changes when the same archive would give different files.
_FORMAT = "1"
_PREFIX = "aiodiscovery."
#: How many hexadecimal digits of the archive's hash are in a file's name, and how many bytes of the
#: archive's name.
_DIGITS = 16
_LONGEST_STEM = 150
#: The names of files, and of files that are being written.
_NAME = re.compile(rf".*-([0-9a-f]{{{_DIGITS}}})\.parquet", re.DOTALL)
_PART = re.compile(rf"\..*-[0-9a-f]{{{_DIGITS}}}\.parquet\.[0-9a-f]{{8}}\.part", re.DOTALL)
#: The most rows and bytes of a row group.
_GROUP_ROWS = 256 * 1024
_GROUP_BYTES = 32 * 1024 * 1024
#: When leftovers of a killed process may be removed, in seconds.
_STALE = 24 * 60 * 60

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class TableFile:
    """A Parquet file with one table of one archive."""

    path: Path
    table: str
    #: The archive that it was made from.
    archive: Path
    rows: int
    #: Whether it is new. False if it already existed.
    written: bool


def write_parquet(
    sources: Source | Iterable[Source],
    directory: Source,
    *,
    progress: Progress | None = None,
    on_file: Callable[[TableFile], object] | None = None,
) -> list[TableFile]:
    """Write all tables of archives to ``<directory>/<table>/<archive>-<hash>.parquet``.

    There is one file for each archive and table. It appears once it is whole and on disk, and is
    never written again. Files that were written from the same bytes before are left as they are,
    whatever the name of the archive was. So this can be run every night. Memory is bounded,
    whatever the size of the archives. Nothing is unpacked to disk.

    The metadata of a file say which archive and export it came from, and which range of time:
    ``aiodiscovery.archive``, ``.sha256``, ``.kind``, ``.member``, and what is known of
    ``.export_id``, ``.account_number``, ``.agent_id``, ``.requested_start``, ``.requested_end``,
    ``.actual_start``, ``.actual_end``, ``.truncated`` and ``.status``.

    A value that does not fit the type of its column is null there. Its text is in
    ``<column>_text``, a column that only files with such values have. A warning with the number of
    such values is logged. Warnings are also logged about files that are not tables, and about
    truncated exports if no other archive continues where they ended.

    It blocks and takes CPU time. From asynchronous code, call it in a thread.

    :param sources: archives, and folders in which every file ``*.zip`` is one, at any depth; a
        single one or several.
    :param directory: where the tables go. It is created if it does not exist.
    :param progress: called in the same thread with the number of bytes of the archives that are
        done, and their total.
    :param on_file: called in the same thread with each file once it is there, even if an archive
        turns out to be bad afterwards.
    :return: the files of all tables, including those that already existed.
    :raises ArchiveError: if an archive is not one of an export, or is damaged. All other tables and
        archives are written first. If there are several errors, this is the first one, and its
        notes describe the others.
    :raises OSError: if something cannot be read or written, or a source does not exist.
    """
    errors: list[ArchiveError] = []
    files: list[TableFile] = []
    for file in _write_each(find_archives(sources), Path(directory), progress, errors.append):
        files.append(file)
        if on_file is not None:
            on_file(file)
    if errors:
        first, *others = errors
        for other in others:
            first.add_note(str(other))
        raise first
    return files


def _write_each(
    paths: Sequence[Path],
    directory: Path,
    progress: Progress | None,
    failed: Callable[[ArchiveError], object],
) -> Iterator[TableFile]:
    """Write all tables of archives, and yield each file.

    :param failed: called with what is wrong with an archive, or with one of its tables.
    """
    sizes = [path.stat().st_size for path in paths]
    meter = _Meter(progress, sum(sizes))
    exports: dict[Path, ArchivedExport] = {}
    existing = _Existing(directory)
    for path, size in zip(paths, sizes, strict=True):
        try:
            yield from _write_archive(path, existing, meter, exports, failed)
        except ArchiveError as error:
            failed(error)
        meter.archive_done(size)
    of_agent = defaultdict[str | None, list[ArchivedExport]](list)
    for export in exports.values():
        of_agent[export.agent_id].append(export)
    for path, export in exports.items():
        if export.lacks_data(of_agent[export.agent_id]):
            logger.warning(
                "%s is truncated: the service left data out; "
                "export smaller time ranges to get all of it",
                printable(path),
            )


def _write_archive(
    path: Path,
    existing: "_Existing",
    meter: "_Meter",
    exports: dict[Path, ArchivedExport],
    failed: Callable[[ArchiveError], object],
) -> Iterator[TableFile]:
    """Write the tables of an archive, note its export, and tell which tables cannot be read."""
    with open_archive(path) as archive:
        exports[path] = archive.export
        if archive.unread:
            logger.warning(
                "%s has files that are not tables: %s", printable(path), names_of(archive.unread)
            )
        digest = archive.sha256()
        for name in archive.tables:
            there = existing.find(name, digest)
            if there is not None:
                found, rows = there
                yield TableFile(found, name, archive.path, rows, written=False)
            else:
                try:
                    written = _write_table(archive, name, digest, existing.folder(name), meter)
                except ArchiveError as error:
                    failed(error)
                else:
                    existing.add(written)
                    yield written
            meter.table_done(archive._sizes(name)[1])


class _Existing:
    """The Parquet files that exist. Each folder is listed only once, because it may be long."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        #: The files, by table and by the end of their name.
        self._files: dict[str, dict[str, list[Path]]] = {}

    def folder(self, table: str) -> Path:
        """Return where the files of a table are."""
        return self._directory / table

    def find(self, table: str, digest: str) -> tuple[Path, int] | None:
        """Find the file that was made from an archive before, and its number of rows."""
        if table not in self._files:
            self._files[table] = self._list(table)
        for path in self._files[table].get(digest[:_DIGITS], ()):
            try:
                found = pq.read_metadata(path)
            except (pa.ArrowException, OSError):
                continue  # not one of ours, or damaged
            metadata = found.metadata or {}
            if all(
                metadata.get(key.encode()) == value.encode()
                for key, value in _identity(digest).items()
            ):
                return path, found.num_rows
        return None

    def _list(self, table: str) -> dict[str, list[Path]]:
        """List a folder, and remove what killed processes left there."""
        found: dict[str, list[Path]] = {}
        with suppress(FileNotFoundError), os.scandir(self.folder(table)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if (name := _NAME.fullmatch(entry.name)) and entry.is_file():
                    found.setdefault(name[1], []).append(Path(entry.path))
                elif _PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(OSError):
                        if entry.stat().st_mtime < time.time() - _STALE:
                            os.unlink(entry.path)
        return found

    def add(self, file: TableFile) -> None:
        """Note that a file was written."""
        digest = file.path.stem.rpartition("-")[2]
        self._files[file.table].setdefault(digest, []).append(file.path)


def _write_table(
    archive: Archive, name: str, digest: str, folder: Path, meter: "_Meter"
) -> TableFile:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_stem(archive.path)}-{digest[:_DIGITS]}.parquet"
    metadata = _identity(digest) | _provenance(archive, name)
    with_text: list[int] = []
    while True:
        reading = archive._reading(name)
        schema = schema_with_texts(reading.columns, with_text).with_metadata(metadata)
        with _NewFile(path) as new:
            rows = 0
            with _Groups(new.file, schema) as groups:
                for batch in archive._rows(reading):
                    # Misfits are rare: the table is read again only if one turns up.
                    if reading.kept_as_text.keys() <= set(with_text):
                        groups.add(batch.assemble(schema, with_text))
                    rows += batch.rows
                    meter.table_at(reading.position, *archive._sizes(name))
            if sorted(reading.kept_as_text) == with_text:
                new.publish()
                break
        with_text = sorted(reading.kept_as_text)
    log_kept_as_text(archive.path, reading)
    return TableFile(path, name, archive.path, rows, written=True)


def _stem(archive: Path) -> str:
    """Return the beginning of the names of an archive's files."""
    # Readers of folders skip names that begin with a dot or an underscore.
    stem = archive.stem.lstrip("._") or "archive"
    return os.fsencode(stem)[:_LONGEST_STEM].decode(errors="ignore")


def _identity(digest: str) -> dict[str, str]:
    return {f"{_PREFIX}format": _FORMAT, f"{_PREFIX}sha256": digest}


def _provenance(archive: Archive, table: str) -> dict[str, str]:
    """Return the metadata about the origin of a file."""
    export = archive.export
    known: dict[str, object] = {
        "archive": archive.path.name,
        "kind": archive.kind,
        "member": archive.tables[table].member,
        "export_id": export.export_id,
        "account_number": export.account_number,
        "agent_id": export.agent_id,
        "requested_start": export.requested_start,
        "requested_end": export.requested_end,
        "actual_start": export.actual_start,
        "actual_end": export.actual_end,
        "truncated": export.truncated,
        "status": export.status,
    }
    return {_PREFIX + name: _as_text(value) for name, value in known.items() if value is not None}


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text.encode(errors="replace").decode()


class _Groups:
    """A Parquet file that is being written, several rows at a time."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema)
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._writer:
            if exc_type is None:
                self._write()

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch, or keep it until there are more."""
        self._batches.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches, self._schema), self._rows)
        self._batches.clear()
        self._rows = self._bytes = 0


class _NewFile:
    """A file that appears under its name when it is whole, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")

    def __enter__(self) -> Self:
        self.file: BinaryIO = open(self._part, "xb")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.file.close()
        self._part.unlink(missing_ok=True)

    def publish(self) -> None:
        """Give the file its name, durably."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(self._path.lstat().st_mode):
                raise FileExistsError(EEXIST, "something else exists there", str(self._path))
        self._part.replace(self._path)
        with suppress(OSError):  # Windows cannot sync a directory
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


class _Meter:
    """Reports the number of bytes of the archives that are done."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._archives = self._tables = 0
        self._tell(0)

    def table_at(self, position: int, size: int, compressed: int) -> None:
        """Report how far a table has been read, given its share of the archive."""
        self._tell(compressed * min(position, size) // max(size, 1))

    def table_done(self, compressed: int) -> None:
        """Report that a table is done."""
        self._tables += compressed
        self._tell(0)

    def archive_done(self, size: int) -> None:
        """Report that an archive is done."""
        self._archives += size
        self._tables = 0
        self._tell(0)

    def _tell(self, more: int) -> None:
        if self._progress is not None:
            done = self._archives + self._tables + more
            self._progress(min(done, self._total), self._total)
