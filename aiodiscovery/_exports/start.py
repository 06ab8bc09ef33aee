"""Starting an export."""

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from dateutil.parser import isoparse

from .._client import answer_error, call, check_client, error_code
from ..exceptions import ExportAlreadyPresentError, ExportLimitReachedError

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import ExportPreferencesTypeDef

__all__ = ["check_time", "start_export"]


async def start_export(
    client: "AioBaseClient",
    *,
    agent_id: str | None = None,
    start_time: datetime | str | None = None,
    end_time: datetime | str | None = None,
    preferences: "ExportPreferencesTypeDef | None" = None,
) -> str:
    """Start an export and return its id.

    Without an agent, the export is a summary of all servers. With one, it has up to 72 hours of
    that agent's detailed data. See `StartExportTask
    <https://docs.aws.amazon.com/application-discovery/latest/APIReference/API_StartExportTask.html>`_.

    :param client: an aiobotocore client for ``discovery``.
    :param agent_id: the one agent whose data is exported.
    :param start_time: the start of the range of an agent's data, as an aware datetime or an
        ISO 8601 string with an offset or ``Z``; None: from the first data there is. The service
        counts in whole seconds.
    :param end_time: the end of the range, in the same form; None: up to the newest data.
    :param preferences: what else the export should contain, in the service's spelling:
        ``{"ec2RecommendationsPreferences": {"enabled": True}}``.
    :raises ValueError: for a time without an offset, an end before the start, or a range without an
        agent, which the service would ignore.
    :raises ExportLimitReachedError: if as many exports run as the service allows.
    :raises ExportAlreadyPresentError: if the service already has this export. It has the id.
    :raises botocore.exceptions.BotoCoreError: as botocore raises it; the same goes for
        ``ClientError``. The two errors above are also the service's
        ``OperationNotPermittedException``.
    :raises botocore.parsers.ResponseParserError: if something other than the service has answered.

    The request is sent once, whatever retries the client is configured for. If its answer was lost,
    a retry could start a second export. So even throttling ends this at once.

    After a cancellation, a server error or a lost connection, the export may have been started.
    Look for its range in ``describe_export_tasks``.
    """
    check_client(client)
    parameters: dict[str, Any] = {}
    if agent_id is not None:
        parameters["filters"] = [
            {"name": "agentIds", "values": [_check_agent_id(agent_id)], "condition": "EQUALS"}
        ]
    elif start_time is not None or end_time is not None:
        raise ValueError(
            "start_time and end_time are for the data of an agent: give an agent_id with them"
        )
    start, end = check_time("start_time", start_time), check_time("end_time", end_time)
    if start is not None and end is not None and end < start:
        raise ValueError(f"end_time, {end.isoformat()}, is before start_time, {start.isoformat()}")
    if start is not None:
        parameters["startTime"] = start
    if end is not None:
        parameters["endTime"] = end
    if preferences is not None:
        # A copy, because handlers of botocore's events may change it.
        parameters["preferences"] = deepcopy(preferences)
    try:
        response = await _call_once(client, parameters)
    except ClientError as error:
        refusal = _known_refusal(error)
        if refusal is None:
            raise
        raise refusal from None
    export_id = response.get("exportId")
    if not isinstance(export_id, str) or not export_id:
        raise answer_error("StartExportTask", "it has no exportId; check whether the export runs")
    return export_id


def _check_agent_id(agent_id: Any) -> str:
    if not isinstance(agent_id, str) or not agent_id.strip():
        raise ValueError(f"agent_id must be the id of one agent, not {agent_id!r}")
    return agent_id


def check_time(name: str, value: Any) -> datetime | None:
    """Return a time in UTC. For other zones, botocore would send the local time unconverted.

    :raises ValueError: if it is not a time, or has no offset.
    """
    if value is None:
        return None
    time = value
    if isinstance(value, str):
        try:
            time = isoparse(value)
        except (ValueError, OverflowError):
            time = None
    if not isinstance(time, datetime):
        raise ValueError(  # noqa: TRY004  # one kind of error for bad input
            f"{name} must be a datetime or an ISO 8601 string such as 2026-01-05T08:00:00Z, "
            f"not {value!r}"
        )
    if time.utcoffset() is None:
        raise ValueError(f"{name} must say its offset from UTC, as in +01:00 or Z: {value!r}")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} is out of range in UTC: {value!r}") from None


# Sending once


@dataclass(slots=True)
class _Sending:
    """One call: whether its request was sent, and the outcome."""

    sent: bool = False
    exception: Exception | None = None
    answer: Mapping[str, Any] | None = None


class _SentBeforeError(Exception):
    """Keeps a request from being sent again: botocore does not retry an error it does not know."""


#: The call that this task is in. Clients are shared, and the handlers are told about all calls.
_sending: ContextVar[_Sending | None] = ContextVar("aiodiscovery_sending", default=None)
_EVENTS = "{}.application-discovery-service.StartExportTask"
_HANDLER_ID = "aiodiscovery-send-once-{}"


def _before_send(**_: Any) -> None:
    sending = _sending.get()
    if sending is not None:
        if sending.sent:
            raise _SentBeforeError
        sending.sent = True


def _response_received(
    exception: Exception | None, parsed_response: Mapping[str, Any] | None, **_: Any
) -> None:
    sending = _sending.get()
    if sending is not None and not isinstance(exception, _SentBeforeError):
        sending.exception, sending.answer = exception, parsed_response


_HANDLERS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("before-send", _before_send),
    ("response-received", _response_received),
)


async def _call_once(client: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Make a call whose request is sent once, and raise the error of its first answer, if any."""
    events = client.meta.events
    for event, handler in _HANDLERS:
        # Counted: the last of the concurrent calls removes the handlers.
        events.register_first(
            _EVENTS.format(event), handler, _HANDLER_ID.format(event), unique_id_uses_count=True
        )
    sending, outer = _Sending(), _sending.get()
    _sending.set(sending)
    try:
        return await call(client, "start_export_task", **parameters)
    except _SentBeforeError:
        if sending.exception is not None:
            raise sending.exception from None
        answer: Any = sending.answer
        code = answer.get("Error", {}).get("Code")
        raise client.exceptions.from_code(code)(answer, "StartExportTask") from None
    finally:
        # Not reset(): a task that is never resumed ends in a different context.
        _sending.set(outer)
        for event, handler in _HANDLERS:
            events.unregister(
                _EVENTS.format(event), handler, _HANDLER_ID.format(event), unique_id_uses_count=True
            )


# Refusals

_LIMIT_REACHED = re.compile(r"limit of maximum allowed concurrent exports", re.IGNORECASE)
_ALREADY_PRESENT = re.compile(
    r"successful export is already present\W+export id:\s*([\w.-]*\w)", re.IGNORECASE
)


def _known_refusal(error: ClientError) -> ClientError | None:
    """Return an error that says more than the service's; None if the refusal is not known."""
    if error_code(error) != "OperationNotPermittedException":
        return None
    message = str(error.response.get("Error", {}).get("Message", ""))
    present = _ALREADY_PRESENT.search(message)
    if present is not None:
        return _refusal(ExportAlreadyPresentError, error, present[1])
    if _LIMIT_REACHED.search(message):
        return _refusal(ExportLimitReachedError, error)
    return None


def _refusal(kind: type[ClientError], error: ClientError, *arguments: str) -> ClientError:
    """Make an error that is also of the client's own class, for code that catches that."""
    made = type(kind.__name__, (kind, type(error)), {"__module__": kind.__module__})
    refusal: ClientError = made(error.response, error.operation_name, *arguments)
    return refusal
