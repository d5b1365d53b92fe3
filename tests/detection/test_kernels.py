"""A look into a GTAN detector: its kernels in seconds are those of the network, each drawn once."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthetic import CHANNELS, CLASSES, SOURCE, features_of, recipe_for, write_dataset
from untrimmed.annotations.formats.activitynet import read_activitynet, write_activitynet_results
from untrimmed.detection.detector import Detector
from untrimmed.detection.kernels import find_kernels, write_kernel_view, write_kernels
from untrimmed.features.video_features import VideoFeatures
from untrimmed.features.windows import cut_windows
from untrimmed.io import BadInput
from untrimmed.models.base import stack_windows
from untrimmed.models.gtan import GTANConfig
from untrimmed.timeline import Action, Timeline

SMALL: dict[str, Any] = {"length": 64, "base": (8, 8), "layers": (8, 8, 8), "group_tiou": 0.3}


def detector_of(overlap: float | None = 0.5, **model: Any) -> Detector:
    """A small GTAN whose widths differ from cell to cell; without an overlap it sees a video in one window."""
    config = GTANConfig(**{**SMALL, **model})
    network = config.build(CHANNELS, len(CLASSES)).eval()
    for branch in network.sigmas:
        torch.nn.init.normal_(branch.weight, std=0.3)
    sliding = {"mode": "whole"} if overlap is None else {"mode": "slide", "test_overlap": overlap}
    recipe = replace(recipe_for(Path("nowhere"), windows=sliding), model=config)
    return Detector(network, recipe, CHANNELS, CLASSES, SOURCE)


def video(seconds: float) -> VideoFeatures:
    actions = (Action(1, 4, "jump"), Action(6, 9, "run"))
    return features_of(Timeline(seconds, actions), np.random.default_rng(0))


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
@pytest.mark.parametrize("seconds", [10.0, 16.0, 40.0, 61.5])
def test_every_cell_of_a_video_has_its_kernel_once_however_windows_slide(overlap, seconds):
    layers = find_kernels(detector_of(overlap, kernels="gaussian"), video(seconds))
    for layer in layers:
        centres = np.array([kernel.centre for kernel in layer.kernels])
        # Snippets last a quarter of a second, a cell has 4, 8 or 16; one counts when its centre is in the video.
        assert layer.cell == 2 ** (layer.number - 1)
        if len(centres):
            assert centres[0] == layer.cell / 2 and np.allclose(np.diff(centres), layer.cell)
        assert len(centres) == np.ceil(seconds / layer.cell - 0.5)


def test_a_window_answers_for_the_cells_that_lie_nearer_to_its_own_middle():
    detector, seen = detector_of(0.5), video(24.0)
    # Windows of 16 s begin at 0 and 8 s; halfway through what they have in common lies second 12.
    parts = [find_kernels(detector, part) for part in (seen[:64], seen[32:96])]
    for layer, first, second in zip(find_kernels(detector, seen), *parts, strict=True):
        cells = [[k for k in part.kernels if k.members == 1] for part in (layer, first, second)]
        wanted = [k for k in cells[1] if k.centre < 12] + [k for k in cells[2] if k.centre >= 12]
        assert np.allclose([k[:2] for k in cells[0]], [k[:2] for k in wanted])


def test_places_and_widths_are_those_of_the_network_in_seconds():
    detector, seen = detector_of(None), video(48.0)
    batch = stack_windows(list(cut_windows(seen, detector.recipe.windows, 64)))
    with torch.inference_mode():
        _, _, kernels = detector.model.compute_feature_maps(batch.x, batch.mask)
    for layer, wanted in zip(find_kernels(detector, seen), kernels, strict=True):
        places = 48 * torch.stack([wanted.centre[0], wanted.sigma[0]], 1)[wanted.valid[0]].double()
        found = [[kernel.centre, kernel.sigma] for kernel in layer.kernels]
        assert np.allclose(sorted(found), sorted(places.tolist()))


def test_a_kernel_of_two_members_is_as_wide_as_both_boxes_and_lies_between_them():
    several = [find_kernels(detector_of(None), video(16.0)) for _ in range(4)]  # each with other weights
    pairs = 0
    for layer in (layer for layers in several for layer in layers):
        own = [kernel for kernel in layer.kernels if kernel.members == 1]
        for merged in (kernel for kernel in layer.kernels if kernel.members == 2):
            unions = [(a.centre + b.centre, max(a.end, b.end) - min(a.start, b.start)) for a, b in pairwise(own)]
            assert any(np.allclose(union, (2 * merged.centre, 2 * merged.sigma)) for union in unions)
            pairs += 1
    assert pairs


def test_members_that_are_not_kept_are_not_shown():
    torch.manual_seed(1)
    kept = find_kernels(detector_of(None), video(16.0))
    torch.manual_seed(1)
    merged = find_kernels(detector_of(None, keep_members=False), video(16.0))
    for before, after in zip(kept, merged, strict=True):
        gone = sum(kernel.members for kernel in before.kernels if kernel.members > 1)
        assert len(before.kernels) - len(after.kernels) == gone
        assert [k.members for k in after.kernels if k.members > 1] == [
            k.members for k in before.kernels if k.members > 1
        ]
    assert any(len(layer.kernels) < 16 // layer.cell for layer in merged)


def test_a_score_is_the_best_that_any_box_of_the_kernel_gives():
    detector, seen = detector_of(None), video(30.0)
    _, scores = detector.candidates(seen)
    wanted = scores.reshape(-1, len(detector.model.config.ratios) * len(CLASSES)).max(1)
    layers = find_kernels(detector, seen)
    assert np.allclose(sorted(k.score for layer in layers for k in layer.kernels), sorted(wanted))
    # Layer by layer, not only together.
    first = len(layers[0].kernels)
    assert np.allclose(sorted(kernel.score for kernel in layers[0].kernels), sorted(wanted[:first]))


def test_a_fixed_network_has_boxes_as_wide_as_its_cells():
    for layer in find_kernels(detector_of(kernels="fixed"), video(40.0)):
        assert not layer.learned and layer.kernels
        assert np.allclose([kernel.end - kernel.start for kernel in layer.kernels], layer.cell)


def test_a_detector_of_another_kind_and_foreign_features_are_refused():
    recipe = recipe_for(Path("nowhere"))
    other = Detector(recipe.model.build(CHANNELS, len(CLASSES)), recipe, CHANNELS, CLASSES, SOURCE)
    with pytest.raises(BadInput, match="the detector is a ctcn, which has no Gaussian kernels"):
        find_kernels(other, video(40.0))
    foreign = replace(video(40.0), source=replace(SOURCE, fps=5.0))
    with pytest.raises(BadInput, match="clip: its features come from"):
        find_kernels(detector_of(), foreign, "clip")


def test_a_picture_of_a_video_has_truth_kernels_and_as_many_detections(tmp_path):
    folder = write_dataset(tmp_path, videos=3)
    features, truth, out = folder / "features", folder / "annotations.json", tmp_path / "out" / "k.svg"
    detector = detector_of()
    assert write_kernels(out, detector, features, "video02", truth, 2) == out
    root = ElementTree.parse(out).getroot()
    count = len(read_activitynet(truth).timelines["video02"].actions)
    description = root.findtext("{http://www.w3.org/2000/svg}desc")
    assert f"truth: {count} actions, detections: {count} actions" in description
    assert "layer 2: cells of 2 s" in root.findtext("{http://www.w3.org/2000/svg}title")
    assert [file.name for file in out.parent.iterdir()] == ["k.svg"]
    # Without truth and without a layer there is still something to choose by.
    write_kernels(out, detector, features, "video02")
    assert "detections: 20 actions" in out.read_text() and "ground truth" not in out.read_text()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"layer": 4}, "layer 4: the detector has layers 1 to 3"),
        ({"layer": 0}, "layer 0: the detector has layers 1 to 3"),
        ({"video": "video99"}, "features: has no video 'video99'; it has 3, such as video00, video01, video02"),
        ({"truth": "other.json"}, r"other\.json: has no video 'video02'"),
    ],
)
def test_what_there_is_not_is_one_sentence_and_no_file(tmp_path, wrong, sentence):
    folder = write_dataset(tmp_path, videos=3)
    (tmp_path / "other.json").write_text(json.dumps({"database": {"b": {"duration": 9, "annotations": []}}}))
    truth = tmp_path / wrong.get("truth", "annotations.json")
    with pytest.raises(BadInput, match=sentence):
        write_kernels(
            tmp_path / "k.svg",
            detector_of(),
            folder / "features",
            wrong.get("video", "video02"),
            truth,
            wrong.get("layer"),
        )
    assert not (tmp_path / "k.svg").exists()


def test_a_report_of_results_carries_every_layer_of_every_video(tmp_path):
    folder = write_dataset(tmp_path, videos=3)
    detector, results = detector_of(), tmp_path / "results.json"
    timelines = {name: Timeline(50.0, (Action(2, 5, "jump", 0.5),)) for name in ("video00", "video02")}
    write_activitynet_results(results, timelines)
    page = write_kernel_view(results, tmp_path / "r.html", detector, folder / "features", folder / "annotations.json")
    text = page.read_text(encoding="utf-8")
    data = json.loads(text.split('<script type="application/json" id="report-data">')[1].split("</script>")[0])
    assert [panel["name"] for panel in data["panels"]] == ["video00", "video02"]
    for panel in data["panels"]:
        assert [layer["number"] for layer in panel["kernels"]] == [1, 2, 3] and 1 <= panel["layer"] <= 3
        assert all(row["kernels"] for layer in panel["kernels"] for row in layer["rows"])
        assert [row["name"] for row in panel["rows"]] == ["ground truth", "detections"]
