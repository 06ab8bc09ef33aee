"""The poller: polls the jobs of interest, and reports what the service said.

A poller knows jobs, when each is due, and the calls it makes. An :class:`Interest` tells it which
jobs to poll and until when, and is told what it learns. It does not know the waiting tasks.
"""

import logging
import math
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic

import anyio

from .._client import (
    CALL_ERRORS,
    Backoff,
    concerns_the_request,
    describe_error,
    is_throttling,
    may_pass,
)
from ..exceptions import WatchError
from .agenda import Agenda, Outage, Patience
from .interest import Interest, Job, LeftJobs
from .jobs import Answer, Info, JobKind
from .schedule import RateLimit, Schedule
from .statistics import Trouble, WatcherStatistics

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

__all__ = ["Poller"]

logger = logging.getLogger("aiodiscovery")


class Poller(Generic[Info]):
    """Asks the service for the jobs of interest, as often as the schedule says.

    :param crashed: called with the error of a task of the poller that should not have ended.
    """

    def __init__(
        self,
        client: "AioBaseClient",
        kind: JobKind[Info, Any],
        schedule: Schedule,
        *,
        max_rate: float | None,
        max_concurrency: int,
        not_found_timeout: float,
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._client = client
        self._kind = kind
        self._schedule = schedule
        self._backoff = Backoff(schedule.min_delay, schedule.max_delay)
        # One draw for all jobs keeps rounds together, and out of step with other watchers' rounds.
        self._jitter = random.random()  # noqa: S311  # no secret
        self._rate_limit = RateLimit(max_rate)
        self._max_concurrency = max_concurrency
        self._not_found_timeout = not_found_timeout
        self._crashed = crashed

        #: All interests, and the time when each began.
        self._interests: dict[Interest, float] = {}
        # Filled from any thread.
        self._no_more: deque[Interest] = deque()
        self._jobs: dict[str, Job[Info]] = {}
        # A task that leaves a job and comes back at once does not cause more polls of it.
        self._left = LeftJobs[Info](schedule.min_delay)
        self._agenda = Agenda()
        #: How many calls are under way, and how many were made and failed.
        self._calls = self._made = self._failed = 0
        self._outage = Outage(self._backoff)
        self._succeeded_at = -math.inf
        # Since when all calls fail, and the error of the last one that failed.
        self._failing_since = math.inf
        self._error: Exception | None = None
        self._patience = Patience()

    def start(self, start_soon: Callable[..., object], name: str) -> None:
        """Poll in tasks beside the caller's, until they are cancelled.

        :param start_soon: starts a task, like that of a task group.
        """
        self._start_soon = start_soon
        self._wake = anyio.Event()
        self._call_ended = anyio.Event()
        start_soon(self._run, self._poll, name=name)

    # Interests

    def want(self, interest: Interest) -> None:
        """Begin to poll for an interest, and tell it what is known."""
        now = anyio.current_time()
        last_poll = self._schedule.last_poll(interest.deadline)
        self._interests[interest] = now
        for job_id in interest.job_ids:
            job = self._jobs.get(job_id) or self._left.take(job_id, now) or Job(job_id, due=now)
            self._jobs[job_id] = job
            job.interests.add(interest)
            if job.info is not None:
                interest.see(job_id, job.info)
            if job.in_flight:
                continue
            if now - job.looked_at >= self._schedule.min_delay:
                self._agenda.put(job_id, now, job.level)
                continue
            # Knowledge this fresh is as good as a poll.
            due = self._schedule.or_last_poll(job.due, now, (interest.deadline,))
            if due < self._agenda.due(job_id):
                self._put_on_agenda(job, job.due, job.delay, now)
        # A last poll is made even while calls fail.
        self._outage.paused_until = min(self._outage.paused_until, max(last_poll, now))
        self._wake.set()

    def release(self, interest: Interest) -> None:
        """Stop polling for an interest, and tell it nothing more."""
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
                self._left.put(job, now)
            elif self._agenda.due(job_id) == last_poll:
                self._put_on_agenda(job, job.due, job.delay, now)
        if not self._jobs:
            self._patience.renew()
            self._wake.set()

    def release_later(self, interest: Interest) -> None:
        """Release it before the next call. A garbage collector may call this, in any thread."""
        self._no_more.append(interest)

    def fail(self, failure: Callable[[], WatchError], since: float = math.inf) -> None:
        """End the interests that began at or before a time, with an error."""
        for interest in [interest for interest, begun in self._interests.items() if begun <= since]:
            interest.fail(failure)
            self.release(interest)

    def trouble(self, interest: Interest) -> Trouble | None:
        """Return why an interest receives nothing, if calls fail for its jobs."""
        now = anyio.current_time()
        if self._error is not None and self._failing_since < math.inf:
            return Trouble(now - self._failing_since, self._error)
        for job in self._jobs_of(interest):
            if job.error is not None:
                return Trouble(now - job.failing_since, job.error)
        return None

    def was_answered(self, interest: Interest) -> bool:
        """Say whether the service has answered for every job of an interest."""
        return all(job.looked_at > -math.inf for job in self._jobs_of(interest))

    def silence(self, interest: Interest) -> float:
        """Return for how many seconds a call for an interest's jobs has had no answer.

        0 if that call was the last poll, which may be a moment late.
        """
        now, last_poll = anyio.current_time(), self._schedule.last_poll(interest.deadline)
        asked = [job.asked_at for job in self._jobs_of(interest) if job.in_flight]
        return max((now - asked_at for asked_at in asked if asked_at < last_poll), default=0.0)

    async def look_again(self, interest: Interest) -> None:
        """Ask for an interest's jobs at once, and wait for the answer.

        Jobs whose last poll was made are not asked for. This is for a process that was stopped when
        the last poll was due, because the machine slept or a debugger held it.
        """
        last_poll = self._schedule.last_poll(interest.deadline)
        missed = [
            job for job in self._jobs_of(interest) if job.in_flight or job.asked_at < last_poll
        ]
        idle = [job for job in missed if not job.in_flight]
        for start in range(0, len(idle), self._kind.most):
            await anyio.sleep_until(self._rate_limit.free_at())
            jobs = [job for job in idle[start : start + self._kind.most] if not job.in_flight]
            for job in jobs:
                self._agenda.drop(job.id)
            if jobs:
                self._start_call(jobs, anyio.current_time())
        while any(job.in_flight for job in missed):
            await self._call_ended.wait()

    def _jobs_of(self, interest: Interest) -> list[Job[Info]]:
        return [
            job
            for job_id in interest.job_ids
            if (job := self._jobs.get(job_id)) is not None and interest in job.interests
        ]

    def _release_now(self) -> None:
        while self._no_more:
            self.release(self._no_more.popleft())

    def _forget(self, job: Job[Info]) -> None:
        del self._jobs[job.id]
        self._agenda.drop(job.id)

    def statistics(self) -> WatcherStatistics:
        """Return the current statistics."""
        self._release_now()
        next_due = self._agenda.next_due()
        return WatcherStatistics(
            calls=self._made,
            failed_calls=self._failed,
            watched_jobs=len(self._jobs),
            failing_since=self._failing_since if self._failing_since < math.inf else None,
            last_error=self._error,
            next_call=max(next_due, self._free_at()) if next_due < math.inf else None,
        )

    # When to ask

    async def _run(
        self, function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any
    ) -> None:
        """Run a task of the poller. An error that ends it ends the whole poller."""
        error: BaseException
        try:
            await function(*arguments)
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise
            # asyncio can cancel a task without its cancel scope.
            error = RuntimeError("a task of the watcher was cancelled, but not the watcher itself")
        except Exception as caught:  # noqa: BLE001  # raised when the watcher is left
            error = caught
        else:
            return
        self._crashed(error)

    async def _poll(self) -> None:
        """Ask for what is due, for as long as the watcher is open."""
        next_call = math.inf
        while True:
            # Woken one step late, so that tasks that begin together share calls.
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
            free_at = self._free_at()
            if now < free_at:
                return max(free_at, self._agenda.next_due())
            taken = self._agenda.take(now, outage.most(self._kind.most))
            if not taken:
                return self._agenda.next_due()
            self._start_call([self._jobs[job_id] for job_id in taken], now)
        return math.inf  # until a call has ended

    def _start_call(self, jobs: list[Job[Info]], now: float) -> None:
        for job in jobs:
            job.in_flight = True
            job.asked_at = now
        self._calls += 1
        self._rate_limit.note_call(now)
        self._start_soon(self._run, self._look, jobs, now)

    def _free_at(self) -> float:
        return max(self._outage.paused_until, self._rate_limit.free_at())

    def _put_on_agenda(self, job: Job[Info], due: float, delay: float, now: float) -> None:
        """Make a job due at a time, a delay after the last poll, or earlier if that is required.

        It is when the job's absence becomes final, or for the last poll before a deadline.
        """
        sooner = due
        if job.missing_since is not None:
            sooner = min(sooner, max(now, job.missing_since + self._not_found_timeout))
        sooner = self._schedule.or_last_poll(
            sooner, now, (interest.deadline for interest in job.interests)
        )
        # After the last deadline no task waits for it any more.
        if sooner < max(interest.deadline for interest in job.interests):
            self._agenda.put(job.id, sooner, job.level, delay if sooner == due else 0.0)

    # The service's answers

    async def _look(self, jobs: list[Job[Info]], started: float) -> None:
        """Ask for some jobs, as many as fit in a call, and tell the interests in them."""
        error: Exception
        try:
            # Some may have been released since they were taken off the agenda.
            self._release_now()
            watched = self._still_watched(jobs)
            if watched:
                self._made += 1
                answer = await self._kind.ask(self._client, [job.id for job in watched])
                self._take_in(watched, started, answer)
        except CALL_ERRORS as caught:
            error = caught
        else:
            return
        finally:
            for job in jobs:
                job.in_flight = False
            self._calls -= 1
            self._wake.set()
            self._call_ended.set()
            self._call_ended = anyio.Event()
        self._failed += 1
        self._error = error
        if concerns_the_request(error):
            self._part(jobs, started, error)
        elif may_pass(error):
            self._back_off(jobs, started, error)
        else:
            self._give_up(jobs, started, error)

    def _take_in(self, jobs: list[Job[Info]], started: float, answer: Answer[Info]) -> None:
        now = anyio.current_time()
        self._succeeded_at = now
        self._failing_since = math.inf
        self._patience.renew()
        self._outage.note_success()
        logger.debug(
            "asked for %d %ss, the service knows %d", len(jobs), self._kind.noun, len(answer.infos)
        )
        for job in self._still_watched(jobs):
            info = answer.infos.get(job.id)
            age = None if info is None else self._kind.age(info, answer.service_time)
            job.note_age(age or 0.0, now)
            job.note_answer(started, self._schedule.delay(now - job.begun, self._jitter))
            if info is None:
                self._note_missing(job, now)
            else:
                self._note_info(job, info)
            if job.id in self._jobs:
                self._put_on_agenda(job, job.due, job.delay, now)

    def _still_watched(self, jobs: list[Job[Info]]) -> list[Job[Info]]:
        return [job for job in jobs if self._jobs.get(job.id) is job]

    def _note_info(self, job: Job[Info], info: Info) -> None:
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

    def _note_missing(self, job: Job[Info], now: float) -> None:
        if job.missing_since is None:
            job.missing_since = now
            logger.info("the service does not know %s %s yet", self._kind.noun, job.id)
        if now >= job.missing_since + self._not_found_timeout:
            for interest in job.interests:
                interest.miss(job.id)
            self._forget(job)

    def _back_off(self, jobs: list[Job[Info]], started: float, error: Exception) -> None:
        """Ask for the jobs again later. Other jobs wait too, unless only these fail."""
        now = anyio.current_time()
        if self._patience.has_run_out(error, now):
            self._give_up(jobs, started, error)
            return
        jitter = random.random()  # noqa: S311  # no secret
        if not jobs[0].level:
            outage = self._outage
            explained = is_throttling(error)
            outage.note_failure(started, now, jitter, size=len(jobs), explained=explained)
            outage.paused_until = self._schedule.or_last_poll(
                outage.paused_until, now, (interest.deadline for interest in self._interests)
            )
            self._failing_since = min(self._failing_since, now)
        logger.warning(
            "asking for %d %ss failed, trying again: %s",
            len(jobs),
            self._kind.noun,
            describe_error(error),
        )
        smaller = Agenda.level_of(self._kind.most, len(jobs) // 2)
        for job in self._still_watched(jobs):
            # Another call was answered since the first failure, so one of these may be the reason.
            suspect = job.failed_at < self._succeeded_at and not is_throttling(error)
            if suspect and job.level < smaller:
                job.level, job.failures = smaller, 0
            self._retry(job, error, jitter, now)

    def _retry(self, job: Job[Info], error: Exception, jitter: float, now: float) -> None:
        job.note_failure(error, now)
        due = now + self._backoff.delay(job.failures, jitter)
        self._put_on_agenda(job, due, self._schedule.min_delay, now)

    def _part(self, jobs: list[Job[Info]], started: float, error: Exception) -> None:
        """Find out by halving which of the jobs cannot be asked for."""
        now = anyio.current_time()
        watched = self._still_watched(jobs)
        if len(jobs) == 1:
            for job in watched:
                job.level = Agenda.MAX_LEVEL
                # The service refuses a job for good, but a bad answer may be better later.
                if may_pass(error) and now < job.failing_since + self._not_found_timeout:
                    self._retry(job, error, random.random(), now)  # noqa: S311
                else:
                    self._refuse(job, started, error)
            return
        logger.debug(
            "asking for %d %ss failed, asking for fewer: %s",
            len(jobs),
            self._kind.noun,
            describe_error(error),
        )
        smaller = Agenda.level_of(self._kind.most, len(jobs) // 2)
        for job in watched:
            job.level = max(job.level, smaller)
            self._put_on_agenda(job, now, 0.0, now)

    def _refuse(self, job: Job[Info], started: float, error: Exception) -> None:
        """End the interests in a job that existed when the call was made."""
        logger.info("asking for %s %s fails for good", self._kind.noun, job.id)
        for interest in [
            interest for interest in job.interests if self._interests[interest] <= started
        ]:
            interest.refuse(job.id, lambda: self._kind.polling_error(error, (job.id,)))
            job.interests.discard(interest)
        if job.interests:
            now = anyio.current_time()
            self._put_on_agenda(job, now, 0.0, now)
        else:
            self._forget(job)

    def _give_up(self, jobs: list[Job[Info]], started: float, error: Exception) -> None:
        """End every interest that existed when the call was made."""
        self.fail(lambda: self._kind.polling_error(error), since=started)
        now = anyio.current_time()
        for job in self._still_watched(jobs):
            self._put_on_agenda(job, now, 0.0, now)
