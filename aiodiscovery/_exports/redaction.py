"""Presigned URLs, which are credentials, and the logs of the libraries that handle them."""

import logging
import re

__all__ = ["hide_signatures", "hide_signatures_in_logs"]

#: Who logs what it gets or sends: botocore whole answers of the service (at DEBUG), httpx2 the URL
#: of every request (at INFO), httpcore2 headers such as Location (at DEBUG).
_LOGGERS = ("botocore.parsers", "httpx2", "httpcore2.http11", "httpcore2.http2")
#: Who logs the headers of HTTP/2 piece by piece and compressed (at DEBUG), the URL among them.
_SILENT_LOGGERS = ("hpack.hpack", "hpack.table")

# A query with a signature, be it of AWS's version 4, 2 or of CloudFront. What is around the names
# may be escaped.
_PRESIGNED = re.compile(r"""(\?|%3F)(?=[^\s"'<>]*Signature)[^\s"'<>]*""", re.IGNORECASE)


def hide_signatures(text: str) -> str:
    """Return a text with the queries of presigned URLs left out."""
    return _PRESIGNED.sub(r"\1...", text)


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
