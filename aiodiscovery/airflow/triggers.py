"""The trigger, which waits while a task is deferred."""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from .. import ExportWatcher
from .._client import Backoff, hide_signatures_in_logs
from .._watching import Outage
from ..exceptions import (
    ExportFailedError,
    ExportNotFoundError,
    ExportTimeoutError,
    PollingError,
)
from ._failures import ERRORS, describe, is_final
from ._settings import Settings
from ._shared import share

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["DiscoveryExportTrigger"]

logger: logging.Logger = logging.getLogger("aiodiscovery")

#: How many seconds a trigger polls at least, because it may be taken over when its time is up.
_LAST_LOOK = 5.0
#: How many seconds credentials count as the connection's current ones.
_FRESH = 60.0
#: Until when no client is opened, by the common settings of triggers. An entry exists while a
#: trigger has it: all that cannot wait try again at the same time, and so with one client.
_outages: "WeakValueDictionary[Hashable, Outage]" = WeakValueDictionary()


class DiscoveryExportTrigger(Settings, BaseTrigger):
    """Wait until exports have ended.

    All triggers of a triggerer with the same connection, region, endpoint and delays wait through
    one client and one :class:`aiodiscovery.ExportWatcher`. One call asks for up to 100 exports,
    whichever tasks they belong to. The first trigger opens the client and the watcher, and the last
    one closes them. A triggerer that takes over continues to wait, with the same deadline.

    Errors that pass (throttling, 5xx, broken connections) are logged in the triggerer's log, and
    the call is made again after a growing delay. A client that the service refuses is replaced by
    one with the connection's current credentials, unless it has just been opened.

    The event's payload is a dict. ``status`` is ``succeeded``, ``failed``, ``not_found``,
    ``timeout`` or ``refused`` (the service cannot be asked, and asking again would not help).
    ``message`` says what went wrong. ``exports`` has, by id, the ExportInfos of those that have
    ended, with times as ISO 8601. It has no download URLs, because the triggerer logs the event.

    :param export_ids: the exports to wait for.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    :param aws_conn_id: the Airflow connection, see
        :class:`~aiodiscovery.airflow.hooks.DiscoveryHook`.
    :param region_name: the service's home region; None: that of the connection.
    :param verify: whether to verify the certificate, or the CA bundle to do it with.
    :param botocore_config: settings of botocore's client.
    :param endpoint_url: the URL of the service, for an emulator.
    :param min_delay: the shortest time between two polls of an export, in seconds.
    :param max_delay: the longest such time, in seconds.
    :param relative_delay: the time between two polls in proportion to the export's age.
    :param max_rate: how many calls to make per second, at most, for all tasks that share them; None
        for any number.
    :param not_found_timeout: how many seconds the service may not know an export.
    """

    def __init__(
        self,
        export_ids: Iterable[str],
        deadline: float | None = None,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        endpoint_url: str | None = None,
        min_delay: float = 10.0,
        max_delay: float = 300.0,
        relative_delay: float = 0.01,
        max_rate: float | None = 1.0,
        not_found_timeout: float = 60.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.export_ids: list[str] = list(export_ids)
        self.deadline = deadline
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.endpoint_url = endpoint_url
        self.min_delay = min_delay
        self.max_delay = max_delay
        self.relative_delay = relative_delay
        self.max_rate = max_rate
        self.not_found_timeout = not_found_timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what creates the same trigger in another process."""
        return (
            "aiodiscovery.airflow.triggers.DiscoveryExportTrigger",
            {"export_ids": self.export_ids, "deadline": self.deadline, **self.settings()},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        hide_signatures_in_logs()
        yield TriggerEvent(await self._wait())  # type: ignore[no-untyped-call]

    def _key(self) -> Hashable:
        """Return what all triggers that share a watcher have in common."""
        return json.dumps(self.settings(), sort_keys=True)

    async def _wait(self) -> dict[str, Any]:
        """Wait, and return the event's payload."""
        try:
            return _payload("succeeded", await self._ended())
        except ExportFailedError as error:
            return _payload("failed", {**error.succeeded, **error.failed}, str(error))
        except ExportNotFoundError as error:
            return _payload("not_found", error.ended, str(error))
        except ExportTimeoutError as error:
            return self._timed_out(error)
        except PollingError as error:
            return _payload("refused", {}, str(error))
        except ERRORS as error:
            return _payload("refused", {}, f"there is no client for the service: {describe(error)}")

    async def _ended(self) -> "Mapping[str, ExportInfoTypeDef]":
        """Wait, through one client after another if necessary, and return what has ended."""
        key = self._key()
        outage = _outages.setdefault(key, Outage(Backoff(self.min_delay, self.max_delay)))
        while True:
            pause = min(outage.paused_until - time.monotonic(), self._remaining())
            if pause > 0:
                await asyncio.sleep(pause)
                continue
            started = time.monotonic()
            try:
                async with share(key, self._open) as shared:
                    outage.note_success()
                    try:
                        return await self._wait_with(shared.value)
                    except PollingError as error:
                        if error.job_ids or shared.age < _FRESH:
                            raise
                        # The credentials may have expired, or the connection may have changed.
                        shared.retire()
            except ERRORS as error:
                # No client could be opened.
                if is_final(error):
                    raise
                if self._remaining() <= 0:
                    trouble = f"there is no client for the service: {describe(error)}"
                    raise ExportTimeoutError(trouble, {}, self.export_ids, trouble) from None
                now = time.monotonic()
                outage.note_failure(started, now, random.random(), size=1, explained=True)  # noqa: S311
                logger.warning(
                    "there is no client for the service, trying again in %.0f s: %s",
                    max(outage.paused_until - now, 0.0),
                    describe(error),
                )

    def _timed_out(self, error: ExportTimeoutError) -> dict[str, Any]:
        pending = [export_id for export_id in self.export_ids if export_id not in error.ended]
        deadline = datetime.fromtimestamp(self.deadline or 0.0, UTC)
        message = (
            f"{len(pending)} of {len(self.export_ids)} exports had not ended by "
            f"{deadline:%Y-%m-%dT%H:%M:%SZ}, the first of them {pending[0]}"
        )
        if error.trouble:
            message += f"; {error.trouble}"
        return _payload("timeout", error.ended, message)

    async def _wait_with(self, watcher: ExportWatcher) -> "Mapping[str, ExportInfoTypeDef]":
        timeout = None if self.deadline is None else max(self._remaining(), _LAST_LOOK)
        return await watcher.wait_all(self.export_ids, timeout)

    def _remaining(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.time()

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[ExportWatcher]:
        # In a thread, because looking up the connection and a role would block the event loop.
        client_context = await self.hook().get_async_conn()
        async with (
            client_context as client,
            ExportWatcher(
                client,
                min_delay=self.min_delay,
                max_delay=self.max_delay,
                relative_delay=self.relative_delay,
                max_rate=self.max_rate,
                not_found_timeout=self.not_found_timeout,
            ) as watcher,
        ):
            yield watcher


def _payload(
    status: str,
    exports: "Mapping[str, ExportInfoTypeDef]",
    message: str | None = None,
) -> dict[str, Any]:
    return {
        "status": status,
        "message": message,
        "exports": {export_id: to_json(info) for export_id, info in exports.items()},
    }


def to_json(info: "ExportInfoTypeDef", *, include_download_url: bool = False) -> dict[str, Any]:
    """Return an ExportInfo in JSON's types, with times in UTC as ISO 8601."""
    return {
        key: _isoformat(value) if isinstance(value, datetime) else value
        for key, value in info.items()
        if include_download_url or key != "configurationsDownloadUrl"
    }


def _isoformat(time: datetime) -> str:
    try:
        return time.astimezone(UTC).isoformat()
    except OverflowError:
        return time.isoformat()  # it is out of range in UTC
