"""Finding out whether an export was started when its start was not answered."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import anyio

from .._client import CALL_ERRORS, describe_error, may_pass
from .._listing import get_paginator
from .desk import Desk
from .plan import Range
from .records import Record

if TYPE_CHECKING:
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["LostStarts"]


class LostStarts:
    """Looks for the exports of windows whose start may have been sent.

    They are recognised by their agent and the requested range, which is different for each window.
    An export that is not found for the whole ``not_found_timeout`` was not started.

    :param found: called with a window once its export is found, or is known not to exist.
    """

    def __init__(self, desk: Desk, found: Callable[[Record], object]) -> None:
        self._desk = desk
        self._found = found
        #: The windows, with the time of the first look for each. None before that.
        self._lost: dict[int, tuple[Record, float | None]] = {}
        self._more = anyio.Event()

    def add(self, record: Record) -> None:
        """Also look for the export of this window."""
        self._lost[record.id] = record, None
        self._more.set()

    async def run(self) -> None:
        """Look for exports until this is cancelled."""
        while True:
            if not self._lost:
                await self._more.wait()
            looks = 0
            while self._lost:
                self._more = anyio.Event()
                try:
                    await self._look(anyio.current_time())
                except CALL_ERRORS as error:
                    if not may_pass(error):
                        raise
                    self._desk.tell(
                        message=f"the exports cannot be listed: {describe_error(error)}"
                    )
                looks += 1
                await self._pause(self._desk.delay(looks))

    async def _pause(self, seconds: float) -> None:
        """Wait until the next look, but no longer than until a window is given up or added."""
        now = anyio.current_time()
        ends = [
            first + self._desk.not_found_timeout
            for _, first in self._lost.values()
            if first is not None
        ]
        deadline = min([now + seconds, *(end for end in ends if end > now)])
        with anyio.CancelScope(deadline=deadline):
            if self._lost:
                await self._more.wait()

    async def summaries(self) -> list[str]:
        """Return the ids of the existing summaries, which are the exports without a range."""
        return [info["exportId"] for info in await self._list() if _range(info) is None]

    async def _list(self) -> "list[ExportInfoTypeDef]":
        pages = get_paginator(self._desk.client, "describe_export_tasks").paginate()
        return [info async for info in pages.items()]

    async def _look(self, began: float) -> None:
        desk = self._desk
        wanted = dict(self._lost)
        infos = await self._list()
        known = await desk.ask(desk.ledger.known_exports)
        for number, (record, first_look) in wanted.items():
            info = await self._match(record, infos, known)
            if info is not None:
                known.add(info["exportId"])
                found = await desk.write(
                    desk.ledger.note_started, record, info["exportId"], is_adopted=True
                )
            elif first_look is None:
                # The time counts from here: the export has not been looked for before.
                self._lost[number] = record, began
                if desk.not_found_timeout > 0:
                    continue
                found = await desk.write(desk.ledger.note_not_started, record)
            elif began - first_look >= desk.not_found_timeout:
                found = await desk.write(desk.ledger.note_not_started, record)
            else:
                continue
            del self._lost[number]
            self._found(found)

    async def _match(
        self, record: Record, infos: "Iterable[ExportInfoTypeDef]", known: set[str]
    ) -> "ExportInfoTypeDef | None":
        """Return the export of a window; None if it is not among these."""
        desk = self._desk
        if record.agent_id is None:
            known = known | await desk.ask(desk.ledger.known_summaries, record)
            wanted = None
        else:
            wanted = record.window.range
        candidates = [
            info for info in infos if info["exportId"] not in known and _range(info) == wanted
        ]
        # One that FAILED comes last, because it would have to be tried again.
        candidates.sort(key=lambda info: (info["exportStatus"] == "FAILED", -_requested(info)))
        for info in candidates:
            if record.agent_id is None or await self._is_of(info["exportId"], record.agent_id):
                return info
        return None

    async def _is_of(self, export_id: str, agent_id: str) -> bool:
        """Ask the service whether an export is of an agent. Its description does not say."""
        pages = get_paginator(self._desk.client, "describe_export_tasks").paginate(
            exportIds=[export_id],
            filters=[{"name": "agentIds", "values": [agent_id], "condition": "EQUALS"}],
        )
        return any([info["exportId"] == export_id async for info in pages.items()])


def _range(info: "Mapping[str, Any]") -> Range | None:
    start, end = info.get("requestedStartTime"), info.get("requestedEndTime")
    if start is None or end is None:
        return None
    return Range(round(start.timestamp()), round(end.timestamp()))


def _requested(info: "Mapping[str, Any]") -> float:
    time: float = info["exportRequestTime"].timestamp()
    return time
