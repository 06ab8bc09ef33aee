"""What the answers and the errors of a download mean. Nothing here does I/O."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, NamedTuple

import httpx2

from .._client import printable
from .link import Url
from .note import is_strong_etag

__all__ = [
    "Problem",
    "content_length",
    "content_range",
    "content_type",
    "fault_of_address",
    "problem_of_connection",
    "problem_of_status",
    "problem_of_url",
    "redirected",
    "strong_etag",
    "target_of",
]

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
# Statuses below 500 that may be different next time.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

# The hosts of S3: https://docs.aws.amazon.com/general/latest/gr/s3.html. The text before the
# service's name is the bucket.
_S3_HOST = re.compile(
    r"(?P<bucket>(?:[a-z0-9.-]+\.)?)s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?", re.ASCII
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# The request target of a URL: the text after its host, up to a fragment.
_RAW_TARGET = re.compile(r"[a-z]+://[^/?#]*(/[\x21-\x7e]*)", re.IGNORECASE)


class Problem(NamedTuple):
    """Why an answer is not what was asked for."""

    text: str
    status_code: int | None = None
    #: Ask for the same later, ask at a fresh URL, or do not ask again.
    remedy: Literal["later", "renew"] | None = "later"
    #: How many seconds the server wants to be left alone.
    retry_after: float = 0.0
    #: What is raised in place of a ``DownloadError`` if nothing helps.
    error: Exception | None = None


def content_range(response: httpx2.Response) -> tuple[int, int | None]:
    """Return where a partial answer begins (-1 if it does not say) and the length of the whole."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        return -1, None
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def content_length(response: httpx2.Response) -> int | None:
    """Return the length that an answer declares."""
    length: str = response.headers.get("Content-Length", "")
    return int(length) if _LENGTH.fullmatch(length) else None


def content_type(response: httpx2.Response) -> str:
    """Return the content type of an answer in a form that is safe to show."""
    return printable(response.headers.get("Content-Type", "no content type"), 80)


def strong_etag(response: httpx2.Response) -> str | None:
    """Return the ETag of an answer, if it tells whether bytes are still the same."""
    etag: str = response.headers.get("ETag", "")
    return etag if is_strong_etag(etag) else None


def problem_of_status(response: httpx2.Response) -> Problem:
    """Return the problem with an answer that has no bytes of the archive."""
    status_code = response.status_code
    try:
        text = f"the server answered {status_code} {HTTPStatus(status_code).phrase}"
    except ValueError:
        text = f"the server answered {status_code}"
    if status_code >= 500 or status_code in _PASSING:
        return Problem(text, status_code, retry_after=_retry_after(response))
    # 403 if the URL has expired, 400 if the credentials that it was signed with have. A fresh URL
    # also helps if the archive has been moved.
    return Problem(text, status_code, "renew")


def _retry_after(response: httpx2.Response) -> float:
    """Return how long a server wants to be left alone, in seconds: RFC 9110, section 10.2.3."""
    value: str = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9]) if len(value) < 10 else float("inf")
    try:
        until = parsedate_to_datetime(value)
        # By the server's clock, if the answer shows it.
        shown = response.headers.get("Date")
        now = parsedate_to_datetime(shown) if shown else datetime.now(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return 0.0
    return max(0.0, (_aware(until) - _aware(now)).total_seconds())


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def problem_of_connection(error: Exception) -> Problem:
    """Return the problem with a connection."""
    causes = list(_causes(error))
    # The reason may be further down: in trio it is the cause of its own error.
    detail = next((str(cause) for cause in causes if str(cause)), "")
    untrusted = next((str(c) for c in causes if "CERTIFICATE_VERIFY_FAILED" in str(c)), None)
    tls = next((str(cause) for cause in causes if isinstance(cause, ssl.SSLError)), None)
    detail = printable(untrusted or tls or detail)
    name = type(error).__name__
    text = (
        f"the connection failed ({name}: {detail})" if detail else f"the connection failed ({name})"
    )
    # An untrusted certificate stays untrusted, and a URL that is not for HTTP stays so.
    lasting = untrusted is not None or isinstance(
        error, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeError)
    )
    if any(isinstance(cause, OverflowError) for cause in causes):
        lasting = True
    if isinstance(error, httpx2.ProxyError) and re.match(r"4(?!08|29)\d\d\b", detail):
        # A proxy's refusal of a CONNECT request.
        lasting = True
    return Problem(text, remedy=None if lasting else "later")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an error and all its causes, each once."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        cause = left.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        if isinstance(cause, BaseExceptionGroup):
            left.extend(cause.exceptions)
        else:
            yield cause
        left += [cause.__cause__, cause.__context__]


def problem_of_url(url: Url) -> Problem | None:
    """Say why no request can be sent to a URL; None if it can."""
    try:
        parsed = httpx2.URL(url.reveal())
    except (httpx2.InvalidURL, ValueError, TypeError):
        return Problem("its download URL cannot be read", remedy=None)
    fault = fault_of_address(parsed)
    if parsed.scheme not in ("http", "https"):
        fault = "is not for HTTP"
    return None if fault is None else Problem(f"its download URL {fault}", remedy=None)


def fault_of_address(url: httpx2.URL) -> str | None:
    """Say why no server can have the host and the port of a URL; None if one can.

    A request to such an address fails in many ways, depending on the event loop and the fault.
    """
    host = url.host.removesuffix(".")
    if not host:
        return "has no host"
    labels = host.split(".")
    if ":" not in host and (
        not all(0 < len(label) < 64 for label in labels) or re.search(r"[%\s]", host)
    ):
        return "has a host name that no server can have"
    if url.port is not None and not 0 < url.port < 65536:
        return f"has the port {url.port}, which no server can have"
    return None


def target_of(url: Url) -> bytes | None:
    """Return the request target, if httpx2 would change it.

    httpx2 removes ``/../`` from a path and escapes some characters. The signature would then no
    longer fit the URL.
    """
    match = _RAW_TARGET.match(url.reveal())
    if match is None:
        return None
    target = match.group(1).partition("#")[0].encode("ascii")
    return None if target == httpx2.URL(url.reveal()).raw_path else target


def redirected(url: Url, response: httpx2.Response) -> Url | None:
    """Return where S3 redirects a request to; None if no request may be sent there.

    For some time after a bucket was created, S3 answers 307 with another of its own hosts:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html. The presigned query may go
    there over the same scheme, for the same bucket and the same object. It may go nowhere else.
    """
    if response.status_code != HTTPStatus.TEMPORARY_REDIRECT:
        return None
    try:
        old = httpx2.URL(url.reveal())
        # Only an absolute URL counts: a relative one leads to no other host.
        new = httpx2.URL(response.headers.get("Location", ""))
    except (httpx2.InvalidURL, ValueError):
        return None
    if new.scheme != old.scheme or new.userinfo or new.path != old.path:
        return None
    if not _is_of_the_same_service(old.host, new.host):
        return None
    return Url(response.headers["Location"])


def _is_of_the_same_service(old: str, new: str) -> bool:
    if old in _LOOPBACK:
        return new in _LOOPBACK
    one, other = _S3_HOST.fullmatch(old), _S3_HOST.fullmatch(new)
    if one is None or other is None:
        return False
    return one["bucket"] == other["bucket"] and old.endswith(".cn") == new.endswith(".cn")
