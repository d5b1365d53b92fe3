"""The HTML report and its stills: everything is there, and nothing in a label or a name does harm."""

import base64
import hashlib
import os
import re
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page_reader import HOSTILE, LABELS, Page, dumped, two_rows
from untrimmed.annotations.formats.activitynet import write_activitynet, write_activitynet_results
from untrimmed.detection.view import view
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline
from untrimmed.visualization import report as report_module
from untrimmed.visualization.page import Table
from untrimmed.visualization.panels import Panel
from untrimmed.visualization.report import Embedding, write_report
from untrimmed.visualization.stills import choose_still_times, make_stills
from untrimmed.visualization.text import replace_unprintable


def make_video(path: Path, codec: str = "libx264", pixels: str = "yuv420p") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for i in range(16):
            picture = np.full((48, 64, 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_report_is_one_file_that_loads_nothing(tmp_path):
    video = make_video(tmp_path / "clip.mp4")
    report = tmp_path / "out" / "report.html"
    write_report(report, "Runs", [Panel("clip", 2.0, two_rows(), video)], [Table("mAP", ["a"], [[0.5]])], ["A note."])
    assert [file.name for file in report.parent.iterdir()] == ["report.html"]
    assert not re.search("https?://|@import|url\\(", report.read_text(encoding="utf-8"))
    page = Page(report)
    loads = [(tag, name, value) for tag, attributes in page.elements for name, value in attributes.items()]
    assert [each for each in loads if each[1] in ("src", "href", "srcset", "data")] == [("a", "href", "#videos")]
    assert not {"link", "iframe", "object", "img"} & {tag for tag, _ in page.elements}


def test_a_report_carries_titles_tables_notes_and_all_actions(tmp_path):
    table = Table("mAP & more", ["model", "0.5"], [["C-TCN", 52.123456], ["GTAN", 38]])
    write_report(tmp_path / "r.html", "Test <split>", [Panel("v1", 10, two_rows())], [table], ["Trained twice."])
    page = Page(tmp_path / "r.html")
    for words in ("Test <split>", "mAP & more", "C-TCN", "52.12", "38", "Trained twice."):
        assert words in page.words
    (panel,) = page.data["panels"]
    assert (panel["name"], panel["duration"], panel["video"]) == ("v1", 10, None)
    names = [each["label"] for each in page.data["classes"]]
    rows = {
        row["name"]: tuple(Action(start, end, names[label], score) for start, end, label, score in row["actions"])
        for row in panel["rows"]
    }
    assert rows == {name: timeline.actions for name, timeline in two_rows().items()}
    assert [each["label"] for each in page.data["classes"]] == ["jump", "other"]


@settings(max_examples=30, deadline=None)
@given(st.lists(LABELS, min_size=1, max_size=4, unique=True))
def test_any_label_and_name_comes_back_from_the_page_as_it_was(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("report") / "r.html"
    rows = {name: Timeline(10, tuple(Action(0, 1, label) for label in labels)) for name in labels}
    write_report(
        path, labels[0], [Panel(name, 10, rows) for name in labels], [Table(labels[0], labels, [labels])], labels
    )
    page = Page(path)
    assert [panel["name"] for panel in page.data["panels"]] == labels
    assert {each["label"] for each in page.data["classes"]} == set(labels)
    assert [row["name"] for row in page.data["panels"][0]["rows"]] == labels
    assert set(page.scripts) == {"report-data", "main"}


@pytest.mark.parametrize(
    "name", ["</script><b>.mp4".replace("/", "\u2215"), "a:b #1?.mp4", os.fsdecode(b"bad\xff.mp4")]
)
def test_a_hostile_file_name_is_a_harmless_link(tmp_path, name):
    video = make_video(tmp_path / "made.mp4").rename(tmp_path / name)
    write_report(tmp_path / "r.html", "t", [Panel("v", 2, {}, video)], [], embedding=Embedding(per_video=0))
    page = Page(tmp_path / "r.html")
    source = page.data["panels"][0]["video"]
    assert re.fullmatch("[A-Za-z0-9%._-]+", source["address"])
    assert source["name"] == replace_unprintable(name) and "b" not in {tag for tag, _ in page.elements}


def test_half_a_surrogate_pair_in_a_title_or_cell_is_replaced(tmp_path):
    half = os.fsdecode(b"bad\xff")
    write_report(tmp_path / "r.html", half, [], [Table(half, [half], [[half]])], [half])
    assert Page(tmp_path / "r.html").words.count("bad\ufffd") == 6


def test_a_policy_lets_only_the_reports_own_script_run(tmp_path):
    write_report(tmp_path / "r.html", "t", [], [])
    page = Page(tmp_path / "r.html")
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts["main"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy and "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy


@pytest.mark.parametrize(
    ("ending", "codec", "kind"), [(".mp4", "libx264", "video/mp4"), (".webm", "libvpx", "video/webm")]
)
def test_a_small_video_that_browsers_play_is_embedded_whole(tmp_path, ending, codec, kind):
    video = make_video(tmp_path / f"clip{ending}", codec)
    write_report(tmp_path / "r.html", "t", [Panel("a", 2, {}, video), Panel("b", 2, {}, video)], [])
    page = Page(tmp_path / "r.html")
    first, second = (panel["video"] for panel in page.data["panels"])
    assert first == second and first["plays"] and not first["address"]
    head, content = page.scripts[first["element"]].split(",")
    assert head == f"data:{kind};base64" and base64.b64decode(content, validate=True) == video.read_bytes()


def test_chunks_of_a_video_join_without_a_seam(tmp_path, monkeypatch):
    assert report_module._CHUNK % 3 == 0
    monkeypatch.setattr(report_module, "_CHUNK", 300)
    video = make_video(tmp_path / "clip.mp4")
    write_report(tmp_path / "r.html", "t", [Panel("a", 2, {}, video)], [])
    content = Page(tmp_path / "r.html").scripts["video-0"].split(",")[1]
    assert base64.b64decode(content, validate=True) == video.read_bytes()


def test_a_video_past_the_limits_is_linked_with_a_note(tmp_path):
    small, second = make_video(tmp_path / "a.mp4"), make_video(tmp_path / "b.mp4")
    size = small.stat().st_size
    report = tmp_path / "deep" / "r.html"
    panels = [Panel("a", 2, {}, small), Panel("b", 2, {}, second)]
    write_report(report, "t", panels, [], embedding=Embedding(per_video=size, total=size))
    first, last = (panel["video"] for panel in Page(report).data["panels"])
    assert first["element"] and not first["address"]
    assert not last["element"] and last["address"] == "../b.mp4" and last["plays"] and "Not inside" in last["note"]
    write_report(report, "t", panels, [], embedding=Embedding(per_video=size - 1))
    assert "video-0" not in Page(report).scripts


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("c.avi", "mpeg4", "yuv420p"), ("c.mp4", "mpeg4", "yuv420p"), ("c.mp4", "libx264", "yuv444p")],
)
def test_a_video_that_browsers_do_not_play_is_linked_and_said_so(tmp_path, name, codec, pixels):
    write_report(tmp_path / "r.html", "t", [Panel("a", 2, {}, make_video(tmp_path / name, codec, pixels))], [])
    source = Page(tmp_path / "r.html").data["panels"][0]["video"]
    assert source["address"] == name and not source["plays"] and "do not play" in source["note"]


def test_a_broken_video_is_linked_and_not_embedded(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    write_report(tmp_path / "r.html", "t", [Panel("a", 2, {}, tmp_path / "broken.mp4")], [])
    assert not Page(tmp_path / "r.html").data["panels"][0]["video"]["plays"]


def test_a_missing_video_is_bad_input_and_leaves_no_file(tmp_path):
    with pytest.raises(BadInput, match=r"gone\.mp4: no such video"):
        write_report(tmp_path / "r.html", "t", [Panel("a", 2, {}, tmp_path / "gone.mp4")], [])
    assert not list(tmp_path.iterdir())


def test_a_report_that_fails_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    report, video = tmp_path / "r.html", make_video(tmp_path / "a.mp4")
    report.write_text("old")

    def breaks(_):
        yield "half"
        raise OSError("the disk is gone")

    monkeypatch.setattr(report_module._PlacedVideo, "read_data_url", breaks)
    with pytest.raises(OSError, match="gone"):
        write_report(report, "t", [Panel("a", 2, {}, video)], [])
    assert report.read_text() == "old" and sorted(tmp_path.iterdir()) == [video, report]


def test_the_same_report_is_written_byte_for_byte(tmp_path):
    panels = [Panel("a", 2, two_rows(), make_video(tmp_path / "a.mp4"))]
    for name in ("one.html", "two.html"):
        write_report(tmp_path / name, "t", panels, [])
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_stills_show_the_actions_and_stay_within_their_room(tmp_path):
    video = make_video(tmp_path / "a.mp4")
    rows = {"ground truth": Timeline(2.0, (Action(0.2, 0.8, "jump"), Action(1.0, 1.6, "run")))}
    panels = [Panel("a", 2.0, rows, video), Panel("b", 2.0, rows), Panel("c", 2.0, {}, video)]
    found = make_stills(panels, 100_000)
    assert list(found) == ["a"]
    assert [(each.time, each.label) for each in found["a"]] == [(0.5, "jump"), (1.3, "run")]
    content = base64.b64decode(found["a"][0].address.removeprefix("data:image/jpeg;base64,"), validate=True)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    # The frame on show half a second in is the fourth, a grey of 40; the codec rounds.
    assert picture.shape == (72, 96, 3) and abs(float(picture.mean()) - 40) < 8
    size = len(found["a"][0].address)
    assert (
        len(make_stills(panels, size)["a"]) == 1
        and make_stills(panels, size - 1) == {}
        and make_stills(panels, 0) == {}
    )
    many = [Panel(f"v{i}", 2.0, rows, video) for i in range(20)]
    few = make_stills(many, 20_000)
    assert 4 <= len(few) <= 6 and sum(len(each.address) for line in few.values() for each in line) <= 20_000


def test_stills_of_detections_are_of_the_surest_that_do_not_overlap():
    found = (Action(1, 3, "b", 0.5), Action(1.5, 3.5, "a", 0.9), Action(6, 8, "c", 0.4), Action(9, 30, "d", 0.8))
    panel = Panel("v", 10.0, {"detections": Timeline(10.0, found)})
    assert choose_still_times(panel) == [(2.5, "a"), (7.0, "c")]


def test_a_view_of_several_detectors_has_a_row_for_each(tmp_path):
    one, two = tmp_path / "one" / "results.json", tmp_path / "two" / "results.json"
    write_activitynet_results(one, {"a": two_rows()["detections"], "b": two_rows()["detections"]})
    write_activitynet_results(two, {"a": Timeline(10.0), "c": two_rows()["detections"]})
    write_activitynet(tmp_path / "truth.json", {"a": two_rows()["ground truth"]})

    def rows(*others: Path) -> dict[str, list[str]]:
        view(one, tmp_path / "r.html", tmp_path / "truth.json", None, others)
        panels = Page(tmp_path / "r.html").data["panels"]
        return {panel["name"]: [row["name"] for row in panel["rows"]] for panel in panels}

    assert rows() == {"a": ["ground truth", "detections"], "b": ["detections"]}
    # What a detector was not given it did not miss.
    assert rows(two) == {
        "a": ["ground truth", "one/results", "two/results"],
        "b": ["one/results"],
        "c": ["two/results"],
    }
    with pytest.raises(BadInput, match="there twice"):
        rows(one)
    # Annotations can be looked at alone as well.
    view(tmp_path / "truth.json", tmp_path / "r.html", None, None)
    assert len(Page(tmp_path / "r.html").data["panels"][0]["rows"][0]["actions"]) == 3


def test_a_table_whose_rows_do_not_fit_and_a_panel_without_time_are_refused():
    with pytest.raises(ValueError, match="2 cells, but the header has 1"):
        Table("t", ["a"], [["x", "y"]])
    with pytest.raises(ValueError, match="duration 0"):
        Panel("v", 0, {})


def test_numbers_stand_to_the_right_and_names_head_their_row(tmp_path):
    write_report(tmp_path / "r.html", "t", [], [Table("t", ["model", "mAP"], [["a", "51.2%"], ["b", 40]])])
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '<th scope="row">a</th><td class="number">51.2%</td>' in text
    assert '<th scope="col">model</th><th scope="col" class="number">mAP</th>' in text


def test_a_browser_builds_the_panels_and_marks_what_agrees(tmp_path):
    report = tmp_path / "r.html"
    video = make_video(tmp_path / "a.mp4")
    panels = [
        Panel("first", 10, two_rows(), video),
        Panel(HOSTILE[2], 10, two_rows(HOSTILE[2])),
        Panel("bare", 5, {}),
    ]
    write_report(report, "t", panels, [])
    dom = dumped(report, tmp_path / "profile")
    page = dom[: dom.index('<script type="application/json"')]
    assert page.count('<section class="panel"') == 3 and page.count('<div class="plot"') == 3
    # F1 is best from 0.9 on, where each of two videos has two right detections and one wrong one of 0.95.
    marks = Counter(re.findall('class="bar[^"]*"[^>]* data-verdict="([a-z]*)"', page))
    assert marks == {"matched": 4, "false": 2, "found": 4, "missed": 2}
    assert 'aria-label="jump 1.1-3.1 s, score 0.90, matched, tIoU 0.90"' in page
    assert 'src="blob:' in page and set(re.findall("<img[^>]*>", page)) <= set(
        re.findall('<img src="data:image/jpeg;base64,[^"]*" alt="" loading="lazy">', page)
    )


def test_panels_far_below_the_window_wait_to_be_built(tmp_path):
    write_report(tmp_path / "r.html", "t", [Panel(f"v{i}", 10, two_rows()) for i in range(40)], [])
    dom = dumped(tmp_path / "r.html", tmp_path / "profile")
    assert dom.count('<section class="panel"') == 40 and 3 <= dom.count('<div class="plot"') <= 15
