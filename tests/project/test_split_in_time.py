"""How one long video is split in time, from `init` to figures of the test part."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import synthetic
from untrimmed.annotations.convert import read_annotations
from untrimmed.annotations.spans import intersect_spans, measure_spans, select_actions
from untrimmed.annotations.subsets import TRAINING, VALIDATION
from untrimmed.cli import app
from untrimmed.project.split import Split
from untrimmed.project.split_in_time import GAP, LONG, describe_parts, split_timeline
from untrimmed.timeline import Action, Timeline

steps = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from("xyz")), min_size=2, max_size=25)


def build(gaps_and_lengths: list[tuple[int, int, str]]) -> Timeline:
    """Actions one after the other, each so many seconds after the end of the one before."""
    time, actions = 5, []
    for gap, length, label in gaps_and_lengths:
        actions.append(Action(time + gap, time + gap + length, label))
        time += gap + length
    return Timeline(float(time + 20), tuple(actions))


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@given(steps.filter(lambda rows: any(gap for gap, *_ in rows[1:])))
@settings(deadline=None)
def test_the_border_cuts_no_action_and_leaves_some_on_both_sides(rows):
    timeline = build(rows)
    parts = split_timeline(timeline)
    train, test = parts[TRAINING], parts[VALIDATION]
    assert not intersect_spans(train, test)
    sides = [select_actions(timeline, part) for part in (train, test)]
    assert all(side.actions for side in sides)
    assert sum(map(len, sides)) == len(timeline)
    for start, end in (*train, *test):
        assert not any(action.start < border < action.end for action in timeline for border in (start, end))
    gap = timeline.duration - measure_spans(train) - measure_spans(test)
    assert 0 <= gap <= GAP * timeline.duration + 1e-6


@given(steps)
@settings(deadline=None)
def test_no_other_border_has_more_classes_on_both_sides(rows):
    timeline = build(rows)
    parts = split_timeline(timeline)
    train, test = (set(select_actions(timeline, parts[name]).labels) for name in (TRAINING, VALIDATION))
    idle = [
        second.start
        for first, second in zip(timeline, timeline.actions[1:], strict=False)
        if first.end < second.start
    ]
    for border in idle:
        early, late = (select_actions(timeline, ((a, b),)).labels for a, b in ((0, border), (border, 9e9)))
        assert len(set(early) & set(late)) <= len(train & test)


def test_alike_actions_leave_the_last_quarter_for_the_test():
    timeline = Timeline(1000.0, tuple(Action(t, t + 5, "x") for t in range(20, 980, 10)))
    parts = split_timeline(timeline)
    assert parts[TRAINING][0][0] == 0 and parts[VALIDATION][0][1] == 1000
    assert len(select_actions(timeline, parts[VALIDATION])) == len(timeline) // 4
    assert parts[VALIDATION][0][0] - parts[TRAINING][0][1] == pytest.approx(GAP * 1000)


def test_only_what_is_annotated_is_split_and_actions_without_a_pause_all_the_same():
    timeline = Timeline(1000.0, tuple(Action(t, t + 5, "x") for t in range(0, 1000, 5)))
    parts = split_timeline(timeline, ((100.0, 300.0),))
    assert parts[TRAINING][0][0] == 100 and parts[VALIDATION][-1][1] == 300
    assert not split_timeline(Timeline(50.0, (Action(1, 2, "x"),)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthetic.write_long_video(tmp_path, seconds=600.0)
    return tmp_path


SMALL = ("train.steps=6", "model.width=0.0625", "model.concepts=8", "train.average=0.9", "train.warmup=0")


def test_a_stranger_with_one_video_gets_figures_of_its_test_part(folder):
    first = run("init", "--features", "features", "--annotations", "labels.csv")
    assert first.exit_code == 0, first.output
    assert "1 video is split in time, as proposed here: of 'day' training 0.0 to" in first.output
    database = json.loads((folder / "annotations.json").read_text())["database"]["day"]
    assert "subset" not in database and len(database["annotations"]) == 53
    start = database["parts"]["validation"][0][0]
    check = run("doctor", "dataset.toml")
    assert check.exit_code == 0, check.output
    assert "note: video split in time" in check.output and "error" not in check.output
    done = run("train", "dataset.toml", *SMALL, "--out", "runs/dataset")
    assert done.exit_code == 0, done.output
    judged = run(
        "evaluate", "annotations.json", "runs/dataset/results.json", "--subset", "validation", "--json", "e.json"
    )
    assert judged.exit_code == 0, judged.output
    figures, again = (json.loads((folder / name).read_text()) for name in ("runs/dataset/scores.json", "e.json"))
    assert again["average_map"] == figures["average_map"] and again["false_alarms"] == figures["false_alarms"]
    results = json.loads((folder / "runs/dataset/results.json").read_text())["results"]["day"]
    assert results and min(row["segment"][0] for row in results) >= start
    tuned = run("tune", "runs/dataset/detector.safetensors", "dataset.toml", "--json", "tuned.json", "--quiet")
    assert tuned.exit_code == 0, tuned.output
    before = json.loads((folder / "tuned.json").read_text())["before"]
    assert before["average_map"] == pytest.approx(figures["average_map"])
    assert before["false_alarms"]["hours"] == pytest.approx(figures["false_alarms"]["hours"])


def test_doctor_finds_actions_that_a_border_cuts_or_no_stretch_has(folder):
    assert run("init", "--features", "features", "--annotations", "labels.csv").exit_code == 0
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    content["database"]["day"]["parts"] = {"training": [[0, 42]], "validation": [[300, 600]]}
    content["database"]["day"]["annotated"] = [[0, 580]]
    path.write_text(json.dumps(content))
    output = run("doctor", "dataset.toml", "--all").output
    assert "warning: actions in no stretch of their video" in output
    assert "warning: actions cut by the end of a stretch" in output
    assert "note: video annotated in part" in output
    assert "warning: actions outside of what is annotated" in output
    content["database"]["day"]["parts"] = {"training": [[0, 300]], "validation": [[310, 600]]}
    path.write_text(json.dumps(content))
    output = run("doctor", "dataset.toml", 'data.test=["training","validation"]').output
    assert "error: stretch in both training and test" in output


def test_a_few_long_videos_are_split_in_time_where_whole_ones_would_part_the_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = ["video,start,end,label,video_duration"]
    (tmp_path / "features").mkdir()
    for number, label in enumerate(("jump", "run")):
        rows += [f"day{number},{t},{t + 4},{label},{LONG + 60:g}" for t in range(10, 600, 30)]
        np.save(tmp_path / "features" / f"day{number}.npy", np.zeros((round(4 * LONG) + 240, 3), np.float32))
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    done = run("init", "--features", "features", "--annotations", "labels.csv", "--fps", "4")
    assert done.exit_code == 0, done.output
    assert "2 videos are split in time, as proposed here" in done.output
    database = json.loads((tmp_path / "annotations.json").read_text())["database"]
    assert all(set(entry["parts"]) == {"training", "validation"} for entry in database.values())


def test_stretches_that_the_user_names_are_kept(folder):
    (folder / "spans.csv").write_text("video,start,end,subset\nday,0,100,test\nday,110,600,train\n")
    words = ("init", "--features", "features", "--annotations", "labels.csv", "--annotated", "spans.csv")
    done = run(*words)
    assert done.exit_code == 0, done.output
    parts = json.loads((folder / "annotations.json").read_text())["database"]["day"]["parts"]
    assert parts == {"testing": [[0.0, 100.0]], "training": [[110.0, 600.0]]}
    assert "as the annotations have it" in done.output
    recipe = (folder / "dataset.toml").read_text()
    assert 'test = ["testing"]  # 1 video (1.67 minutes), 9 actions' in recipe


def test_what_is_not_annotated_is_no_part_of_the_numbers(folder):
    (folder / "spans.csv").write_text("video,start,end\nday,0,300\n")
    words = ("init", "--features", "features", "--annotations", "labels.csv", "--annotated", "spans.csv")
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "actions lie outside of what is annotated" in done.output
    entry = json.loads((folder / "annotations.json").read_text())["database"]["day"]
    assert entry["annotated"] == [[0.0, 300.0]] and len(entry["annotations"]) == 53
    assert entry["parts"]["validation"][0][1] == 300.0
    assert "from 1 video and 27 actions" in (folder / "dataset.toml").read_text()


def init_with_spans(folder, text):
    (folder / "spans.csv").write_text(text)
    return run("init", "--features", "features", "--annotations", "labels.csv", "--annotated", "spans.csv", "--force")


def test_a_subset_that_is_not_used_is_told_with_the_nearest_name(folder):
    text = "video,start,end,subset\nday,0,100,validation\nday,110,400,training\nday,410,590,trainig\n"
    done = init_with_spans(folder, text)
    assert done.exit_code == 0, done.output
    timeline = read_annotations(folder / "labels.csv").timelines["day"]
    lost = len(select_actions(timeline, ((410.0, 590.0),)))
    outside = len(timeline) - len(select_actions(timeline, ((0.0, 100.0), (110.0, 400.0), (410.0, 590.0))))
    output = " ".join(done.output.split())
    assert f"180 s with {lost} actions are not used; did you mean 'training'?" in output
    said = f"{outside} action{' lies' if outside == 1 else 's lie'} in none of these stretches"
    assert (said in output) == (outside > 0) and ("in none of these" in output) == (outside > 0)
    check = " ".join(run("doctor", "dataset.toml", "--all").output.split())
    assert "warning: stretches of a subset that neither trains nor tests" in check
    assert f"{lost} actions are not used; did you mean 'training'?" in check


def test_subsets_that_part_nothing_are_told_with_the_usual_name(folder):
    done = init_with_spans(folder, "video,start,end,subset\nday,0,300,training\nday,310,600,validaton\n")
    assert done.exit_code == 0, done.output
    output = " ".join(done.output.split())
    assert "subsets ('training', 'validaton') do not part training from test" in output
    assert "subset 'validaton' is none of the usual names; did you mean 'validation'?" in output


def test_only_videos_of_several_subsets_are_said_to_be_split_in_time():
    parts = {"a": {TRAINING: ((0.0, 10.0),)}, "b": {TRAINING: ((0.0, 10.0),), VALIDATION: ((20.0, 30.0),)}}
    timelines = {video: Timeline(40.0, (Action(1, 2, "x"), Action(14, 15, "x"))) for video in parts}
    notes = describe_parts(Split({}, (TRAINING,), (VALIDATION,), False, parts), timelines)
    assert notes[0].startswith("1 video is split in time, as the annotations have it: of 'b' training")
    assert notes[1:] == ["2 actions lie in none of these stretches, and left out"]
