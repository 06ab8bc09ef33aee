"""What tasks share is opened once, closed once, and never left behind."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from aiodiscovery.airflow._shared import Shared, share


class Thing:
    """Opens and closes as told, and keeps count."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.may_open = asyncio.Event()
        self.may_close = asyncio.Event()
        self.may_open.set()
        self.may_close.set()
        self.error: Exception | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[int]:
        await self.may_open.wait()
        if self.error is not None:
            raise self.error
        # Has to be left in the task that entered it.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            self.opened += 1
            try:
                yield self.opened
                await self.may_close.wait()
            finally:
                self.closed += 1
                tasks.cancel_scope.cancel()


class User:
    """A task that uses the thing until it is told to leave."""

    def __init__(self, thing: Thing, key: str = "key") -> None:
        self.shared: Shared[int] | None = None
        self.entered = asyncio.Event()
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._run(thing, key))

    async def _run(self, thing: Thing, key: str) -> int:
        async with share(key, thing.open) as shared:
            self.shared = shared
            self.entered.set()
            await self.leave.wait()
            return shared.value

    async def end(self) -> int:
        self.leave.set()
        return await self.task

    async def cancel(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled()


async def rounds() -> None:
    """Let all other tasks run as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


def tasks_of_others() -> set[Any]:
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.asyncio
async def test_it_is_opened_by_the_first_and_closed_after_the_last() -> None:
    thing = Thing()
    first, second = User(thing), User(thing)
    await second.entered.wait()

    assert await first.end() == 1
    await rounds()
    assert (thing.opened, thing.closed) == (1, 0)
    third = User(thing)
    assert await second.end() == 1
    assert await third.end() == 1

    assert (thing.opened, thing.closed) == (1, 1)
    assert tasks_of_others() == set()


@pytest.mark.asyncio
async def test_who_leaves_last_goes_on_when_it_is_closed() -> None:
    thing = Thing()
    thing.may_close.clear()
    user = User(thing)
    await user.entered.wait()
    user.leave.set()
    await rounds()
    assert not user.task.done()

    thing.may_close.set()

    assert await user.task == 1
    assert thing.closed == 1


@pytest.mark.asyncio
async def test_another_key_is_another_thing() -> None:
    thing = Thing()
    users = [User(thing, "one"), User(thing, "two")]

    assert sorted([await user.end() for user in users]) == [1, 2]
    assert thing.closed == 2


@pytest.mark.asyncio
async def test_after_the_last_the_next_opens_it_anew() -> None:
    thing = Thing()

    assert [await User(thing).end() for _ in range(3)] == [1, 2, 3]
    assert thing.closed == 3


@pytest.mark.asyncio
async def test_who_comes_while_it_closes_opens_another() -> None:
    thing = Thing()
    thing.may_close.clear()
    first = User(thing)
    await first.entered.wait()
    first.leave.set()
    await rounds()

    second = User(thing)
    await second.entered.wait()
    assert (thing.opened, thing.closed) == (2, 0)
    thing.may_close.set()

    assert (await first.task, await second.end()) == (1, 2)
    assert thing.closed == 2


@pytest.mark.asyncio
async def test_the_first_may_be_cancelled_while_it_opens() -> None:
    thing = Thing()
    thing.may_open.clear()
    first, second = User(thing), User(thing)
    await rounds()

    await first.cancel()
    thing.may_open.set()

    assert await second.end() == 1
    assert (thing.opened, thing.closed) == (1, 1)


@pytest.mark.asyncio
async def test_all_may_be_cancelled_while_it_opens() -> None:
    thing = Thing()
    thing.may_open.clear()
    users = [User(thing), User(thing)]
    await rounds()

    for user in users:
        user.task.cancel()
    await rounds()
    next_one = User(thing)
    thing.may_open.set()

    # It is opened, although not needed, and closed at once. The next one has its own.
    assert await next_one.end() == 2
    assert [user.task.cancelled() for user in users] == [True, True]
    assert (thing.opened, thing.closed) == (2, 2)
    assert tasks_of_others() == set()


@pytest.mark.asyncio
async def test_whoever_is_cancelled_the_last_one_closes_it() -> None:
    thing = Thing()
    users = [User(thing) for _ in range(5)]
    await users[-1].entered.wait()

    for user in users:
        assert thing.closed == 0
        await user.cancel()

    assert (thing.opened, thing.closed) == (1, 1)
    assert tasks_of_others() == set()


@pytest.mark.asyncio
async def test_an_error_of_opening_reaches_all_who_wait_and_not_the_next() -> None:
    thing = Thing()
    thing.may_open.clear()
    thing.error = OSError("no way")
    users = [User(thing), User(thing)]
    await rounds()
    thing.may_open.set()

    for user in users:
        with pytest.raises(OSError, match="no way"):
            await user.task

    thing.error = None
    assert await User(thing).end() == 1


@pytest.mark.asyncio
async def test_an_event_loop_that_ends_while_it_opens_is_an_error_of_who_waits() -> None:
    thing = Thing()
    thing.may_open.clear()
    user = User(thing)
    await rounds()
    (owner,) = tasks_of_others() - {user.task}

    owner.cancel()

    with pytest.raises(RuntimeError, match="the event loop ends"):
        await user.task


@pytest.mark.asyncio
async def test_an_error_of_opening_is_nobodys_when_all_were_cancelled() -> None:
    thing = Thing()
    thing.may_open.clear()
    thing.error = OSError("no way")
    user = User(thing)
    await rounds()

    user.task.cancel()
    await rounds()
    thing.may_open.set()
    await asyncio.wait([user.task])

    # An exception that is not retrieved would be an error of this test.
    gc.collect()
    assert tasks_of_others() == set()


@pytest.mark.asyncio
async def test_an_error_of_a_user_closes_it_and_stays_what_it_is() -> None:
    thing = Thing()

    with pytest.raises(LookupError):
        async with share("key", thing.open):
            raise LookupError

    assert thing.closed == 1


@pytest.mark.asyncio
async def test_an_error_of_closing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def closes_badly() -> AsyncGenerator[None]:
        yield
        raise OSError("no way")

    with caplog.at_level(logging.WARNING, "aiodiscovery"):
        async with share("key", closes_badly):
            pass

    assert "could not be closed" in caplog.text


@pytest.mark.asyncio
async def test_what_is_retired_stays_open_for_those_who_have_it() -> None:
    thing = Thing()
    old = User(thing)
    await old.entered.wait()
    assert old.shared is not None
    assert old.shared.age >= 0

    old.shared.retire()
    old.shared.retire()
    new = User(thing)
    await new.entered.wait()

    assert (thing.opened, thing.closed) == (2, 0)
    old.shared.retire()
    newest = User(thing)
    assert [await user.end() for user in (old, new, newest)] == [1, 2, 2]
    assert thing.closed == 2


@pytest.mark.asyncio
async def test_it_knows_nothing_of_the_context_of_the_first() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")
    variable.set("the first one's")
    seen = []

    @asynccontextmanager
    async def look() -> AsyncGenerator[None]:
        seen.append(variable.get())
        yield

    async with share("key", look):
        pass

    assert seen == ["none"]


def in_a_loop(main: Callable[[], Awaitable[Any]]) -> None:
    """Run a coroutine and end the loop as asyncio.run() does."""

    async def run() -> None:
        await main()

    asyncio.run(run())


def test_an_event_loop_that_ends_closes_what_its_tasks_share() -> None:
    things = []

    async def main() -> None:
        thing = Thing()
        things.append(thing)
        await User(thing).entered.wait()

    in_a_loop(main)
    in_a_loop(main)

    assert [(thing.opened, thing.closed) for thing in things] == [(1, 1), (1, 1)]


def test_an_event_loop_that_has_ended_is_forgotten() -> None:
    loops = []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await User(Thing()).end()
        await User(Thing()).entered.wait()

    in_a_loop(main)
    gc.collect()

    assert loops[0]() is None
