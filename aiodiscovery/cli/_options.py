"""The options that commands share, and their values."""

import functools
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ._completion import complete_profiles, complete_regions
from ._settings import Delays, Settings

__all__ = [
    "MOMENT",
    "NEW_DIRECTORY",
    "common_options",
    "ids_argument",
    "watch_options",
]

#: How many characters of standard input are read for ids.
_MOST_INPUT = 10_000_000

_COMMON = (
    click.option(
        "--region",
        metavar="NAME",
        shell_complete=complete_regions,
        help="The AWS region, such as us-west-2.",
    ),
    click.option(
        "--profile",
        metavar="NAME",
        shell_complete=complete_profiles,
        help="The profile in the AWS configuration files.",
    ),
    click.option("--endpoint-url", metavar="URL", help="Call this URL instead of AWS."),
    click.option(
        "--ca-bundle",
        type=click.Path(exists=True, dir_okay=False, readable=True),
        metavar="FILE",
        help="Trust the CA certificates in this file, for a network that inspects TLS.",
    ),
    click.option(
        "--no-verify-ssl",
        is_flag=True,
        help="Do not verify TLS certificates. Anyone on the network can then read the traffic.",
    ),
    click.option(
        "--local",
        is_flag=True,
        help="Call an emulator inside this process, to try everything without an account.",
    ),
    click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="With json, stdout gets one JSON object per line and nothing else.",
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
        help="The shortest time between two polls of an export (10; with --local 0.25).",
    ),
    click.option(
        "--max-delay",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="The longest time between two polls of an export (300; with --local 1).",
    ),
)


def common_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options of all commands. The function gets them as its first argument."""

    @functools.wraps(function)
    def with_settings(
        *,
        region: str | None,
        profile: str | None,
        endpoint_url: str | None,
        ca_bundle: str | None,
        no_verify_ssl: bool,
        local: bool,
        output: str,
        debug: bool,
        **options: Any,
    ) -> int:
        if local and (region or profile or endpoint_url or ca_bundle or no_verify_ssl):
            raise click.UsageError(
                "--local does not call AWS: leave out --region, --profile, --endpoint-url, "
                "--ca-bundle and --no-verify-ssl"
            )
        if ca_bundle is not None and no_verify_ssl:
            raise click.UsageError("give --ca-bundle or --no-verify-ssl, not both")
        settings = Settings(
            region=region,
            profile=profile,
            endpoint_url=endpoint_url,
            ca_bundle=ca_bundle,
            verify_ssl=not no_verify_ssl,
            local=local,
            json=output == "json",
            debug=debug,
        )
        return function(settings, **options)

    return _with_options(with_settings, _COMMON)


def watch_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options for waiting. The function gets them as ``timeout`` and ``delays``."""

    @functools.wraps(function)
    def with_delays(*, min_delay: float | None, max_delay: float | None, **options: Any) -> int:
        if options["timeout"] is not None and not math.isfinite(options["timeout"]):
            raise click.BadParameter("it must be a finite number", param_hint="--timeout")
        local = click.get_current_context().params["local"]
        return function(delays=_delays(local, min_delay, max_delay), **options)

    return _with_options(with_delays, _WATCHING)


def _with_options(function: Callable[..., Any], options: Any) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def _delays(local: bool, min_delay: float | None, max_delay: float | None) -> Delays:
    """Return the watcher's delays: those that were given, and others that fit them."""
    # Exports that take seconds are polled more often than those that take minutes or hours.
    shortest, longest = (0.25, 1.0) if local else (10.0, 300.0)
    if min_delay is None:
        min_delay = shortest if max_delay is None else min(shortest, max_delay)
    if max_delay is None:
        max_delay = max(longest, min_delay)
    if not min_delay <= max_delay < math.inf:
        raise click.UsageError(
            "--min-delay must not be greater than --max-delay, and both must be finite"
        )
    return Delays(min_delay, max_delay)


# Ids


def ids_argument(
    name: str, complete: Callable[..., list[str]], *, required: bool = False
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add any number of ids as an argument, or ``-`` for those on standard input.

    The function gets None if no ids were given, and an empty tuple if standard input has none.
    """
    metavar = name.removesuffix("s").upper()
    argument = click.argument(
        name,
        metavar=f"{metavar}..." if required else f"[{metavar}]...",
        nargs=-1,
        required=required,
        shell_complete=complete,
    )

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def with_ids(*arguments: Any, **options: Any) -> int:
            given: tuple[str, ...] = options[name]
            options[name] = _expanded(given) if given else None
            return function(*arguments, **options)

        return argument(with_ids)

    return decorate


def _expanded(given: Sequence[str]) -> tuple[str, ...]:
    """Return ids in order and without repetitions, with those of standard input for ``-``."""
    ids: dict[str, None] = {}
    for argument in given:
        ids.update(dict.fromkeys(_read_ids() if argument == "-" else [argument]))
    return tuple(ids)


def _read_ids() -> list[str]:
    if sys.stdin is None:
        return []
    if sys.stdin.isatty():
        click.echo("Type or paste ids, then press Ctrl-D.", err=True)
    # Pipes and files may not be in this machine's encoding. Ids are ASCII.
    data = sys.stdin.buffer.read(_MOST_INPUT + 1)
    if len(data) > _MOST_INPUT:
        raise click.UsageError(f"standard input has more than {_MOST_INPUT:,} bytes")
    return data.decode("utf-8-sig", "replace").split()


# Values


_AGO = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Moment(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A time: ISO 8601 with an offset, or how long ago it was."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago:
                past = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
                return datetime.now(UTC) - past
            time = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a time. Give one such as 2026-01-05T08:00:00Z, or how long ago "
                "it was, such as 30m, 12h, 7d or 2w",
                param,
                ctx,
            )
        if time.utcoffset() is None:
            self.fail(f"{value!r} must say its offset from UTC, such as Z or +01:00", param, ctx)
        return time


MOMENT = _Moment()


class _NewDirectory(click.Path):
    """A directory, which is created if it does not exist."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fspath(value))
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.fail(f"{error.strerror}: {error.filename}", param, ctx)
        return super().convert(value, param, ctx)


NEW_DIRECTORY = _NewDirectory()
