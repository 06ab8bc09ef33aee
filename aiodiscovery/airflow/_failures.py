"""Errors of opening a client and of starting an export: which are worth another try."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    MetadataRetrievalError,
    ProxyConnectionError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

__all__ = ["describe", "is_final", "was_not_carried_out"]

#: Errors of the connection or of the credentials' source.
_PASSING = (
    BotoConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
#: What the service says while it has enough to do, and what an administrator or a while changes.
_PASSING_CODES = frozenset(
    {
        "ConflictErrorException",
        "OperationNotPermittedException",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
_THROTTLING = ("throttl", "toomanyrequests", "slowdown", "requestlimitexceeded")


def is_final(error: Exception) -> bool:
    """Say whether the same request, or connection, would fail for ever."""
    if isinstance(error, ClientError):
        return not (
            _status(error) >= 500 or _is_throttling(error) or _code(error) in _PASSING_CODES
        )
    if isinstance(error, ValueError):
        return True
    return isinstance(error, BotoCoreError) and not isinstance(error, _PASSING)


def was_not_carried_out(error: Exception) -> bool:
    """Say whether a request certainly had no effect, and may have one later."""
    if isinstance(error, ClientError):
        return _is_throttling(error)
    return isinstance(error, (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError))


def describe(error: Exception) -> str:
    """Say what went wrong, without what may be secret."""
    if isinstance(error, ClientError):
        code = _code(error)
        # Of a wrong signature the service says what was signed, a session token included.
        text = "" if "signature" in code.lower() else error.response.get("Error", {}).get("Message")
        return f"{code}: {text}" if text else code
    if isinstance(error, CredentialRetrievalError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"


def _is_throttling(error: ClientError) -> bool:
    return _status(error) == 429 or _code(error).lower().startswith(_THROTTLING)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))
