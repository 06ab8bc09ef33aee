"""The collection: starting exports as the service allows, and following each to its end."""

import math
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
from botocore.exceptions import ClientError

from .._client import CALL_ERRORS, error_code, is_throttling, may_pass
from .._exports import start_export
from .._listing import describe_exports
from .._watching import ExportWatcher
from ..exceptions import (
    ExportAlreadyPresentError,
    ExportFailedError,
    ExportLimitReachedError,
    ExportNotFoundError,
)
from .archives import Archives
from .book import Start
from .desk import Desk
from .lost import LostStarts
from .plan import Kind, Range, State
from .records import Record
from .report import as_datetime

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from types_aiobotocore_discovery.type_defs import ExportPreferencesTypeDef

__all__ = ["Collector"]

_RECOMMENDATIONS: "ExportPreferencesTypeDef" = {"ec2RecommendationsPreferences": {"enabled": True}}
#: Error codes that mean that asking for this window again would change nothing.
_WRONG_WINDOW = frozenset(
    {
        "InvalidParameterException",
        "InvalidParameterValueException",
        "ResourceNotFoundException",
    }
)


class Collector:
    """Collects what the book says is missing.

    :param max_running: how many of our exports may run at once.
    """

    def __init__(
        self,
        desk: Desk,
        watcher: ExportWatcher,
        *,
        max_running: int,
    ) -> None:
        self._desk = desk
        self._watcher = watcher
        self._max_running = max_running
        self._archives = Archives(desk)
        self._lost = LostStarts(desk, self._go_on)
        self._tasks: TaskGroup | None = None
        self._error: Exception | None = None
        #: How many starts are being sent.
        self._sending = 0
        #: How many starts in a row the service has refused, and until when no others are sent.
        self._refusals = 0
        self._refused_at = -math.inf
        self._paused_until = -math.inf
        #: Whether others take up some of the places. Then starts are tried one at a time, and the
        #: end of one of our exports is a reason to try.
        self._is_limited = False
        #: How many times in a row the service has refused an agent.
        self._refusals_of: dict[str | None, int] = {}

    async def run(self) -> None:
        """Continue with what is under way, and start what is missing, until nothing is left to do.

        :raises botocore.exceptions.BotoCoreError: if the service cannot be asked, and asking again
            would not help; the same goes for ``ClientError``.
        """
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._start_task(self._lost.run)
            for record in self._desk.book:
                self._go_on(record)
            self._start_task(self._start_all)
        if self._error is not None:
            raise self._error

    def _start_task(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        assert self._tasks is not None  # noqa: S101  # it runs
        self._tasks.start_soon(self._guard, task, *arguments)

    async def _guard(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Run a task. The first error of any task ends them all."""
        try:
            await task(*arguments)
        except Exception as error:  # noqa: BLE001  # raised by run(), so that no group wraps it
            self._error = self._error or error
            assert self._tasks is not None  # noqa: S101  # it runs
            self._tasks.cancel_scope.cancel()

    def _go_on(self, record: Record) -> None:
        """Do what a window needs next, except starting it."""
        if record.state is State.INTENDED:
            self._lost.add(record)
        elif record.state is State.RUNNING:
            self._start_task(self._follow, record)
        self._desk.wake()

    # Starting

    async def _start_all(self) -> None:
        desk, book = self._desk, self._desk.book
        while True:
            desk.stay_awake()
            now = anyio.current_time()
            is_careful = self._is_limited or self._refusals > 0
            if len(book.running()) >= self._max_running or (is_careful and self._sending):
                await desk.sleep_until(None)
                continue
            start = book.next_start(now, time.time())
            if start is None:
                if book.is_finished():
                    break
                await desk.sleep_until(book.next_time(now))
            elif now < self._paused_until:
                await desk.sleep_until(self._paused_until)
            else:
                await self._start(start)
        assert self._tasks is not None  # noqa: S101  # it runs
        self._tasks.cancel_scope.cancel()

    async def _start(self, start: Start) -> None:
        """Write down that a start is about to be sent, and send it in its own task."""
        desk = self._desk
        known: set[str] = set()
        if start.agent_id is None:
            # A summary has no range to recognise it by: it is one that is not there yet.
            known = set(await desk.persist(self._lost.summaries))
        record = await desk.write(
            desk.ledger.intend,
            start.kind,
            start.agent_id,
            start.range,
            time.time(),
            again=start.again,
            known=known,
            targets=None if start.agent_id is not None else desk.book.targets(),
        )
        self._sending += 1
        self._start_task(self._send, record)

    async def _send(self, record: Record) -> None:
        desk, ledger = self._desk, self._desk.ledger
        sent_at = anyio.current_time()
        try:
            if record.agent_id is None:
                wanted = _RECOMMENDATIONS if record.kind is Kind.RECOMMENDATIONS else None
                export_id = await start_export(desk.client, preferences=wanted)
            else:
                export_id = await start_export(
                    desk.client,
                    agent_id=record.agent_id,
                    start_time=as_datetime(record.window.start),
                    end_time=as_datetime(record.window.end),
                )
        except ExportAlreadyPresentError as error:
            record = await self._take_present(record, error, sent_at)
        except CALL_ERRORS as error:
            if isinstance(error, ClientError) and _is_refusal(error):
                record = await self._refused(record, error, sent_at)
            elif may_pass(error):
                desk.tell(record, f"a start was not answered ({type(error).__name__})")
            else:
                raise
        else:
            self._refusals = 0
            self._refusals_of.pop(record.agent_id, None)
            record = await desk.write(ledger.note_started, record, export_id)
        finally:
            self._sending -= 1
        self._go_on(record)

    async def _refused(self, record: Record, error: ClientError, sent_at: float) -> Record:
        """Note that the service has refused to start an export, and when to try again."""
        desk, ledger = self._desk, self._desk.ledger
        message = error.response.get("Error", {}).get("Message", "") or error_code(error)
        if error_code(error) in _WRONG_WINDOW:
            record = await desk.write(ledger.note_failed, record, message)
            desk.book.postpone(record.id, anyio.current_time() + desk.delay(record.tries))
            return record
        if not (
            isinstance(error, ExportLimitReachedError)
            or error_code(error) == "OperationNotPermittedException"
            or is_throttling(error)
            or may_pass(error)
        ):
            raise error
        now = self._pause(sent_at)
        if isinstance(error, ExportLimitReachedError):
            self._is_limited = True
        else:
            # The refusal may be meant for this agent, so another one comes next.
            refusals = self._refusals_of.get(record.agent_id, 0) + 1
            self._refusals_of[record.agent_id] = refusals
            until = now + desk.delay(refusals)
            desk.book.postpone(record.agent_id, until)
            desk.book.postpone(record.id, until)
        desk.tell(message=f"the service does not start exports now: {message}")
        return await desk.write(ledger.note_not_started, record)

    def _pause(self, sent_at: float) -> float:
        """Send no starts for a while, because one that was sent at a given time was refused.

        :return: the current time.
        """
        now = anyio.current_time()
        # Starts that were being sent at the same time were refused for the same reason.
        if sent_at >= self._refused_at:
            self._refusals += 1
        self._refused_at = now
        self._paused_until = now + self._desk.delay(self._refusals)
        return now

    async def _take_present(
        self, record: Record, error: ExportAlreadyPresentError, sent_at: float
    ) -> Record:
        """Continue with an export that was already there, if it is what was asked for."""
        desk, ledger = self._desk, self._desk.ledger
        export_id = error.export_id
        known = await desk.ask(ledger.known_exports)
        found = await desk.persist(lambda: describe_exports(desk.client, [export_id]))
        info = found.get(export_id)
        if record.agent_id is None:
            if export_id in known:
                return await desk.write(ledger.note_no_newer, record, export_id)
            return await desk.write(ledger.note_started, record, export_id, is_adopted=True)
        start, end = (
            (info.get("requestedStartTime"), info.get("requestedEndTime"))
            if info is not None
            else (None, None)
        )
        if export_id not in known and start is not None and end is not None:
            present = Range(round(start.timestamp()), round(end.timestamp()))
            window = record.window.range
            if window.start <= present.start < present.end <= window.end:
                return await desk.write(
                    ledger.note_started, record, export_id, is_adopted=True, window=present
                )
        # Data of its range would come twice, so ours is requested with a different end.
        self._pause(sent_at)
        message = error.response.get("Error", {}).get("Message", "")
        desk.tell(message=f"the service does not start exports now: {message}")
        return await desk.write(ledger.drop, record, message)

    # Following

    async def _follow(self, record: Record) -> None:
        """Wait for an export, and get its archive."""
        desk, ledger = self._desk, self._desk.ledger
        assert record.export_id is not None  # noqa: S101  # it is running
        try:
            info = await self._watcher.wait(record.export_id)
        except ExportFailedError as error:
            record = await desk.write(
                ledger.note_failed, record, error.status_message or "no message"
            )
            desk.book.postpone(record.id, anyio.current_time() + desk.delay(record.tries))
            self._one_has_ended()
        except ExportNotFoundError:
            record = await desk.write(ledger.note_not_started, record)
            self._one_has_ended()
        else:
            desk.book.note_coming(record)
            self._one_has_ended()
            record = await self._archives.settle(record, info)
            if record.state is State.RUNNING:
                return  # it cannot be downloaded; the next collection tries again
        self._go_on(record)

    def _one_has_ended(self) -> None:
        if self._is_limited:
            self._paused_until = -math.inf
        self._desk.wake()


def _is_refusal(error: ClientError) -> bool:
    """Say whether the service itself has answered that it does not start the export."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500 and not error_code(error).isdigit()
