"""Starting an export."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dateutil.parser import isoparse

from .._client import answer_error, call, check_client

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from types_aiobotocore_discovery.type_defs import ExportPreferencesTypeDef

__all__ = ["start_export"]


async def start_export(
    client: "AioBaseClient",
    *,
    agent_id: str | None = None,
    start_time: datetime | str | None = None,
    end_time: datetime | str | None = None,
    preferences: "ExportPreferencesTypeDef | None" = None,
) -> str:
    """Start an export and return its id.

    Without an agent it is a summary of all servers, with one up to 72 hours of the detailed data of
    that agent. See `StartExportTask
    <https://docs.aws.amazon.com/application-discovery/latest/APIReference/API_StartExportTask.html>`_.

    :param client: an aiobotocore client for ``discovery``.
    :param agent_id: the one agent whose data is exported.
    :param start_time: the start of the range of an agent's data, as an aware datetime or an
        ISO 8601 string with an offset or ``Z``; None: from the first data there is. The service
        counts in whole seconds.
    :param end_time: the end of the range, in the same form; None: up to the newest data.
    :param preferences: what else the export is to hold, as the service spells it:
        ``{"ec2RecommendationsPreferences": {"enabled": True}}``.
    :raises ValueError: for a time without an offset, an end before the start, or a range without an
        agent, which the service would ignore.
    :raises botocore.exceptions.BotoCoreError: as botocore raises it, as is ``ClientError``. Past
        one of the service's limits (two exports of agents a day, five at once) that is
        ``OperationNotPermittedException``.

    If this is cancelled, the export may have been started. Where an answer is lost, botocore sends
    the request again, as the client is configured, and the service may start another export: it
    has nothing to tell that apart by. A client with
    ``Config(retries={"total_max_attempts": 1})`` sends it once.
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
    start, end = _aware("start_time", start_time), _aware("end_time", end_time)
    if start is not None and end is not None and end < start:
        raise ValueError(f"end_time, {end.isoformat()}, is before start_time, {start.isoformat()}")
    if start is not None:
        parameters["startTime"] = start
    if end is not None:
        parameters["endTime"] = end
    if preferences is not None:
        parameters["preferences"] = preferences
    response = await call(client, "start_export_task", **parameters)
    export_id = response.get("exportId")
    if not isinstance(export_id, str) or not export_id:
        raise answer_error("StartExportTask", "it has no exportId; see whether the export runs")
    return export_id


def _check_agent_id(agent_id: Any) -> str:
    if not isinstance(agent_id, str) or not agent_id.strip():
        raise ValueError(f"agent_id must be the id of one agent, not {agent_id!r}")
    return agent_id


def _aware(name: str, value: Any) -> datetime | None:
    """Return a time in UTC: of any other zone, botocore sends what the clocks there show."""
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
