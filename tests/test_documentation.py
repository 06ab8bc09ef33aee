"""The documentation: every block of code runs, and every output that is shown is a real one."""

import ast
import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import processes
from support.command import MODULE
from support.pages import Block, blocks, differs, sessions

import aiodiscovery
from aiodiscovery.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from types_aiobotocore_discovery.client import ApplicationDiscoveryServiceClient

ROOT = Path(__file__).parents[1]
#: The pages whose code needs packages of another session, and is tested there.
ELSEWHERE = {"airflow.md"}
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if page.name not in ELSEWHERE
]


@pytest.fixture
def emulator() -> "Iterator[Emulator]":
    """Run an emulator whose exports end at once, so that no page waits."""
    with Emulator(export_duration=0) as running:
        yield running


@pytest.fixture
async def client(
    anyio_backend: str, emulator: Emulator, aws: None
) -> "AsyncIterator[ApplicationDiscoveryServiceClient]":
    async with aiodiscovery.create_client() as opened:
        yield opened


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, tmp_path: Path) -> None:
    """Make this process, and those that it starts, use the emulator as AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    monkeypatch.chdir(tmp_path)


def is_a_program(block: Block) -> bool:
    """Say whether a block runs its own event loop, or is a file of tests."""
    return "anyio.run(" in block.text or "asyncio.run(" in block.text or "def test_" in block.text


async def run_here(block: Block, names: dict[str, Any]) -> str:
    code = compile(block.source(), block.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = eval(code, names)  # it is our own page
        if result is not None:
            await result
    return printed.getvalue()


def run_apart(block: Block, folder: Path) -> str:
    program = folder / f"test_{block.path.stem}_{block.line}.py"
    program.write_text(block.text, encoding="utf-8")
    if "def test_" in block.text:
        options = ("-q", "-o", "asyncio_default_fixture_loop_scope=function")
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "pytest", *options, str(program)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    else:
        done = processes.run(str(program), cwd=folder)
    assert done.returncode == 0, f"{block.path.name}:{block.line}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.anyio
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(
    page: Path,
    client: "ApplicationDiscoveryServiceClient",
    emulator: Emulator,
    tmp_path: Path,
) -> None:
    names: dict[str, Any] = {"client": client, "emulator": emulator}
    printed: str | None = None
    for block in blocks(page):
        if block.language == "python":
            printed = (
                run_apart(block, tmp_path) if is_a_program(block) else await run_here(block, names)
            )
        elif block.language == "text" and printed is not None:
            assert differs(block.text, printed) is None, f"{page.name}:{block.line}\n{printed}"
            printed = None
        else:
            printed = None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_print_what_the_page_shows(
    page: Path, aws: None, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    processes.write_script(programs / "aiodiscovery", *MODULE)
    paths = (programs, Path(sys.executable).parent, os.environ["PATH"])
    environment = os.environ | {"PATH": os.pathsep.join(map(str, paths))}
    folder = tmp_path / "folder"
    folder.mkdir()
    for block in blocks(page):
        if block.language != "console":
            continue
        for command, output in sessions(block):
            done = subprocess.run(
                ["bash", "-c", command] if set(command) & set("|>&;$") else shlex.split(command),
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            difference = differs(output, done.stdout)
            where = f"{page.name}:{block.line}: {command}\n{done.stderr}"
            assert difference is None, f"{where}\n{difference}"
