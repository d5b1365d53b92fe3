"""One video whose extraction is stopped or killed in its midst: it goes on there, to the same bytes."""

import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from films import contents, film
from untrimmed.cli import app
from untrimmed.extraction import extractors
from untrimmed.extraction.extractors import LiteExtractor
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.video import extract_video
from untrimmed.extraction.videos import extract, place_part
from untrimmed.features import work_log
from untrimmed.features.work_log import WorkLog
from untrimmed.video import decoding
from untrimmed.video.clips import cut_clips, cut_stacks
from untrimmed.video.decoding import decode_complete
from untrimmed.video.sampling import PictureConverter

CONFIG = ExtractConfig(batch=4, fps=10.0)


class Stopped(Exception):
    pass


def stop_after(batches: int):
    """A report that stops an extraction after some batches."""
    calls = []

    def report(_: float) -> None:
        calls.append(1)
        if len(calls) == batches:
            raise Stopped

    return report


@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_an_extraction_that_is_stopped_goes_on_to_the_same_features(tmp_path, monkeypatch, ending):
    file, part = film(tmp_path / f"a{ending}", 5.0), tmp_path / ".a.part"
    whole = extract_video(file, CONFIG)
    for batches in (3, 5, 9):
        with pytest.raises(Stopped):
            extract_video(file, CONFIG, stop_after(batches), part)
    seeks, sizes = [], []
    seek, compute = decoding._seek, LiteExtractor.compute_features

    def count(extractor, batches):
        for chunk in compute(extractor, batches):
            sizes.append(len(chunk))
            yield chunk

    monkeypatch.setattr(decoding, "_seek", lambda *words: seeks.append(words) or seek(*words))
    monkeypatch.setattr(LiteExtractor, "compute_features", count)
    features = extract_video(file, CONFIG, None, part)
    assert np.array_equal(features.values, whole.values) and features.duration == whole.duration
    assert sum(sizes) == len(whole) - 9 * 4 and bool(seeks) == (ending == ".mp4")


def test_where_decoding_from_a_keyframe_gives_others_it_is_done_from_the_start(tmp_path, monkeypatch):
    file, part = film(tmp_path / "a.mp4", 5.0), tmp_path / ".a.part"
    whole = extract_video(file, CONFIG)
    with pytest.raises(Stopped):
        extract_video(file, CONFIG, stop_after(9), part)

    seeks, seek = [], decoding._seek

    def shifted(video, report, origin, start):
        seeks.append(start)
        frames = seek(video, report, origin, start)
        return frames and (frame._replace(time=frame.time + 0.1) for frame in frames)

    monkeypatch.setattr(decoding, "_seek", shifted)
    assert np.array_equal(extract_video(file, CONFIG, None, part).values, whole.values)
    assert len(seeks) == 2 and seeks[0] > 0 == seeks[1]


def test_a_batch_after_damage_has_no_mark_and_another_file_is_not_taken_for_it(tmp_path):
    report = decoding.DecodingReport()
    clip = extractors.FrameClip(0.0, (extractors.Frame(0.0, np.zeros((2, 2, 3), np.uint8)),))
    mark = extractors.mark_snippet(clip, report)
    moved = clip._replace(frames=(clip.frames[0]._replace(time=0.04),))
    assert mark and extractors.mark_snippet(moved, report) not in (mark, b"")
    report.lost = 0.5
    assert extractors.mark_snippet(clip, report) == b""


@pytest.mark.parametrize("first", [1, 4, 7])
def test_clips_and_stacks_from_one_on_are_those_of_all(tmp_path, first):
    file = film(tmp_path / "a.mp4", 3.0)

    def list_snippets(start, count):
        snippets = []
        for cut, words in ((cut_clips, (8, 4, 12.0)), (cut_stacks, (6.0, 6))):
            converter = PictureConverter(None)
            frames = decode_complete(file, converter.report, False, start)
            snippets.append([*cut(frames, *words, converter, count)])
        return snippets

    for some, everything in zip(list_snippets(max(0, first / 6 - 0.5), first), list_snippets(0, 0), strict=True):
        assert len(some) == len(everything) - first
        for a, b in zip(some, everything[first:], strict=True):
            assert a.time == b.time and [frame.time for frame in a.frames] == [frame.time for frame in b.frames]
            assert all(np.array_equal(x.image, y.image) for x, y in zip(a.frames, b.frames, strict=True))


KILLED = """
import os, signal, sys
from untrimmed.cli import app
from untrimmed.features import work_log
from untrimmed.features.work_log import WorkLog

append = WorkLog.append

def append_and_die(log, record):
    append(log, record)
    if len(log) == 6:
        log._stream.write((1000).to_bytes(8, "little") + b"cut off")
        os.kill(os.getpid(), signal.SIGKILL)

WorkLog.append = append_and_die
app(sys.argv[1:])
"""


def test_a_killed_extraction_says_where_it_goes_on_and_leaves_nothing_behind(tmp_path):
    film(tmp_path / "videos" / "a.mp4", 5.0)
    words = ["extract", str(tmp_path / "videos"), "--fps", "10", "--batch", "4", "--out"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words, str(tmp_path / "out")], capture_output=True)
    assert killed.returncode == -9
    assert not contents(tmp_path / "out") and place_part(tmp_path / "out", "a").exists()
    again = CliRunner().invoke(app, [*words, str(tmp_path / "out")])
    assert again.exit_code == 0 and f"note: {tmp_path / 'videos' / 'a.mp4'}: goes on after 2 s\n" in again.stdout
    assert CliRunner().invoke(app, [*words, str(tmp_path / "whole"), "--quiet"]).exit_code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.npy", "manifest.json"]


def test_ctrl_c_names_what_is_there_and_another_video_begins_anew(tmp_path, monkeypatch):
    videos = [film(tmp_path / "videos" / f"{name}.mp4", 4.0) for name in "ab"]
    words = ["extract", str(tmp_path / "videos"), "--fps", "10", "--batch", "4", "--out", str(tmp_path / "out")]
    append, count = WorkLog.append, []

    def append_and_stop(log, record):
        append(log, record)
        count.append(1)
        if len(count) == 14:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(WorkLog, "append", append_and_stop)
        stopped = CliRunner().invoke(app, words)
    kept = f"stopped with 1 of 2 videos done, which {tmp_path}/out holds, and what was done of the next"
    command = f"`untrimmed {' '.join(words)}` goes on from here"
    assert (stopped.exit_code, stopped.stderr.splitlines()[-1]) == (130, f"untrimmed: {kept}; {command}")
    film(videos[1], 3.0, seed=1)
    again = CliRunner().invoke(app, words)
    note = f"{videos[1]}: what was done of it cannot be used, as it is of another file; it begins anew"
    assert again.exit_code == 0 and note in again.stdout
    extract(tmp_path / "videos", tmp_path / "whole", CONFIG)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_two_extractions_of_a_video_do_not_disturb_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(work_log, "PATIENCE", 0.0)
    file, part = film(tmp_path / "a.mp4"), tmp_path / ".a.part"
    refused = []

    def again(_: float) -> None:
        try:
            extract_video(file, CONFIG, None, part)
        except ValueError as error:
            refused.append(str(error))

    whole = extract_video(file, CONFIG)
    assert np.array_equal(extract_video(file, CONFIG, again, part).values, whole.values)
    assert refused and "another process extracts it" in refused[0]
