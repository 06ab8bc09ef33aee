"""examples/download.py without its requirements."""

import runpy
import sys
from pathlib import Path
from unittest import mock

import pytest

import aiodiscovery

EXAMPLE = Path(__file__).parents[2] / "examples" / "download.py"


def test_it_starts_no_export_that_it_could_not_download(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    create_client = mock.Mock()
    monkeypatch.setattr(aiodiscovery, "create_client", create_client)

    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(EXAMPLE), run_name="__main__")

    assert caught.value.code == 1
    assert 'pip install "aiodiscovery[download]"' in capsys.readouterr().err
    create_client.assert_not_called()
