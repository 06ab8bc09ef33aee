"""The benchmarks run. What they measure decides no test."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("script", ["compare.py", "watcher_simulation.py"])
def test_a_quick_run_prints_its_table(script: str) -> None:
    pytest.importorskip("trio")
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--quick"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert run.returncode == 0, run.stderr
    header, rule, *rows = run.stdout.splitlines()
    assert header.startswith("| ")
    assert set(rule) <= set("|-: ")
    assert len(rows) > 3
