"""What is written in a format is read again from it, up to what the format says that it cannot hold."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from untrimmed.annotations.convert import EMPTY, FORMATS, LENGTHS, SCORES, SUBSETS, read_any, write_any
from untrimmed.annotations.formats.base import Annotations
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
several = st.dictionaries(names, rows, min_size=1, max_size=3)


def made(drawn: dict[str, list]) -> Annotations:
    """Annotations whose videos end a little after their last action."""
    timelines = {}
    for video, its in drawn.items():
        actions = tuple(Action(start, end, label, score) for (start, end), label, score in its)
        timelines[video] = Timeline(max(a.end for a in actions) + 0.25, actions)
    return Annotations(timelines, {video: "validation" for video in timelines})


def close(first: float, second: float, off: float) -> bool:
    return abs(first - second) <= off


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=25)
@given(drawn=several)
@example(
    drawn={"clip": [([0.0, 2.0], "a", 1.0), ([0.5, 3.0], "a", 0.5), ([1.0, 2.5], "b", 1.0), ([3.0, 4.0], "a", 1.0)]}
)
@example(drawn={"clip": [([1.0, 1.000001], 'say "x"\n, ok', 0.25), ([1.0, 1.000001], 'say "x"\n, ok', 0.25)]})
def test_what_is_written_is_read_again(form: str, drawn: dict[str, list]) -> None:
    chosen = FORMATS[form]
    if form == "thumos":
        drawn = {video.replace(" ", ""): its for video, its in drawn.items()}
    annotations = made(drawn)
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = write_any(Path(folder) / "out", annotations, form, FPS)
        except BadInput as refusal:
            # Two labels that come out alike, and those that are no file's name in THUMOS'14's folder.
            assert any(words in str(refusal) for words in ("would both be", "cannot be the name of a file"))
            return
        again = read_any(written.path, form, FPS)
    off = OFF[chosen.by_rate or chosen.times]
    assert set(again.timelines) == set(annotations.timelines)
    assert not again.dropped
    for video, timeline in annotations.timelines.items():
        expected = [
            (chosen.fit(a.label), a.start, a.end, 1.0 if SCORES in chosen.lacks else a.score)
            for a in timeline.actions
        ]
        found = [(a.label, a.start, a.end, a.score) for a in again.timelines[video].actions]
        assert len(found) == len(expected)
        for label, start, end, score in expected:
            # Rounding may change the order, so each looks for its own.
            near = next(
                other
                for other in found
                if other[0] == label
                and other[3] == score
                and close(other[1], start, off)
                and (close(other[2], end, off) or end - start < 4 * off)
            )
            found.remove(near)
        if LENGTHS not in chosen.lacks:
            assert close(again.timelines[video].duration, timeline.duration, off)
        if SUBSETS not in chosen.lacks:
            assert again.subsets[video] == "validation"


@pytest.mark.parametrize("form", [name for name, chosen in FORMATS.items() if LENGTHS not in chosen.lacks])
def test_a_video_without_actions_keeps_its_length(form: str, tmp_path: Path) -> None:
    annotations = Annotations({"empty": Timeline(8.0), "clip": Timeline(10.0, (Action(1.0, 2.0, "a"),))}, {})
    written = write_any(tmp_path / "out", annotations, form, FPS)
    assert read_any(written.path, form, FPS).timelines == annotations.timelines


@pytest.mark.parametrize(
    "form", [name for name, chosen in FORMATS.items() if chosen.write_video and LENGTHS in chosen.lacks]
)
def test_a_video_without_actions_or_length_is_left_out_with_a_note(form: str, tmp_path: Path) -> None:
    annotations = Annotations({"empty": Timeline(8.0), "clip": Timeline(10.0, (Action(1.0, 2.0, "a"),))}, {})
    written = write_any(tmp_path / "out", annotations, form)
    again = read_any(written.path, form)
    assert again.timelines == {"clip": Timeline(2.0, (Action(1.0, 2.0, "a"),))}
    assert "video 'empty' of unknown length and without any action: left out" in again.notes
    (tmp_path / "lengths.csv").write_text("filename,video-duration\nempty.mp4,8\nclip.mp4,10\n")
    assert read_any(written.path, form, durations=tmp_path / "lengths.csv").timelines == annotations.timelines


@pytest.mark.parametrize("form", FORMATS)
def test_every_loss_is_told_and_nothing_else(form: str, tmp_path: Path) -> None:
    full = Annotations(
        {"empty": Timeline(8.0), "clip": Timeline(10.0, (Action(1.0, 2.0, "a", 0.5),))},
        {"clip": "validation"},
        ambiguous={"clip": (Action(3.0, 4.0, "Ambiguous"),)},
    )
    told = " ".join(write_any(tmp_path / "full", full, form, FPS).notes)
    for thing in FORMATS[form].lacks:
        assert ("without actions" if thing == EMPTY else thing) in told
    assert ("rounded" in told) == bool(FORMATS[form].times or FORMATS[form].by_rate)
    plain = Annotations({"clip": Timeline(2.0, (Action(1.0, 2.0, "a"),))}, {})
    notes = write_any(tmp_path / "plain", plain, form, FPS).notes
    assert not any(
        word in note for note in notes for word in ("scores", "subsets", "ambiguous", "changed", "without")
    )


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_annotations_give_the_same_bytes(form: str, tmp_path: Path) -> None:
    annotations = made({"clip": [([1.0, 2.0], "b", 1.0), ([1.5, 3.0], "a", 1.0)]})
    written = []
    for name in ("first", "second"):
        place = write_any(tmp_path / name / "out", annotations, form, FPS).path
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        written.append([(file.name, file.read_bytes()) for file in files])
    assert written[0] == written[1]


def test_thumos_files_keep_subsets_and_ambiguous_marks(tmp_path: Path) -> None:
    timelines = {video: Timeline(9.0, (Action(1.0, 2.0, "High Jump"),)) for video in ("v", "t")}
    marks = {"t": (Action(3.0, 4.0, "Ambiguous"),)}
    whole = Annotations(timelines, {"v": "training", "t": "testing"}, ambiguous=marks)
    write_any(tmp_path / "out", whole, "thumos")
    names = ["Ambiguous_test.txt", "High Jump_test.txt", "High Jump_val.txt"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    again = read_any(tmp_path / "out")
    assert again.subsets == {"v": "validation", "t": "test"} and again.ambiguous == marks


def test_a_track_of_cvat_ends_outside_unless_the_video_does(tmp_path: Path) -> None:
    actions = (Action(1.0, 2.0, "a"), Action(3.0, 4.0, "b"))
    write_any(tmp_path / "clip.xml", Annotations({"clip": Timeline(4.0, actions)}, {}), fps=FPS)
    text = (tmp_path / "clip.xml").read_text()
    assert 'frame="50" outside="1"' in text and text.count('outside="1"') == 1
