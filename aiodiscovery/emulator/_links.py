"""Download URLs: presigned in S3's form, with a signature that only the emulator can make."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlencode

__all__ = ["LinkError", "Links"]

_PREFIX, _SUFFIX = "/archives/", ".zip"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_SIGNATURE = "X-Amz-Signature"
_DATE, _EXPIRES = "X-Amz-Date", "X-Amz-Expires"


class LinkError(Exception):
    """The error of a download URL, as S3 answers it.

    :param code: S3's code for the error
    :param message: its message
    :param status: the HTTP status of the answer
    :param headers: the headers of the answer that belong to this error
    """

    def __init__(
        self, code: str, message: str, status: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers


class Links:
    """Makes download URLs and checks them.

    :param key: the key that they are signed with
    :param lifetime: how many seconds they work
    """

    def __init__(self, key: bytes, lifetime: int) -> None:
        self._key = key
        self._lifetime = lifetime
        self.base_url = "http://127.0.0.1"

    def url(self, export_id: str, now: float) -> str:
        """Make the download URL of an export, valid from the second in which it is made."""
        path = f"{_PREFIX}{export_id}{_SUFFIX}"
        query = _unsigned_query(int(now), self._lifetime)
        return f"{self.base_url}{path}?{query}&{_SIGNATURE}={self._sign(path, query)}"

    @staticmethod
    def export_id(path: str) -> str:
        """Return the id of the export that the path of a URL names; empty if it names none."""
        if not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
            return ""
        return path[len(_PREFIX) : -len(_SUFFIX)]

    def check(self, path: str, query: Mapping[str, str], now: float) -> None:
        """Check the signature and the age of a URL.

        :raises LinkError: if it must not be used
        """
        parameters = dict(query)
        signature = parameters.pop(_SIGNATURE, "")
        if not signature:
            raise LinkError("AccessDenied", "Access Denied", 403)
        # In the same order as in url().
        expected = self._sign(path, urlencode(sorted(parameters.items()), errors="replace"))
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
            raise LinkError(
                "SignatureDoesNotMatch", "The signature does not match this request.", 403
            )
        made = datetime.strptime(parameters[_DATE], _DATE_FORMAT).replace(tzinfo=UTC)
        if now >= made.timestamp() + int(parameters[_EXPIRES]):
            raise LinkError("AccessDenied", "Request has expired", 403)

    def _sign(self, path: str, query: str) -> str:
        text = f"{path}?{query}".encode("utf-8", "replace")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


# A page has a hundred URLs of the same second.
@lru_cache(maxsize=8)
def _unsigned_query(second: int, lifetime: int) -> str:
    date = datetime.fromtimestamp(second, UTC).strftime(_DATE_FORMAT)
    return urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"EMULATOR/{date[:8]}/us-west-2/s3/aws4_request",
            _DATE: date,
            _EXPIRES: str(lifetime),
            "X-Amz-SignedHeaders": "host",
        }
    )
