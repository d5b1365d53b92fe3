"""The journal of a review."""

import json
import resource

import pytest

from untrimmed.review.journal import Journal


def test_a_journal_without_a_whole_first_line_begins_again(tmp_path):
    (tmp_path / "j").write_bytes(b'{"journal": 1, "dig')
    journal = Journal(tmp_path / "j", "abc")
    assert journal.edits == []
    journal.close()
    assert json.loads((tmp_path / "j").read_text()) == {"journal": 1, "digest": "abc"}


def test_an_edit_that_the_disk_did_not_take_is_not_written_later(tmp_path):
    journal = Journal(tmp_path / "journal", "digest")
    size = (tmp_path / "journal").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.append({"video": "lost"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "journal").stat().st_size == size
    journal.append({"video": "kept"})
    journal.close()
    again = Journal(tmp_path / "journal", "digest")
    assert again.edits == [{"video": "kept"}]
    again.close()
