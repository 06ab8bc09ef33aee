"""Every example runs, on both event loops, against the emulator that it starts itself."""

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from support import processes

from aiodiscovery.emulator import Emulator

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(example: str, *arguments: str) -> str:
    done = processes.run(str(EXAMPLES / example), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_list_exports_prints_pages_and_items(backend: str) -> None:
    output = run("list_exports.py", "--backend", backend)

    with Emulator() as emulator:
        assert [id_ for id_ in emulator.export_ids if id_ not in output] == []
    assert "a page of 5 exports, the last one" in output
    assert "That is all of them." in output


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_list_exports_goes_on_from_the_token_that_it_printed(backend: str) -> None:
    first = run("list_exports.py", "--backend", backend, "--max-items", "13")
    token = first.rpartition("--starting-token ")[2].strip()

    rest = run("list_exports.py", "--backend", backend, "--starting-token", token)

    ids = [line.split()[0] for line in (first + rest).splitlines() if line.startswith("  export-")]
    with Emulator() as emulator:
        assert ids == list(emulator.export_ids)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_resume_loses_and_repeats_nothing(backend: str) -> None:
    output = run("resume.py", "--backend", backend)

    assert output.endswith("100 exports in one go: 0 lost, 0 repeated.\n")


@pytest.mark.long
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_watch_exports_prints_every_change_and_a_summary(backend: str) -> None:
    output = run("watch_exports.py", "--backend", backend)

    first, *changes, summary, calls = output.splitlines()
    assert first == "Started 6 exports."
    by_id: dict[str, list[str]] = {}
    for line in changes:
        _, _, export_id, change = line.split(maxsplit=3)
        by_id.setdefault(export_id, []).append(change)
    # On a slow machine an export may have ended before it is first seen.
    ends = [steps[-1] for steps in by_id.values()]
    assert sorted(end.partition("-> ")[2] for end in ends) == [
        "FAILED: The agent stopped sending data.",
        "FAILED: There is no data in the time range.",
        *["SUCCEEDED"] * 4,
    ]
    assert all(steps[:-1] in ([], ["-> IN_PROGRESS"]) for steps in by_id.values())
    assert summary == "All have ended: 4 succeeded, 2 failed."
    match = re.fullmatch(
        r"The emulator saw 6 calls to start them and (\d+) to watch them all\.", calls
    )
    assert match is not None
    # About 8. A loop for each export would make more than 20; a slow machine makes fewer.
    assert int(match[1]) < 20
    assert "X-Amz-" not in output


def test_watch_exports_watches_the_exports_of_aws_that_it_is_given(emulator: Emulator) -> None:
    succeeded = emulator.add_export(duration=0)
    failed = emulator.add_export(duration=0, fail_with="The bucket is full.")

    good = watch_on_aws(emulator, succeeded)
    bad = watch_on_aws(emulator, succeeded, failed)

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.endswith("-> SUCCEEDED\nAll have ended: 1 succeeded, 0 failed.\n")
    assert (bad.returncode, bad.stderr) == (1, "")
    assert f"{failed}              -> FAILED: The bucket is full.\n" in bad.stdout
    assert "StartExportTask" not in {request.operation for request in emulator.requests}


def test_watch_exports_starts_one_export_on_aws(emulator: Emulator) -> None:
    emulator.plan_export(duration=0)

    done = watch_on_aws(emulator)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Started an export.\n")
    assert [request.operation for request in emulator.requests].count("StartExportTask") == 1


def test_watch_exports_says_in_a_line_why_it_cannot_watch(emulator: Emulator) -> None:
    emulator.inject_error("AuthorizationErrorException", "No.", calls=None)

    done = watch_on_aws(emulator, "export-1")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "AuthorizationErrorException" in done.stderr


def test_watch_exports_says_in_a_line_that_something_else_answers(emulator: Emulator) -> None:
    emulator.inject_foreign_answer("portal", operation="StartExportTask")

    done = watch_on_aws(emulator)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "is not the service's" in done.stderr


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_download_goes_on_after_what_goes_wrong(backend: str, tmp_path: Path) -> None:
    output = run("download.py", "--backend", backend, "--to", str(tmp_path))

    (path,) = tmp_path.iterdir()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    last_line = output.splitlines()[-1]
    assert last_line == (
        f"All {path.stat().st_size:,} bytes are in {path}, with every CRC in it right."
    )
    assert output.count("the connection failed") == 2
    assert output.count("getting a fresh URL") == 1
    assert "X-Amz-" not in output


def test_download_says_in_a_line_why_there_is_nothing(emulator: Emulator, tmp_path: Path) -> None:
    export_id = emulator.add_export(status="FAILED", message="The bucket is full.")

    done = run_on_aws(emulator, "download.py", export_id, "--to", str(tmp_path))

    assert (done.returncode, done.stdout) == (1, f"export {export_id} is FAILED, was not known\n")
    assert done.stderr == (f"It was not downloaded: {export_id} failed: The bucket is full.\n")


def watch_on_aws(emulator: Emulator, *export_ids: str) -> subprocess.CompletedProcess[str]:
    return run_on_aws(emulator, "watch_exports.py", *export_ids)


def run_on_aws(
    emulator: Emulator, example: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run an example as against AWS, with the emulator in place of AWS."""
    return processes.run(
        str(EXAMPLES / example),
        *("--region", "us-west-2"),
        *arguments,
        env=os.environ
        | {
            "AWS_ENDPOINT_URL": emulator.endpoint_url,
            "AWS_ACCESS_KEY_ID": "emulator",
            "AWS_SECRET_ACCESS_KEY": "emulator",
        },
    )
