"""The watcher: one poller for all exports that any task of the process waits for.

Three parts, each unaware of the next: ``_Subscription`` is what one wait is to hear, ``_Export`` is
what is known of an export and who is to hear of it, and ``ExportWatcher`` asks the service. When to
ask is decided by ``Schedule`` and ``Agenda``.
"""

import logging
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    PaginationError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from ._background import leave
from ._describe import check_ids, describe_exports
from ._feature_ids import FeatureId
from ._iterators import PlainAsyncGenerator
from ._paginator import check_client
from ._query import MAX_IDS
from ._schedule import Agenda, Outage, Schedule
from .exceptions import (
    ExportFailedError,
    ExportNotFoundError,
    ExportTimeoutError,
    PollingError,
    WatcherClosedError,
    WatchError,
)

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from anyio.abc import TaskGroup
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["ExportUpdate", "ExportWatcher", "wait_for_exports"]

logger = logging.getLogger("aiodiscovery")

_ENDED = frozenset({"SUCCEEDED", "FAILED"})

#: Errors of the connection, the credentials' source or the answer that may be gone the next time.
_PASSING_ERRORS = (
    HTTPClientError,
    BotoConnectionError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    PaginationError,
    ResponseParserError,
)
#: What aiobotocore's catch-all error has for a cause when the program is wrong, such as a client
#: that was closed, and not the network.
_FAULTS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError)
#: What AWS services say, below status 500, when they are asked too often, and when a request
#: should be tried again for another reason.
_THROTTLING_CODES = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PASSING_CODES = frozenset({"PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException"})


@dataclass(frozen=True, slots=True)
class ExportUpdate:
    """A status that an export has, and the one it had before."""

    export_id: str
    #: As the service says it: IN_PROGRESS, SUCCEEDED, FAILED, or one that is new.
    status: str
    #: The status of the update before this one; None for the first.
    previous_status: str | None
    #: The whole ExportInfo. Left out of the repr: a download URL in it is a credential.
    info: "ExportInfoTypeDef" = field(repr=False)


class _Subscription:
    """What one wait is to hear of its exports."""

    def __init__(self, export_ids: tuple[str, ...], deadline: float, *, of_updates: bool) -> None:
        self.export_ids = export_ids
        #: Since when it is to hear.
        self.begun = -math.inf
        #: When the wait gives up, on the event loop's clock; infinity if never.
        self.deadline = deadline
        self.pending = set(export_ids)
        self.ended: dict[str, ExportInfoTypeDef] = {}
        self.not_found: list[str] = []
        #: Makes the error that ends the wait.
        self.failure: Callable[[], WatchError] | None = None
        #: The newest state of each export that the consumer has not taken yet.
        self.news: dict[str, ExportInfoTypeDef] = {}
        self._of_updates = of_updates
        self._told: dict[str, str] = {}
        self._changed = anyio.Event()

    def see(self, info: "ExportInfoTypeDef") -> None:
        """Hear of an export's state."""
        export_id, status = info["exportId"], info["exportStatus"]
        if status in _ENDED:
            self.pending.discard(export_id)
            self.ended[export_id] = info
        if self._of_updates:
            if self._told.get(export_id) != status:
                self.news[export_id] = info
                self._changed.set()
            else:
                # It went back to what the consumer knows before the consumer looked.
                self.news.pop(export_id, None)
        elif not self.pending:
            self._changed.set()

    def miss(self, export_id: str) -> None:
        """Hear that there is no such export."""
        self.pending.discard(export_id)
        self.not_found.append(export_id)
        if self._of_updates or not self.pending:
            self._changed.set()

    def fail(self, failure: Callable[[], WatchError]) -> None:
        """Hear that the wait ends with an error."""
        self.failure = failure
        self.wake()

    def wake(self) -> None:
        """Let the wait look again."""
        self._changed.set()

    def take_update(self) -> ExportUpdate | None:
        """Take the news that have waited longest, None if there are none."""
        if not self.news:
            return None
        export_id = next(iter(self.news))
        info = self.news.pop(export_id)
        status: str = info["exportStatus"]
        update = ExportUpdate(export_id, status, self._told.get(export_id), info.copy())
        self._told[export_id] = status
        return update

    async def wait_for_change(self) -> None:
        """Wait until there is news, or, for a wait without updates, until all have ended."""
        if self._of_updates:
            self._changed = anyio.Event()
        await self._changed.wait()

    def ended_in_order(self) -> "dict[str, ExportInfoTypeDef]":
        return {each: self.ended[each].copy() for each in self.export_ids if each in self.ended}

    def raise_if_not_found(self) -> None:
        """Raise the error for what the service does not know."""
        if self.not_found:
            # Said once: who iterates may go on with the others.
            ids, self.not_found = tuple(self.not_found), []
            message = f"the service does not know {_name(ids)}"
            raise ExportNotFoundError(message, ids, self.ended_in_order())


@dataclass(slots=True, eq=False)
class _Export:
    """What is known of an export that somebody waits for."""

    id: str
    #: When its own schedule has it polled next.
    due: float
    subscriptions: set[_Subscription] = field(default_factory=set[_Subscription])
    info: "ExportInfoTypeDef | None" = None
    #: How many polls its own schedule has asked for.
    attempt: int = 0
    #: How many polls of it failed in a row, and when the last one did.
    failures: int = 0
    failed_at: float = math.inf
    #: How small a call for it has to be, see Agenda.
    level: int = 0
    looked_at: float = -math.inf
    left_at: float = -math.inf
    in_flight: bool = False
    #: Since when the service does not know it.
    missing_since: float | None = None


class ExportWatcher:
    """Waits for exports, for any number of tasks at once, with as few calls as possible.

    ::

        async with aiodiscovery.ExportWatcher(client) as watcher:
            info = await watcher.wait("export-123", timeout=3600)

    One call asks for up to 100 exports, whoever waits for them. Each export is polled at once and
    then by `Smithy's rule <https://smithy.io/2.0/additional-specs/waiters.html#waiter-retries>`_:
    after delays between ``min_delay`` and a bound that doubles up to ``max_delay``. A call that is
    made anyway is filled up with the exports that are due soonest. What passes (throttling, 5xx,
    broken connections) is logged, backed off from and tried again until it is over.

    Nothing is polled that nobody waits for. Leaving the block ends every wait with
    :exc:`WatcherClosedError`; an exception from the block leaves it as it is. A watcher belongs to
    the event loop in which it was entered, and is entered once.

    :param client: an aiobotocore client for ``discovery``.
    :param min_delay: the shortest time between two polls of an export, in seconds.
    :param max_delay: the longest, in seconds.
    :param max_concurrency: how many calls may be made at the same time.
    :param not_found_timeout: for how many seconds the service may not know an export before that
        counts as final. An export that was just started may be missing for a moment.
    :raises ValueError: if a number is out of its range, or the client is for another service.
    """

    def __init__(
        self,
        client: "AioBaseClient",
        *,
        min_delay: float = 2.0,
        max_delay: float = 120.0,
        max_concurrency: int = 4,
        not_found_timeout: float = 60.0,
    ) -> None:
        check_client(client)
        _check_number("min_delay", min_delay)
        _check_number("max_delay", max_delay)
        _check_number("not_found_timeout", not_found_timeout)
        if not 0 < min_delay <= max_delay < math.inf:
            raise ValueError(
                "min_delay must be greater than 0, and max_delay at least min_delay and finite, "
                f"not {min_delay!r} and {max_delay!r}"
            )
        if not_found_timeout < 0:
            raise ValueError(f"not_found_timeout must be at least 0, not {not_found_timeout!r}")
        if type(max_concurrency) is not int or max_concurrency < 1:
            raise ValueError(
                f"max_concurrency must be a whole number of at least 1, not {max_concurrency!r}"
            )
        self._client = client
        self._schedule = Schedule(min_delay, max_delay)
        self._max_concurrency = max_concurrency
        self._not_found_timeout = not_found_timeout

        self._tasks: TaskGroup | None = None
        self._open = False
        self._crash: BaseException | None = None
        self._exports: dict[str, _Export] = {}
        # Left by all who waited, not long ago.
        self._left: dict[str, _Export] = {}
        self._subscriptions: set[_Subscription] = set()
        # Filled by iterators that are collected, possibly in another thread.
        self._dropped: deque[_Subscription] = deque()
        self._agenda = Agenda()
        self._calls = 0
        self._outage = Outage(self._schedule)
        self._succeeded_at = -math.inf

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("an ExportWatcher can be entered only once")
        self._wake = anyio.Event()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run, self._poll, name="aiodiscovery.ExportWatcher")
        self._open = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None  # noqa: S101  # it was entered
        self._close(lambda: WatcherClosedError("the watcher was left while this wait went on"))
        swallowed = await leave(self._tasks, exc_type, exc, traceback)
        if self._crash is not None and (exc is None or swallowed):
            raise self._crash
        return swallowed

    async def wait(self, export_id: str, timeout: float | None = None) -> "ExportInfoTypeDef":  # noqa: ASYNC109  # a last poll precedes it
        """Wait until an export has ended.

        :param timeout: how many seconds to wait at most; the last poll is made just before. A
            time-out or cancellation from outside does no harm either.
        :return: its ExportInfo, once it SUCCEEDED.
        :raises ExportFailedError: if it FAILED.
        :raises ExportTimeoutError: if it has not ended within ``timeout``.
        :raises ExportNotFoundError: if the service does not know it.
        :raises PollingError: if the service cannot be asked, and asking again would not help.
        :raises WatcherClosedError: if the watcher is not open, or is left meanwhile.
        :raises ValueError: if that is no export id or no time-out.
        """
        return (await self.wait_all((export_id,), timeout))[export_id]

    async def wait_all(
        self,
        export_ids: Iterable[str],
        timeout: float | None = None,  # noqa: ASYNC109  # a last poll precedes it
        raise_on_failure: bool = True,
    ) -> "dict[str, ExportInfoTypeDef]":
        """Wait until every one of the exports has ended.

        :param timeout: as for :meth:`wait`.
        :param raise_on_failure: whether an export that FAILED is an error.
        :return: the ExportInfos by id, in the order asked; an id that is given twice is one export.
        :raises ExportTimeoutError: if not all ended within ``timeout``, with those that did.
        :raises ExportNotFoundError: if the service does not know some, once the others have ended,
            with those, SUCCEEDED or FAILED.
        :raises ExportFailedError: if any FAILED, once all have ended, with all their ExportInfos.
        :raises PollingError, WatcherClosedError, ValueError: as for :meth:`wait`.
        """
        subscription = self._prepare(export_ids, timeout, of_updates=False)
        if subscription.pending:
            self._subscribe(subscription)
            try:
                with anyio.CancelScope(deadline=subscription.deadline):
                    await subscription.wait_for_change()
            finally:
                self._unsubscribe(subscription)
        return _result(subscription, timeout, raise_on_failure)

    def updates(self, export_ids: Iterable[str]) -> AsyncGenerator[ExportUpdate, None]:
        """Iterate over the changes of the exports' statuses.

        The first status that is seen of each export comes, then every change; the iteration ends
        when all have ended, SUCCEEDED or FAILED. A slow consumer holds nobody up: it gets the
        newest state of each export, and misses those that were over before it looked.

        The exports are watched from the first ``anext()`` until the iterator is closed or dropped.

        :raises ExportNotFoundError: while iterating, if the service does not know some; those
            that are left can be iterated further.
        :raises PollingError, WatcherClosedError: while iterating, as for :meth:`wait`.
        :raises ValueError: if there is something else than export ids.
        """
        return _Updates(self, self._prepare(export_ids, None, of_updates=True))

    # Who waits

    def _prepare(
        self,
        export_ids: Iterable[str],
        timeout: float | None,
        *,
        of_updates: bool,
    ) -> _Subscription:
        ids = check_ids(export_ids)
        deadline = math.inf
        if timeout is not None:
            _check_number("timeout", timeout)
            if timeout < 0:
                raise ValueError(f"timeout must be at least 0 seconds, or None, not {timeout!r}")
            deadline = anyio.current_time() + timeout
        self._check_open()
        return _Subscription(ids, deadline, of_updates=of_updates)

    def _check_open(self) -> None:
        if self._crash is not None:
            raise _polling_error(self._crash)
        if not self._open:
            raise WatcherClosedError("the watcher is not open: use it inside `async with`")

    def _subscribe(self, subscription: _Subscription) -> None:
        self._check_open()
        now = subscription.begun = anyio.current_time()
        last_poll = self._schedule.last_poll(subscription.deadline)
        self._subscriptions.add(subscription)
        self._forget_the_left(now)
        for export_id in subscription.export_ids:
            export = self._exports.get(export_id) or self._left.pop(export_id, None)
            if export is None:
                export = _Export(export_id, due=now)
            self._exports[export_id] = export
            export.subscriptions.add(subscription)
            if export.info is not None:
                subscription.see(export.info)
            if export.in_flight:
                continue
            due = self._agenda.due(export_id)
            if now - export.looked_at >= self._schedule.min_delay:
                due = now
            else:
                # What is known from just now is as good as what a poll would say.
                if export.due < subscription.deadline:
                    due = min(due, max(export.due, now))
                if now < last_poll:
                    due = min(due, last_poll)
            if due < math.inf:
                self._agenda.put(export_id, due, export.level)
        # For a last poll the service is asked even while calls fail.
        self._outage.paused_until = min(self._outage.paused_until, max(last_poll, now))
        self._wake.set()

    def _unsubscribe(self, subscription: _Subscription) -> None:
        self._subscriptions.discard(subscription)
        now = anyio.current_time()
        last_poll = self._schedule.last_poll(subscription.deadline)
        for export_id in subscription.export_ids:
            export = self._exports.get(export_id)
            if export is None or subscription not in export.subscriptions:
                continue
            export.subscriptions.discard(subscription)
            if not export.subscriptions:
                self._forget(export)
                # Who comes back at once has it polled no more often for that.
                export.left_at = now
                self._left[export_id] = export
            elif self._agenda.due(export_id) == last_poll:
                self._put_on_agenda(export, export.due, now)
        if not self._exports:
            self._wake.set()

    def _drop(self, subscription: _Subscription) -> None:
        self._dropped.append(subscription)

    def _unsubscribe_dropped(self) -> None:
        while self._dropped:
            self._unsubscribe(self._dropped.popleft())

    def _forget(self, export: _Export) -> None:
        del self._exports[export.id]
        self._agenda.drop(export.id)

    def _forget_the_left(self, now: float) -> None:
        while self._left:
            export = next(iter(self._left.values()))
            if now - export.left_at < self._schedule.min_delay:
                break
            del self._left[export.id]

    def _fail(
        self, subscriptions: Iterable[_Subscription], failure: Callable[[], WatchError]
    ) -> None:
        for subscription in list(subscriptions):
            subscription.fail(failure)
            self._unsubscribe(subscription)

    def _close(self, failure: Callable[[], WatchError]) -> None:
        """End every wait, and stop."""
        assert self._tasks is not None  # noqa: S101  # it was entered
        self._open = False
        self._fail(self._subscriptions, failure)
        self._tasks.cancel_scope.cancel()

    # When to ask

    async def _run(self, function: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Run a task of the watcher: if it ends with an error, so does the watcher."""
        error: BaseException
        try:
            await function(*arguments)
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise
            # asyncio can cancel a task whose cancel scope is not.
            error = RuntimeError("a task of the watcher was cancelled, and not the watcher itself")
        except Exception as caught:  # noqa: BLE001  # raised where the watcher is left
            error = caught
        else:
            return
        self._crash = error
        self._close(lambda: _polling_error(error))

    async def _poll(self) -> None:
        """Ask for what is due, for as long as the watcher is open."""
        next_call = math.inf
        while True:
            # Woken a step later than it is called, so that tasks that begin together share calls.
            with anyio.CancelScope(deadline=next_call):
                await self._wake.wait()
            self._wake = anyio.Event()
            self._unsubscribe_dropped()
            next_call = self._start_calls(anyio.current_time())

    def _start_calls(self, now: float) -> float:
        """Start the calls that are due and allowed, and return when the next one will be."""
        assert self._tasks is not None  # noqa: S101  # it was entered
        outage = self._outage
        # While calls fail, one at a time finds out whether that is over.
        while self._calls < (1 if outage.failures else self._max_concurrency):
            if now < outage.paused_until:
                return max(outage.paused_until, self._agenda.next_due())
            taken = self._agenda.take(now, outage.most(MAX_IDS))
            if not taken:
                return self._agenda.next_due()
            exports = [self._exports[each] for each in taken]
            for export in exports:
                export.in_flight = True
            self._calls += 1
            self._tasks.start_soon(self._run, self._look, exports, now)
        return math.inf  # until a call has ended

    def _put_on_agenda(self, export: _Export, due: float, now: float) -> None:
        if export.missing_since is not None:
            due = min(due, max(now, export.missing_since + self._not_found_timeout))
        due = self._or_last_poll(due, now, export.subscriptions)
        # Past the last deadline nobody waits for it any more.
        if due < max(each.deadline for each in export.subscriptions):
            self._agenda.put(export.id, due, export.level)

    def _or_last_poll(
        self, due: float, now: float, subscriptions: Iterable[_Subscription]
    ) -> float:
        """Return when something is due, or a last poll before a deadline if that comes earlier."""
        for subscription in subscriptions:
            last_poll = self._schedule.last_poll(subscription.deadline)
            if now < last_poll < due:
                due = last_poll
        return due

    # What the service says

    async def _look(self, exports: list[_Export], started: float) -> None:
        """Ask for up to 100 exports and tell who waits for them."""
        error: Exception
        try:
            # Some may have been left since they were taken off the agenda.
            self._unsubscribe_dropped()
            watched = self._still_watched(exports)
            infos = await self._describe([each.id for each in watched]) if watched else {}
        except (BotoCoreError, ClientError, ResponseParserError) as caught:
            error = caught
        else:
            if watched:
                self._take_in(watched, infos)
            return
        finally:
            for export in exports:
                export.in_flight = False
            self._calls -= 1
            self._wake.set()
        if _may_pass(error):
            self._back_off(exports, started, error)
        else:
            self._give_up(exports, started, error)

    async def _describe(self, export_ids: list[str]) -> "Mapping[str, ExportInfoTypeDef]":
        feature_id = FeatureId("WAITER")
        feature_id.add()
        try:
            return await describe_exports(self._client, export_ids)
        finally:
            feature_id.remove()

    def _take_in(self, exports: list[_Export], infos: "Mapping[str, ExportInfoTypeDef]") -> None:
        now = anyio.current_time()
        self._succeeded_at = now
        self._outage.note_success()
        logger.debug("asked for %d exports, the service knows %d", len(exports), len(infos))
        # One draw for all of them keeps the exports of a call together in the next one.
        jitter = random.random()  # noqa: S311  # nothing to guess
        for export in self._still_watched(exports):
            if export.due <= now:
                export.attempt += 1  # a look that came earlier only begins its delay anew
            export.due = now + self._schedule.delay(export.attempt, jitter)
            export.looked_at = now
            export.failures, export.failed_at, export.level = 0, math.inf, 0
            info = infos.get(export.id)
            if info is None:
                self._note_missing(export, now)
            else:
                self._note_info(export, info)
            if export.id in self._exports:
                self._put_on_agenda(export, export.due, now)

    def _still_watched(self, exports: list[_Export]) -> list[_Export]:
        return [each for each in exports if self._exports.get(each.id) is each]

    def _note_info(self, export: _Export, info: "ExportInfoTypeDef") -> None:
        known = None if export.info is None else export.info["exportStatus"]
        export.missing_since = None
        export.info = info
        status: str = info["exportStatus"]
        if status != known:
            logger.info("export %s is %s, was %s", export.id, status, known or "not known")
        for subscription in export.subscriptions:
            subscription.see(info)
        if status in _ENDED:
            self._forget(export)

    def _note_missing(self, export: _Export, now: float) -> None:
        if export.missing_since is None:
            export.missing_since = now
            logger.info("the service does not know export %s yet", export.id)
        if now >= export.missing_since + self._not_found_timeout:
            for subscription in export.subscriptions:
                subscription.miss(export.id)
            self._forget(export)

    def _back_off(self, exports: list[_Export], started: float, error: Exception) -> None:
        """Ask for the exports again later, and for others too unless it is these that fail."""
        now = anyio.current_time()
        jitter = random.random()  # noqa: S311  # nothing to guess
        if not exports[0].level:
            outage = self._outage
            explained = _is_throttling(error)
            outage.note_failure(started, now, jitter, size=len(exports), explained=explained)
            outage.paused_until = self._or_last_poll(outage.paused_until, now, self._subscriptions)
        logger.warning(
            "asking for %d exports failed, trying again: %s", len(exports), _describe_error(error)
        )
        smaller = Agenda.level_of(MAX_IDS, len(exports) // 2)
        for export in self._still_watched(exports):
            export.failures += 1
            # Another call was answered since it failed before, so one of these may be the reason.
            suspect = export.failed_at < self._succeeded_at and not _is_throttling(error)
            if suspect and export.level < smaller:
                export.level, export.failures = smaller, 1
            export.failed_at = now
            self._put_on_agenda(export, now + self._schedule.delay(export.failures, jitter), now)

    def _give_up(self, exports: list[_Export], started: float, error: Exception) -> None:
        """Raise an error in every task that waits since before the call."""
        waiting = [each for each in self._subscriptions if each.begun <= started]
        self._fail(waiting, lambda: _polling_error(error))
        now = anyio.current_time()
        for export in self._still_watched(exports):
            self._put_on_agenda(export, now, now)


class _Updates(PlainAsyncGenerator[ExportUpdate]):
    """The changes of some exports, as :meth:`ExportWatcher.updates` gives them."""

    def __init__(self, watcher: ExportWatcher, subscription: _Subscription) -> None:
        self._watcher = watcher
        self._subscription = subscription
        self._begun = False
        self._closed = False
        self._guard = anyio.ResourceGuard("iterating over")

    async def __anext__(self) -> ExportUpdate:
        subscription = self._subscription
        with self._guard:
            while not self._closed:
                if not self._begun:
                    self._watcher._subscribe(subscription)
                    self._begun = True
                update = subscription.take_update()
                if update is not None:
                    return update
                if subscription.failure is not None:
                    raise subscription.failure()
                subscription.raise_if_not_found()
                if not subscription.pending:
                    self._close()
                else:
                    await subscription.wait_for_change()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration, and watch the exports for it no more."""
        self._close()

    def _close(self) -> None:
        self._closed = True
        self._watcher._unsubscribe(self._subscription)
        self._subscription.wake()  # another task may wait in __anext__

    def __del__(self) -> None:
        # Left with `break`. Only noted: a collector may call this in any thread.
        if self._begun and not self._closed:
            self._watcher._drop(self._subscription)


async def wait_for_exports(
    client: "AioBaseClient",
    export_ids: Iterable[str],
    timeout: float | None = None,  # noqa: ASYNC109  # a last poll precedes it
    raise_on_failure: bool = True,
    *,
    min_delay: float = 2.0,
    max_delay: float = 120.0,
    max_concurrency: int = 4,
    not_found_timeout: float = 60.0,
) -> "dict[str, ExportInfoTypeDef]":
    """Wait until every one of the exports has ended, with a watcher for just that.

    Takes, returns and raises what :meth:`ExportWatcher.wait_all` does, and takes the options of
    :class:`ExportWatcher`. Tasks that wait at the same time share their calls only if they share a
    watcher.
    """
    async with ExportWatcher(
        client,
        min_delay=min_delay,
        max_delay=max_delay,
        max_concurrency=max_concurrency,
        not_found_timeout=not_found_timeout,
    ) as watcher:
        return await watcher.wait_all(export_ids, timeout, raise_on_failure)


def _polling_error(cause: BaseException) -> PollingError:
    error = PollingError(f"the service cannot be asked for exports: {_describe_error(cause)}")
    error.__cause__ = cause
    return error


def _result(
    subscription: _Subscription, timeout: float | None, raise_on_failure: bool
) -> "dict[str, ExportInfoTypeDef]":
    ended = subscription.ended_in_order()
    pending = tuple(each for each in subscription.export_ids if each not in ended)
    if subscription.failure is not None and subscription.pending:
        raise subscription.failure()
    if subscription.pending:
        raise ExportTimeoutError(
            f"{_name(pending)} not ended within {timeout} s, {len(ended)} ended", ended, pending
        )
    subscription.raise_if_not_found()
    failed = {key: info for key, info in ended.items() if info["exportStatus"] == "FAILED"}
    if failed and raise_on_failure:
        succeeded = {key: info for key, info in ended.items() if key not in failed}
        first = next(iter(failed.values()))
        message = first.get("statusMessage", "no message")
        raise ExportFailedError(f"{_name(failed)} failed: {message}", failed, succeeded)
    return ended


def _name(export_ids: Collection[str]) -> str:
    """Name exports in a message that stays short."""
    first, *others = export_ids
    return f"export {first}" + (f" and {len(others)} more" if others else "")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")


def _may_pass(error: Exception) -> bool:
    """Say whether asking again may help."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or _is_throttling(error) or _code(error) in _PASSING_CODES
    if isinstance(error, SSLError):
        # A certificate that is not trusted stays so; anything else was the connection.
        return "CERTIFICATE_VERIFY_FAILED" not in str(error)
    if type(error) is HTTPClientError and isinstance(error.kwargs.get("error"), _FAULTS):
        return False
    return isinstance(error, _PASSING_ERRORS)


def _is_throttling(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status == 429 or _code(error) in _THROTTLING_CODES


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))


def _describe_error(error: BaseException) -> str:
    # Not the message of each: those of signatures and credentials may hold what is secret.
    if isinstance(error, ClientError):
        return _code(error)
    if isinstance(error, (HTTPClientError, BotoConnectionError)):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
