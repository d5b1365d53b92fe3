"""What an examination of a data set says: findings of three severities, grouped by kind, as lines and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
SHOWN = 5
"""Findings of one kind that are shown unless all are asked for."""


class Finding(NamedTuple):
    """One thing that was found: the file and the value in one sentence, and what to do about it.

    An error keeps a run from starting or makes its numbers wrong; a warning makes a worse detector; a note may well
    be meant so.
    """

    severity: Severity
    kind: str
    sentence: str
    remedy: str = ""


class Group(NamedTuple):
    """All findings of one kind and severity."""

    severity: Severity
    kind: str
    findings: tuple[Finding, ...]


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Errors first, then warnings, then notes; within these, kinds and findings in the order of their coming."""
    kinds: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    found = [Group(severity, kind, tuple(several)) for (severity, kind), several in kinds.items()]
    return sorted(found, key=lambda group: SEVERITIES.index(group.severity))


def has_error(groups: Sequence[Group]) -> bool:
    """Whether there is an error among them."""
    return any(group.severity == "error" for group in groups)


def lines(groups: Sequence[Group], everything: bool = False) -> list[str]:
    """The report as text: a heading with the count, a line a finding, and what to do, once where it is the same."""
    return [line for group in groups for line in _group_lines(group, everything)]


def tree(groups: Sequence[Group]) -> dict[str, Any]:
    """The report for JSON: counts by severity, and every finding of every kind."""
    counts = {name: sum(len(g.findings) for g in groups if g.severity == name) for name in SEVERITIES}
    kinds = [
        {
            "severity": group.severity,
            "kind": group.kind,
            "count": len(group.findings),
            "findings": [{"sentence": f.sentence, "remedy": f.remedy} for f in group.findings],
        }
        for group in groups
    ]
    return {"counts": counts, "kinds": kinds}


def summary(groups: Sequence[Group]) -> str:
    """One line that counts what was found."""
    counts = tree(groups)["counts"]
    said = [f"{count:,} {name if count == 1 else f'{name}s'}" for name, count in counts.items() if count]
    return ", ".join(said) or "nothing to object to"


def _group_lines(group: Group, everything: bool) -> list[str]:
    count = len(group.findings)
    shown = group.findings if everything else group.findings[:SHOWN]
    remedies = list(dict.fromkeys(finding.remedy for finding in shown))
    own = len(remedies) > 1
    found = [f"  {f.sentence}{f'; {f.remedy}' if own and f.remedy else ''}" for f in shown]
    rest = [f"  and {count - len(shown):,} more (--all shows them)"] if len(shown) < count else []
    remedy = [f"  -> {remedies[0]}"] if not own and remedies[0] else []
    return [f"{group.severity}: {group.kind}{f' ({count:,})' if count > 1 else ''}", *found, *rest, *remedy]
