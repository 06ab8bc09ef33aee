"""Explanations of errors, in one line that says what to do, and their exit statuses."""

import re
from collections.abc import Mapping, Sequence

from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidConfigError,
    InvalidRetryConfigurationError,
    NoRegionError,
    ParamValidationError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from aiodiscovery.exceptions import (
    DownloadError,
    ExportAlreadyPresentError,
    ExportLimitReachedError,
    ExportNotFoundError,
    ExportTimeoutError,
    InvalidResumeTokenError,
    PollingError,
)

from ._credentials import explain_clock, explain_credentials
from ._settings import Settings
from ._text import one_line

__all__ = [
    "DONE",
    "FAILED",
    "TIMED_OUT",
    "WRONG_USE",
    "explain",
    "explain_download",
    "leaf",
    "listed",
    "unknown",
]

DONE, FAILED, WRONG_USE, TIMED_OUT = range(4)

#: How many ids a message names.
_NAMED_IDS = 3

_NETWORK = (BotoConnectionError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError)
_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"
_CERTIFICATE_ADVICE = (
    "If your network inspects TLS, give the certificate of its CA: --ca-bundle FILE"
)

_WRONG_CREDENTIALS = (
    "AWS does not accept these credentials ({code}). Renew them, or give another --profile"
)
#: What to do about an error of the service, by its code. Texts of other errors are not shown:
#: those about signatures hold secrets.
_OF_THE_SERVICE = {
    **dict.fromkeys(
        ("AccessDeniedException", "AuthorizationErrorException"),
        "you are not allowed to do this{reason}. You need the permission discovery:{operation}",
    ),
    "HomeRegionNotSetException": (
        "this is not the account's Migration Hub home region. Give that as --region, or choose "
        "one: aws migrationhub-config create-home-region-control"
    ),
    "OperationNotPermittedException": "the service refuses{reason}",
    "InvalidParameterException": "the service refuses{reason}",
    "InvalidParameterValueException": "the service refuses{reason}",
    "ResourceNotFoundException": "the service does not know it{reason}",
    "ServerInternalErrorException": "the service has an internal error. Try again later",
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
        "the service gets too many requests ({code}). Try again in a minute",
    ),
}
#: Parameters of the library that are options here.
_PARAMETERS = re.compile(r"\b(agent_id|start_time|end_time|min_delay|max_delay|timeout)\b")
_WRONG_PARAMETERS = ("InvalidParameterException", "InvalidParameterValueException")


def explain(error: BaseException, settings: Settings) -> tuple[str, int]:
    """Return the explanation of an error, and its exit status."""
    if isinstance(error, PollingError) and error.__cause__ is not None:
        error = error.__cause__
    text, status = _explain(error, settings)
    return one_line(text), status


def explain_download(error: BaseException, export_id: str, settings: Settings) -> str:
    """Return why an export was not downloaded, for a line that already names the export."""
    text, _ = explain(error, settings)
    for beginning in (f"export {export_id} cannot be downloaded: ", f"export {export_id}: "):
        text = text.removeprefix(beginning)
    return text


def leaf(error: Exception) -> Exception:
    """Return the first of the errors in a group of tasks."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def listed(ids: Sequence[str]) -> str:
    """Return ids for a message: the first ones, and the number of others."""
    named = ", ".join(one_line(id_, 200) for id_ in ids[:_NAMED_IDS])
    others = len(ids) - _NAMED_IDS
    if others > 0:
        named += f" and {others} other{'s' if others > 1 else ''}"
    return named


def unknown(ids: Sequence[str], proposed: str) -> str:
    """Return the message about ids that the service does not know."""
    return f"the service does not know {listed(ids)}. To see those it knows: {proposed}"


def _explain(error: BaseException, settings: Settings) -> tuple[str, int]:  # noqa: PLR0911, PLR0912  # a case each
    of_credentials = explain_credentials(error, settings)
    if of_credentials is not None:
        return of_credentials, FAILED
    match error:
        case ExportAlreadyPresentError():
            again = settings.command("download", error.export_id)
            return (f"the service already has this export. To download it: {again}", FAILED)
        case ExportLimitReachedError():
            return (
                "as many exports are running as the service allows. To wait for them: "
                f"{settings.command('watch')}",
                FAILED,
            )
        case ClientError():
            return _explain_answer(error, settings)
        case NoRegionError():
            return (
                "no region is set. Give --region, such as --region us-west-2, or set AWS_REGION",
                FAILED,
            )
        case ProfileNotFound():
            return (f"{error}. To see the profiles: aws configure list-profiles", FAILED)
        case ConfigParseError() | InvalidConfigError() | InvalidRetryConfigurationError():
            return (f"the AWS configuration is wrong: {error}", FAILED)
        case ResponseParserError():
            return (
                "the answer is not from the Application Discovery Service. Check "
                "--endpoint-url and the network",
                FAILED,
            )
        case SSLError() if _CERTIFICATE in str(error):
            return (f"the certificate of the service is not trusted. {_CERTIFICATE_ADVICE}", FAILED)
        case ProxyConnectionError():
            return ("the proxy cannot be reached. Check HTTPS_PROXY and the network", FAILED)
        case EndpointConnectionError():
            return (f"{error}. Check --region, --endpoint-url and the network", FAILED)
        case _ if isinstance(error, _NETWORK):
            name = type(error).__name__
            return (f"the service cannot be reached ({name}). Check the network", FAILED)
        case ExportTimeoutError():
            return (_explain_timeout(error, settings), TIMED_OUT)
        case ExportNotFoundError():
            return (unknown(error.export_ids, settings.command("list")), FAILED)
        case DownloadError() if _CERTIFICATE in str(error):
            return (f"{error}. {_CERTIFICATE_ADVICE}", FAILED)
        case ParamValidationError():
            reason = str(error.kwargs.get("report", ""))
            return (f"the service does not accept this value: {reason}", WRONG_USE)
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


def _explain_timeout(error: ExportTimeoutError, settings: Settings) -> str:
    pending = list(error.pending)
    verb = "has" if len(pending) == 1 else "have"
    text = f"{listed(pending)} {verb} not ended in time"
    if error.ended:
        text += f", {len(error.ended)} {'has' if len(error.ended) == 1 else 'have'}"
    if error.trouble:
        text += f"; {error.trouble}"
    again = pending if len(pending) <= _NAMED_IDS else ()
    return f"{text}. To wait longer: {settings.command('watch', *again)}"


def _as_option(parameter: re.Match[str]) -> str:
    return f"--{parameter[0].replace('_', '-')}"


def _explain_answer(error: ClientError, settings: Settings) -> tuple[str, int]:
    of_clock = explain_clock(error)
    if of_clock is not None:
        return of_clock, FAILED
    details = error.response.get("Error")
    # The error may be any JSON value, even null.
    fields: Mapping[str, object] = details if isinstance(details, Mapping) else {}
    code = str(fields.get("Code") or "an error without a name")
    text = one_line(fields.get("Message") or "", 500).rstrip(". ")
    status = WRONG_USE if code in _WRONG_PARAMETERS else FAILED
    if error.operation_name == "StartExportTask" and code == "ServerInternalErrorException":
        again = settings.command("list", "--sort", "newest", "--max-items", "5")
        return (
            "the service has an internal error. To see whether it has started the export "
            f"nevertheless: {again}",
            status,
        )
    known = _OF_THE_SERVICE.get(code, "the service answered {code}. --debug shows where")
    code = one_line(code, 100)
    reason = f": {text}" if text else f" ({code})"
    return (known.format(code=code, reason=reason, operation=error.operation_name), status)
