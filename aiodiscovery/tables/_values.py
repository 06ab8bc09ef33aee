"""Converting the texts of a file to values of a type, many at once.

Texts in the usual form go through pyarrow's own kernels. If a batch contains any other text, each
different text is read on its own. Both ways give the same values.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ._parsing import PARSERS
from ._schemas import Column, Type

__all__ = ["Converted", "convert", "nulls", "schema_of"]

_TIME = pa.timestamp("us", tz="UTC")
_TYPES: dict[Type, pa.DataType] = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.DOUBLE: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.TIME: _TIME,
}
_US = r"^([0-9]{2})/([0-9]{2})/([0-9]{4}) ((?:0[1-9]|1[0-2]):[0-9]{2}:[0-9]{2}) [AaPp][Mm]$"
#: The first and the last microsecond that Python supports, counted from 1970.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
#: In seconds.
_HALF_DAY = 12 * 60 * 60


class Converted(NamedTuple):
    """The values of a column, and the texts of those that do not fit (null for the others)."""

    values: "pa.Array[Any]"
    #: None if all fit.
    texts: "pa.Array[Any] | None"


def nulls(count: int, column: Column) -> "pa.Array[Any]":
    """Return the values of a column that a file does not have."""
    type_: Any = _TYPES[column.type]
    values: pa.Array[Any] = pa.nulls(count, type_)
    return values


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Return the schema of a table with these columns."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in columns])


def convert(texts: "pa.Array[Any]", type_: Type) -> Converted:
    """Convert texts to values. A value that does not fit is null, and its text is kept."""
    if type_ is Type.TEXT:
        return Converted(texts, None)
    if texts.null_count == len(texts):
        return Converted(pc.cast(texts, _TYPES[type_]), None)
    try:
        values = _FAST[type_](texts)
    except pa.ArrowInvalid:
        values = None
    return _one_by_one(texts, type_) if values is None else Converted(values, None)


def _one_by_one(texts: "pa.Array[Any]", type_: Type) -> Converted:
    parse = PARSERS[type_]
    encoded = texts.dictionary_encode()
    different: list[Any] = encoded.dictionary.to_pylist()
    values = [parse(text) for text in different]
    misfits = [
        text if value is None else None for text, value in zip(different, values, strict=True)
    ]
    return Converted(
        pa.array(values, _TYPES[type_]).take(encoded.indices),
        pa.array(misfits, pa.string()).take(encoded.indices) if any(misfits) else None,
    )


# Each returns None, or raises pyarrow.ArrowInvalid, if it cannot read all of the texts.


def _integers(texts: "pa.Array[Any]") -> "pa.Array[Any] | None":
    # pyarrow also reads 0x10.
    if not pc.all(pc.ascii_is_decimal(texts)).as_py():
        return None
    return pc.cast(texts, pa.int64())


def _doubles(texts: "pa.Array[Any]") -> "pa.Array[Any] | None":
    values = pc.cast(texts, pa.float64())
    return values if pc.all(pc.is_finite(values)).as_py() else None


def _booleans(texts: "pa.Array[Any]") -> "pa.Array[Any] | None":
    return pc.cast(texts, pa.bool_())


def _times(texts: "pa.Array[Any]") -> "pa.Array[Any] | None":
    # Many rows have the same time.
    encoded = texts.dictionary_encode()
    values = _different_times(encoded.dictionary)
    return None if values is None else values.take(encoded.indices)


def _different_times(texts: "pa.Array[Any]") -> "pa.Array[Any] | None":
    iso = pc.replace_substring_regex(texts, _US, r"\3-\1-\2T\4")
    are_us = pc.not_equal(iso, texts)
    if pc.any(are_us).as_py():
        return _us_times(texts, iso) if pc.all(are_us).as_py() else None
    values = None
    try:
        values = pc.cast(texts, _TIME)  # all have an offset or Z
    except pa.ArrowInvalid:
        values = pc.cast(pc.cast(texts, pa.timestamp("us")), _TIME)  # none does
    ends: Any = pc.min_max(values.cast(pa.int64()))
    within = ends["min"].as_py() >= _FIRST and ends["max"].as_py() <= _LAST
    return values if within else None


def _us_times(texts: "pa.Array[Any]", iso: "pa.Array[Any]") -> "pa.Array[Any]":
    """Read times with am or pm, given in the ISO form without it."""
    morning: Any = pc.cast(iso, pa.timestamp("us"))
    is_12 = pc.equal(pc.hour(morning), _number(12))
    is_pm = pc.or_(pc.match_substring(texts, "P"), pc.match_substring(texts, "p"))
    # 12 is the first hour of each half of a day.
    seconds = pc.add(
        pc.if_else(is_pm, _number(_HALF_DAY), _number(0)),
        pc.if_else(is_12, _number(-_HALF_DAY), _number(0)),
    )
    seconds = pc.cast(seconds, pa.duration("s"))
    times: pa.Array[Any] = pc.cast(pc.add(morning, seconds), _TIME)
    return times


def _number(value: int) -> Any:
    """Make a pyarrow scalar. ``pa.scalar`` imports pandas for it, which takes half a second."""
    data = pa.py_buffer(value.to_bytes(8, sys.byteorder, signed=True))
    return pa.Array.from_buffers(pa.int64(), 1, [None, data])[0]


_FAST: dict[Type, Callable[["pa.Array[Any]"], "pa.Array[Any] | None"]] = {
    Type.INTEGER: _integers,
    Type.DOUBLE: _doubles,
    Type.BOOLEAN: _booleans,
    Type.TIME: _times,
}
