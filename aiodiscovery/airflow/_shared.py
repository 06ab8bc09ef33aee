"""An open object that the tasks of an event loop share. Knows nothing of Airflow.

Airflow's triggerer is an asyncio program, and so is this. The object may have task groups and
cancel scopes inside, which must be left in the task that entered them. The tasks that use it come,
go and are cancelled in any order. So it lives in its own task.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from typing import Any, Generic, TypeVar

__all__ = ["Shared", "share"]

logger: logging.Logger = logging.getLogger("aiodiscovery")

T = TypeVar("T")

_Pool = dict[Hashable, "Shared[Any]"]

#: What is open, by event loop, because an object of one loop cannot be used in another. A loop is
#: in here while something is open in it. A loop that ends cancels its tasks, including the owners.
_pools: dict[asyncio.AbstractEventLoop, _Pool] = {}


@asynccontextmanager
async def share(
    key: Hashable, open_: Callable[[], AbstractAsyncContextManager[T]]
) -> "AsyncGenerator[Shared[T]]":
    """Use the object that all tasks with the same key share. The first one opens it.

    The last one to leave the block closes it, and waits for that. A task that comes meanwhile opens
    another one.

    :param key: identifies the object.
    :param open_: makes the context manager to enter. Its errors reach all tasks that wait for it.
        The next task tries again.
    """
    pool = _pools.setdefault(asyncio.get_running_loop(), {})
    shared = pool.get(key)
    if shared is None:
        shared = pool[key] = Shared(key, open_)
    shared.users += 1
    try:
        # The future is shared: the cancellation of one user must not cancel it.
        await asyncio.shield(shared.opened)
        yield shared
    finally:
        shared.users -= 1
        if not shared.users:
            await shared.close()


class Shared(Generic[T]):
    """The shared object, and the task that enters and leaves it."""

    def __init__(self, key: Hashable, open_: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._key = key
        self._unused = asyncio.Event()
        self._opened_at = 0.0
        self.users = 0
        self.opened: asyncio.Future[T] = self._loop.create_future()
        # In an empty context, because its log messages belong to no single user.
        self._task = self._loop.create_task(
            self._own(open_), name="aiodiscovery.airflow", context=Context()
        )

    @property
    def value(self) -> T:
        """What was opened."""
        return self.opened.result()

    @property
    def age(self) -> float:
        """How many seconds it has been open."""
        return self._loop.time() - self._opened_at

    def retire(self) -> None:
        """Let tasks that come from now on open another one."""
        pool = _pools.get(self._loop, {})
        if pool.get(self._key) is self:
            del pool[self._key]
        if not pool:
            _pools.pop(self._loop, None)

    async def close(self) -> None:
        """Close it, and wait for that. If it is being opened, that is completed first."""
        self.retire()
        self._unused.set()
        await asyncio.wait([self._task])

    async def _own(self, open_: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        try:
            async with open_() as value:
                self._opened_at = self._loop.time()
                self.opened.set_result(value)
                await self._unused.wait()
        except Exception as error:  # raised to its users, or logged
            if self.opened.done():
                logger.warning("what deferred tasks shared could not be closed", exc_info=error)
            else:
                self._fail(error)
        except asyncio.CancelledError:
            # Only the end of the event loop cancels this task.
            self._fail(RuntimeError("the event loop ends"))
            raise
        finally:
            self.retire()

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
            self.opened.exception()  # no warning if no task waits for it any more
