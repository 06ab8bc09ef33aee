"""What an archive says about itself: its results JSON, and otherwise what its tables show.

Archives come over the network, so nothing is read without a limit, and nothing is unpacked to disk.
"""

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dateutil.parser import isoparse

from .plan import Contents, Kind, Range

__all__ = ["Results", "parse_time", "read_results"]

#: The most bytes that are read of the results JSON and of each table.
_MOST_JSON, _MOST_OF_TABLE = 1 << 20, 1 << 16
#: How members are compressed in exports. zipfile needs gigabytes of memory for some others.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: The earliest and the latest time that counts as one, in seconds since the epoch: years 1 to 9998.
_FIRST, _LAST = -62_135_596_800, 253_370_764_799
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Results:
    """What an archive says about itself."""

    #: The agents whose data was asked for, according to the archive.
    asked_for: frozenset[str] = frozenset()
    #: The agents of the rows at the beginning of its tables.
    in_rows: frozenset[str] = frozenset()
    #: The range that was asked for.
    requested: Range | None = None
    #: From when to when its data is.
    actual: Range | None = None
    truncated: bool = False
    #: Whether it contains recommended EC2 instances. None if that is not known.
    recommends: bool | None = False
    #: Whether any of its tables has a row, or may have one because it cannot be read here.
    has_data: bool = False

    def is_of(self, kind: Kind, agent_id: str | None) -> bool:
        """Say whether it may be an archive of this kind and of this agent."""
        if kind is not Kind.AGENT:
            is_kind = self.recommends in (None, kind is Kind.RECOMMENDATIONS)
            return not self.asked_for and is_kind
        agents = self.asked_for or self.in_rows
        return not agents or agent_id in agents

    @property
    def contents(self) -> Contents:
        """What decides the state of its window."""
        return Contents(self.truncated, self.has_data, self.actual)


def read_results(path: Path, check: Callable[[], object] = lambda: None) -> Results:
    """Read what an archive says about itself. What is missing or unreadable is left out.

    Only an archive whose tables can all be read, and have no rows, counts as one without data.

    :param check: called for each member. An exception that it raises ends the reading.
    :raises OSError: if it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            results: dict[str, Any] = {}
            has_data = False
            in_rows = set[str]()
            for member in members:
                check()
                if _is_results(member.filename):
                    results = results or _read_json(archive, member)
                    continue
                try:
                    rows = _first_rows(archive, member)
                except _UNREADABLE:
                    has_data = True
                    continue
                has_data = has_data or bool(rows)
                in_rows |= {agent_id for row in rows if (agent_id := row.get("agentid", ""))}
    except _UNREADABLE:
        return Results(recommends=None, has_data=True)
    summary = results.get("exportsummary")
    said = {**results, **(_folded(summary) if isinstance(summary, Mapping) else {})}
    return Results(
        asked_for=frozenset(_agents_asked_for(results.get("requestedfilters"))),
        in_rows=frozenset(in_rows),
        requested=_range(said.get("requestedstarttime"), said.get("requestedendtime")),
        actual=_range(said.get("actualstarttime"), said.get("actualendtime")),
        truncated=said.get("istruncated") in (True, "true", "True"),
        recommends=any("recommendations" in member.filename.lower() for member in members),
        has_data=has_data,
    )


def _is_results(name: str) -> bool:
    return name.lower().endswith("results.json")


def _read_json(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> dict[str, Any]:
    """Read an object, with its names folded. It is empty if the member holds none."""
    try:
        text = _beginning(archive, member, _MOST_JSON + 1)
        value = json.loads(text.decode("utf-8-sig")) if len(text) <= _MOST_JSON else None
    except (*_UNREADABLE, RecursionError):
        return {}
    return _folded(value) if isinstance(value, dict) else {}


def _beginning(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    if member.compress_type not in _METHODS:
        raise NotImplementedError("compressed in a way that exports are not")
    with archive.open(member) as file:
        return file.read(most)


def _folded(value: Mapping[str, Any]) -> dict[str, Any]:
    return {_fold(name): item for name, item in value.items()}


def _fold(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _agents_asked_for(filters: Any) -> Iterator[str]:
    for item in filters if isinstance(filters, list) else []:
        if isinstance(item, Mapping):
            values = _folded(item).get("values")
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, str):
                    yield value


def _first_rows(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> list[dict[str, str]]:
    """Read the rows at the beginning of a table, by the folded names of their columns.

    A part that is not read, or cannot be, counts as an empty row.
    """
    start = _beginning(archive, member, _MOST_OF_TABLE)
    text = io.StringIO(start.decode("utf-8-sig", "replace"), newline="")
    rows = csv.reader(text)
    found: list[dict[str, str]] = []
    try:
        names = [_fold(name) for name in next(rows, [])]
        found += [dict(zip(names, row, strict=False)) for row in rows if any(row)]
    except csv.Error:
        found.append({})
    if len(start) == _MOST_OF_TABLE:
        found.append({})
    return found


def _range(start: Any, end: Any) -> Range | None:
    first, last = parse_time(start), parse_time(end)
    if first is None or last is None or last < first:
        return None
    return Range(first, last)


def parse_time(value: Any) -> int | None:
    """Read a time such as ``2017-11-04 00:01:00``. It is in UTC unless it says otherwise."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return _bounded(int(value))
        text = value.strip()
        if text[-2:].upper() in ("AM", "PM"):
            time = datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p")  # see below
        else:
            time = isoparse(text.replace(" ", "T", 1))
    except (ValueError, OverflowError, AttributeError):
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return _bounded(int((time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))


def _bounded(seconds: int) -> int | None:
    """Return a number of seconds, or None if they do not make a time."""
    return seconds if _FIRST <= seconds <= _LAST else None
