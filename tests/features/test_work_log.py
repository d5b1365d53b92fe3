"""A log of work: what was appended whole is there again, what a kill cut off is not, and other work is not taken."""

from pathlib import Path

import numpy as np
import pytest

from untrimmed.features import work_log
from untrimmed.features.work_log import WorkLog, hold_path, pack_arrays, unpack_arrays
from untrimmed.io import BadInput

KEY = {"video": "a.mp4", "size": 3}
RECORDS = [b"one", b"", b"three\n" * 5]


def write(path: Path) -> bytes:
    with WorkLog(path, KEY) as log:
        for record in RECORDS:
            log.append(record)
    return path.read_bytes()


def test_wherever_it_is_cut_off_the_whole_records_before_are_there(tmp_path: Path) -> None:
    content = write(tmp_path / "whole")
    counts = []
    for size in range(len(content) + 1):
        path = tmp_path / "cut"
        path.write_bytes(content[:size])
        with WorkLog(path, KEY) as log:
            assert [*log] == RECORDS[: len(log)]
            counts.append(len(log))
            for record in RECORDS[len(log) :]:
                log.append(record)
        assert path.read_bytes() == content
    assert counts == sorted(counts) and set(counts) == {0, 1, 2, 3} and counts[-2:] == [2, 3]


def test_work_of_another_key_begins_anew_and_says_why(tmp_path: Path) -> None:
    write(tmp_path / "log")
    with WorkLog(tmp_path / "log", KEY) as log:
        assert not log.difference and log[-1] == RECORDS[-1] and log[:2] == RECORDS[:2]
    with WorkLog(tmp_path / "log", {**KEY, "size": 4}) as log:
        assert (len(log), log.difference) == (0, "it is of another size")
    (tmp_path / "log").write_text("something else")
    with WorkLog(tmp_path / "log", KEY) as log:
        assert (len(log), log.difference) == (0, "its beginning is broken")


def test_arrays_come_back_as_they_were() -> None:
    arrays = [np.zeros(0, np.uint8), np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((0, 4))]
    again = [*unpack_arrays(pack_arrays(*arrays))]
    assert all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(arrays, again, strict=True))


def test_a_path_is_held_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_log, "PATIENCE", 0.0)
    path = tmp_path / "new" / "log"
    with hold_path(path, "busy"), pytest.raises(BadInput, match="busy"), hold_path(path, "busy"):
        pytest.fail("it is held twice")
    with hold_path(path, "busy"):
        pass
    assert not list((tmp_path / "new").iterdir())
