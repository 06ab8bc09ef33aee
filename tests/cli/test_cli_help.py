"""Help, its examples, and completion."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import repeat
from pathlib import Path

import pytest
from support import processes
from support.command import COMMAND, MODULE, environment

from aiodiscovery.emulator import Emulator

pytest.importorskip("click")

from aiodiscovery.cli import _commands  # what commands there are

Main = Callable[..., int]

NAMES = tuple(sorted(_commands.commands.commands))


def test_help_names_the_commands(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--help") == 0

    output = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", output, re.MULTILINE) for name in NAMES)
    assert {"agents", "download", "emulate", "list", "start", "tables", "watch"} <= {*NAMES}


@pytest.mark.parametrize("arguments", [(), ("-h",)])
def test_the_bare_command_and_h_show_help(
    main: Main, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert main(*arguments) == 0
    shown = capsys.readouterr().out
    assert main("--help") == 0

    assert shown == capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_each_command_fits_a_terminal(
    main: Main, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(name, "-h") == 0

    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    assert re.search(r"^  Examples:\n    ", output, re.MULTILINE)
    # A sentence that is cut off is useless.
    assert "..." not in main_help_line(name)


def main_help_line(name: str) -> str:
    return _commands.commands.commands[name].get_short_help_str(limit=62)


def examples() -> Iterator[tuple[str, str]]:
    """Iterate over the examples in the help, command by command, as a shell would run them."""
    for name, command in [("", _commands.commands), *_commands.commands.commands.items()]:
        epilog = command.epilog or ""
        joined = re.sub(r"(\\|\|)\n +", r"\1 ", epilog).replace("\\ ", " ")
        for line in joined.splitlines():
            if line.startswith("  ") and "aiodiscovery " in line:
                yield name, line.strip()


EXAMPLES = list(examples())
#: Each line once, with the command that has it.
LINES = {line: name for name, line in EXAMPLES}
WITHOUT_ACCOUNT = [line for line in LINES if "--local" in line or "--report" in line]


def test_each_command_has_examples() -> None:
    assert {name for name, _ in EXAMPLES} == {"", *NAMES}


@pytest.mark.long
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no shell to run them with")
def test_the_examples_that_need_no_account_work_as_they_stand(tmp_path: Path) -> None:
    # Those of a command that goes on with its own work run in their order, in one folder.
    scripts = [
        "\n".join(line for line in WITHOUT_ACCOUNT if LINES[line] == "collect"),
        *(line for line in WITHOUT_ACCOUNT if LINES[line] != "collect"),
    ]
    folders = [tmp_path / str(number) for number in range(len(scripts))]
    # Most of them wait for exports, so they run at the same time.
    with ThreadPoolExecutor(len(scripts)) as threads:
        problems = list(threads.map(try_example, scripts, repeat(""), folders))

    found = zip(scripts, problems, strict=True)
    assert [(script, problem) for script, problem in found if problem] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no shell to run them with")
@pytest.mark.parametrize(
    "line", [line for line in LINES if not re.search("--(local|report)", line)]
)
def test_an_example_works_as_it_stands(tmp_path: Path, line: str) -> None:
    if (found := re.search(r"completion (\w+)", line)) and shutil.which(found[1]) is None:
        pytest.skip(f"there is no {found[1]}")

    assert try_example(line, LINES[line], tmp_path) == ""


def try_example(line: str, name: str, folder: Path) -> str:
    """Run an example, and return what was wrong with it."""
    found = re.search(r"completion (\w+)", line)
    shell = found[1] if name == "completion" and found else "bash"
    command = folder / "bin" / "aiodiscovery"
    command.parent.mkdir(parents=True)
    processes.write_script(command, *MODULE)
    with Emulator(exports=3) as emulator:
        if name == "tables":
            archives = folder / "archives"
            archives.mkdir()
            (archives / "export-1.zip").write_bytes(emulator.archive(emulator.export_ids[0]))
        env = environment(emulator) | {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
        script = f"set -eo pipefail\n{line}" if shell == "bash" else line
        with subprocess.Popen(
            [shell, "-c", script],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            if name == "emulate":
                assert process.stdout is not None
                while "Stop it with Ctrl-C." not in (text := process.stdout.readline()):
                    assert text
                os.killpg(process.pid, signal.SIGINT)
            output, errors = process.communicate(timeout=300)
    if process.returncode or re.search("Error", errors):
        return f"status {process.returncode}: {errors}"
    if not output and name != "completion" and "--quiet" not in line:
        return "" if list(folder.glob("*.jsonl")) else "it printed nothing"
    return ""


def test_it_says_its_version(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--version") == 0

    assert capsys.readouterr().out == f"aiodiscovery {version('aiodiscovery')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_prints_what_makes_a_shell_complete_it(
    main: Main, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    assert main("completion", shell) == 0

    assert f"_AIODISCOVERY_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.fixture
def complete(
    main: Main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], list[str]]:
    """Press Tab behind words."""

    def press(words: str) -> list[str]:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setenv("_AIODISCOVERY_COMPLETE", "bash_complete")
            patch.setenv("COMP_WORDS", words)
            patch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
            with pytest.raises(SystemExit) as ended:
                main()
        assert ended.value.code == 0
        output, errors = capsys.readouterr()
        assert errors == ""
        return [line.removeprefix("plain,") for line in output.split()]

    return press


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("aiodiscovery ", [*NAMES]),
        ("aiodiscovery wa", ["watch"]),
        ("aiodiscovery start --d", ["--download", "--debug"]),
        ("aiodiscovery emulate --arch", ["--archive-size"]),
        ("aiodiscovery list --output ", ["text", "json"]),
        ("aiodiscovery list --sort n", ["newest"]),
        ("aiodiscovery list --region us-west-", ["us-west-2"]),
        ("aiodiscovery list --region nowhere", []),
        ("aiodiscovery watch ", []),
    ],
)
def test_it_completes_commands_options_and_values(
    complete: Callable[[str], list[str]], words: str, expected: list[str]
) -> None:
    assert complete(words) == expected


def test_it_completes_profiles(
    complete: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile mine]\n[profile more]\n[profile yours]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert complete("aiodiscovery list --profile m") == ["mine", "more"]

    (tmp_path / "config").write_text("no section")
    assert complete("aiodiscovery list --profile m") == []


def test_it_completes_the_ids_that_it_has_shown_the_newest_first(
    main: Main, aws: Emulator, complete: Callable[[str], list[str]]
) -> None:
    agent = aws.agent_ids[0]
    assert main("list", "--max-items", "2") == 0
    assert main("agents", agent) == 0
    assert main("start") == 0
    first, second, *_, started = aws.export_ids

    assert complete("aiodiscovery watch ") == [started, second, first]
    assert complete("aiodiscovery download --to x " + first[:12]) == [first]
    assert complete("aiodiscovery start --agent-id o") == [agent]


def test_ids_of_an_emulator_inside_are_not_kept(
    main: Main, complete: Callable[[str], list[str]]
) -> None:
    assert main("list", "--local") == 0

    assert complete("aiodiscovery watch ") == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[1]",
        '{"exports": 3}',
        '{"exports": [3, "a b", "$(x)", "\\u001b[m"]}',
        "[" * 99999,
    ],
)
def test_a_damaged_file_of_ids_does_no_harm(
    main: Main,
    aws: Emulator,
    complete: Callable[[str], list[str]],
    no_ids_of_the_user: Path,
    content: str,
) -> None:
    no_ids_of_the_user.parent.mkdir()
    no_ids_of_the_user.write_text(content)

    assert complete("aiodiscovery watch ") == []
    assert main("list", "--max-items", "1") == 0
    assert complete("aiodiscovery watch ") == [aws.export_ids[0]]
    assert no_ids_of_the_user.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    assert [path.name for path in no_ids_of_the_user.parent.iterdir()] == ["recent-ids.json"]


def test_a_cache_that_cannot_be_written_does_no_harm(
    main: Main, aws: Emulator, no_ids_of_the_user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    no_ids_of_the_user.parent.write_text("a file")

    assert main("list") == 0

    assert capsys.readouterr().err == ""


def test_help_imports_nothing_that_only_a_command_needs() -> None:
    program = (
        "import sys; sys.argv[1:] = ['list', '--help']\n"
        # The HTTP client may have a command of its own, which needs rich.
        "import aiodiscovery; before = set(sys.modules)\n"
        "from aiodiscovery.cli import main; main()\n"
        "print(*set(sys.modules) - before, file=sys.stderr)"
    )
    done = subprocess.run(
        [*COMMAND[:-2], "-c", program], capture_output=True, text=True, check=True
    )

    modules = set(done.stderr.split())
    assert not {"rich", "aiodiscovery.emulator", "aiodiscovery.cli._run", "pyarrow"} & modules
