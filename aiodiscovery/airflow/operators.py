"""The operator: starts an export and waits for it."""

import logging
import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from .. import start_export
from .._watching import check_delays
from ..exceptions import ExportAlreadyPresentError
from ._failures import was_not_carried_out
from ._tasks import DiscoveryTask, Record, check_rendered, seconds

if TYPE_CHECKING:
    from airflow.sdk import Context
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient
    from types_aiobotocore_discovery.type_defs import ExportPreferencesTypeDef

__all__ = ["DiscoveryExportOperator"]

logger: logging.Logger = logging.getLogger("aiodiscovery")


class DiscoveryExportOperator(DiscoveryTask, BaseOperator):
    """Start an export, and wait until it has ended.

    It is deferred while it waits, so it takes up no worker. All tasks that wait in a triggerer
    share their calls, see :class:`~aiodiscovery.airflow.triggers.DiscoveryExportTrigger`. Returns
    the ExportInfo, with times as ISO 8601. With ``wait=False`` it returns the export's id.

    The id is stored in Airflow's task state store as soon as the service has sent it. If a worker
    or a triggerer is killed afterwards, a retry continues with that export and does not start a
    second one. One case cannot be known: an export was started, but Airflow never got its id. This
    happens if the worker, or its connection to the service or to Airflow's API, ended between the
    service's answer and the record of it. The service has no token that would identify such an
    export, so a retry starts a second one. For the same reason botocore's own retries are off for
    the start, whatever ``botocore_config`` says.

    If the service says that a successful export of the same data is already present, the task
    continues with that one.

    After the task was cleared, it continues with the export if that is still in progress. It starts
    a new one if the export has ended, if the service no longer knows it, or if the task now asks
    for something else.

    An export that FAILED fails the task with the service's message. That is not retried, because a
    retry continues with the same export: clear the task to start another one. ``timeout`` and a
    request that the service refuses (authorization, home region, wrong parameters) are not retried
    either. Throttling, 5xx and broken connections do not fail a wait. If the service is too busy to
    start the export, or cannot be reached, the start is tried again for ten minutes. After that,
    the task fails and is retried according to its ``retries``. So it does at the service's limits
    for exports, and when the answer does not tell whether the export was started (5xx).

    :param agent_id: the one agent whose data is exported; None: a summary of all servers.
        (templated, like all parameters up to ``endpoint_url``)
    :param start_time: the start of the range of the agent's data, as an aware datetime or an ISO
        8601 string with an offset or ``Z``; None: from the first data there is.
    :param end_time: the end of the range, in the same form; None: up to the newest data.
    :param preferences: what else the export should contain, in the service's spelling.
    :param aws_conn_id: the Airflow connection to *Amazon Web Services*. None: the settings that
        boto3 finds.
    :param region_name: the service's home region; None: that of the connection.
    :param verify: whether to verify the certificate, or the CA bundle to do it with.
    :param botocore_config: settings of botocore's client.
    :param endpoint_url: the URL of the service, for an emulator.
    :param wait: whether to wait for the export.
    :param timeout: how long to wait at most, in seconds or as a timedelta; None: without a limit.
        It counts from the start of the export: neither a triggerer that takes over nor a retry
        extends it. The export keeps running. Airflow's ``execution_timeout`` ends a try earlier,
        and that is retried.
    :param include_download_url: whether the result has the presigned URL of the archive. Anyone who
        can read the XCom, or the rendered template of a task that takes it, can download the
        archive until the URL expires. ``download_export`` does not need it.
    :param min_delay: the shortest time between two polls of an export, in seconds. Only tasks with
        the same delays, ``max_rate`` and ``not_found_timeout`` share their calls.
    :param max_delay: the longest such time, in seconds.
    :param relative_delay: the time between two polls in proportion to the export's age.
    :param max_rate: how many calls to make per second, at most, for all tasks that share them; None
        for any number.
    :param not_found_timeout: how many seconds the service may not know an export before that counts
        as final. An export that was just started may be missing for a moment.
    """

    template_fields: Collection[str] = (
        "agent_id",
        "start_time",
        "end_time",
        "preferences",
        *DiscoveryTask.settings_fields,
    )

    def __init__(
        self,
        *,
        agent_id: str | None = None,
        start_time: datetime | str | None = None,
        end_time: datetime | str | None = None,
        preferences: "ExportPreferencesTypeDef | None" = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        endpoint_url: str | None = None,
        wait: bool = True,
        timeout: timedelta | float | None = None,
        include_download_url: bool = False,
        min_delay: float = 10.0,
        max_delay: float = 300.0,
        relative_delay: float = 0.01,
        max_rate: float | None = 1.0,
        not_found_timeout: float = 60.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Later it would fail a task whose export has been started.
        if timeout is not None and not 0 <= seconds(timeout) < math.inf:
            raise ValueError(
                f"timeout must be at least 0 seconds and finite, or None, not {timeout!r}"
            )
        check_delays(min_delay, max_delay, not_found_timeout, relative_delay, max_rate)
        self.agent_id = agent_id
        self.start_time = start_time
        self.end_time = end_time
        self.preferences = preferences
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.endpoint_url = endpoint_url
        self.wait = wait
        self.timeout = timeout
        self.include_download_url = include_download_url
        self.min_delay = min_delay
        self.max_delay = max_delay
        self.relative_delay = relative_delay
        self.max_rate = max_rate
        self.not_found_timeout = not_found_timeout

    def execute(self, context: "Context") -> Any:
        """Start the export, unless an earlier try did, and defer the task."""
        check_rendered("agent_id", self.agent_id)
        record = Record(context)
        export_id, asked = record.export_id, self._asked()
        if export_id is not None and record.was_cleared:
            # Its templates, or the DAG, may have changed.
            if record.asked != asked or not self._is_in_progress(export_id):
                export_id = None
        else:
            asked = record.asked or asked
        if export_id is None:
            export_id = self.call(self._start, "starting the export", was_not_carried_out)
            logger.info("started export %s", export_id)
        else:
            logger.info("continuing with export %s, which an earlier try started", export_id)
        deadline = record.deadline(self.timeout)
        record.save(export_id=export_id, asked=asked, deadline=deadline)
        if not self.wait:
            return export_id
        trigger = self.make_trigger([export_id], deadline)
        return self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Return the trigger's result."""
        (info,) = self.take(event, context).values()
        return info

    def _asked(self) -> dict[str, str]:
        """Return what the export should contain, in JSON's types."""
        names = ("agent_id", "start_time", "end_time", "preferences")
        return {name: str(getattr(self, name)) for name in names}

    def _is_in_progress(self, export_id: str) -> bool:
        found = self.describe([export_id])
        return export_id in found and found[export_id]["exportStatus"] == "IN_PROGRESS"

    async def _start(self, client: "ApplicationDiscoveryServiceClient") -> str:
        try:
            return await start_export(
                client,
                agent_id=self.agent_id,
                start_time=self.start_time,
                end_time=self.end_time,
                preferences=self.preferences,
            )
        except ExportAlreadyPresentError as error:
            logger.info("the service already has this export, as %s", error.export_id)
            return error.export_id
