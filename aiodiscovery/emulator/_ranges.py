"""Ranges of an archive, as S3 interprets them.

See RFC 9110, section 14: https://www.rfc-editor.org/rfc/rfc9110#section-14
"""

import re

from ._links import LinkError

__all__ = ["requested_range"]

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def requested_range(header: str | None, if_range: str | None, etag: str, size: int) -> range | None:
    """Return which bytes are asked for; None for all, as if there was no range.

    :param header: the Range header
    :param if_range: the If-Range header
    :param etag: the archive's ETag, a strong one
    :param size: the size of the archive in bytes
    :raises LinkError: if the archive has none of those bytes
    """
    # An invalid header is ignored, and so is one with more than one range.
    match = _RANGE.fullmatch(header or "")
    if match is None or (if_range is not None and if_range != etag):
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None
        asked = range(int(first), min(int(last) + 1, size) if last else size)
    elif last:
        asked = range(max(0, size - int(last)), size)
    else:
        return None
    if not asked:
        headers = {"Content-Range": f"bytes */{size}"}
        raise LinkError("InvalidRange", "The requested range is not satisfiable", 416, headers)
    return asked
