"""Errors of opening a client and of starting an export: which are worth another try."""

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    ProxyConnectionError,
)

from .._client import CALL_ERRORS, error_code, is_throttling, may_pass

__all__ = ["ERRORS", "describe", "is_final", "was_not_carried_out"]

#: What opening a client and calls raise. Settings that make no sense are ValueErrors, and those
#: that botocore does not have TypeErrors.
ERRORS = (*CALL_ERRORS, ValueError, TypeError)

#: What the service says of a start until another export has ended, or a day.
_LIMIT_CODES = frozenset({"ConflictErrorException", "OperationNotPermittedException"})
#: There were no credentials to sign it with, or nothing to send it to.
_NOTHING_SENT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    ProxyConnectionError,
)


def is_final(error: Exception) -> bool:
    """Say whether the same request, or connection, would fail for ever."""
    if isinstance(error, ClientError) and error_code(error) in _LIMIT_CODES:
        return False
    return not may_pass(error)


def was_not_carried_out(error: Exception) -> bool:
    """Say whether a request certainly had no effect, and may have one later."""
    return is_throttling(error) or isinstance(error, _NOTHING_SENT)


def describe(error: Exception) -> str:
    """Say what went wrong, without what may be secret."""
    if isinstance(error, ClientError):
        code = error_code(error)
        # Of a wrong signature the service says what was signed, a session token included.
        text = "" if "signature" in code.lower() else error.response.get("Error", {}).get("Message")
        return f"{code}: {text}" if text else code
    if isinstance(error, CredentialRetrievalError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"
