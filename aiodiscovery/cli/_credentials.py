"""Credentials: loading them, and what to do if there are none."""

import os
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import JSONDecodeError

from aiobotocore.session import AioSession
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    UnknownCredentialError,
)

from ._settings import Settings
from ._text import one_line

__all__ = ["CredentialsError", "explain_clock", "explain_credentials", "load_credentials"]

_PROCESS = "credential_process"
_GENERAL = (
    "no working AWS credentials were found. Give --profile, set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or run: aws configure. With --local you need none"
)
#: Operations of other services that provide credentials.
_OPERATIONS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "CreateOAuth2Token",
        "CreateToken",
        "GetRoleCredentials",
        "GetSessionToken",
    }
)
_CLOCK_CODES = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_CLOCK_TEXTS = ("signature expired", "signature not yet current")
#: How many seconds a clock may be wrong before that is reported. AWS allows five minutes.
_WRONG_CLOCK = 60


class CredentialsError(Exception):
    """Credentials cannot be loaded. The text explains why."""


async def load_credentials(session: AioSession) -> None:
    """Load a session's credentials, which the session keeps.

    :raises CredentialsError: for errors of the standard library that botocore lets through. They
        come from a program that is started for the credentials and may print anything.
    """
    try:
        await session.get_credentials()
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:
        text = explain_process(error)
        if text is None or not _is_process(session):
            text = f"the AWS credentials cannot be loaded ({type(error).__name__}: {error})"
        raise CredentialsError(text) from error


def _is_process(session: AioSession) -> bool:
    profiles = session.full_config.get("profiles", {}).values()
    return any(_PROCESS in profile for profile in profiles if isinstance(profile, Mapping))


def explain_process(error: BaseException) -> str | None:
    """Explain an error of a ``credential_process``; None for others."""
    match error:
        case CredentialRetrievalError() if error.kwargs.get("provider") == "custom-process":
            reason = one_line(error.kwargs.get("error_msg", ""), 300)
            return f"the {_PROCESS} of the AWS configuration failed: {reason or 'no reason given'}"
        case OSError():
            name = f": {error.filename}" if error.filename else ""
            reason = f"{error.strerror or error}{name}"
            return f"the {_PROCESS} of the AWS configuration cannot be started: {reason}"
        case JSONDecodeError() | UnicodeDecodeError():
            return f"the {_PROCESS} of the AWS configuration printed something that is not JSON"
        case AttributeError() | TypeError() | ValueError():
            return f"the {_PROCESS} of the AWS configuration printed no credentials"
    return None


def explain_credentials(error: BaseException, settings: Settings) -> str | None:  # noqa: PLR0911  # a case each
    """Explain an error about credentials; None for others."""
    profile = settings.profile or os.environ.get("AWS_PROFILE", "")
    option = f" --profile {shlex.quote(profile)}" if profile else ""
    match error:
        case CredentialsError():
            return str(error)
        case JSONDecodeError():
            # Only the output of a credential_process is JSON that botocore reads unchecked.
            return explain_process(error)
        case CredentialRetrievalError() if error.kwargs.get("provider") == "custom-process":
            return explain_process(error)
        case SSOError():
            return f"the SSO session is over. Run: aws sso login{option}"
        case TokenRetrievalError():
            return f"the SSO session is over or has not begun. Run: aws sso login{option}"
        case LoginError():
            return f"the login session is over. Run: aws login{option}"
        case RefreshWithMFAUnsupportedError():
            return "the credentials have expired, and new ones need an MFA code: start again"
        case PartialCredentialsError():
            return (
                f"the AWS credentials are incomplete: {error.kwargs.get('cred_var')} is missing "
                f"({error.kwargs.get('provider')})"
            )
        case NoCredentialsError() | UnknownCredentialError():
            return _GENERAL
        case CredentialRetrievalError() | MetadataRetrievalError():
            reason = one_line(error.kwargs.get("error_msg", ""), 300)
            return f"the AWS credentials cannot be fetched: {reason or type(error).__name__}"
        case ClientError() if error.operation_name in _OPERATIONS:
            whose = f" for profile {profile}" if profile else ""
            code = one_line(_details(error).get("Code") or "Unknown", 100)
            return (
                f"AWS does not give credentials{whose}: {error.operation_name} answered {code}. "
                "Check the role, and that you may assume it"
            )
    return None


def explain_clock(error: ClientError) -> str | None:
    """Explain the answer to a request whose time was wrong; None for others."""
    details = _details(error)
    text = str(details.get("Message") or "").lower()
    if details.get("Code") not in _CLOCK_CODES and not text.startswith(_CLOCK_TEXTS):
        return None
    seconds = _behind(error)
    if seconds is None or abs(seconds) < _WRONG_CLOCK:
        how = "wrong"
    else:
        how = f"{abs(seconds) // 60} minutes {'behind' if seconds > 0 else 'ahead'}"
        how = how.replace("1 minutes", "1 minute") if abs(seconds) // 60 == 1 else how
    return f"the clock of this machine is {how}, so AWS refuses its requests. Set the clock"


def _behind(error: ClientError) -> int | None:
    """Return how many seconds this machine's clock is behind that of the answer."""
    metadata = error.response.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    date = headers.get("date") if isinstance(headers, Mapping) else None
    try:
        there = parsedate_to_datetime(str(date))
        return int((there.astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def _details(error: ClientError) -> Mapping[str, object]:
    details = error.response.get("Error")
    return details if isinstance(details, Mapping) else {}
