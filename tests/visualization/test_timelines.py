"""Timelines drawn as SVG, and their colours: every action is there, and nothing in a label does harm."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page_reader import HOSTILE, LABELS, SVG, two_rows
from untrimmed.timeline import Action, Timeline
from untrimmed.visualization.colours import choose_text_colour, palette
from untrimmed.visualization.text import replace_unprintable
from untrimmed.visualization.timelines import choose_ticks, format_minutes, pack_lanes, timeline_svg, timelines_html


@st.composite
def actions(draw: st.DrawFn) -> Action:
    start = draw(st.floats(0, 1e5))
    length = draw(st.floats(0.001, 1e4))
    return Action(start, start + length, draw(LABELS), draw(st.floats(-0.5, 1.5)))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.01, 1e6),
    st.dictionaries(st.text(max_size=20), st.lists(actions(), max_size=12), max_size=3),
    st.integers(240, 1600),
)
def test_a_picture_is_xml_in_which_every_action_has_one_bar_inside_the_frame(duration, actions_by_row, width):
    rows = {name: Timeline(duration, tuple(row)) for name, row in actions_by_row.items()}
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


@pytest.mark.parametrize("arguments", [{"duration": 0}, {"duration": float("nan")}, {"width": 100}])
def test_a_picture_without_room_or_time_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        timeline_svg(**{"duration": 10, "rows": {}, **arguments})


def test_a_colour_that_could_break_out_of_its_attribute_is_refused():
    with pytest.raises(ValueError, match="#rrggbb"):
        timeline_svg(10, two_rows(), colours={"jump": '"/><script>'})
    assert "#123456" in timeline_svg(10, two_rows(), colours={"jump": "#123456"})


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair)))))
def test_no_two_spans_of_a_lane_overlap_and_no_lane_is_needless(spans):
    lanes = pack_lanes(spans)
    for i, (start, end) in enumerate(spans):
        earlier = [(spans[j], lanes[j]) for j in range(i)]
        meets = {lane for (other_start, other_end), lane in earlier if other_start < end and start < other_end}
        assert lanes[i] == min(set(range(len(spans))) - meets)


@given(st.floats(0.001, 1e7), st.integers(2, 20))
def test_ticks_are_few_even_and_inside(extent, most):
    times = list(choose_ticks(extent, most))
    assert 1 <= len(times) <= most + 1 and times[0] == 0 and times[-1] <= extent * (1 + 1e-6)
    assert np.allclose(np.diff(times), times[1] if len(times) > 1 else 0)
    assert len(set(choose_ticks(extent, most).values())) == len(times)


def test_times_are_formatted_as_on_clocks():
    assert [format_minutes(t) for t in (0, 59.6, 75, 3600, 3661)] == ["0:00", "1:00", "1:15", "1:00:00", "1:01:01"]
    assert list(choose_ticks(18, 6).values()) == ["0 s", "5 s", "10 s", "15 s"]
    assert list(choose_ticks(130, 4).values()) == ["0:00", "1:00", "2:00"]


@given(st.lists(LABELS, max_size=30), st.randoms())
def test_a_label_keeps_its_colour_in_any_order(labels, random):
    shuffled = random.sample(labels, len(labels))
    assert palette(shuffled) == palette(labels)
    assert len(set(palette(labels).values())) == min(21, len(set(labels)))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_text_is_readable_on_every_colour(colour):
    def luminance(channels):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    paper = luminance([c / 255 for c in colour])
    written = 0.0 if choose_text_colour("#" + bytes(colour).hex()) == "black" else 1.0
    assert (max(paper, written) + 0.05) / (min(paper, written) + 0.05) >= 4.5


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
