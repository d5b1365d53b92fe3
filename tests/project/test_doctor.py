"""Every fault of a data set that `untrimmed doctor` finds, each made on purpose in one that has none."""

import json
import re
from fractions import Fraction
from pathlib import Path
from shutil import copy, copytree

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from own_folder import video
from untrimmed.cli import app
from untrimmed.features.folder import FeatureWriter, compute_fingerprint
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.project import feature_checks
from untrimmed.project.doctor import check_dataset
from untrimmed.recipe import read_recipe

SOURCE = FeatureSource(backbone="mine", fps=4.0)
SECONDS = 12
RECIPE = """
[data]
videos = "clips"
annotations = "annotations.json"
features = "features"

[windows]
mode = "slide"

[model]
length = 64
levels = 4
concepts = 4
depth = 15
width = 0.1
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Videos of four colours, and their features."""
    place = tmp_path_factory.mktemp("written")
    writer = FeatureWriter(place / "features", SOURCE)
    for number, name in enumerate("abcd"):
        file = video(place / "clips" / f"{name}.mp4", SECONDS, seed=number)
        values = np.random.default_rng(number).normal(size=(SECONDS * 4, 6)).astype(np.float32)
        writer.write(name, VideoFeatures(values, SOURCE.grid, SECONDS, SOURCE), compute_fingerprint(file))
    return place


@pytest.fixture
def healthy(written, tmp_path, monkeypatch):
    """A folder with nothing to object to; the entries of its annotations."""
    copytree(written, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    Path("dataset.toml").write_text(RECIPE)
    actions = [(1, 3, "jump"), (4, 6, "run"), (7, 9, "jump"), (9.5, 11, "run")]
    entries = {name: entry("validation" if name == "d" else "training", actions) for name in "abcd"}
    return annotate(entries)


def entry(subset, actions, duration=SECONDS):
    segments = [{"segment": [start, end], "label": label} for start, end, label in actions]
    return {"subset": subset, "duration": duration, "annotations": segments}


def annotate(entries):
    Path("annotations.json").write_text(json.dumps({"database": entries}))
    return entries


def add(entries, name, *action):
    entries[name]["annotations"].append({"segment": list(action[:2]), "label": action[2]})
    annotate(entries)


def check(*overrides, **how):
    """Findings by severity and kind, as sentences."""
    groups = check_dataset(read_recipe(Path("dataset.toml"), overrides), **how)
    return {(group.severity, group.kind): [f.sentence for f in group.findings] for group in groups}


def rewrite(name, values, seconds=SECONDS, source=SOURCE):
    FeatureWriter(Path("features"), source).write(name, VideoFeatures(values, source.grid, seconds, source))


def test_a_sound_data_set_has_nothing_to_object_to(healthy):
    assert check(decode=True) == {}
    result = CliRunner().invoke(app, ["doctor", "dataset.toml"])
    assert (result.exit_code, result.output) == (0, "dataset.toml: nothing to object to\n")


@pytest.mark.parametrize(
    ("action", "kind", "sentence"),
    [
        (
            (5, 5, "jump"),
            "annotation without length",
            "annotations.json: video 'b', 'jump' at [5, 5] s, has no length",
        ),
        ((8, 2, "jump"), "annotation that ends before it starts", "'jump' at [8, 2] s, is reversed"),
        ((2, 30, "jump"), "annotation beyond the video's end", "ends 18 s after the video does at 12 s"),
        ((13, 14, "jump"), "annotation beyond the video's end", "starts after the video ends at 12 s"),
        ((-3, 1, "jump"), "annotation before the video's start", "starts 3 s before the video does"),
        ((float("nan"), 1, "jump"), "annotation with a time that is no number", "is not finite"),
    ],
)
def test_times_that_cannot_be_are_errors_unless_they_are_to_be_dropped(healthy, action, kind, sentence):
    add(healthy, "b", *action)
    faults = check()
    assert list(faults) == [("error", kind)] and sentence in faults["error", kind][0]
    assert list(check("data.unusable=drop")) == [("warning", kind)]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ((1, 3, "jump"), "action annotated twice"),
        ((1.05, 3, "jump"), "action annotated twice, nearly alike"),
        ((2, 3.5, "jump"), "action that overlaps one of its own class"),
    ],
)
def test_doubles_and_overlaps_of_one_class_are_found(healthy, action, kind):
    add(healthy, "b", *action)
    faults = check()
    assert list(faults) == [("warning", kind)] and len(faults["warning", kind]) == 1
    assert faults["warning", kind][0].startswith("b: 'jump' at 1.00 to 3.00 s")


@pytest.mark.parametrize("action", [(1, 3, "run"), (3, 4, "jump"), (2.96, 4.5, "jump")])
def test_other_classes_and_ends_that_touch_are_no_overlap(healthy, action):
    add(healthy, "b", *action)
    assert check() == {}


def test_an_action_as_long_as_its_video_is_told(healthy):
    add(healthy, "b", 0.1, 11.9, "rest")
    sentence = "b: 'rest' at 0.10 to 11.90 s is all of the 12.0 s of its video"
    assert check()["warning", "action as long as its video"] == [sentence]


def test_labels_that_differ_by_case_blanks_or_a_letter_are_told(healthy):
    for name in "abcd":
        add(healthy, name, 11.1, 11.8, "Jump ")
        add(healthy, name, 3.1, 3.9, "jumq")
    faults = check()
    assert faults["warning", "labels that differ by case or blanks alone"] == [
        "'Jump ' (4 times) and 'jump' (8 times)"
    ]
    assert faults["note", "labels that differ by one letter"] == ["'jump' (8) and 'jumq' (4)"]


def test_classes_that_are_not_learned_or_hardly_or_not_tested_are_told(healthy):
    add(healthy, "d", 11.2, 11.9, "stand")
    add(healthy, "a", 11.2, 11.9, "crawl")
    faults = check()
    assert faults["warning", "class in test videos that no training video has"] == [
        "'stand': 1 action in test, none in training"
    ]
    assert faults["warning", "class with very few examples"] == ["'crawl': 1 action in training"]
    assert faults["note", "class that is not tested"] == ["'crawl'"]


def test_a_frequent_class_beside_a_rare_one_is_told(healthy):
    for name in "abcd":
        healthy[name]["annotations"] = [
            {"segment": [n / 4, n / 4 + 0.25], "label": "jump" if n < 44 else "run"} for n in range(46)
        ]
    annotate(healthy)
    sentence = "'jump' has 132 training actions, 'run' has 6"
    assert check()["note", "classes of very different size"] == [sentence]


def test_videos_without_actions_are_a_note_and_a_side_without_any_is_more(healthy):
    healthy["d"]["annotations"] = []
    annotate(healthy)
    faults = check()
    assert faults["note", "videos without any action"] == ["1 of 4 videos, the first is d"]
    assert faults["warning", "no action in any test video"] == ["1 test videos have no action"]
    assert ("error", "no action in any training video") in check(
        "data.train=['validation']", "data.test=['training']"
    )


@pytest.mark.parametrize("missing", ["data.train=nowhere", "data.test=nowhere"])
def test_of_subsets_that_are_not_there_no_class_is_said_to_be_absent(healthy, missing):
    assert {kind for _, kind in check(missing) if "class" in kind} == set()


def test_a_side_that_does_not_exist_or_is_both_is_an_error(healthy):
    assert check("data.test=['testing']")["error", "subset that does not exist"] == [
        "annotations.json: data.test = 'testing' is no subset: there are 'training', 'validation'; "
        "set data.test to one that is"
    ]
    both = check("data.train=['training','validation']")
    assert both["error", "video in both training and test"] == ["d"]


def test_files_and_annotations_that_lack_each_other_are_told(healthy):
    Path("clips/a.mp4").rename("clips/other.mp4")
    Path("clips/b.mp4").write_bytes(b"broken")
    faults = check()
    assert faults["warning", "annotated video without a file"] == ["a"]
    assert faults["note", "video without annotations"] == ["clips/other.mp4"]
    assert "clips/b.mp4: cannot be read as a video" in faults["error", "video that cannot be read"][0]


def test_names_with_an_ending_or_a_prefix_are_the_same_video(healthy):
    annotate({"v_a": healthy["a"], "b.mp4": healthy["b"], "c": healthy["c"], "d": healthy["d"]})
    (sentence,) = check().pop(("note", "video in another spelling"))
    assert sentence.startswith("2 videos are spelled differently")


def test_annotated_lengths_are_held_against_the_files(healthy):
    healthy["a"]["duration"] = SECONDS + 4
    add(healthy, "a", 13.5, 15, "jump")
    faults = check()
    assert faults["warning", "annotated length that is not the file's"] == [
        "clips/a.mp4: lasts 12.0 s, 16.0 s in the annotations"
    ]
    assert faults["error", "action beyond the end of its file"] == ["clips/a.mp4: ends at 12.0 s, 'jump' at 15.0 s"]
    healthy["a"] = entry("training", [(1, 3, "jump")] * 1, SECONDS + 0.9)
    annotate(healthy)
    assert not any("length" in kind for _, kind in check())


def test_rates_that_differ_or_vary_are_notes(healthy):
    video(Path("clips/a.mp4"), SECONDS, fps=20)
    variable(Path("clips/b.mkv"))
    Path("clips/b.mp4").unlink()
    faults = check()
    assert faults["note", "videos of several frame rates"][0].startswith("10 fps: 2, ")
    assert [sentence.partition(":")[0] for sentence in faults["note", "video of variable frame rate"]] == [
        "clips/b.mkv"
    ]


def variable(path):
    """Frames a second: 30 and 10 by turns."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 30)
        at = 0
        for number in range(180):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), "rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 30)
            at += 1 if number // 5 % 2 else 3
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_one_content_under_two_names_is_worst_across_the_split(healthy):
    copy("clips/a.mp4", "clips/d.mp4")
    copy("clips/b.mp4", "clips/c.mp4")
    copy("clips/b.mp4", "clips/unused.mp4")
    faults = check()
    assert faults["error", "one video in both training and test, under two names"] == [
        "clips/a.mp4 (training) = clips/d.mp4 (test)"
    ]
    assert faults["warning", "one video twice, under two names"] == [
        "clips/b.mp4 (training) = clips/c.mp4 (training) = clips/unused.mp4 (unused)"
    ]


def test_only_decoding_finds_a_video_that_ends_early(healthy):
    content = Path("clips/c.mp4").read_bytes()
    start = content.index(b"mdat") + 4
    middle = start + (len(content) - start) // 3
    Path("clips/c.mp4").write_bytes(content[:middle] + bytes(len(content) - middle))
    assert check() == {}
    faults = check(decode=True)
    assert [kind for _, kind in faults] in (
        ["video that cannot be decoded to its end"],
        ["video with damage inside"],
    )
    assert "clips/c.mp4" in next(iter(faults.values()))[0]


def test_features_that_are_not_there_are_told_with_what_makes_them(healthy):
    Path("features/b.npy").unlink()
    manifest = json.loads(Path("features/manifest.json").read_text())
    del manifest["videos"]["b"]
    Path("features/manifest.json").write_text(json.dumps(manifest))
    groups = check_dataset(read_recipe(Path("dataset.toml")))
    finding = groups[0].findings[0]
    assert (finding.severity, finding.sentence) == ("error", "features: none of b")
    assert finding.remedy == "run untrimmed extract clips --out features"
    assert list(check("data.unusable=drop")) == [("warning", "video without features")]


def test_features_of_another_rate_than_the_recipe_s_are_refused(healthy):
    faults = check("data.source.backbone=mine", "data.source.fps=8.0")
    assert "its features come from mine (one stream, 4 fps" in faults["error", "features that cannot be opened"][0]


def test_features_that_end_before_their_video_are_told(healthy):
    rewrite("a", np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32))
    kind = "features that end before or after their video"
    assert check()["warning", kind] == ["a: 24 snippets end at 6.0 s, the video at 12.0 s"]


def test_features_that_are_no_numbers_or_never_change_are_told(healthy):
    for name in "abcd":
        values = np.array(np.load(f"features/{name}.npy"))
        values[:, 2] = 7
        values[3, 4] = np.inf if name == "c" else values[3, 4]
        np.save(f"features/{name}.npy", values)
    faults = check()
    assert faults["error", "features that are not finite"] == [
        "c: 1 values, the first is inf at snippet 3, channel 4"
    ]
    assert faults["note", "dead channels"] == ["1 of 6 never change in any video, the first is channel 2"]


def test_a_value_of_absurd_size_is_told_with_its_place(healthy):
    values = np.array(np.load("features/c.npy"), np.float32)
    values[6, 4] = -1e30
    np.save("features/c.npy", values)
    (sentence,) = check()["warning", "features of absurd size"]
    assert re.match(r"c: 1e\+30 at 1\.\d s in channel 4, which reaches [\d.]+ in the usual video \(1 of 6 ", sentence)
    values[6, 4] = 100
    np.save("features/c.npy", values)
    assert check() == {}


def test_a_dead_channel_is_none_if_it_lives_in_one_video_and_many_are_a_warning(healthy):
    for name in "bcd":
        np.save(f"features/{name}.npy", np.full((SECONDS * 4, 6), 7, np.float16))
    assert check() == {}
    np.save("features/a.npy", np.full((SECONDS * 4, 6), 7, np.float16))
    assert list(check()) == [("warning", "dead channels")]


def test_features_of_another_width_or_unreadable_are_errors(healthy):
    np.save("features/b.npy", np.zeros((SECONDS * 4, 5), np.float16))
    Path("features/c.npy").write_bytes(b"nothing")
    faults = check()
    assert faults["error", "features of several widths"] == ["b: 5 channels, 6 in the videos before it"]
    assert "features/c.npy" in faults["error", "features that cannot be read"][0]


def test_of_very_many_features_the_lengths_alone_are_looked_at(healthy, monkeypatch):
    monkeypatch.setattr(feature_checks, "MOST_BYTES", 1)
    assert check() == {("note", "many features"): ["the values of 1 of 4 videos were looked at"]}


def test_features_older_than_their_video_are_an_error(healthy):
    video(Path("clips/b.mp4"), SECONDS, seed=77)
    (sentence,) = check()["error", "features older than their video"]
    assert sentence.startswith("clips/b.mp4: has ") and "its features were made of" in sentence


def test_actions_that_do_not_fit_into_a_window_are_told(healthy):
    add(healthy, "a", 0.5, 10.5, "rest")
    (sentence,) = check("model.length=32")["warning", "actions longer than a window"]
    assert sentence.startswith("1 of 17 (5.9 %), 0 of them too long to be learned at all; the longest is 'rest' in a")
    assert sentence.endswith("= 40 snippets, a window 32")


def test_actions_that_are_too_short_for_snippets_and_anchors_are_told(healthy):
    add(healthy, "a", 11.3, 11.45, "jump")
    faults = check()
    assert faults["warning", "actions shorter than a snippet"] == [
        "1 of 17 (5.9 %); the shortest is 'jump' in a, 11.30 to 11.45 s"
    ]
    (sentence,) = faults["warning", "actions that no anchor reaches at tIoU 0.5"]
    assert sentence.startswith("1 of 17 (5.9 %) (model.force_match gives each its nearest all the same)")


def test_a_video_that_is_resized_to_one_window_has_its_own_scale(healthy):
    add(healthy, "a", 11.3, 11.45, "jump")
    # 64 snippets for 12 seconds are 5.3 a second, 512 are 43.
    assert ("warning", "actions shorter than a snippet") in check("windows.mode=whole")
    assert ("warning", "actions shorter than a snippet") not in check("windows.mode=whole", "model.length=512")


WINDOW_FAULTS = (
    "actions longer than a window",
    "actions shorter than a snippet",
    "actions that no anchor reaches at tIoU 0.5",
)


@pytest.mark.parametrize("overrides", [(), ("data.average=2",), ("windows.mode=whole",)], ids=str)
@pytest.mark.parametrize("action", [(0.2, 11.8), (11.3, 11.45), (5.0, 5.4), (2.0, 2.3)], ids=str)
@pytest.mark.parametrize("length", [32, 64])
def test_what_the_doctor_says_about_windows_makes_the_finding_go_away(healthy, action, length, overrides):
    add(healthy, "a", *action, "rest")
    overrides = (*overrides, f"model.length={length}", "data.videos=none")
    groups = check_dataset(read_recipe(Path("dataset.toml"), overrides))
    for kind, remedy in [(group.kind, group.findings[0].remedy) for group in groups if group.kind in WINDOW_FAULTS]:
        settings = re.findall(r"([a-z]+(?:\.[a-z]+)+) = ([\d.]+)", remedy)
        assert settings and "remain" not in remedy
        # Features of another rate would lie in another folder: none is needed to see how actions lie in them.
        words = [f"{key}={value}" for key, value in settings]
        if "take features of" in remedy:
            words += ["data.features=elsewhere", "data.source.backbone=mine"]
        mended = check_dataset(read_recipe(Path("dataset.toml"), [*overrides, *words]))
        assert kind not in [group.kind for group in mended], remedy


def test_a_folder_is_checked_by_its_only_recipe_or_by_what_would_be_proposed(healthy):
    result = CliRunner().invoke(app, ["doctor", "."])
    assert result.exit_code == 0 and result.output.endswith(".: nothing to object to\n"), result.output
    Path("other.toml").write_text(RECIPE)
    result = CliRunner().invoke(app, ["doctor", "."])
    assert result.exit_code == 2 and "holds 2 recipes (dataset.toml, other.toml)" in result.stderr
    for file in ("dataset.toml", "other.toml"):
        Path(file).unlink()
    present = sorted(Path().rglob("*"))
    result = CliRunner().invoke(app, ["doctor", "."])
    assert "what `untrimmed init` proposes was checked, and nothing written" in result.output
    assert sorted(Path().rglob("*")) == present


def test_a_subset_in_another_spelling_is_a_note(healthy):
    assert check("data.train=Train", "data.test=val") == {
        ("note", "subset in another spelling"): [
            "data.train: subset 'Train' is read as 'training'",
            "data.test: subset 'val' is read as 'validation'",
        ]
    }


def test_annotations_that_cannot_be_read_are_the_one_finding_with_a_hint_about_folders(
    healthy, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (group,) = check_dataset(read_recipe(tmp_path / "dataset.toml"), tmp_path)
    assert "no such annotation file" in group.findings[0].sentence
    assert group.findings[0].remedy.endswith(f"run it in {tmp_path}")


def test_without_a_folder_of_videos_everything_else_is_looked_at(healthy):
    assert list(check("data.videos=none")) == [("note", "no videos")]
    assert list(check("data.videos=nowhere")) == [("error", "videos that cannot be found")]


def test_the_command_exits_with_2_for_errors_alone_and_writes_json(healthy):
    Path("clips/extra.mp4").write_bytes(Path("clips/a.mp4").read_bytes() + b" ")
    assert CliRunner().invoke(app, ["doctor", "dataset.toml"]).exit_code == 0
    add(healthy, "a", 5, 5, "jump")
    result = CliRunner().invoke(app, ["doctor", "dataset.toml", "--json", "found.json"])
    assert result.exit_code == 2
    assert result.output.startswith("error: annotation without length\n  annotations.json: video 'a'")
    assert result.output.endswith("dataset.toml: 1 error, 1 note\n")
    assert json.loads(Path("found.json").read_text())["counts"] == {"error": 1, "warning": 0, "note": 1}


@pytest.mark.parametrize("videos", ["clips", ""])
def test_times_that_another_unit_would_fit_are_an_error_that_names_it(healthy, videos):
    content = json.loads(Path("annotations.json").read_text())
    for item in content["database"].values():
        item["duration"] *= 1000
        for action in item["annotations"]:
            action["segment"] = [1000 * time for time in action["segment"]]
    Path("annotations.json").write_text(json.dumps(content))
    findings = check(f"data.videos={videos}" if videos else 'data.videos=""')
    sentence = " ".join(str(line) for (_, kind), lines in findings.items() if "seconds" in kind for line in lines)
    assert "unit='ms' (--unit ms) would fit" in sentence
    assert not any("seconds" in kind for _, kind in check("data.unit=ms"))
