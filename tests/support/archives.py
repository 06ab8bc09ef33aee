"""Shared by the tests of archives: reading one, and writing rows as in a file."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import Any

AGENT_TABLES = (
    "osInfo",
    "networkInterface",
    "process",
    "sourceProcessConnection",
    "destinationProcessConnection",
    "systemPerformance",
)


def files(body: bytes) -> dict[str, bytes]:
    """Return the files of an archive by their names."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def tables(body: bytes) -> dict[str, list[dict[str, str]]]:
    """Return the rows of an archive by the types of their files."""
    return {
        name.rpartition("_")[2].removesuffix(".csv"): read(content.decode())
        for name, content in files(body).items()
        if name.endswith(".csv")
    }


def read(text: str) -> list[dict[str, str]]:
    """Read CSV, every row of which is as wide as its header."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return [dict(zip(header, row, strict=True)) for row in rows]


def results(body: bytes) -> Any:
    """Return the JSON of an agent's archive."""
    (content,) = [data for name, data in files(body).items() if name.endswith("results.json")]
    return json.loads(content)


def texts(rows: Iterable[dict[str, Any]], form: str = "%m/%d/%Y %I:%M:%S %p") -> list[Any]:
    """Return rows as a file has them."""
    return [{name: _text(value, form) for name, value in row.items()} for row in rows]


def _text(value: Any, form: str) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            assert str(value.tzinfo) == "UTC"
            text = value.strftime(form)
            return text.lower() if form.endswith("%p") else text
        case _:
            return str(value)
