"""Credentials whose source fails: an error of botocore's kind, and waits that outlast it.

The kind of fault: botocore passes on whatever the source of credentials raises. That may be
anything, and may hold what the source printed. Each call signs its request, and all calls go
through one function. Here it is tried with listings, ``start_export()`` and watchers, with clients
of ``create_client()`` and of aiobotocore. The sources are a ``credential_process`` that does not
print JSON, or prints other JSON, bytes that are not text, or nothing, one that fails, and one that
does not exist; one whose credentials have expired; and the caller's own source.
"""

import json
import os
import time
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError
from support.clients import Maker

import aiodiscovery
from aiodiscovery import ExportWatcher
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client

pytestmark = pytest.mark.anyio

#: Stands for the output of a source.
SECRET = "hush-hush"


class Source:
    """A ``credential_process`` whose credentials must be refreshed before each request."""

    def __init__(self, folder: Path) -> None:
        self._output = folder / "output"
        self._program = folder / "program"
        self.config = folder / "config"
        self.config.write_text(f"[default]\ncredential_process = {self._program}\n")
        self.repair()

    def print(self, output: bytes, status: int = 0) -> None:
        """Have it print this."""
        self._output.write_bytes(output)
        self._program.write_text(f"#!/bin/sh\ncat {self._output}\nexit {status}\n")
        self._program.chmod(0o700)

    def remove(self) -> None:
        self._program.unlink()

    def forbid(self) -> None:
        self._program.chmod(0o600)

    def repair(self, valid: float = 300) -> None:
        """Have it print credentials."""
        expires = datetime.now(UTC) + timedelta(seconds=valid)
        credentials = {
            "Version": 1,
            "AccessKeyId": "testing",
            "SecretAccessKey": SECRET,
            "SessionToken": SECRET,
            "Expiration": expires.isoformat(),
        }
        self.print(json.dumps(credentials).encode())


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source(tmp_path)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(made.config))
    return made


def new_session(backend: str, session: AioSession) -> AioSession:
    """Return a session without credentials so far, which has read the service's model."""
    made = get_session()
    made.register_component("data_loader", session.get_component("data_loader"))
    if backend == "trio":
        httpx_session: Any = HttpxSession
        made.set_default_client_config(AioConfig(http_session_cls=httpx_session))
    return made


@pytest.fixture(params=["ours", "aiobotocore's"])
def own_maker(
    request: pytest.FixtureRequest, anyio_backend: str, session: AioSession, source: Source
) -> Maker:
    """A session whose clients have the credentials of that process."""
    own = new_session(anyio_backend, session)
    return Maker(request.param, anyio_backend, own, with_keys=False)


@pytest.fixture
async def its_client(own_maker: Maker, emulator: Emulator) -> "AsyncIterator[Client]":
    async with own_maker.open(emulator) as opened:
        yield opened


FAILURES: dict[str, Callable[[Source], None]] = {
    "no JSON": lambda source: source.print(b"hush-hush: sign in first"),
    "nothing": lambda source: source.print(b""),
    "no text": lambda source: source.print(b"\xff\xfe"),
    "null": lambda source: source.print(b"null"),
    "a list": lambda source: source.print(b'["hush-hush"]'),
    "no keys": lambda source: source.print(b'{"Version": 1}'),
    "no time": lambda source: source.print(
        b'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "hush-hush", "Expiration": "x"}'
    ),
    "another version": lambda source: source.print(b'{"Version": 2}'),
    "a failure": lambda source: source.print(b"", status=1),
    "not there": Source.remove,
    "not allowed": Source.forbid,
    "expired": lambda source: source.repair(valid=-60),
}


def listing(client: "Client") -> Any:
    paginator = aiodiscovery.get_paginator(client, "describe_export_tasks")
    return paginator.paginate(PaginationConfig={"PageSize": 10})


@pytest.mark.parametrize("kind", FAILURES)
async def test_it_is_an_error_of_botocore_s_kind_and_the_page_is_still_the_next(
    its_client: "Client", emulator: Emulator, source: Source, kind: str
) -> None:
    if kind == "not allowed" and os.geteuid() == 0:
        pytest.skip("root may do anything")
    pages = listing(its_client)
    iterator = aiter(pages)
    first = await anext(iterator)
    FAILURES[kind](source)

    with pytest.raises(CredentialRetrievalError) as caught:
        await anext(iterator)
    with pytest.raises(CredentialRetrievalError):
        await aiodiscovery.start_export(its_client)

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    source.repair()
    rest = [export["exportId"] async for page in iterator for export in page["exportsInfo"]]
    assert [export["exportId"] for export in first["exportsInfo"]] + rest == list(
        emulator.export_ids
    )


@pytest.mark.parametrize("kind", ["no JSON", "null", "a failure", "not there", "expired"])
async def test_a_wait_outlasts_it(
    its_client: "Client", emulator: Emulator, source: Source, kind: str
) -> None:
    export_id = emulator.add_export(duration=0)
    failed = 0

    def repair_later(**_: Any) -> None:
        nonlocal failed
        failed += 1
        if failed == 3:
            source.repair()

    its_client.meta.events.register("after-call-error", repair_later)
    FAILURES[kind](source)

    async with ExportWatcher(its_client, min_delay=0.01, max_delay=0.02) as watcher:
        info = await watcher.wait(export_id)

    assert info["exportStatus"] == "SUCCEEDED"
    assert failed == 3


async def test_a_source_of_the_caller_s_own_may_raise_anything(
    anyio_backend: str, session: AioSession, emulator: Emulator
) -> None:
    async def refresh() -> Any:
        raise LookupError(SECRET)

    class Provider:
        async def load_credentials(self) -> Any:
            return AioRefreshableCredentials(
                "testing",
                "testing",
                "",
                datetime.fromtimestamp(time.time() + 60, UTC),
                refresh,
                "own",
            )

    own = new_session(anyio_backend, session)
    own.register_component("credential_provider", Provider())
    async with Maker("ours", anyio_backend, own, with_keys=False).open(emulator) as client:
        with pytest.raises(CredentialRetrievalError, match="from own: LookupError") as caught:
            await listing(client).build_full_result()

    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_without_credentials_it_is_botocore_s_error(
    anyio_backend: str, session: AioSession, emulator: Emulator
) -> None:
    class NoProvider:
        async def load_credentials(self) -> Any:
            return None

    own = new_session(anyio_backend, session)
    own.register_component("credential_provider", NoProvider())
    async with Maker("ours", anyio_backend, own, with_keys=False).open(emulator) as client:
        with pytest.raises(NoCredentialsError):
            await listing(client).build_full_result()
