"""How create_client's clients decode the service's answers: the same as botocore, in UTC."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import botocore.parsers
import pytest
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentials
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.httpxsession import HttpxSession
from aiobotocore.parsers import AioResponseParserFactory
from aiobotocore.session import AioSession, get_session
from anyio.from_thread import start_blocking_portal
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from hypothesis import given, settings
from support.answers import (
    GARBAGE,
    ODD_TIMESTAMPS,
    OPERATIONS,
    SERVICE,
    Body,
    answers,
    damaged,
    error_bodies,
    garbage,
    headers,
    sample,
    statuses,
    with_one_other,
)

import aiodiscovery
from aiodiscovery.emulator import Emulator

KWARGS: dict[str, Any] = {
    "region_name": "us-west-2",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
    # The operations are called once, without the parameters that they need.
    "config": Config(parameter_validation=False, retries={"total_max_attempts": 1}),
}


def botocore_s_client(session: AioSession, emulator: Emulator, backend: str) -> Any:
    """Create a client in the session itself."""
    chosen: Any = HttpxSession if backend == "trio" else AIOHTTPSession
    config = AioConfig(http_session_cls=chosen)
    return session.create_client("discovery", config=config, **emulator.client_kwargs)


async def outcome(
    client: Any, operation: str, body: bytes, status: int = 200, headers: Any = None
) -> tuple[Any, ...]:
    """Call the operation, answer it in place of the network, and return the result."""

    if headers is None:
        headers = {"x-amzn-requestid": "request-1"}

    def answer(**_: Any) -> AioAWSResponse:
        return AioAWSResponse("http://127.0.0.1", status, headers, Body(body))

    methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    event = f"before-send.application-discovery-service.{operation}"
    client.meta.events.register(event, answer)
    try:
        return ("returned", await getattr(client, methods[operation])())
    except ClientError as error:
        return ("raised", type(error), str(error), error.response)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other client must do the same
        return ("raised", type(error), str(error))
    finally:
        client.meta.events.unregister(event, answer)


def comparable(value: Any) -> Any:
    """Distinguish values and types that == does not, but not the time zones of one instant."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        # The difference, because some of them are out of range in UTC.
        return ("instant", aware - datetime(2000, 1, 1, tzinfo=UTC))
    return (type(value).__name__, repr(value))


def datetimes(value: Any) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from datetimes(item)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the zone of the machine."""

    def choose(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield choose
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="module")
def machine_in_utc() -> Iterator[None]:
    """botocore's conversions through the machine's time zone have limits elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


class Pair:
    """Our client and one that the same session made, and how each decodes the same answer."""

    def __init__(self, portal: Any, ours: Any, botocores: Any) -> None:
        self.portal = portal
        self.ours = ours
        self.botocores = botocores

    def check(self, operation: str, body: bytes, status: int = 200, headers: Any = None) -> None:
        """Both give the same result, and all timestamps of ours are in UTC."""
        expected = self.portal.call(outcome, self.botocores, operation, body, status, headers)
        actual = self.portal.call(outcome, self.ours, operation, body, status, headers)
        assert comparable(actual) == comparable(expected)
        assert {time.tzinfo for time in datetimes(actual) if 1 < time.year < 9999} <= {UTC}


@contextmanager
def opened_pair(session: AioSession) -> Iterator[Pair]:
    with start_blocking_portal("asyncio") as portal:
        ours = aiodiscovery.create_client(session=session, **KWARGS)
        botocores: Any = session.create_client("discovery", **KWARGS)
        with (
            portal.wrap_async_context_manager(ours) as our_client,
            portal.wrap_async_context_manager(botocores) as other_client,
        ):
            yield Pair(portal, our_client, other_client)


@pytest.fixture(scope="module")
def pair(session: AioSession, machine_in_utc: None) -> Iterator[Pair]:
    with opened_pair(session) as opened:
        yield opened


properties = settings(deadline=None, max_examples=30)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_full_answer_is_decoded_as_botocore_does(pair: Pair, operation: str) -> None:
    body = json.dumps(sample(SERVICE.operation_model(operation).output_shape, 3)).encode()

    pair.check(operation, body)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_another_type_in_any_place_is_taken_as_botocore_takes_it(
    pair: Pair, operation: str
) -> None:
    full = sample(SERVICE.operation_model(operation).output_shape, 1)

    for other in (None, True, 7, "ab", [], [None], {}, {"a": 1}):
        for answer in with_one_other(full, other):
            pair.check(operation, json.dumps(answer).encode())


@pytest.mark.parametrize("text", ODD_TIMESTAMPS)
def test_an_odd_timestamp_is_taken_as_botocore_takes_it(pair: Pair, text: str) -> None:
    pair.check("StopContinuousExport", f'{{"startTime": 1, "stopTime": {text}}}'.encode())


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_what_is_no_answer_is_taken_as_botocore_takes_it(pair: Pair, body: bytes) -> None:
    for operation in ("DescribeExportTasks", "DeleteTags"):
        pair.check(operation, body)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_as_the_model_has_it_is_decoded_as_botocore_does(
    pair: Pair, operation: str
) -> None:
    @properties
    @given(answers(operation, wild=False), headers)
    def check(body: bytes, headers: dict[str, str]) -> None:
        pair.check(operation, body, headers=headers)

    check()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_unlike_the_model_is_taken_as_botocore_takes_it(
    pair: Pair, operation: str
) -> None:
    @properties
    @given(answers(operation, wild=True) | damaged(answers(operation, wild=False)) | garbage)
    def check(body: bytes) -> None:
        pair.check(operation, body)

    check()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_error_is_raised_as_botocore_raises_it(pair: Pair, operation: str) -> None:
    @properties
    @given(error_bodies | garbage | answers(operation, wild=False), statuses, headers)
    def check(body: bytes, status: int, headers: dict[str, str]) -> None:
        pair.check(operation, body, status, headers)

    check()


def calls_into_botocore_s_parser(pair: Pair, operation: str, body: bytes) -> int:
    """Count Python's calls, which do not depend on timing."""
    count = 0

    def note(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename == botocore.parsers.__file__

    async def call() -> None:
        sys.setprofile(note)
        try:
            await outcome(pair.ours, operation, body)
        finally:
            sys.setprofile(None)

    pair.portal.call(call)
    return count


@pytest.mark.parametrize("operation", OPERATIONS)
def test_botocore_s_parser_has_nothing_to_do_with_the_items(pair: Pair, operation: str) -> None:
    shape = SERVICE.operation_model(operation).output_shape
    one, many = (json.dumps(sample(shape, length)).encode() for length in (1, 50))
    nothing = calls_into_botocore_s_parser(pair, "DeleteTags", b"{}")

    assert calls_into_botocore_s_parser(pair, operation, one) == nothing > 0
    assert calls_into_botocore_s_parser(pair, operation, many) == nothing


def test_nulls_and_new_members_leave_it_at_that(pair: Pair) -> None:
    page = sample(SERVICE.operation_model("DescribeExportTasks").output_shape, 50)
    page["exportsInfo"] = [
        export | {"statusMessage": None, "new": 1} for export in page["exportsInfo"]
    ]
    page["exportsInfo"] += [None]
    nothing = calls_into_botocore_s_parser(pair, "DeleteTags", b"{}")

    assert calls_into_botocore_s_parser(pair, "DescribeExportTasks", json.dumps(page).encode()) == (
        nothing
    )


class NewerModel(Loader):
    """Loads the service's model with one more member in the answer of StartExportTask."""

    def __init__(self, member: dict[str, Any], shapes: dict[str, Any]) -> None:
        super().__init__()
        self._member = member
        self._shapes = shapes

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        loaded: Any = super().load_service_model(service_name, type_name, api_version)
        if type_name == "service-2":
            loaded = deepcopy(loaded)
            loaded["shapes"]["StartExportTaskResponse"]["members"]["added"] = self._member
            loaded["shapes"] |= self._shapes
        return loaded


def structure(**members: str) -> dict[str, Any]:
    return {
        "type": "structure",
        "members": {name: {"shape": shape} for name, shape in members.items()},
    }


NEW_MEMBERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "blob": ({"shape": "New"}, {"New": {"type": "blob"}}, '"YWJj"'),
    "double": ({"shape": "New"}, {"New": {"type": "double"}}, "1.5"),
    "list of timestamps": (
        {"shape": "New"},
        {"New": {"type": "list", "member": {"shape": "TimeStamp"}}},
        "[1.5, null]",
    ),
    "map of timestamps": (
        {"shape": "New"},
        {"New": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "TimeStamp"}}},
        '{"a": 1.5}',
    ),
    "map of structures": (
        {"shape": "New"},
        {"New": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "ExportInfo"}}},
        '{"a": {"exportRequestTime": 1.5, "unknown": 1}}',
    ),
    "list of lists": (
        {"shape": "New"},
        {"New": {"type": "list", "member": {"shape": "ExportsInfo"}}},
        '[[{"exportRequestTime": 1.5, "unknown": 1}], null, []]',
    ),
    "structure in itself": (
        {"shape": "New"},
        {"New": structure(inner="New", at="TimeStamp")},
        '{"inner": {"inner": {"at": 1.5}, "unknown": 1}}',
    ),
    "other name on the wire": (
        {"shape": "String", "locationName": "Added"},
        {},
        '"x", "Added": "y"',
    ),
    "timestamp with another name on the wire": (
        {"shape": "TimeStamp", "locationName": "Added"},
        {},
        '1.5, "Added": 2.5',
    ),
    "timestamp in a format": (
        {"shape": "New"},
        {"New": {"type": "timestamp", "timestampFormat": "iso8601"}},
        '"2026-01-05T00:00:00Z"',
    ),
    "union": (
        {"shape": "New"},
        {"New": structure(a="String", b="TimeStamp") | {"union": True}},
        '{"c": 1.5}',
    ),
    "document": (
        {"shape": "New"},
        {"New": {"type": "structure", "members": {}, "document": True}},
        '{"a": [1.5]}',
    ),
}


@pytest.mark.parametrize("kind", NEW_MEMBERS)
def test_what_the_service_may_have_one_day_is_decoded_as_botocore_does(
    machine_in_utc: None, kind: str
) -> None:
    member, shapes, text = NEW_MEMBERS[kind]
    session = get_session()
    session.register_component("data_loader", NewerModel(member, shapes))

    with opened_pair(session) as pair:
        for value in (text, "null", "7", "{}", "[]", '""'):
            pair.check("StartExportTask", f'{{"exportId": "x", "added": {value}}}'.encode())


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Asia/Kolkata"])
async def test_timestamps_are_in_utc_in_any_zone(
    anyio_backend: str, emulator: Emulator, zone: Callable[[str], None], name: str
) -> None:
    zone(name)
    session = get_session()
    async with (
        aiodiscovery.create_client(session=session, **emulator.client_kwargs) as ours,
        botocore_s_client(session, emulator, anyio_backend) as botocores,
    ):
        listed = (await ours.describe_export_tasks())["exportsInfo"]
        expected = (await botocores.describe_export_tasks())["exportsInfo"]

    assert {export["exportRequestTime"].tzinfo for export in listed} == {UTC}
    assert [export["exportRequestTime"] for export in listed] == [
        export["exportRequestTime"] for export in expected
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text",
    [
        "1767571200",
        "1767571200.0",
        '"1767571200"',
        '"2026-01-05T00:00:00Z"',
        '"2026-01-05T00:00:00"',
        '"2026-01-05T02:00:00+02:00"',
        '"Mon, 05 Jan 2026 00:00:00 GMT"',
    ],
)
async def test_each_form_of_a_timestamp_becomes_utc(
    anyio_backend: str, zone: Callable[[str], None], text: str
) -> None:
    zone("America/New_York")
    async with aiodiscovery.create_client(**KWARGS) as client:
        _, answer = await outcome(
            client, "StopContinuousExport", b'{"stopTime": %b}' % text.encode()
        )

    assert answer["stopTime"] == datetime(2026, 1, 5, tzinfo=UTC)
    assert answer["stopTime"].tzinfo is UTC


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize("name", ["America/New_York", "Asia/Kolkata"])
async def test_the_first_and_the_last_timestamp_do_not_depend_on_the_zone(
    anyio_backend: str, zone: Callable[[str], None], name: str, kind: Any
) -> None:
    zone(name)
    body = json.dumps({"startTime": kind(-62135596800), "stopTime": kind(253402300799)})
    async with aiodiscovery.create_client(**KWARGS) as client:
        _, answer = await outcome(client, "StopContinuousExport", body.encode())

    assert answer["startTime"] == datetime(1, 1, 1, tzinfo=UTC)
    assert answer["stopTime"] == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
async def test_a_timestamp_that_utc_has_no_date_for_stays_in_its_zone(
    anyio_backend: str, text: str
) -> None:
    body = f'{{"stopTime": "{text}"}}'.encode()
    async with aiodiscovery.create_client(**KWARGS) as client:
        _, answer = await outcome(client, "StopContinuousExport", body)

    assert answer["stopTime"].isoformat() == text


@pytest.mark.anyio
async def test_other_clients_of_the_session_stay_as_they_are(
    anyio_backend: str, emulator: Emulator, zone: Callable[[str], None]
) -> None:
    zone("America/New_York")
    session = get_session()
    factory = session.get_component("response_parser_factory")
    async with (
        botocore_s_client(session, emulator, anyio_backend) as before,
        aiodiscovery.create_client(session=session, **emulator.client_kwargs) as ours,
        botocore_s_client(session, emulator, anyio_backend) as after,
    ):
        offsets = [
            (await client.describe_export_tasks())["exportsInfo"][0][
                "exportRequestTime"
            ].utcoffset()
            for client in (before, ours, after)
        ]

    assert offsets[0] == offsets[2] != offsets[1]
    assert session.get_component("response_parser_factory") is factory
    assert type(factory) is AioResponseParserFactory
    assert vars(factory) == vars(AioResponseParserFactory())
    assert type(session) is AioSession


class Provider:
    """Returns credentials, and counts how many times."""

    def __init__(self) -> None:
        self.loads = 0

    async def load_credentials(self) -> Any:
        self.loads += 1
        return AioCredentials("testing", "testing")


@pytest.mark.anyio
async def test_the_session_fetches_its_credentials_once(anyio_backend: str) -> None:
    session = get_session()
    provider = Provider()
    session.register_component("credential_provider", provider)

    for _ in range(2):
        async with aiodiscovery.create_client(session=session, region_name="us-west-2"):
            pass

    assert await session.get_credentials()
    assert provider.loads == 1


@pytest.mark.anyio
async def test_a_session_of_a_class_of_its_own_creates_the_client(anyio_backend: str) -> None:
    asked = []

    class Own(AioSession):
        def get_component(self, name: str) -> Any:
            asked.append(name)
            return super().get_component(name)

        def create_client(self, *args: Any, **kwargs: Any) -> Any:
            return super().create_client(*args, **kwargs | {"region_name": "eu-central-1"})

    async with aiodiscovery.create_client(session=Own(), **KWARGS) as client:
        _, answer = await outcome(client, "StopContinuousExport", b'{"stopTime": 1}')

    assert client.meta.region_name == "eu-central-1"
    assert "data_loader" in asked
    assert answer["stopTime"].tzinfo is UTC


@pytest.mark.anyio
async def test_parser_defaults_of_the_caller_s_own_are_kept(anyio_backend: str) -> None:
    session = get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)

    async with aiodiscovery.create_client(session=session, **KWARGS) as client:
        _, answer = await outcome(client, "StopContinuousExport", b'{"stopTime": 1}')

    assert answer["stopTime"] == "1"


@pytest.mark.anyio
async def test_a_parser_factory_of_the_caller_s_own_is_kept(anyio_backend: str) -> None:
    class Own(AioResponseParserFactory):
        def create_parser(self, protocol_name: str) -> Any:
            created.append(protocol_name)
            return super().create_parser(protocol_name)

    created: list[str] = []
    session = get_session()
    session.register_component("response_parser_factory", Own())

    async with aiodiscovery.create_client(session=session, **KWARGS) as client:
        await outcome(client, "DeleteTags", b"{}")

    assert created == ["json"]
