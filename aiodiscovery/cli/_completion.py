"""Completion beside commands and options: profiles, regions and recently shown ids.

The service cannot be asked for ids each time Tab is pressed. So the command keeps the ids that it
has shown, and nothing else, in a file of the user's cache directory. It may be deleted at any time.
"""

import json
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

__all__ = [
    "complete_agent_ids",
    "complete_export_ids",
    "complete_profiles",
    "complete_regions",
    "remember",
]

#: How many ids of a kind are kept, and the most bytes of a file from which they are read.
_MOST_IDS = 200
_MOST_BYTES = 200_000
# Ids of these characters only, none of which a shell evaluates.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)


def complete_profiles(ctx: "click.Context", param: "click.Parameter", incomplete: str) -> list[str]:
    """Return the profiles of AWS's configuration files with this beginning."""
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # Tab is pressed often
    from botocore.session import Session  # noqa: PLC0415

    with suppress(BotoCoreError, OSError):
        return [
            profile for profile in Session().available_profiles if profile.startswith(incomplete)
        ]
    return []


def complete_regions(ctx: "click.Context", param: "click.Parameter", incomplete: str) -> list[str]:
    """Return the regions of the service with this beginning."""
    from botocore.session import Session  # noqa: PLC0415  # Tab is pressed often

    regions = Session().get_available_regions("discovery")
    return [region for region in regions if region.startswith(incomplete)]


def complete_export_ids(
    ctx: "click.Context", param: "click.Parameter", incomplete: str
) -> list[str]:
    """Return the recently shown exports with this beginning."""
    return [
        export_id for export_id in _read().get("exports", ()) if export_id.startswith(incomplete)
    ]


def complete_agent_ids(
    ctx: "click.Context", param: "click.Parameter", incomplete: str
) -> list[str]:
    """Return the recently shown agents with this beginning."""
    return [agent_id for agent_id in _read().get("agents", ()) if agent_id.startswith(incomplete)]


def remember(kind: str, ids: Iterable[str]) -> None:
    """Keep ids for completion: ``exports`` or ``agents``, the newest last.

    If they cannot be written, they are not kept. If two commands end at the same time, the last one
    wins.
    """
    new = [id_ for id_ in ids if _ID.fullmatch(id_)]
    known = _read()
    kept = dict.fromkeys([*reversed(new), *known.get(kind, ())])
    kept_ids = list(kept)[:_MOST_IDS]
    if not new or kept_ids == known.get(kind):
        return
    text = json.dumps({**known, kind: kept_ids})
    with suppress(OSError, RuntimeError):
        path = _path()
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as file:
                file.write(text)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _path() -> Path:
    """Return the file for ids, as the XDG Base Directory Specification says."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.environ.get("LOCALAPPDATA", "") if sys.platform == "win32" else ""
    folder = Path(base) if base else Path("~/.cache").expanduser()
    return folder / "aiodiscovery" / "recent-ids.json"


def _read() -> dict[str, list[str]]:
    with suppress(OSError, ValueError, RuntimeError):
        path = _path()
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            value = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(value, dict):
                return {kind: _ids_among(value.get(kind)) for kind in ("exports", "agents")}
    return {}


def _ids_among(value: object) -> list[str]:
    ids = value if isinstance(value, list) else []
    return [id_ for id_ in ids if isinstance(id_, str) and _ID.fullmatch(id_)]
