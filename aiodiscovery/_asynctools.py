"""What asyncio and trio need alike: iterators without finalizers, and tasks beside a block."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import current_token

__all__ = ["PlainAsyncGenerator", "current_loop", "leave"]

T = TypeVar("T")


class PlainAsyncGenerator(AsyncGenerator[T, None]):
    """An ``AsyncGenerator`` whose state is plain data.

    Unlike a native one it needs no closing, so no event loop watches over it and none warns when it
    is dropped, and an error or a cancellation does not end it.
    """

    __slots__ = ()

    @abstractmethod
    async def __anext__(self) -> T:
        """Return the next value."""

    @abstractmethod
    async def aclose(self) -> None:
        """End the iteration."""

    async def asend(self, value: None) -> T:
        """Return the next value, as ``anext()`` does."""
        return await self.__anext__()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> T:
        """End the iteration and raise the exception."""
        await self.aclose()
        if isinstance(typ, BaseException):
            raise typ
        if not isinstance(val, BaseException):
            val = typ() if val is None else typ(val)
        raise val.with_traceback(tb)


async def leave(
    tasks: TaskGroup,
    exc_type: type[BaseException] | None,
    exc: BaseException | None,
    traceback: TracebackType | None,
) -> bool | None:
    """Cancel the tasks and leave their group, from the ``__aexit__()`` of what entered it.

    An exception of the block leaves it as it is: a task group that sees one wraps it.
    """
    tasks.cancel_scope.cancel()
    if exc is None or isinstance(exc, anyio.get_cancelled_exc_class()):
        return await tasks.__aexit__(exc_type, exc, traceback)
    # Nor does a cancellation that comes meanwhile take its place.
    with suppress(anyio.get_cancelled_exc_class()):
        await tasks.__aexit__(None, None, None)
    return False


def current_loop() -> object:
    """Return what is the same in all tasks of an event loop, and different in another one.

    :raises RuntimeError: where no event loop runs in this thread.
    """
    try:
        return current_token()
    except LookupError as error:
        raise RuntimeError("this needs a running event loop, in the same thread") from error
