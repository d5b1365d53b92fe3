"""Kernels drawn as SVG and in the report: what is drawn is what the values say, where and how wide they say."""

import importlib.util
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.timeline import Action, Timeline
from untrimmed.visualization.grouping import grouping_svg
from untrimmed.visualization.kernels import (
    Kernel,
    KernelLayer,
    choose_layer,
    describe_kernel,
    gaussian_path,
    kernels_svg,
)
from untrimmed.visualization.report import Panel, write_report

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"

kernels = st.builds(Kernel, st.floats(0, 200), st.floats(1e-3, 300), st.integers(1, 5), st.floats(0, 1))
several = st.lists(kernels, max_size=30)


def rows(label: str = "jump") -> dict[str, Timeline]:
    truth = Timeline(100.0, (Action(10, 30, label), Action(50, 70, label)))
    return {"ground truth": truth, "detections": Timeline(100.0, (Action(11, 29, label, 0.8),))}


def layer_of(*some: Kernel, number: int = 3, learned: bool = True) -> KernelLayer:
    return KernelLayer(number, 12.5, some, learned)


def groups(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [each for each in root.iter(f"{SVG}g") if each.get("class") == f"untrimmed-{kind}"]


def numbers(path: str) -> np.ndarray:
    return np.array(re.findall(r"-?\d+\.\d+", path), float).reshape(-1, 2)


@settings(max_examples=40)
@given(several, st.integers(240, 1600))
def test_every_kernel_has_one_curve_over_one_box_of_two_sigmas(several, width):
    layer = layer_of(*several)
    root = ElementTree.fromstring(kernels_svg(200, {}, layer, width=width))
    drawn = [*groups(root, "own"), *groups(root, "merged")]
    assert sorted(each.findtext(f"{SVG}title") for each in drawn) == sorted(map(describe_kernel, layer.kernels))
    inside = next((each for each in root.iter(f"{SVG}svg") if each is not root), root)
    scale = float(inside.attrib["width"]) / 200
    for group in drawn:
        curve, box = numbers(group.find(f"{SVG}path").attrib["d"]), group.find(f"{SVG}rect").attrib
        reach = (curve[-1, 0] - curve[0, 0]) / 6
        assert float(box["width"]) == pytest.approx(max(2 * reach, 1), abs=0.02)
        sigma = float(re.search("sigma ([0-9.]+) s", group.findtext(f"{SVG}title"))[1])
        assert reach / scale == pytest.approx(sigma, abs=0.06 + 0.01 / scale)


@settings(max_examples=25)
@given(several, st.integers(240, 1600))
def test_nothing_of_a_picture_lies_outside_it(several, width):
    layer = layer_of(*several)
    root = ElementTree.fromstring(kernels_svg(200, rows(), layer, width=width))
    for inner in (each for each in root.iter(f"{SVG}svg") if each is not root):
        left, top, wide, high = (float(inner.attrib[name]) for name in ("x", "y", "width", "height"))
        assert left > 0 and left + wide <= width and top + high < float(root.attrib["height"])
        # One unit is one pixel in there too, so nothing is shifted or stretched against the rows of actions.
        assert [float(each) for each in inner.attrib["viewBox"].split()] == [left, top, wide, high]
        for box in inner.iter(f"{SVG}rect"):
            assert top < float(box.attrib["y"]) and float(box.attrib["y"]) + float(box.attrib["height"]) < top + high


def test_a_kernel_stands_over_its_own_time_between_the_actions():
    picture = kernels_svg(100, rows(), layer_of(Kernel(20, 10), Kernel(60, 10, 2)))
    root = ElementTree.fromstring(picture)
    bars = {
        bar.findtext(f"{SVG}title")[:9]: bar for bar in root.iter(f"{SVG}g") if bar.get("class") == "untrimmed-bar"
    }
    (own,), (merged,) = groups(root, "own"), groups(root, "merged")
    for kernel, bar in ((own, bars["jump 10.0"]), (merged, bars["jump 50.0"])):
        box, action = kernel.find(f"{SVG}rect").attrib, bar.find(f"{SVG}rect").attrib
        assert float(box["x"]) == pytest.approx(float(action["x"]), abs=0.02)
        assert float(box["width"]) == pytest.approx(float(action["width"]), abs=0.02)
    order = [
        float(e.attrib["y"])
        for e in root.iter(f"{SVG}text")
        if e.text in ("ground truth", "kernels", "merged", "detections")
    ]
    words = [e.text for e in root.iter(f"{SVG}text") if e.text in ("ground truth", "kernels", "merged", "detections")]
    assert words == ["ground truth", "kernels", "merged", "detections"] and order == sorted(order)


@given(st.floats(-500, 500), st.floats(0.5, 300))
def test_a_bell_is_a_gaussian_to_one_percent(x, sigma):
    points = numbers(gaussian_path(x, 100.0, sigma, 100.0))
    start, pieces = points[0], points[1:].reshape(-1, 3, 2)
    for a, b, end in pieces:
        t = np.linspace(0, 1, 9)[:, None]
        along = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * a + 3 * t**2 * (1 - t) * b + t**3 * end
        wanted = 100 - 100 * np.exp(-(((along[:, 0] - x) / sigma) ** 2) / 2)
        assert np.abs(along[:, 1] - wanted).max() < 1 + 2 / sigma
        start = end


def test_a_surer_kernel_is_darker_and_lies_above():
    root = ElementTree.fromstring(kernels_svg(100, {}, layer_of(Kernel(20, 5, 1, 0.4), Kernel(22, 5, 1, 0.1))))
    opacity = [float(each.attrib["opacity"]) for each in groups(root, "own")]
    assert opacity[-1] == 1 and 0.2 < opacity[0] < 0.5


def test_fixed_boxes_have_no_curves_and_say_so():
    picture = kernels_svg(100, rows(), layer_of(Kernel(20, 5), Kernel(40, 5), learned=False))
    root = ElementTree.fromstring(picture)
    assert all(group.find(f"{SVG}path") is None for group in groups(root, "own")) and len(groups(root, "own")) == 2
    assert (
        "as wide as a cell" in root.findtext(f"{SVG}desc") and "Gaussian" not in layer_of(learned=False).description
    )


def test_a_picture_says_in_words_what_it_shows():
    layer = layer_of(Kernel(20, 5), Kernel(30, 5), Kernel(25, 10, 2))
    root = ElementTree.fromstring(kernels_svg(100, rows(), layer))
    assert root.findtext(f"{SVG}title") == "Gaussian kernels, layer 3: cells of 12.5 s, 2 kernels, 1 merged"
    assert "truth: 2 actions, detections: 1 actions" in root.findtext(f"{SVG}desc")
    assert root.attrib["role"] == "img" and "layer 3" in root.attrib["aria-label"]


def test_a_hostile_label_makes_no_element_and_a_picture_can_stand_in_a_page():
    plain, hostile = (kernels_svg(100, rows(label), layer_of(Kernel(20, 5))) for label in ("a", "</svg><script>&"))
    assert {e.tag for e in ElementTree.fromstring(plain).iter()} == {
        e.tag for e in ElementTree.fromstring(hostile).iter()
    }


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_a_kernel_without_a_width_is_refused(sigma):
    with pytest.raises(ValueError, match="layer 3: kernel at 20"):
        layer_of(Kernel(20, sigma))


def test_a_picture_without_time_is_refused():
    with pytest.raises(ValueError, match="duration 0"):
        kernels_svg(0, {}, layer_of())


def test_the_coarsest_of_the_layers_that_fit_the_truth_is_chosen():
    fine = layer_of(*(Kernel(each, 10) for each in range(10, 100, 10)), number=1)
    good, bad = layer_of(Kernel(20, 10), Kernel(60, 9.5), number=2), layer_of(Kernel(85, 10), number=3)
    assert choose_layer([fine, good, bad], rows()) is good
    worse = layer_of(Kernel(20, 10), Kernel(60, 7), number=2)
    assert choose_layer([fine, worse, bad], rows()) is fine
    # The truth decides where there is one, else the surest detections do.
    detections = {"detections": Timeline(100.0, (Action(75, 95, "a", 0.9), Action(10, 30, "a", 0.01)))}
    assert choose_layer([good, bad], {**rows(), **detections}) is good
    assert choose_layer([good, bad], detections) is bad and choose_layer([bad, good], detections) is bad


# The report


def page(tmp_path: Path, *some: KernelLayer) -> Path:
    write_report(tmp_path / "r.html", "t", [Panel("v", 100, rows(), kernels=some), Panel("w", 100, rows())], [])
    return tmp_path / "r.html"


def test_a_browser_draws_the_kernels_of_the_fitting_layer_on_the_axis(tmp_path):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("there is no chromium on the PATH")
    fine = layer_of(Kernel(5, 1), number=1)
    coarse = layer_of(Kernel(20, 10, 1, 0.5), Kernel(60, 10, 1, 0.25), Kernel(40, 30, 2, 0.5), number=2)
    path = page(tmp_path, fine, coarse)
    flags = [
        "headless",
        "no-sandbox",
        "disable-gpu",
        "window-size=1000,1600",
        f"user-data-dir={tmp_path / 'profile'}",
    ]
    command = [browser, *(f"--{flag}" for flag in flags), "--virtual-time-budget=3000", "--dump-dom", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    dom = dom[: dom.index('<script type="application/json"')]
    assert dom.count('<div class="kernels">') == 1
    assert re.findall("<option[^>]*>([^<]*)<", dom) == [fine.title, coarse.title]
    drawn = re.findall(
        '<g class="(kernel[^"]*)" opacity="([0-9.]+)"><title>([^<]*)<.*?<rect x="([0-9.-]+)"[^>]* width="([0-9.]+)"',
        dom,
    )
    assert {(kind, opacity, words) for kind, opacity, words, _, _ in drawn} == {
        ("kernel", "1.00", describe_kernel(coarse.kernels[0])),
        ("kernel", "0.61", describe_kernel(coarse.kernels[1])),
        ("kernel merged", "1.00", describe_kernel(coarse.kernels[2])),
    }
    bars = {float(left) for left in re.findall('class="bar[^>]*left: ([0-9.]+)px', dom)}
    first = next(each for each in drawn if each[2] == describe_kernel(coarse.kernels[0]))
    assert any(float(first[3]) == pytest.approx(left, abs=0.1) for left in bars)


def test_a_report_without_kernels_carries_none(tmp_path):
    text = page(tmp_path).read_text(encoding="utf-8")
    assert text.count('"kernels":[],"layer":null') == 2


# One step of the grouping


def test_the_measures_of_a_step_are_those_of_the_boxes():
    picture = grouping_svg(Kernel(0.4, 0.2), Kernel(0.5, 0.2), Kernel(0.45, 0.25, 2), 0.5)
    assert "H, what both cover = 0.3<" in picture and "L, what either covers = 0.5<" in picture
    assert "H / L = 0.60, above 0.5: merged into one" in picture and "sigma = L / 2 = 0.25, centre 0.45" in picture
    ElementTree.fromstring(picture)


def test_kernels_that_are_not_merged_are_said_to_stay_alone():
    picture = grouping_svg(Kernel(0.4, 0.2), Kernel(0.5, 0.2), None, 0.7)
    assert "not above 0.7: both stay alone" in picture and not groups(ElementTree.fromstring(picture), "merged")
    with pytest.raises(ValueError, match="do not meet"):
        grouping_svg(Kernel(0.1, 0.05), Kernel(0.5, 0.05), None, 0.7)


def test_the_picture_of_the_docs_is_what_the_models_own_grouping_gives():
    spec = importlib.util.spec_from_file_location("draw_gtan_pictures", ROOT / "scripts" / "draw_gtan_pictures.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.draw_grouping() == (ROOT / "docs" / "pictures" / "gtan_grouping.svg").read_text(encoding="utf-8")
