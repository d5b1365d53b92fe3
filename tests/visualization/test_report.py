"""Timelines drawn as SVG, and the HTML report: everything is there, and nothing in a label or a name does harm."""

import base64
import hashlib
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page_reader import HOSTILE, SVG, Page, dumped
from untrimmed.annotations.formats.activitynet import write_activitynet, write_activitynet_results
from untrimmed.detection.view import view
from untrimmed.io import BadInput
from untrimmed.timeline import Action, Timeline
from untrimmed.visualization import report as report_module
from untrimmed.visualization.colours import choose_text_colour, palette
from untrimmed.visualization.page import Table
from untrimmed.visualization.panels import Panel
from untrimmed.visualization.report import Embedding, write_report
from untrimmed.visualization.stills import choose_still_times, make_stills
from untrimmed.visualization.text import replace_unprintable
from untrimmed.visualization.timelines import (
    assign_lanes,
    choose_ticks,
    format_minutes,
    timeline_svg,
    timelines_html,
)

labels = st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE), st.sampled_from(["jump", "run"]))


@st.composite
def actions(draw: st.DrawFn) -> Action:
    start = draw(st.floats(0, 1e5))
    length = draw(st.floats(0.001, 1e4))
    return Action(start, start + length, draw(labels), draw(st.floats(-0.5, 1.5)))


def make_video(path: Path, codec: str = "libx264", pixels: str = "yuv420p") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for i in range(16):
            picture = np.full((48, 64, 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def two_rows(label: str = "jump") -> dict[str, Timeline]:
    truth = (Action(1.0, 3.0, label), Action(3.5, 4.5, label), Action(5.0, 7.0, label))
    right = (Action(1.1, 3.1, label, 0.9), Action(3.5, 4.5, label, 0.92))
    found = (*right, Action(8.0, 9.0, label, 0.95), Action(5.0, 7.0, "other", 0.7))
    return {"truth": Timeline(10.0, truth), "detections": Timeline(10.0, found)}


# Pictures


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.01, 1e6),
    st.dictionaries(st.text(max_size=20), st.lists(actions(), max_size=12), max_size=3),
    st.integers(240, 1600),
)
def test_a_picture_is_xml_in_which_every_action_has_one_bar_inside_the_frame(duration, some, width):
    rows = {name: Timeline(duration, tuple(each)) for name, each in some.items()}
    root = ElementTree.fromstring(timeline_svg(duration, rows, width=width))
    bars = root.findall(f"{SVG}g[@class='untrimmed-bar']")
    drawn = Counter(bar.findtext(f"{SVG}title") for bar in bars)
    assert drawn == Counter(
        f"{replace_unprintable(a.label)} {a.start:.1f}-{a.end:.1f} s, score {a.score:.2f}"
        for timeline in rows.values()
        for a in timeline.actions
    )
    for box in (bar.find(f"{SVG}rect").attrib for bar in bars):
        assert float(box["width"]) > 0 and float(box["height"]) > 0
        assert float(box["x"]) > 0 and float(box["x"]) + float(box["width"]) <= width - 19.9
        assert float(box["y"]) > 0 and float(box["y"]) + float(box["height"]) < float(root.attrib["height"])


def test_a_tooltip_says_label_time_and_score():
    picture = timeline_svg(10, {"detections": Timeline(10, (Action(3.2, 5.9, "High <Jump>", 0.87),))})
    assert "<title>High &lt;Jump&gt; 3.2-5.9 s, score 0.87</title>" in picture


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_makes_no_element_in_a_picture(label):
    plain = ElementTree.fromstring(timeline_svg(10, two_rows()))
    hostile = ElementTree.fromstring(timeline_svg(10, two_rows(label)))
    assert {e.tag for e in hostile.iter()} == {e.tag for e in plain.iter()}
    assert {a for e in hostile.iter() for a in e.attrib} == {a for e in plain.iter() for a in e.attrib}


def test_a_surer_action_is_more_opaque():
    pair = (Action(0, 1, "a", 0.1), Action(2, 3, "a", 0.9))
    root = ElementTree.fromstring(timeline_svg(10, {"detections": Timeline(10, pair)}))
    opacity = {
        bar.findtext(f"{SVG}title")[-4:]: float(bar.find(f"{SVG}rect").attrib["fill-opacity"])
        for bar in root.iter(f"{SVG}g")
    }
    assert 0 < opacity["0.10"] < opacity["0.90"] < 1


def test_an_action_past_the_end_lengthens_the_axis_and_the_end_is_marked():
    within = timeline_svg(10, {"truth": Timeline(10, (Action(2, 9, "a"),))})
    past = timeline_svg(10, {"truth": Timeline(10, (Action(2, 19, "a"),))})
    assert "end of the video" in past and ">18 s<" in past
    assert "end of the video" not in within and ">18 s<" not in within


@pytest.mark.parametrize("given_", [{"duration": 0}, {"duration": float("nan")}, {"width": 100}])
def test_a_picture_without_room_or_time_is_refused(given_):
    with pytest.raises(ValueError, match=next(iter(given_))):
        timeline_svg(**{"duration": 10, "rows": {}, **given_})


def test_a_colour_that_could_break_out_of_its_attribute_is_refused():
    with pytest.raises(ValueError, match="#rrggbb"):
        timeline_svg(10, two_rows(), colours={"jump": '"/><script>'})
    assert "#123456" in timeline_svg(10, two_rows(), colours={"jump": "#123456"})


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair)))))
def test_no_two_spans_of_a_lane_overlap_and_no_lane_is_needless(spans):
    chosen = assign_lanes(spans)
    for i, (start, end) in enumerate(spans):
        earlier = [(spans[j], chosen[j]) for j in range(i)]
        meets = {lane for (other_start, other_end), lane in earlier if other_start < end and start < other_end}
        assert chosen[i] == min(set(range(len(spans))) - meets)


@given(st.floats(0.001, 1e7), st.integers(2, 20))
def test_ticks_are_few_even_and_inside(extent, most):
    times = list(choose_ticks(extent, most))
    assert 1 <= len(times) <= most + 1 and times[0] == 0 and times[-1] <= extent * (1 + 1e-6)
    assert np.allclose(np.diff(times), times[1] if len(times) > 1 else 0)
    assert len(set(choose_ticks(extent, most).values())) == len(times)


def test_times_are_read_as_clocks_do():
    assert [format_minutes(t) for t in (0, 59.6, 75, 3600, 3661)] == ["0:00", "1:00", "1:15", "1:00:00", "1:01:01"]
    assert list(choose_ticks(18, 6).values()) == ["0 s", "5 s", "10 s", "15 s"]
    assert list(choose_ticks(130, 4).values()) == ["0:00", "1:00", "2:00"]


@given(st.lists(labels, max_size=30), st.randoms())
def test_a_label_keeps_its_colour_in_any_order(some, random):
    shuffled = random.sample(some, len(some))
    assert palette(shuffled) == palette(some)
    assert len(set(palette(some).values())) == min(21, len(set(some)))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_ink_is_readable_on_every_colour(colour):
    def luminance(channels):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    paper = luminance([c / 255 for c in colour])
    written = 0.0 if choose_text_colour("#" + bytes(colour).hex()) == "black" else 1.0
    assert (max(paper, written) + 0.05) / (min(paper, written) + 0.05) >= 4.5


# Notebooks


def test_a_notebook_shows_up_to_twenty_timelines_and_says_how_many_more_there_are():
    timelines = {f"video {i:02}": Timeline(10, (Action(1, 2, "abc"[i % 3]),)) for i in range(22)}
    html = timelines_html(timelines)
    assert html.count("<svg") == html.count("untrimmed-bar") == 20 and "and 2 more videos" in html
    assert ">video 00</text>" in html and "video 20" not in html
    assert "more" not in timelines_html({"v": Timeline(10)})


def test_a_label_has_one_colour_in_all_timelines_of_a_notebook():
    html = timelines_html({"one": Timeline(5, (Action(1, 2, "b"),)), "two": Timeline(5, (Action(1, 2, "a"),))})
    assert [re.findall('rx="[0-9.]+" fill="(#[0-9a-f]+)"', svg)[0] for svg in html.split("<svg")[1:]] == [
        palette("ab")["b"],
        palette("ab")["a"],
    ]


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_is_text_in_a_notebook(label):
    def tags(label: str) -> set[str]:
        return set(re.findall("<[a-z]+", timelines_html({label: Timeline(10, (Action(1, 9, label),))})))

    assert tags(label) == tags("jump")


# Reports


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
@given(st.lists(labels, min_size=1, max_size=4, unique=True))
def test_any_label_and_name_comes_back_from_the_page_as_it_was(tmp_path_factory, some):
    path = tmp_path_factory.mktemp("report") / "r.html"
    rows = {name: Timeline(10, tuple(Action(0, 1, label) for label in some)) for name in some}
    write_report(path, some[0], [Panel(name, 10, rows) for name in some], [Table(some[0], some, [some])], some)
    page = Page(path)
    assert [panel["name"] for panel in page.data["panels"]] == some
    assert {each["label"] for each in page.data["classes"]} == set(some)
    assert [row["name"] for row in page.data["panels"][0]["rows"]] == some
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
    rows = {"truth": Timeline(2.0, (Action(0.2, 0.8, "jump"), Action(1.0, 1.6, "run")))}
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
    write_activitynet(tmp_path / "truth.json", {"a": two_rows()["truth"]})

    def rows(*others: Path) -> dict[str, list[str]]:
        view(one, tmp_path / "r.html", tmp_path / "truth.json", None, others)
        panels = Page(tmp_path / "r.html").data["panels"]
        return {panel["name"]: [row["name"] for row in panel["rows"]] for panel in panels}

    assert rows() == {"a": ["truth", "detections"], "b": ["detections"]}
    # What a detector was not given it did not miss.
    assert rows(two) == {
        "a": ["truth", "one/results", "two/results"],
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
