"""Labels of two files matched where they are one name in two spellings."""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from untrimmed.annotations.annotations import format_count

# Inside a label only, and never between two numbers: "C-" is not "C", nor "1-2" "12".
_SEPARATORS = re.compile(
    r"(?<=[^\s_-])(?<!\d){0}+(?=[^\s_-])|(?<=\d){0}+(?=[^\s_\d-])".format(r"[\s_\-\u2010-\u2015]")
)
_LIKE = 0.6
"""How like a label must be to one that is suggested, as difflib measures it."""


def match_labels(labels: Iterable[str], classes: Iterable[str]) -> dict[str, str]:
    """Match labels to classes that are written otherwise; those without a class are not in the result.

    Equal ones match first; then those that differ in blanks at the ends and Unicode form; then in letter case; then
    in spaces, underscores, hyphens and camel case ("Clean and jerk", "clean_and_jerk", "CleanAndJerk"). A class is
    matched by one label at most: where several could be meant, none is. The caller says what was matched loosely.
    """
    matched: dict[str, str] = {}
    for key in (str, _strip, _fold, normalize_label):
        free = set(classes) - set(matched.values())
        remaining, groups = _group(set(labels) - matched.keys(), key), _group(free, key)
        for form in remaining.keys() & groups.keys():
            if (form or key is str) and len(remaining[form]) == len(groups[form]) == 1:
                matched[remaining[form][0]] = groups[form][0]
    return {label: matched[label] for label in sorted(matched)}


def normalize_label(label: str) -> str:
    """Return the form that all spellings of a label share."""
    return _SEPARATORS.sub("", _fold(label))


def describe_loose_labels(matches: Mapping[str, str]) -> str | None:
    """Return a sentence on the labels that are not written exactly as their classes; None without any."""
    loose = [(label, name) for label, name in matches.items() if label != name]
    if not loose:
        return None
    count, (label, name) = format_count(len(loose), "label is", "labels are"), loose[0]
    return f"{count} spelled differently on the two sides, such as {label!r} and {name!r}: taken as one"


def describe_alike_labels(labels: Iterable[str]) -> str | None:
    """Return a sentence on the labels that are one name in several spellings; None without any."""
    groups = [sorted(names) for names in _group(dict.fromkeys(labels), normalize_label).values() if len(names) > 1]
    if not groups:
        return None
    first, second, *_ = groups[0]
    count = format_count(len(groups), "label is", "labels are")
    return (
        f"{count} spelled in several ways, and taken for several classes, such as {first!r} and {second!r}; if they "
        "are one, spell them alike"
    )


def suggest_label(label: str, classes: Iterable[str]) -> str | None:
    """Return the class that is written most like a label; None where none is like it."""
    forms = _group(sorted(classes), normalize_label)
    nearest = difflib.get_close_matches(normalize_label(label), forms, 1, _LIKE)
    return forms[nearest[0]][0] if nearest else None


def _strip(label: str) -> str:
    return " ".join(unicodedata.normalize("NFC", label).split())


def _fold(label: str) -> str:
    return _strip(unicodedata.normalize("NFKC", label).casefold())


def _group(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return groups
