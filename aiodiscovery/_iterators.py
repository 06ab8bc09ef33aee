"""What the package's asynchronous iterators have in common."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import TypeVar

__all__ = ["PlainAsyncGenerator"]

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
