"""Findings as lines of text and as JSON."""

from untrimmed.project.findings import Finding, findings_to_json, format_findings, group_findings, summarize_findings


def test_findings_are_grouped_errors_first_and_five_of_a_kind_are_shown():
    many = [Finding("note", "small", f"file {n}", "leave it") for n in range(7)]
    groups = group_findings(
        [*many, Finding("error", "big", "x.mp4", "fix"), Finding("error", "big", "y.mp4", "remove")]
    )
    assert format_findings(groups) == [
        "error: big (2)",
        "  x.mp4; fix",
        "  y.mp4; remove",
        "note: small (7)",
        *(f"  file {n}" for n in range(5)),
        "  and 2 more (--all shows them)",
        "  -> leave it",
    ]
    assert "  file 6" in format_findings(groups, everything=True)
    assert summarize_findings(groups) == "2 errors, 7 notes"
    assert findings_to_json(groups)["kinds"][1]["count"] == 7
