"""Flaws of an archive, before the name of the archive is added."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from aiodiscovery.exceptions import ArchiveError

__all__ = ["Flaw", "logger", "naming"]

logger = logging.getLogger("aiodiscovery")

#: How many characters of a name a message shows.
_LONG = 500


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
        text = ": ".join(map(_printable, where))
        if flaw.line is not None:
            text += f", line {flaw.line}"
        message = f"{text}: {_printable(str(flaw), 2 * _LONG)}"
        # The original error may quote a row of the archive, which must not get into a log.
        flaw.__context__ = flaw.__cause__ = None
        raise ArchiveError(message, os.fspath(path), flaw.member, flaw.line) from None


def _printable(text: str, length: int = _LONG) -> str:
    """Return a text of an archive, made safe for a terminal and a log."""
    if len(text) > length:
        text = f"{text[:length]}..."
    return "".join(character if character.isprintable() else "?" for character in text)
