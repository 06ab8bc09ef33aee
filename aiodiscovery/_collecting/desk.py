"""What the tasks of a collection share: the ledger, the book, and the progress callback."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.to_thread import run_sync

from .._client import CALL_ERRORS, describe_error, may_pass
from .book import Book
from .ledger import Ledger
from .progress import CollectionProgress, describe_window
from .records import Record

if TYPE_CHECKING:
    import httpx2
    from aiobotocore.client import AioBaseClient

__all__ = ["Desk"]

T = TypeVar("T")

#: The shortest time between two reports on the bytes of downloads, in seconds.
_INTERVAL = 0.1


class Desk:
    """What the tasks of a collection share.

    :param progress: called with each change.
    """

    def __init__(
        self,
        client: "AioBaseClient",
        ledger: Ledger,
        *,
        min_delay: float,
        max_delay: float,
        not_found_timeout: float,
        http_client: "httpx2.AsyncClient | None",
        progress: Callable[[CollectionProgress], object] | None,
    ) -> None:
        self.client = client
        self.ledger = ledger
        self.min_delay = min_delay
        self.max_delay = max_delay
        self.not_found_timeout = not_found_timeout
        self.http_client = http_client
        self._progress = progress
        self.book = Book({}, (), ())
        self._wake = anyio.Event()
        # The ledger's connection is used by only one thread at a time.
        self._limiter = anyio.CapacityLimiter(1)
        self._bytes: dict[str, int] = {}
        self._told_bytes = -_INTERVAL
        self._began = anyio.current_time()
        self._covered_before = 0

    @property
    def directory(self) -> Path:
        """Where the archives go."""
        return self.ledger.path

    def begin(self, book: Book) -> None:
        """Take the book that the collection follows."""
        self.book = book
        self._covered_before = book.totals().seconds_covered
        self._began = anyio.current_time()

    # The ledger

    async def write(self, call: Callable[..., Record], *args: Any, **kwargs: Any) -> Record:
        """Have the ledger note something, and update the book and the tasks."""
        record = await self.ask(call, *args, **kwargs)
        self.book.put(record)
        self.tell(record)
        return record

    async def ask(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Make a call of the ledger in a thread."""
        return await run_sync(partial(call, *args, **kwargs), limiter=self._limiter)

    # Waiting

    def wake(self) -> None:
        """Have what is to be started decided again."""
        self._wake.set()

    async def sleep_until(self, time: float | None) -> None:
        """Wait until a time, or until something has changed."""
        with anyio.CancelScope(deadline=time if time is not None else float("inf")):
            await self._wake.wait()

    def stay_awake(self) -> None:
        """Let changes from now on count for the next :meth:`sleep_until`."""
        self._wake = anyio.Event()

    def delay(self, times: int) -> float:
        """Return how many seconds to wait after a number of failures in a row."""
        # Not 2 ** times, which can be too large for a float.
        delay = self.min_delay
        while times > 1 and delay < self.max_delay:
            delay, times = 2 * delay, times - 1
        return min(delay, self.max_delay)

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call of the service, again and again while that may help.

        :raises botocore.exceptions.BotoCoreError: if it would not help; the same goes for
            ``ClientError``.
        """
        failures = 0
        while True:
            try:
                return await call()
            except CALL_ERRORS as error:
                if not may_pass(error):
                    raise
                failures += 1
                self.tell(message=f"the service cannot be asked: {describe_error(error)}")
            await anyio.sleep(self.delay(failures))

    # Telling

    def tell(self, record: Record | None = None, message: str | None = None) -> None:
        """Report that a window has changed, or a message for a person."""
        if record is not None:
            self.wake()
        if self._progress is None:
            return
        totals = self.book.totals()
        running = self.book.running()
        self._progress(
            CollectionProgress(
                totals.agents,
                totals.agents_done,
                totals.seconds,
                totals.seconds_covered,
                totals.seconds_missing,
                tuple(describe_window(record, self.directory) for record in running),
                sum(self._bytes.values()),
                self._seconds_left(
                    totals.seconds_covered,
                    totals.seconds - totals.seconds_covered - totals.seconds_missing,
                ),
                None if record is None else describe_window(record, self.directory),
                message,
            )
        )

    def tell_bytes(self, export_id: str, done: int, total: int | None) -> None:
        """Report how many bytes of an archive there are, not too often."""
        self._bytes[export_id] = done
        now = anyio.current_time()
        if now - self._told_bytes >= _INTERVAL or done == total:
            self._told_bytes = now
            self.tell()

    def _seconds_left(self, covered: int, pending: int) -> float | None:
        gained = covered - self._covered_before
        if gained <= 0:
            return None if pending else 0.0
        return (anyio.current_time() - self._began) * pending / gained
