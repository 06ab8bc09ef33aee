"""Errors that say what to do: credentials, clocks, certificates, regions."""

import shlex
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.tls import behind_tls, make_certificate

from aiodiscovery.emulator import Emulator

Main = Callable[..., int]

SSO = """
[profile mine]
sso_session = work
sso_account_id = 123456789012
sso_role_name = reader
[sso-session work]
sso_region = us-west-2
sso_start_url = https://example.awsapps.com/start
"""


@pytest.fixture
def config(aws: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Write AWS's configuration file, the only source of credentials."""

    def write(text: str) -> None:
        (tmp_path / "config").write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    return write


def test_an_sso_session_that_is_over_needs_sso_login(
    main: Main, config: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    config(SSO)

    assert main("list", "--profile", "mine") == 1

    errors = capsys.readouterr().err
    assert errors.startswith("Error: the SSO session is over")
    assert errors.endswith("Run: aws sso login --profile mine\n")


def test_the_profile_of_the_environment_is_named_too(
    main: Main,
    config: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config(SSO)
    monkeypatch.setenv("AWS_PROFILE", "mine")

    assert main("list") == 1

    assert capsys.readouterr().err.endswith("Run: aws sso login --profile mine\n")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("print('no JSON')", "printed something that is not JSON"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "printed something that is not JSON"),
        ("print('[]')", "printed no credentials"),
        ("print('null')", "printed no credentials"),
        ("print('{}')", "failed: Unsupported version"),
        ("import sys; sys.exit('the vault\\x1b]0;x\\x07 is locked')", r"failed: the vault\x1b]0;x"),
        ("import sys; sys.exit(1)", "failed: no reason given"),
    ],
)
def test_a_credential_process_that_fails_is_named(
    main: Main,
    config: Callable[[str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    program: str,
    expected: str,
) -> None:
    (tmp_path / "process.py").write_text(program)
    command = shlex.join([sys.executable, str(tmp_path / "process.py")])
    config(f"[profile mine]\ncredential_process = {command}\n")

    assert main("list", "--profile", "mine") == 1

    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.startswith("Error: the credential_process of the AWS configuration ")
    assert expected in errors


def test_a_credential_process_that_is_not_there_is_named(
    main: Main, config: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    config("[profile mine]\ncredential_process = /nowhere/process\n")

    assert main("list", "--profile", "mine") == 1

    errors = capsys.readouterr().err
    assert "credential_process of the AWS configuration cannot be started: No such file" in errors
    assert "/nowhere/process" in errors


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("InvalidSignatureException", "Signature expired: 20260105T080000Z is now earlier than"),
        ("InvalidSignatureException", "Signature not yet current: 20260105T080000Z is later"),
        ("RequestTimeTooSkewed", "The difference between the request time and ..."),
        ("RequestExpired", "Request has expired."),
    ],
)
@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, "the clock of this machine is wrong,"),
        (1.5, "is 1 minute behind,"),
        (20.5, "is 20 minutes behind,"),
        (-90.5, "is 90 minutes ahead,"),
    ],
)
def test_a_wrong_clock_is_named(
    main: Main,
    aws: Emulator,
    capsys: pytest.CaptureFixture[str],
    code: str,
    text: str,
    minutes: float,
    expected: str,
) -> None:
    there = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    aws.inject_foreign_answer(
        "error",
        body=f'{{"__type": "{code}", "message": "{text}"}}',
        status=400,
        headers={"Date": there},
        request_id=True,
        calls=None,
    )

    assert main("list") == 1

    errors = capsys.readouterr().err
    assert expected in errors
    assert errors.endswith("so AWS refuses its requests. Set the clock\n")


def test_the_region_of_the_environment_is_used(
    main: Main,
    aws: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    authorizations: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            authorizations.append(self.headers["Authorization"])
            self.send_error(400)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # so it is called
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
            main("list")
            main("list", "--region", "ap-southeast-2")
            monkeypatch.delenv("AWS_DEFAULT_REGION")
            main("list")
        finally:
            server.shutdown()
            thread.join()

    regions = [authorization.split("/")[2] for authorization in authorizations]
    assert regions == ["eu-central-1", "ap-southeast-2", "eu-central-1"]


def test_proposed_commands_call_the_same_service(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--region", "us-west-2", "--endpoint-url", aws.endpoint_url, "--no-verify-ssl")
    running = aws.add_export()

    assert main("watch", "export-unknown", *given, "--min-delay", "0.05", "--timeout", "0.3") == 3
    assert main("download", "export-unknown", running, *given) == 1
    assert main("list", "export-unknown", *given) == 1
    aws.inject_server_error(calls=None, operation="StartExportTask")
    assert main("start", *given) == 1

    proposed = [
        line.partition(": aiodiscovery ")[2] for line in capsys.readouterr().err.splitlines()
    ]
    assert len(proposed) == 5
    assert all(line.endswith(shlex.join(given)) for line in proposed)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is nothing to certify with")
def test_an_untrusted_certificate_has_a_way_out(
    main: Main, aws: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = make_certificate(tmp_path)
    export_id = aws.add_export(status="SUCCEEDED")

    with behind_tls(aws.endpoint_url, certificate, key) as url:
        assert main("list", "--endpoint-url", url) == 1
        output, errors = capsys.readouterr()
        assert "give the certificate of its CA: --ca-bundle FILE" in errors
        assert export_id not in output
        assert main("list", "--endpoint-url", url, "--ca-bundle", str(certificate)) == 0
        assert export_id in capsys.readouterr().out
        assert main("list", "--endpoint-url", url, "--no-verify-ssl") == 0
        assert export_id in capsys.readouterr().out
