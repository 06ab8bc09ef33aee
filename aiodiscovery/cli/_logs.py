"""Logs: warnings as messages of the view, and with ``--debug`` everything, safe to show."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from ._text import one_line
from ._views import View

__all__ = ["logger", "logs_to"]

logger = logging.getLogger("aiodiscovery")

_TOKEN = re.compile(r"(x-amz-security-token[\"': =]+)[^\s\"',]+", re.IGNORECASE)
#: The most characters of a log line, and the most lines of a traceback.
_MOST, _MOST_LINES = 4_000, 500


class _Handler(logging.Handler):
    """Shows warnings as messages of the view."""

    def __init__(self, view: View) -> None:
        super().__init__(logging.WARNING)
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.message(f"Warning: {one_line(record.getMessage())}", "yellow")


class _DebugFormatter(logging.Formatter):
    """A line for each record. The rest of a record, such as a traceback, is indented.

    So text from outside cannot look like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {record.levelname} {record.name}: "
        lines = [head + _line(record.getMessage())]
        more = self.formatException(record.exc_info) if record.exc_info else ""
        if record.stack_info:
            more = f"{more}\n{record.stack_info}"
        for line in islice(more.split("\n"), _MOST_LINES):
            text = _line(line)
            if text:
                lines.append(" " * (len(line) - len(line.lstrip(" ")) + 2) + text)
        return "\n".join(lines)


def _line(text: str) -> str:
    return one_line(_TOKEN.sub(r"\1...", text[: 2 * _MOST]), _MOST)


@contextmanager
def logs_to(view: View, debug: bool) -> Iterator[None]:
    """Show logs within the block."""
    handler: logging.Handler = _Handler(view)
    if debug:
        handler = logging.StreamHandler()
        handler.setFormatter(_DebugFormatter())
    # At DEBUG, libraries log secrets, such as the credentials of a role. Without --debug, their
    # logs say nothing that this command does not say itself.
    root = logging.getLogger()
    levels = root.level, logger.level
    root.setLevel(logging.INFO if debug else logging.CRITICAL)
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    target = root if debug else logger
    target.addHandler(handler)
    try:
        yield
    finally:
        target.removeHandler(handler)
        root.setLevel(levels[0])
        logger.setLevel(levels[1])
