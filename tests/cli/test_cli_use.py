"""What all commands share: usage errors, errors in one line, missing streams."""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support import processes
from support.command import COMMAND, MODULE, Running, environment, run

from aiodiscovery.emulator import Emulator

Main = Callable[..., int]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["list", "--nothing"], "No such option"),
        (["list", "--page-size", "101"], "101 is not in the range"),
        (
            ["list", "--local", "--region", "us-west-2"],
            "--local does not call AWS: leave out --region",
        ),
        (["list", "--local", "--starting-token", "a___-3"], "--starting-token: "),
        (["list", "--local", "--starting-token", "nonsense"], "The nextToken is not valid"),
        (["list", "--endpoint-url", "nonsense"], "Invalid endpoint: nonsense"),
        (["watch", "--local", "an id"], "of 1 to 200 characters without spaces, not 'an id'"),
        (["watch", "--local", "--min-delay", "9", "--max-delay", "1"], "--min-delay must not be"),
        (
            ["watch", "--local", "--timeout", "nan", "export-1"],
            "--timeout: it must be a finite number",
        ),
        (["download"], "Missing argument"),
        (["watch", "--local", "--max-delay", "inf"], "both must be finite"),
        (["download", "a", "b", "--to", "all.zip"], "it must be a directory"),
        (["download", "a", "--to", "/dev/null/there"], "Not a directory: /dev/null"),
        (["watch", "--local", "--download", "/dev/null/there"], "Not a directory: /dev/null"),
        (["start", "--timeout", "3"], "need --wait or --download"),
        (["start", "--min-delay", "10"], "need --wait or --download"),
        (["list", "--since", "yesterday"], "'yesterday' is not a time"),
        (["list", "--since", "2026-01-05T08:00:00"], "must say its offset from UTC"),
        (["list", "--since", "999999w"], "'999999w' is not a time"),
        (["list", "--status", "DONE"], "'DONE' is not one of"),
        (["list", "--max-items", "0"], "0 is not in the range"),
        (["list", "--quiet", "--output", "json"], "give --quiet or --output json, not both"),
        (["agents", "-q", "--output", "json"], "give --quiet or --output json, not both"),
        (["list", "--ca-bundle", "nowhere.pem"], "'nowhere.pem' does not exist"),
        (["list", "--ca-bundle", __file__], "no readable CA certificate in"),
        (["list", "--ca-bundle", __file__, "--no-verify-ssl"], "or --no-verify-ssl, not both"),
        (["list", "--local", "--no-verify-ssl"], "--local does not call AWS"),
        (["start", "--local", "--start-time", "2026-01-05T08:00Z"], "give an --agent-id"),
        (
            ["start", "--local", "--agent-id", "o-1", "--end-time", "2026-01-05"],
            "--end-time must say its offset",
        ),
        (["emulate", "--port", "65536"], "must be between 0 and 65535"),
        (["emulate", "--seed", "x"], "must be a whole number"),
    ],
)
def test_wrong_use_is_a_line_and_status_2(
    main: Main,
    aws: Emulator,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
) -> None:
    assert main(*arguments) == 2

    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1
    assert text in errors
    assert "StartExportTask" not in {request.operation for request in aws.requests}


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "AuthorizationErrorException",
            "Not you.",
            "not allowed to do this: Not you. You need the permission discovery:Describe",
        ),
        ("HomeRegionNotSetException", "No.", "Give that as --region, or choose one: aws migr"),
        ("ThrottlingException", "Rate exceeded", "gets too many requests (ThrottlingException)"),
        ("ExpiredTokenException", "secret", "Renew them, or give another --profile"),
        ("ServerInternalErrorException", "No.", "Try again later"),
        ("NewException", "secret", "the service answered NewException"),
    ],
)
@pytest.mark.parametrize("command", [["list"], ["watch"], ["download", "export-1"]])
def test_what_the_service_refuses_is_a_line_that_says_what_to_do(
    main: Main,
    aws: Emulator,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    code: str,
    message: str,
    expected: str,
) -> None:
    status = 500 if code.startswith("Server") else 400
    aws.inject_error(code, message, status=status, calls=None)

    assert main(*command) == 1

    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert expected in errors
    assert "secret" not in errors


def test_what_ends_a_watch_is_a_line_that_says_what_to_do(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.inject_error("AuthorizationErrorException", "Not you.", calls=None)

    assert main("watch", "export-1") == 1

    expected = (
        "Error: you are not allowed to do this: Not you. You need the permission discovery:Describe"
    )
    assert capsys.readouterr().err.startswith(expected)


def test_it_says_what_is_missing(
    main: Main, aws: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("list", "--profile", "nobody") == 1
    assert "The config profile (nobody) could not be found" in capsys.readouterr().err

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert main("list") == 1
    assert '"http://127.0.0.1:1/". Check --region, --endpoint-url' in capsys.readouterr().err

    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert main("list") == 1
    assert "Give --region, such as" in capsys.readouterr().err

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert main("list", "--region", "us-west-2") == 1
    assert "no working AWS credentials were found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("no section", "Unable to parse config file: "),
        (
            "[profile mine]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n",
            'The source_profile "b" ',
        ),
        ("[profile mine]\nretry_mode = often\n", 'Invalid value provided to "mode": "often"'),
    ],
)
def test_it_says_what_is_wrong_with_the_configuration(
    main: Main,
    aws: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    config: str,
    expected: str,
) -> None:
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert main("list", "--profile", "mine") == 1

    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith(f"Error: the AWS configuration is wrong: {expected}")


class LoginPage(BaseHTTPRequestHandler):
    """Answers every request like a proxy with a login page."""

    def do_POST(self) -> None:
        body = b"<html>Log in, please.</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # so it is called
        """Say nothing."""


@pytest.mark.parametrize("command", ["list", "watch"])
def test_another_server_than_the_service_is_an_error(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), LoginPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            status = main(command, "--endpoint-url", f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()

    output, errors = capsys.readouterr()
    assert (status, output) == (1, "")
    assert errors == (
        "Error: the answer is not from the Application Discovery Service. Check "
        "--endpoint-url and the network\n"
    )


def test_an_export_in_progress_cannot_be_downloaded_yet(
    main: Main, aws: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_id = aws.add_export()

    assert main("download", export_id, "--to", str(tmp_path)) == 1

    assert f"To wait for it: aiodiscovery watch {export_id}" in capsys.readouterr().err


def test_a_traceback_comes_with_debug_only(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.inject_error("AuthorizationErrorException", "x-amz-security-token:secret", calls=None)

    assert main("list") == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main("list", "--debug") == 1

    errors = capsys.readouterr().err
    assert "Traceback" in errors
    assert "DEBUG aiodiscovery" in errors
    assert "secret" not in errors.replace("x-amz-security-token:...", "").partition("Error: you")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such shell")
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_written_to_a_closed_stream_goes_nowhere(
    emulator: Emulator, tmp_path: Path, redirection: str
) -> None:
    export_id = emulator.add_export(status="SUCCEEDED")

    done = subprocess.run(
        f"{shlex.join(COMMAND)} download {export_id} --to archives {redirection}",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(emulator),
    )

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    archive = tmp_path / "archives" / f"{export_id}.zip"
    assert archive.read_bytes() == emulator.archive(export_id)


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--help", "completion bash", "list", "agents", "list -q"])
def test_output_that_cannot_be_written_is_an_error(
    emulator: Emulator, command: str, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)

    with FULL.open("w") as full, start(emulator, command, stdout=full.fileno()) as process:
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (1, "Error: No space left on device\n")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_messages_that_cannot_be_written_change_no_status(
    emulator: Emulator, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    export_id = emulator.add_export()

    command = f"watch {export_id} --timeout 0"
    with FULL.open("w") as full, start(emulator, command, stderr=full.fileno()) as process:
        process.communicate(timeout=60)

    assert process.returncode == 3


def start(
    emulator: Emulator,
    command: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> processes.Process:
    return processes.start(
        *(*MODULE, *shlex.split(command)),
        stdout=stdout,
        stderr=stderr,
        env=environment(emulator),
    )


def test_without_the_extra_it_says_how_to_install_it() -> None:
    program = (
        "import sys; sys.modules['rich'] = None\n"
        "from aiodiscovery.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'The command needs its extra: pip install "aiodiscovery[cli]"\n'


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_emulate_runs_an_emulator_until_a_signal() -> None:
    with Running(None, "emulate", "--port", "0", "--exports", "3") as emulate:
        emulate.read_until("Stop it with Ctrl-C.")
        found = re.search(r"http://\S+", emulate.stdout)
        assert found is not None
        listed = processes.run(
            *(*MODULE, "list", "--endpoint-url", found[0], "--region", "us-west-2"),
            env=os.environ | {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
        )
        assert emulate.stop(signal.SIGINT) == 0

    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == 3
    assert emulate.stdout.endswith("Stopped.\n")


def test_the_pictures_of_the_command_show_it_as_it_is(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "docs" / "pictures.py"), str(tmp_path)],
        check=True,
        timeout=60,
    )

    for picture in ROOT.glob("docs/*.svg"):
        if (tmp_path / picture.name).exists():
            assert texts(picture) == texts(tmp_path / picture.name)
    assert {path.name for path in tmp_path.iterdir()} == {"download.svg", "watch.svg"}


def texts(picture: Path) -> list[str]:
    """Return the words of a picture."""
    tree = ElementTree.parse(picture)
    return "".join(tree.getroot().itertext()).partition("}")[2].split()


def test_local_lists_the_same_exports_each_time() -> None:
    first, second = run(None, "list", "--local"), run(None, "list", "--local")

    assert first.returncode == 0
    ids = [[line.split()[0] for line in done.stdout.splitlines()] for done in (first, second)]
    assert ids[0] == ids[1] != []
