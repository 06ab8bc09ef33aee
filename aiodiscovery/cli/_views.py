"""The output: an action tells a view what happened, and the view prints it in its own form.

``JsonView`` and ``PlainView`` are for scripts and logs. ``TerminalView`` of ``_terminal`` is for a
person. Results go to stdout, messages to stderr. No download URL is shown, except in a listing as
JSON.
"""

import json
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from ._text import one_line
from ._words import agent_words, clock, field, joined, remark, requested, truncated_remark, utc_now

if TYPE_CHECKING:
    from rich.console import RenderableType
    from types_aiobotocore_discovery.type_defs import AgentInfoTypeDef, ExportInfoTypeDef

    from aiodiscovery import DownloadedExport

__all__ = ["JsonView", "PlainView", "View", "line_of", "write"]

_SECONDS = "%Y-%m-%dT%H:%M:%SZ"


class View:
    """What an action can report. This class shows only messages and ids.

    :param now: returns the time from which elapsed times of exports are computed.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        # The exports whose end was seen. The service does not say when an export ended.
        self._seen_running: set[str] = set()

    def message(self, text: str, style: str = "") -> None:
        """Show a message, which is not a result."""
        # If it cannot be written, the action continues all the same.
        with suppress(OSError):
            write(sys.stderr, one_line(text))

    def ids(self, ids: Collection[str]) -> None:
        """Show ids and nothing else, as input of another command."""
        for id_ in ids:
            write(sys.stdout, one_line(id_))

    def agents(self, agents: "Collection[AgentInfoTypeDef]") -> None:
        """Show all agents of a listing."""

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        """Show the next exports of a listing."""

    def list_ended(self, resume_token: str | None) -> None:
        """Show the end of a listing, and the token to continue with if something is left."""
        if resume_token is not None:
            # In full and unchanged, so that it can be copied.
            write(sys.stderr, f"Continue with: --starting-token {resume_token}")

    def started(self, export_id: str) -> None:
        """Show the id of an export that was started."""
        self._seen_running.add(export_id)

    def watching(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        """Show statuses within the block."""
        return nullcontext()

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        """Show the new status of an export, and the one before."""

    def downloading(self, export_ids: Collection[str]) -> AbstractContextManager[object]:
        """Show downloads within the block."""
        return nullcontext()

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        """Show the number of bytes that have arrived, and the total."""

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        """Show what was downloaded."""

    def not_downloaded(self, export_id: str, reason: str) -> None:
        """Show why something was not downloaded."""
        self.message(f"Error: {export_id} was not downloaded: {reason}", "bold red")

    def living(self, render: "Callable[[], RenderableType]") -> AbstractContextManager[object]:
        """Show a display of an action within the block, redrawn regularly."""
        return nullcontext()

    async def keep_fresh(self) -> None:
        """Redraw what changes with time, until this is cancelled."""

    def _elapsed(self, info: "ExportInfoTypeDef") -> float | None:
        """Return how many seconds an export has run; None if its end was not seen."""
        if info["exportStatus"] not in ("SUCCEEDED", "FAILED"):
            self._seen_running.add(info["exportId"])
        if info["exportId"] not in self._seen_running:
            return None
        # The local clock may be behind that of the service.
        return max(0.0, (self._now() - info["exportRequestTime"]).total_seconds())


class JsonView(View):
    """One object per line, with the service's names, and nothing else on stdout."""

    def agents(self, agents: "Collection[AgentInfoTypeDef]") -> None:
        for agent in agents:
            _write_json(agent)

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        for info in infos:
            _write_json(info)

    def started(self, export_id: str) -> None:
        super().started(export_id)
        _write_json({"event": "started", "exportId": export_id})

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        fields = {
            name: value for name, value in info.items() if name != "configurationsDownloadUrl"
        }
        elapsed = self._elapsed(info)
        _write_json(
            {
                "event": "status",
                **fields,
                "previousStatus": previous,
                "elapsedSeconds": None if elapsed is None else round(elapsed, 1),
            }
        )

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        _write_json(
            {
                "event": "downloaded",
                "exportId": export_id,
                "path": str(done.path),
                "size": done.size,
                "isTruncated": done.truncated,
            }
        )

    def not_downloaded(self, export_id: str, reason: str) -> None:
        super().not_downloaded(export_id, reason)
        _write_json({"event": "notDownloaded", "exportId": export_id, "reason": one_line(reason)})


class PlainView(View):
    """Lines of text: results on stdout, the progress of downloads on stderr."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(now)
        self._tenths: dict[str, int] = {}

    def agents(self, agents: "Collection[AgentInfoTypeDef]") -> None:
        for agent in agents:
            agent_id, host, health, registered, seen = agent_words(agent, _SECONDS)
            write(sys.stdout, joined(agent_id, f"{health:<11}", registered, seen, host))

    def listed(self, infos: "Collection[ExportInfoTypeDef]") -> None:
        for info in infos:
            write(sys.stdout, line_of(info))

    def started(self, export_id: str) -> None:
        super().started(export_id)
        write(sys.stdout, one_line(export_id))

    def status(self, info: "ExportInfoTypeDef", previous: str | None) -> None:
        elapsed = clock(self._elapsed(info))
        status = f"{field(info, 'exportStatus'):<11}"
        write(sys.stdout, joined(field(info, "exportId"), status, elapsed, remark(info)))

    def progress(self, export_id: str, done: int, total: int | None) -> None:
        tenths = 10 * done // total if total else 0
        if self._tenths.get(export_id) != tenths:
            self._tenths[export_id] = tenths
            whole = "?" if total is None else f"{total:,}"
            self.message(f"{export_id}  {done:,} of {whole} bytes")

    def downloaded(self, export_id: str, done: "DownloadedExport") -> None:
        path, size = one_line(done.path), f"{done.size:,} bytes"
        write(sys.stdout, joined(export_id, size, path, truncated_remark(done.truncated)))


def line_of(info: "ExportInfoTypeDef") -> str:
    """Return an export of a listing as a line."""
    status = f"{field(info, 'exportStatus'):<11}"
    return joined(field(info, "exportId"), status, requested(info, _SECONDS), remark(info))


def write(stream: TextIO, line: str) -> None:
    """Write a line at once."""
    stream.write(f"{line}\n")
    stream.flush()


def _write_json(value: Mapping[str, Any]) -> None:
    write(sys.stdout, json.dumps(value, default=_iso))


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
