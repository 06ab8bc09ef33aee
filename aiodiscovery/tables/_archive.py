"""Opening an archive, and reading its tables."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import pyarrow as pa

from ._flaws import Flaw, naming
from ._members import Kind, assign
from ._reading import (
    Batch,
    FileReading,
    Reading,
    SelectedReading,
    log_kept_as_text,
    schema_with_texts,
)
from ._results import ArchivedExport, read_results
from ._rows import read_header
from ._schemas import AGENT_TABLES, ID_MAPPING, TABLES, Layout, Selection, Table, Type, lay_out
from ._values import schema_of
from ._zip import ZipArchive, saying_what_is_wrong

__all__ = ["Archive", "ArchivedTable", "open_archive"]

_LONGEST_RESULTS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchivedTable:
    """A table in an archive."""

    name: str
    #: Its columns and their types.
    schema: pa.Schema
    #: The file it is read from. None if the archive has none, because there are no rows.
    member: str | None

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.schema.names)


def open_archive(path: str | os.PathLike[str]) -> "Archive":
    """Open the archive of an export: of an agent, a summary, or EC2 recommendations.

    It reads the archive's directory and the first line of each file. Like everything here it blocks
    and takes CPU time. From asynchronous code, call it in a thread.

    :param path: the zip archive, as ``download_export`` leaves it.
    :return: the archive. Close it, or use it as a context manager.
    :raises ArchiveError: if it is not the archive of an export, or damaged.
    :raises OSError: if it cannot be read.
    """
    return Archive(path)


class Archive:
    """An open archive. Nothing is unpacked to disk.

    Opened by :func:`open_archive`.
    """

    #: Its path.
    path: Path
    #: The kind of the export.
    kind: Kind
    #: What is known about the export: its ranges, its agent, whether it is truncated.
    export: ArchivedExport
    #: The tables in it, by name. An archive of an agent has all six tables of agents, because a
    #: table without rows may have no file.
    tables: Mapping[str, ArchivedTable]
    #: The files in it that are not tables and were not read.
    unread: tuple[str, ...]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with naming(self.path):
            self._zip = ZipArchive(path)
            try:
                self._open()
            except BaseException:
                self._zip.close()
                raise

    def _open(self) -> None:
        members = assign(self._zip.names)
        self.kind, self.unread = members.kind, members.unread
        self.export = read_results(
            None if members.results is None else self._read_results(members.results),
            member=members.results,
            archive_name=self.path.stem,
            account_number=members.account_number,
        )
        self._readings: dict[str, Callable[[], Reading]] = {}
        tables: dict[str, ArchivedTable] = {}
        for type_, table in TABLES.items():
            member = members.tables.get(type_)
            if member is not None:
                layout = self._lay_out(table, member)
            elif self.kind == "agent" and type_ in AGENT_TABLES:
                layout = lay_out(table, ())
            else:
                continue
            self._readings[table.name] = partial(FileReading, self._zip, member, layout)
            tables[table.name] = ArchivedTable(table.name, schema_of(layout.columns), member)
        source = tables.get(ID_MAPPING.source)
        if source is not None:
            name = ID_MAPPING.table.name
            self._readings[name] = partial(self._select, ID_MAPPING)
            columns = ID_MAPPING.table.columns
            tables[name] = ArchivedTable(name, schema_of(columns), source.member)
        self.tables = MappingProxyType(tables)

    def _select(self, selection: Selection) -> "Reading":
        return SelectedReading(self._readings[selection.source](), selection)

    def _lay_out(self, table: Table, member: str) -> Layout:
        with self._zip.open(member) as file:
            header, _ = read_header(file, member)
        try:
            return lay_out(table, header)
        except ValueError as error:
            raise Flaw(str(error), member, 1) from None

    def _read_results(self, member: str) -> bytes:
        with self._zip.open(member) as file, saying_what_is_wrong(member):
            data = file.read(_LONGEST_RESULTS + 1)
        if len(data) > _LONGEST_RESULTS:
            raise Flaw("it is too long", member)
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Archive of {self.kind}: {self.path}>"

    def close(self) -> None:
        """Close the file. Readers of its tables cannot read any more."""
        self._zip.close()

    def batches(self, name: str) -> pa.RecordBatchReader:
        """Read a table batch by batch, in bounded memory.

        A reader's schema has to be known before its rows. So the columns of the table are followed
        by ``<column>_text`` for each column that is not text, for values that do not fit its type.
        :meth:`read` and ``write_parquet`` only have those that hold something.

        :param name: one of :attr:`tables`.
        :return: a reader, which reads as it is iterated. Empty cells are null, quoted or not.
        :raises ValueError: if there is no such table, or the archive is closed.
        :raises ArchiveError: from the reader, if the archive is damaged or a row cannot be read.
        """
        reading = self._reading(name)
        typed = [i for i, column in enumerate(reading.columns) if column.type is not Type.TEXT]
        schema = schema_with_texts(reading.columns, typed)
        batches = (batch.assemble(schema, typed) for batch in self._rows_and_log(reading))
        return pa.RecordBatchReader.from_batches(schema, batches)

    def read(self, name: str) -> pa.Table:
        """Read a table into memory.

        A value that does not fit the type of its column is null there. Its text is in
        ``<column>_text``, after all other columns. Such a column is there only if it holds
        something. A warning with the number of such values is logged.

        :param name: one of :attr:`tables`.
        :return: the table. Empty cells are null, quoted or not; times are in UTC.
        :raises ValueError: if there is no such table, or the archive is closed.
        :raises ArchiveError: if the archive is damaged or a row cannot be read.
        """
        reading = self._reading(name)
        batches = list(self._rows_and_log(reading))
        with_text = sorted(reading.kept_as_text)
        schema = schema_with_texts(reading.columns, with_text)
        return pa.Table.from_batches(
            [batch.assemble(schema, with_text) for batch in batches], schema
        )

    def sha256(self) -> str:
        """Return the hash of the whole archive, which is also in the metadata of Parquet files.

        :raises ValueError: if the archive is closed.
        :raises ArchiveError: if another file has taken its place.
        """
        if self._zip.closed:
            raise ValueError("the archive is closed")
        with naming(self.path):
            return self._zip.sha256()

    # For this package.

    def _reading(self, name: str) -> Reading:
        """Return a reading of a table, for one iteration."""
        if self._zip.closed:
            raise ValueError("the archive is closed")
        if name not in self._readings:
            names = ", ".join(self.tables)
            raise ValueError(f"there is no table {name!r} in {self.path}, only {names}")
        return self._readings[name]()

    def _rows(self, reading: Reading) -> Iterator[Batch]:
        """Read a table, and name the archive in errors."""
        with naming(self.path):
            try:
                for batch in reading:
                    if self._zip.closed:
                        break
                    yield batch
            except Flaw:
                # A file that was closed meanwhile looks damaged.
                if not self._zip.closed:
                    raise
        if self._zip.closed:
            raise ValueError("the archive was closed while it was being read")

    def _sizes(self, name: str) -> tuple[int, int]:
        """Return the size of a table's file, and how much of the archive it takes, in bytes."""
        member = self.tables[name].member
        return (0, 0) if member is None else self._zip.sizes(member)

    def _rows_and_log(self, reading: Reading) -> Iterator[Batch]:
        yield from self._rows(reading)
        log_kept_as_text(self.path, reading)
