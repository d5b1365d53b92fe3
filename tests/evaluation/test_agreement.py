"""Results go by the names and the unit of the ground truth, which is said; where nothing agrees, that is refused."""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.detection.view import view
from untrimmed.evaluation.files import PROTOCOLS, compare, evaluate
from untrimmed.evaluation.protocols import ACTIVITYNET
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

Segments = dict[str, list[tuple[str, float, float]]]

TRUTH: Segments = {
    "Über Öl": [("Clean and jerk", 5, 9), ("open", 20, 28)],
    "vid1": [("Clean and jerk", 6, 9), ("open", 21, 28)],
    "vid2": [("open", 4.5, 11), ("open", 30, 44.25)],
}
MP4, PREFIX, FOLDER = "{}.mp4".format, "v_{}".format, "/data/videos/{}.mkv".format
NAMES: list[Callable[[str], str]] = [
    str,
    str.upper,
    MP4,
    PREFIX,
    FOLDER,
    lambda name: unicodedata.normalize("NFD", name),
]
LABELS: list[Callable[[str], str]] = [
    str,
    str.upper,
    " {} ".format,
    lambda label: label.replace(" ", "_"),
    lambda label: label.title().replace(" ", ""),
    lambda label: label.replace(" ", "-"),
]


def write_truth(path: Path, truth: Segments = TRUTH, subset: str = "val", **others: Segments) -> Path:
    database = {
        video: {
            "subset": name,
            "duration": 60.0,
            "annotations": [{"label": label, "segment": [start, end]} for label, start, end in rows],
        }
        for name, part in {subset: truth, **others}.items()
        for video, rows in part.items()
    }
    path.write_text(json.dumps({"database": database}))
    return path


def write_results(path: Path, results: Segments, factor: float = 1.0, moved: float = 0.0) -> Path:
    content = {
        video: [
            {"label": label, "score": 0.9 - place / 100, "segment": [factor * start + moved, factor * end + moved]}
            for place, (label, start, end) in enumerate(rows)
        ]
        for video, rows in results.items()
    }
    path.write_text(json.dumps({"results": content}))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agreement")


@given(
    forms=st.tuples(*[st.sampled_from(NAMES)] * 3),
    label=st.sampled_from(LABELS),
    protocol=st.sampled_from(sorted(name for name in PROTOCOLS if "proposals" not in name)),
)
def test_renamed_results_score_as_their_originals_and_that_is_said(folder, forms, label, protocol):
    names = dict(zip(TRUTH, (form(name) for form, name in zip(forms, TRUTH, strict=True)), strict=True))
    renamed = {names[video]: [(label(name), *ends) for name, *ends in rows] for video, rows in TRUTH.items()}
    truth = write_truth(folder / "truth.json")
    original = evaluate(truth, write_results(folder / "original.json", TRUTH), protocol).to_json()
    scores = evaluate(truth, write_results(folder / "renamed.json", renamed), protocol).to_json()
    said = [note for note in scores["notes"] if "spelled differently" in note]
    loose = [
        any(new != old for old, new in names.items()),
        any(label(name) != name for name in ("Clean and jerk", "open")),
    ]
    assert len(said) == sum(loose)
    assert scores["notes"][: len(said)] == said
    assert [note for note in scores["notes"] if note not in said] == original["notes"]
    for scored in (original, scores):
        del scored["question"], scored["notes"]
    assert scores == original


def test_what_only_one_side_has_is_the_first_thing_said(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    results = {"v_vid1": TRUTH["vid1"], "vid9": [("jump", 1, 2)], "Über Öl": TRUTH["Über Öl"][:1]}
    evaluation = evaluate(truth, write_results(tmp_path / "results.json", results))
    assert evaluation.notes[0].endswith(
        "differ: 1 video only in the results (vid9); 1 video only in the ground truth (vid2); "
        "1 label only in the results (jump)"
    )


def test_where_no_video_agrees_the_nearest_name_is_shown(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    results = write_results(tmp_path / "results.json", {"zz": [("open", 1, 2)], "vid_1x": [("open", 1, 2)]})
    with pytest.raises(BadInput, match=r"results.json: none of its 2 videos is in .*truth.json: 'vid_1x'.*'vid1'"):
        evaluate(truth, results)


def test_names_with_the_ending_of_a_network_are_those_without_it_where_none_agrees(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    renamed = {f"{video.upper()}-I3D_RGB": rows for video, rows in TRUTH.items()}
    results = write_results(tmp_path / "results.json", renamed)
    evaluation = evaluate(truth, results)
    assert "3 videos are spelled differently" in evaluation.notes[0] and "-I3D_RGB' and" in evaluation.notes[0]
    original = evaluate(truth, write_results(tmp_path / "original.json", TRUTH))
    assert evaluation.detection_scores.average_map == original.detection_scores.average_map > 0
    page = view(results, tmp_path / "page.html", truth, stills=False).read_text(encoding="utf-8")
    assert '"vid1"' in page and "I3D_RGB" not in page


def test_where_no_label_agrees_the_nearest_is_shown(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    results = write_results(tmp_path / "results.json", {"vid1": [("opening", 1, 2), ("shut", 1, 2)]})
    with pytest.raises(BadInput, match=r"results.json: none of its 2 labels is in .*truth.json: 'opening'.*'open'"):
        evaluate(truth, results)
    assert evaluate(truth, results, "activitynet-proposals").to_json()["counts"]["proposals"] == 2


def test_no_results_at_all_still_score_0(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    assert evaluate(truth, write_results(tmp_path / "results.json", {"other": []})).detection_scores.average_map == 0


UNITS = [("ms", None, 1e3), ("us", None, 1e6), ("frames", 25, 25.0), ("frames", 30, 30.0), ("share", None, 1 / 60)]


@pytest.mark.parametrize("protocol", ["activitynet", "activitynet-proposals", "segmental"])
@pytest.mark.parametrize(("unit", "fps", "factor"), UNITS)
def test_results_in_another_unit_are_doubted_and_read_by_the_switch(tmp_path, unit, fps, factor, protocol):
    truth = write_truth(tmp_path / "truth.json")
    results = write_results(tmp_path / "results.json", TRUTH, factor)
    remedy = f"unit={unit!r}" + (f", fps={fps}" if fps else "")
    with pytest.raises(BadInput, match=f"results.json: its times are hardly seconds: .*{remedy}.*--unit {unit}"):
        evaluate(truth, results, protocol)
    right = evaluate(truth, write_results(tmp_path / "right.json", TRUTH), protocol).to_json()
    scores = evaluate(truth, results, protocol, unit=unit, fps=fps).to_json()
    for name in scores.keys() - {"question", "notes"}:
        assert json.dumps(scores[name]) == pytest.approx(json.dumps(right[name])), name
    assert any(f"times are read as {unit}" in note for note in scores["notes"])


@pytest.mark.parametrize(("unit", "fps", "factor"), UNITS)
def test_a_ground_truth_in_another_unit_is_doubted_and_read_by_its_own_switch(tmp_path, unit, fps, factor):
    scaled = {video: [(label, factor * s, factor * e) for label, s, e in rows] for video, rows in TRUTH.items()}
    truth = write_truth(tmp_path / "truth.json", scaled)
    results = write_results(tmp_path / "results.json", TRUTH)
    with pytest.raises(BadInput, match=f"truth.json: .*truth_unit={unit!r}.*--truth-unit {unit}"):
        evaluate(truth, results)
    scores = evaluate(truth, results, truth_unit=unit, fps=fps).detection_scores
    assert scores.average_map == pytest.approx(1)


def test_frames_of_every_video_at_its_own_rate(tmp_path):
    rates = dict(zip(TRUTH, (25, 30, 50), strict=True))
    (tmp_path / "rates.csv").write_text("filename,fps\n" + "".join(f"{v}.mp4,{rate}\n" for v, rate in rates.items()))
    frames = {v: [(label, rates[v] * s, rates[v] * e) for label, s, e in rows] for v, rows in TRUTH.items()}
    truth, results = write_truth(tmp_path / "truth.json"), write_results(tmp_path / "results.json", frames)
    scores = evaluate(truth, results, unit="frames", fps=tmp_path / "rates.csv").detection_scores
    assert scores.average_map == pytest.approx(1)


def test_times_that_touch_nothing_are_refused_with_a_pair(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    results = write_results(tmp_path / "results.json", TRUTH, moved=1000)
    with pytest.raises(BadInput, match=r"none of its 6 segments touches .*at \[5, 9\].*at \[1005, 1009\]"):
        evaluate(truth, results)
    assert evaluate(truth, results, unit="s").detection_scores.average_map == 0


def test_a_detector_that_is_merely_bad_is_judged(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    results = write_results(tmp_path / "results.json", {"vid1": [("open", 0, 1), ("open", 10, 12)]})
    assert evaluate(truth, results).detection_scores.average_map == 0
    results = write_results(tmp_path / "results.json", {v: [("open", 8, 22)] * 5 for v in TRUTH})
    assert evaluate(truth, results).detection_scores.average_map < 0.2


def test_results_of_other_subsets_are_no_false_positives_and_that_is_said(tmp_path):
    others = {"tr1": [("open", 5, 9)], "tr2": [("open", 7, 9)]}
    truth = write_truth(tmp_path / "truth.json", train=others)
    alone = evaluate(truth, write_results(tmp_path / "alone.json", TRUTH), subset="val")
    results = write_results(tmp_path / "results.json", {"tr1": [("open", 0, 5)], "v_tr2": [("open", 0, 5)], **TRUTH})
    evaluation = evaluate(truth, results, subset="val")
    assert evaluation.detection_scores.map == alone.detection_scores.map
    assert any("2 segments in 2 videos of other subsets ('train') are left out" in note for note in evaluation.notes)
    official = replace(ACTIVITYNET, other_subsets="false positives")
    assert (
        evaluate(truth, results, official, subset="val").detection_scores.average_map
        < alone.detection_scores.average_map
    )
    comparison = compare(results, tmp_path / "alone.json", truth, subset="val", bootstrap=20)
    assert comparison.average_map.value == 0
    assert any("are left out" in note for note in comparison.notes)


def test_results_of_another_subset_alone_are_refused(tmp_path):
    truth = write_truth(tmp_path / "truth.json", train={"tr1": [("open", 5, 9)]})
    results = write_results(tmp_path / "results.json", {"tr1": [("open", 5, 9)]})
    with pytest.raises(BadInput, match=r"its only video is not in subset 'val' .* 1 in 'train'; choose that subset"):
        evaluate(truth, results, subset="validation")


def test_videos_of_a_list_are_found_in_any_form(tmp_path):
    (tmp_path / "list.txt").write_text("v_vid1.mp4\n")
    truth, results = write_truth(tmp_path / "truth.json"), write_results(tmp_path / "results.json", TRUTH)
    scores = evaluate(truth, results, videos=tmp_path / "list.txt").detection_scores
    assert (scores.counts["videos"], scores.counts["truth"], scores.average_map) == (1, 2, 1)


CSV = "video,start,end,label,score\n" + "".join(
    f"{video},{start},{end},{label},{0.9 - place / 100}\n"
    for video, rows in TRUTH.items()
    for place, (label, start, end) in enumerate(rows)
)
TRUTH_CSV = "\n".join(line.rpartition(",")[0] for line in CSV.splitlines()) + "\n"


def test_tables_are_ground_truth_and_results(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH_CSV)
    (tmp_path / "results.csv").write_text(CSV)
    results = write_results(tmp_path / "results.json", TRUTH)
    for truth in (write_truth(tmp_path / "truth.json"), tmp_path / "truth.csv"):
        for found in (results, tmp_path / "results.csv", tmp_path / "truth.csv"):
            assert evaluate(truth, found).detection_scores.average_map == 1
        assert compare(results, tmp_path / "results.csv", truth, bootstrap=20).average_map.value == 0
    with pytest.raises(
        BadInput, match=r"results.csv: has scores, and .*truth.csv has none; give the ground truth first"
    ):
        evaluate(tmp_path / "results.csv", tmp_path / "truth.csv")


def write_clock(seconds: float) -> str:
    return f"00:00:{int(seconds):02},{int(1000 * (seconds % 1)):03}"


def test_subtitles_of_each_video_are_ground_truth(tmp_path):
    (tmp_path / "truth").mkdir()
    for video, rows in TRUTH.items():
        cues = [
            f"{number}\n{write_clock(start)} --> {write_clock(end)}\n{label}\n"
            for number, (label, start, end) in enumerate(rows, start=1)
        ]
        (tmp_path / "truth" / f"{video}.srt").write_text("\n".join(cues), encoding="utf-8")
    evaluation = evaluate(tmp_path / "truth", write_results(tmp_path / "results.json", TRUTH))
    assert evaluation.detection_scores.average_map == 1
    assert evaluate(write_truth(tmp_path / "truth.json"), tmp_path / "truth").detection_scores.average_map == 1


def test_timelines_in_memory_are_matched_too():
    truth = {video: Timeline(60, tuple(Action(s, e, label) for label, s, e in rows)) for video, rows in TRUTH.items()}
    results = {f"v_{video}.mp4": timeline for video, timeline in truth.items()}
    evaluation = evaluate(truth, results)
    assert evaluation.detection_scores.average_map == 1
    assert "3 videos are spelled differently" in evaluation.notes[0]


def test_kit_lines_go_by_the_class_list_beside_the_ground_truth(tmp_path):
    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "Walk_test.txt").write_text("a 1.0 2.0\n")
    (folder / "detclasslist.txt").write_text("1 Walk\n2 Run\n")
    (tmp_path / "results.txt").write_text("a 1.0 2.0 1 0.9\n")
    assert evaluate(folder, tmp_path / "results.txt", "thumos14-kit-2015").detection_scores.average_map == 1


def test_results_without_anything_around_their_videos_are_read(tmp_path):
    truth, results = write_truth(tmp_path / "truth.json"), write_results(tmp_path / "results.json", TRUTH)
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps(json.loads(results.read_text())["results"]))
    assert evaluate(truth, bare).detection_scores.average_map == 1
    bare.write_text(json.dumps([{"video": "vid1", "label": "open", "score": 1, "segment": [1, 2]}]))
    with pytest.raises(BadInput, match=r"bare.json: has no segment of any form that is known"):
        evaluate(truth, bare)


def test_a_unit_that_is_wrong_is_refused_and_a_name_of_no_video_is_said(tmp_path):
    truth, results = write_truth(tmp_path / "truth.json"), write_results(tmp_path / "results.json", TRUTH)
    with pytest.raises(BadInput, match=r"none of its 6 segments touches any action"):
        evaluate(truth, results, truth_unit="share")
    with pytest.raises(BadInput, match=r"fps 'often' is neither a number nor a table"):
        evaluate(truth, results, unit="frames", fps="often")
    (tmp_path / "list.txt").write_text("vid1\nvid77\n")
    notes = evaluate(truth, results, videos=tmp_path / "list.txt").notes
    assert any("1 name of no video" in note and "vid77" in note for note in notes)


def test_a_page_has_one_panel_a_video_however_it_is_spelled_and_doubts_units(tmp_path):
    truth = write_truth(tmp_path / "truth.json")
    renamed = {f"v_{video}": [(label.upper(), *ends) for label, *ends in rows] for video, rows in TRUTH.items()}
    page = view(write_results(tmp_path / "results.json", renamed), tmp_path / "page.html", truth, stills=False)
    text = page.read_text(encoding="utf-8")
    assert '"vid1"' in text
    assert "v_vid1" not in text
    assert "CLEAN" not in text
    frames = write_results(tmp_path / "frames.json", TRUTH, 25)
    with pytest.raises(BadInput, match=r"frames.json: its times are hardly seconds.*--unit frames --fps 25"):
        view(frames, tmp_path / "other.html", truth)
    assert not (tmp_path / "other.html").exists()
    view(frames, tmp_path / "other.html", truth, unit="frames", fps=25, stills=False)
