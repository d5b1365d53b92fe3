"""Actions keep their contract, and a timeline keeps its actions in order."""

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

import untrimmed
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline, Timelines, classes_of

times = st.floats(0, 1e5, allow_nan=False)


@st.composite
def actions(draw: st.DrawFn) -> Action:
    start, end = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    return Action(start, end, draw(st.sampled_from("abc")), draw(st.floats(0, 1)))


@pytest.mark.parametrize(
    ("start", "end", "score", "words"),
    [
        (-0.001, 1.0, 1.0, "starts before the video"),
        (3.0, 2.0, 1.0, "is reversed"),
        (2.0, 2.0, 1.0, "has no length"),
        (math.nan, 2.0, 1.0, "not finite"),
        (0.0, math.inf, 1.0, "not finite"),
        (0.0, 1.0, math.nan, "score nan"),
    ],
)
def test_an_action_that_cannot_be_is_refused(start: float, end: float, score: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Action(start, end, "jump", score)


def test_an_action_knows_its_length_and_cannot_change() -> None:
    action = Action(1.5, 4.0, "jump")
    assert action.length == 2.5 and action.score == 1.0
    with pytest.raises(FrozenInstanceError):
        action.end = 5.0  # type: ignore[misc]


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf])
def test_a_timeline_needs_a_length(duration: float) -> None:
    with pytest.raises(ValueError, match="not a positive number of seconds"):
        Timeline(duration)


@given(st.lists(actions()), st.randoms())
def test_the_order_in_which_actions_come_does_not_matter(some: list[Action], random) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    timeline = Timeline(1e5, tuple(some))
    assert Timeline(1e5, tuple(shuffled)) == timeline
    assert [action.start for action in timeline.actions] == sorted(action.start for action in some)


@given(st.lists(actions()), st.integers(0, 5))
def test_the_best_score_no_less_than_the_rest(some: list[Action], count: int) -> None:
    timeline = Timeline(1e5, tuple(some))
    best = timeline.best(count).actions
    rest = list(timeline.actions)
    for action in best:
        rest.remove(action)
    assert len(best) == min(count, len(some))
    assert all(kept.score >= left.score for kept in best for left in rest)


def test_of_equal_scores_the_earlier_is_the_best() -> None:
    timeline = Timeline(9.0, (Action(5, 6, "late", 0.5), Action(1, 2, "early", 0.5), Action(3, 4, "low", 0.1)))
    assert timeline.best(1).labels == ("early",)


def test_a_floor_keeps_the_score_that_meets_it() -> None:
    timeline = Timeline(9.0, (Action(0, 1, "a", 0.3), Action(1, 2, "b", 0.5), Action(2, 3, "c", 0.7)))
    assert timeline.above(0.5).labels == ("b", "c")
    assert timeline.above(0.5).duration == 9.0


def test_classes_are_every_label_once_and_sorted() -> None:
    one = Timeline(9.0, (Action(0, 1, "run"), Action(1, 2, "jump"), Action(2, 3, "run")))
    assert one.labels == ("jump", "run")
    assert classes_of([one, Timeline(2.0, (Action(0, 1, "dive"),)), Timeline(2.0)]) == ("dive", "jump", "run")


def test_a_timeline_alone_needs_no_pictures():
    code = "import sys, untrimmed.timeline; sys.exit('untrimmed.visualization' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


TWO = Timeline(9.0, (Action(1.0, 3.0, "jump", 0.5), Action(4.0, 5.0, "run", 0.9)))


def test_a_timeline_is_a_sequence_of_its_actions():
    assert len(TWO) == 2
    assert TWO[0].label == "jump" and TWO[-1].label == "run"
    assert [action.label for action in TWO] == ["jump", "run"]
    assert bool(Timeline(9.0))  # a video in which nothing happens


def test_a_timeline_becomes_rows():
    assert TWO.to_dicts()[0] == {"start": 1.0, "end": 3.0, "label": "jump", "score": 0.5}
    rows = Timelines({"a": TWO, "b": Timeline(3.0)}).to_dicts()
    assert [(row["video"], row["label"]) for row in rows] == [("a", "jump"), ("a", "run")]


def test_timelines_are_a_mapping_that_selects():
    timelines = Timelines({"a": TWO, "b": Timeline(3.0)}, notes=["one was cut"])
    assert list(timelines) == ["a", "b"] and timelines["a"] is TWO and timelines.labels == ("jump", "run")
    assert timelines.above(0.6)["a"].labels == ("run",) and timelines.best(1)["a"].labels == ("run",)
    assert timelines.above(0.6).notes == ("one was cut",)
    assert repr(timelines) == "Timelines(2 videos, 2 actions of 2 classes)"


@pytest.mark.parametrize("ending", ["json", "csv", "srt", "vtt", "eaf", "TextGrid", "boris", "tsv"])
def test_a_timeline_is_saved_in_the_format_of_the_ending(tmp_path, ending):
    path = TWO.save(str(tmp_path / f"match.{ending}"), score=0)
    annotations = untrimmed.read_annotations(path)
    assert list(annotations.timelines) == ["match"]
    assert [(a.start, a.end, a.label) for a in annotations.timelines["match"]] == [(1, 3, "jump"), (4, 5, "run")]


def test_several_timelines_are_saved_to_one_file_or_to_one_a_video(tmp_path):
    timelines = Timelines({"a": TWO, "b": Timeline(3.0, (Action(1, 2, "run"),))})
    assert timelines.save(tmp_path / "all.json") == [tmp_path / "all.json"]
    assert sorted(timelines.save(tmp_path / "{video}.srt")) == [tmp_path / "a.srt", tmp_path / "b.srt"]
    with pytest.raises(BadInput, match=r"all\.srt: such a file holds one video, not 2; name it '\{video\}\.srt'"):
        timelines.save(tmp_path / "all.srt")
    with pytest.raises(BadInput, match=r"all\.docx: its ending must be one of"):
        timelines.save(tmp_path / "all.docx")


def test_a_page_opens_in_the_browser(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = Timelines({"a": TWO}).show()
    assert opened == [page.as_uri()] and "jump" in page.read_text()
    assert "jump" in TWO.show().read_text()


def test_a_notebook_draws_a_timeline_and_a_folder_of_them():
    assert "a &lt;b&gt;" in Timeline(9.0, (Action(1.0, 3.0, "a <b>", 0.5),))._repr_html_()
    assert "jump" in Timelines({"a": TWO})._repr_html_()


def test_a_data_frame_needs_pandas_or_polars(monkeypatch):
    monkeypatch.setattr("untrimmed.timeline.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install pandas"):
        TWO.to_dataframe()
