"""The service's page tokens: opaque to callers, stateless, and bound to a query."""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import astuple, dataclass

from ._errors import invalid_value

__all__ = ["Cursor", "Tokens"]

# botocore's own resume tokens are base64 of UTF-8 JSON, and UTF-8 never begins with this byte. So a
# token of the service cannot be taken for one of those.
_MARK = 0xFF
_LAYOUT = struct.Struct(">BIIII")
_SIGNATURE_SIZE = 16


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins.

    :param position: the first item that may be on the page, counted over the whole listing
    :param empty_pages: how many empty pages in a row led here, so that no two tokens are alike
    :param cycle_start: where the token cycle of the page began
    :param cycle_pages: how many pages of that cycle came before; 0 outside a cycle
    """

    position: int = 0
    empty_pages: int = 0
    cycle_start: int = 0
    cycle_pages: int = 0


class Tokens:
    """Writes and reads tokens.

    :param key: the key that they are signed with; tokens of the same key are the same
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, cursor: Cursor, query: str) -> str:
        """Write the token that leads to a cursor.

        :param query: the query, in a form that is the same for equal queries
        """
        payload = _LAYOUT.pack(_MARK, *astuple(cursor))
        return base64.b64encode(payload + self._sign(payload, query)).decode("ascii")

    def decode(self, token: str, query: str) -> Cursor:
        """Read a token.

        :raises ServiceError: if it is not a token, was changed, or belongs to another query
        """
        try:
            data = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        payload = data[: _LAYOUT.size]
        # A text that is not the canonical form of its bytes was changed too.
        if not (
            len(payload) == _LAYOUT.size
            and hmac.compare_digest(data[_LAYOUT.size :], self._sign(payload, query))
            and base64.b64encode(data).decode("ascii") == token
        ):
            raise invalid_value("The nextToken is not valid for this request.")
        _, position, empty_pages, cycle_start, cycle_pages = _LAYOUT.unpack(payload)
        return Cursor(position, empty_pages, cycle_start, cycle_pages)

    def _sign(self, payload: bytes, query: str) -> bytes:
        digest = hmac.new(self._key, payload + query.encode("ascii"), hashlib.sha256)
        return digest.digest()[:_SIGNATURE_SIZE]
