"""What is written in a format is read again from it, up to what the format says that it cannot hold."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.convert import (
    EMPTY,
    FORMATS,
    LENGTHS,
    SCORES,
    SUBSETS,
    read_annotations,
    write_annotations,
)
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

HOSTILE = [
    'a "b", c;d',
    "<b>&amp;</b>",
    "two\nlines",
    "tab\there",
    "Ünï çödé 跳",
    "{x} 'y' \\n",
    "a | b",
    "!c",
    "-1",
    "5 6",
]
FPS = 25.0
# Half of what a rounded time may be off, and a little for the sums that make it.
OFF = {"": 0.0, "milliseconds": 0.0005 + 1e-6, "frames": 0.5 / FPS + 1e-6}

names = st.sampled_from(["clip", "v_9", "my clip", "clip.v2", "50%", "Łódź"])
labels = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
)
edges = st.lists(st.floats(0, 5e3).map(lambda t: round(t, 6)), min_size=2, max_size=2, unique=True).map(sorted)
rows = st.lists(st.tuples(edges, labels, st.floats(0, 1)), min_size=1, max_size=6)
drawn_videos = st.dictionaries(names, rows, min_size=1, max_size=3)


def build_annotations(drawn: dict[str, list]) -> Annotations:
    """Annotations whose videos end a little after their last action."""
    timelines = {}
    for video, rows in drawn.items():
        actions = tuple(Action(start, end, label, score) for (start, end), label, score in rows)
        timelines[video] = Timeline(max(a.end for a in actions) + 0.25, actions)
    return Annotations(timelines, {video: "validation" for video in timelines})


WRITTEN = [name for name, target in FORMATS.items() if target.write]


def close(first: float, second: float, off: float) -> bool:
    return abs(first - second) <= off


@pytest.mark.parametrize("form", WRITTEN)
@settings(max_examples=25)
@given(drawn=drawn_videos)
@example(
    drawn={"clip": [([0.0, 2.0], "a", 1.0), ([0.5, 3.0], "a", 0.5), ([1.0, 2.5], "b", 1.0), ([3.0, 4.0], "a", 1.0)]}
)
@example(drawn={"clip": [([1.0, 1.000001], 'say "x"\n, ok', 0.25), ([1.0, 1.000001], 'say "x"\n, ok', 0.25)]})
def test_annotations_come_back_from_every_format(form: str, drawn: dict[str, list]) -> None:
    target = FORMATS[form]
    if form == "thumos":
        drawn = {video.replace(" ", ""): rows for video, rows in drawn.items()}
    annotations = build_annotations(drawn)
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = write_annotations(Path(folder) / "out", annotations, form, FPS)
        except BadInput as refusal:
            # Two labels that come out alike, and those that are no file's name in THUMOS'14's folder.
            assert any(words in str(refusal) for words in ("would both be", "cannot be the name of a file"))
            return
        # Files that state no unit may hold times that could be another's.
        again = read_annotations(written.path, form, FPS, unit=None if target.unit else "s")
    off = OFF[target.by_rate or target.times]
    assert set(again.timelines) == set(annotations.timelines)
    assert not again.dropped
    for video, timeline in annotations.timelines.items():
        expected = [
            (target.fit(a.label), a.start, a.end, 1.0 if SCORES in target.lacks else a.score)
            for a in timeline.actions
        ]
        actions = [(a.label, a.start, a.end, a.score) for a in again.timelines[video].actions]
        assert len(actions) == len(expected)
        for label, start, end, score in expected:
            # Rounding may change the order, so each looks for its own.
            near = next(
                action
                for action in actions
                if action[0] == label
                and action[3] == score
                and close(action[1], start, off)
                and (close(action[2], end, off) or end - start < 4 * off)
            )
            actions.remove(near)
        if LENGTHS not in target.lacks:
            assert close(again.timelines[video].duration, timeline.duration, off)
        if SUBSETS not in target.lacks:
            assert again.subsets[video] == "validation"


@pytest.mark.parametrize("form", [name for name in WRITTEN if LENGTHS not in FORMATS[name].lacks])
def test_a_video_without_actions_keeps_its_length(form: str, tmp_path: Path) -> None:
    annotations = Annotations({"empty": Timeline(8.0), "clip": Timeline(10.0, (Action(1.0, 2.0, "a"),))}, {})
    written = write_annotations(tmp_path / "out", annotations, form, FPS)
    assert read_annotations(written.path, form, FPS).timelines == annotations.timelines


@pytest.mark.parametrize("form", ["srt", "vtt", "audacity"])
def test_a_video_without_actions_or_length_is_dropped_with_a_note(form: str, tmp_path: Path) -> None:
    annotations = Annotations({"empty": Timeline(8.0), "clip": Timeline(10.0, (Action(1.0, 2.0, "a"),))}, {})
    written = write_annotations(tmp_path / "out", annotations, form)
    again = read_annotations(written.path, form)
    assert again.timelines == {"clip": Timeline(2.0, (Action(1.0, 2.0, "a"),))}
    assert "video 'empty' of unknown length and without any action: left out" in again.notes
    (tmp_path / "lengths.csv").write_text("filename,video-duration\nempty.mp4,8\nclip.mp4,10\n")
    assert read_annotations(written.path, form, durations=tmp_path / "lengths.csv").timelines == annotations.timelines


@pytest.mark.parametrize("form", WRITTEN)
def test_every_loss_is_noted_and_nothing_else(form: str, tmp_path: Path) -> None:
    full = Annotations(
        {"empty": Timeline(8.0), "clip": Timeline(10.0, (Action(1.0, 2.0, "a", 0.5),))},
        {"clip": "validation"},
        ambiguous={"clip": (Action(3.0, 4.0, "Ambiguous"),)},
    )
    sentences = " ".join(write_annotations(tmp_path / "full", full, form, FPS).notes)
    for thing in FORMATS[form].lacks:
        assert ("without actions" if thing == EMPTY else thing) in sentences
    assert ("rounded" in sentences) == bool(FORMATS[form].times or FORMATS[form].by_rate)
    plain = Annotations({"clip": Timeline(2.0, (Action(1.0, 2.0, "a"),))}, {})
    notes = write_annotations(tmp_path / "plain", plain, form, FPS).notes
    assert not any(
        word in note for note in notes for word in ("scores", "subsets", "ambiguous", "changed", "without")
    )


@pytest.mark.parametrize("form", WRITTEN)
def test_the_same_annotations_give_the_same_bytes(form: str, tmp_path: Path) -> None:
    annotations = build_annotations({"clip": [([1.0, 2.0], "b", 1.0), ([1.5, 3.0], "a", 1.0)]})
    written = []
    for name in ("first", "second"):
        place = write_annotations(tmp_path / name / "out", annotations, form, FPS).path
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        written.append([(file.name, file.read_bytes()) for file in files])
    assert written[0] == written[1]


def test_thumos_files_keep_subsets_and_ambiguous_marks(tmp_path: Path) -> None:
    timelines = {video: Timeline(9.0, (Action(1.0, 2.0, "High Jump"),)) for video in ("v", "t")}
    marks = {"t": (Action(3.0, 4.0, "Ambiguous"),)}
    whole = Annotations(timelines, {"v": "training", "t": "testing"}, ambiguous=marks)
    write_annotations(tmp_path / "out", whole, "thumos")
    names = ["Ambiguous_test.txt", "High Jump_test.txt", "High Jump_val.txt"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    again = read_annotations(tmp_path / "out")
    assert again.subsets == {"v": "validation", "t": "test"} and again.ambiguous == marks


def test_a_track_of_cvat_ends_outside_unless_the_video_does(tmp_path: Path) -> None:
    actions = (Action(1.0, 2.0, "a"), Action(3.0, 4.0, "b"))
    write_annotations(tmp_path / "clip.xml", Annotations({"clip": Timeline(4.0, actions)}, {}), fps=FPS)
    text = (tmp_path / "clip.xml").read_text()
    assert 'frame="50" outside="1"' in text and text.count('outside="1"') == 1
