"""``aiodiscovery collect``."""

import functools
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import click

from ._completion import complete_agent_ids
from ._options import MOMENT, common_options, watch_options
from ._settings import Delays, Settings

__all__ = ["collect"]

#: How many seconds an export may be unknown if its start was not answered; with --local.
_NOT_FOUND, _NOT_FOUND_LOCAL = 60.0, 1.0
#: The data to collect with --local: some days, some of it truncated, in half a minute.
_LOCAL = {"agents": 8, "agent_days": 10.0, "export_duration": 1.0, "export_size_limit": 150_000}


@click.command(
    epilog="""\b
Examples:
  aiodiscovery collect archives --local
  aiodiscovery collect archives --local --tables parquet
  aiodiscovery collect archives --report
"""
)
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--agent-id",
    "agent_ids",
    metavar="ID",
    multiple=True,
    shell_complete=complete_agent_ids,
    help="Collect this agent only. May be given several times.",
)
@click.option(
    "--start-time",
    type=MOMENT,
    metavar="TIME",
    help="Collect data from then on: a time such as 2026-01-05T08:00:00Z, or how long ago, such as "
    "7d. By default everything since each agent registered.",
)
@click.option(
    "--end-time",
    type=MOMENT,
    metavar="TIME",
    help="Collect data up to then. By default everything until each agent was last heard of.",
)
@click.option("--no-summary", is_flag=True, help="Do not take a summary of all servers.")
@click.option("--recommendations", is_flag=True, help="Also take EC2 recommendations.")
@click.option(
    "--max-running",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="Run N exports at once. The service allows five, including those of others.",
)
@click.option(
    "--not-found-timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="If the answer to a start is lost, look for the export this long before starting it "
    "again (60; with --local 1).",
)
@click.option(
    "--tables",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Then write the tables into this directory as Parquet files.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Collect nothing. Report what is there and what is missing, and check each file.",
)
@watch_options
@common_options
def collect(
    settings: Settings,
    *,
    directory: Path,
    agent_ids: tuple[str, ...],
    start_time: datetime | None,
    end_time: datetime | None,
    no_summary: bool,
    recommendations: bool,
    max_running: int,
    not_found_timeout: float | None,
    tables: Path | None,
    report: bool,
    timeout: float | None,
    delays: Delays,
) -> int:
    """Collect the data of all agents into DIR, each row once.

    Run it again to continue where it stopped, and to get new data. It may be stopped at any time.
    The exit status is 0 if everything is there, 1 if something is missing, and 3 on a time-out.

    Archives are in DIR/agents/<agentId>/, named by the time that they cover, and in DIR/summary/.
    The file DIR/collection.sqlite keeps track of them.
    """
    if report:
        if agent_ids or start_time or end_time or tables or timeout is not None:
            raise click.UsageError("--report collects nothing: give it with DIR only")
        from . import _collect_report  # noqa: PLC0415  # the import takes long

        return _collect_report.run(settings, directory)
    if tables is not None and find_spec("pyarrow") is None:
        raise click.UsageError('--tables needs pyarrow: pip install "aiodiscovery[tables]"')
    from . import _collect_action, _run  # noqa: PLC0415  # the import takes long

    if not_found_timeout is None:
        not_found_timeout = _NOT_FOUND_LOCAL if settings.local else _NOT_FOUND
    return _run.run(
        settings,
        functools.partial(
            _collect_action.collect,
            directory=directory,
            tables=tables,
            options={
                "agent_ids": agent_ids or None,
                "start_time": start_time,
                "end_time": end_time,
                "summary": not no_summary,
                "recommendations": recommendations,
                "max_running": max_running,
                "timeout": timeout,
                "min_delay": delays.shortest,
                "max_delay": delays.longest,
                "not_found_timeout": not_found_timeout,
            },
        ),
        local=_LOCAL,
    )
