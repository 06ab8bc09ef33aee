"""Something open that the tasks of an event loop use together. Knows nothing of Airflow.

Airflow's triggerer is an asyncio program, and so is this. What is opened may have task groups and
cancel scopes inside, which have to be left in the task in which they were entered, while the tasks
that use it come, go and are cancelled in any order. So it lives in a task of its own.
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

#: What is open, by the event loop: what belongs to one loop is of no use in another one. A loop is
#: in it for as long as something is open there; one that ends cancels its tasks, and so the owners.
_pools: dict[asyncio.AbstractEventLoop, _Pool] = {}


@asynccontextmanager
async def share(
    key: Hashable, open_: Callable[[], AbstractAsyncContextManager[T]]
) -> "AsyncGenerator[Shared[T]]":
    """Use what all tasks with the same key use, opened by the first and closed after the last.

    Leaving the block as the last one waits until it is closed. A task that comes meanwhile opens
    another one.

    :param key: says what it is.
    :param open_: makes the context manager to enter. What goes wrong there reaches all tasks that
        wait for it; the next one tries anew.
    """
    pool = _pools.setdefault(asyncio.get_running_loop(), {})
    shared = pool.get(key)
    if shared is None:
        shared = pool[key] = Shared(key, open_)
    shared.users += 1
    try:
        # The future is everybody's: who is cancelled must not cancel it.
        await asyncio.shield(shared.opened)
        yield shared
    finally:
        shared.users -= 1
        if not shared.users:
            await shared.close()


class Shared(Generic[T]):
    """What is shared, and the task in which it is entered and left."""

    def __init__(self, key: Hashable, open_: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._key = key
        self._unused = asyncio.Event()
        self._opened_at = 0.0
        self.users = 0
        self.opened: asyncio.Future[T] = self._loop.create_future()
        # In an empty context: what it logs belongs to no single user.
        self._task = self._loop.create_task(
            self._own(open_), name="aiodiscovery.airflow", context=Context()
        )

    @property
    def value(self) -> T:
        """What was opened."""
        return self.opened.result()

    @property
    def age(self) -> float:
        """For how many seconds it has been open."""
        return self._loop.time() - self._opened_at

    def retire(self) -> None:
        """Have those who come from now on open another one."""
        pool = _pools.get(self._loop, {})
        if pool.get(self._key) is self:
            del pool[self._key]
        if not pool:
            _pools.pop(self._loop, None)

    async def close(self) -> None:
        """Close it, and wait until it is. What is just being opened is opened first."""
        self.retire()
        self._unused.set()
        await asyncio.wait([self._task])

    async def _own(self, open_: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        try:
            async with open_() as value:
                self._opened_at = self._loop.time()
                self.opened.set_result(value)
                await self._unused.wait()
        except Exception as error:  # raised where it is used, or logged
            if self.opened.done():
                logger.warning("what deferred tasks shared did not close well", exc_info=error)
            else:
                self._fail(error)
        except asyncio.CancelledError:
            # Because the event loop ends: nobody else has this task.
            self._fail(RuntimeError("the event loop ends"))
            raise
        finally:
            self.retire()

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
            self.opened.exception()  # it is no oversight if nobody waits for it any more
