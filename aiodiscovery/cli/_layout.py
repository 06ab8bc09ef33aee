"""Columns that fit a terminal. Long texts are shortened where it does least harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

__all__ = ["GAP", "Column", "folded", "laid_out", "shorten"]

#: The blanks between two columns.
GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    cells: Sequence[str]
    #: The least width it may be reduced to; None: not at all.
    least: int | None = None
    #: Where its cells are shortened.
    where: Literal["middle", "end"] = "middle"
    right: bool = False
    styles: Sequence[str] = ()

    @property
    def width(self) -> int:
        """Its width if nothing is shortened."""
        return max(map(cell_len, (self.title, *self.cells)))


def laid_out(columns: Sequence[Column], width: int) -> list[Text] | None:
    """Return the lines of a table, its head first; None if it cannot be made to fit."""
    widths = [column.width for column in columns]
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    for index, column in enumerate(columns):
        if column.least is not None and excess > 0:
            taken = min(excess, max(0, widths[index] - column.least))
            widths[index] -= taken
            excess -= taken
    if excess > 0:
        return None
    head = [
        _padded(column.title, column, column_width)
        for column, column_width in zip(columns, widths, strict=True)
    ]
    lines = [_line([Text(cell, "bold") for cell in head])]
    for row in range(len(columns[0].cells)):
        cells = []
        for column, column_width in zip(columns, widths, strict=True):
            style = column.styles[row] if column.styles else ""
            cells.append(Text(_padded(column.cells[row], column, column_width), style))
        lines.append(_line(cells))
    return lines


def _line(cells: Sequence[Text]) -> Text:
    line = Text(" " * GAP, no_wrap=True).join(cells)
    line.rstrip()
    return line


def _padded(text: str, column: Column, width: int) -> str:
    text = shorten(text, width, column.where)
    blanks = " " * (width - cell_len(text))
    return blanks + text if column.right else text + blanks


def shorten(text: str, width: int, where: Literal["middle", "end"] = "middle") -> str:
    """Return a text of at most this width, with an ellipsis for what was left out."""
    if cell_len(text) <= width:
        return text
    room = max(0, width - 1)
    behind = room // 2 if where == "middle" else 0
    before = room - behind
    return f"{_beginning(text, before)}…{_beginning(text[::-1], behind)[::-1]}"


def _beginning(text: str, width: int) -> str:
    """Return as much of the beginning of a text as fits."""
    for end in range(min(len(text), width), -1, -1):
        if cell_len(text[:end]) <= width:
            return text[:end]
    return ""


def folded(console: Console, text: str, width: int) -> list[Text]:
    """Return a text as lines of this width, with all but the first one indented."""
    first, *rest = Text(text).wrap(console, max(8, width - GAP))
    lines = [first, *(Text(" " * GAP).append_text(line) for line in rest)]
    for line in lines:
        line.rstrip()
    return lines
