"""Reading a table: the rows of its file, with its columns in order and with their types."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from ._flaws import logger, printable
from ._rows import Rows
from ._schemas import Column, Layout, Selection
from ._values import convert, nulls, schema_of
from ._zip import ZipArchive

__all__ = [
    "Batch",
    "FileReading",
    "Reading",
    "SelectedReading",
    "log_kept_as_text",
    "schema_with_texts",
]


class Batch(NamedTuple):
    """Some rows of a table."""

    rows: int
    #: The values of each column.
    values: "list[pa.Array[Any]]"
    #: The texts that do not fit the type of their column, by column number.
    texts: "dict[int, pa.Array[Any]]"

    def assemble(self, schema: pa.Schema, with_text: Sequence[int]) -> pa.RecordBatch:
        """Make a record batch: the values, followed by the texts of the given columns."""
        texts = [
            self.texts[number] if number in self.texts else pa.nulls(self.rows, pa.string())
            for number in with_text
        ]
        return pa.RecordBatch.from_arrays([*self.values, *texts], schema=schema)


class Reading(Protocol):
    """A single iteration over a table."""

    columns: tuple[Column, ...]
    #: How many values of each column have not fitted its type so far, by column number.
    kept_as_text: Counter[int]

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        ...

    def __iter__(self) -> Iterator[Batch]: ...


class FileReading:
    """A table that is a file of the archive, or one without a file and so without rows."""

    def __init__(self, archive: ZipArchive, member: str | None, layout: Layout) -> None:
        self.columns = layout.columns
        self.kept_as_text: Counter[int] = Counter()
        self._positions = layout.positions
        self._rows = (
            None if member is None else Rows(partial(archive.open, member), member, layout.width)
        )

    @property
    def position(self) -> int:
        return 0 if self._rows is None else self._rows.position

    def __iter__(self) -> Iterator[Batch]:
        for rows in self._rows or ():
            values, texts = list["pa.Array[Any]"](), dict[int, "pa.Array[Any]"]()
            for number, (column, position) in enumerate(
                zip(self.columns, self._positions, strict=True)
            ):
                if position is None:
                    values.append(nulls(rows.num_rows, column))
                    continue
                converted = convert(rows.column(position), column.type)
                values.append(converted.values)
                if converted.texts is not None:
                    texts[number] = converted.texts
                    self.kept_as_text[number] += len(converted.texts) - converted.texts.null_count
            yield Batch(rows.num_rows, values, texts)


class SelectedReading:
    """Some columns and rows of another table."""

    def __init__(self, source: Reading, selection: Selection) -> None:
        self.columns = selection.table.columns
        self.kept_as_text: Counter[int] = Counter()
        self._source = source
        names = [column.name for column in source.columns]
        self._picks = [names.index(name) for name in selection.picks]
        self._required = names.index(selection.required)

    @property
    def position(self) -> int:
        return self._source.position

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._source:
            wanted = pc.is_valid(batch.values[self._required])
            values = [batch.values[pick].filter(wanted) for pick in self._picks]
            yield Batch(len(values[0]), values, {})


def schema_with_texts(columns: Sequence[Column], with_text: Sequence[int]) -> pa.Schema:
    """Return the schema of a table, followed by the text columns of the given columns."""
    schema = schema_of(columns)
    for number in with_text:
        schema = schema.append(pa.field(columns[number].text_name, pa.string()))
    return schema


def log_kept_as_text(path: str | os.PathLike[str], reading: Reading) -> None:
    """Log how many values do not fit."""
    for number, count in sorted(reading.kept_as_text.items()):
        column = reading.columns[number]
        logger.warning(
            "%s: %d value(s) of %s are not valid as %s, and were kept as text in %s",
            printable(path),
            count,
            column.name,
            column.type.value,
            column.text_name,
        )
