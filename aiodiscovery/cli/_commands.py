"""The command line: commands, options and their help, and nothing that takes long to import."""

import functools
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from ._settings import Delays, Settings

__all__ = ["run_command_line"]

_NAME = "aiodiscovery"
_COMPLETE = "_AIODISCOVERY_COMPLETE"


def run_command_line() -> int:
    """Run the command line of the process and return the exit status."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by who started the process. Python closes the new one when it ends.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # What the terminal or the pipe cannot show is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int | None = commands.main(
            prog_name=_NAME, complete_var=_COMPLETE, standalone_mode=False
        )
    except click.ClickException as error:
        path = _NAME
        if isinstance(error, click.UsageError) and error.ctx is not None:
            path = error.ctx.command_path
        text = " ".join(error.format_message().split()).rstrip(".")
        click.echo(f"Error: {text}. See: {path} --help", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except OSError as error:  # help or completion that cannot be written
        click.echo(f"Error: {error.strerror}", err=True)
        return 1
    return status or 0


_COMMON = (
    click.option("--region", metavar="NAME", help="The AWS region, such as us-west-2."),
    click.option("--profile", metavar="NAME", help="The profile of AWS's configuration files."),
    click.option("--endpoint-url", metavar="URL", help="Call this instead of AWS."),
    click.option(
        "--local",
        is_flag=True,
        help="Call an emulator inside this process: for trying everything without an account.",
    ),
    click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: one object a line on stdout and nothing else.",
    ),
    click.option("--debug", is_flag=True, help="Show logs and tracebacks on stderr."),
)

_WATCHING = (
    click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="Stop waiting after this time, with exit status 3.",
    ),
    click.option(
        "--min-delay",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="The shortest time between two looks at an export (2; --local: 0.25).",
    ),
    click.option(
        "--max-delay",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="The longest (120; --local: 1).",
    ),
)


def _common_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add what all commands can be told, which the function gets as its first argument."""

    @functools.wraps(function)
    def with_settings(
        *,
        region: str | None,
        profile: str | None,
        endpoint_url: str | None,
        local: bool,
        output: str,
        debug: bool,
        **options: Any,
    ) -> int:
        if local and (region or profile or endpoint_url):
            raise click.UsageError(
                "--local needs no --region, --profile or --endpoint-url: give one or the other"
            )
        settings = Settings(region, profile, endpoint_url, local, output == "json", debug)
        return function(settings, **options)

    return _with_options(with_settings, _COMMON)


def _watch_options(function: Callable[..., int]) -> Callable[..., int]:
    return _with_options(function, _WATCHING)


def _with_options(function: Callable[..., Any], options: Any) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def _delays(settings: Settings, min_delay: float | None, max_delay: float | None) -> Delays:
    """Return the watcher's delays: those that were given, and others that fit them."""
    # Exports of seconds are looked at more often than those of minutes and hours.
    shortest, longest = (0.25, 1.0) if settings.local else (2.0, 120.0)
    if min_delay is None:
        min_delay = shortest if max_delay is None else min(shortest, max_delay)
    if max_delay is None:
        max_delay = max(longest, min_delay)
    return Delays(min_delay, max_delay)


@click.group(
    no_args_is_help=False,  # it is wrong use, which has one line
    epilog="""\b
Try everything without an account:
  aiodiscovery watch --local
  aiodiscovery start --local --wait --download .

\b
Exit status:
  0 done, 1 an export or something else failed, 2 wrong use, 3 time-out, 130 on Ctrl-C
""",
)
@click.version_option(package_name="aiodiscovery", message="%(prog)s %(version)s")
def commands() -> None:
    """Work with the export tasks of the AWS Application Discovery Service."""


@commands.command(
    "list",
    epilog="""\b
Examples:
  aiodiscovery list --region us-west-2
  aiodiscovery list --max-items 50 --page-size 20
  aiodiscovery list --output json | jq -r .exportId
""",
)
@click.argument("export_ids", metavar="[EXPORT_ID]...", nargs=-1)
@click.option("--max-items", type=click.IntRange(min=0), help="List so many exports at most.")
@click.option(
    "--page-size", type=click.IntRange(1, 100), help="Ask for so many exports in a request."
)
@click.option(
    "--starting-token",
    metavar="TOKEN",
    help="Go on where an earlier listing stopped, this one or: aws discovery "
    "describe-export-tasks.",
)
@_common_options
def list_command(settings: Settings, **options: Any) -> int:
    """List exports: all of them, or those with these ids.

    Where --max-items leaves some, the token to go on with comes last, with --output json as
    {"NextToken": ...}. JSON has all fields; with configurationsDownloadUrl anybody can download the
    archive, so keep it secret.
    """
    from . import _actions, _run

    return _run.run(settings, functools.partial(_actions.list_exports, **options))


@commands.command(
    epilog="""\b
Examples:
  aiodiscovery watch --local
  aiodiscovery watch export-1 export-2 --timeout 3600
  aiodiscovery watch --output json | jq 'select(.exportStatus == "FAILED")'
"""
)
@click.argument("export_ids", metavar="[EXPORT_ID]...", nargs=-1)
@_watch_options
@_common_options
def watch(
    settings: Settings,
    *,
    export_ids: tuple[str, ...],
    timeout: float | None,
    min_delay: float | None,
    max_delay: float | None,
) -> int:
    """Watch exports until they have ended: these, or all that are in progress now.

    The exit status is 1 if one FAILED, once all have ended.
    """
    from . import _actions, _run

    return _run.run(
        settings,
        functools.partial(
            _actions.watch,
            export_ids=export_ids,
            timeout=timeout,
            delays=_delays(settings, min_delay, max_delay),
        ),
    )


@commands.command(
    epilog="""\b
Examples:
  aiodiscovery download export-1
  aiodiscovery download export-1 export-2 --to archives/
"""
)
@click.argument("export_ids", metavar="EXPORT_ID...", nargs=-1, required=True)
@click.option(
    "--to",
    "destination",
    type=click.Path(path_type=Path),
    default=".",
    show_default=True,
    metavar="PATH",
    help="A directory, or for one export the path of the file.",
)
@_common_options
def download(settings: Settings, *, export_ids: tuple[str, ...], destination: Path) -> int:
    """Download the archives of exports that SUCCEEDED, and verify them.

    One that was stopped or killed goes on where it stopped when it is started again. If one cannot
    be downloaded, the others still are, and the exit status is 1.
    """
    if not destination.is_dir():
        if len(set(export_ids)) > 1:
            raise click.BadParameter(
                f"for several exports it must be a directory: {destination}", param_hint="--to"
            )
        if not destination.parent.is_dir():
            raise click.BadParameter(
                f"there is no directory {destination.parent}", param_hint="--to"
            )
    from . import _actions, _run

    return _run.run(
        settings,
        functools.partial(_actions.download, export_ids=export_ids, destination=destination),
    )


@commands.command(
    epilog="""\b
Examples:
  aiodiscovery start --local --wait --download .
  aiodiscovery start --agent-id o-0123456789abcdef0 \\
      --start-time 2026-01-05T08:00:00Z --end-time 2026-01-06T08:00:00Z --download archives
"""
)
@click.option("--agent-id", help="Export the data of this agent, not the summary of all servers.")
@click.option(
    "--start-time", metavar="TIME", help="Of an agent's data; ISO 8601 with an offset or Z."
)
@click.option("--end-time", metavar="TIME", help="Up to 72 hours later, in the same form.")
@click.option("--ec2-recommendations", is_flag=True, help="Export those for EC2 instances too.")
@click.option("--wait", is_flag=True, help="Wait until the export has ended.")
@click.option(
    "--download",
    "directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False, writable=True),
    metavar="DIR",
    help="Wait, and download the archive into this directory.",
)
@_watch_options
@_common_options
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
    min_delay: float | None,
    max_delay: float | None,
) -> int:
    """Start an export; with --wait and --download, do the whole job.

    The export's id comes first, as soon as it is known.
    """
    wait = wait or directory is not None
    if not wait and (timeout, min_delay, max_delay) != (None, None, None):
        raise click.UsageError("--timeout, --min-delay and --max-delay go with --wait")
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
            delays=_delays(settings, min_delay, max_delay),
            directory=directory,
        ),
    )


class _EmulatorCommand(click.Command):
    """Has the options of ``python -m aiodiscovery.emulator``, which are read when asked for."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from aiodiscovery.emulator._options import OPTIONS

        if not self.params:
            self.params = [
                click.Option(
                    [f"--{option.name}"],
                    type=_Parsed(option.parse),
                    default=option.default,
                    show_default=option.default is not None,
                    help=f"{option.help[0].upper()}{option.help[1:]}.",
                )
                for option in OPTIONS
            ]
        return super().get_params(ctx)


class _Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """What a function makes of a text, which says what is wrong with a ValueError."""

    name = "value"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


@commands.command(
    cls=_EmulatorCommand,
    epilog="""\b
Examples:
  aiodiscovery emulate --port 4510 --exports 250
  aiodiscovery list --endpoint-url http://127.0.0.1:4510 --region us-west-2
""",
)
def emulate(**options: Any) -> int:
    """Run a local Application Discovery Service until Ctrl-C, which ends it with status 0."""
    from aiodiscovery.emulator._options import run

    return run(options)


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
    """Print what makes a shell complete this command."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  # click has all three
    click.echo(found(commands, {}, _NAME, _COMPLETE).source())
    return 0
