"""What passes by itself is waited out: a clock that is wrong, credentials that are missing.

The places that are affected:

- a clock that was wrong once, or stays so,
- credentials that cannot be obtained for a while, or at all,
- refusals of the source of the credentials, which are not refused ids,
- failures of other kinds and times without waits, which do not count.
"""

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError
from support.scripted import EVENT
from support.virtual import VirtualService, fail_until, run_virtual, service_error

import aiodiscovery
from aiodiscovery import BatchDeleteWatcher, ExportWatcher
from aiodiscovery._client.answers import UndecodableAnswerError

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

virtual_only = pytest.mark.usefixtures("longest_delays")


# The clock, and credentials


def signed_at_a_wrong_time(code: str, message: str) -> ClientError:
    error = service_error(code, 403)
    error.response.setdefault("Error", {})["Message"] = message
    return error


WRONG_TIMES = [
    signed_at_a_wrong_time("InvalidSignatureException", "Signature expired: 1 is now earlier than"),
    signed_at_a_wrong_time("InvalidSignatureException", "Signature not yet current: 9 is still"),
    signed_at_a_wrong_time("SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2"),
    signed_at_a_wrong_time("RequestExpired", "Request has expired."),
    signed_at_a_wrong_time("RequestTimeTooSkewed", "The difference is too large."),
]


@virtual_only
@pytest.mark.parametrize("error", WRONG_TIMES, ids=str)
def test_a_clock_that_was_wrong_once_ends_no_wait(error: ClientError) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = lambda call: error if 20 < call.time < 60 else None
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
@pytest.mark.parametrize("error", WRONG_TIMES, ids=str)
def test_a_clock_that_stays_wrong_is_named(error: ClientError) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = lambda call: error
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="clock of this machine"):
                await watcher.wait(export_id)
        assert 60 <= anyio.current_time() < 300

    run_virtual(scenario)


CREDENTIALS = CredentialRetrievalError(provider="custom-process", error_msg="secret")


@virtual_only
def test_credentials_that_are_away_for_a_while_end_no_wait() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = fail_until(1800, CREDENTIALS)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
def test_credentials_that_stay_away_are_explained() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: CREDENTIALS
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="credential_process") as raised:
                await watcher.wait("export-1")
        assert "secret" not in str(raised.value)
        assert anyio.current_time() >= 3600

    run_virtual(scenario)


UNREACHABLE = EndpointConnectionError(endpoint_url="https://discovery.invalid")


@virtual_only
@pytest.mark.parametrize("error", [WRONG_TIMES[0], CREDENTIALS], ids=["clock", "credentials"])
@pytest.mark.parametrize("before", [UNREACHABLE, service_error("ServiceUnavailable", 503)], ids=str)
def test_how_long_calls_failed_for_another_reason_does_not_count(
    error: Exception, before: Exception
) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        failures = iter([error])
        virtual.failing = lambda call: before if call.time < 5000 else next(failures, None)
        async with ExportWatcher(client) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
@pytest.mark.parametrize("error", [WRONG_TIMES[0], CREDENTIALS], ids=["clock", "credentials"])
def test_a_time_in_which_nobody_waited_does_not_count(error: Exception) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        failures = iter([error] * 3)
        virtual.failing = lambda call: next(failures, None)
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.ExportTimeoutError):
                await watcher.wait(export_id, timeout=0.1)
            await anyio.sleep(86400)
            await watcher.wait(export_id)

    run_virtual(scenario)


@virtual_only
@pytest.mark.parametrize(
    ("error", "advice"),
    [(WRONG_TIMES[0], "clock of this machine"), (CREDENTIALS, "credential_process")],
    ids=["clock", "credentials"],
)
def test_what_stays_ends_the_waits_for_what_is_asked_for_alone_too(
    error: Exception, advice: str
) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export()
        undecodable = UndecodableAnswerError("what")
        virtual.failing = lambda call: undecodable if call.time < 20 else error
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match=advice):
                await watcher.wait(export_id, timeout=10_000)

    run_virtual(scenario)


@virtual_only
def test_without_patience_for_what_is_unknown_a_wrong_clock_is_waited_out_too() -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        export_id = virtual.add_export(duration=100)
        virtual.failing = fail_until(20, WRONG_TIMES[0])
        async with ExportWatcher(client, not_found_timeout=0) as watcher:
            await watcher.wait(export_id)

    run_virtual(scenario)


def of_a_role(code: str, status: int = 400) -> ClientError:
    """Make an error of a source of credentials."""
    error = service_error(code, status)
    return ClientError(error.response, "AssumeRole")


@virtual_only
@pytest.mark.parametrize("code", ["ValidationError", "ResourceNotFoundException", "PackedPolicy"])
def test_what_the_source_of_the_credentials_refuses_is_no_id(code: str) -> None:
    async def scenario(client: Any, virtual: VirtualService) -> None:
        virtual.failing = lambda call: of_a_role(code)
        async with ExportWatcher(client) as watcher:
            with pytest.raises(aiodiscovery.PollingError, match="credentials come from") as raised:
                await watcher.wait_all(["export-1", "export-2"])
        assert raised.value.job_ids == ()

    assert len(run_virtual(scenario).calls) == 1


@pytest.mark.anyio
async def test_what_the_source_of_the_credentials_does_not_know_is_no_task(
    client: "Client",
) -> None:
    def refuse(**_: Any) -> None:
        raise of_a_role("ResourceNotFoundException")

    client.meta.events.register(EVENT, refuse)

    async with BatchDeleteWatcher(client, not_found_timeout=0) as watcher:
        with pytest.raises(aiodiscovery.PollingError, match="credentials come from"):
            await watcher.wait("1")
