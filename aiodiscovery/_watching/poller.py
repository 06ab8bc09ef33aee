"""Who asks: polls the jobs that are wanted, and tells what the service said.

A poller knows jobs, when each is due, and the calls it makes. It is told what is wanted and until
when by way of an :class:`Interest`, and tells that what it learns. Who waits, and how, it does not
know.
"""

import logging
import math
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol

import anyio

from .._client import (
    CALL_ERRORS,
    FeatureId,
    Schedule,
    concerns_the_request,
    describe_error,
    is_of_credentials,
    is_of_the_clock,
    is_throttling,
    may_pass,
)
from ..exceptions import WatchError
from .agenda import Agenda, Outage
from .jobs import Info, JobKind

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

__all__ = ["Interest", "Poller", "Trouble"]

logger = logging.getLogger("aiodiscovery")


#: For how many seconds there may be no credentials before that counts as final. Roles and metadata
#: services have outages, too.
_CREDENTIALS_TIMEOUT = 3600.0


class Interest(Protocol):
    """Somebody's interest in some jobs: what is wanted, and who hears of it."""

    #: The jobs that are wanted.
    job_ids: tuple[str, ...]
    #: Until when they are wanted, on the event loop's clock; infinity if for ever. The last poll
    #: is made just before.
    deadline: float

    def see(self, job_id: str, info: Any, /) -> None:
        """Hear of a job's state."""

    def miss(self, job_id: str, /) -> None:
        """Hear that there is no such job."""

    def refuse(self, job_id: str, failure: Callable[[], WatchError], /) -> None:
        """Hear that the service cannot be asked for a job."""

    def fail(self, failure: Callable[[], WatchError], /) -> None:
        """Hear that nothing more will come."""


class Tasks(Protocol):
    """Where tasks are started: a task group, or what is like one."""

    def start_soon(
        self, func: Callable[..., Coroutine[Any, Any, Any]], /, *args: Any, name: str | None = None
    ) -> object:
        """Start a task."""


class Trouble(NamedTuple):
    """That calls fail: for how many seconds, and with what."""

    seconds: float
    error: Exception


@dataclass(slots=True, eq=False)
class _Job(Generic[Info]):
    """What is known of a job that somebody wants."""

    id: str
    #: When its own schedule has it polled next.
    due: float
    interests: set[Interest] = field(default_factory=set)
    info: Info | None = None
    #: How many polls its own schedule has asked for.
    attempt: int = 0
    #: How many polls of it failed in a row, since when, when the last one did, and with what.
    failures: int = 0
    failing_since: float = math.inf
    failed_at: float = math.inf
    error: Exception | None = None
    #: How small a call for it has to be, see Agenda.
    level: int = 0
    #: When it was asked for, and when that was answered, last.
    asked_at: float = -math.inf
    looked_at: float = -math.inf
    left_at: float = -math.inf
    in_flight: bool = False
    #: Since when the service does not know it.
    missing_since: float | None = None


class Poller(Generic[Info]):
    """Asks the service for what is wanted, as often as the schedule says.

    :param crashed: is told what ended a task of the poller that should not have ended.
    """

    def __init__(
        self,
        client: "AioBaseClient",
        kind: JobKind[Info, Any],
        schedule: Schedule,
        *,
        max_concurrency: int,
        not_found_timeout: float,
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._client = client
        self._kind = kind
        self._schedule = schedule
        self._max_concurrency = max_concurrency
        self._not_found_timeout = not_found_timeout
        self._crashed = crashed

        #: All interests, and since when there is each.
        self._interests: dict[Interest, float] = {}
        # Filled from any thread.
        self._no_more: deque[Interest] = deque()
        self._jobs: dict[str, _Job[Info]] = {}
        # Wanted no more, since not long ago.
        self._left: dict[str, _Job[Info]] = {}
        self._agenda = Agenda()
        self._calls = 0
        self._outage = Outage(schedule)
        self._succeeded_at = -math.inf
        # Since when calls fail, whatever they ask for.
        self._failing_since = math.inf
        self._error: Exception | None = None

    def start(self, tasks: Tasks, name: str) -> None:
        """Ask in tasks beside the caller's, until they are cancelled."""
        self._tasks = tasks
        self._wake = anyio.Event()
        self._call_ended = anyio.Event()
        tasks.start_soon(self._run, self._poll, name=name)

    # What is wanted

    def want(self, interest: Interest) -> None:
        """Begin to poll for an interest, and tell it what is known."""
        now = anyio.current_time()
        last_poll = self._schedule.last_poll(interest.deadline)
        self._interests[interest] = now
        self._forget_the_left(now)
        for job_id in interest.job_ids:
            job = self._jobs.get(job_id) or self._left.pop(job_id, None)
            if job is None:
                job = _Job(job_id, due=now)
            self._jobs[job_id] = job
            job.interests.add(interest)
            if job.info is not None:
                interest.see(job_id, job.info)
            if job.in_flight:
                continue
            due = self._agenda.due(job_id)
            if now - job.looked_at >= self._schedule.min_delay:
                due = now
            else:
                # What is known from just now is as good as what a poll would say.
                if job.due < interest.deadline:
                    due = min(due, max(job.due, now))
                if now < last_poll:
                    due = min(due, last_poll)
            if due < math.inf:
                self._agenda.put(job_id, due, job.level)
        # For a last poll the service is asked even while calls fail.
        self._outage.paused_until = min(self._outage.paused_until, max(last_poll, now))
        self._wake.set()

    def release(self, interest: Interest) -> None:
        """Poll no more for an interest, and tell it nothing more."""
        self._interests.pop(interest, None)
        now = anyio.current_time()
        last_poll = self._schedule.last_poll(interest.deadline)
        for job_id in interest.job_ids:
            job = self._jobs.get(job_id)
            if job is None or interest not in job.interests:
                continue
            job.interests.discard(interest)
            if not job.interests:
                self._forget(job)
                # Who comes back at once has it polled no more often for that.
                job.left_at = now
                self._left[job_id] = job
            elif self._agenda.due(job_id) == last_poll:
                self._put_on_agenda(job, job.due, now)
        if not self._jobs:
            self._wake.set()

    def release_later(self, interest: Interest) -> None:
        """Release it before the next call. May be called in any thread, by a collector too."""
        self._no_more.append(interest)

    def fail(self, failure: Callable[[], WatchError], since: float = math.inf) -> None:
        """End the interests that there are since no later than a time, with an error."""
        for interest in [each for each, begun in self._interests.items() if begun <= since]:
            interest.fail(failure)
            self.release(interest)

    def trouble(self, interest: Interest) -> Trouble | None:
        """Return why an interest hears nothing, where calls fail for what it wants."""
        now = anyio.current_time()
        if self._error is not None:
            return Trouble(now - self._failing_since, self._error)
        for job in self._jobs_of(interest):
            if job.error is not None:
                return Trouble(now - job.failing_since, job.error)
        return None

    def was_answered(self, interest: Interest) -> bool:
        """Say whether the service has said something of all that an interest wants."""
        return all(job.looked_at > -math.inf for job in self._jobs_of(interest))

    async def look_again(self, interest: Interest) -> None:
        """Ask at once for what an interest wants, and wait until that is answered.

        Nothing is asked for whose last poll was made. For a process that was stopped when it was
        due: the machine slept, or a debugger held it.
        """
        last_poll = self._schedule.last_poll(interest.deadline)
        now = anyio.current_time()
        missed = [
            job for job in self._jobs_of(interest) if job.in_flight or job.asked_at < last_poll
        ]
        idle = [job for job in missed if not job.in_flight]
        for start in range(0, len(idle), self._kind.most):
            jobs = idle[start : start + self._kind.most]
            for job in jobs:
                self._agenda.drop(job.id)
            self._start_call(jobs, now)
        while any(job.in_flight for job in missed):
            await self._call_ended.wait()

    def _jobs_of(self, interest: Interest) -> list[_Job[Info]]:
        return [
            job
            for job_id in interest.job_ids
            if (job := self._jobs.get(job_id)) is not None and interest in job.interests
        ]

    def _release_now(self) -> None:
        while self._no_more:
            self.release(self._no_more.popleft())

    def _forget(self, job: _Job[Info]) -> None:
        del self._jobs[job.id]
        self._agenda.drop(job.id)

    def _forget_the_left(self, now: float) -> None:
        while self._left:
            job = next(iter(self._left.values()))
            if now - job.left_at < self._schedule.min_delay:
                break
            del self._left[job.id]

    # When to ask

    async def _run(
        self, function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any
    ) -> None:
        """Run a task of the poller: if it ends with an error, all of it has."""
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
        self._crashed(error)

    async def _poll(self) -> None:
        """Ask for what is due, for as long as the watcher is open."""
        next_call = math.inf
        while True:
            # Woken a step later than it is called, so that tasks that begin together share calls.
            with anyio.CancelScope(deadline=next_call):
                await self._wake.wait()
            self._wake = anyio.Event()
            self._release_now()
            next_call = self._start_calls(anyio.current_time())

    def _start_calls(self, now: float) -> float:
        """Start the calls that are due and allowed, and return when the next one will be."""
        outage = self._outage
        # While calls fail, one at a time finds out whether that is over.
        while self._calls < (1 if outage.failures else self._max_concurrency):
            if now < outage.paused_until:
                return max(outage.paused_until, self._agenda.next_due())
            taken = self._agenda.take(now, outage.most(self._kind.most))
            if not taken:
                return self._agenda.next_due()
            self._start_call([self._jobs[job_id] for job_id in taken], now)
        return math.inf  # until a call has ended

    def _start_call(self, jobs: list[_Job[Info]], now: float) -> None:
        for job in jobs:
            job.in_flight = True
            job.asked_at = now
        self._calls += 1
        self._tasks.start_soon(self._run, self._look, jobs, now)

    def _put_on_agenda(self, job: _Job[Info], due: float, now: float) -> None:
        if job.missing_since is not None:
            due = min(due, max(now, job.missing_since + self._not_found_timeout))
        due = self._or_last_poll(due, now, job.interests)
        # Past the last deadline nobody waits for it any more.
        if due < max(each.deadline for each in job.interests):
            self._agenda.put(job.id, due, job.level)

    def _or_last_poll(self, due: float, now: float, interests: Iterable[Interest]) -> float:
        """Return when something is due, or a last poll before a deadline if that comes earlier."""
        for interest in interests:
            last_poll = self._schedule.last_poll(interest.deadline)
            if now < last_poll < due:
                due = last_poll
        return due

    # What the service says

    async def _look(self, jobs: list[_Job[Info]], started: float) -> None:
        """Ask for some jobs, as many as a call can ask for, and tell who wants them."""
        error: Exception
        try:
            # Some may have been left since they were taken off the agenda.
            self._release_now()
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
            self._call_ended.set()
            self._call_ended = anyio.Event()
        if concerns_the_request(error):
            self._part(jobs, started, error)
        elif may_pass(error):
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
        self._failing_since, self._error = math.inf, None
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
            job.failures, job.level = 0, 0
            job.failing_since, job.failed_at, job.error = math.inf, math.inf, None
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
        for interest in job.interests:
            interest.see(job.id, info)
        if kind.has_ended(info):
            self._forget(job)

    def _note_missing(self, job: _Job[Info], now: float) -> None:
        if job.missing_since is None:
            job.missing_since = now
            logger.info("the service does not know %s %s yet", self._kind.noun, job.id)
        if now >= job.missing_since + self._not_found_timeout:
            for interest in job.interests:
                interest.miss(job.id)
            self._forget(job)

    def _back_off(self, jobs: list[_Job[Info]], started: float, error: Exception) -> None:
        """Ask for the jobs again later, and for others too unless it is these that fail."""
        now = anyio.current_time()
        jitter = random.random()  # noqa: S311  # nothing to guess
        if not jobs[0].level:
            outage = self._outage
            explained = is_throttling(error)
            outage.note_failure(started, now, jitter, size=len(jobs), explained=explained)
            outage.paused_until = self._or_last_poll(outage.paused_until, now, self._interests)
            self._failing_since, self._error = min(self._failing_since, now), error
            if now - self._failing_since >= self._patience(error):
                self._give_up(jobs, started, error)
                return
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
            job.failing_since, job.failed_at = min(job.failing_since, now), now
            job.error = error
            self._put_on_agenda(job, now + self._schedule.delay(job.failures, jitter), now)

    def _patience(self, error: Exception) -> float:
        """Return for how many seconds an error may go on before it counts as final."""
        if is_of_the_clock(error):
            return self._not_found_timeout
        return _CREDENTIALS_TIMEOUT if is_of_credentials(error) else math.inf

    def _part(self, jobs: list[_Job[Info]], started: float, error: Exception) -> None:
        """Find out by halving which of the jobs the service does not want to be asked for."""
        now = anyio.current_time()
        watched = self._still_watched(jobs)
        if len(jobs) == 1:
            for job in watched:
                self._refuse(job, started, error)
            return
        logger.debug(
            "asking for %d %ss was refused, asking for fewer: %s",
            len(jobs),
            self._kind.noun,
            describe_error(error),
        )
        smaller = Agenda.level_of(self._kind.most, len(jobs) // 2)
        for job in watched:
            job.level = max(job.level, smaller)
            self._put_on_agenda(job, now, now)

    def _refuse(self, job: _Job[Info], started: float, error: Exception) -> None:
        """End the interests in a job that there were when the call was made."""
        logger.info("asking for %s %s is refused", self._kind.noun, job.id)
        for interest in [each for each in job.interests if self._interests[each] <= started]:
            interest.refuse(job.id, lambda: self._kind.polling_error(error, (job.id,)))
            job.interests.discard(interest)
        if job.interests:
            now = anyio.current_time()
            self._put_on_agenda(job, now, now)
        else:
            self._forget(job)

    def _give_up(self, jobs: list[_Job[Info]], started: float, error: Exception) -> None:
        """End every interest that there was when the call was made."""
        self.fail(lambda: self._kind.polling_error(error), since=started)
        now = anyio.current_time()
        for job in self._still_watched(jobs):
            self._put_on_agenda(job, now, now)
