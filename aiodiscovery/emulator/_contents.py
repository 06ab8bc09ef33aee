"""The contents of an export: which tables, of which range, and where they were cut off."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from ._agent_tables import AGENT_TABLES, SLOT, AgentData
from ._fleet import Agent
from ._quirks import Quirks
from ._summary_tables import RECOMMENDATION_TABLES, SUMMARY_TABLES, SummaryData
from ._tables import Table, csv_lines
from ._times import TIMESTAMP_FORMS

__all__ = ["Contents", "ContentsMaker", "ExportKind"]

ExportKind = Literal["agent", "summary", "recommendations"]


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of an export, described in full. Equal contents give equal archives.

    :param kind: what was exported
    :param edition: which averages a summary has
    :param version: which of the archives of an export this is
    :param agent: the agent, as it was when the export was started
    :param requested: the range that was asked for, in seconds since the epoch
    :param seconds: the seconds of which it may have rows
    :param cut: whether it stops in the middle
    :param gone: the ids of the servers that had been deleted before
    """

    kind: ExportKind
    edition: str
    version: int = 0
    agent: Agent | None = None
    requested: tuple[float | None, float | None] = (None, None)
    seconds: range = range(0)
    cut: bool = False
    gone: frozenset[str] = frozenset()
    quirks: Quirks = field(default_factory=Quirks)


class ContentsMaker:
    """Makes tables of contents.

    :param account: the number of the account
    :param size_limit: the most bytes of CSV that the export of an agent has, without headers; None:
        any number
    """

    def __init__(
        self,
        account: str,
        agent_data: AgentData,
        summary_data: SummaryData,
        size_limit: int | None,
    ) -> None:
        self.account = account
        self.agent_data = agent_data
        self._summary_data = summary_data
        self._size_limit = size_limit
        # Cached, because describe calls ask this about every export again and again.
        self.actual = lru_cache(maxsize=10_000)(self._actual)

    def names(self, contents: Contents) -> tuple[str, ...]:
        """Return the names of the tables in the contents, with rows or without."""
        match contents.kind:
            case "agent":
                return AGENT_TABLES
            case "summary":
                return SUMMARY_TABLES
            case "recommendations":
                return RECOMMENDATION_TABLES

    def table(self, contents: Contents, name: str) -> Table:
        """Return a table.

        :raises ValueError: if contents of this kind have no such table
        """
        if name not in self.names(contents):
            names = ", ".join(self.names(contents))
            raise ValueError(f"table must be one of {names}, not {name!r}")
        if contents.agent is None:
            edition = f"{contents.edition}/{contents.version}"
            return self._summary_data.table(name, edition, contents.gone)
        return self._of_agent(contents, name, self.actual(contents))

    def whole_table(self, contents: Contents, name: str) -> Table:
        """Return a table of an agent, for the whole range; see :meth:`table`."""
        if name not in AGENT_TABLES:
            raise ValueError(f"table must be one of {', '.join(AGENT_TABLES)}, not {name!r}")
        return self._of_agent(contents, name, contents.seconds)

    def _of_agent(self, contents: Contents, name: str, seconds: range) -> Table:
        assert contents.agent is not None  # noqa: S101 - the callers see to that
        return self.agent_data.table(
            contents.agent, name, seconds, command_columns=contents.quirks.command_columns
        )

    def is_truncated(self, contents: Contents) -> bool:
        """Say whether contents are incomplete."""
        return contents.cut or self.actual(contents) != contents.seconds

    def _actual(self, contents: Contents) -> range:
        """Return the seconds that an export covers. A truncated one stops early."""
        seconds = contents.seconds
        if contents.agent is None:
            return seconds
        first = max(seconds.start, contents.agent.life.start)
        last = min(seconds.stop, contents.agent.life.stop)
        if contents.cut and last - first > 1:
            last = first + (last - first) // 2
            seconds = range(seconds.start, last)
        if self._size_limit is None:
            return seconds
        size = 0
        for slot in range(first // SLOT * SLOT, last, SLOT):
            part = range(max(slot, first), min(slot + SLOT, last))
            size += sum(self._size(contents, name, part) for name in AGENT_TABLES)
            # At least one part, or the next export could not continue from its end.
            if size > self._size_limit and part.start > first:
                return range(seconds.start, part.start)
        return seconds

    def _size(self, contents: Contents, name: str, part: range) -> int:
        table = self._of_agent(contents, name, part)
        texts = csv_lines(table.columns, table.rows(), contents.quirks)
        return sum(len(text.encode()) for text in texts)

    def results(self, contents: Contents, sizes: list[int]) -> bytes:
        """Write the JSON about an agent's task and its results.

        :param sizes: the size of each file in bytes
        """
        assert contents.agent is not None  # noqa: S101 - the callers see to that
        write = TIMESTAMP_FORMS["space"]
        start, end = contents.requested
        actual = self.actual(contents)
        summary: dict[str, Any] = {"isTruncated": self.is_truncated(contents)}
        if sizes or summary["isTruncated"]:
            summary["ActualStartTime"] = write(actual.start)
            summary["ActualEndTime"] = write(actual.stop)
        results = {
            "CustomerAccount": self.account,
            "RequestedFilters": [
                {
                    "Name": "agentIds",
                    "Values": [contents.agent.agent_id],
                    "Condition": "EQUALS",
                }
            ],
            "RequestedStartTime": None if start is None else write(start),
            "RequestedEndTime": None if end is None else write(end),
            "ResultFilesGenerated": len(sizes),
            "TotalSizeOfResultFiles": sum(sizes),
            # Not the time of the request, so that the same range has the same archive on any day.
            "ExportStartedAt": write(contents.seconds.stop + contents.version),
            "ExportStatus": "SUCCEEDED",
            "StatusMessage": "The export succeeded.",
            "ExportSummary": summary,
        }
        known = {name: value for name, value in results.items() if value is not None}
        return json.dumps(known, indent=2).encode("ascii") + b"\n"

    def files(self, contents: Contents) -> Iterator[tuple[str, Table]]:
        """Return the names of the CSV files, with their tables."""
        for name in self.names(contents):
            prefix = "" if contents.kind == "recommendations" else f"{self.account}_"
            yield f"{prefix}{name}.csv", self.table(contents, name)
