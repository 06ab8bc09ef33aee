"""Tasks that make one request after another, so that not every request needs a new task."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
from anyio.lowlevel import checkpoint

from .._asynctools import Background

__all__ = ["Workers"]

#: Makes a request. Returns a function to call once its worker is free for another job.
_Job: TypeAlias = Callable[[], Awaitable[Callable[[], None]]]


class Workers:
    """A pool of tasks beside a block, as many as there were jobs at the same time."""

    def __init__(self, background: Background, name: str) -> None:
        self._background = background
        self._name = name
        self._idle: list[_Worker] = []

    @property
    def is_open(self) -> bool:
        """Whether the block runs."""
        return self._background.is_open

    def check_loop(self) -> None:
        """Raise RuntimeError if called in a different event loop or thread than the block's."""
        self._background.check_loop()

    def start_soon(self, job: _Job) -> None:
        """Have a worker do the job: a free one, or a new one."""
        if self._idle:
            self._idle.pop().take(job)
        else:
            self._background.start_soon(self._work, job, name=self._name)

    async def _work(self, job: _Job) -> None:
        worker = _Worker()
        try:
            while True:
                call_when_free = await job()
                self._idle.append(worker)
                call_when_free()
                job = await worker.next_job()
        finally:
            if worker in self._idle:
                self._idle.remove(worker)
            elif worker.job is not None and self.is_open:
                # On asyncio a task can be cancelled after it got a job, and before it began.
                self.start_soon(worker.job)


class _Worker:
    """The next job of a worker."""

    __slots__ = ("_wake", "job")

    def __init__(self) -> None:
        self.job: _Job | None = None
        self._wake: anyio.Event | None = None

    def take(self, job: _Job) -> None:
        self.job = job
        if self._wake is not None:
            self._wake.set()

    async def next_job(self) -> _Job:
        if self.job is None:
            self._wake = anyio.Event()
            await self._wake.wait()
            self._wake = None
        else:
            # The task that waits for the result of the last job goes first.
            await checkpoint()
        job, self.job = self.job, None
        assert job is not None  # noqa: S101  # it is set before the worker is woken
        return job
