"""Text that is not ours, made fit for a terminal, a pipe and a log."""

import re
import unicodedata
from itertools import islice

from aiodiscovery._exports import hide_signatures

__all__ = ["one_line"]

#: How many characters of a text are shown, and how many are looked at at all.
_MOST = 1_000
_MOST_READ = 10_000
_QUERY = re.compile(r"\?|%3F", re.IGNORECASE)
#: How many marks may stand on one letter. No script of today needs more.
_MOST_MARKS = 4
#: Characters that look like nothing, although Unicode counts them among letters and marks.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)


def one_line(text: object, most: int = _MOST) -> str:
    r"""Return text on one line, without what drives a terminal, hides itself or is a credential.

    Space of any kind becomes a blank. Control characters, those that turn the direction of the
    text, invisible ones, lone surrogates and floods of marks become escapes such as ``\x1b``.

    :param most: how many characters there are at most; what is cut off leaves an ellipsis.
    """
    line = " ".join(hide_signatures(_bounded(str(text), max(most, _MOST_READ))).split())
    shown: list[str] = []
    marks = _MOST_MARKS  # at the beginning it would stand on what is before
    for character in islice(line, most + 1):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        plain = character.isprintable() and character not in _BLANK and marks <= _MOST_MARKS
        shown.append(character if plain else _escape(character))
    result = "".join(shown)
    return result if len(result) <= most else f"{result[: most - 1]}…"


def _bounded(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    *rest, last = text[:most].split(" ")
    # It may be a URL whose signature was cut off, so that nobody would take it for one.
    last = _QUERY.split(last, maxsplit=1)[0]
    return f"{' '.join([*rest, last])}…"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
