"""The Gaussian kernels that a GTAN detector lays over a video, in seconds, as a picture or a page."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from untrimmed.annotations.label_names import describe_loose_labels, match_labels
from untrimmed.detection.detector import BATCH, Detector, split_batches
from untrimmed.detection.sources import Videos, open_source
from untrimmed.detection.view import DETECTIONS, read_truth, rename_labels, view
from untrimmed.features.streams import FeatureStreams
from untrimmed.features.video_features import VideoFeatures
from untrimmed.features.windows import Window, cut_windows
from untrimmed.io import BadInput, write_text
from untrimmed.models.base import stack_windows
from untrimmed.models.gaussian_kernels import Kernels, group_kernels
from untrimmed.models.gtan import GTAN
from untrimmed.video.names import match_names, suggest_name
from untrimmed.visualization.kernels import Kernel, KernelLayer, choose_layer, kernels_svg
from untrimmed.visualization.timelines import GROUND_TRUTH

logger = logging.getLogger(__name__)

MANY = 20
"""Detections of a picture without truth."""


def find_kernels(detector: Detector, features: VideoFeatures, name: str = "the video") -> tuple[KernelLayer, ...]:
    """Find the kernels of every layer of a video, finest layer first, in seconds.

    Windows that slide over each other see a stretch twice: a kernel counts where its centre lies nearer to the middle
    of its own window than to that of the next, so that shares meet halfway through what two windows have in common.
    Windows merge each for itself, so where shares meet a merged kernel may be there twice, or in neither.
    Raises BadInput for a detector that is no GTAN and for features of another kind.
    """
    network = require_gtan(detector)
    detector.check(features, name)
    windows = list(cut_windows(features, detector.recipe.windows, network.length))
    kernels: list[list[Kernel]] = [[] for _ in network.levels]
    by_window = (layers for batch in split_batches(windows, BATCH) for layers in _find_in_batch(network, batch))
    for (start, end), layers in zip(_window_shares(windows), by_window, strict=True):
        for layer, window_kernels in zip(kernels, layers, strict=True):
            layer += [kernel for kernel in window_kernels if start <= kernel.centre < end]
    step, learned = windows[0].grid.step, network.config.kernels != "fixed"
    return tuple(
        KernelLayer(i, step * network.length / level.cells, tuple(sorted(layer)), learned)
        for i, (level, layer) in enumerate(zip(network.levels, kernels, strict=True), start=1)
    )


def require_gtan(detector: Detector) -> GTAN:
    """Return the detector's network, optimized for inference. Raises BadInput where it is no GTAN."""
    if not isinstance(detector.model, GTAN):
        name = detector.recipe.model.name
        raise BadInput(f"the detector is a {name}, which has no Gaussian kernels; give one with model.name = 'gtan'")
    return detector.model.fuse_batch_norm()


def write_kernels(
    out: Path,
    detector: Detector,
    source: Path,
    video: str,
    truth: Path | None = None,
    layer: int | None = None,
    *,
    width: int = 960,
    truth_unit: str | None = None,
    fps: float | None = None,
) -> Path:
    """Write the SVG of one video of a feature file or folder: truth, one layer's kernels, detections (Fig. 6).

    The layer, counted from 1, is by default that of `fitting_layer`. Of the detections it shows the
    surest, as many as there are true actions. `truth_unit` and `fps` are as in `view`. Raises BadInput for a video or
    a layer that there is not.
    """
    require_gtan(detector)
    features = _features_of(open_source(source, detector.source, detector.recipe.data), video, source)
    layers = find_kernels(detector, features, f"{source}: {video}")
    if layer is not None and not 1 <= layer <= len(layers):
        raise BadInput(f"layer {layer}: the detector has layers 1 to {len(layers)}, the finest first")
    rows, many = {}, MANY
    if truth:
        annotated = read_truth(truth, truth_unit, fps)
        matched = match_names([video], annotated)
        if video not in matched:
            near = suggest_name(video, annotated)
            hint = f" (most like it is {near!r})" if near else ""
            raise BadInput(f"{truth}: has no video {video!r}{hint}; give the annotations that it is in, or none")
        ground_truth = annotated[matched[video]]
        labels = match_labels({action.label for action in ground_truth.actions}, detector.classes)
        if sentence := describe_loose_labels(labels):
            logger.info("%s: %s", truth, sentence)
        ground_truth = rename_labels(ground_truth, labels)
        rows[GROUND_TRUTH], many = ground_truth, max(1, len(ground_truth.actions))
    detections = detector.detect(features, f"{source}: {video}")
    rows[DETECTIONS] = detections.best(many)
    drawn_layer = layers[layer - 1] if layer is not None else choose_layer(layers, rows)
    duration = rows[GROUND_TRUTH].duration if truth else detections.duration
    write_text(out, kernels_svg(duration, rows, drawn_layer, width=width))
    return out


def write_kernel_view(
    results: Path,
    out: Path,
    detector: Detector,
    source: Path,
    truth: Path | None = None,
    videos: Path | None = None,
    *,
    unit: str | None = None,
    truth_unit: str | None = None,
    fps: float | None = None,
) -> Path:
    """Write the report of a results file with the kernels of each video below its timelines, layer by layer."""
    require_gtan(detector)
    features = open_source(source, detector.source, detector.recipe.data)

    def find_layers(video: str) -> tuple[KernelLayer, ...]:
        return find_kernels(detector, _features_of(features, video, source), f"{source}: {video}")

    return view(results, out, truth, videos, unit=unit, truth_unit=truth_unit, fps=fps, find_kernels=find_layers)


def _features_of(videos: FeatureStreams | Videos, video: str, source: Path) -> VideoFeatures:
    """Return the features of a video. Raises BadInput, which says which videos there are, for another."""
    matched = match_names([video], videos)
    if video not in matched:
        names = sorted(videos)
        near = suggest_name(video, names)
        hint = f"; most like it is {near!r}" if near else ""
        raise BadInput(f"{source}: has no video {video!r}; it has {len(names)}, such as {', '.join(names[:3])}{hint}")
    return videos[matched[video]]


def _window_shares(windows: Sequence[Window]) -> list[tuple[float, float]]:
    """Divide time among windows, in seconds, without gap or overlap."""
    starts = [float(window.grid.seconds(0)) for window in windows]
    ends = [float(window.grid.seconds(window.valid_length)) for window in windows]
    middles = [(start + end) / 2 for start, end in zip(starts[1:], ends[:-1], strict=True)]
    return list(zip([-np.inf, *middles], [*middles, np.inf], strict=True))


@torch.inference_mode()
def _find_in_batch(network: GTAN, windows: list[Window]) -> Iterator[list[list[Kernel]]]:
    """Find the valid kernels of each window of a batch, layer by layer, in seconds."""
    batch, device = stack_windows(windows), network.standardize.mean.device
    x, mask = batch.x.to(device), batch.mask.to(device)
    maps, real, kernels = network.compute_feature_maps(x, mask)
    members = _count_members(network, real, kernels)
    outputs = network.predict_boxes(maps, real, kernels)
    best = torch.zeros(outputs.valid.shape, dtype=torch.float64)
    for row, (which, proposals) in enumerate(zip(outputs.valid.cpu(), network.decode(outputs), strict=True)):
        best[row, which] = proposals.scores.amax(-1).double().cpu()
    # The boxes of a kernel lie side by side, and those of a layer too.
    per_kernel = best.unflatten(1, (-1, len(network.config.ratios))).amax(-1)
    scores = per_kernel.split([layer.centre.shape[1] for layer in kernels], 1)
    for row, window in enumerate(windows):
        layers = []
        for layer, *counts in zip(kernels, members, scores, strict=True):
            # Centre and width are fractions of the window.
            centres = window.grid.seconds(layer.centre[row].double() * network.length)
            widths = layer.sigma[row].double() * network.length * window.grid.step
            columns = [values.cpu()[layer.valid[row].cpu()].tolist() for values in (centres, widths)]
            columns += [values[row].cpu()[layer.valid[row].cpu()].tolist() for values in counts]
            layers.append([Kernel(*values) for values in zip(*columns, strict=True)])
        yield layers


def _count_members(network: GTAN, real: list[Tensor], kernels: list[Kernels]) -> list[Int[Tensor, "batch kernels"]]:
    """Count the kernels that each was merged from, 1 for a cell's own, by merging again as the network does."""
    cells = [layer.shape[1] for layer in real]
    single = [torch.ones_like(layer, dtype=torch.long) for layer in real]
    if network.config.kernels != "grouped":
        return single
    sigma = torch.cat([layer.sigma[:, :number] for layer, number in zip(kernels, cells, strict=True)], 1)
    groups = group_kernels(sigma, cells, torch.stack([layer.sum(1) for layer in real], 1), network.config.group_tiou)
    # Kernels that stand alone are counted in a place of their own at the end, which is dropped.
    places = torch.where(groups.group >= 0, groups.group, groups.valid.shape[1])
    counts = torch.zeros(len(sigma), groups.valid.shape[1] + 1, dtype=torch.long, device=sigma.device)
    counts = counts.scatter_add(1, places, torch.ones_like(places))[:, :-1]
    merged = counts.split([number // 2 for number in cells], 1)
    return [torch.cat(pair, 1) for pair in zip(single, merged, strict=True)]
