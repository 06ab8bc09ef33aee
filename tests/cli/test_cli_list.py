"""``aiodiscovery list``: lines, JSON and tables, and tokens that go both ways."""

import json
import re
import subprocess
import sys
from contextlib import closing
from typing import Any

import boto3
import pytest
from support import processes
from support.command import MODULE, Running, environment, json_lines, run

from aiodiscovery.emulator import Emulator

needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")


def ids_of(pages: Any) -> list[str]:
    return [info["exportId"] for page in pages for info in page["exportsInfo"]]


def test_without_a_terminal_it_prints_a_line_for_each_export(emulator: Emulator) -> None:
    running = emulator.add_export()
    failed = emulator.add_export(status="FAILED", message="The bucket\nis \x1b[31mfull.")

    done = run(emulator, "list", "--page-size", "5")

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(emulator.export_ids)
    assert lines[-2].split()[:2] == [running, "IN_PROGRESS"]
    assert lines[-1].startswith(f"{failed}  FAILED  ")
    assert lines[-1].endswith(r"The bucket is \x1b[31mfull.")
    assert "X-Amz-" not in done.stdout


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_a_time_that_utc_has_no_date_for_is_shown_in_its_zone(
    emulator: Emulator, time: str
) -> None:
    info = {"exportId": "export-1", "exportStatus": "SUCCEEDED", "statusMessage": ""}
    emulator.inject_foreign_answer(
        "empty",
        body=json.dumps({"exportsInfo": [info | {"exportRequestTime": time}]}),
        headers={"Content-Type": "application/x-amz-json-1.1"},
    )

    done = run(emulator, "list")

    assert (done.returncode, done.stderr) == (0, "")
    assert time[4:10] in done.stdout  # a platform may leave zeros of the year out


def test_json_has_all_fields(emulator: Emulator) -> None:
    done = run(emulator, "list", "--output", "json")

    assert (done.returncode, done.stderr) == (0, "")
    infos = json_lines(done.stdout)
    with closing(boto3.client("discovery", **emulator.client_kwargs)) as client:
        expected = client.describe_export_tasks(maxResults=100)["exportsInfo"]
    assert [info.keys() for info in infos] == [info.keys() for info in expected]
    assert [info["exportRequestTime"] for info in infos] == [
        info["exportRequestTime"].isoformat() for info in expected
    ]
    assert "Signature=" in infos[0]["configurationsDownloadUrl"]


def test_its_tokens_go_on_in_boto3_and_those_of_boto3_here(emulator: Emulator) -> None:
    done = run(emulator, "list", "--max-items", "5", "--page-size", "3")
    token = done.stderr.removeprefix("Continue with: --starting-token ").strip()
    with closing(boto3.client("discovery", **emulator.client_kwargs)) as client:
        pages = client.get_paginator("describe_export_tasks").paginate(
            PaginationConfig={"StartingToken": token, "MaxItems": 4, "PageSize": 100}
        )
        middle = ids_of(pages)

    token = str(pages.resume_token)

    rest = run(emulator, "list", "--output=json", "--max-items=2", "--starting-token", token)

    assert done.returncode == rest.returncode == 0
    first = [line.split()[0] for line in done.stdout.splitlines()]
    infos = json_lines(rest.stdout)
    came = [*first, *middle, *(info["exportId"] for info in infos)]
    assert came == list(emulator.export_ids[:11])
    assert rest.stderr.startswith("Continue with: --starting-token ")


def test_after_an_error_it_says_how_to_go_on_behind_what_it_printed(emulator: Emulator) -> None:
    emulator.inject_token_cycle(length=2)

    done = run(emulator, "list", "--page-size", "5", "--output", "json")

    assert done.returncode == 1
    token, error = done.stderr.splitlines()
    assert token.startswith("Continue with: --starting-token ")
    assert error.startswith("Error: ")
    infos = json_lines(done.stdout)
    # The token of the first page is only known once a page has led back to it.
    expected = [*emulator.export_ids[:10], *emulator.export_ids[:5]]
    assert [info["exportId"] for info in infos] == expected


@needs_terminals
def test_a_terminal_gets_a_table(emulator: Emulator) -> None:
    emulator.add_export(status="FAILED", message="The bucket is full.")

    with Running(emulator, "list", terminal=True) as command:
        assert command.wait() == 0

    head, *rows, count = command.text.splitlines()
    assert head.split() == ["Export", "Status", "Requested", "(UTC)", "Message"]
    assert [row.split()[0] for row in rows] == list(emulator.export_ids)
    assert rows[-1].rstrip().endswith("The bucket is full.")
    assert re.fullmatch(r"13 exports: \d+ succeeded, \d+ failed", count)
    assert "X-Amz-" not in command.stdout


def test_it_ends_quietly_where_nobody_reads_any_more() -> None:
    with (
        Emulator(exports=2000) as emulator,
        processes.start(
            *MODULE,
            "list",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(emulator),
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().split()[0] == emulator.export_ids[0]
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, "")
