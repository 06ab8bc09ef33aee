"""The command line: commands and their help, and nothing that takes long to import."""

import functools
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import click
from click.shell_completion import get_completion_class

from ._collect import collect
from ._completion import complete_agent_ids, complete_export_ids
from ._emulate import emulate
from ._options import MOMENT, NEW_DIRECTORY, common_options, ids_argument, watch_options
from ._settings import Delays, Settings
from ._tables import tables

__all__ = ["run_command_line"]

_NAME = "aiodiscovery"
_COMPLETE = "_AIODISCOVERY_COMPLETE"
#: The status after SIGPIPE, which Windows does not have.
_CLOSED_PIPE = 128 + 13


def run_command_line() -> int:
    """Run the command line of the process and return the exit status."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by the parent process. Python closes the new one when it ends.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal or the pipe cannot show must not cause an error.
            stream.reconfigure(errors="backslashreplace")
    return _flushed(_run())


def _run() -> int:
    try:
        status: int | None = commands.main(
            prog_name=_NAME, complete_var=_COMPLETE, standalone_mode=False
        )
    except click.ClickException as error:
        path = _NAME
        if isinstance(error, click.UsageError) and error.ctx is not None:
            path = error.ctx.command_path
        text = " ".join(error.format_message().split()).rstrip(".")
        _tell(f"Error: {text}. See: {path} --help")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, _InterruptedError):
        _tell("Interrupted.")
        return 130
    except _ClosedPipeError:
        return _CLOSED_PIPE
    except OSError as error:  # help or completion that cannot be written
        _tell(f"Error: {error.strerror}")
        return 1
    return status or 0


def _flushed(status: int) -> int:
    """Write what is still in the buffers, and return the exit status.

    Python would do it after this, print an error of its own and change the status.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard(sys.stdout)
        if not status and isinstance(error, BrokenPipeError):
            status = _CLOSED_PIPE
        elif not status:
            _tell(f"Error: {error.strerror}")
            status = 1
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    return status


def _discard(stream: TextIO) -> None:
    """Let the rest of a buffer go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell(text: str) -> None:
    with suppress(OSError):
        click.echo(text, err=True)


class _ClosedPipeError(Exception):
    """No process reads the output any more. click would end with status 1."""


class _InterruptedError(Exception):
    """Ctrl-C. click would print an empty line."""


@contextmanager
def _kept_from_click() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ClosedPipeError from error
    except KeyboardInterrupt as error:
        raise _InterruptedError from error


class _Commands(click.Group):
    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _kept_from_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _kept_from_click():
            return super().invoke(ctx)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Try everything without an account:
  aiodiscovery watch --local
  aiodiscovery start --local --download archives

\b
Exit status:
  0    done
  1    an export or something else failed
  2    usage error
  3    time-out
  130  Ctrl-C
""",
)
@click.version_option(package_name="aiodiscovery", message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Work with the exports of the AWS Application Discovery Service."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


commands.add_command(collect)
commands.add_command(emulate)
commands.add_command(tables)


@commands.command(
    epilog="""\b
Examples:
  aiodiscovery agents --local
  aiodiscovery agents --local --health HEALTHY --quiet
"""
)
@ids_argument("agent_ids", complete_agent_ids)
@click.option(
    "--health",
    type=click.Choice(
        ["HEALTHY", "UNHEALTHY", "RUNNING", "UNKNOWN", "BLACKLISTED", "SHUTDOWN"],
        case_sensitive=False,
    ),
    metavar="STATE",
    multiple=True,
    help="Only agents in this state, such as HEALTHY or SHUTDOWN. May be given several times.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print only the ids, one per line.")
@common_options
def agents(settings: Settings, *, quiet: bool, **options: Any) -> int:
    """List the agents, whose ids "start --agent-id" takes.

    With ids it lists these agents, and "-" reads the ids from standard input. An agent has data
    from the time it was registered until it was last seen.
    """
    _check_quiet(settings, quiet)
    from . import _lists, _run

    return _run.run(settings, functools.partial(_lists.list_agents, quiet=quiet, **options))


@commands.command(
    "list",
    epilog="""\b
Examples:
  aiodiscovery list --region us-west-2
  aiodiscovery list --local --status IN_PROGRESS --since 1h
  aiodiscovery list --local --sort newest --max-items 5
  aiodiscovery list --local --status IN_PROGRESS --quiet |
    aiodiscovery watch --local -
  aiodiscovery list --local --output json > exports.jsonl
""",
)
@ids_argument("export_ids", complete_export_ids)
@click.option(
    "--status",
    "statuses",
    type=click.Choice(["IN_PROGRESS", "SUCCEEDED", "FAILED"], case_sensitive=False),
    metavar="STATUS",
    multiple=True,
    help="Only exports that are IN_PROGRESS, SUCCEEDED or FAILED. May be given several times.",
)
@click.option(
    "--since",
    type=MOMENT,
    metavar="TIME",
    help="Only exports requested since then: a time such as 2026-01-05T08:00:00Z, or how long ago, "
    "such as 30m, 12h, 7d or 2w.",
)
@click.option(
    "--agent-id",
    metavar="ID",
    shell_complete=complete_agent_ids,
    help="Only exports of this agent's data.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(["newest", "oldest", "status"]),
    help="Sort the exports once all have arrived. By default they keep the service's order.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print only the ids, one per line.")
@click.option(
    "--max-items", metavar="N", type=click.IntRange(min=1), help="List at most N exports."
)
@click.option(
    "--page-size", metavar="N", type=click.IntRange(1, 100), help="Ask for N exports in a request."
)
@click.option(
    "--starting-token",
    metavar="TOKEN",
    help="Continue where an earlier listing stopped. Tokens of the AWS CLI work too.",
)
@common_options
def list_command(settings: Settings, *, quiet: bool, **options: Any) -> int:
    """List exports.

    With ids it lists these exports, and "-" reads the ids from standard input. An id that the
    service does not know is an error.

    When --max-items leaves some out, stderr gets the token to continue with.

    JSON has all fields. One of them, configurationsDownloadUrl, lets anyone who has it download the
    archive, so keep it secret.
    """
    _check_quiet(settings, quiet)
    from . import _lists, _run

    return _run.run(settings, functools.partial(_lists.list_exports, quiet=quiet, **options))


def _check_quiet(settings: Settings, quiet: bool) -> None:
    if quiet and settings.json:
        raise click.UsageError("give --quiet or --output json, not both")


@commands.command(
    epilog="""\b
Examples:
  aiodiscovery watch --local
  aiodiscovery watch --local --download archives
  aiodiscovery watch --local --timeout 600 --output json
  aiodiscovery list --local --status IN_PROGRESS --quiet |
    aiodiscovery watch --local -
"""
)
@ids_argument("export_ids", complete_export_ids)
@click.option(
    "--download",
    "directory",
    type=NEW_DIRECTORY,
    metavar="DIR",
    help="Then download the archives of the exports that succeeded into this directory. It is "
    "created if it does not exist.",
)
@watch_options
@common_options
def watch(settings: Settings, **options: Any) -> int:
    """Watch exports until all of them have ended.

    Without ids it watches the exports that are in progress now. "-" reads the ids from standard
    input.

    The exit status is 1 if one of them failed.
    """
    from . import _actions, _run

    return _run.run(settings, functools.partial(_actions.watch, **options))


@commands.command(
    short_help="Download archives of exports, and verify them.",
    epilog="""\b
Examples:
  aiodiscovery list --local --quiet --status SUCCEEDED --max-items 3 |
    aiodiscovery download --local --to archives -
""",
)
@ids_argument("export_ids", complete_export_ids, required=True)
@click.option(
    "--to",
    "destination",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    metavar="PATH",
    help="A directory, which is created if it does not exist. For a single export also the name of "
    "a file, which must end in .zip.",
)
@common_options
def download(settings: Settings, *, export_ids: tuple[str, ...], destination: Path) -> int:
    """Download the archives of exports that succeeded, and verify them.

    "-" reads the ids from standard input. If a download was stopped or killed, the same command
    continues where it stopped. If one archive cannot be downloaded, the others still are, and the
    exit status is 1.
    """
    _check_destination(export_ids, destination)
    from . import _actions, _run

    return _run.run(
        settings,
        functools.partial(_actions.download, export_ids=export_ids, destination=destination),
    )


def _check_destination(export_ids: tuple[str, ...], destination: Path) -> None:
    """Create the directory that archives go to, or say why it cannot be one."""
    directory = destination
    if destination.suffix.lower() == ".zip" and not destination.is_dir():
        if len(export_ids) > 1:
            raise click.BadParameter(
                f"for several exports it must be a directory: {destination}", param_hint="--to"
            )
        directory = destination.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{error.strerror}: {error.filename}", param_hint="--to") from None


@commands.command(
    short_help="Start an export, wait for it and download it.",
    epilog="""\b
Examples:
  aiodiscovery start --local --wait
  aiodiscovery start --local --agent-id o-e4fa73126dd9c2e85 \\
      --start-time 2025-05-30T10:00:00Z --end-time 2025-05-31T10:00:00Z \\
      --download archives
""",
)
@click.option(
    "--agent-id",
    metavar="ID",
    shell_complete=complete_agent_ids,
    help="Export the data of this agent instead of the summary of all servers.",
)
@click.option(
    "--start-time",
    metavar="TIME",
    help="The start of the agent's data: ISO 8601 with an offset or Z.",
)
@click.option(
    "--end-time", metavar="TIME", help="The end of the agent's data, at most 72 hours later."
)
@click.option(
    "--ec2-recommendations", is_flag=True, help="Include recommendations for EC2 instances."
)
@click.option("--wait", is_flag=True, help="Wait until the export has ended.")
@click.option(
    "--download",
    "directory",
    type=NEW_DIRECTORY,
    metavar="DIR",
    help="Wait, and download the archive into this directory. It is created if it does not exist.",
)
@watch_options
@common_options
def start(
    settings: Settings,
    *,
    agent_id: str | None,
    start_time: str | None,
    end_time: str | None,
    ec2_recommendations: bool,
    wait: bool,
    directory: Path | None,
    timeout: float | None,
    delays: Delays,
) -> int:
    """Start an export. With --wait or --download, wait until it has ended.

    The id of the export is printed as soon as it is known. "aiodiscovery agents" lists the agents.
    """
    wait = wait or directory is not None
    context = click.get_current_context()
    if not wait and any(
        context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        for name in ("timeout", "min_delay", "max_delay")
    ):
        raise click.UsageError("--timeout, --min-delay and --max-delay need --wait or --download")
    parameters: dict[str, Any] = {
        "agent_id": agent_id,
        "start_time": start_time,
        "end_time": end_time,
    }
    if ec2_recommendations:
        parameters["preferences"] = {"ec2RecommendationsPreferences": {"enabled": True}}
    from . import _actions, _run

    return _run.run(
        settings,
        functools.partial(
            _actions.start,
            parameters=parameters,
            wait=wait,
            timeout=timeout,
            delays=delays,
            directory=directory,
        ),
    )


@commands.command(
    epilog="""\b
Examples:
  eval "$(aiodiscovery completion bash)"     # in ~/.bashrc
  eval "$(aiodiscovery completion zsh)"      # in ~/.zshrc
  aiodiscovery completion fish > ~/.config/fish/completions/aiodiscovery.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script that makes a shell complete this command.

    It completes commands and options, profiles, regions, and the ids that the command has shown
    recently.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # click has all three
    click.echo(found(commands, {}, _NAME, _COMPLETE).source())
    return 0
