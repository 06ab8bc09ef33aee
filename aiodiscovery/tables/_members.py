"""Telling the files of an archive apart by their names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ._flaws import Flaw, names_of
from ._schemas import AGENT_TABLES, TABLES

__all__ = ["Kind", "Members", "assign"]

#: The kinds of exports.
Kind = Literal["agent", "summary", "ec2_recommendations"]

_ACCOUNT = re.compile(r"\d{12}")
_RECOMMENDATIONS = "EC2InstanceRecommendations"
_BY_LOWER: dict[str, list[str]] = {}
for _type in TABLES:
    _BY_LOWER.setdefault(_type.lower(), []).append(_type)


@dataclass(frozen=True, slots=True)
class Members:
    """The files of an archive, by their meaning."""

    kind: Kind
    #: The file of each type.
    tables: Mapping[str, str]
    #: The JSON file of the task and its results.
    results: str | None
    #: All other files.
    unread: tuple[str, ...]
    account_number: str | None


def assign(names: Iterable[str]) -> Members:
    """Tell the files of an archive apart.

    :raises Flaw: if none is known, or two are of one type.
    """
    types: dict[str, list[str]] = {}
    results: str | None = None
    unread: list[str] = []
    account_number: str | None = None
    for name in names:
        base = re.split(r"[/\\]", name)[-1]
        # Folders, and files that other systems add when they pack an archive.
        if not base or base.startswith("._") or "__MACOSX" in name or base == ".DS_Store":
            continue
        known = _known_types(base)
        if base.lower().endswith("results.json"):
            if results is not None:
                raise _two_of_a_type("results", results, name)
            results = name
        elif known:
            types.setdefault(known[0].lower(), []).append(name)
        else:
            unread.append(name)
            continue
        prefix = _ACCOUNT.match(base)
        account_number = account_number or (prefix[0] if prefix else None)
    tables = _resolve(types)
    if not tables and results is None:
        raise _nothing_known(unread)
    return Members(_kind(tables), tables, results, tuple(unread), account_number)


def _known_types(base: str) -> list[str]:
    """Return the possible types of a file: several if only the case of the name differs."""
    stem, dot, suffix = base.rpartition(".")
    if not dot:
        stem = base
    elif suffix.lower() != "csv":
        return []
    if _RECOMMENDATIONS.lower() in stem.lower():
        return [_RECOMMENDATIONS]
    return _BY_LOWER.get(_type_in(stem).lower(), [])


def _type_in(stem: str) -> str:
    return stem.rpartition("_")[2]


def _resolve(names: Mapping[str, list[str]]) -> dict[str, str]:
    """Find the type of each file."""
    clear = {lower: _BY_LOWER[lower][0] for lower in names if len(_BY_LOWER[lower]) == 1}
    are_agent = {type_ in AGENT_TABLES for type_ in clear.values()}
    found: dict[str, str] = {}
    for lower, members in names.items():
        for member in members:
            type_ = clear.get(lower) or _by_case(lower, member, are_agent, len(members))
            if type_ in found:
                raise _two_of_a_type(type_, found[type_], member)
            found[type_] = member
    return found


def _by_case(lower: str, member: str, are_agent: set[bool], count: int) -> str:
    """Tell ``networkInterface`` of an agent from ``NetworkInterface`` of a summary."""
    for_agent, for_summary = sorted(_BY_LOWER[lower], key=lambda type_: type_ not in AGENT_TABLES)
    if len(are_agent) == 1 and count == 1:
        # The other files show the kind of the export, whatever their case.
        return for_agent if True in are_agent else for_summary
    stem = re.split(r"[/\\]", member)[-1].rpartition(".")[0]
    return for_agent if _type_in(stem)[:1].islower() else for_summary


def _kind(tables: Iterable[str]) -> Kind:
    types = set(tables)
    if not types or types & set(AGENT_TABLES):
        return "agent"
    return "ec2_recommendations" if types == {_RECOMMENDATIONS} else "summary"


def _two_of_a_type(type_: str, first: str, second: str) -> Flaw:
    return Flaw(f"there is another file of the type {type_}: {first}", second)


def _nothing_known(unread: list[str]) -> Flaw:
    if not unread:
        return Flaw("it is empty")
    if any(name.lower().endswith(".zip") for name in unread):
        what = "it contains zip archives, like old GRAPHML exports: only CSV exports can be read"
        return Flaw(what, next(name for name in unread if name.lower().endswith(".zip")))
    return Flaw(f"it has no file of an export, only {names_of(unread)}")
