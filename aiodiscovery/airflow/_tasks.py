"""What the operator and the sensor have in common."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
)

from .. import describe_exports
from .._client import Backoff, hide_signatures_in_logs
from ._failures import ERRORS, describe, is_final
from ._settings import Settings
from .triggers import DiscoveryExportTrigger, to_json

if TYPE_CHECKING:
    from airflow.sdk import Context
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient
    from types_aiobotocore_discovery.type_defs import ExportInfoTypeDef

__all__ = ["DiscoveryTask", "Record", "check_rendered", "seconds"]

logger: logging.Logger = logging.getLogger("aiodiscovery")

T = TypeVar("T")

#: How many seconds a worker repeats a call that may succeed later.
_PATIENCE = 600.0
#: The key under which Airflow stores what a retry has to know.
_KEY = "aiodiscovery"


#: What a template renders to if its value is missing.
_NOTHING = frozenset({"", "none", "null", "nan", "undefined", "true", "false", "[]", "{}", "()"})


class Record:
    """What is known about a task of this DAG run, from one try to the next.

    It is in Airflow's task state store, because XComs are cleared before each try. Airflow also
    keeps it when a user clears the task. Clearing raises ``max_tries``, and a retry does not.
    """

    def __init__(self, context: "Context") -> None:
        known: Any = context
        self._store = known["task_state_store"]
        self._max_tries: int = known["ti"].max_tries
        found = self._store.get(_KEY)
        self._values: dict[str, Any] = dict(found) if isinstance(found, Mapping) else {}

    @property
    def export_id(self) -> str | None:
        """The export that an earlier try has started."""
        return self._values.get("export_id")

    @property
    def asked(self) -> dict[str, str] | None:
        """What that export was to contain."""
        return self._values.get("asked")

    @property
    def was_cleared(self) -> bool:
        """Whether a user has cleared the task since."""
        found: int = self._values.get("max_tries", self._max_tries)
        return found != self._max_tries

    def deadline(self, timeout: timedelta | float | None) -> float | None:
        """Return when the task gives up. Time counts from when it first asked for this."""
        if "deadline" not in self._values or self.was_cleared:
            return None if timeout is None else time.time() + seconds(timeout)
        found: float | None = self._values["deadline"]
        return found

    def save(self, **values: Any) -> None:
        """Store these values for the next try, in place of the previous ones."""
        if values != {key: self._values.get(key) for key in values} or self.was_cleared:
            self._values = {**values, "max_tries": self._max_tries}
            self._store.set(_KEY, self._values)


class DiscoveryTask(Settings):
    """The settings of a task, its trigger, and the handling of the trigger's event."""

    include_download_url: bool
    timeout: Any
    #: Airflow's own setting: how long a try may run.
    execution_timeout: timedelta | None
    #: The exception that ends a task whose time is up.
    timeout_error: type[AirflowException] = AirflowFailException

    #: The templates of both.
    settings_fields: Collection[str] = (
        "aws_conn_id",
        "region_name",
        "verify",
        "botocore_config",
        "endpoint_url",
    )

    def make_trigger(
        self, export_ids: Sequence[str], deadline: float | None
    ) -> DiscoveryExportTrigger:
        """Make the trigger that waits while the task is deferred.

        It gives up at the deadline, or when this try has run for ``execution_timeout``. Airflow
        does not apply the latter to a deferred task.
        """
        if self.execution_timeout is not None:
            end = time.time() + self.execution_timeout.total_seconds()
            deadline = end if deadline is None else min(deadline, end)
        return DiscoveryExportTrigger(export_ids, deadline, **self.settings())

    def call(
        self,
        function: "Callable[[ApplicationDiscoveryServiceClient], Awaitable[T]]",
        what: str,
        may_repeat: Callable[[Exception], bool] | None = None,
    ) -> T:
        """Call a function with a client, again for as long as that may help.

        :param what: what it does, for messages.
        :param may_repeat: whether it may be called again after an error that may pass; None: after
            any such error.
        :raises AirflowFailException: after an error that cannot pass.
        """
        hide_signatures_in_logs()
        backoff = Backoff(self.min_delay, self.max_delay)
        give_up_at = time.monotonic() + _PATIENCE
        attempt = 0
        while True:
            try:
                return asyncio.run(self._call(function))
            except ERRORS as error:
                message = f"{what} failed: {describe(error)}"
                if is_final(error):
                    raise AirflowFailException(message) from None
                attempt += 1
                delay = backoff.delay(attempt, random.random())  # noqa: S311
                may_not = may_repeat is not None and not may_repeat(error)
                if may_not or time.monotonic() + delay > give_up_at:
                    # In place of the error itself, which may hold secrets if it is of credentials.
                    raise AirflowException(message) from None
                logger.warning("%s, trying again in %.0f s", message, delay)
            time.sleep(delay)

    async def _call(
        self, function: "Callable[[ApplicationDiscoveryServiceClient], Awaitable[T]]"
    ) -> T:
        async with await self.hook().get_async_conn() as client:
            return await function(client)

    def describe(self, export_ids: Iterable[str]) -> "dict[str, ExportInfoTypeDef]":
        """Ask the service for exports."""
        ids = list(export_ids)
        return self.call(
            lambda client: describe_exports(client, ids), "asking the service for exports"
        )

    def take(self, event: Mapping[str, Any], context: "Context") -> dict[str, dict[str, Any]]:
        """Return the ExportInfos in an event, or raise the error in it."""
        status: str = event["status"]
        exports: dict[str, dict[str, Any]] = event["exports"]
        if status == "succeeded":
            return self._with_download_urls(exports) if self.include_download_url else exports
        for export_id, info in exports.items():
            if info["exportStatus"] == "FAILED":
                logger.error("export %s failed: %s", export_id, info.get("statusMessage"))
        if status == "timeout" and self._is_of_this_try(context):
            # It may be retried, like any task that runs for too long.
            raise AirflowTaskTimeout(f"{event['message']}; execution_timeout is over")
        # These are not tried again: a retry would find the same.
        raise (self.timeout_error if status == "timeout" else AirflowFailException)(
            event["message"]
        )

    def _is_of_this_try(self, context: "Context") -> bool:
        """Say whether ``execution_timeout`` is over, and not the time of all tries."""
        if self.execution_timeout is None:
            return False
        deadline = Record(context).deadline(self.timeout)
        return deadline is None or time.time() < deadline

    def _with_download_urls(self, exports: dict[str, Any]) -> dict[str, dict[str, Any]]:
        # Not through the event, which Airflow logs. Fresh ones are also valid for longer.
        infos = self.describe(exports)
        return {
            export_id: to_json(infos[export_id], include_download_url=True)
            if export_id in infos
            else exports[export_id]
            for export_id in exports
        }


def check_rendered(name: str, value: str | None) -> None:
    """Raise AirflowFailException if the template of an id rendered no value."""
    if isinstance(value, str) and value.strip().lower() in _NOTHING:
        raise AirflowFailException(
            f"{name} is {value!r}: its template rendered no value. Did the task that it refers "
            "to return an id?"
        )


def seconds(timeout: timedelta | float) -> float:
    """Return a time-out in seconds."""
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
