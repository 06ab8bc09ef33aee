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
    #: The file it is read from; None where the archive has none, because there are no rows.
    member: str | None

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.schema.names)


def open_archive(path: str | os.PathLike[str]) -> "Archive":
    """Open the archive of an export: of an agent, a summary, or EC2 recommendations.

    It reads the archive's directory and the first line of each file. Like everything here it blocks
    and takes CPU time; from asynchronous code, call it in a thread.

    :param path: the zip archive, as ``download_export`` leaves it.
    :return: the archive, which is to be closed or used as a context manager.
    :raises ArchiveError: if it is not the archive of an export, or damaged.
    :raises OSError: if it cannot be read.
    """
    return Archive(path)


class Archive:
    """An archive that is open. Nothing of it is unpacked to disk.

    Opened by :func:`open_archive`.
    """

    #: Where it is.
    path: Path
    #: What the export is of.
    kind: Kind
    #: What is known of the export: its ranges, its agent, whether it is truncated.
    export: ArchivedExport
    #: The tables in it, by name. One of an agent has all six tables of agents, since a table
    #: without rows may have no file.
    tables: Mapping[str, ArchivedTable]
    #: The files in it that are no table and were not read.
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
        """Close the file. Readers of it can read no more."""
        self._zip.close()

    def batches(self, name: str) -> pa.RecordBatchReader:
        """Read a table batch by batch, in bounded memory.

        A reader's schema has to be known before its rows are. So after the columns of the table
        there is ``<column>_text`` for each one that is not text, for what does not fit its type.
        :meth:`read` and ``write_parquet`` have only those of them that hold something.

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

        What does not fit the type of its column is null there. Its text is in ``<column>_text``, a
        column after all others that is there only if it holds something, and a warning is logged
        that counts such values.

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
        """Return the hash of the whole archive, which is in the metadata of Parquet files too.

        :raises ValueError: if the archive is closed.
        :raises ArchiveError: if there is another file in its place now.
        """
        if self._zip.closed:
            raise ValueError("the archive is closed")
        with naming(self.path):
            return self._zip.sha256()

    # For this package.

    def _reading(self, name: str) -> Reading:
        """Return what reads a table once."""
        if self._zip.closed:
            raise ValueError("the archive is closed")
        if name not in self._readings:
            names = ", ".join(self.tables)
            raise ValueError(f"there is no table {name!r} in {self.path}, only {names}")
        return self._readings[name]()

    def _rows(self, reading: Reading) -> Iterator[Batch]:
        """Read a table, and say of which archive an error is."""
        with naming(self.path):
            try:
                for batch in reading:
                    if self._zip.closed:
                        break
                    yield batch
            except Flaw:
                # What was closed under it looks damaged.
                if not self._zip.closed:
                    raise
        if self._zip.closed:
            raise ValueError("the archive was closed while it was read")

    def _sizes(self, name: str) -> tuple[int, int]:
        """Return how long the file of a table is, and how much of the archive it takes."""
        member = self.tables[name].member
        return (0, 0) if member is None else self._zip.sizes(member)

    def _rows_and_log(self, reading: Reading) -> Iterator[Batch]:
        yield from self._rows(reading)
        log_kept_as_text(self.path, reading)
