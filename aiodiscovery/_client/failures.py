"""Errors of calls: which ones may pass, and what may be said about them."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    PaginationError,
    ParamValidationError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from .answers import AnswerError, UndecodableAnswerError

__all__ = [
    "CALL_ERRORS",
    "advise",
    "concerns_the_request",
    "describe_error",
    "error_code",
    "is_of_credentials",
    "is_of_the_clock",
    "is_throttling",
    "may_pass",
]

#: What a failed call raises, apart from faults of the program.
CALL_ERRORS = (BotoCoreError, ClientError, ResponseParserError)

#: Errors of the connection, the credentials' source or the answer that may be gone next time.
_PASSING_ERRORS = (
    HTTPClientError,
    BotoConnectionError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    PaginationError,
    ResponseParserError,
)
#: Causes of aiobotocore's catch-all error that are faults of the program and not of the network,
#: such as a closed client or a missing CA bundle.
_FAULTS = (
    AssertionError,
    AttributeError,
    FileNotFoundError,
    LookupError,
    RuntimeError,
    TypeError,
)
#: Error codes of AWS services, below status 500, for too many requests, and for requests that
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
#: Error codes for a request that was signed too long ago, or in the future.
_CLOCK_CODES = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_CLOCK_TEXTS = ("signature expired", "signature not yet current")
#: Error codes that are about the caller or the account, whatever the request asks for.
_ACCOUNT_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "AuthorizationErrorException",
        "ExpiredToken",
        "ExpiredTokenException",
        "HomeRegionNotSetException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidAction",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OperationNotPermittedException",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
)
#: The operations by which botocore gets credentials from other services, before it calls this one.
_CREDENTIALS_OPERATIONS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "CreateOAuth2Token",
        "CreateToken",
        "GetRoleCredentials",
    }
)
_CREDENTIALS = (
    CredentialRetrievalError,
    MetadataRetrievalError,
    SSOError,
    TokenRetrievalError,
)
_CREDENTIALS_ADVICE = (
    "see where the credentials come from: the profile's credential_process, its SSO session, its "
    "role, or the machine's metadata service"
)


def may_pass(error: Exception) -> bool:
    """Say whether asking again may help."""
    if is_of_the_clock(error) or is_of_credentials(error):
        return True
    if isinstance(error, ClientError):
        return (
            _status(error) >= 500
            or is_throttling(error)
            or error_code(error) in _PASSING_CODES
            or _is_from_elsewhere(error)
        )
    if isinstance(error, SSLError):
        # An untrusted certificate stays untrusted. Anything else was the connection.
        return "CERTIFICATE_VERIFY_FAILED" not in str(error)
    if type(error) is HTTPClientError and isinstance(error.kwargs.get("error"), _FAULTS):
        return False
    return isinstance(error, _PASSING_ERRORS)


def is_of_the_clock(error: Exception) -> bool:
    """Say whether a request was signed with a wrong time.

    It passes by itself if the machine was asleep when the request was signed. It stays if the clock
    of the machine is wrong.
    """
    if not isinstance(error, ClientError):
        return False
    text = str(error.response.get("Error", {}).get("Message")).lower()
    return error_code(error) in _CLOCK_CODES or any(map(text.__contains__, _CLOCK_TEXTS))


def is_of_credentials(error: Exception) -> bool:
    """Say whether credentials could not be obtained, for now or for good."""
    return isinstance(error, _CREDENTIALS)


def concerns_the_request(error: Exception) -> bool:
    """Say whether the cause may be one of the things that the request asks for."""
    if isinstance(error, ClientError):
        of_all = (
            may_pass(error)
            or error_code(error) in _ACCOUNT_CODES
            or error.operation_name in _CREDENTIALS_OPERATIONS
        )
        return not of_all and _status(error) not in (401, 403)
    return isinstance(error, (ParamValidationError, UndecodableAnswerError))


def advise(error: BaseException) -> str:
    """Say what to do about an error that stays. Empty if that is not known."""
    if isinstance(error, _CREDENTIALS):
        return _CREDENTIALS_ADVICE
    if not isinstance(error, ClientError):
        return ""
    if is_of_the_clock(error):
        return "check whether the clock of this machine is right"
    if error.operation_name in _CREDENTIALS_OPERATIONS:
        return _CREDENTIALS_ADVICE
    if error_code(error) == "HomeRegionNotSetException":
        return (
            "this is not the account's Migration Hub home region; use that as region_name, or "
            "choose one with `aws migrationhub-config create-home-region-control`"
        )
    return ""


def is_throttling(error: Exception) -> bool:
    """Say whether the service is asked too often."""
    if not isinstance(error, ClientError):
        return False
    return _status(error) == 429 or error_code(error) in _THROTTLING_CODES


def error_code(error: ClientError) -> str:
    """Return the service's code for an error."""
    return str(error.response.get("Error", {}).get("Code"))


def describe_error(error: BaseException) -> str:
    """Say what went wrong."""
    # Not the messages of all errors: those about signatures and credentials may hold secrets.
    if isinstance(error, ClientError):
        code = error_code(error)
        if _is_from_elsewhere(error):
            return f"an answer with status {code} that is not the service's"
        return code
    if isinstance(error, AnswerError):
        return str(error)
    if type(error) is HTTPClientError and not isinstance(error.kwargs.get("error"), OSError):
        # Its text may quote the answer, for example the HTML of a portal.
        return f"{type(error).__name__}: {type(error.kwargs.get('error')).__name__}"
    # A RuntimeError may say that the client is closed, for example.
    if isinstance(error, (HTTPClientError, BotoConnectionError)) or type(error) is RuntimeError:
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _is_from_elsewhere(error: ClientError) -> bool:
    """Say whether a portal or a proxy answered. Errors of the service have names."""
    status = _status(error)
    if 300 <= status < 400:
        return True  # the service redirects nobody
    metadata = error.response.get("ResponseMetadata", {})
    return error_code(error) == str(status) and not metadata.get("RequestId")
