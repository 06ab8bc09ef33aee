"""What one wait learns about its jobs, and what it returns or raises in the end."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Generic, cast

import anyio

from ..exceptions import WatchError
from .jobs import Info, JobKind, Update

__all__ = ["Subscription"]


class Subscription(Generic[Info, Update]):
    """What one wait learns.

    :param deadline: when the wait gives up, on the event loop's clock; infinity if never.
    :param of_updates: whether to report every change, and not only the end of all jobs.
    """

    def __init__(
        self,
        kind: JobKind[Info, Update],
        job_ids: tuple[str, ...],
        deadline: float,
        *,
        of_updates: bool,
    ) -> None:
        self.job_ids = job_ids
        self.deadline = deadline
        self.pending = set(job_ids)
        #: Makes the error that ends the wait.
        self.failure: Callable[[], WatchError] | None = None
        self._kind = kind
        self._ended: dict[str, Info] = {}
        self._not_found: list[str] = []
        #: Makes the errors for jobs that the service refuses to be asked about.
        self._refused: list[Callable[[], WatchError]] = []
        #: The newest state of each job that the consumer has not taken yet.
        self._news: dict[str, Info] = {}
        self._of_updates = of_updates
        self._told: dict[str, str] = {}
        self._changed = anyio.Event()

    def see(self, job_id: str, info: Info) -> None:
        """Receive a job's state."""
        if self._kind.has_ended(info):
            self.pending.discard(job_id)
            self._ended[job_id] = info
        if self._of_updates:
            if self._told.get(job_id) != self._kind.status(info):
                self._news[job_id] = info
                self._changed.set()
            else:
                # It is again in the state that the consumer last saw.
                self._news.pop(job_id, None)
        elif not self.pending:
            self._changed.set()

    def miss(self, job_id: str) -> None:
        """Receive the news that a job does not exist."""
        self.pending.discard(job_id)
        self._not_found.append(job_id)
        if self._of_updates or not self.pending:
            self._changed.set()

    def refuse(self, job_id: str, failure: Callable[[], WatchError]) -> None:
        """Receive the news that the service cannot be asked for a job."""
        self.pending.discard(job_id)
        self._refused.append(failure)
        self._changed.set()

    def fail(self, failure: Callable[[], WatchError]) -> None:
        """Receive the news that the wait ends with an error."""
        self.failure = failure
        self.wake()

    def wake(self) -> None:
        """Let the wait check again."""
        self._changed.set()

    def take_update(self) -> Update | None:
        """Take the update that has waited longest; None if there is none."""
        if not self._news:
            return None
        job_id = next(iter(self._news))
        info = self._news.pop(job_id)
        status = self._kind.status(info)
        update = self._kind.update(job_id, status, self._told.get(job_id), _copy(info))
        self._told[job_id] = status
        return update

    async def wait_for_change(self) -> None:
        """Wait until there is an update. A wait without updates waits until all have ended."""
        if self._of_updates:
            self._changed = anyio.Event()
        await self._changed.wait()

    def raise_if_refused(self) -> None:
        """Raise the error for a job that the service cannot be asked for."""
        if self._refused:
            # Raised once, as below.
            raise self._refused.pop(0)()

    def raise_if_not_found(self) -> None:
        """Raise the error for the jobs that the service does not know."""
        if self._not_found:
            # Raised once, so that an iteration can continue with the others.
            ids, self._not_found = tuple(self._not_found), []
            message = f"the service does not know {self._kind.name(ids)}"
            raise self._kind.not_found_error(message, ids, self._ended_in_order())

    def result(
        self,
        timeout: float | None,
        *,
        raise_on_failure: bool,
        trouble: str = "",
        cause: Exception | None = None,
    ) -> dict[str, Info]:
        """Return the infos of all jobs, in the order of their ids, or raise what ended the wait.

        :param trouble: why the service did not answer, for the message of a time-out.
        :param cause: the error behind that.
        """
        kind = self._kind
        ended = self._ended_in_order()
        self.raise_if_refused()
        if self.failure is not None and self.pending:
            raise self.failure()
        if self.pending:
            pending = tuple(job_id for job_id in self.job_ids if job_id not in ended)
            has = "has" if len(pending) == 1 else "have"
            message = f"{kind.name(pending)} {has} not ended within {timeout} s"
            if ended:
                message += f", {len(ended)} ended"
            if trouble:
                message += f"; {trouble}"
            raise kind.timeout_error(message, ended, pending, trouble) from cause
        self.raise_if_not_found()
        failed = {key: info for key, info in ended.items() if kind.has_failed(info)}
        if failed and raise_on_failure:
            succeeded = {key: info for key, info in ended.items() if key not in failed}
            first = next(iter(failed.values()))
            reason = first.get(kind.reason_key, "no message")
            raise kind.failed_error(
                f"{kind.name(tuple(failed))} failed: {reason}", failed, succeeded
            )
        return ended

    def _ended_in_order(self) -> dict[str, Info]:
        return {
            job_id: _copy(self._ended[job_id]) for job_id in self.job_ids if job_id in self._ended
        }


def _copy(info: Info) -> Info:
    # The caller gets a copy, down to nested lists.
    copied: Any = deepcopy(dict(info))
    return cast("Info", copied)
