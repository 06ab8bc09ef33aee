"""Shared by the tests of clients: clients made in each possible way."""

from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import AioSession
from support.clients import Maker

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient


@pytest.fixture(params=["ours", "aiobotocore's"])
def maker(request: pytest.FixtureRequest, anyio_backend: str, session: AioSession) -> Maker:
    return Maker(request.param, anyio_backend, session)


@pytest.fixture
async def any_client(
    maker: Maker, emulator: Emulator
) -> "AsyncIterator[ApplicationDiscoveryServiceClient]":
    async with maker.open(emulator) as opened:
        yield opened
