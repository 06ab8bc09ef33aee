"""Tasks that run beside a block of code and end with it."""

from contextlib import suppress
from types import TracebackType

import anyio
from anyio.abc import TaskGroup

__all__ = ["leave"]


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
