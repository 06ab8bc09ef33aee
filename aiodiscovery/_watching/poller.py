"""The engine of the watchers: one poller for all jobs of a kind that any task waits for.

``Subscription`` is what one wait is to hear, ``_Job`` is what is known of a job and who is to hear
of it, and ``JobWatcher`` asks the service. What kind of job it is, is said by ``JobKind``, and when
to ask is decided by ``Schedule`` and ``Agenda``.
"""

import logging
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

import anyio

from .._asynctools import PlainAsyncGenerator, leave
from .._client import (
    CALL_ERRORS,
    FeatureId,
    Schedule,
    check_client,
    describe_error,
    is_throttling,
    may_pass,
)
from .._listing import check_count, check_ids
from ..exceptions import PollingError, WatcherClosedError, WatchError
from .agenda import Agenda, Outage
from .jobs import Info, JobKind, Update
from .subscription import Subscription

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from anyio.abc import TaskGroup

__all__ = ["JobWatcher", "check_delays"]

logger = logging.getLogger("aiodiscovery")


@dataclass(slots=True, eq=False)
class _Job(Generic[Info]):
    """What is known of a job that somebody waits for."""

    id: str
    #: When its own schedule has it polled next.
    due: float
    subscriptions: "set[Subscription[Info, Any]]" = field(default_factory=set)
    info: Info | None = None
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


class JobWatcher(Generic[Info, Update]):
    """What the watchers of all kinds of jobs have in common; see ``ExportWatcher``."""

    _kind: ClassVar[JobKind[Any, Any]]

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
        check_delays(min_delay, max_delay, not_found_timeout)
        check_count("max_concurrency", max_concurrency)
        self._client = client
        self._schedule = Schedule(min_delay, max_delay)
        self._max_concurrency = max_concurrency
        self._not_found_timeout = not_found_timeout

        self._tasks: TaskGroup | None = None
        self._open = False
        self._crash: BaseException | None = None
        self._jobs: dict[str, _Job[Info]] = {}
        # Left by all who waited, not long ago.
        self._left: dict[str, _Job[Info]] = {}
        self._subscriptions: set[Subscription[Info, Update]] = set()
        # Filled by iterators that are collected, possibly in another thread.
        self._dropped: deque[Subscription[Info, Update]] = deque()
        self._agenda = Agenda()
        self._calls = 0
        self._outage = Outage(self._schedule)
        self._succeeded_at = -math.inf

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("a watcher can be entered only once")
        self._wake = anyio.Event()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run, self._poll, name=f"aiodiscovery.{type(self).__name__}")
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

    async def wait(self, job_id: str, /, timeout: float | None = None) -> Info:  # noqa: ASYNC109  # a last poll precedes it
        """Wait until a job has ended.

        :param timeout: how many seconds to wait at most; the last poll is made just before. A
            time-out or cancellation from outside does no harm either.
        :return: what the service says of it, once it succeeded.
        :raises JobFailedError: if it failed.
        :raises JobTimeoutError: if it has not ended within ``timeout``.
        :raises JobNotFoundError: if the service does not know it.
        :raises PollingError: if the service cannot be asked, and asking again would not help.
        :raises WatcherClosedError: if the watcher is not open, or is left meanwhile.
        :raises ValueError: if that is no id or no time-out.
        """
        return (await self.wait_all((job_id,), timeout))[job_id]

    async def wait_all(
        self,
        job_ids: Iterable[str],
        /,
        timeout: float | None = None,  # noqa: ASYNC109  # a last poll precedes it
        raise_on_failure: bool = True,
    ) -> dict[str, Info]:
        """Wait until every one of the jobs has ended.

        :param timeout: as for :meth:`wait`.
        :param raise_on_failure: whether a job that failed is an error.
        :return: what the service says of them, by id, in the order asked; an id that is given
            twice is one job.
        :raises JobTimeoutError: if not all ended within ``timeout``, with those that did.
        :raises JobNotFoundError: if the service does not know some, once the others have ended,
            with those, whether they failed or not.
        :raises JobFailedError: if any failed, once all have ended, with all of them.
        :raises PollingError, WatcherClosedError, ValueError: as for :meth:`wait`.
        """
        subscription = self._prepare(job_ids, timeout, of_updates=False)
        if subscription.pending:
            self._subscribe(subscription)
            try:
                with anyio.CancelScope(deadline=subscription.deadline):
                    await subscription.wait_for_change()
            finally:
                self._unsubscribe(subscription)
        return subscription.result(timeout, raise_on_failure=raise_on_failure)

    def updates(self, job_ids: Iterable[str], /) -> AsyncGenerator[Update, None]:
        """Iterate over the changes of the jobs' statuses.

        The first status that is seen of each job comes, then every change; the iteration ends when
        all have ended, well or not. A slow consumer holds nobody up: it gets the newest state of
        each job, and misses those that were over before it looked.

        The jobs are watched from the first ``anext()`` until the iterator is closed or dropped.

        :raises JobNotFoundError: while iterating, if the service does not know some; those that
            are left can be iterated further.
        :raises PollingError, WatcherClosedError: while iterating, as for :meth:`wait`.
        :raises ValueError: if there is something else than ids.
        """
        return _Updates(self, self._prepare(job_ids, None, of_updates=True))

    # Who waits

    def _prepare(
        self,
        job_ids: Iterable[str],
        timeout: float | None,
        *,
        of_updates: bool,
    ) -> Subscription[Info, Update]:
        ids = check_ids(job_ids, self._kind.noun)
        deadline = math.inf
        if timeout is not None:
            _check_number("timeout", timeout)
            if timeout < 0:
                raise ValueError(f"timeout must be at least 0 seconds, or None, not {timeout!r}")
            deadline = anyio.current_time() + timeout
        self._check_open()
        return Subscription(self._kind, ids, deadline, of_updates=of_updates)

    def _check_open(self) -> None:
        if self._crash is not None:
            raise self._polling_error(self._crash)
        if not self._open:
            raise WatcherClosedError("the watcher is not open: use it inside `async with`")

    def _subscribe(self, subscription: Subscription[Info, Update]) -> None:
        self._check_open()
        now = subscription.begun = anyio.current_time()
        last_poll = self._schedule.last_poll(subscription.deadline)
        self._subscriptions.add(subscription)
        self._forget_the_left(now)
        for job_id in subscription.job_ids:
            job = self._jobs.get(job_id) or self._left.pop(job_id, None)
            if job is None:
                job = _Job(job_id, due=now)
            self._jobs[job_id] = job
            job.subscriptions.add(subscription)
            if job.info is not None:
                subscription.see(job_id, job.info)
            if job.in_flight:
                continue
            due = self._agenda.due(job_id)
            if now - job.looked_at >= self._schedule.min_delay:
                due = now
            else:
                # What is known from just now is as good as what a poll would say.
                if job.due < subscription.deadline:
                    due = min(due, max(job.due, now))
                if now < last_poll:
                    due = min(due, last_poll)
            if due < math.inf:
                self._agenda.put(job_id, due, job.level)
        # For a last poll the service is asked even while calls fail.
        self._outage.paused_until = min(self._outage.paused_until, max(last_poll, now))
        self._wake.set()

    def _unsubscribe(self, subscription: Subscription[Info, Update]) -> None:
        self._subscriptions.discard(subscription)
        now = anyio.current_time()
        last_poll = self._schedule.last_poll(subscription.deadline)
        for job_id in subscription.job_ids:
            job = self._jobs.get(job_id)
            if job is None or subscription not in job.subscriptions:
                continue
            job.subscriptions.discard(subscription)
            if not job.subscriptions:
                self._forget(job)
                # Who comes back at once has it polled no more often for that.
                job.left_at = now
                self._left[job_id] = job
            elif self._agenda.due(job_id) == last_poll:
                self._put_on_agenda(job, job.due, now)
        if not self._jobs:
            self._wake.set()

    def _drop(self, subscription: Subscription[Info, Update]) -> None:
        self._dropped.append(subscription)

    def _unsubscribe_dropped(self) -> None:
        while self._dropped:
            self._unsubscribe(self._dropped.popleft())

    def _forget(self, job: _Job[Info]) -> None:
        del self._jobs[job.id]
        self._agenda.drop(job.id)

    def _forget_the_left(self, now: float) -> None:
        while self._left:
            job = next(iter(self._left.values()))
            if now - job.left_at < self._schedule.min_delay:
                break
            del self._left[job.id]

    def _fail(
        self, subscriptions: Iterable[Subscription[Info, Update]], failure: Callable[[], WatchError]
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
        self._close(lambda: self._polling_error(error))

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
            taken = self._agenda.take(now, outage.most(self._kind.most))
            if not taken:
                return self._agenda.next_due()
            jobs = [self._jobs[each] for each in taken]
            for job in jobs:
                job.in_flight = True
            self._calls += 1
            self._tasks.start_soon(self._run, self._look, jobs, now)
        return math.inf  # until a call has ended

    def _put_on_agenda(self, job: _Job[Info], due: float, now: float) -> None:
        if job.missing_since is not None:
            due = min(due, max(now, job.missing_since + self._not_found_timeout))
        due = self._or_last_poll(due, now, job.subscriptions)
        # Past the last deadline nobody waits for it any more.
        if due < max(each.deadline for each in job.subscriptions):
            self._agenda.put(job.id, due, job.level)

    def _or_last_poll(
        self, due: float, now: float, subscriptions: Iterable[Subscription[Info, Update]]
    ) -> float:
        """Return when something is due, or a last poll before a deadline if that comes earlier."""
        for subscription in subscriptions:
            last_poll = self._schedule.last_poll(subscription.deadline)
            if now < last_poll < due:
                due = last_poll
        return due

    # What the service says

    async def _look(self, jobs: list[_Job[Info]], started: float) -> None:
        """Ask for some jobs, as many as a call can ask for, and tell who waits for them."""
        error: Exception
        try:
            # Some may have been left since they were taken off the agenda.
            self._unsubscribe_dropped()
            watched = self._still_watched(jobs)
            infos = await self._describe([each.id for each in watched]) if watched else {}
        except CALL_ERRORS as caught:
            error = caught
        else:
            if watched:
                self._take_in(watched, infos)
            return
        finally:
            for job in jobs:
                job.in_flight = False
            self._calls -= 1
            self._wake.set()
        if may_pass(error):
            self._back_off(jobs, started, error)
        else:
            self._give_up(jobs, started, error)

    async def _describe(self, job_ids: list[str]) -> Mapping[str, Info]:
        feature_id = FeatureId("WAITER")
        feature_id.add()
        try:
            return await self._kind.describe(self._client, job_ids)
        finally:
            feature_id.remove()

    def _take_in(self, jobs: list[_Job[Info]], infos: Mapping[str, Info]) -> None:
        now = anyio.current_time()
        self._succeeded_at = now
        self._outage.note_success()
        logger.debug(
            "asked for %d %ss, the service knows %d", len(jobs), self._kind.noun, len(infos)
        )
        # One draw for all of them keeps the jobs of a call together in the next one.
        jitter = random.random()  # noqa: S311  # nothing to guess
        for job in self._still_watched(jobs):
            if job.due <= now:
                job.attempt += 1  # a look that came earlier only begins its delay anew
            job.due = now + self._schedule.delay(job.attempt, jitter)
            job.looked_at = now
            job.failures, job.failed_at, job.level = 0, math.inf, 0
            info = infos.get(job.id)
            if info is None:
                self._note_missing(job, now)
            else:
                self._note_info(job, info)
            if job.id in self._jobs:
                self._put_on_agenda(job, job.due, now)

    def _still_watched(self, jobs: list[_Job[Info]]) -> list[_Job[Info]]:
        return [each for each in jobs if self._jobs.get(each.id) is each]

    def _note_info(self, job: _Job[Info], info: Info) -> None:
        kind = self._kind
        known = None if job.info is None else kind.status(job.info)
        job.missing_since = None
        job.info = info
        status = kind.status(info)
        if status != known:
            logger.info("%s %s is %s, was %s", kind.noun, job.id, status, known or "not known")
        for subscription in job.subscriptions:
            subscription.see(job.id, info)
        if kind.has_ended(info):
            self._forget(job)

    def _note_missing(self, job: _Job[Info], now: float) -> None:
        if job.missing_since is None:
            job.missing_since = now
            logger.info("the service does not know %s %s yet", self._kind.noun, job.id)
        if now >= job.missing_since + self._not_found_timeout:
            for subscription in job.subscriptions:
                subscription.miss(job.id)
            self._forget(job)

    def _back_off(self, jobs: list[_Job[Info]], started: float, error: Exception) -> None:
        """Ask for the jobs again later, and for others too unless it is these that fail."""
        now = anyio.current_time()
        jitter = random.random()  # noqa: S311  # nothing to guess
        if not jobs[0].level:
            outage = self._outage
            explained = is_throttling(error)
            outage.note_failure(started, now, jitter, size=len(jobs), explained=explained)
            outage.paused_until = self._or_last_poll(outage.paused_until, now, self._subscriptions)
        logger.warning(
            "asking for %d %ss failed, trying again: %s",
            len(jobs),
            self._kind.noun,
            describe_error(error),
        )
        smaller = Agenda.level_of(self._kind.most, len(jobs) // 2)
        for job in self._still_watched(jobs):
            job.failures += 1
            # Another call was answered since it failed before, so one of these may be the reason.
            suspect = job.failed_at < self._succeeded_at and not is_throttling(error)
            if suspect and job.level < smaller:
                job.level, job.failures = smaller, 1
            job.failed_at = now
            self._put_on_agenda(job, now + self._schedule.delay(job.failures, jitter), now)

    def _polling_error(self, cause: BaseException) -> PollingError:
        error = PollingError(
            f"the service cannot be asked for {self._kind.noun}s: {describe_error(cause)}"
        )
        error.__cause__ = cause
        return error

    def _give_up(self, jobs: list[_Job[Info]], started: float, error: Exception) -> None:
        """Raise an error in every task that waits since before the call."""
        waiting = [each for each in self._subscriptions if each.begun <= started]
        self._fail(waiting, lambda: self._polling_error(error))
        now = anyio.current_time()
        for job in self._still_watched(jobs):
            self._put_on_agenda(job, now, now)


class _Updates(PlainAsyncGenerator[Update]):
    """The changes of some jobs, as :meth:`JobWatcher.updates` gives them."""

    def __init__(
        self, watcher: JobWatcher[Any, Update], subscription: Subscription[Any, Update]
    ) -> None:
        self._watcher = watcher
        self._subscription = subscription
        self._begun = False
        self._closed = False
        self._guard = anyio.ResourceGuard("iterating over")

    async def __anext__(self) -> Update:
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
        """End the iteration, and watch the jobs for it no more."""
        self._close()

    def _close(self) -> None:
        self._closed = True
        self._watcher._unsubscribe(self._subscription)
        self._subscription.wake()  # another task may wait in __anext__

    def __del__(self) -> None:
        # Left with `break`. Only noted: a collector may call this in any thread.
        if self._begun and not self._closed:
            self._watcher._drop(self._subscription)


def check_delays(min_delay: float, max_delay: float, not_found_timeout: float) -> None:
    """Raise ValueError if a watcher cannot wait so long."""
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


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")
