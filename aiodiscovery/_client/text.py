"""Text that is not ours, made fit to be shown: in a terminal, a log line or an error.

An id, a status or a message of the service, a header, the name of a file in an archive may hold
anything. Shown as it is, it could move a terminal's cursor, set its clipboard, reverse the order of
what follows, begin a second line of a log, or fill the screen. A presigned URL in it is a
credential. Whatever shows such text shows what ``printable()`` returns.
"""

import logging
import re
import unicodedata

__all__ = ["hide_signatures", "hide_signatures_in_logs", "printable"]

#: How much of a text is shown at most, in characters.
_LIMIT = 1000

#: How many marks may stand on one letter. No language needs more.
_MOST_MARKS = 4
#: What shows nothing, although Unicode counts it among letters, marks and symbols.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)

#: Who logs what it gets or sends: botocore whole answers of the service (at DEBUG), httpx2 the URL
#: of every request (at INFO), httpcore2 headers such as Location (at DEBUG).
_LOGGERS = ("botocore.parsers", "httpx2", "httpcore2.http11", "httpcore2.http2")
#: Who logs the headers of HTTP/2 piece by piece and compressed (at DEBUG), the URL among them.
_SILENT_LOGGERS = ("hpack.hpack", "hpack.table")

# What stands between spaces and quotes: a URL, if it is one.
_WORD = re.compile(r"""[^\s"'<>]+""")
# Where a query begins. What is around it may be escaped, in a URL or in JSON.
_QUERY = re.compile(r"\?|%(?:25)*3F|\\u003f", re.IGNORECASE)
# What queries with a signature hold, be it of AWS's version 4, 2 or of CloudFront. The signature
# itself comes last, so where a URL was cut off it may be missing, and the session token is there.
_SIGNED = re.compile(r"Signature|X-Amz-|AWSAccessKeyId|Key-Pair-Id", re.IGNORECASE)


def printable(value: object, limit: int = _LIMIT) -> str:
    """Return a text that is not ours as it may be shown, on one line.

    Queries of presigned URLs are left out. What is not printable (control characters, line ends,
    marks that change the direction of text), what is invisible, and marks that pile up on a letter
    are escaped as in a Python string, and what is over the limit is cut off. That takes time for
    what is shown, however long the text is.

    :param value: a str; anything else is shown as ``str()`` has it.
    :param limit: how long the result may be, in characters.
    """
    text = value if isinstance(value, str) else str(value)
    # Enough for what is hidden to make room for what is not.
    window = 4 * limit
    is_cut = len(text) > window
    # A query that the cut goes through can no longer be told from a signed one.
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
    marks = _MOST_MARKS  # at the beginning they would stand on what is before
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char.isprintable() and char not in _INVISIBLE and marks <= _MOST_MARKS:
            shown.append(char)
        else:
            shown.append(char.encode("unicode_escape", "surrogatepass").decode())
    return "".join(shown)


def hide_signatures(text: str) -> str:
    """Return a text with the queries of presigned URLs left out. Takes linear time."""
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
    """Let nobody log a presigned URL from now on, whatever the level.

    Not done at import: who only lists exports keeps the loggers as they are.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_hide_signatures)  # only once
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
