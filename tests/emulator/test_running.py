"""Running: the emulator's thread, its address and its end, in this process and alone."""

import gc
import http.client
import inspect
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from support import processes
from support.processes import Process

from aiodiscovery.emulator import OPTIONS, Emulator, Quirks


def emulator_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "aiodiscovery-emulator"]


def connect_to(emulator: Emulator) -> http.client.HTTPConnection:
    address = urlsplit(emulator.endpoint_url)
    return http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)


def test_it_binds_to_loopback_on_a_free_port() -> None:
    with Emulator() as one, Emulator() as other:
        assert urlsplit(one.endpoint_url).hostname == "127.0.0.1"
        assert one.endpoint_url != other.endpoint_url


def test_it_takes_the_port_it_is_given(call: Callable[..., Any]) -> None:
    with Emulator() as first:
        port = urlsplit(first.endpoint_url).port
    assert port is not None
    with Emulator(host="localhost", port=port) as second:
        assert second.endpoint_url == f"http://localhost:{port}"
        assert call(second.endpoint_url, "DescribeTags").status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_its_endpoint_can_be_called_when_it_binds_to_everything(
    call: Callable[..., Any], host: str
) -> None:
    with Emulator(host=host) as emulator:
        assert emulator.endpoint_url.startswith("http://127.0.0.1:")


def test_it_can_bind_to_ipv6(call: Callable[..., Any]) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("there is no IPv6 here")
    with Emulator(host="::1") as emulator:
        assert emulator.endpoint_url.startswith("http://[::1]:")
        assert call(emulator.endpoint_url, "DescribeTags").status == 200


def test_a_port_in_use_is_an_error_when_it_is_entered() -> None:
    with Emulator() as emulator:
        second = Emulator(port=urlsplit(emulator.endpoint_url).port or 0)
        with pytest.raises(OSError, match="in use"):
            second.__enter__()
    assert emulator_threads() == []


def test_a_loop_that_cannot_be_made_is_an_error_when_it_is_entered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_runner() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("asyncio.Runner", no_runner)
    with pytest.raises(OSError, match="Too many open files"):
        Emulator().__enter__()
    assert emulator_threads() == []


def test_leaving_one_that_was_not_entered_does_nothing() -> None:
    Emulator().__exit__(None, None, None)


def test_it_is_entered_once() -> None:
    with Emulator() as emulator, pytest.raises(RuntimeError, match="once"):
        emulator.__enter__()
    with pytest.raises(RuntimeError, match="once"):
        emulator.__enter__()


def test_it_has_no_endpoint_before_it_is_entered() -> None:
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="not been entered"):
        _ = emulator.endpoint_url
    with pytest.raises(RuntimeError, match="not been entered"):
        _ = emulator.client_kwargs
    assert repr(emulator) == "<Emulator not started>"


def test_its_repr_shows_the_endpoint(emulator: Emulator) -> None:
    assert repr(emulator) == f"<Emulator {emulator.endpoint_url}>"


def test_it_stops_at_once_with_connections_open() -> None:
    with Emulator() as emulator:
        idle, unfinished = connect_to(emulator), connect_to(emulator)
        idle.request("GET", "/")
        idle.getresponse().read()
        # Half a request: its body never comes.
        unfinished.putrequest("POST", "/")
        unfinished.putheader("Content-Length", "100")
        unfinished.endheaders(b"{")
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert emulator_threads() == []
    assert idle.sock is not None
    assert idle.sock.recv(1) == b""
    idle.close()
    unfinished.close()


def test_it_closes_a_connection_that_is_made_while_it_stops() -> None:
    # A connection that was left open would be reported by the collector: warnings are errors.
    for _ in range(20):
        with Emulator() as emulator:
            connection = connect_to(emulator)
            connection.connect()
        connection.close()
    gc.collect()


def test_it_is_stopped_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), Emulator():
        raise ZeroDivisionError
    assert emulator_threads() == []


def test_it_can_be_told_things_before_it_runs(call: Callable[..., Any]) -> None:
    emulator = Emulator(exports=0)
    export_id = emulator.add_export(status="SUCCEEDED")
    emulator.inject_throttling()
    with emulator:
        assert call(emulator.endpoint_url, "DescribeExportTasks").status == 400
        page = call(emulator.endpoint_url, "DescribeExportTasks").json
    assert [export["exportId"] for export in page["exportsInfo"]] == [export_id]


def test_all_of_it_can_be_used_from_many_threads(call: Callable[..., Any]) -> None:
    with Emulator(exports=0) as emulator:

        def work() -> None:
            for _ in range(20):
                emulator.finish_export(emulator.add_export())
                call(emulator.endpoint_url, "StartExportTask")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(emulator.export_ids) == 160
        assert {request.status for request in emulator.requests} == {200}


@contextmanager
def running(*arguments: str) -> Iterator[Process]:
    process = processes.start(
        *("-m", "aiodiscovery.emulator", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_greeting(process: Process) -> tuple[str, str]:
    assert process.stdout is not None
    greeting = "".join(process.stdout.readline() for _ in range(4))
    found = re.search(r"http://\S+", greeting)
    assert found is not None
    return found.group(), greeting


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_alone_until_a_signal_stops_it(
    call: Callable[..., Any], number: signal.Signals
) -> None:
    with running(
        "--port", "0", "--exports", "3", "--seed", "9", "--export-duration", "0"
    ) as process:
        endpoint_url, greeting = read_greeting(process)
        page = call(endpoint_url, "DescribeExportTasks").json
        assert [e["exportId"] for e in page["exportsInfo"]] == list(
            Emulator(exports=3, seed=9).export_ids
        )
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert f"describe-export-tasks --endpoint-url {endpoint_url} --region us-west-2" in greeting
    assert output == "Stopped.\n"
    assert errors == ""
    assert process.returncode == 0


def test_alone_it_says_in_one_line_that_the_port_is_in_use(emulator: Emulator) -> None:
    port = str(urlsplit(emulator.endpoint_url).port)
    with running("--port", port) as process:
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output == ""
    assert errors.startswith(f"Cannot listen on 127.0.0.1 port {port}: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "65536"],
        ["--port", "http"],
        ["--exports", "-1"],
        ["--export-duration", "nan"],
        ["--unknown"],
    ],
)
def test_alone_it_refuses_bad_arguments(arguments: list[str]) -> None:
    with running(*arguments) as process:
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert output == ""
    assert "usage:" in errors


def test_each_option_of_the_command_line_is_a_parameter_with_the_same_default() -> None:
    parameters = dict(inspect.signature(Emulator).parameters)
    del parameters["clock"]
    options = {option.name.replace("-", "_"): option for option in OPTIONS}
    assert set(options) == set(parameters)
    for name, option in options.items():
        assert option.help
        assert name == "port" or option.default == parameters[name].default


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("refuse-repeats", "yes", True),
        ("quirks", "crlf", Quirks(crlf=True)),
        ("agent-days", "0.5", 0.5),
    ],
)
def test_an_option_reads_what_the_parameter_takes(name: str, text: str, value: object) -> None:
    (option,) = (option for option in OPTIONS if option.name == name)
    assert option.parse(text) == value
    with pytest.raises(ValueError, match=r"must be|takes"):
        option.parse("maybe=?")
