"""Errors of calls: which of them may pass, and what may be said of them."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    PaginationError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

__all__ = ["CALL_ERRORS", "describe_error", "error_code", "is_throttling", "may_pass"]

#: What a call raises that failed, apart from faults of the program.
CALL_ERRORS = (BotoCoreError, ClientError, ResponseParserError)

#: Errors of the connection, the credentials' source or the answer that may be gone the next time.
_PASSING_ERRORS = (
    HTTPClientError,
    BotoConnectionError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    PaginationError,
    ResponseParserError,
)
#: What aiobotocore's catch-all error has for a cause when the program is wrong, such as a client
#: that was closed or a CA bundle that is not there, and not the network.
_FAULTS = (
    AssertionError,
    AttributeError,
    FileNotFoundError,
    LookupError,
    RuntimeError,
    TypeError,
)
#: What AWS services say, below status 500, when they are asked too often, and when a request
#: should be tried again for another reason.
_THROTTLING_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PASSING_CODES = frozenset({"PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException"})


def may_pass(error: Exception) -> bool:
    """Say whether asking again may help."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or is_throttling(error) or error_code(error) in _PASSING_CODES
    if isinstance(error, SSLError):
        # A certificate that is not trusted stays so; anything else was the connection.
        return "CERTIFICATE_VERIFY_FAILED" not in str(error)
    if type(error) is HTTPClientError and isinstance(error.kwargs.get("error"), _FAULTS):
        return False
    return isinstance(error, _PASSING_ERRORS)


def is_throttling(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == 429 or error_code(error) in _THROTTLING_CODES


def error_code(error: ClientError) -> str:
    """Return what the service calls an error."""
    return str(error.response.get("Error", {}).get("Code"))


def describe_error(error: BaseException) -> str:
    # Not the message of each: those of signatures and credentials may hold what is secret.
    if isinstance(error, ClientError):
        return error_code(error)
    if isinstance(error, (HTTPClientError, BotoConnectionError)):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
