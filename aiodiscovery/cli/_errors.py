"""What to say of an error, in one line that says what to do, and the exit status it leads to."""

import re

from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidConfigError,
    InvalidRetryConfigurationError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from aiodiscovery._exports import hide_signatures
from aiodiscovery.exceptions import (
    ExportNotFoundError,
    ExportNotSucceededError,
    ExportTimeoutError,
    InvalidResumeTokenError,
    PollingError,
)

__all__ = ["DONE", "FAILED", "TIMED_OUT", "WRONG_USE", "explain", "leaf", "one_line"]

DONE, FAILED, WRONG_USE, TIMED_OUT = range(4)

_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
_NETWORK = (BotoConnectionError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError)

_WRONG_CREDENTIALS = (
    "AWS does not accept these credentials ({code}). Renew them, or give another --profile"
)
#: What to do about an error that the service answers with. The text of one that is not here is not
#: shown: those of signatures hold what is secret.
_OF_THE_SERVICE = {
    **dict.fromkeys(
        ("AccessDeniedException", "AuthorizationErrorException"),
        "you are not allowed to do this: {text}. It takes discovery:{operation}",
    ),
    "HomeRegionNotSetException": (
        "this is not the account's Migration Hub home region. Give that as --region, or choose "
        "one: aws migrationhub-config create-home-region-control"
    ),
    "OperationNotPermittedException": "the service refuses: {text}",
    "InvalidParameterException": "the service refuses: {text}",
    "InvalidParameterValueException": "the service refuses: {text}",
    "ServerInternalErrorException": "the service has an error of its own. Try again later",
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        _WRONG_CREDENTIALS,
    ),
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "Throttling",
            "ThrottledException",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        "the service is asked too often ({code}). Try again in a minute",
    ),
}
_PERHAPS_STARTED = "See whether it has started the export nevertheless: aiodiscovery list"
#: Parameters of the library that are options here.
_PARAMETERS = re.compile(r"\b(agent_id|start_time|end_time|min_delay|max_delay|timeout)\b")
_WRONG_PARAMETERS = ("InvalidParameterException", "InvalidParameterValueException")


def explain(error: BaseException) -> tuple[str, int]:
    """Return what to say of an error, and the exit status it leads to."""
    if isinstance(error, PollingError) and error.__cause__ is not None:
        error = error.__cause__
    text, status = _explain(error)
    return one_line(text), status


def leaf(error: Exception) -> Exception:
    """Return the first error of those that tasks which ran together ended with."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def one_line(text: str) -> str:
    """Return a text without what breaks a line, drives a terminal or is a credential."""
    words = " ".join(hide_signatures(text).split())
    return "".join(each if each.isprintable() else "?" for each in words)


def _explain(error: BaseException) -> tuple[str, int]:  # noqa: PLR0911, PLR0912  # a case each
    match error:
        case ClientError():
            return _explain_answer(error)
        case _ if isinstance(error, _CREDENTIALS):
            return (
                "there are no AWS credentials that work. Give --profile, set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or run: aws configure. --local needs none",
                FAILED,
            )
        case NoRegionError():
            return (
                "there is no region. Give --region, such as --region us-west-2, or set "
                "AWS_DEFAULT_REGION",
                FAILED,
            )
        case ProfileNotFound():
            return (f"{error}. Those there are: aws configure list-profiles", FAILED)
        case ConfigParseError() | InvalidConfigError() | InvalidRetryConfigurationError():
            return (f"the AWS configuration is wrong: {error}", FAILED)
        case ResponseParserError():
            return (
                "what answers is not the Application Discovery Service. Check --endpoint-url and "
                "the network",
                FAILED,
            )
        case EndpointConnectionError():
            return (f"{error}. Check --region, --endpoint-url and the network", FAILED)
        case _ if isinstance(error, _NETWORK):
            name = type(error).__name__
            return (f"the service cannot be reached ({name}). Check the network", FAILED)
        case ExportTimeoutError():
            return (
                f"{error}. Wait for the rest: aiodiscovery watch, with a longer --timeout",
                TIMED_OUT,
            )
        case ExportNotFoundError():
            return (f"{error}. Those it knows: aiodiscovery list", FAILED)
        case ExportNotSucceededError(export_status="IN_PROGRESS"):
            return (
                f"export {error.export_id} is still in progress. Wait for it: "
                f"aiodiscovery watch {error.export_id}",
                FAILED,
            )
        case InvalidResumeTokenError():
            return (f"--starting-token: {error}", WRONG_USE)
        case ValueError():
            return (_PARAMETERS.sub(_as_option, str(error)), WRONG_USE)
        case OSError() if error.strerror:
            where = "" if error.filename is None else f": {error.filename}"
            return (f"{error.strerror}{where}", FAILED)
        case _ if type(error).__module__.startswith("aiodiscovery") or isinstance(error, OSError):
            return (str(error), FAILED)
        case _:
            # Its text may hold anything.
            return (f"{type(error).__name__}. --debug shows where it comes from", FAILED)


def _as_option(parameter: re.Match[str]) -> str:
    return f"--{parameter[0].replace('_', '-')}"


def _explain_answer(error: ClientError) -> tuple[str, int]:
    details = error.response.get("Error", {})
    code, text = details.get("Code", "Unknown"), details.get("Message", "")
    status = WRONG_USE if code in _WRONG_PARAMETERS else FAILED
    if error.operation_name == "StartExportTask" and code == "ServerInternalErrorException":
        return ("the service has an error of its own. " + _PERHAPS_STARTED, status)
    known = _OF_THE_SERVICE.get(code, "the service answered {code}. --debug shows where")
    return (
        known.format(code=code, text=text.rstrip(". "), operation=error.operation_name),
        status,
    )
