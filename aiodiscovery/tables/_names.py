"""Names of columns: how they are spelled, and which headers mean the same."""

import re
from typing import NamedTuple

__all__ = ["Spelling", "snake_case", "spelling", "spelling_with_unit"]

#: Words whose capitals do not mark the beginning of a word.
_WORDS = re.compile(
    r"VMware|[vV]Center|vCPU|VM(?=name)|TimeStamp|IPv[46]|(?<=[A-Za-z])[iI]n(?=[KMGT]B)"
)
_TOKENS = re.compile(r"[A-Z]+(?![^\W\d_A-Z])\d*|[A-Z]?[^\W\d_A-Z]+\d*|\d+")
_NOT_IN_A_SPELLING = re.compile(r"[^a-z0-9%]")
_WITH_UNIT = re.compile(
    r"(?P<base>.+?)(?:in)?"
    r"(?P<unit>kbps|kbits?|kbs|kb|kib|mb|mib|gb|gib|tb|tib|pct|percentage|percent|%|utc)"
)
#: Units that are the same, or that AWS's own texts do not distinguish.
_UNITS = {
    **dict.fromkeys(("kbps", "kbit", "kbits", "kbs", "kb", "kib"), "kb"),
    **dict.fromkeys(("mb", "mib"), "mb"),
    **dict.fromkeys(("gb", "gib"), "gb"),
    **dict.fromkeys(("tb", "tib"), "tb"),
    **dict.fromkeys(("pct", "percentage", "percent", "%"), "pct"),
    "utc": "utc",
}


class Spelling(NamedTuple):
    """A name without case, underscores and the like, and its unit if it ends with one."""

    base: str
    unit: str | None


def snake_case(name: str) -> str:
    """Return a name in the spelling of columns: ``totalRAM (MB)`` is ``total_ram_mb``."""
    text = _WORDS.sub(lambda match: f"_{match[0].lower()}_", name)
    return "_".join(token.lower() for token in _TOKENS.findall(text))


def spelling(name: str) -> str:
    """Return the common form of all spellings of a name, including its unit."""
    return _NOT_IN_A_SPELLING.sub("", name.lower()).replace("persecond", "persec")


def spelling_with_unit(name: str) -> Spelling:
    """Return the common form of all spellings of a name, with its unit apart."""
    text = spelling(name)
    match = _WITH_UNIT.fullmatch(text)
    return Spelling(text, None) if match is None else Spelling(match["base"], _UNITS[match["unit"]])
