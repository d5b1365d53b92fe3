"""BENTO's files: seconds or frames, channels, and the names of movies."""

from pathlib import Path

import pytest

from format_samples import saved
from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

ANNOT = """Bento annotation file
Movie file(s):  C:\\rec\\pair 7_top.seq C:\\rec\\pair 7_front.seq

Stimulus name:
Annotation start frame: 1
Annotation stop frame: 3000
Annotation framerate: 30.000000

List of channels:
Ch1
Ch2

List of annotations:
chase
sniff

Ch1----------
>chase
Start\t Stop\t Duration
3.0\t5.2\t2.2

>sniff
Start\t Stop\t Duration
2.6\t2.9\t0.3

Ch2----------
>sniff
Start\t Stop\t Duration
9.4\t14.4\t5.0

"""


@pytest.mark.parametrize("name", ["a.annot", "a.txt"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_seconds_of_all_channels_are_read(tmp_path: Path, name: str, end: str) -> None:
    file = saved(tmp_path / name, ANNOT.replace("\n", end))
    assert sniff_format(file) == "bento"
    annotations = read_annotations(file)
    actions = (Action(2.6, 2.9, "sniff"), Action(3.0, 5.2, "chase"), Action(9.4, 14.4, "sniff"))
    assert annotations.timelines == {"pair 7_top": Timeline(100.0, actions)}
    assert "all 2 channels are read, and mixed: Ch1 (2), Ch2 (1)" in annotations.notes[0]
    assert any("2 movies show the same" in note for note in annotations.notes)
    assert read_annotations(file, tiers=["Ch2"]).timelines["pair 7_top"].actions == actions[2:]


def test_whole_numbers_are_frames_counted_from_one(tmp_path: Path) -> None:
    text = ANNOT.replace("3.0\t5.2\t2.2", "91\t156\t66").replace("2.6\t2.9\t0.3", "1\t30\t30")
    text = text.replace("9.4\t14.4\t5.0", "301\t330\t30")
    annotations = read_annotations(saved(tmp_path / "a.annot", text))
    (timeline,) = annotations.timelines.values()
    assert [(a.start, a.end) for a in timeline.actions] == [(0.0, 1.0), (3.0, 5.2), (10.0, 11.0)]
    assert "times are frames counted from 1, at 30 a second" in annotations.notes
    rateless = saved(tmp_path / "a.annot", text.replace("Annotation framerate: 30.000000\n", ""))
    with pytest.raises(BadInput, match="counts in frames and states no rate; give frames a second"):
        read_annotations(rateless)
    assert read_annotations(rateless, fps=30).timelines["pair 7_top"].actions == timeline.actions


def test_a_movie_may_stand_on_the_next_line_or_nowhere(tmp_path: Path) -> None:
    line = ANNOT.split("\n")[1]
    file = saved(tmp_path / "pair8.annot", ANNOT.replace(line, "Movie file(s):\n/rec/clip.mp4"))
    assert list(read_annotations(file).timelines) == ["clip"]
    file = saved(tmp_path / "pair8.annot", ANNOT.replace(line + "\n", ""))
    assert list(read_annotations(file).timelines) == ["pair8"]


def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 20 is 'soon'; '>behaviour' or two times were expected"):
        read_annotations(saved(tmp_path / "a.annot", ANNOT.replace("3.0\t5.2\t2.2", "soon")))
    with pytest.raises(BadInput, match=r"'chase' has a bout from 'x' to '5\.2'; numbers were expected"):
        read_annotations(saved(tmp_path / "a.annot", ANNOT.replace("3.0\t5.2", "x\t5.2")))
    with pytest.raises(BadInput, match="has no action that can be used"):
        read_annotations(saved(tmp_path / "a.annot", "Bento annotation file\n"))
    with pytest.raises(BadInput, match="does not begin with 'Bento annotation file'"):
        read_annotations(saved(tmp_path / "a.annot", "hello"), format="bento")
