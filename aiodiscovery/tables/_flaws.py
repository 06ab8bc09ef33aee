"""Flaws of an archive, before the name of the archive is added."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiodiscovery.exceptions import ArchiveError

__all__ = ["Flaw", "logger", "names_of", "naming", "printable"]

logger = logging.getLogger("aiodiscovery")

#: How many characters of a name a message shows.
_LONG = 500
#: How many names a message shows.
_MOST_NAMES = 3


class Flaw(Exception):  # noqa: N818  # an ArchiveError in the making
    """A flaw, with the file and line in the archive."""

    def __init__(self, message: str, member: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.member = member
        self.line = line


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn a flaw into an error that names its archive."""
    try:
        yield
    except Flaw as flaw:
        where = [os.fspath(path)]
        if flaw.member is not None:
            where.append(flaw.member)
        text = ": ".join(map(printable, where))
        if flaw.line is not None:
            text += f", line {flaw.line}"
        message = f"{text}: {printable(str(flaw), 2 * _LONG)}"
        # The original error may quote a row of the archive, which must not get into a log.
        flaw.__context__ = flaw.__cause__ = None
        raise ArchiveError(message, os.fspath(path), flaw.member, flaw.line) from None


def names_of(members: Sequence[str]) -> str:
    """Return the first names of files, made safe to show, and the number of the others."""
    more = f" and {len(members) - _MOST_NAMES} more" if len(members) > _MOST_NAMES else ""
    return ", ".join(printable(member, _LONG) for member in members[:_MOST_NAMES]) + more


def printable(value: str | os.PathLike[str], length: int = _LONG) -> str:
    """Return a text of an archive, or a path, made safe for a terminal and a log."""
    text = os.fspath(value)
    if len(text) > length:
        text = f"{text[:length]}..."
    return "".join(character if character.isprintable() else "?" for character in text)
