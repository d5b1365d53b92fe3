"""Tiers, or what stands for them: the parts of one file that were annotated each by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from untrimmed.io import BadInput

OBSERVATION = "observation"
"""The kind of tiers that are of a video each."""


class ChosenTiers(NamedTuple):
    """The tiers to read, and sentences on which those are, which are left out, and which are named and missing."""

    names: tuple[str, ...]
    notes: tuple[str, ...]


def choose_tiers(path: Path, kind: str, counts: Mapping[str, int], tiers: Sequence[str]) -> ChosenTiers:
    """Choose the tiers that a caller named, or all; `counts` has how much is on each, `kind` what they are called.

    All of several tiers are mixed, which is noted; observations are not, as each is a video. Raises BadInput where
    the file has tiers but none of those named, with those that it has.
    """
    names = tuple(name for name in counts if name in tiers or not tiers)
    if not tiers or not counts:
        mixed = len(counts) > 1 and kind != OBSERVATION
        return ChosenTiers(names, (_describe_mixture(kind, counts),) if mixed else ())
    if not names:
        listed = ", ".join(map(repr, tiers))
        raise BadInput(f"{path}: has no {kind} {listed}; there are {_list_names(counts, counts)}")
    unread = [name for name in counts if name not in names]
    remainder = f"; left out: {_list_names(counts, unread)}" if unread else ""
    notes = [f"{kind}s read: {_list_names(counts, names)}{remainder}"]
    if absent := [name for name in tiers if name not in counts]:
        notes.append(f"no {kind} {', '.join(map(repr, absent))}")
    return ChosenTiers(names, tuple(notes))


def _describe_mixture(kind: str, counts: Mapping[str, int]) -> str:
    first = next(iter(counts))
    return (
        f"all {len(counts)} {kind}s are read, and mixed: {_list_names(counts, counts)}; if they are of different "
        f"things, name those to read (tiers=[{first!r}], convert --tier {_quote(first)})"
    )


def _list_names(counts: Mapping[str, int], names: Sequence[str] | Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({counts[name]})" for name in names)


def _quote(name: str) -> str:
    return f'"{name}"' if " " in name else name
