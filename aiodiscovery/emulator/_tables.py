"""Tables as CSV: their columns, their rows, and the text of both."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from ._quirks import HeaderCase, Quirks
from ._times import formatter, moment

__all__ = ["Column", "Row", "Table", "as_values", "columns", "csv_chunks", "csv_lines"]

#: A value is text, a whole number, a float, a truth value or None. Times are whole seconds since
#: the epoch.
Row = Sequence[Any]

_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in a header, and the kind of its values, if not plain ones.

    A fixed time is always written as ``2024-01-30 22:07:49``.
    """

    name: str
    kind: Literal["plain", "time", "fixed-time", "truth"] = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a type of file in an archive.

    :param name: the type, with which the name of the file ends
    :param columns: its columns
    :param rows: generates the rows, from the beginning each time
    """

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Row]]


def columns(
    text: str, *, times: str = "", fixed_times: str = "", truths: str = ""
) -> tuple[Column, ...]:
    """Make columns from their names, separated by blanks.

    :param times: the names of columns with times
    :param fixed_times: the names of columns with fixed times
    :param truths: the names of columns with truth values
    """
    kinds: dict[str, Literal["time", "fixed-time", "truth"]] = {}
    kinds |= dict.fromkeys(times.split(), "time")
    kinds |= dict.fromkeys(fixed_times.split(), "fixed-time")
    kinds |= dict.fromkeys(truths.split(), "truth")
    return tuple(Column(name, kinds.get(name, "plain")) for name in text.split())


def as_values(table: Table) -> Iterator[dict[str, Any]]:
    """Return rows as dicts by column name, with datetimes."""
    for row in table.rows():
        yield {
            column.name: moment(value) if "time" in column.kind and value is not None else value
            for column, value in zip(table.columns, row, strict=True)
        }


def csv_lines(columns: Sequence[Column], rows: Iterable[Row], quirks: Quirks) -> Iterator[str]:
    """Write rows as CSV, several rows per text."""
    write: Mapping[str, Callable[[Any], str]] = {
        "time": formatter(quirks.timestamps),
        "fixed-time": formatter("space"),
        "truth": lambda value: "true" if value else "false",
    }
    special = [
        (at, write[column.kind]) for at, column in enumerate(columns) if column.kind in write
    ]
    for batch in _batches(rows):
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n" if quirks.crlf else "\n")
        writer.writerows(_texts(row, special) for row in batch)
        yield text.getvalue()


def csv_chunks(table: Table, quirks: Quirks) -> Iterator[bytes]:
    """Write a table as the bytes of its file, in pieces; nothing if it has no rows."""
    texts = csv_lines(table.columns, table.rows(), quirks)
    first = next(texts, None)
    if first is None and not quirks.empty_files:
        return
    if quirks.byte_order_mark:
        yield b"\xef\xbb\xbf"
    header = [_HEADERS[quirks.header](column.name) for column in table.columns]
    yield next(csv_lines([], [header], quirks)).encode()
    if first is not None:
        yield first.encode()
        for text in texts:
            yield text.encode()


def _batches(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _texts(row: Row, special: Sequence[tuple[int, Callable[[Any], str]]]) -> list[Any]:
    texts = list(row)
    for at, write in special:
        if texts[at] is not None:
            texts[at] = write(texts[at])
    return texts


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_HEADERS: Mapping[HeaderCase, Callable[[str], str]] = {
    "usual": lambda name: name,
    "lower": str.lower,
    "upper": str.upper,
    "snake": _snake,
}
