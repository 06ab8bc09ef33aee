"""Errors of opening a client and of starting an export: which ones are worth another try."""

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

#: What opening a client and calls can raise. Invalid settings are ValueErrors, and settings that
#: botocore does not have are TypeErrors.
ERRORS = (*CALL_ERRORS, ValueError, TypeError)

#: Error codes of a start that is refused until another export has ended, or for a day.
_LIMIT_CODES = frozenset({"ConflictErrorException", "OperationNotPermittedException"})
#: Errors without a request: there were no credentials to sign it, or no address to send it to.
_NOTHING_SENT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    ProxyConnectionError,
)


def is_final(error: Exception) -> bool:
    """Say whether the same request, or connection, would fail forever."""
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
        # For a wrong signature the service quotes what was signed, including a session token.
        text = "" if "signature" in code.lower() else error.response.get("Error", {}).get("Message")
        return f"{code}: {text}" if text else code
    if isinstance(error, CredentialRetrievalError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"
