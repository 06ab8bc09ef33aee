"""What the tests start as forks runs as it would in a new Python."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked there")

#: Prints what a program can see of its process.
SEEN = """
import atexit, json, os, signal, sys, threading, warnings
streams = [sys.stdin, sys.stdout, sys.stderr]
print(json.dumps({
    "name": __name__, "main": sys.modules["__main__"].__dict__ is globals(),
    "argv": sys.argv, "cwd": os.getcwd(), "env": dict(sorted(os.environ.items())),
    "path": [p for p in sys.path if "support" in p], "safe": sys.flags.safe_path,
    "file": __file__, "descriptors": sorted(os.listdir("/proc/self/fd")),
    "streams": [[s.encoding, s.errors, s.isatty(), s.line_buffering, s.write_through, s.fileno()]
                for s in streams],
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE,
                signal.SIGCHLD, signal.SIGHUP)],
    "threads": len(threading.enumerate()), "filters": warnings.filters[:1] == [],
    "input": sys.stdin.read(),
}))
"""

ENDS = {
    "status": "import sys; print('x'); sys.exit(3)",
    "message": "raise SystemExit('what was wrong')",
    "exception": "raise ValueError('wrong')",
    "warning": "import warnings; warnings.warn('an error here')",
    "interrupt": "raise KeyboardInterrupt",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "at exit": "import atexit; atexit.register(print, 'bye'); print('x')",
    "thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "unclosed": "import socket; kept = socket.socket()",
}


def run_new(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(program), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        # Otherwise it also has variables that C libraries have set.
        env=os.environ,
    )


def test_it_sees_what_it_would_see_in_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "seen.py"
    program.write_text(SEEN)
    monkeypatch.setenv("JUST_SET", "1")

    new = run_new(program, "a", "-b", cwd=tmp_path)
    fork = processes.run(str(program), "a", "-b", cwd=tmp_path)

    assert json.loads(fork.stdout) == json.loads(new.stdout)
    assert fork.stderr == new.stderr


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_as_it_would_in_a_new_one(tmp_path: Path, end: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(ENDS[end])

    new = run_new(program, cwd=tmp_path)
    fork = processes.run(str(program), cwd=tmp_path)

    assert (fork.returncode, fork.stdout) == (new.returncode, new.stdout)
    # A traceback also shows what runs the program.
    assert fork.stderr.splitlines()[-1:] == new.stderr.splitlines()[-1:]


@pytest.mark.parametrize("name", ["PYTHONUNBUFFERED", "SSL_CERT_FILE", "LC_ALL"])
def test_what_python_reads_at_its_start_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "C")
    program = tmp_path / "seen.py"
    program.write_text(SEEN)

    new = run_new(program, cwd=tmp_path)
    fork = processes.run(str(program), cwd=tmp_path)

    assert json.loads(fork.stdout) == json.loads(new.stdout)


def test_it_can_be_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import time; print('started', flush=True); time.sleep(600)")

    with processes.start(str(program), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert process.poll() is None
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
