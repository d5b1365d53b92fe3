"""Names of subsets: which subset of a file a name means, without regard to case and to the usual synonyms."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping

TRAINING, VALIDATION, TESTING = "training", "validation", "testing"
SYNONYMS = {
    **dict.fromkeys(("train", "training", "trn", "learn"), TRAINING),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "eval"), TESTING),
}
"""Usual names of subsets, in small letters, by what they mean."""
SUFFIXES = ("set", "split", "subset")
"""What may follow a usual name: `train_set`."""
MOST_LISTED = 12
"""Subsets that a sentence names."""


def match_subsets(names: Iterable[str], existing: Iterable[str]) -> dict[str, str]:
    """Return the existing subset that each name means; a name that means none, or several, is left out.

    A name is looked up as it is, then without regard to case, blanks, hyphens, underscores and Unicode form, then by
    the usual synonyms: `train` and `training`; `val`, `valid` and `validation`; `test` and `testing`.
    """
    existing = tuple(dict.fromkeys(existing))
    matches = {}
    for name in dict.fromkeys(names):
        for key in (str, normalize_subset, find_role):
            similar = [subset for subset in existing if key(subset) == key(name)]
            if similar:
                if len(similar) == 1:
                    matches[name] = similar[0]
                break
    return matches


def normalize_subset(name: str) -> str:
    """Return a subset's name without what people write in several ways: case, blanks, hyphens, underscores."""
    return re.sub(r"[\s_.-]+", "", unicodedata.normalize("NFKC", name)).casefold()


def find_role(name: str) -> str:
    """Return what a usual name means, `training`, `validation` or `testing`; any other comes back normalised."""
    short = normalize_subset(name)
    plain = next((short.removesuffix(suffix) for suffix in SUFFIXES if short.endswith(suffix)), short)
    return SYNONYMS.get(plain, short)


def describe_loose_subsets(matches: Mapping[str, str]) -> list[str]:
    """Return a sentence for each name that means a subset of another spelling."""
    return [f"subset {name!r} is read as {subset!r}" for name, subset in matches.items() if name != subset]


def describe_missing_subset(name: str, existing: Iterable[str]) -> str:
    """Say which subsets there are where a name means none of them, and the nearest spelling, if any is near."""
    existing = tuple(existing)
    similar = [subset for subset in existing if find_role(subset) == find_role(name)]
    if len(similar) > 1:
        return f"{' and '.join(map(repr, similar))} could both be meant; name one of them"
    spellings = {normalize_subset(subset): subset for subset in existing}
    close = difflib.get_close_matches(normalize_subset(name), list(spellings), 1)
    listed = ", ".join(map(repr, existing[:MOST_LISTED]))
    more = f" and {len(existing) - MOST_LISTED} more" if len(existing) > MOST_LISTED else ""
    return f"there are {listed}{more}" + (f"; did you mean {spellings[close[0]]!r}?" if close else "")
