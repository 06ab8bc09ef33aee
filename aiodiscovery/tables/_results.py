"""What the JSON file of an agent's export says about the export."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ._flaws import Flaw
from ._parsing import parse_boolean, parse_time

__all__ = ["ArchivedExport", "read_results"]

_EXPORT_ID = re.compile(r"export-[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class ArchivedExport:
    """The export that an archive belongs to. What the archive does not say is None."""

    #: From the name of the archive, as ``download_export`` names it.
    export_id: str | None = None
    #: Twelve digits.
    account_number: str | None = None
    #: The agent whose data it has.
    agent_id: str | None = None
    #: The range of time that was asked for.
    requested_start: datetime | None = None
    requested_end: datetime | None = None
    #: The range that has data. An export may end before the requested end. The next one then starts
    #: where it ended.
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    #: Whether the service left data out, because the export would have been too large.
    truncated: bool | None = None
    status: str | None = None
    status_message: str | None = None
    #: The whole content of the JSON file.
    results: Mapping[str, Any] = field(default_factory=dict)

    def lacks_data(self, others: Iterable["ArchivedExport"] = ()) -> bool:
        """Say whether the service left data out that other exports do not have either.

        It is True if the export is truncated, unless the other exports of its agent go on where it
        ended, up to the end that was asked for.

        :param others: exports that may go on with this one.
        """
        if not self.truncated:
            return False
        if self.agent_id is None or self.actual_end is None or self.requested_end is None:
            return True
        ranges = [
            (start, end)
            for other in others
            if (other.account_number, other.agent_id) == (self.account_number, self.agent_id)
            and (start := other.requested_start or other.actual_start) is not None
            and (end := other._end) is not None
        ]
        reached = self.actual_end
        for start, end in sorted(ranges):
            if start > reached:
                break
            reached = max(reached, end)
        return reached < self.requested_end

    @property
    def _end(self) -> datetime | None:
        """Up to when it has all data."""
        return self.actual_end if self.truncated else self.requested_end or self.actual_end


def read_results(
    data: bytes | None, *, member: str | None, archive_name: str, account_number: str | None
) -> ArchivedExport:
    """Read the JSON file, if there is one.

    :param archive_name: the name of the archive, without its suffix.
    :param account_number: the number in the names of the files.
    :raises Flaw: if it is not JSON.
    """
    export_id = archive_name if _EXPORT_ID.fullmatch(archive_name) else None
    if data is None:
        return ArchivedExport(export_id, account_number)
    try:
        results = json.loads(data)
    except json.JSONDecodeError as error:
        raise Flaw("it is not JSON", member, error.lineno) from None
    except (ValueError, RecursionError):
        raise Flaw("it is not JSON", member) from None
    if not isinstance(results, dict):
        raise Flaw("it is not a JSON object", member)
    summary = _get(results, "ExportSummary")
    both = {**(summary if isinstance(summary, dict) else {}), **results}
    account = _text(_get(both, "CustomerAccount"))
    return ArchivedExport(
        export_id=export_id,
        account_number=account.zfill(12) if account and account.isdecimal() else account_number,
        agent_id=_agent(_get(both, "RequestedFilters")),
        requested_start=_time(_get(both, "RequestedStartTime")),
        requested_end=_time(_get(both, "RequestedEndTime")),
        actual_start=_time(_get(both, "ActualStartTime")),
        actual_end=_time(_get(both, "ActualEndTime")),
        truncated=_boolean(_get(both, "isTruncated")),
        status=_text(_get(both, "ExportStatus")),
        status_message=_text(_get(both, "StatusMessage")),
        results=results,
    )


def _get(results: Mapping[str, Any], name: str) -> Any:
    """Return the value of a name, in any case."""
    found = (value for key, value in results.items() if key.lower() == name.lower())
    return next(found, None)


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _time(value: Any) -> datetime | None:
    return parse_time(value) if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else parse_boolean(str(value))


def _agent(filters: Any) -> str | None:
    """Return the agent that was asked for, if there is exactly one."""
    agents: list[str] = []
    for filter_ in filters if isinstance(filters, list) else [filters]:
        if isinstance(filter_, dict):
            values = _get(filter_, "Values")
            values = values if isinstance(values, list) else [values]
            agents += [value for value in values if isinstance(value, str)]
    return agents[0] if len(agents) == 1 else None
