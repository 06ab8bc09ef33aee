"""Text from elsewhere: it cannot control a terminal, fake a line or flood the screen."""

import json
import logging
import sys
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import Running, json_lines

from aiodiscovery.emulator import Emulator

pytest.importorskip("rich")

from aiodiscovery.cli._text import one_line  # there is no other way to give it any text

Main = Callable[..., int]

HOSTILE = {
    "clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "cursor": "\x1b[2J\x1b[1;1H",
    "c1": "\x9b31m\x9d0;title\x9c",
    "lines": "one\r\ntwo\nError: three\u2028four\u2029five\x0bsix\x85seven",
    "direction": "\u202eTXT\u202c \u2066a\u2069 \u200f\u061c",
    "invisible": "\u200b\u200d\ufeff\u2060\u00ad\u034f\u3164\u2800\U000e0041\ufe0f",
    "surrogate": "\ud800 \udc80",
    "marks": "e" + "\u0301\u0334\u20dd" * 500,
    "long": "x" * 100_000,
    "unassigned": "\ufdd0\U0010ffff\ue000",
}


def is_harmless(text: str) -> bool:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if not character.isprintable() or marks > 4:
            return False
    return True


@given(st.text(st.characters(codec=None, categories=None), max_size=200))
def test_any_text_becomes_one_harmless_line(text: str) -> None:
    line = one_line(text)

    assert is_harmless(line)
    assert len(line) <= 1000
    line.encode()  # no surrogate is left


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_plain_text_stays_as_it_is_but_for_its_spaces(text: str) -> None:
    assert one_line(text) == " ".join(text.split())


@pytest.mark.parametrize("text", ["naïve café", "東京のサーバー", "ไม่มีข้อมูล", "שָׁלוֹם", "क्षमा"])
def test_text_in_any_script_stays_as_it_is(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "?" * 100_000,
        "%3F" * 50_000,
        "?Signature" * 20_000,
        "? " * 100_000,
        "\u0301" * 100_000,
        "\x1b" * 100_000,
        "\n" * 100_000,
    ],
)
def test_long_text_takes_no_time(text: str) -> None:
    begun = time.process_time()
    one_line(text)

    assert time.process_time() - begun < 1.0


def test_a_signature_that_the_bound_would_cut_off_is_not_shown() -> None:
    url = "https://bucket/key?X-Amz-Security-Token=" + "secret" * 5_000 + "&X-Amz-Signature=secret"

    assert "secret" not in one_line(f"see {url} there")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_status_message_is_harmless_in_each_form(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    text = HOSTILE[kind].encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    export_id = aws.add_export(status="FAILED", message=f"before {text} after")

    for command in ("list", "watch", "download"):
        main(command, export_id)
        output, errors = capsys.readouterr()
        for line in (*output.split("\n"), *errors.split("\n")):
            assert is_harmless(line)
            assert len(line) < 1500
        assert output.count("\n") + errors.count("\n") <= 2
        assert "before" in output + errors

    assert main("list", export_id, "--output", "json") == 0
    # Text that JSON escapes is complete.
    output = capsys.readouterr().out
    assert json_lines(output)[0]["statusMessage"] == f"before {text} after"
    assert output.isascii()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_a_terminal_gets_none_of_it(emulator: Emulator) -> None:
    message = "".join(HOSTILE[name] for name in ("clipboard", "cursor", "c1", "direction", "marks"))
    export_id = emulator.add_export(status="FAILED", message=message)
    odd = emulator.add_export()
    emulator.set_export_status(odd, "\x1b]0;title\x07\u202eDONE")

    for command in (("list",), ("watch", export_id), ("watch", odd, "--timeout", "0.3")):
        with Running(emulator, *command, terminal=True, columns=80) as running:
            running.wait()

        assert "\x1b]" not in running.stdout
        assert "\x9b" not in running.stdout
        assert "\x07" not in running.stdout
        assert "\u202e" not in running.stdout
        assert is_harmless(running.text.replace("\n", ""))


@pytest.mark.parametrize("kind", ["clipboard", "lines", "direction", "long"])
def test_an_error_of_the_service_is_one_harmless_line(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    for code, message in ((HOSTILE[kind], "No."), ("AccessDeniedException", HOSTILE[kind])):
        aws.inject_error(code, message)

        assert main("list") == 1

        errors = capsys.readouterr().err
        assert errors.count("\n") == 1
        assert is_harmless(errors.rstrip("\n"))
        assert len(errors) < 1500


@pytest.mark.parametrize("message", [None, 0, [], {"a": ["\x1b"]}, True])
@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterException", "NewError"])
@pytest.mark.parametrize("command", [["list"], ["watch", "export-1"], ["start"]])
def test_an_error_whose_message_is_no_text_is_one_line(
    main: Main,
    aws: Emulator,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    code: str,
    message: object,
) -> None:
    aws.inject_foreign_answer(
        "error", body=json.dumps({"__type": code, "message": message}), status=400
    )

    assert main(*command) in (1, 2)

    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.startswith("Error: ")
    assert "None" not in errors


def test_no_debug_line_can_be_faked(
    main: Main, aws: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = "\n2026-01-05 08:00:00,000 INFO aiodiscovery: all is well\x1b]52;c;eA==\x07"
    aws.inject_error(f"Odd{fake}", f"It is odd.{fake}", calls=None)

    assert main("list", "--debug") == 1
    logging.getLogger("aiodiscovery").info("after")  # shown no more

    errors = capsys.readouterr().err
    assert is_harmless(errors.replace("\n", ""))
    lines = errors.splitlines()
    assert not any(line.startswith("2026-01-05") for line in lines)
    # A record begins with a time. Indented lines belong to the record before.
    assert all(line[0].isdigit() or line.startswith(("  ", "Error: ")) for line in lines)
    assert "after" not in errors
