"""What the watchers of all kinds of jobs have in common."""

import math
from collections.abc import AsyncGenerator, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

import anyio

from .._asynctools import Background, PlainAsyncGenerator
from .._client import advise, check_client, describe_error
from .._listing import check_count, check_ids
from ..exceptions import WatcherClosedError
from .checks import check_delays, check_timeout
from .jobs import Info, JobKind, Update
from .poller import Poller
from .schedule import Schedule
from .statistics import WatcherStatistics
from .subscription import Subscription

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

__all__ = ["JobWatcher"]


#: How late a time-out may come before one more poll is made, and how long that may take, in
#: seconds.
_LATE = 0.1
_LAST_LOOK = 30.0


class JobWatcher(Generic[Info, Update]):
    """What the watchers of all kinds of jobs have in common; see ``ExportWatcher``."""

    _kind: ClassVar[JobKind[Any, Any]]

    def __init__(
        self,
        client: "AioBaseClient",
        *,
        min_delay: float = 10.0,
        max_delay: float = 300.0,
        relative_delay: float = 0.01,
        max_rate: float | None = 1.0,
        max_concurrency: int = 4,
        not_found_timeout: float = 60.0,
    ) -> None:
        check_client(client)
        check_delays(min_delay, max_delay, not_found_timeout, relative_delay, max_rate)
        check_count("max_concurrency", max_concurrency)
        self._background = Background("a watcher")
        self._crash: BaseException | None = None
        self._poller: Poller[Info] = Poller(
            client,
            self._kind,
            Schedule(min_delay, max_delay, relative_delay),
            max_rate=max_rate,
            max_concurrency=max_concurrency,
            not_found_timeout=not_found_timeout,
            crashed=self._note_crash,
        )

    async def __aenter__(self) -> Self:
        await self._background.__aenter__()
        self._poller.start(self._background.start_soon, name=f"aiodiscovery.{type(self).__name__}")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._background.check_loop()
        self._poller.fail(
            lambda: WatcherClosedError("the watcher was left while this wait was going on")
        )
        swallowed = await self._background.__aexit__(exc_type, exc, traceback)
        if self._crash is not None and (exc is None or swallowed):
            raise self._crash
        return swallowed

    async def wait(self, job_id: str, /, timeout: float | None = None) -> Info:  # noqa: ASYNC109  # a last poll precedes it
        """Wait until a job has ended.

        :param timeout: how many seconds to wait at most. A last poll is made just before. A
            time-out or cancellation from outside does no harm either.
        :return: what the service says about the job, if it succeeded.
        :raises JobFailedError: if it failed.
        :raises JobTimeoutError: if it has not ended within ``timeout``.
        :raises JobNotFoundError: if the service does not know it.
        :raises PollingError: if the service cannot be asked, and asking again would not help.
        :raises WatcherClosedError: if the watcher is not open, or is left meanwhile.
        :raises ValueError: if the id or the time-out is not valid.
        :raises RuntimeError: in another event loop or thread than the watcher's own.
        """
        return (await self.wait_all((job_id,), timeout))[job_id]

    async def wait_all(
        self,
        job_ids: Iterable[str],
        /,
        timeout: float | None = None,  # noqa: ASYNC109  # a last poll precedes it
        raise_on_failure: bool = True,
    ) -> dict[str, Info]:
        """Wait until all of the jobs have ended.

        :param timeout: as for :meth:`wait`.
        :param raise_on_failure: whether a job that failed is an error.
        :return: what the service says about the jobs, by id, in the order of the ids. An id that is
            given twice is one job.
        :raises JobTimeoutError: if not all have ended within ``timeout``. It has those that have.
        :raises JobNotFoundError: if the service does not know some, once the others have ended. It
            has the others, whether they failed or not.
        :raises JobFailedError: if any failed, once all have ended. It has all of them.
        :raises PollingError, WatcherClosedError, ValueError, RuntimeError: as for :meth:`wait`. One
            id that the service refuses ends the wait at once; the error names it.
        """
        subscription = self._prepare(job_ids, timeout, of_updates=False)
        trouble: str = ""
        cause: Exception | None = None
        if subscription.pending:
            self._subscribe(subscription)
            try:
                with anyio.CancelScope(deadline=subscription.deadline):
                    await subscription.wait_for_change()
                if subscription.pending and _is_late(subscription.deadline):
                    with anyio.move_on_after(_LAST_LOOK):
                        await self._poller.look_again(subscription)
                trouble, cause = self._trouble(subscription)
            finally:
                self._poller.release(subscription)
        return subscription.result(
            timeout, raise_on_failure=raise_on_failure, trouble=trouble, cause=cause
        )

    def updates(self, job_ids: Iterable[str], /) -> AsyncGenerator[Update, None]:
        """Iterate over the changes of the jobs' statuses.

        For each job, the first status seen comes first, then every change. The iteration ends when
        all jobs have ended, successfully or not. A slow consumer delays no one else: it gets the
        newest state of each job, and misses states that were over before it looked.

        The jobs are watched from the first ``anext()`` until the iterator is closed or dropped.

        :raises JobNotFoundError: while iterating, if the service does not know some. The iteration
            can continue with the others.
        :raises PollingError: while iterating. If it names an id that the service refuses, the
            iteration can continue with the others.
        :raises WatcherClosedError, RuntimeError: while iterating, as for :meth:`wait`.
        :raises ValueError: if something is not an id.
        """
        subscription = self._prepare(job_ids, None, of_updates=True)
        return _Updates(subscription, self._subscribe, self._poller, self._background.check_loop)

    def statistics(self) -> WatcherStatistics:
        """Return statistics: the calls made, and whether they are answered."""
        return self._poller.statistics()

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
            check_timeout(timeout)
            deadline = anyio.current_time() + timeout
        self._check_open()
        return Subscription(self._kind, ids, deadline, of_updates=of_updates)

    def _trouble(self, subscription: Subscription[Info, Update]) -> tuple[str, Exception | None]:
        """Say why nothing was received about the jobs, if the jobs are not the reason."""
        trouble = self._poller.trouble(subscription)
        if trouble is not None:
            seconds, error = trouble
            message = f"calls have failed for {seconds:.0f} s: {describe_error(error)}"
            if advice := advise(error):
                message += f"; {advice}"
            return message, error
        if not self._poller.was_answered(subscription):
            return "the service has not answered yet", None
        if seconds := self._poller.silence(subscription):
            return f"the service has not answered for {seconds:.0f} s", None
        return "", None

    def _check_open(self) -> None:
        self._background.check_loop()
        if self._crash is not None:
            raise self._kind.polling_error(self._crash)
        if not self._background.is_open:
            raise WatcherClosedError("the watcher is not open: use it inside `async with`")

    def _subscribe(self, subscription: Subscription[Info, Update]) -> None:
        self._check_open()
        self._poller.want(subscription)

    def _note_crash(self, error: BaseException) -> None:
        self._crash = error
        self._poller.fail(lambda: self._kind.polling_error(error))
        self._background.abort()


def _is_late(deadline: float) -> bool:
    """Say whether the process was held up, so that the deadline passed while nothing ran."""
    return anyio.current_time() > deadline + _LATE


class _Updates(PlainAsyncGenerator[Update]):
    """The changes of some jobs, as :meth:`JobWatcher.updates` returns them."""

    def __init__(
        self,
        subscription: Subscription[Any, Update],
        subscribe: Callable[[Subscription[Any, Update]], None],
        poller: Poller[Any],
        check_loop: Callable[[], None],
    ) -> None:
        self._subscription = subscription
        self._check_loop = check_loop
        self._subscribe = subscribe
        self._poller = poller
        self._begun = False
        self._closed = False
        self._guard = anyio.ResourceGuard("iterating over")

    async def __anext__(self) -> Update:
        subscription = self._subscription
        self._check_loop()
        with self._guard:
            while not self._closed:
                if not self._begun:
                    self._subscribe(subscription)
                    self._begun = True
                update = subscription.take_update()
                if update is not None:
                    return update
                if subscription.failure is not None:
                    raise subscription.failure()
                subscription.raise_if_refused()
                subscription.raise_if_not_found()
                if not subscription.pending:
                    self._close()
                else:
                    await subscription.wait_for_change()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration, and stop watching the jobs for it."""
        self._check_loop()
        self._close()

    def _close(self) -> None:
        self._closed = True
        self._poller.release(self._subscription)
        self._subscription.wake()  # another task may be waiting in __anext__

    def __del__(self) -> None:
        # Left with `break`. Only noted, because a garbage collector may call this in any thread.
        if self._begun and not self._closed:
            self._poller.release_later(self._subscription)
