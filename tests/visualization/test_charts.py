"""Charts and pages of charts: every number is where it should be, and nothing in a name does harm."""

import base64
import functools
import itertools
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from page_reader import HOSTILE, SVG, Page, dumped
from untrimmed.visualization.charts import (
    ReliabilityLine,
    Series,
    draw_bars,
    draw_curves,
    draw_groups,
    draw_reliabilities,
    draw_reliability,
    draw_stacks,
)
from untrimmed.visualization.confusion import draw_confusion_matrix
from untrimmed.visualization.page import Chart, Figure, Hint, Section, Table, write_page
from untrimmed.visualization.sheet import COLOURS, Axis
from untrimmed.visualization.templates import csp_hash
from untrimmed.visualization.text import replace_unprintable

INK = "#1b1f24"
X, Y = Axis("recall", 0, 1), Axis("precision", 0, 1)
NASTY = [*HOSTILE, "$x^2$", r"\$ \frac % _", "_hidden", "a" * 60, "", "x\ny"]

HREF = "{http://www.w3.org/1999/xlink}href"
THEMES = {"light": (INK, "#59636e", "#ffffff"), "dark": ("#e8eaee", "#9aa4b1", "#15181e")}
KINDS = ("curves", "bars", "stacked", "grouped", "matrix", "shaded", "reliability")


@functools.cache
def one_of_each(label: str = "jump") -> dict[str, Chart]:
    return {
        "curves": draw_curves(label, [Series(label, [0, 0.5, 1], [1, 0.8, 0.2], marks=[(0.5, 0.8)])], X, Y),
        "bars": draw_bars(
            label, [label, "b"], [0.2, 0.4], Axis(label), intervals=[(0.1, 0.3), (0.3, 0.5)], overall=0.3
        ),
        "stacked": draw_stacks(label, [label, "2G"], {label: [1.0, 0.25], "b": [0, 0.75]}, "G", "share"),
        "grouped": draw_groups(
            label, {label: {label: 10, "S": 20.0}, "length": {"XS": float("nan")}}, Axis("mAP"), overall=15
        ),
        "matrix": draw_confusion_matrix(label, [label, "b"], np.array([[3, 1], [0, 2]])),
        "shaded": draw_confusion_matrix(label, [label] * 30, np.eye(30)),
        "reliability": draw_reliability(label, [0, 0.5, 1], [0.2, 0.7], [0.1, 0.9], [10, 5]),
        "reliabilities": draw_reliabilities(
            label,
            [0, 0.5, 1],
            [ReliabilityLine(name, [0.2, 0.7], [0.1, 0.9], [(0, 0.3), (0.8, 1)], [10, 5]) for name in (label, "b")],
        ),
    }


def hinted(picture: Chart) -> dict[str, ElementTree.Element]:
    """What each hint of a picture belongs to."""
    groups = {group.get("id"): group for group in ElementTree.fromstring(picture.light).iter(f"{SVG}g")}
    return {hint.text: groups[f"hint-{i}"] for i, hint in enumerate(picture.hints)}


def style(element: ElementTree.Element) -> dict[str, str]:
    return dict(re.findall(r"([\w-]+): ([^;]+)", element.get("style", "")))


def path_style(group: ElementTree.Element) -> dict[str, str]:
    return style(next(group.iter(f"{SVG}path")))


def points(element: ElementTree.Element) -> np.ndarray:
    """The points of the first path in an element, in pixels."""
    return outline(next(element.iter(f"{SVG}path")).attrib["d"])


def extent(element: ElementTree.Element) -> np.ndarray:
    """Width and height of the first path in an element, in pixels."""
    return np.ptp(points(element), axis=0)


def outline(path: str) -> np.ndarray:
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path), float)


def words(picture: Chart) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture.light).iter(f"{SVG}text")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_loads_nothing_and_runs_nothing(kind):
    picture = one_of_each()[kind]
    assert picture.alt.startswith("jump: ")
    for svg in (picture.light, picture.dark):
        root = ElementTree.fromstring(svg)
        assert "script" not in {element.tag.removeprefix(SVG) for element in root.iter()}
        assert not [value for e in root.iter() for value in e.attrib.values() if "http" in value]
        links = [e.attrib[HREF] for e in root.iter() if HREF in e.attrib]
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
        assert (root.attrib["width"], root.attrib["height"]) == (f"{picture.width}pt", f"{picture.height}pt")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("theme", THEMES)
def test_what_is_not_data_has_the_colours_of_the_page(kind, theme):
    ink, soft, card = THEMES[theme]
    root = ElementTree.fromstring(getattr(one_of_each()[kind], theme))
    colours = {style(e)[key] for e in root.iter() for key in ("fill", "stroke") if key in style(e)}
    assert colours <= {"none", ink, soft, card, *COLOURS}
    assert {style(e).get("fill") for e in root.iter(f"{SVG}text")} <= {ink, soft}
    size = np.array(root.attrib["viewBox"].split(), float)[2:]
    big = [e for e in root.iter(f"{SVG}path") if (np.ptp(outline(e.attrib["d"]), axis=0) >= size - 1).all()]
    assert not big  # no ground behind it


def test_the_same_numbers_give_the_same_text_whatever_the_users_settings():
    first = one_of_each()
    with matplotlib.rc_context(
        {"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path", "lines.linewidth": 9}
    ):
        before = dict(matplotlib.rcParams)
        assert one_of_each.__wrapped__() == first
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("label", NASTY)
def test_any_label_is_text_as_it_was_written(label):
    plain, hostile = one_of_each(), one_of_each(label)
    for kind, picture in hostile.items():
        elements = {e.tag for e in ElementTree.fromstring(picture.light).iter()}
        assert elements <= {e.tag for e in ElementTree.fromstring(plain[kind].light).iter()}
    texts = [text for text in words(hostile["curves"]) if text]
    assert any(replace_unprintable(label).startswith(text.rstrip("…")) for text in texts) or not label.strip()
    assert f"{label}: 0.2 (0.1 to 0.3)" in hinted(hostile["bars"])


def test_letters_that_matplotlib_does_not_have_make_no_warning():
    assert "跳高 🏃" in words(draw_groups("n", {"g": {"S": 1}, "跳高 🏃": {"a": 1, "b": 2, "c": 3}}, Axis("y")))


def test_a_long_label_is_cut_and_whole_where_the_mouse_rests():
    picture = draw_bars("n", ["a" * 60], [1], Axis("AP"))
    assert any(re.fullmatch("a{10,40}…", text) for text in words(picture)) and f"{'a' * 60}: 1" in hinted(picture)


@settings(max_examples=15)
@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8))
def test_bars_are_as_long_as_their_values(values):
    picture = draw_bars("n", [f"c{i}" for i in range(len(values))], values, Axis("AP"))
    drawn = [extent(bar)[0] for bar in hinted(picture).values()]
    assert np.allclose(np.array(drawn) / drawn[0], np.array(values) / values[0], rtol=0.02, atol=0.02 / min(values))
    assert np.allclose(drawn / np.array(values), drawn[0] / values[0], rtol=0.02 / min(values))


def test_two_hundred_bars_stand_in_order_each_with_its_number():
    values = np.linspace(1, 0.005, 200)
    picture = draw_bars("n", [f"class {i}" for i in range(200)], values, Axis("AP"))
    drawn = hinted(picture)
    assert [hint.split(":")[0] for hint in drawn] == [f"class {i}" for i in range(200)]
    tops = [points(bar)[:, 1].min() for bar in drawn.values()]
    assert (np.diff(tops) > 15).all() and picture.height > tops[-1]
    assert {"class 0", "class 199", "0.005"} <= set(words(picture))


def test_intervals_and_the_overall_value_lie_on_the_scale_of_the_bars():
    picture = draw_bars(
        "n", ["a", "b"], [0.2, 0.8], Axis("AP", 0, 1), intervals=[(0.1, 0.4), (0.6, 1.0)], overall=0.4
    )
    drawn = hinted(picture)
    scale = extent(drawn["b: 0.8 (0.6 to 1)"])[0] / 0.8
    left = points(drawn["a: 0.2 (0.1 to 0.4)"])[:, 0].min()
    assert points(drawn["overall 0.4"])[:, 0] == pytest.approx(left + 0.4 * scale, abs=0.1)
    lines = [
        outline(path.attrib["d"])
        for path in ElementTree.fromstring(picture.light).iter(f"{SVG}path")
        if style(path).get("stroke-opacity") == "0.75"
    ]
    assert np.allclose((np.stack(lines)[:, :, 0] - left) / scale, [[0.1, 0.4], [0.6, 1.0]], atol=0.002)


def test_a_curve_goes_through_its_points():
    line = Series("a", [0, 0.5, 1], [1, 0.8, 0.2])
    drawn = points(hinted(draw_curves("n", [line], X, Y))["a"])
    across = (drawn[:, 0] - drawn[0, 0]) / np.ptp(drawn[:, 0])
    up = 1 - (drawn[:, 1] - drawn[0, 1]) / 300
    assert np.allclose(across, line.x, atol=0.001) and np.allclose(up, line.y, atol=0.001)


def test_hints_lie_where_their_lines_bars_and_marks_are_drawn():
    for kind in ("curves", "bars", "stacked", "grouped", "matrix"):
        picture = one_of_each()[kind]
        for hint, (text, group) in zip(picture.hints, hinted(picture).items(), strict=True):
            if text.startswith("jump: 0.5"):  # a mark is drawn as the use of a circle
                use = next(group.iter(f"{SVG}use"))
                drawn = np.array([[float(use.attrib["x"]), float(use.attrib["y"])]])
            else:
                drawn = points(group)
            corners = [
                (box.min(axis=0), box.max(axis=0))
                for box in (drawn, np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", hint.path), float))
            ]
            assert np.allclose(*corners, atol=0.06), text
            # A line that were closed would also lie between its ends.
            assert hint.path.endswith("Z") == (hint.is_area or len(drawn) == 1), text


def test_up_to_eight_lines_have_a_colour_each_and_more_are_grey_but_for_the_highlighted():
    def strokes(count: int, **more: list[str]) -> dict[str, str]:
        picture = draw_curves("n", [Series(f"line {i}", [0, 1], [0, i]) for i in range(count)], X, Axis("y"), **more)
        return {hint: path_style(g)["stroke"] for hint, g in hinted(picture).items()}

    assert set(strokes(8).values()) == set(COLOURS)
    assert set(strokes(9).values()) == {INK}
    some = strokes(30, highlighted=["line 7", "line 3"])
    assert {hint for hint, stroke in some.items() if stroke != INK} == {"line 7", "line 3"}
    assert list(some)[-2:] == ["line 3", "line 7"]
    picture = draw_curves("n", [Series(f"line {i}", [0, 1], [0, i]) for i in range(9)], X, Y, highlighted=["line 2"])
    assert {"line 2", "the other 8"} <= set(words(picture)) and "line 5" not in words(picture)


def test_parts_are_stacked_without_gaps_to_the_whole_height():
    shares = np.random.default_rng(0).dirichlet([1] * 6, 10).T
    picture = draw_stacks(
        "n", [f"{i}G" for i in range(1, 11)], dict(zip("abcdef", shares, strict=True)), "G", "share"
    )
    drawn = hinted(picture)
    for i in range(10):
        boxes = [points(g) for hint, g in drawn.items() if hint.startswith(f"{i + 1}G,")]
        heights = [np.ptp(box[:, 1]) for box in boxes]
        assert np.allclose(np.array(heights) / 260, shares[:, i], atol=0.001)
        assert all(a[:, 1].min() == pytest.approx(b[:, 1].max(), abs=0.02) for a, b in itertools.pairwise(boxes))
    assert {"100%", "1G", "10G", *"abcdef"} <= set(words(picture))


def test_bars_of_groups_say_which_reach_the_overall_value_and_which_bin_is_empty():
    picture = draw_groups(
        "n", {"length": {"XS": 10, "S": 40.0}, "coverage": {"XS": float("nan"), "L": 20}}, Axis("mAP"), overall=20
    )
    drawn = hinted(picture)
    colours = {hint: path_style(g)["fill"] for hint, g in drawn.items()}
    assert colours.pop("overall 20") == "none"
    assert colours == {"length, XS: 10": COLOURS[1], "length, S: 40": COLOURS[0], "coverage, L: 20": COLOURS[0]}
    assert extent(drawn["length, S: 40"])[1] == pytest.approx(4 * extent(drawn["length, XS: 10"])[1], rel=0.01)
    assert points(drawn["overall 20"])[0, 1] == pytest.approx(points(drawn["coverage, L: 20"])[:, 1].min(), abs=0.1)
    assert {"10", "40", "20", "–", "length", "coverage", "XS", "L", "overall 20"} <= set(words(picture))


def test_a_matrix_has_a_number_in_each_cell_that_counts_and_is_as_strong_as_the_root_of_its_share():
    picture = draw_confusion_matrix("n", ["a", "b", "c"], np.array([[9, 3, 0], [0, 4, 0], [0, 0, 0]]))
    drawn = hinted(picture)
    assert list(drawn) == ["a as a: 9 (75.0%)", "a as b: 3 (25.0%)", "b as b: 4 (100.0%)"]
    opacities = [float(path_style(g)["opacity"]) for g in drawn.values()]
    assert np.allclose(opacities, 0.8 * np.sqrt([0.75, 0.25, 1]), atol=0.01)
    corners = [points(g).min(axis=0) for g in drawn.values()]
    assert np.allclose(corners - corners[0], [[0, 0], [34, 0], [34, 34]], atol=0.05)
    assert {"9", "3", "4"} <= set(words(picture)) and "0" not in words(picture)


def test_a_matrix_of_two_hundred_is_one_image_with_some_labels_that_do_not_touch():
    picture = draw_confusion_matrix("n", [f"class {i}" for i in range(200)], np.eye(200))
    root = ElementTree.fromstring(picture.light)
    assert len(list(root.iter(f"{SVG}image"))) == 1 and len(picture.light) < 100_000
    rows = [
        float(t.attrib["y"])
        for t in root.iter(f"{SVG}text")
        if (t.text or "").startswith("class") and "rotate(-0" in t.get("transform", "")
    ]
    assert 40 <= len(rows) <= 200 and (np.diff(rows) >= 13.9).all()
    assert any("one label of 4" in text for text in words(picture))


def test_calibration_marks_each_bin_that_has_detections_and_counts_it_below():
    nan = float("nan")
    picture = draw_reliability("n", [0, 0.5, 0.8, 1], [0.25, nan, 0.9], [0.5, nan, 1.0], [30, 0, 10])
    drawn = hinted(picture)
    assert len(drawn) == 4 and not any(hint[:12] == "0 detections" for hint in drawn)
    low, high = drawn["30 detections from 0 to 0.5"], drawn["10 detections from 0.8 to 1"]
    assert extent(low)[1] == pytest.approx(3 * extent(high)[1], rel=0.01)
    edges = points(low)[:, 0].min(), points(high)[:, 0].max()
    assert edges == (pytest.approx(46, abs=0.1), pytest.approx(466, abs=0.1))
    assert extent(low)[0] == pytest.approx(2.5 * extent(high)[0], rel=0.01)
    first, second = (next(g.iter(f"{SVG}use")) for hint, g in drawn.items() if hint.startswith("score"))
    rise = float(first.attrib["y"]) - float(second.attrib["y"])
    run = float(second.attrib["x"]) - float(first.attrib["x"])
    assert (rise / 300, run / 420) == (pytest.approx(0.5, abs=0.001), pytest.approx(0.65, abs=0.001))


def test_calibration_before_and_after_is_drawn_over_the_same_bins():
    nan = float("nan")
    raw = ReliabilityLine("raw", [0.25, 0.75], [0.05, 0.5], [(0, 0.1), (0.4, 0.6)], [1000, 10])
    calibrated = ReliabilityLine("calibrated", [0.05, nan], [0.06, nan], [(0.02, 0.1), (0, 1)], [1010, 0])
    picture = draw_reliabilities("n", [0, 0.5, 1], [raw, calibrated])
    drawn = hinted(picture)
    assert sum("score" in hint for hint in drawn) == 3
    heights = {hint: extent(g)[1] for hint, g in drawn.items() if "score" not in hint}
    # By the logarithm, from one half on: a thousand is twice as high as ten only where that counts from 0.1.
    ratio = heights["raw: 1,000 detections"] / heights["raw: 10 detections"]
    assert ratio == pytest.approx(math.log(1000 / 0.5) / math.log(10 / 0.5), rel=0.02)
    assert {"raw", "calibrated"} <= set(words(picture))


NAN = float("nan")
REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "lengths": (lambda: draw_curves("n", [Series("a", [0, 1], [1])], X, Y), "y of 'a' of shape"),
    "nan": (lambda: draw_curves("n", [Series("a", [0, NAN], [1, 1])], X, Y), "2 finite numbers"),
    "no points": (lambda: draw_curves("n", [Series("a", [], [])], X, Y), "0 points of 'a'"),
    "no lines": (lambda: draw_curves("n", [], X, Y), "0 lines"),
    "marks": (lambda: draw_curves("n", [Series("a", [0], [1], marks=[(0, NAN)])], X, Y), "pairs"),
    "highlighted": (
        lambda: draw_curves("n", [Series("a", [0], [1])], X, Y, highlighted=["b"]),
        "no such line; there are a",
    ),
    "too bright": (
        lambda: draw_curves("n", [Series(c, [0], [1]) for c in "abcdefghi"], X, Y, highlighted="abcdefghi"),
        "9 highlighted lines",
    ),
    "bars": (lambda: draw_bars("n", ["a", "b"], [1], Axis("x")), "2 finite numbers"),
    "many bars": (lambda: draw_bars("n", ["a"] * 201, [1] * 201, Axis("x")), "201 names"),
    "intervals": (lambda: draw_bars("n", ["a", "b"], [1, 2], Axis("x"), intervals=[(0, 1)]), "2 pairs"),
    "overall": (lambda: draw_bars("n", ["a"], [1], Axis("x"), overall=NAN), "overall nan"),
    "sum": (lambda: draw_stacks("n", ["1G"], {"a": [0.5], "b": [0.4]}, "x", "y"), "sum to 1"),
    "negative part": (lambda: draw_stacks("n", ["1G"], {"a": [1.5], "b": [-0.5]}, "x", "y"), "sum to 1"),
    "part": (lambda: draw_stacks("n", ["1G"], {"a": [1, 0]}, "x", "y"), "shares of 'a'"),
    "parts": (lambda: draw_stacks("n", ["1G"], {c: [0] for c in "abcdefghi"}, "x", "y"), "9 parts"),
    "no bins": (lambda: draw_groups("n", {"g": {}}, Axis("y")), "0 bins of 'g'"),
    "infinite": (lambda: draw_groups("n", {"g": {"a": float("inf")}}, Axis("y")), "at least 0"),
    "negative": (lambda: draw_groups("n", {"g": {"a": -1}}, Axis("y")), "at least 0"),
    "square": (lambda: draw_confusion_matrix("n", ["a"], np.ones((1, 2))), r"shape \(1, 2\) for 1 labels"),
    "negative count": (lambda: draw_confusion_matrix("n", ["a"], -np.ones((1, 1))), "from 0 on"),
    "many labels": (lambda: draw_confusion_matrix("n", ["a"] * 201, np.ones((201, 201))), "201 labels"),
    "edges": (lambda: draw_reliability("n", [0, 1], [0.5, 0.5], [0.5, 0.5], [1, 1]), "edges"),
    "falling edges": (lambda: draw_reliability("n", [1, 0], [0.5], [0.5], [1]), "must rise"),
    "count": (lambda: draw_reliability("n", [0, 1], [0.5], [0.5], [-1]), "not be negative"),
    "lines": (lambda: draw_reliabilities("n", [0, 1], []), "0 lines"),
    "interval": (
        lambda: draw_reliabilities("n", [0, 1], [ReliabilityLine("a", [0.5], [0.5], [(0, NAN)], [1])]),
        "1 pairs of finite",
    ),
    "unequal counts": (
        lambda: draw_reliabilities("n", [0, 1], [ReliabilityLine("a", [0.5], [0.5], [(0, 1)], [1, 2])]),
        "counts of 'a'",
    ),
    "score": (lambda: draw_reliability("n", [0, 1], [NAN], [0.5], [1]), "scores"),
    "precision": (lambda: draw_reliability("n", [0, 1], [0.5], [1.5], [1]), "precisions"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_picture_is_refused_with_a_reason(case):
    draw, reason = REFUSED[case]
    with pytest.raises(ValueError, match=reason):
        draw()


def test_an_empty_column_and_values_of_nothing_are_pictures_too():
    assert not hinted(draw_stacks("n", ["1G"], {"a": [0]}, "x", "y"))
    assert list(hinted(draw_bars("n", ["a"], [0], Axis("x")))) == ["a: 0"]
    assert not hinted(draw_groups("n", {"g": {"a": NAN}}, Axis("y")))
    assert not hinted(draw_confusion_matrix("n", ["a"], np.zeros((1, 1))))
    assert not hinted(draw_reliability("n", [0, 1], [NAN], [NAN], [0]))


# How the colours of two people in a hundred look: Machado et al., "A Physiologically-based Model for Simulation of
# Color Vision Deficiency" (2009), severity 1, on linear red, green and blue.
SIGHT = {
    "common": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    channels = np.array(list(bytes.fromhex(colour[1:]))) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(light, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart_by_every_sight_and_stand_out_by_day_and_night(sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(colour)) for colour in COLOURS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15
    for colour in COLOURS:
        light = linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05
        assert 1.05 / light >= 3 and light / (linear("#15181e") @ [0.2126, 0.7152, 0.0722] + 0.05) >= 3


# Pages


def test_reports_of_videos_do_not_wait_for_matplotlib():
    imports = "import sys, untrimmed.visualization.report, untrimmed.visualization.page"
    code = f"{imports}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def sections() -> list[Section]:
    figures = [Figure(f"Caption {kind}", picture, f"Note {kind}.") for kind, picture in one_of_each().items()]
    return [
        Section("Curves & more", "First <words>.\n\nSecond words.", figures, [Table("mAP", ["model"], [["C-TCN"]])]),
        Section("Same again", "", figures[:2]),
        Section("Only words", "Nothing to see."),
        Section("Only a table", "", (), [Table("empty", ["model"], [])]),
    ]


def test_a_page_is_one_file_that_loads_and_runs_nothing(tmp_path):
    write_page(tmp_path / "p.html", "Title <b>", sections(), ["A note."])
    page = Page(tmp_path / "p.html")
    assert not {"script", "link", "iframe", "object", "b"} & {tag for tag, _ in page.elements}
    assert all("style" not in attributes for _, attributes in page.elements)
    policy = next(a["content"] or "" for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
    (style,) = re.findall("<style>(.*?)</style>", (tmp_path / "p.html").read_text(encoding="utf-8"), re.DOTALL)
    assert csp_hash(style) in policy
    links = [a[k] or "" for _, a in page.elements for k in ("href", "src", "srcset") if k in a]
    assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in links)
    for text in ("Title <b>", "A note.", "First <words>.", "Second words.", "Note bars.", "C-TCN", "Nothing to see."):
        assert text in page.words


def test_each_picture_has_an_image_for_light_and_for_dark_pages_and_words_for_a_screen_reader(tmp_path):
    write_page(tmp_path / "p.html", "t", sections()[1:])
    page = Page(tmp_path / "p.html")
    pictures = [figure.chart for figure in sections()[1].figures]
    images = [a for tag, a in page.elements if tag == "img"]
    sources = [a for tag, a in page.elements if tag == "source"]
    assert [(a["alt"], int(a["width"]), int(a["height"])) for a in images] == [p[:3] for p in pictures]
    assert [decoded(a["src"]) for a in images] == [picture.light for picture in pictures]
    assert [decoded(a["srcset"]) for a in sources] == [picture.dark for picture in pictures]
    assert {a["media"] for a in sources} == {"(prefers-color-scheme: dark)"}
    assert [a["d"] for tag, a in page.elements if tag == "path"] == [hint.path for p in pictures for hint in p.hints]


def decoded(address: str | None) -> str:
    return base64.b64decode((address or "").removeprefix("data:image/svg+xml;base64,"), validate=True).decode()


def test_every_name_in_a_page_is_unique_and_every_link_leads_somewhere(tmp_path):
    write_page(tmp_path / "p.html", "t", sections())
    page, text = Page(tmp_path / "p.html"), (tmp_path / "p.html").read_text(encoding="utf-8")
    names = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(names)) == len(names)
    targets = set(re.findall(r'(?:href="|url\()#([\w-]+)', text))
    assert targets == {f"section-{i}" for i in range(1, 5)} and targets <= set(names)


def test_three_sections_need_no_list_of_contents(tmp_path):
    write_page(tmp_path / "p.html", "t", sections()[:3])
    assert "<nav" not in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_only_what_is_too_wide_for_a_phone_scrolls_and_the_keyboard_reaches_it(tmp_path):
    narrow = Figure("narrow", draw_bars("n", ["a"], [1], Axis("x")))
    wide = Figure("wide", draw_groups("n", {"g": dict.fromkeys("abcdefghijklmnopqrst", 1.0)}, Axis("y")))
    write_page(tmp_path / "p.html", "t", [Section("s", "", [narrow, wide])])
    rooms = [a for _, a in Page(tmp_path / "p.html").elements if a.get("class") == "room"]
    assert [a.get("tabindex") for a in rooms] == [None, "0"] and rooms[1]["aria-label"] == "wide"


@pytest.mark.parametrize("label", NASTY)
def test_any_title_caption_and_note_is_text(tmp_path, label):
    figure = Figure(label, draw_bars(label, [label], [1], Axis(label)), label)
    write_page(tmp_path / "p.html", label, [Section(label, label, [figure], [Table(label, [label], [[label]])])] * 4)
    plain = Figure("a", draw_bars("a", ["a"], [1], Axis("a")), "a")
    write_page(tmp_path / "q.html", "a", [Section("a", "a", [plain], [Table("a", ["a"], [["a"]])])] * 4)
    tags = [{tag for tag, _ in Page(tmp_path / name).elements} for name in ("p.html", "q.html")]
    assert tags[0] <= tags[1]


def test_words_of_hints_and_pictures_are_text(tmp_path):
    picture = Chart(HOSTILE[0], 10, 10, "<svg/>", "<svg/>", [Hint("M0 0", HOSTILE[0], False)])
    write_page(tmp_path / "p.html", "t", [Section("s", "", [Figure("c", picture)])])
    page = Page(tmp_path / "p.html")
    assert "script" not in {tag for tag, _ in page.elements}
    assert HOSTILE[0] in page.words and HOSTILE[0] in [a.get("alt") for _, a in page.elements]


def test_the_same_page_is_written_byte_for_byte(tmp_path):
    for name in ("a.html", "b.html"):
        write_page(tmp_path / name, "t", sections())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_browser_finds_nothing_to_refuse_in_a_page(tmp_path):
    write_page(tmp_path / "p.html", "t", sections())
    dom = dumped(tmp_path / "p.html", tmp_path / "profile")
    assert dom.count("<img") == 10 and dom.count("<figcaption") == 10 and dom.count("<h2") == 4
