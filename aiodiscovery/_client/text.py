"""Text from elsewhere, made safe to show: in a terminal, a log line or an error.

An id, a status or a message of the service, a header, or the name of a file in an archive may hold
anything. Shown unchanged, it could move a terminal's cursor, set its clipboard, reverse the order
of the text that follows, forge a second line of a log, or fill the screen. A presigned URL in it is
a credential. Such text is only shown through ``printable()``.
"""

import logging
import re
import unicodedata

__all__ = ["hide_signatures", "hide_signatures_in_logs", "printable"]

#: The most characters of a text that are shown.
_LIMIT = 1000

#: The most marks on one letter. No language needs more.
_MOST_MARKS = 4
#: Invisible characters that Unicode counts among letters, marks and symbols.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)

#: Loggers of received or sent data: botocore logs whole answers of the service (at DEBUG), httpx2
#: the URL of every request (at INFO), httpcore2 headers such as Location (at DEBUG).
_LOGGERS = ("botocore.parsers", "httpx2", "httpcore2.http11", "httpcore2.http2")
#: Loggers of HTTP/2 headers, piece by piece and compressed (at DEBUG), including the URL.
_SILENT_LOGGERS = ("hpack.hpack", "hpack.table")

# Text between spaces and quotes: possibly a URL.
_WORD = re.compile(r"""[^\s"'<>]+""")
# Where a query begins. The text around it may be escaped, in a URL or in JSON.
_QUERY = re.compile(r"\?|%(?:25)*3F|\\u003f", re.IGNORECASE)
# What signed queries hold: those of AWS's versions 4 and 2 and of CloudFront. The signature comes
# last, so a URL that was cut off may lack it and still hold the session token.
_SIGNED = re.compile(r"Signature|X-Amz-|AWSAccessKeyId|Key-Pair-Id", re.IGNORECASE)


def printable(value: object, limit: int = _LIMIT) -> str:
    """Return text from elsewhere in a form that is safe to show, on one line.

    Queries of presigned URLs are left out. Some characters are escaped as in a Python string:
    unprintable ones (control characters, line ends, marks that change the direction of text),
    invisible ones, and marks that pile up on a letter. Text over the limit is cut off. The time
    that this takes depends on the limit and not on the length of the text.

    :param value: a str; anything else is shown as ``str()`` returns it.
    :param limit: how long the result may be, in characters.
    """
    text = value if isinstance(value, str) else str(value)
    # Hidden queries take no room, so a larger part of the text is looked at.
    window = 4 * limit
    is_cut = len(text) > window
    # If the cut goes through a query, it is unknown whether the query is signed.
    text = _hide(text[:window], cut=is_cut)
    if len(text) > limit:
        text, is_cut = text[:limit], True
    if not text.isascii() or not text.isprintable():
        text = _escape(text)
    if is_cut or len(text) > limit:
        text = text[: max(0, limit - 3)] + "..."
    return text


def _escape(text: str) -> str:
    shown: list[str] = []
    marks = _MOST_MARKS  # at the beginning they would stand on the text before
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char.isprintable() and char not in _INVISIBLE and marks <= _MOST_MARKS:
            shown.append(char)
        else:
            shown.append(char.encode("unicode_escape", "surrogatepass").decode())
    return "".join(shown)


def hide_signatures(text: str) -> str:
    """Return a text with the queries of presigned URLs left out, in linear time."""
    return _hide(text, cut=False)


def _hide(text: str, *, cut: bool) -> str:
    end = len(text)

    def shorten(word: re.Match[str]) -> str:
        found = word.group()
        query = _QUERY.search(found)
        if query is None:
            return found
        if (cut and word.end() == end) or _SIGNED.search(found, query.end()):
            return f"{found[: query.end()]}..."
        return found

    return _WORD.sub(shorten, text)


def hide_signatures_in_logs() -> None:
    """Keep presigned URLs out of all logs from now on, whatever the level.

    Not done on import: a program that only lists exports keeps its loggers unchanged.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hide_signatures)  # a second time has no effect
    for name in _SILENT_LOGGERS:
        logging.getLogger(name).addFilter(_hide_all)


def _hide_signatures(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    hidden = hide_signatures(text)
    if hidden != text:
        record.msg, record.args = hidden, None
    return True


def _hide_all(record: logging.LogRecord) -> bool:
    return False
