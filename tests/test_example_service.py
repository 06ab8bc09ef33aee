"""The example of a web service, over HTTP, in a separate process.

It calls an emulator in the test's process in place of AWS, so that a test controls the exports and
sees each call.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import processes
from support.processes import Process

from aiodiscovery.emulator import Emulator, ForeignKind

pytest.importorskip("starlette", exc_type=ImportError)
pytest.importorskip("uvicorn", exc_type=ImportError)

SERVICE = Path(__file__).parents[1] / "examples" / "service.py"
#: How many seconds a test waits at most. Reached only if something is wrong.
PATIENCE = 60.0


class Answer(NamedTuple):
    status: int
    body: Any


class Service:
    """The service in its process."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self._port = port

    def ask(self, path: str, body: str | None = None, method: str | None = None) -> Answer:
        with self.open(path, body, method) as response:
            assert response.headers["Content-Type"] == "application/json"
            return Answer(response.status, json.load(response))

    @contextmanager
    def open(
        self, path: str, body: str | None = None, method: str | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method or "GET", path, body)
            with connection.getresponse() as response:
                yield response

    def connect(self, path: str) -> socket.socket:
        """Ask, and leave the answer to the caller."""
        connected = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        connected.sendall(f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
        return connected


def stop(process: Process, number: int = signal.SIGTERM) -> None:
    """Stop a service, and check that it stops without any complaint."""
    process.send_signal(number)
    _, complaints = process.communicate(timeout=PATIENCE)
    assert complaints == ""
    assert process.returncode == 0


@contextmanager
def running_service(
    *options: str, program: Path = SERVICE, **environment: str
) -> Iterator[Service]:
    if sys.platform == "win32":
        pytest.skip("there are no signals to stop it with")
    process = processes.start(
        *(str(program), "--port", "0", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            match = re.fullmatch(r"Listening at http://127\.0\.0\.1:(\d+)\n", line)
            if match is None:
                process.kill()
                pytest.fail(f"the service did not start: {process.communicate()}")
            yield Service(process, int(match[1]))
            if process.poll() is None:
                stop(process)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def service_of(emulator: Emulator, program: Path = SERVICE, **options: float) -> Iterator[Service]:
    """Run the service as for AWS, with the emulator in place of AWS."""
    options = {"min_delay": 0.05, "max_delay": 0.2, "max_rate": 1000, **options}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with running_service(
        "--region=us-west-2",
        *arguments,
        program=program,
        AWS_ENDPOINT_URL=emulator.endpoint_url,
        AWS_ACCESS_KEY_ID="emulator",
        AWS_SECRET_ACCESS_KEY="emulator",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def shared_emulator() -> Iterator[Emulator]:
    """Its exports run until the test ends them."""
    with Emulator(exports=0, export_duration=None) as running:
        yield running


@pytest.fixture(scope="module")
def shared_service(
    no_aws_settings_of_the_machine: None, shared_emulator: Emulator
) -> Iterator[Service]:
    """A single service for the tests that do not change it."""
    with service_of(shared_emulator, not_found_timeout=0.1) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.clear_faults()
    shared_emulator.clear_requests()
    return shared_emulator


@pytest.fixture
def service(emulator: Emulator, shared_service: Service) -> Service:
    return shared_service


def looks(emulator: Emulator) -> list[set[str]]:
    """Return the ids in each DescribeExportTasks call."""
    return [
        set(request.parameters["exportIds"])
        for request in emulator.requests
        if request.operation == "DescribeExportTasks"
    ]


def eventually(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up_at, "it never happened"
        time.sleep(0.01)


def next_event(stream: http.client.HTTPResponse) -> tuple[str, Any] | None:
    """Read one server-sent event; None at the end of the stream."""
    event = stream.readline().decode()
    while event.startswith(":"):
        stream.readline()
        event = stream.readline().decode()
    if not event:
        return None
    data, blank = stream.readline().decode(), stream.readline()
    assert blank == b"\n"
    return event.removeprefix("event: ").strip(), json.loads(data.removeprefix("data: "))


def test_with_an_emulator_of_its_own_it_starts_an_export_and_streams_its_events() -> None:
    with running_service("--min-delay=0.1", "--max-delay=0.5") as service:
        started = service.ask("/exports", method="POST")
        export_id = started.body["exportId"]

        with service.open(f"/exports/{export_id}/events") as stream:
            event = next_event(stream)
            stop(service.process)

    assert started == (202, {"exportId": export_id})
    assert event is not None
    assert event[1]["exportId"] == export_id


def test_an_export_that_was_started_is_awaited_until_it_has_succeeded(
    emulator: Emulator, service: Service
) -> None:
    with service.open("/exports", method="POST") as response:
        export_id, where = json.load(response)["exportId"], response.headers["Location"]

    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(service.ask, where)
        eventually(lambda: {export_id} in looks(emulator))
        assert not answer.done()
        emulator.finish_export(export_id)
        ended = answer.result(PATIENCE)

    assert (response.status, where) == (202, f"/exports/{export_id}")
    assert ended.status == 200
    assert ended.body["exportId"] == export_id
    assert ended.body["exportStatus"] == "SUCCEEDED"


def test_a_start_takes_an_agent(emulator: Emulator, service: Service) -> None:
    refused = service.ask("/exports", json.dumps({"agent_id": "agent-unknown"}), "POST")

    assert refused.status == 400
    assert "agent-unknown" in refused.body["error"]
    (request,) = emulator.requests
    assert request.parameters == {
        "filters": [{"name": "agentIds", "values": ["agent-unknown"], "condition": "EQUALS"}]
    }


@pytest.mark.parametrize(
    "body",
    [
        *("no JSON", "\xff", "[]", "null", '{"agent_id": 1}', '{"id": ""}', '{"agent_id": " "}'),
        *("[" * 9_000, '{"agent_id": "a", "more": 1}', '"' + "x" * 20_000 + '"'),
    ],
)
def test_a_start_with_a_body_that_makes_no_sense_starts_nothing(
    emulator: Emulator, service: Service, body: str
) -> None:
    assert service.ask("/exports", body, "POST").status == 400
    assert emulator.requests == ()


def test_a_start_that_the_service_refuses_is_a_bad_gateway(
    emulator: Emulator, service: Service
) -> None:
    emulator.inject_error(
        "OperationNotPermittedException", "Two a day.", operation="StartExportTask"
    )

    refused = service.ask("/exports", method="POST")

    assert refused.status == 502
    assert "Two a day." in refused.body["error"]


@pytest.mark.parametrize("kind", ["portal", "empty", "half", "object", "redirect", "unavailable"])
def test_a_start_that_something_else_answers_is_a_bad_gateway(
    emulator: Emulator, service: Service, kind: ForeignKind
) -> None:
    emulator.inject_foreign_answer(kind, operation="StartExportTask")

    assert service.ask("/exports", method="POST").status == 502


def test_an_agent_id_may_hold_what_utf_8_cannot(service: Service) -> None:
    # The service's message quotes it.
    refused = service.ask("/exports", r'{"agent_id": "agent-\ud800"}', "POST")

    assert refused.status == 400
    assert "agent-\ud800" in refused.body["error"]


def test_a_message_of_the_service_may_hold_what_utf_8_cannot(
    emulator: Emulator, service: Service
) -> None:
    export_id = emulator.add_export(status="FAILED", message="Name \ud800 is not valid.")

    ended = service.ask(f"/exports/{export_id}")

    assert ended.status == 200
    assert ended.body["statusMessage"] == "Name \ud800 is not valid."


def test_times_are_iso_8601_and_the_download_url_comes_only_when_asked_for(
    emulator: Emulator, service: Service
) -> None:
    start = 1_750_000_000
    export_id = emulator.add_export(duration=0, start_time=start, end_time=start + 60)

    plain = service.ask(f"/exports/{export_id}")
    full = service.ask(f"/exports/{export_id}?include_download_url=true")

    assert plain.status == full.status == 200
    assert plain.body["requestedStartTime"] == "2025-06-15T15:06:40+00:00"
    assert "configurationsDownloadUrl" not in plain.body
    assert full.body.pop("configurationsDownloadUrl").startswith(emulator.endpoint_url)
    assert full.body == plain.body


def test_an_export_that_failed_comes_with_its_message(emulator: Emulator, service: Service) -> None:
    export_id = emulator.add_export(duration=0, fail_with="The bucket is full.")

    answer = service.ask(f"/exports/{export_id}")

    assert answer.status == 200
    assert answer.body["exportStatus"] == "FAILED"
    assert answer.body["statusMessage"] == "The bucket is full."


def test_an_unknown_export_is_not_found(service: Service) -> None:
    answer = service.ask("/exports/export-unknown")
    with service.open("/exports/export-unknown/events") as stream:
        event, end = next_event(stream), next_event(stream)

    assert answer.status == 404
    assert answer.body == {"error": "AWS does not know export-unknown"}
    assert event == ("end", answer.body)
    assert end is None


def test_a_wait_gives_up_after_its_timeout(emulator: Emulator, service: Service) -> None:
    export_id = emulator.add_export()

    answer = service.ask(f"/exports/{export_id}?timeout=0.2")

    assert answer.status == 504
    assert export_id in answer.body["error"]


@pytest.mark.parametrize(
    "path",
    [
        *("%20", "%20/events", "x?timeout=x", "x?timeout=nan", "x?timeout=-1"),
        *("x?timeout=inf", "x?timeout=3601", "x" * 201),
    ],
)
def test_an_id_or_a_timeout_that_is_none_is_refused(
    emulator: Emulator, service: Service, path: str
) -> None:
    assert service.ask(f"/exports/{path}").status == 400
    assert emulator.requests == ()


def test_a_wait_that_cannot_be_answered_is_a_bad_gateway(
    emulator: Emulator, service: Service
) -> None:
    emulator.inject_error("AuthorizationErrorException", "No.", operation="DescribeExportTasks")

    answer = service.ask(f"/exports/{emulator.add_export()}")

    assert answer.status == 502
    assert "AuthorizationErrorException" in answer.body["error"]


def test_events_come_as_they_happen_and_end_with_the_export(
    emulator: Emulator, service: Service
) -> None:
    export_id = emulator.add_export()

    with service.open(f"/exports/{export_id}/events") as stream:
        first = next_event(stream)
        emulator.finish_export(export_id)
        second, last, end = next_event(stream), next_event(stream), next_event(stream)

    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert first is not None
    assert second is not None
    assert last == ("end", {"exportStatus": "SUCCEEDED"})
    assert end is None
    assert [first[0], second[0]] == ["status", "status"]
    assert [
        (event[1]["previousStatus"], event[1]["exportStatus"]) for event in (first, second)
    ] == [
        (None, "IN_PROGRESS"),
        ("IN_PROGRESS", "SUCCEEDED"),
    ]
    assert "configurationsDownloadUrl" not in second[1]


def test_clients_that_wait_for_the_same_export_share_a_call(emulator: Emulator) -> None:
    export_id = emulator.add_export()
    # The next poll is an hour away: a later client gets the result of the first one's poll.
    with service_of(emulator, min_delay=3600, max_delay=3600) as service, ExitStack() as clients:
        for _ in range(10):
            stream = clients.enter_context(service.open(f"/exports/{export_id}/events"))
            event = next_event(stream)
            assert event is not None
            assert event[1]["exportStatus"] == "IN_PROGRESS"

        assert looks(emulator) == [{export_id}]


def test_clients_that_wait_for_the_same_export_get_the_same_answer(
    emulator: Emulator, service: Service
) -> None:
    export_id = emulator.add_export()
    with ThreadPoolExecutor(10) as threads:
        answers = [threads.submit(service.ask, f"/exports/{export_id}") for _ in range(10)]
        eventually(lambda: {export_id} in looks(emulator))
        emulator.finish_export(export_id)

        first, *others = [answer.result(PATIENCE) for answer in answers]

    assert first.status == 200
    assert first.body["exportStatus"] == "SUCCEEDED"
    assert all(other == first for other in others)


@pytest.mark.parametrize("path", ["", "/events"])
def test_a_client_that_goes_away_costs_no_more_calls(
    emulator: Emulator, service: Service, path: str
) -> None:
    left, kept = emulator.add_export(), emulator.add_export()
    with service.connect(f"/exports/{kept}"):
        with service.connect(f"/exports/{left}{path}"):
            # Every call asks for all watched exports.
            eventually(lambda: {left, kept} in looks(emulator))

        eventually(lambda: looks(emulator)[-5:] == [{kept}] * 5)

    emulator.clear_requests()
    # Both clients have gone, and a third one's export is watched alone.
    with service.connect(f"/exports/{emulator.add_export()}"):
        eventually(lambda: [len(look) for look in looks(emulator)][-5:] == [1] * 5)
        assert left not in set[str]().union(*looks(emulator))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_and_ends_the_waits_and_streams_that_are_open(
    emulator: Emulator, number: int
) -> None:
    waited_for, streamed = emulator.add_export(), emulator.add_export()
    with (
        service_of(emulator) as service,
        ThreadPoolExecutor(1) as thread,
        service.open(f"/exports/{streamed}/events") as stream,
    ):
        first = next_event(stream)
        answer = thread.submit(service.ask, f"/exports/{waited_for}")
        eventually(lambda: any(waited_for in look for look in looks(emulator)))

        stop(service.process, number)

        assert answer.result(PATIENCE).status == 503
        assert first is not None
        assert first[0] == "status"
        assert next_event(stream) == ("end", answer.result(PATIENCE).body)
        assert "this server is being stopped" in answer.result(PATIENCE).body["error"]
        assert next_event(stream) is None


def test_an_export_that_was_just_started_is_awaited_although_it_cannot_be_seen_yet() -> None:
    with (
        Emulator(exports=0, export_duration=0, visibility_delay=0.5) as emulator,
        service_of(emulator, not_found_timeout=0.05) as service,
    ):
        started = service.ask("/exports", method="POST").body["exportId"]
        with service.open(f"/exports/{started}/events") as stream:
            event = next_event(stream)

        assert event is not None
        assert event[1]["exportStatus"] == "SUCCEEDED"
        assert service.ask(f"/exports/{started}").body["exportId"] == started


def test_a_start_is_sent_once(emulator: Emulator, service: Service) -> None:
    emulator.inject_server_error(calls=None, operation="StartExportTask")

    assert service.ask("/exports", method="POST").status == 502

    assert len(emulator.requests) == 1


def test_more_exports_than_aws_allows_are_refused_for_now(
    emulator: Emulator, service: Service
) -> None:
    message = (
        "You have reached limit of maximum allowed concurrent exports. Please wait for current "
        "export tasks to finish before starting another."
    )
    emulator.inject_error("OperationNotPermittedException", message, operation="StartExportTask")

    with service.open("/exports", method="POST") as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "60"


def test_a_few_exports_are_started_at_a_time(emulator: Emulator, service: Service) -> None:
    emulator.inject_latency(0.5, calls=None, operation="StartExportTask")
    with ThreadPoolExecutor(6) as threads:
        answers = list(
            threads.map(lambda _: service.ask("/exports", method="POST").status, range(6))
        )

    assert set(answers) == {202, 429}
    emulator.clear_faults()
    assert service.ask("/exports", method="POST").status == 202


@pytest.mark.parametrize("path", ["", "/events"])
def test_only_what_can_be_answered_at_once_has_a_head(
    emulator: Emulator, service: Service, path: str
) -> None:
    with service.open(f"/exports/{emulator.add_export()}{path}", method="HEAD") as response:
        assert response.status == 405


def test_a_stream_says_that_it_is_alive_while_nothing_happens(tmp_path: Path) -> None:
    fast = tmp_path / "fast_service.py"
    fast.write_text(
        f"import sys\nsys.path.insert(0, {str(SERVICE.parent)!r})\n"
        "import service\nservice.HEARTBEAT = 0.05\nsys.exit(service.main())\n"
    )
    with (
        Emulator(exports=0, export_duration=None) as emulator,
        service_of(emulator, program=fast) as service,
        service.open(f"/exports/{emulator.add_export()}/events") as stream,
    ):
        assert next_event(stream) is not None
        assert [stream.readline() for _ in range(4)] == [b": nothing new\n", b"\n"] * 2
