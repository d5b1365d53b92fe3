"""Videos that are written: whole, reproducible, and readable again."""

from pathlib import Path

import pytest

from barcodes import barcode, numbers_of
from untrimmed.video.sampling import sample_frames
from untrimmed.video.writer import write_video


def test_what_is_written_is_seen_again_and_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, (barcode(i) for i in range(30)), 10)
    assert numbers_of(sample_frames(tmp_path / "a.mp4", 10)) == list(range(30))
    content = (tmp_path / "a.mp4").read_bytes()
    assert content == (tmp_path / "b.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "a browser would load it all before it plays"


def test_pictures_that_cannot_be_written_leave_no_file(tmp_path: Path) -> None:
    for pictures, reason in (
        ([], "no pictures"),
        ([barcode(0, 33)], "odd side"),
        ([barcode(0), barcode(1, 64)], "follows one of"),
    ):
        with pytest.raises(ValueError, match=reason):
            write_video(tmp_path / "video.mp4", iter(pictures), 10)
    assert list(tmp_path.iterdir()) == []
