"""The wire protocol: the answers to well-formed and other requests."""

import http.client
import json
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiodiscovery.emulator import Emulator, RecordedRequest
from aiodiscovery.emulator._requests import RequestLog
from aiodiscovery.emulator._service import OPERATIONS

if TYPE_CHECKING:
    from types_boto3_discovery import ApplicationDiscoveryServiceClient

PREFIX = "AWSPoseidonService_V2015_11_01."


def outcome(answer: Any) -> tuple[int, str | None]:
    return answer.status, answer.error


def test_an_answer_is_aws_json_with_a_request_id(post: Callable[..., Any]) -> None:
    answer = post("DescribeTags", {"maxResults": 1})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-RequestId"]
    assert isinstance(answer.json["tags"][0]["timeOfCreation"], float)


def test_an_error_is_aws_json_with_a_request_id(post: Callable[..., Any]) -> None:
    answer = post("DescribeTags", {"maxResults": 0})
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-RequestId"]
    assert answer.json == {
        "__type": "InvalidParameterValueException",
        "message": "maxResults must be between 1 and 100, not 0.",
    }


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("Bearer abc", "MissingAuthenticationTokenException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=AKID", "IncompleteSignatureException"),
    ],
)
def test_a_request_must_be_signed(
    post: Callable[..., Any], authorization: str | None, code: str
) -> None:
    answer = post("DescribeTags", headers={"Authorization": authorization})
    assert outcome(answer) == (400, code)


@pytest.mark.parametrize(
    "target",
    [None, "", "DescribeTags", PREFIX, PREFIX + "DescribeEverything", "Other.DescribeTags"],
)
def test_an_unknown_operation_is_refused(post: Callable[..., Any], target: str | None) -> None:
    answer = post("", headers={"X-Amz-Target": target})
    assert outcome(answer) == (400, "UnknownOperationException")


def test_an_operation_that_is_not_emulated_says_so(
    client: "ApplicationDiscoveryServiceClient",
) -> None:
    with pytest.raises(client.exceptions.ClientError, match="this emulator does not"):
        client.get_discovery_summary()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe{\x00}\x00",
        b'{"maxResults": "10"}',
        b'{"maxResults": 1.5}',
        b'{"maxResults": true}',
        b'{"maxResults": 1e999}',
        b'{"maxResults": NaN}',
        b'{"maxResults": 2147483648}',
        b'{"maxResults": ' + b"9" * 5000 + b"}",
        b'{"nextToken": 5}',
        b'{"exportIds": "export-1"}',
        b'{"exportIds": {"0": "export-1"}}',
        b'{"exportIds": [null]}',
        b'{"filters": ["agentIds"]}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
    ],
)
def test_a_body_of_the_wrong_form_is_refused(post: Callable[..., Any], body: bytes) -> None:
    answer = post("DescribeExportTasks", body=body)
    assert outcome(answer) == (400, "SerializationException")


@pytest.mark.parametrize(
    "parameters",
    [
        {"startTime": "2026-01-05T00:00:00Z"},
        {"startTime": 1e15},
        {"startTime": True},
        {"preferences": {"ec2RecommendationsPreferences": {"enabled": "yes"}}},
        {
            "preferences": {
                "ec2RecommendationsPreferences": {
                    "cpuPerformanceMetricBasis": {"percentageAdjust": 10**400}
                }
            }
        },
    ],
)
def test_a_member_of_the_wrong_type_is_refused(
    post: Callable[..., Any], parameters: dict[str, Any]
) -> None:
    assert outcome(post("StartExportTask", parameters)) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("operation", "parameters", "says"),
    [
        ("ListConfigurations", {}, "configurationType"),
        ("ListConfigurations", {"configurationType": "ROUTER"}, "configurationType"),
        ("ListConfigurations", {"configurationType": None}, "must not be null"),
        ("DescribeAgents", {"agentIds": ["short"]}, "agentIds[0]"),
        ("DescribeAgents", {"agentIds": ["o-0123456789abcdef0-too-long"]}, "agentIds[0]"),
        ("DescribeAgents", {"agentIds": ["with a blank"]}, "agentIds[0]"),
        ("DescribeTags", {"filters": [{"name": "tagKey"}]}, "filters[0].values"),
        ("DescribeImportTasks", {"filters": [{"name": "NAME", "values": []}]}, "length"),
        ("DescribeImportTasks", {"filters": [{"name": "COLOR", "values": ["red"]}]}, "one of"),
        ("DescribeImportTasks", {"filters": [{"name": "NAME"}]}, "values"),
        ("DescribeImportTasks", {"filters": [{"values": ["a"]}]}, "name"),
        ("StartExportTask", {"exportDataFormat": ["GRAPHML"]}, "CSV"),
    ],
)
def test_an_ill_formed_parameter_is_refused(
    post: Callable[..., Any], operation: str, parameters: dict[str, Any], says: str
) -> None:
    answer = post(operation, parameters)
    assert outcome(answer) == (400, "InvalidParameterException")
    assert says in answer.json["message"]


def test_a_number_out_of_its_range_is_refused(post: Callable[..., Any]) -> None:
    preferences = {"cpuPerformanceMetricBasis": {"percentageAdjust": 100.5}}
    answer = post(
        "StartExportTask", {"preferences": {"ec2RecommendationsPreferences": preferences}}
    )
    assert outcome(answer) == (400, "InvalidParameterValueException")


@pytest.mark.parametrize(
    "preferences", [{}, {"ec2RecommendationsPreferences": None}, {"unknown": {}}]
)
def test_preferences_have_exactly_one_member(
    post: Callable[..., Any], preferences: dict[str, Any]
) -> None:
    answer = post("StartExportTask", {"preferences": preferences})
    assert outcome(answer) == (400, "InvalidParameterException")
    assert "'preferences' must have exactly one member" in answer.json["message"]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_ill_formed_parameter_is_refused_as_the_model_says_for_the_operation(
    client: "ApplicationDiscoveryServiceClient", post: Callable[..., Any], operation: str
) -> None:
    model = client.meta.service_model.operation_model(operation)
    # Each operation takes some of them.
    bad: dict[str, Any] = {"taskId": "?", "name": "", "exportDataFormat": ["x"], "agentIds": ["?"]}
    bad |= {"configurationType": "?", "exportIds": ["a b"], "filters": [{"name": "x" * 100_000}]}
    answer = post(operation, bad)
    assert answer.status == 400
    assert answer.error in {shape.name for shape in model.error_shapes}


def test_a_batch_delete_task_that_there_is_not_is_a_wrong_value(post: Callable[..., Any]) -> None:
    for task_id in ("00000000-0000-0000-0000-000000000000", "short", "?" * 200, ""):
        answer = post("DescribeBatchDeleteConfigurationTask", {"taskId": task_id})
        assert outcome(answer) == (400, "InvalidParameterValueException")


def test_preferences_that_fit_the_model_are_accepted(post: Callable[..., Any]) -> None:
    preferences = {"enabled": True, "cpuPerformanceMetricBasis": {"percentageAdjust": 50}}
    answer = post(
        "StartExportTask", {"preferences": {"ec2RecommendationsPreferences": preferences}}
    )
    assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"unknown": [1, 2], "maxResults": 1}',
        b'{"maxResults": "many", "maxResults": 1}',
        b'{"nextToken": null, "maxResults": 1}',
        b'{"\\ud800": "\\udfff", "maxResults": 1}',
    ],
)
def test_what_the_service_does_not_look_at_does_no_harm(
    post: Callable[..., Any], body: bytes
) -> None:
    assert len(post("DescribeExportTasks", body=body).json["exportsInfo"]) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PUT", "/"), ("POST", "/else"), ("GET", "/archives"), ("DELETE", "/a/../b")],
)
def test_there_is_nothing_anywhere_else(
    emulator: Emulator, send: Callable[..., Any], method: str, path: str
) -> None:
    assert send(emulator.endpoint_url, method, path).status == 404
    assert emulator.requests == ()


def test_a_huge_body_is_refused(post: Callable[..., Any]) -> None:
    answer = post("DescribeTags", body=b" " * (1024 * 1024 + 1))
    assert outcome(answer) == (413, "RequestEntityTooLargeException")


def test_a_body_that_breaks_off_in_its_chunks_is_refused(emulator: Emulator) -> None:
    head = (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: {PREFIX}DescribeTags\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    answer = talk(emulator, head.encode() + b"2\r\n{}\r\nnonsense\r\n\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0], answer


@pytest.mark.parametrize(
    "garbage",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_bad_request_and_leaves_no_log_line(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    caplog.set_level(logging.INFO)
    assert b" 400 " in talk(emulator, garbage).partition(b"\r\n")[0]
    assert caplog.records == []


def test_a_client_that_goes_away_in_the_middle_leaves_no_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with Emulator() as emulator:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
        assert talk(emulator, head, leave=True) == b""
    assert emulator.requests == ()
    assert caplog.records == []


def talk(emulator: Emulator, data: bytes, *, leave: bool = False) -> bytes:
    """Send bytes and read the head of an answer, or, on leaving, until the other end closes."""
    address = urlsplit(emulator.endpoint_url)
    with socket.create_connection((str(address.hostname), address.port or 0), 30) as connection:
        connection.sendall(data)
        if leave:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while (leave or b"\r\n\r\n" not in received) and (chunk := connection.recv(65536)):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def test_requests_are_recorded_in_the_order_they_came(
    emulator: Emulator, post: Callable[..., Any]
) -> None:
    user_agent = {"User-Agent": "tester/1"}
    post("DescribeTags", {"maxResults": 2, "hint": "kept"}, headers=user_agent)
    post("DescribeTags", {"maxResults": 0})
    post("CreateTags")
    post("", headers={"X-Amz-Target": None, "Authorization": None}, body=b"nonsense")
    assert emulator.requests == (
        RecordedRequest("DescribeTags", {"maxResults": 2, "hint": "kept"}, "tester/1", 200, None),
        RecordedRequest(
            "DescribeTags", {"maxResults": 0}, "", 400, "InvalidParameterValueException"
        ),
        RecordedRequest("CreateTags", {}, "", 400, "UnknownOperationException"),
        RecordedRequest(None, {}, "", 400, "MissingAuthenticationTokenException"),
    )
    emulator.clear_requests()
    assert len(emulator.requests) == 0


def test_a_request_that_was_cleared_meanwhile_does_not_come_back() -> None:
    log = RequestLog()
    number = log.add(RecordedRequest("DescribeTags", {}, ""))
    log.clear()
    log.close(number, 200, None)
    assert log.snapshot() == ()


def test_requests_are_kept_as_far_as_there_is_memory() -> None:
    log = RequestLog(size=10_000)
    for number in range(20):
        log.add(RecordedRequest(str(number), {"exportIds": ["x" * 1000]}, ""))
    kept = [request.operation for request in log.snapshot()]
    assert kept == [str(number) for number in range(20)][-len(kept) :]
    assert 5 <= len(kept) < 10
    log.add(RecordedRequest("last", {"x": "x" * 20_000}, ""))
    assert log.snapshot() == ()
    log.clear()
    log.add(RecordedRequest("again", {}, ""))
    assert len(log.snapshot()) == 1


@pytest.mark.parametrize("operation", ["DescribeTags", "CreateTags"])
def test_the_parameters_of_a_huge_request_are_not_kept(
    emulator: Emulator, post: Callable[..., Any], operation: str
) -> None:
    post(operation, body=b'{"x": [' + b"[]," * 300_000 + b"[]]}")
    post(operation, {"x": ["y" * 45] * 1000})
    huge, large = emulator.requests
    assert (huge.operation, huge.parameters) == (operation, {})
    assert len(large.parameters["x"]) == 1000


def test_only_the_newest_requests_are_kept() -> None:
    log = RequestLog(capacity=2)
    for number in range(3):
        log.close(log.add(RecordedRequest(str(number), {}, "")), 200, None)
    assert [request.operation for request in log.snapshot()] == ["1", "2"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
members = st.dictionaries(
    st.sampled_from(
        [
            "agentIds",
            "configurationType",
            "endTime",
            "exportDataFormat",
            "exportIds",
            "filters",
            "maxResults",
            "nextToken",
            "orderBy",
            "preferences",
            "startTime",
        ]
    ),
    json_values
    | st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["agentIds", "tagKey", "STATUS", "server.hostName", "x"]),
                "values": st.lists(st.text(max_size=5)),
            },
            optional={"condition": st.sampled_from(["EQUALS", "CONTAINS", "GE", "x"])},
        ),
        max_size=3,
    ),
)
bodies = st.binary() | (members | json_values).map(lambda value: json.dumps(value).encode())
operations = st.sampled_from(
    [
        "DescribeAgents",
        "DescribeContinuousExports",
        "DescribeExportConfigurations",
        "DescribeExportTasks",
        "DescribeImportTasks",
        "DescribeTags",
        "ListConfigurations",
        "StartExportTask",
        "CreateTags",
        "\xe9",
    ]
)
header_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=bodies,
    operation=operations,
    method=st.sampled_from(["POST", "POST", "POST", "POST", "GET", "PUT", "HEAD", "OPTIONS"]),
    path=st.sampled_from(["/", "/", "/", "/archives/x.zip", "/archives/%ff?X-Amz-Signature=%ff"]),
    extra=st.dictionaries(
        st.sampled_from(
            ["Authorization", "User-Agent", "Content-Type", "Content-Encoding", "X-Other"]
        ),
        header_values,
        max_size=2,
    ),
)
def test_no_request_is_answered_with_a_500_or_logged(
    emulator: Emulator,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    operation: str,
    method: str,
    path: str,
    extra: dict[str, str],
) -> None:
    caplog.set_level(logging.INFO)
    address = urlsplit(emulator.endpoint_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    headers = {
        "X-Amz-Target": PREFIX + operation,
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260105/us-west-2/discovery/"
        f"aws4_request, SignedHeaders=host, Signature={'0' * 64}",
        **extra,
    }
    try:
        connection.request(method, path, body, {k: v.encode("latin-1") for k, v in headers.items()})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    assert response.status < 500
    if path == "/" and method != "HEAD" and response.headers["x-amzn-RequestId"]:
        assert isinstance(json.loads(answer), dict)
    assert caplog.records == []
    emulator.clear_requests()
