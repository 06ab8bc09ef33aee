"""What is around an action: the client, the view, signals, logs, and the exit status."""

import logging
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from aiobotocore.session import AioSession
from rich.console import Console

import aiodiscovery
from aiodiscovery._exports import hide_signatures, hide_signatures_in_logs

from ._errors import FAILED, explain, leaf, one_line
from ._settings import Settings
from ._views import JsonView, PlainView, TerminalView, View

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

__all__ = ["Work", "run"]

logger = logging.getLogger("aiodiscovery")

#: How the running exports go that ``--local`` begins with: the seconds each takes.
_LOCAL_EXPORTS = (1.5, 4.0, 2.5, 6.0, 3.0, 5.0)
_LOCAL_DURATION = 3.0
_LOCAL_ARCHIVE = 3_000_000


@dataclass(slots=True)
class Work:
    """What an action works with."""

    settings: Settings
    view: View
    client: "ApplicationDiscoveryServiceClient"
    #: What the client was created with.
    client_kwargs: Mapping[str, Any]
    #: What to say if the action is interrupted now.
    advice: Callable[[], str] = field(default=lambda: "")


Action = Callable[[Work], Awaitable[int]]


def run(settings: Settings, action: Action) -> int:
    """Do an action and return the exit status.

    Ctrl-C and SIGTERM cancel it. Whatever happens, the client is closed and the terminal is as it
    was.
    """
    view = _view(settings)
    hide_signatures_in_logs()
    with _logs_to(view, settings.debug):
        try:
            with _client_kwargs(settings) as client_kwargs:
                return anyio.run(_run, settings, view, client_kwargs, action)
        except KeyboardInterrupt:
            # Before or after the time in which signals are listened to.
            return _stopped(view, signal.SIGINT, "")
        except Exception as error:  # noqa: BLE001  # each has its line
            return _failed(view, leaf(error))


async def _run(
    settings: Settings, view: View, client_kwargs: dict[str, Any], action: Action
) -> int:
    status = FAILED
    number: signal.Signals | None = None
    work: Work | None = None
    error: Exception | None = None

    async def listen(*, task_status: "TaskStatus[None]") -> None:
        nonlocal number
        try:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for each in signals:
                    number = each
                    break
        except NotImplementedError:  # on Windows, where Ctrl-C raises KeyboardInterrupt
            task_status.started()
            return
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        await tasks.start(listen)
        tasks.start_soon(view.keep_fresh)
        try:
            async with aiodiscovery.create_client(**client_kwargs) as client:
                work = Work(settings, view, client, client_kwargs)
                status = await action(work)
        except Exception as caught:  # noqa: BLE001  # raised below, where no group wraps it
            error = caught
        tasks.cancel_scope.cancel()
    if number is not None:
        return _stopped(view, number, work.advice() if work and not settings.local else "")
    if error is not None:
        raise error
    return status


def _view(settings: Settings) -> View:
    if settings.json:
        return JsonView()
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return PlainView()
    return TerminalView(Console(highlight=False), messages_apart=not sys.stderr.isatty())


@contextmanager
def _client_kwargs(settings: Settings) -> Iterator[dict[str, Any]]:
    if settings.local:
        from aiodiscovery.emulator import Emulator  # noqa: PLC0415  # seldom needed

        with Emulator(export_duration=_LOCAL_DURATION, archive_size=_LOCAL_ARCHIVE) as emulator:
            for duration in _LOCAL_EXPORTS:
                emulator.add_export(duration=duration)
            yield dict(emulator.client_kwargs)
    else:
        kwargs = {"region_name": settings.region, "endpoint_url": settings.endpoint_url}
        given: dict[str, Any] = {key: value for key, value in kwargs.items() if value is not None}
        if settings.profile is not None:
            given["session"] = AioSession(profile=settings.profile)
        yield given


def _stopped(view: View, number: signal.Signals, advice: str) -> int:
    word = "Interrupted." if number == signal.SIGINT else "Terminated."
    view.message(f"{word} {advice}".strip())
    return 128 + number


def _failed(view: View, error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        # Nobody reads any more. What is left in the buffer goes nowhere, and without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as by SIGPIPE, which Windows has not
    text, status = explain(error)
    logger.debug("what happened:", exc_info=error)
    view.message(f"Error: {text}", "bold red")
    return status


# Logs

_TOKEN = re.compile(r"(x-amz-security-token[\"': =]+)[^\s\"',]+", re.IGNORECASE)


class _Handler(logging.Handler):
    """Shows warnings as messages of the view."""

    def __init__(self, view: View) -> None:
        super().__init__(logging.WARNING)
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.message(f"Warning: {one_line(record.getMessage())}", "yellow")


class _DebugFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _TOKEN.sub(r"\1...", hide_signatures(super().format(record)))


@contextmanager
def _logs_to(view: View, debug: bool) -> Iterator[None]:
    handler: logging.Handler = _Handler(view)
    if debug:
        handler = logging.StreamHandler()
        handler.setFormatter(_DebugFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # The libraries below say at DEBUG what is secret, such as the credentials of a role, and
    # without --debug nothing that this command does not say itself.
    root = logging.getLogger()
    levels = root.level, logger.level
    root.setLevel(logging.INFO if debug else logging.CRITICAL)
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    target = root if debug else logger
    target.addHandler(handler)
    try:
        yield
    finally:
        target.removeHandler(handler)
        root.setLevel(levels[0])
        logger.setLevel(levels[1])
