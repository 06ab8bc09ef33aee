"""What is wrong with an archive, before it is said which archive."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from aiodiscovery.exceptions import ArchiveError

__all__ = ["Flaw", "logger", "naming"]

logger = logging.getLogger("aiodiscovery")

#: How much of a name a message shows.
_LONG = 500


class Flaw(Exception):  # noqa: N818  # an ArchiveError in the making
    """What is wrong, in which file and line of the archive."""

    def __init__(self, message: str, member: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.member = member
        self.line = line


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn a flaw into the error that says of which archive it is."""
    try:
        yield
    except Flaw as flaw:
        where = [os.fspath(path)]
        if flaw.member is not None:
            where.append(flaw.member)
        text = ": ".join(map(_printable, where))
        if flaw.line is not None:
            text += f", line {flaw.line}"
        message = f"{text}: {_printable(str(flaw), 2 * _LONG)}"
        # What it came from may show a row of the archive, which no log is to hold.
        flaw.__context__ = flaw.__cause__ = None
        raise ArchiveError(message, os.fspath(path), flaw.member, flaw.line) from None


def _printable(text: str, length: int = _LONG) -> str:
    """Return a text of an archive without what drives a terminal or fills a log."""
    if len(text) > length:
        text = f"{text[:length]}..."
    return "".join(character if character.isprintable() else "?" for character in text)
