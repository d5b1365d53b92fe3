"""Evaluation as a user meets it: files in, tables, JSON and a page out, one sentence for what cannot be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from untrimmed.annotations.convert import read_annotations
from untrimmed.cli import app
from untrimmed.evaluation.files import PROTOCOLS, compare, evaluate, find_protocol
from untrimmed.evaluation.page import write_evaluation
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline

TRUTH = {
    "database": {
        "v1": {
            "subset": "val",
            "duration": 60.0,
            "annotations": [
                {"label": "jump", "segment": [1, 5]},
                {"label": "jump", "segment": [20, 24]},
                {"label": "run", "segment": [30, 40]},
            ],
        },
        "v2": {"subset": "val", "duration": 30.0, "annotations": [{"label": "run", "segment": [3, 9]}]},
        "v3": {"subset": "train", "duration": 30.0, "annotations": [{"label": "swim", "segment": [3, 9]}]},
    }
}
FOUND = {
    "results": {
        "v1": [
            {"label": "jump", "score": 0.9, "segment": [1, 5]},
            {"label": "jump", "score": 0.6, "segment": [21, 24]},
            {"label": "jump", "score": 0.5, "segment": [50, 54]},
            {"label": "run", "score": 0.8, "segment": [31, 40]},
        ],
        "v2": [
            {"label": "jump", "score": 0.7, "segment": [3, 9]},
            {"label": "run", "score": 0.4, "segment": [3, 6]},
        ],
    }
}


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("truth.json").write_text(json.dumps(TRUTH))
    Path("found.json").write_text(json.dumps(FOUND))
    better = {
        "results": {v: [{"score": 1.0, **a} for a in TRUTH["database"][v]["annotations"]] for v in ("v1", "v2")}
    }
    Path("better.json").write_text(json.dumps(better))
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def judged(*words: str) -> dict:
    run("evaluate", "truth.json", "found.json", "--subset", "val", "--json", "scores.json", *words)
    return json.loads(Path("scores.json").read_text())


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if hasattr(PROTOCOLS[name], "matching")])
def test_every_detection_protocol_writes_its_figures(files, name):
    scores = judged("--protocol", name)
    assert scores.keys() >= {"protocol", "subset", "tious", "map", "average_map", "per_class", "counts", "notes"}
    assert (scores["protocol"], scores["subset"]) == (name, "val")
    assert scores["per_class"].keys() == {"jump", "run"}
    assert all(0 <= value <= 1 for value in scores["map"])
    assert ("recall_at" in scores) == (name in ("opentad", "actionformer"))


def test_proposals_are_judged_and_their_curve_is_written(files):
    scores = judged("--protocol", "activitynet-proposals")
    assert scores.keys() >= {"protocol", "tious", "an", "ar", "recall", "auc"}
    assert (len(scores["an"]), len(scores["recall"]), len(scores["recall"][0])) == (100, 10, 100)
    assert 0 < scores["auc"] < 1


def test_frames_are_made_of_seconds_by_the_rate_that_is_given(files):
    assert judged("--protocol", "thumos14-proposals", "--fps", "30")["ar"][-1] > 0
    Path("rates.csv").write_text("filename,fps\nv1.mp4,30\nv2.mp4,30\n")
    assert judged("--protocol", "thumos14-proposals", "--fps", "rates.csv")["ar"][-1] > 0
    output = run(
        "evaluate", "truth.json", "found.json", "--protocol", "thumos14-proposals", "--subset", "val", code=2
    )
    assert "give frame rates" in output.replace("\n", " ")


def test_whole_videos_and_dense_labels_are_judged(files):
    assert judged("--protocol", "best-of-detections")["hit_at"]["1"] == 0.25
    dense = judged("--protocol", "segmental")
    assert dense.keys() >= {"f1", "edit", "accuracy", "per_class"}
    assert judged("--protocol", "segmental", "--tiou", "0.75")["f1"].keys() == {"75"}


def test_thresholds_videos_and_subset_are_what_was_asked(files):
    assert judged("--tiou", "0.5")["tious"] == [0.5]
    Path("some.txt").write_text("v2\n\n")
    scores = judged("--videos", "some.txt")
    assert scores["counts"]["videos"] == 1
    assert scores["counts"]["truth"] == 1
    assert not any("outside" in note for note in scores["notes"])


def test_intervals_and_ties_are_printed_and_written_on_request(files):
    scores = judged("--tiou", "0.5", "--bootstrap", "40", "--ties")
    low, high = scores["confidence"]["map"][0]
    assert low <= scores["map"][0] <= high
    assert scores["ties"]["map"] == [[scores["map"][0]] * 2]
    output = run("evaluate", "truth.json", "found.json", "--subset", "val", "--bootstrap", "40", "--ties")
    assert "95 % interval, low" in output
    assert "orders of equal scores, high" in output
    assert "confidence" not in judged()


def test_two_files_of_figures_are_compared_as_they_were_judged(files):
    for name in ("found", "better"):
        run(
            "evaluate",
            "truth.json",
            f"{name}.json",
            "--subset",
            "val",
            "--tiou",
            "0.7",
            "--json",
            f"{name}_scores.json",
        )
    output = run(
        "compare", "found_scores.json", "better_scores.json", "--bootstrap", "50", "--json", "difference.json"
    )
    assert "average mAP" in output
    difference = json.loads(Path("difference.json").read_text())
    assert difference["tious"] == [0.7]
    assert difference["average_map"]["value"] > 0
    same = run("compare", "found.json", "better.json", "--truth", "truth.json", "--subset", "val", "--tiou", "0.7")
    assert same.split("average mAP")[1].split()[:3] == output.split("average mAP")[1].split()[:3]


def test_figures_are_found_again_from_another_folder(files, monkeypatch):
    judged()
    (files / "elsewhere").mkdir()
    monkeypatch.chdir(files / "elsewhere")
    assert "average mAP" in run("compare", "../scores.json", "../scores.json", "--bootstrap", "10")


def test_a_file_that_changed_since_it_was_judged_is_not_compared(files):
    judged()
    Path("found.json").write_text(json.dumps(FOUND | {"version": "later"}))
    output = run("compare", "scores.json", "scores.json", code=2)
    assert "found.json has changed since it was judged" in output.replace("\n", " ")
    Path("found.json").unlink()
    assert "which was judged, is not there" in run("compare", "scores.json", "scores.json", code=2).replace("\n", " ")


def test_no_figure_is_cut_in_a_narrow_terminal(files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    output = run("evaluate", "truth.json", "found.json", "--subset", "val")
    assert "…" not in output
    assert "mean" in output


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("activitynet", ["Precision and recall", "Scores as confidence", "False positives", "As proposals"]),
        ("activitynet-proposals", ["Recall"]),
        ("best-of-detections", ["Figures"]),
        ("segmental", ["Figures"]),
    ],
)
def test_a_page_is_written_for_every_family(files, name, titles):
    run("evaluate", "truth.json", "found.json", "--subset", "val", "--protocol", name, "--html", "page.html")
    page = Path("page.html").read_text()
    assert all(f">{title}</h2>" in page for title in titles)
    assert page.count("<svg") >= 1
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_page_of_nothing_detected_is_written_too(files):
    Path("found.json").write_text(json.dumps({"results": {}}))
    run("evaluate", "truth.json", "found.json", "--subset", "val", "--bootstrap", "10", "--html", "page.html")
    assert "no detection" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--protocol", "voc"], "protocol 'voc': there are activitynet, opentad"),
        (["--tiou", "often"], "tIoU 'often'"),
        (["--subset", "vla"], "no video of subset 'vla'"),
        (["--protocol", "segmental", "--ties"], "'segmental' has neither intervals nor ties"),
        (["--protocol", "activitynet-classification", "--tiou", "0.5"], "has no tIoU"),
        (["--videos", "none.txt"], "none.txt"),
        (["--videos", "others.txt"], "others.txt: names no video of truth.json"),
        (["--protocol", "thumos14-proposals", "--fps", "-3"], "-3 frames a second"),
        (["--html", "truth.json/page.html"], "page.html: cannot be written"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_sentence(files, words, sentence):
    Path("others.txt").write_text("v9\n")
    output = run("evaluate", "truth.json", "found.json", *words, code=2).replace("\n", " ")
    assert sentence in output
    assert "Traceback" not in output


def test_detections_are_compared_only_with_their_ground_truth_named(files):
    output = run("compare", "found.json", "better.json", code=2).replace("\n", " ")
    assert "name the annotations (ground_truth=..., --truth FILE)" in output
    judged("--protocol", "segmental")
    assert "only those are compared" in run("compare", "scores.json", "scores.json", code=2).replace("\n", " ")


def in_memory(name: str) -> dict[str, Timeline]:
    """Timelines of the videos of subset `val` in a file."""
    content = json.loads(Path(name).read_text())
    videos = content.get("results") or {v: TRUTH["database"][v]["annotations"] for v in ("v1", "v2")}
    return {
        video: Timeline(
            TRUTH["database"][video]["duration"],
            tuple(Action(*map(float, row["segment"]), row["label"], row.get("score", 1.0)) for row in rows),
        )
        for video, rows in videos.items()
    }


@pytest.mark.parametrize("name", PROTOCOLS)
def test_timelines_in_memory_score_as_their_files(files, name):
    ground_truth, detections = in_memory("truth.json"), in_memory("found.json")
    here = evaluate(ground_truth, detections, PROTOCOLS[name], fps=30).to_json()
    there = evaluate("truth.json", Path("found.json"), name, subset="val", fps="30").to_json()
    assert there.pop("question").keys() == {"truth", "results", "subset"}
    assert json.dumps(here | {"subset": "val"}, sort_keys=True) == json.dumps(there, sort_keys=True)


def test_annotations_in_memory_score_as_their_file_with_all_its_rows(files):
    with_flat = json.loads(json.dumps(TRUTH))
    with_flat["database"]["v1"]["annotations"].append({"label": "run", "segment": [50, 50]})
    Path("truth.json").write_text(json.dumps(with_flat))
    evaluation = evaluate(read_annotations("truth.json"), "found.json", subset="val", videos=None)
    assert evaluation.notes == evaluate("truth.json", "found.json", subset="val").notes
    assert any("without length" in note for note in evaluation.notes)
    with pytest.raises(BadInput, match="no video of subset 'vla'; there are 'train', 'val'"):
        evaluate(read_annotations("truth.json"), "found.json", subset="vla")


def test_timelines_are_compared_with_their_ground_truth_named(files):
    first, second, ground_truth = (in_memory(f"{name}.json") for name in ("found", "better", "truth"))
    here = compare(first, second, ground_truth, tious=[0.7], bootstrap=50)
    there = compare("found.json", "better.json", "truth.json", subset="val", tious=(0.7,), bootstrap=50)
    assert here.to_json() == there.to_json()
    with pytest.raises(BadInput, match="name the annotations"):
        compare(first, second)


def test_timelines_have_no_subset_to_select(files):
    with pytest.raises(BadInput, match="timelines have no subsets such as 'val'"):
        evaluate(in_memory("truth.json"), in_memory("found.json"), subset="val")


def test_a_page_of_detections_in_memory_is_written(files):
    evaluation = evaluate(in_memory("truth.json"), in_memory("found.json"))
    assert "detections, activitynet" in write_evaluation("page.html", evaluation).read_text()


def test_protocols_are_found_at_other_thresholds():
    assert find_protocol("thumos14", (0.5,)).tious == (0.5,)
    assert find_protocol("activitynet-proposals", (0.5,)).tious == (0.5,)


def test_judging_without_a_page_imports_neither_torch_nor_matplotlib():
    code = (
        "import sys, untrimmed.evaluation.files, untrimmed.evaluation.tables; "
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def _save_pair(folder: Path, truth: list, results: list, duration: float | None = 100.0) -> tuple[Path, Path]:
    """Truth and results of one video, from segments."""
    rows = [{"segment": segment, "label": "run"} for segment in truth]
    database = {"a": {"annotations": rows} | ({"duration": duration} if duration else {})}
    (folder / "t.json").write_text(json.dumps({"database": database}))
    detections = [{"segment": segment, "label": "run", "score": 0.5} for segment in results]
    (folder / "r.json").write_text(json.dumps({"results": {"v_a": detections}}))
    return folder / "t.json", folder / "r.json"


def test_segments_outside_of_videos_of_stated_length_are_counted(tmp_path: Path) -> None:
    truth, results = _save_pair(tmp_path, [[10, 20], [-5, 8], [30, 101]], [[10, 20], [10000, 20000], [90, 100.5]])
    notes = evaluate(truth, results).notes
    assert (
        f"{truth}: 1 of 3 segments lies outside of the videos, in 1 of 1 videos, such as 'run' at [-5, 8] in video "
        "'a' of 100 s" in notes
    )
    assert any(
        "r.json: 1 of 3 segments lies outside of the videos" in note and "[10000, 20000]" in note for note in notes
    )


def test_a_length_that_is_nowhere_stated_says_nothing_of_what_lies_outside(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("video,start,end,label\na,10,20,run\na,30,40,run\n")
    _, results = _save_pair(tmp_path, [[10, 20]], [[10, 20], [50, 60]])
    assert not any("outside of the videos" in note for note in evaluate(tmp_path / "t.csv", results).notes)


def test_labels_that_are_whole_numbers_are_text_on_both_sides(tmp_path: Path) -> None:
    truth, results = _save_pair(tmp_path, [[10, 20]], [[10, 20]])
    for path in (truth, results):
        path.write_text(path.read_text().replace('"run"', "7"))
    evaluation = evaluate(truth, results)
    assert evaluation.detection_scores.average_map == 1.0 and evaluation.ground_truth.labels == ("7",)


def test_results_in_a_list_are_called_that(tmp_path: Path) -> None:
    truth, results = _save_pair(tmp_path, [[10, 20]], [[10, 20]])
    results.write_text(json.dumps({"results": [{"video_id": "a", "segment": [10, 20], "label": "run", "score": 1}]}))
    with pytest.raises(BadInput, match="its 'results' is a list; an object of videos was expected"):
        evaluate(truth, results)


def test_thresholds_may_be_text_and_those_that_are_none_are_refused(tmp_path: Path) -> None:
    truth, results = _save_pair(tmp_path, [[10, 20]], [[10, 20]])
    assert evaluate(truth, results, tious=["0.5"]).detection_scores.average_map == 1.0
    for tious in (50, [0.5, 0], [], "half"):
        with pytest.raises(BadInput, match="one or more numbers above 0 and up to 1 were expected"):
            evaluate(truth, results, tious=tious)


def test_what_is_no_timeline_is_refused_in_one_sentence() -> None:
    script = (
        "from untrimmed import BadInput, evaluate\n"
        "for pair in (({'a': [(1, 2, 'run')]}, {}), ([{'video': 'a'}], {})):\n"
        "    for sources in (pair, pair[::-1]):\n"
        "        try:\n            evaluate(*sources)\n"
        "        except BadInput as error:\n            print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (
        done.stdout.count("is no timeline of a video; give a file, what read_annotations returns, or timelines") == 4
    )


def test_one_video_alone_has_no_interval_of_precision(tmp_path: Path) -> None:
    truth, results = _save_pair(tmp_path, [[10, 20]], [[10, 20]])
    evaluation = evaluate(truth, results, bootstrap=10)
    assert evaluation.detection_scores.confidence is None
    assert "one video alone says nothing of others: mAP has no interval" in evaluation.notes
