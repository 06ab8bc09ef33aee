"""What the emulator's tests share: an emulator, a boto3 client and bare HTTP."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260105/us-west-2/discovery/aws4_request, "
    f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
)


@dataclass
class Answer:
    """An HTTP response that has been read."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str | None:
        code: str | None = self.json.get("__type")
        return code


def _send(
    endpoint_url: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    address = urlsplit(endpoint_url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.msg, response.read())
    finally:
        connection.close()


def _call(
    endpoint_url: str,
    operation: str,
    parameters: object = None,
    *,
    body: bytes | None = None,
    headers: dict[str, str | None] | None = None,
) -> Answer:
    """Call an operation without a client. A header that is None is left out."""
    if body is None:
        body = json.dumps({} if parameters is None else parameters).encode()
    all_headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AWSPoseidonService_V2015_11_01.{operation}",
        "Authorization": AUTHORIZATION,
        **(headers or {}),
    }
    given = {name: value for name, value in all_headers.items() if value is not None}
    return _send(endpoint_url, "POST", "/", body, given)


@pytest.fixture
def send() -> Callable[..., Answer]:
    """Send any HTTP request: endpoint URL, method, path, body, headers."""
    return _send


@pytest.fixture
def call() -> Callable[..., Answer]:
    """Call an operation of any emulator: endpoint URL, operation, parameters."""
    return _call


@pytest.fixture
def connect() -> "Iterator[Callable[[Emulator], ApplicationDiscoveryServiceClient]]":
    """Make boto3 clients, which do not retry and are closed after the test."""
    with ExitStack() as stack:

        def connect(emulator: Emulator) -> "ApplicationDiscoveryServiceClient":
            config = Config(retries={"total_max_attempts": 1}, read_timeout=30)
            client = boto3.client("discovery", **emulator.client_kwargs, config=config)
            return stack.enter_context(closing(client))

        yield connect


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Run an emulator whose exports run until they are ended."""
    with Emulator(export_duration=None) as emulator:
        yield emulator


@pytest.fixture
def client(
    emulator: Emulator, connect: "Callable[[Emulator], ApplicationDiscoveryServiceClient]"
) -> "ApplicationDiscoveryServiceClient":
    """Make a boto3 client of the emulator."""
    return connect(emulator)


@pytest.fixture
def post(emulator: Emulator) -> Callable[..., Answer]:
    """Call an operation of the emulator without a client."""
    return partial(_call, emulator.endpoint_url)
