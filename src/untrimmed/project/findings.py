"""Findings about a data set: three severities, grouped by kind, as lines of text and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from untrimmed.annotations.annotations import format_count

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MOST_LINES = 5
"""Findings of one kind that are listed unless all are asked for."""


class Finding(NamedTuple):
    """One fault: the file and the value in one sentence, and what to do about it.

    An error keeps a run from starting or makes its numbers wrong; a warning makes a worse detector; a note may well
    be intended.
    """

    severity: Severity
    kind: str
    sentence: str
    remedy: str = ""


class FindingGroup(NamedTuple):
    """All findings of one kind and severity."""

    severity: Severity
    kind: str
    findings: tuple[Finding, ...]


def group_findings(findings: Iterable[Finding]) -> list[FindingGroup]:
    """Group findings by kind: errors first, then warnings, then notes, each in the order in which they came."""
    kinds: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    groups = [FindingGroup(severity, kind, tuple(members)) for (severity, kind), members in kinds.items()]
    return sorted(groups, key=lambda group: SEVERITIES.index(group.severity))


def replace_path(group: FindingGroup, old: str, new: str) -> FindingGroup:
    """Return the group with one path for another in what its findings say."""
    findings = (
        finding._replace(sentence=finding.sentence.replace(old, new), remedy=finding.remedy.replace(old, new))
        for finding in group.findings
    )
    return group._replace(findings=tuple(findings))


def format_findings(groups: Sequence[FindingGroup], everything: bool = False) -> list[str]:
    """Format a heading with the count, a line a finding, and what to do, once where it is the same for all."""
    lines = []
    for severity, kind, findings in groups:
        count = len(findings)
        listed = findings if everything else findings[:MOST_LINES]
        remedies = {finding.remedy for finding in listed}
        lines.append(f"{severity}: {kind}{f' ({count:,})' if count > 1 else ''}")
        for finding in listed:
            remedy = f"; {finding.remedy}" if finding.remedy and len(remedies) > 1 else ""
            lines.append(f"  {finding.sentence}{remedy}")
        if len(listed) < count:
            lines.append(f"  and {count - len(listed):,} more (--all shows them)")
        if remedies != {""} and len(remedies) == 1:
            lines.append(f"  -> {listed[0].remedy}")
    return lines


def findings_to_json(groups: Sequence[FindingGroup]) -> dict[str, Any]:
    """Return the counts by severity, and every finding of every kind."""
    kinds = [
        {
            "severity": group.severity,
            "kind": group.kind,
            "count": len(group.findings),
            "findings": [{"sentence": f.sentence, "remedy": f.remedy} for f in group.findings],
        }
        for group in groups
    ]
    return {"counts": count_severities(groups), "kinds": kinds}


def summarize_findings(groups: Sequence[FindingGroup]) -> str:
    """Return one line that counts the findings of each severity."""
    words = [format_count(count, severity) for severity, count in count_severities(groups).items() if count]
    return ", ".join(words) or "nothing to object to"


def count_severities(groups: Sequence[FindingGroup]) -> dict[str, int]:
    """Count the findings of each severity."""
    return {name: sum(len(g.findings) for g in groups if g.severity == name) for name in SEVERITIES}
