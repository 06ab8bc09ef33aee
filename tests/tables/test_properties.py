"""The values in an archive come out of it, whatever they look like."""

import csv
import io
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.export_archives import HEADERS, Style, agent_archive, csv_bytes, time_text, write_zip

pa = pytest.importorskip("pyarrow")

import pyarrow.parquet as pq  # noqa: E402

from aiodiscovery.tables import ArchiveError, open_archive, write_parquet  # noqa: E402
from aiodiscovery.tables._names import snake_case  # noqa: E402
from aiodiscovery.tables._parsing import PARSERS  # noqa: E402
from aiodiscovery.tables._schemas import AGENT_TABLES, Column, Type  # noqa: E402
from aiodiscovery.tables._values import convert  # noqa: E402

# Everything that CSV in UTF-8 can hold, and more often the characters that it has to quote.
TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\",\r\n'; \t")), min_size=1
)
FORMS = ["us", "us lower", "us short", "iso", "iso naive", "iso offset", "sql", "sql zone"]
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda when: when.replace(microsecond=0)
)


def value_of(type_: Type) -> st.SearchStrategy[tuple[str, object]]:
    """Make texts of a type, and their values."""
    match type_:
        case Type.INTEGER:
            numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 65535)
            return st.one_of(
                numbers.map(lambda number: (str(number), number)),
                st.integers(0, 99).map(lambda number: (f"{number}.0", number)),
            )
        case Type.DOUBLE:
            floats = st.floats(allow_nan=False, allow_infinity=False)
            return floats.map(lambda number: (repr(number), number))
        case Type.BOOLEAN:
            return st.sampled_from(
                [("true", True), ("FALSE", False), ("1", True), ("False", False)]
            )
        case Type.TIME:
            return st.tuples(TIMES, st.sampled_from(FORMS)).map(
                lambda pair: (time_text(*pair), pair[0].replace(tzinfo=UTC))
            )
        case Type.TEXT:
            return TEXTS.map(lambda text: (text, text))


MISFITS = st.sampled_from(
    ["n/a", "NaN", "0x1F", "1e999", "13/13/2026 01:00:00 PM", "9" * 400, "a\nb"]
)


def cells(type_: Type) -> st.SearchStrategy[tuple[str, object, str | None]]:
    """Make cells, their values, and the text that is kept of them."""
    good = value_of(type_).map(lambda pair: (*pair, None))
    empty = st.just(("", None, None))
    if type_ is Type.TEXT:
        return good | empty
    return st.one_of(good, good, empty, MISFITS.map(lambda text: (text, None, text)))


@dataclass
class Case:
    """A file of an archive, and the table that should come out."""

    type_: str
    style: Style
    header: list[str]
    rows: list[list[str]]
    expected: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)


def spelt(header: str) -> st.SearchStrategy[str]:
    """Make spellings of a header."""
    bare = header.partition(" (")[0]
    return st.sampled_from(
        [header, bare, header.lower(), header.upper(), snake_case(header), bare.replace("_", " ")]
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    type_ = draw(st.sampled_from(sorted(HEADERS)))
    columns = AGENT_TABLES[type_].columns
    there = draw(
        st.lists(st.sampled_from(range(len(columns))), unique=True, min_size=1).filter(bool)
    )
    header = [draw(spelt(HEADERS[type_][number])) for number in there]
    new = draw(st.lists(st.sampled_from(["commandPath", "Größe", "x y"]), unique=True))
    rows, expected = list[list[str]](), list[dict[str, Any]]()
    for _ in range(draw(st.integers(0, 5))):
        values: dict[str, Any] = dict.fromkeys(column.name for column in columns)
        row: list[str] = []
        for number in there:
            column = columns[number]
            text, value, kept = draw(cells(column.type))
            row.append(text)
            values[column.name] = value
            if kept is not None:
                values[column.text_name] = kept
        for name in new:
            text, value, _ = draw(cells(Type.TEXT))
            row.append(text)
            values[snake_case(name)] = value
        if len(row) == 1 and not row[0]:
            continue  # an empty line is no row
        rows.append(row)
        expected.append(values)
    style = Style(
        bom=draw(st.booleans()),
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        quote_all=draw(st.booleans()),
        ends_with_newline=draw(st.booleans()),
    )
    options = {
        "folder": draw(st.sampled_from(["", "a", "a/b"])),
        "stored": draw(st.booleans()),
        "data_descriptors": draw(st.booleans()),
    }
    return Case(type_, style, [*header, *new], rows, expected, options)


def without_nulls(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_what_was_put_in_comes_out(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = agent_archive(
            Path(folder, "export-1.zip"),
            {case.type_: csv_bytes(case.header, case.rows, case.style)},
            **case.options,
        )
        name = AGENT_TABLES[case.type_].name
        with open_archive(path) as archive:
            table = archive.read(name)
            streamed = archive.batches(name).read_all()
        write_parquet(path, Path(folder, "tables"))
        (written,) = Path(folder, "tables", name).iterdir()
        in_parquet = pq.read_table(written)

    assert without_nulls(table.to_pylist()) == without_nulls(case.expected)
    assert without_nulls(streamed.to_pylist()) == without_nulls(case.expected)
    assert in_parquet == table
    kept = {name for row in case.expected for name in row}
    names = [column.name for column in AGENT_TABLES[case.type_].columns]
    assert table.column_names[: len(names)] == names
    assert {name for name in table.column_names if name.endswith("_text")} == {
        name for name in kept if name.endswith("_text")
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(TIMES, min_size=1), st.sampled_from([*FORMS, "iso millis"]))
def test_all_forms_of_times_mean_the_same(times: list[datetime], form: str) -> None:
    texts = pa.array([time_text(when, form) for when in times])

    converted = convert(texts, Type.TIME)

    assert converted.values.to_pylist() == [when.replace(tzinfo=UTC) for when in times]
    assert converted.texts is None


ODD_TEXTS = st.one_of(
    st.from_regex(r"\A[ +-]?[0-9]{0,20}(\.[0-9]{0,3})?(e[0-9]{1,3})?\Z"),
    st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9](:[0-6][0-9]){0,2}"
        r"(\.[0-9]{0,7})?(Z|[+-][0-2][0-9]:?[0-6]?[0-9]?)?)?\Z"
    ),
    st.from_regex(
        r"\A[0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2} ?([AaPp][Mm])?\Z"
    ),
    st.sampled_from(["true", "FALSE", "t", "1", "0", "nan", "inf", "Infinity", "0x1F", "-0", ""]),
    st.text(max_size=5),
)


@settings(max_examples=400, deadline=None)
@given(ODD_TEXTS.filter(bool), st.sampled_from([type_ for type_ in Type if type_ is not Type.TEXT]))
def test_a_text_means_the_same_whatever_is_beside_it(text: str, type_: Type) -> None:
    beside = {
        Type.INTEGER: ["1", "x"],
        Type.DOUBLE: ["1.5", "x"],
        Type.BOOLEAN: ["true", "x"],
        Type.TIME: ["2026-01-05 00:00:00", "2026-01-05T00:00:00Z", "01/05/2026 01:00:00 AM", "x"],
    }[type_]
    alone = convert(pa.array([text]), type_)
    meanings = {repr(alone.values.to_pylist()[0])}
    for other in beside:
        meanings.add(repr(convert(pa.array([text, other]), type_).values.to_pylist()[0]))

    (meaning,) = meanings
    parsed = PARSERS[type_](text)
    assert (meaning == "None") is (parsed is None)
    assert alone.values.to_pylist()[0] == parsed
    assert (alone.texts is None) is (parsed is not None)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_every_header_makes_a_name_of_a_column(header: str) -> None:
    name = snake_case(header)

    assert name == snake_case(name) == name.lower()
    assert " " not in name
    assert Column(name).text_name.endswith("_text")


def test_times_at_the_ends_of_what_there_is() -> None:
    for text in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0000-01-01"):
        converted = convert(pa.array([text]), Type.TIME)
        assert converted.values.to_pylist() == [None]
        assert converted.texts is not None
    first = convert(pa.array(["0001-01-01 00:00:00"]), Type.TIME).values.to_pylist()
    assert first == [datetime(1, 1, 1, tzinfo=UTC)]


def rows_by_csv(data: bytes) -> list[list[str | None]] | None:
    """Read the rows after the header as the csv module does; None if that is not possible."""
    mark = "the end"
    try:
        text = data.decode("utf-8-sig")
        # The mark is a separate row only if no quote is open before it.
        lines = [*io.StringIO(text, newline=""), "\n", mark]
        records = [record for record in csv.reader(lines) if record]
    except (UnicodeDecodeError, csv.Error):
        return None
    *records, last = records
    if last != [mark] or len({len(record) for record in records}) > 1:
        return None
    return [[cell or None for cell in record] for record in records[1:]]


PIECES = st.lists(
    st.sampled_from(
        [
            *(b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"a", b"b c", b" ", b"\x00", b"\xff"),
            *("é".encode(), "\u2028".encode(), b"\xef\xbb\xbf", b'"x,y"', b'"x\ny"', b'"x""y"'),
        ]
    ),
    max_size=25,
)


@settings(max_examples=250, deadline=None)
@given(PIECES, st.sampled_from([b"", b"h,i\n", b"\xef\xbb\xbfh,i\r\n"]))
@example([b'h"', b",i\n", b'"a\nb"', b",c\n"], b"")
@example([b"\xef\xbb\xbf", b"a,b"], b"h,i\n")
@example([b"a,b\n", b'"'], b"h,i\n")
@example([b"\n", b"\xef\xbb\xbf", b'"'], b"")
@example([b"a", b"\n", b'""'], b"")
def test_rows_are_those_of_the_csv_module(pieces: list[bytes], header: bytes) -> None:
    data = header + b"".join(pieces)
    expected = rows_by_csv(data)
    with tempfile.TemporaryDirectory() as folder:
        path = write_zip(Path(folder, "summary.zip"), {"1_Tags.csv": data})
        if expected is None:
            with pytest.raises(ArchiveError, match=", line "), open_archive(path) as archive:
                archive.read("tags")
        else:
            with open_archive(path) as archive:
                rows = [list(row.values()) for row in archive.read("tags").to_pylist()]
            assert rows == expected


@pytest.mark.parametrize("block", [64 * 1024, 1024 * 1024, 1024 * 1024 + 64 * 1024])
@pytest.mark.parametrize("beyond", [-1, 0, 1, 2, 10])
def test_a_last_row_without_a_line_end_may_lie_across_blocks(
    tmp_path: Path, block: int, beyond: int
) -> None:
    last = b'"x""y"'
    data = b"a\n" + b"z\n" * ((block - 2) // 2 - 2)
    data += b"z" * (block + beyond - len(last) - len(data) - 1) + b"\n" + last
    path = write_zip(tmp_path / "summary.zip", {"1_Tags.csv": data})

    with open_archive(path) as archive:
        rows = archive.read("tags").column("a").to_pylist()

    lines = filter(None, data.decode().splitlines()[1:])
    assert rows == [line.strip(chr(34)).replace(chr(34) * 2, chr(34)) for line in lines]
