"""Tiers, or what stands for them: the parts of one file that were annotated each by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from untrimmed.io import BadInput


def choose_tiers(path: Path, kind: str, counts: Mapping[str, int], tiers: Sequence[str]) -> tuple[str, ...]:
    """Choose the tiers that a caller named, or all; `counts` has how much is on each, `kind` what they are called.

    Raises BadInput where the file has none of those named, with those that it has.
    """
    if not tiers:
        return tuple(counts)
    present = tuple(name for name in counts if name in tiers)
    if not present:
        wanted_names = ", ".join(map(repr, tiers))
        raise BadInput(f"{path}: has no {kind} {wanted_names}; there are {_list_names(counts, counts) or 'none'}")
    return present


def list_tier_notes(kind: str, counts: Mapping[str, int], read: Sequence[str], tiers: Sequence[str]) -> list[str]:
    """List sentences on which tiers were read, left out, or named and missing; none where there is one alone."""
    notes = []
    if not tiers and len(counts) > 1:
        notes.append(
            f"all {len(counts)} {kind}s are read, and mixed: {_list_names(counts, read)}; "
            f"if they are of different things, name those to read (tiers=[{read[0]!r}], "
            f"convert --tier {_quote(read[0])})"
        )
    elif tiers:
        unread = [name for name in counts if name not in read]
        left = f"; left out: {_list_names(counts, unread)}" if unread else ""
        notes.append(f"{kind}s read: {_list_names(counts, read)}{left}")
        if missing_names := [name for name in tiers if name not in counts]:
            notes.append(f"no {kind} {', '.join(map(repr, missing_names))}")
    return notes


def _list_names(counts: Mapping[str, int], names: Sequence[str] | Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({counts[name]})" for name in names)


def _quote(name: str) -> str:
    return f'"{name}"' if " " in name else name
