"""The report on a collection after it has ended, and ``aiodiscovery collect --report``."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console
from rich.text import Text

import aiodiscovery
from aiodiscovery.exceptions import CollectionError

from ._errors import DONE, FAILED, explain
from ._layout import Column, folded, laid_out
from ._logs import logger, logs_to
from ._run import make_view
from ._settings import Settings
from ._terminal import TerminalView
from ._text import one_line
from ._views import View, write
from ._words import count, joined

if TYPE_CHECKING:
    from aiodiscovery import AgentReport, CollectedFile, CollectionReport, MissingRange

__all__ = ["run", "show_report"]

_LONG, _SHORT = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M"
_LEAST_ID, _LEAST_HOST = 12, 8


def run(settings: Settings, directory: Path) -> int:
    """Check a directory, show the report, and return the exit status."""
    view = make_view(settings)
    with logs_to(view, settings.debug):
        try:
            report = anyio.run(aiodiscovery.check_collection, directory)
            show_report(view, report, as_json=settings.json)
        except BrokenPipeError:
            raise
        except (CollectionError, OSError) as error:
            logger.debug("details:", exc_info=error)
            view.message(f"Error: {explain(error, settings)[0]}", "bold red")
            return FAILED
    return DONE if report.is_complete else FAILED


def show_report(view: View, report: "CollectionReport", *, as_json: bool) -> None:
    """Show what is there and what is missing."""
    if as_json:
        for value in _as_json(report):
            write(sys.stdout, json.dumps(value, default=_iso))
    elif isinstance(view, TerminalView):
        _show_table(Console(highlight=False), report)
    else:
        for line in _lines(report):
            write(sys.stdout, line)
    if not as_json:
        problems = list(_problems(report))
        for problem in problems:
            view.message(problem, "bold red")
        if not problems:
            view.message(_conclusion(report), "green")


def _conclusion(report: "CollectionReport") -> str:
    files = [file for agent in report.agents for file in agent.files]
    general = len(report.summaries) + len(report.recommendations)
    size = sum(file.size for file in (*files, *report.summaries, *report.recommendations))
    return (
        f"Everything is there: {count(len(report.agents), 'agent')}, "
        f"{count(len(files) + general, 'archive')}, {size:,} bytes in {report.directory}"
    )


def _problems(report: "CollectionReport") -> Iterator[str]:
    for agent in report.agents:
        if agent.message is not None:
            yield f"{agent.agent_id}: {agent.message}"
        for missing in agent.missing:
            yield f"{agent.agent_id}: missing {_missing_words(missing)}"
    for file in (*report.summaries, *report.recommendations):
        if not file.is_intact:
            yield f"{file.path} is not what was downloaded"
    if report.summary_missing is not None:
        yield report.summary_missing


def _missing_words(missing: "MissingRange") -> str:
    message = f": {missing.message}" if missing.message else ""
    return f"{missing.start:{_LONG}} to {missing.end:{_LONG}}, {missing.reason}{message}"


def _hours(agent: "AgentReport") -> tuple[float, float]:
    """Return how many hours of an agent's data there are, and how many are missing."""
    covered = sum((part.end - part.start for part in agent.covered), timedelta())
    missing = sum((part.end - part.start for part in agent.missing), timedelta())
    return covered / timedelta(hours=1), missing / timedelta(hours=1)


def _span(agent: "AgentReport", form: str) -> tuple[str, str]:
    if agent.target is None:
        return "-", "-"
    return f"{agent.target.start:{form}}", f"{agent.target.end:{form}}"


def _lines(report: "CollectionReport") -> Iterator[str]:
    for agent in report.agents:
        covered, missing = _hours(agent)
        yield joined(
            one_line(agent.agent_id),
            *_span(agent, _LONG),
            f"{covered:,.1f} hours",
            f"{missing:,.1f} missing",
            count(len(agent.files), "archive"),
            one_line(agent.host_name or "-", 200),
        )


def _show_table(console: Console, report: "CollectionReport") -> None:
    agents = report.agents
    if not agents:
        return
    hours = [_hours(agent) for agent in agents]
    spans = [_span(agent, _SHORT) for agent in agents]
    styles = ["" if agent.is_complete else "bold red" for agent in agents]
    ids = Column("Agent", [one_line(agent.agent_id) for agent in agents], _LEAST_ID, styles=styles)
    host = Column(
        "Host", [one_line(agent.host_name or "-", 200) for agent in agents], _LEAST_HOST, "end"
    )
    until = Column("Until (UTC)", [end for _, end in spans])
    numbers = [
        Column("Hours", [f"{covered:,.1f}" for covered, _ in hours], right=True),
        Column(
            "Missing",
            [f"{missing:,.1f}" if missing else "-" for _, missing in hours],
            right=True,
            styles=styles,
        ),
        Column("Archives", [f"{len(agent.files):,}" for agent in agents], right=True),
    ]
    since = Column("Since (UTC)", [start for start, _ in spans])
    for columns in (
        [ids, host, since, until, *numbers],
        [ids, host, until, *numbers],
        [ids, *numbers],
    ):
        lines = laid_out(columns, console.width)
        if lines is not None:
            for line in lines:
                console.print(line, soft_wrap=True)
            return
    for text in _lines(report):
        for line in folded(console, text, console.width):
            console.print(Text.assemble(line), soft_wrap=True)


def _as_json(report: "CollectionReport") -> Iterator[dict[str, Any]]:
    for agent in report.agents:
        yield {
            "event": "agent",
            "agentId": agent.agent_id,
            "hostName": agent.host_name,
            "startTime": agent.target and agent.target.start,
            "endTime": agent.target and agent.target.end,
            "covered": [{"startTime": r.start, "endTime": r.end} for r in agent.covered],
            "missing": [
                {"startTime": r.start, "endTime": r.end, "reason": r.reason, "message": r.message}
                for r in agent.missing
            ],
            "message": agent.message,
            "files": [_file(file) for file in agent.files],
            "isComplete": agent.is_complete,
        }
    yield {
        "event": "report",
        "directory": str(report.directory),
        "agents": len(report.agents),
        "summaries": [_file(file) for file in report.summaries],
        "recommendations": [_file(file) for file in report.recommendations],
        "summaryMissing": report.summary_missing,
        "connectors": report.connectors,
        "isComplete": report.is_complete,
    }


def _file(file: "CollectedFile") -> dict[str, Any]:
    return {
        "path": str(file.path),
        "size": file.size,
        "sha256": file.sha256,
        "exportId": file.export_id,
        "isIntact": file.is_intact,
        "actualStartTime": file.actual and file.actual.start,
        "actualEndTime": file.actual and file.actual.end,
    }


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
