"""What all tests share: no AWS settings of the machine, both event loops, an emulator, a client."""

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from aiobotocore.endpoint import AioEndpoint
from aiobotocore.session import AioSession, get_session
from support.processes import forks_end_here

import aiodiscovery
from aiodiscovery.emulator import Emulator

# Before pytest_collection_finish(): when imported, it looks for what refers to an object of trio's.
if find_spec("hypothesis"):
    import hypothesis  # noqa: F401

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient


# Airflow has its own environment, see the session ``airflow`` in noxfile.py.
collect_ignore = [] if find_spec("airflow") else ["with_airflow"]


@pytest.fixture(autouse=True, scope="session")
def no_aws_settings_of_the_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    nowhere = str(tmp_path_factory.mktemp("aws") / "none")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "BOTO")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", nowhere)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        # Each client and process reads a bundle, and the usual one has a hundred certificates.
        bundle = str(Path(__file__).parent / "support/small_ca_bundle.pem")
        patch.setenv("AWS_CA_BUNDLE", bundle)
        patch.setenv("SSL_CERT_FILE", bundle)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take long. Otherwise one process runs them alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays until the end, such as the tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def botocore_tries_again_soon() -> Iterator[None]:
    """Shorten the time that botocore waits before it tries a request again, up to seconds."""

    async def sleep(self: AioEndpoint, sleep_amount: float) -> None:
        await anyio.sleep(sleep_amount / 50)

    with pytest.MonkeyPatch.context() as patch:
        # Private, because botocore has no setting for it. A change there fails all tests.
        for endpoint in ("AioEndpoint", "AnyioEndpoint"):
            patch.setattr(f"aiobotocore.endpoint.{endpoint}._sleep", sleep)
        yield


@pytest.fixture(autouse=True, scope="session")
def no_process_outlives_the_tests(no_aws_settings_of_the_machine: None) -> Iterator[None]:
    with forks_end_here():
        yield


@pytest.fixture(autouse=True, scope="session")
def interrupts_are_not_ignored() -> None:
    """Undo what a shell does to background jobs, because the command's processes inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    if backend == "trio":
        pytest.importorskip("trio")
    return backend


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def session(no_aws_settings_of_the_machine: None) -> AioSession:
    """One session for all clients, because each one reads the service's model from disk."""
    return get_session()


@pytest.fixture
async def client(
    anyio_backend: str, emulator: Emulator, session: AioSession
) -> "AsyncIterator[ApplicationDiscoveryServiceClient]":
    async with aiodiscovery.create_client(session=session, **emulator.client_kwargs) as opened:
        yield opened
