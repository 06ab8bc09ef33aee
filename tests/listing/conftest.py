"""Shared by the tests of listings: a listing that answers in the client itself."""

from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import AioSession
from support.scripted import ScriptedListing

import aiodiscovery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient as Client


@pytest.fixture
def scripted() -> ScriptedListing:
    return ScriptedListing([f"export-{number}" for number in range(20)])


@pytest.fixture
async def scripted_client(
    anyio_backend: str, session: AioSession, scripted: ScriptedListing
) -> "AsyncIterator[Client]":
    async with aiodiscovery.create_client(
        session=session,
        region_name="us-west-2",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ) as client:
        scripted.attach(client)
        yield client
