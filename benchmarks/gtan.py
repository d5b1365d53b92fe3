"""The full GTAN: seconds of detection and of a training step, beside the same network with its kernels in loops.

    python benchmarks/gtan.py --out gtan.json

The plain network has the same convolutions, heads and weights. It groups and pools one kernel after another, as
Algorithm 1 and Eq. 4 are printed, and matches one box at a time. Both run in turn, in one process, on the same input,
and must give the same outputs, losses and gradients. Widths are perturbed, so that kernels do merge. On a GPU a batch
is 16 windows of 512 snippets and 2,048 channels, and seconds are those of the clock; on a CPU it is one window of 512
channels, a network a quarter as wide, one thread, and seconds are those of the processor, which other programs on the
machine take no part of.
"""

import argparse
import math
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from untrimmed.io import write_json
from untrimmed.models.base import Targets, mask_padding
from untrimmed.models.device import to_device
from untrimmed.models.gaussian_kernels import (
    Kernels,
    compute_cell_centres,
    compute_default_boxes,
    group_kernels,
    merge_sigmas,
)
from untrimmed.models.gtan import BACKGROUND, GTAN, GTANConfig, GTANOutputs
from untrimmed.models.matching import masked_mean, select_negatives

CLASSES = 20


class Plain(nn.Module):
    """The network as one would first write it, with the weights of a model."""

    def __init__(self, model: GTAN) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, mask: Tensor) -> GTANOutputs:
        """Compute the outputs that the model's own forward has; unused places hold arbitrary values."""
        model, layers = self.model, []
        ends = mask.sum(1, keepdim=True) / model.length
        x = mask_padding(model.conv1(model.standardize(x, mask)), mask)
        x = model.pool1(mask_padding(model.conv2(x), mask))
        for layer, branch, head in zip(model.layers, model.sigmas, model.heads, strict=True):
            x = layer(x)
            cells = x.shape[2]
            real = compute_cell_centres(cells, x.device) < ends
            x = mask_padding(x, real)
            kernels = grouped(model._compute_sigmas(branch(x)[:, 0]), real, model.config.group_tiou)
            usable = kernels.valid.repeat_interleave(len(model.ratios), 1)
            layers.append((*head(pooled(x, real, kernels)), compute_default_boxes(kernels, model.ratios), usable))
        logits, offsets, overlaps, boxes, usable = (torch.cat(parts, 1) for parts in zip(*layers, strict=True))
        return GTANOutputs(logits, offsets, overlaps.squeeze(-1).sigmoid(), boxes, usable)

    def loss(self, outputs: GTANOutputs, targets: list[Targets]) -> dict[str, Tensor]:
        """Compute the model's own loss, by default settings: each box compared with each action in turn."""
        model, goals, labels, best = self.model, [], [], []
        for boxes, usable, target in zip(outputs.boxes.tolist(), outputs.valid.tolist(), targets, strict=True):
            actions = [[value / model.length for value in segment] for segment in target.segments.tolist()]
            closest = [
                find_closest(box, actions) if real else (0, 0.0) for box, real in zip(boxes, usable, strict=True)
            ]
            goals += [[(actions[k][0] + actions[k][1]) / 2, actions[k][1] - actions[k][0]] for k, _ in closest]
            labels += [
                int(target.labels[k]) + 1 if overlap > model.config.foreground else 0 for k, overlap in closest
            ]
            best += [overlap for _, overlap in closest]
        shape, device = outputs.valid.shape, outputs.valid.device
        goal = torch.tensor(goals, device=device).view(*shape, 2)
        label, overlap = (torch.tensor(values, device=device).view(shape) for values in (labels, best))
        entropy = F.cross_entropy(outputs.logits.transpose(1, 2), label, reduction="none")
        foreground = label > 0
        background = outputs.valid & (overlap < BACKGROUND)
        chosen = foreground | select_negatives(entropy, background, foreground.sum(), "hardest")
        width = outputs.boxes.detach()[..., 1:]
        errors = F.smooth_l1_loss(model._refine_boxes(outputs) / width, goal / width, reduction="none").sum(-1)
        missed = (outputs.overlaps - overlap) ** 2
        return {
            "class": masked_mean(entropy, chosen),
            "location": model.config.location_weight * masked_mean(errors, foreground),
            "overlap": model.config.overlap_weight * masked_mean(missed, overlap > 0),
        }


def find_closest(box: list[float], actions: list[list[float]]) -> tuple[int, float]:
    """Find the action that a box (centre, width) overlaps most, and their tIoU."""
    best, place = 0.0, 0
    start, end = box[0] - box[1] / 2, box[0] + box[1] / 2
    for k, action in enumerate(actions):
        shared = max(0.0, min(end, action[1]) - max(start, action[0]))
        overlap = shared / (end - start + action[1] - action[0] - shared)
        if overlap > best:
            best, place = overlap, k
    return place, best


def grouped(sigma: Tensor, real: Tensor, tiou: float) -> Kernels:
    """Return a layer's kernels and, after them, those that Algorithm 1 merges, one window after another."""
    rows, cells = sigma.shape
    centre = compute_cell_centres(cells, sigma.device)
    centres, widths, usable = [], [], []
    for row in range(rows):
        found = merged(sigma[row], int(real[row].sum()), tiou)
        spare = cells // 2 - len(found)
        centres.append(torch.cat([centre, sigma.new_tensor([middle for middle, _ in found] + [0.0] * spare)]))
        widths.append(torch.cat([sigma[row], *(half[None] for _, half in found), sigma.new_ones(spare)]))
        usable.append(torch.cat([real[row], torch.arange(cells // 2, device=sigma.device) < len(found)]))
    return Kernels(torch.stack(centres), torch.stack(widths), torch.stack(usable))


def merged(sigma: Tensor, real: int, tiou: float) -> list[tuple[float, Tensor]]:
    """Return the centres and widths of kernels that two or more of one map merge into."""
    cells, values, p, found = len(sigma), sigma.tolist(), 0, []
    while p < real:
        centre, half, width, z = (p + 0.5) / cells, values[p], sigma[p], p + 1
        while z < real:
            other = (z + 0.5) / cells
            start, end = min(centre - half, other - values[z]), max(centre + half, other + values[z])
            shared = min(centre + half, other + values[z]) - max(centre - half, other - values[z])
            if shared / (end - start) <= tiou:
                break
            right = centre + width if centre + half >= other + values[z] else other + sigma[z]
            left = centre - width if centre - half <= other - values[z] else other - sigma[z]
            centre, half, width, z = (centre + other) / 2, (end - start) / 2, (right - left) / 2, z + 1
        if z > p + 1:
            found.append((centre, width))
        p = z
    return found


def pooled(features: Tensor, real: Tensor, kernels: Kernels) -> Tensor:
    """Compute every kernel's mean of the cells, one kernel of one window after another."""
    place, windows = compute_cell_centres(features.shape[2], features.device), []
    for row in range(len(features)):
        columns = []
        for centre, sigma, usable in zip(
            kernels.centre[row], kernels.sigma[row], kernels.valid[row].tolist(), strict=True
        ):
            if not usable:
                columns.append(features.new_zeros(features.shape[1]))
                continue
            weights = torch.exp(-((place - centre) ** 2) / (2 * sigma**2)) * real[row]
            columns.append((features[row] * (weights / weights.sum())).sum(1))
        windows.append(torch.stack(columns, 1))
    return torch.stack(windows)


def main() -> None:
    """Measure detection and training on this machine's device; print them, and write them with `--out`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cuda = torch.cuda.is_available()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument("--batch", type=int, default=16 if cuda else 1, help="windows at once")
    parser.add_argument("--channels", type=int, default=2048 if cuda else 512, help="of the features")
    parser.add_argument("--width", type=float, default=1.0 if cuda else 0.25, help="of the network; 1 is the paper's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file for the numbers")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    model = stirred(GTANConfig(width=given.width).build(given.channels, CLASSES)).to(given.device)
    x = torch.randn(given.batch, given.channels, model.length, device=given.device)
    mask = (
        torch.arange(model.length, device=given.device)
        < model.length - 8 * torch.arange(given.batch, device=given.device)[:, None]
    )
    where = torch.cuda.get_device_name() if given.device.startswith("cuda") else f"{platform.machine()} CPU"
    print(f"{where}, torch {torch.__version__}, batch {given.batch}, {given.channels} channels, width {given.width}")
    seconds = detection(model.eval(), x, mask, given.repeats) | training(model.train(), x, mask, given.repeats)
    for name, value in seconds.items():
        print(f"{name}: {value * 1000:.1f} ms")
    numbers = {
        "times_as_fast_in_detection": seconds["detect, plain"] / seconds["detect, ours"],
        "times_as_fast_in_training": seconds["train, plain"] / seconds["train, ours"],
        "share_of_grouping_in_training": seconds["grouping"] / seconds["train, ours"],
    }
    for name, value in numbers.items():
        print(f"{name.replace('_', ' ')}: {value:.3g}")
    if given.out:
        settings = {key: value for key, value in vars(given).items() if key != "out"}
        write_json(given.out, {"where": where, "torch": torch.__version__, **settings, "seconds": seconds, **numbers})


def stirred(model: GTAN) -> GTAN:
    """Make widths differ from cell to cell, around three and a half cells where a window has as many."""
    for branch, level in zip(model.sigmas, model.levels, strict=True):
        start, sigma = 0.5 / level.cells, min(0.6, 3.5 / level.cells)
        nn.init.normal_(branch.weight, std=0.1 / branch.in_channels**0.5)
        nn.init.constant_(branch.bias, math.log(sigma / (1 - sigma)) - math.log(start / (1 - start)))
    return model


def detection(model: GTAN, x: Tensor, mask: Tensor, repeats: int) -> dict[str, float]:
    """Measure forward and decoding."""
    plain, ours = Plain(model), to_device(model.fuse_batch_norm(), str(x.device))
    with torch.inference_mode():
        compare(ours(x, mask), plain(x, mask))
        runs = {
            "detect, plain": lambda: model.decode(plain(x, mask)),
            "detect, ours": lambda: ours.decode(ours(x, mask)),
        }
        return in_turn(runs, x.device, repeats)


def training(model: GTAN, x: Tensor, mask: Tensor, repeats: int) -> dict[str, float]:
    """Measure forward, loss and gradients; and grouping by itself, forward and backward."""
    with torch.no_grad():
        _, real, kernels = model.compute_feature_maps(x, mask)
        targets = [beside(model(x, mask), row, model.length) for row in range(len(x))]
    plain = Plain(model)

    def step(network: Any, half: bool = False) -> dict[str, Tensor]:
        model.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16) if half else nullcontext():
            outputs = network(x, mask)
        terms = network.loss(outputs, targets)
        torch.stack(list(terms.values())).sum().backward()
        return terms

    results = []
    for network in (plain, model):
        terms = step(network)
        results.append((terms, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(results[1], results[0], rtol=1e-3, atol=1e-3)

    cells = [level.cells for level in model.levels]
    counts = torch.stack([layer.sum(1) for layer in real], 1)
    sigma = torch.cat([layer.sigma[:, :number] for layer, number in zip(kernels, cells, strict=True)], 1)
    sigma.requires_grad_()

    def grouping() -> None:
        merge_sigmas(sigma, group_kernels(sigma, cells, counts, model.config.group_tiou)).sum().backward()

    count = sum(int(layer.valid[:, number:].sum()) for layer, number in zip(kernels, cells, strict=True))
    print(f"{count / len(x):.0f} merged kernels a window")
    runs = {"train, plain": lambda: step(plain), "train, ours": lambda: step(model), "grouping": grouping}
    if x.is_cuda:
        runs["train, ours, bfloat16"] = lambda: step(model, half=True)
    return in_turn(runs, x.device, repeats)


def beside(outputs: GTANOutputs, row: int, length: int) -> Targets:
    """Make actions close to six of a window's boxes, so that some boxes are positive."""
    boxes = outputs.boxes[row][outputs.valid[row]]
    centre, width = boxes[:: len(boxes) // 6][:6].unbind(-1)
    segments = torch.stack([centre - 0.48 * width, centre + 0.52 * width], -1) * length
    return Targets(segments.cpu(), torch.arange(6) % CLASSES)


def compare(ours: GTANOutputs, plain: GTANOutputs) -> None:
    """Raise AssertionError unless both have the same valid boxes, and those the same outputs."""
    assert torch.equal(ours.valid, plain.valid), "other kernels were merged"
    for name, mine, theirs in zip(GTANOutputs._fields[:4], ours, plain, strict=False):
        torch.testing.assert_close(
            mine[ours.valid], theirs[ours.valid], rtol=1e-3, atol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )


def in_turn(runs: Mapping[str, Callable[[], object]], device: torch.device, repeats: int) -> dict[str, float]:
    """Return the best seconds of each run, in turn after one to warm up, so that a busy moment slows them alike."""
    best = dict.fromkeys(runs, math.inf)
    for turn in range(repeats + 1):
        for name, run in runs.items():
            started = now(device)
            run()
            seconds = now(device) - started
            best[name] = min(best[name], seconds) if turn else math.inf
    return best


def now(device: torch.device) -> float:
    """Return clock seconds once a GPU has done all its work; on a CPU the seconds that this process has used."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
