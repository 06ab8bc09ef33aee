"""What asyncio and trio both need: iterators without finalizers, and tasks beside a block."""

import asyncio
import sys
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from anyio import TaskInfo
    from anyio.abc import TaskGroup

__all__ = ["Background", "PlainAsyncGenerator", "current_loop", "runs_on_trio"]

T = TypeVar("T")


class PlainAsyncGenerator(AsyncGenerator[T, None]):
    """An ``AsyncGenerator`` whose state is plain data.

    Unlike a native one it needs no closing. So no event loop tracks it, no warning is issued when
    it is dropped, and an error or a cancellation does not end it.
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


def runs_on_trio() -> bool:
    """Say whether the caller runs in trio, without importing it."""
    trio = sys.modules.get("trio")
    try:
        return trio is not None and trio.lowlevel.in_trio_run()
    except AttributeError:
        return False  # another thread is about to import it


def current_loop() -> object:
    """Return an object that stands for the running event loop. Each loop has a different one.

    :raises RuntimeError: if none runs in this thread.
    """
    try:
        # Also right for trio as a guest of asyncio. Far cheaper than anyio's own token.
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    try:
        return current_token().native_token
    except LookupError as error:
        raise RuntimeError("this needs a running event loop, in the same thread") from error


class Background:
    """Tasks beside a block, for a class that is entered with ``async with``.

    Leaving the block cancels the tasks and waits for them to end. An exception of the block passes
    through unchanged, and a cancellation that comes meanwhile does not replace it.

    The tasks handle their own errors: only :meth:`abort` cancels the block. So on asyncio the block
    needs no cancel scope, and may be left in a different task than the one that entered it. An
    event loop does that when it closes an async generator. On trio, tasks only live in nurseries,
    and a nursery must be left where it was entered.

    :param owner: what the block belongs to, for messages.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._group: asyncio.TaskGroup | TaskGroup | None = None
        self._loop: object = None
        self._task: TaskInfo | None = None
        self._scopes = set[anyio.CancelScope]()
        self._open = self._aborted = False

    @property
    def is_open(self) -> bool:
        """Whether the block runs."""
        return self._open

    def check_loop(self) -> None:
        """Raise RuntimeError if called in a different event loop or thread than the block's."""
        if self._group is not None and current_loop() is not self._loop:
            raise RuntimeError(
                f"{self._owner} belongs to the event loop in which it was entered; "
                "this is another one, or another thread"
            )

    async def __aenter__(self) -> None:
        if self._group is not None:
            raise RuntimeError(f"{self._owner} can be entered only once")
        # asyncio's own group puts no cancel scope around the block, see above.
        self._group = anyio.create_task_group() if runs_on_trio() else asyncio.TaskGroup()
        self._loop = current_loop()
        self._task = anyio.get_current_task()
        await self._group.__aenter__()
        self._open = True

    def start_soon(
        self, function: Callable[..., Awaitable[object]], *args: Any, name: str | None = None
    ) -> None:
        """Start a task. Its cancel scope is cancelled when the block is left."""
        if isinstance(self._group, asyncio.TaskGroup):
            self._group.create_task(self._run(function, *args), name=name)
        else:
            assert self._group is not None  # noqa: S101  # the block was entered
            self._group.start_soon(self._run, function, *args, name=name)

    async def _run(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        if not self._open:
            return
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                await function(*args)
            finally:
                self._scopes.discard(scope)

    def abort(self) -> None:
        """Cancel the block and the tasks, because the block can no longer rely on anything."""
        self._aborted = True
        if isinstance(self._group, asyncio.TaskGroup):
            # Only a failing task cancels the block of such a group.
            self._group.create_task(_fail())
        elif self._group is not None:
            self._group.cancel_scope.cancel()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self.check_loop()
        group = self._group
        assert group is not None  # noqa: S101  # the block was entered
        self._open = False
        for scope in tuple(self._scopes):
            scope.cancel()
        # asyncio's group wraps an exception that it sees. anyio's must see its cancellation.
        cancelled = isinstance(exc, anyio.get_cancelled_exc_class())
        if isinstance(group, asyncio.TaskGroup):
            if self._aborted:
                try:
                    await group.__aexit__(exc_type, exc, traceback)
                except BaseExceptionGroup:
                    return cancelled
                return False
            with suppress(*() if exc is None or cancelled else (asyncio.CancelledError,)):
                await group.__aexit__(None, None, None)
            return False
        if anyio.get_current_task() != self._task:
            raise RuntimeError(_LEFT_ELSEWHERE.format(self._owner))
        group.cancel_scope.cancel()
        try:
            if exc is None or cancelled:
                return await group.__aexit__(exc_type, exc, traceback)
            with suppress(anyio.get_cancelled_exc_class()):
                await group.__aexit__(None, None, None)
        except RuntimeError as error:
            # The tasks handle their errors. This one comes from trio, about the caller's scopes.
            raise RuntimeError(_LEFT_OUT_OF_ORDER.format(self._owner)) from error
        return False


class _AbortError(Exception):
    """Ends the block of an asyncio group."""


async def _fail() -> None:
    raise _AbortError


_ADVICE = (
    "if the block is in an async generator of your own, iterate it within "
    "`async with contextlib.aclosing(...)`, and do not put a time-out around a single anext()"
)
_LEFT_ELSEWHERE = (
    "the block of {} was left in another task than the one that entered it, which trio does not "
    "allow: " + _ADVICE
)
_LEFT_OUT_OF_ORDER = (
    "the block of {} was left before a block that was entered within it, or after one around it, "
    "which trio does not allow: " + _ADVICE
)
