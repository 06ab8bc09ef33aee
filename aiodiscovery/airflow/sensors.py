"""The sensor: waits for exports that something else has started."""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from .._listing import check_ids
from .._watching import check_delays
from ._tasks import DiscoveryTask, Record, check_rendered

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["DiscoveryExportSensor"]

logger: logging.Logger = logging.getLogger("aiodiscovery")


class DiscoveryExportSensor(DiscoveryTask, BaseSensorOperator):
    """Wait until an export, or each of several exports, has ended.

    It is always deferred while it waits, so it takes up no worker. All tasks that wait in a
    triggerer share their calls, see
    :class:`~aiodiscovery.airflow.triggers.DiscoveryExportTrigger`. Returns the ExportInfo, or with
    ``export_ids`` a dict of them by id, with times as ISO 8601.

    An export that FAILED fails the task with the service's message, once all have ended. So do an
    export that the service does not know, ``timeout``, and a service that cannot be asked
    (authorization, home region, ...). None of these is retried, because a retry would find the
    same. With ``soft_fail`` the task is skipped instead. Throttling, 5xx and broken connections do
    not fail the task.

    ``timeout`` counts from the first time the task is deferred. The default is a week, unless
    Airflow's ``[sensors] default_timeout`` is set. Neither a triggerer that takes over nor a retry
    extends it; clearing the task does. ``poke_interval``, ``mode`` and the other settings of how a
    sensor pokes have no effect here.

    :param export_id: the export to wait for; or
    :param export_ids: the exports to wait for. (templated, like all parameters up to
        ``endpoint_url``)
    :param aws_conn_id: the Airflow connection to *Amazon Web Services*. None: the settings that
        boto3 finds.
    :param region_name: the service's home region; None: that of the connection.
    :param verify: whether to verify the certificate, or the CA bundle to do it with.
    :param botocore_config: settings of botocore's client.
    :param endpoint_url: the URL of the service, for an emulator.
    :param include_download_url: whether the result has the presigned URLs of the archives. Anyone
        who can read the XCom, or the rendered template of a task that takes it, can download the
        archive until the URL expires. ``download_export`` does not need it.
    :param min_delay: the shortest time between two polls of an export, in seconds. Only tasks with
        the same delays, ``max_rate`` and ``not_found_timeout`` share their calls.
    :param max_delay: the longest such time, in seconds.
    :param relative_delay: the time between two polls in proportion to the export's age.
    :param max_rate: how many calls to make per second, at most, for all tasks that share them; None
        for any number.
    :param not_found_timeout: how many seconds the service may not know an export before that counts
        as final.
    """

    template_fields: Collection[str] = ("export_id", "export_ids", *DiscoveryTask.settings_fields)
    timeout_error: type[AirflowException] = AirflowSensorTimeout

    def __init__(
        self,
        *,
        export_id: str | None = None,
        export_ids: Iterable[str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        endpoint_url: str | None = None,
        include_download_url: bool = False,
        min_delay: float = 10.0,
        max_delay: float = 300.0,
        relative_delay: float = 0.01,
        max_rate: float | None = 1.0,
        not_found_timeout: float = 60.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (export_id is None) == (export_ids is None):
            raise ValueError("give either an export_id or export_ids")
        check_delays(min_delay, max_delay, not_found_timeout, relative_delay, max_rate)
        self.export_id = export_id
        self.export_ids = export_ids
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.endpoint_url = endpoint_url
        self.include_download_url = include_download_url
        self.min_delay = min_delay
        self.max_delay = max_delay
        self.relative_delay = relative_delay
        self.max_rate = max_rate
        self.not_found_timeout = not_found_timeout

    def execute(self, context: "Context") -> Any:
        """Defer the task."""
        try:
            ids = check_ids([self.export_id] if self.export_ids is None else self.export_ids)
            for export_id in ids:
                check_rendered("export_id", export_id)
        except (ValueError, AirflowFailException) as error:
            # As Airflow does with errors of a deferred sensor.
            skips = self.soft_fail or self.never_fail
            raise (AirflowSkipException if skips else AirflowFailException)(str(error)) from None
        if not ids:
            return {}
        record = Record(context)
        deadline = record.deadline(self.timeout)
        record.save(deadline=deadline)
        logger.info("waiting for %d export(s), the first is %s", len(ids), ids[0])
        trigger = self.make_trigger(ids, deadline)
        return self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> Any:
        """Return the trigger's result."""
        exports = self.take(event, context)
        return exports if self.export_ids is not None else exports[self.export_id or ""]
