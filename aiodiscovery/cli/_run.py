"""What surrounds an action: the client, the view, signals, and the exit status."""

import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from aiobotocore.session import AioSession
from rich.console import Console

import aiodiscovery
from aiodiscovery._client import hide_signatures_in_logs

from ._completion import remember
from ._credentials import load_credentials
from ._errors import FAILED, explain, leaf
from ._logs import logger, logs_to
from ._settings import Settings
from ._terminal import TerminalView
from ._views import JsonView, PlainView, View

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

__all__ = ["Work", "make_view", "run"]

#: The durations in seconds of the exports that run at first with ``--local``.
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
    #: The ids that were shown, for completion.
    seen_exports: list[str] = field(default_factory=list)
    seen_agents: list[str] = field(default_factory=list)


Action = Callable[[Work], Awaitable[int]]


def run(settings: Settings, action: Action, *, local: Mapping[str, Any] | None = None) -> int:
    """Do an action and return the exit status.

    Ctrl-C and SIGTERM cancel it. In every case, the client is closed and the terminal is left as it
    was.

    :param local: the options of the emulator of ``--local``, if not the usual ones.
    """
    view = make_view(settings)
    hide_signatures_in_logs()
    with logs_to(view, settings.debug):
        try:
            with _client_kwargs(settings, local) as client_kwargs:
                return anyio.run(_run, settings, view, client_kwargs, action)
        except KeyboardInterrupt:
            # Before or after the time in which signals are handled.
            return _stopped(view, signal.SIGINT, "")
        except Exception as error:  # noqa: BLE001  # each is explained
            return _failed(view, leaf(error), settings)


async def _run(
    settings: Settings, view: View, client_kwargs: dict[str, Any], action: Action
) -> int:
    status = FAILED
    number: signal.Signals | None = None
    work: Work | None = None
    error: Exception | None = None

    async def listen(*, task_status: "TaskStatus[None]") -> None:
        nonlocal number
        # A signal that the parent wants ignored, as a shell does for background jobs.
        numbers = [
            signal_number
            for signal_number in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(signal_number) is not signal.SIG_IGN
        ]
        if not numbers:
            task_status.started()
            return
        try:
            with anyio.open_signal_receiver(*numbers) as signals:
                task_status.started()
                async for received in signals:
                    number = received
                    break
        except NotImplementedError:  # on Windows, where Ctrl-C raises KeyboardInterrupt
            task_status.started()
            return
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        await tasks.start(listen)
        tasks.start_soon(view.keep_fresh)
        try:
            if "session" in client_kwargs:
                await load_credentials(client_kwargs["session"])
            async with aiodiscovery.create_client(**client_kwargs) as client:
                work = Work(settings, view, client, client_kwargs)
                status = await action(work)
        except Exception as caught:  # noqa: BLE001  # raised below, so that no group wraps it
            error = caught
        tasks.cancel_scope.cancel()
    if work is not None and not settings.local:
        remember("exports", work.seen_exports)
        remember("agents", work.seen_agents)
    if number is not None:
        return _stopped(view, number, work.advice() if work and not settings.local else "")
    if error is not None:
        raise error
    return status


def make_view(settings: Settings) -> View:
    """Make the view for the kind of stdout and the options."""
    if settings.json:
        return JsonView()
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return PlainView()
    return TerminalView(Console(highlight=False), messages_apart=not sys.stderr.isatty())


@contextmanager
def _client_kwargs(settings: Settings, local: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    if settings.local:
        from aiodiscovery.emulator import Emulator  # noqa: PLC0415  # rarely needed

        usual = {"export_duration": _LOCAL_DURATION, "archive_size": _LOCAL_ARCHIVE}
        options: Mapping[str, Any] = usual if local is None else local
        with Emulator(**options) as emulator:
            for duration in _LOCAL_EXPORTS if local is None else ():
                emulator.add_export(duration=duration)
            yield dict(emulator.client_kwargs)
    else:
        # botocore only reads AWS_DEFAULT_REGION. If both are set, the AWS CLI takes this one.
        region = settings.region or os.environ.get("AWS_REGION")
        yield {
            "session": AioSession(profile=settings.profile),
            **({"region_name": region} if region else {}),
            **({"endpoint_url": settings.endpoint_url} if settings.endpoint_url else {}),
            **_verify(settings),
        }


def _verify(settings: Settings) -> dict[str, Any]:
    """Return how certificates are verified, if that was given."""
    if not settings.verify_ssl:
        return {"verify": False}
    if settings.ca_bundle is None:
        return {}
    try:
        ssl.create_default_context(cafile=settings.ca_bundle)
    except (ssl.SSLError, OSError) as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(
            f"--ca-bundle: no readable CA certificate in {settings.ca_bundle} ({reason})"
        ) from error
    return {"verify": settings.ca_bundle}


def _stopped(view: View, number: signal.Signals, advice: str) -> int:
    word = "Interrupted." if number == signal.SIGINT else "Terminated."
    view.message(f"{word} {advice}".strip())
    return 128 + number


def _failed(view: View, error: Exception, settings: Settings) -> int:
    if isinstance(error, BrokenPipeError):
        # No process reads the output any more. The rest of the buffer is discarded silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as by SIGPIPE, which Windows does not have
    text, status = explain(error, settings)
    logger.debug("details:", exc_info=error)
    view.message(f"Error: {text}", "bold red")
    return status
