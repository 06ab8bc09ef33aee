"""Tasks that make one request after another, so that not every request costs a task."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
from anyio.lowlevel import checkpoint

from .._asynctools import Background

__all__ = ["Workers"]

#: Makes a request, and returns what is to be called once its worker is free for another one.
_Job: TypeAlias = Callable[[], Awaitable[Callable[[], None]]]


class Workers:
    """As many tasks beside a block as there were jobs at the same time."""

    def __init__(self, background: Background, name: str) -> None:
        self._background = background
        self._name = name
        self._idle: list[_Worker] = []

    @property
    def is_open(self) -> bool:
        """Whether the block runs."""
        return self._background.is_open

    def check_loop(self) -> None:
        """Raise RuntimeError in another event loop or thread than the block's."""
        self._background.check_loop()

    def start_soon(self, job: _Job) -> None:
        """Have a worker do the job: one that is free, or a new one."""
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
                # On asyncio somebody can cancel a task after it got a job, and before it began.
                self.start_soon(worker.job)


class _Worker:
    """What a worker is to do next."""

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
            # Who waits for what the last job brought goes first.
            await checkpoint()
        job, self.job = self.job, None
        assert job is not None  # noqa: S101  # what wakes it brings one
        return job
