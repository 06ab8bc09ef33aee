"""The rows of a CSV file in an archive, as texts, in batches of bounded size.

pyarrow reads them. Its errors about a row have no line number and quote the row. In that case the
file is read again with the csv module, to find the line.
"""

import atexit
import contextlib
import csv
import io
import re
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv as pacsv

from ._flaws import Flaw
from ._zip import saying_what_is_wrong

__all__ = ["Rows", "read_header"]

Open = Callable[[], IO[bytes]]

#: How much is read at once, and the longest row, in bytes. pyarrow reads up to 32 such blocks
#: ahead.
_BLOCK = 1024 * 1024
#: For how many seconds pyarrow's threads are waited for at most. They take milliseconds.
_PATIENCE = 1.0
_LONGEST_HEADER = 256 * 1024
_MOST_COLUMNS = 1_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A quote is special at the beginning of a cell, up to the quote that closes it.
_CELL = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|[^",\r\n][^,\r\n]*+)?+'
_RECORD = re.compile(_CELL + rb"(?:," + _CELL + rb")*+(?:\r\n?|\n)")
_OPEN = re.compile(rb"(?:" + _CELL + rb',)*+"(?:[^"]++|"")*+\Z')


def read_header(member: IO[bytes], name: str) -> tuple[list[str], bytes]:
    """Read the first row of a file.

    :return: its cells, none if the file is empty, and the bytes after it that were already read.
    :raises Flaw: if it cannot be a header.
    """
    data, mark = b"", _BYTE_ORDER_MARK
    while not (match := _RECORD.match(data)):
        with saying_what_is_wrong(name):
            more = member.read(min(64 * 1024, _LONGEST_HEADER))
        # Only where the file begins: anywhere else a mark belongs to a cell.
        data = (data + more.removeprefix(mark)).lstrip(b"\r\n")
        mark = b""
        if not more:
            break
        if len(data) > _LONGEST_HEADER:
            raise Flaw(f"the header has more than {_LONGEST_HEADER // 1024} KiB", name, 1)
    end = match.end() if match else len(data)
    if not match and _OPEN.match(data):
        raise Flaw("a quote is not closed", name, 1)
    try:
        text = data[:end].decode()
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except UnicodeDecodeError:
        raise Flaw("it is not in UTF-8", name, 1) from None
    except csv.Error:
        raise Flaw("it cannot be read as CSV", name, 1) from None
    if len(header) > _MOST_COLUMNS:
        raise Flaw(f"the header has {len(header):,} columns: too many", name, 1)
    return header, data[end:]


class Rows:
    """The rows of a file after its header. Cells are texts, or null if they are empty.

    A bad row ends the iteration with a flaw. Empty lines are not rows.

    :param open_member: opens the file.
    :param width: the number of cells in the header.
    """

    def __init__(self, open_member: Open, name: str, width: int) -> None:
        self._open_member = open_member
        self._name = name
        self._width = width
        #: How many bytes of the file have been read.
        self.position = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if not self._width:
            return
        with self._open_member() as member:
            source = _Source(member, self._name, self._width)
            try:
                yield from self._batches(source)
            finally:
                source.end()

    def _batches(self, source: "_Source") -> Iterator[pa.RecordBatch]:
        ended = False
        try:
            for batch in source.open():
                self.position = source.position
                rows = batch.num_rows
                if rows and batch.column(0)[rows - 1].as_py() == source.mark:
                    ended = True
                    rows -= 1
                if rows:
                    yield batch.slice(0, rows)
        except (pa.ArrowException, OSError, Flaw):
            if source.flaw is not None:
                raise source.flaw from None
            if source.error is not None:
                raise source.error from None
            raise self._what_is_wrong() from None
        if not ended:
            raise self._what_is_wrong()

    def _what_is_wrong(self) -> Flaw:
        """Find the row that pyarrow could not read."""
        with self._open_member() as member:
            lines = _Lines(member, self._name)
            flaw = _find_flaw(lines, self._name, self._width)
            with saying_what_is_wrong(self._name):
                while member.read(_BLOCK):
                    pass  # the row may be bad because the archive is damaged; its CRC tells
        return flaw


class _Block(bytearray):
    """What pyarrow reads. A weak reference tells whether it still has it."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # each is another one


class _Input:
    """The file that pyarrow reads. A weak reference tells whether it still has it."""

    closed = False

    def __init__(self, read: Callable[[int], _Block]) -> None:
        self.read = read


class _Source:
    """The input of pyarrow, which reads it in its own thread: the rows, and one more at the end.

    The last row comes out as a separate row only if no quote is open at the end of the file.
    """

    def __init__(self, member: IO[bytes], name: str, width: int) -> None:
        self._member = member
        self._name = name
        self._names = list(map(str, range(width)))
        _, data = read_header(member, name)
        # pyarrow drops a byte order mark at its first byte. Here that would belong to a cell.
        self._read_ahead = b"\n" + data
        #: The first cell of the last row.
        self.mark = secrets.token_hex(16)
        self._last = f"\n{self.mark}{',' * (width - 1)}\n".encode()
        self.position = 0
        #: The error that reading has caused.
        self.flaw: Flaw | None = None
        self.error: Exception | None = None
        self._reader: pacsv.CSVStreamingReader | None = None
        self._ended = False
        self._lock = threading.Lock()
        #: What pyarrow has of this.
        self._lent: weakref.WeakSet[_Input | _Block] = weakref.WeakSet()
        _being_read.add(self)

    def open(self) -> Iterable[pa.RecordBatch]:
        """Let pyarrow read it."""
        self._reader = pacsv.open_csv(
            self._lend(),
            read_options=pacsv.ReadOptions(block_size=_BLOCK, column_names=self._names),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(self._names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        return self._reader

    def _lend(self) -> IO[bytes]:
        # Not a variable of open(): an exception would keep it.
        source = _Input(self._read_block)
        self._lent.add(source)
        return cast("IO[bytes]", source)

    def _read_block(self, size: int) -> _Block:
        with self._lock:
            if self._ended:
                return _Block()
            try:
                with saying_what_is_wrong(self._name):
                    data = self._read(size)
            except Flaw as flaw:
                self.flaw = flaw
                raise OSError("the archive is damaged") from None
            except Exception as error:
                self.error = error
                raise
            block = _Block(data)
            self._lent.add(block)
            return block

    def _read(self, size: int) -> bytes:
        # A whole block each time: pyarrow cannot read a row that lies in three.
        data, self._read_ahead = self._read_ahead[:size], self._read_ahead[size:]
        self.position += len(data)
        while len(data) < size:
            more = self._member.read(size - len(data))
            self.position += len(more)
            if not more:
                data, self._last = data + self._last, b""
                data, self._read_ahead = data[:size], data[size:]
                break
            data += more
        return data

    def end(self) -> None:
        """End what pyarrow reads ahead, and wait until its threads have nothing of Python any more.

        If Python ended before, they would abort the process when they ask for the lock of Python.
        """
        with self._lock:
            self._ended = True
        reader, self._reader = self._reader, None
        if reader is not None:
            # What was read ahead comes first, and then the end, or an error.
            with contextlib.suppress(pa.ArrowException, OSError):
                for _ in reader:
                    pass
            reader.close()
        del reader
        latest = time.monotonic() + _PATIENCE
        while self._lent and time.monotonic() < latest:
            time.sleep(0.0005)
        _being_read.discard(self)


#: What a program may leave unfinished.
_being_read: "weakref.WeakSet[_Source]" = weakref.WeakSet()


@atexit.register
def _end_what_is_being_read() -> None:
    for source in list(_being_read):
        source.end()


def _find_flaw(lines: "_Lines", name: str, width: int) -> Flaw:
    """Find the first row that cannot be read, and say why."""
    mark = lines.mark
    reader = csv.reader(iter(lines))
    line, is_header = 1, True
    try:
        for record in reader:
            if record == [mark]:
                break
            if record and record[-1].endswith(mark):
                return Flaw("a quote is not closed", name, line)
            if record and not is_header and len(record) != width:
                what = f"the row has {len(record):,} cells, and the header {width:,}"
                return Flaw(what, name, line)
            is_header = is_header and not record
            line = reader.line_num + 1
    except csv.Error:
        # The module's limit for a cell, which is below that for a row. A later row may be bad.
        return Flaw("a cell is very long here, or a quote is not closed", name, line)
    except Flaw as flaw:
        return flaw
    return Flaw("it cannot be read as CSV", name)


class _Lines:
    """The lines of a file, and one more at the end."""

    def __init__(self, member: IO[bytes], name: str) -> None:
        self._text = io.TextIOWrapper(
            member, encoding="utf-8", errors="surrogateescape", newline=""
        )
        self._name = name
        #: The last line, which is a separate row only if no quote is open before it.
        self.mark = secrets.token_hex(16)
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        while True:
            with saying_what_is_wrong(self._name):
                line = self._text.readline(2 * _BLOCK)
            self._number += 1
            if not line:
                break
            if len(line) == 2 * _BLOCK and not line.endswith(("\r", "\n")):
                what = "the line has more than 1 MiB"
                raise Flaw(what, self._name, self._number)
            if not line.isascii():
                try:
                    line.encode()
                except UnicodeEncodeError:
                    raise Flaw("it is not in UTF-8", self._name, self._number) from None
            yield line
        # So that it is not taken for the content of a single quote at the end.
        yield "\n"
        yield self.mark
