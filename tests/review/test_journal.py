"""The journal of a review."""

import json

from untrimmed.review.journal import Journal


def test_a_journal_without_a_whole_first_line_begins_again(tmp_path):
    (tmp_path / "j").write_bytes(b'{"journal": 1, "dig')
    journal = Journal(tmp_path / "j", "abc")
    assert journal.edits == []
    journal.close()
    assert json.loads((tmp_path / "j").read_text()) == {"journal": 1, "digest": "abc"}
