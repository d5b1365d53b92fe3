"""The full 60-layer C-TCN: seconds of detection and of training, beside the same network written plainly.

    python benchmarks/ctcn.py --compile --out benchmarks/results/ctcn.json

The plain network is eager float32 in the usual layout: batch norm by itself, a head called on one level after
another, nothing fused. Both run in turn, in one process, on the same input, and must give the same outputs.
On a CPU a batch is one window and two threads compute; on a GPU a batch is 16 windows, in float32 and bfloat16.
Each figure is the best of several runs. A CPU that others use too gives ratios that mean little.
"""

import argparse
import copy
import platform
import resource
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from untrimmed.detection.describe import describe_recipe
from untrimmed.io import write_json
from untrimmed.models.base import Targets
from untrimmed.models.ctcn import CTCN, CTCNConfig, CTCNOutputs, flatten_anchors
from untrimmed.models.device import compile_forward, to_device
from untrimmed.models.pyramid import ConceptHead, upsample
from untrimmed.recipe import Recipe

CHANNELS, CLASSES, CONCEPTS = 256, 20, 256


class Plain(nn.Module):
    """The network as one would first write it, with the weights of a model."""

    def __init__(self, model: CTCN) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, mask: Tensor) -> CTCNOutputs:
        """Compute the outputs that the model's own forward has."""
        m = self.model
        concepts = m.concepts(m.standardize(x, mask)) * mask[:, None]
        maps = self.pyramid(self.backbone(concepts[:, None]))
        logits = torch.cat([flatten_anchors(self.head(m.class_head, level), m.classes + 1) for level in maps], 1)
        offsets = torch.cat([flatten_anchors(self.head(m.box_head, level), 2) for level in maps], 1)
        real = m.anchors[None, :, 0] < mask.sum(1, keepdim=True)
        return CTCNOutputs(logits, 2 * m.config.bound * offsets.sigmoid() - m.config.bound, real)

    def backbone(self, x: Tensor) -> list[Tensor]:
        """Compute the maps C2 to C5."""
        for convolution, norm, _ in self.model.backbone.stem:
            x = F.relu(norm(convolution(x)))
        maps = []
        for stage in self.model.backbone.stages:
            for block in stage:
                y = x
                for convolution, norm, *_ in block.residual[:2]:
                    y = F.relu(norm(convolution(y)))
                convolution, norm = block.residual[2]
                x = F.relu(norm(convolution(y)) + block.shortcut(x))
            maps.append(x)
        return maps

    def pyramid(self, maps: list[Tensor]) -> list[Tensor]:
        """Compute the maps P2 to P9."""
        pyramid = self.model.pyramid
        merged = [pyramid.laterals[3](maps[3])]
        for level in (2, 1, 0):
            lateral = pyramid.laterals[level](maps[level])
            merged.insert(0, lateral + upsample(merged[0], lateral))
        out = [smoothing(x) for smoothing, x in zip(pyramid.smoothings, merged[:3], strict=True)] + merged[3:]
        x = maps[3]
        for level, convolution in enumerate(pyramid.coarser):
            x = convolution(F.relu(x) if level else x)
            out.append(x)
        return out

    def head(self, head: ConceptHead, x: Tensor) -> Tensor:
        """Compute the outputs of one level."""
        return head.predict(head.hidden(head.dropout(x)).flatten(1, 2))


class Timed(NamedTuple):
    """The best of several runs, and how much memory they had at most."""

    seconds: float
    gigabytes: float


class Row(NamedTuple):
    """One line of the result: what ran how fast, beside the plain network and beside the product of matrices."""

    what: str
    network: str
    seconds: float
    times_plain: float
    of_peak: float
    gigabytes: float


class Work(NamedTuple):
    """A model to measure, its input, its multiply-adds and how fast the device multiplies."""

    model: CTCN
    x: Tensor
    mask: Tensor
    macs: float
    peak: float


def main() -> None:
    """Measure detection and training on this machine's device, and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, help="windows at once [default: 16 on a GPU, 1 on a CPU]")
    parser.add_argument("--concepts", type=int, default=CONCEPTS, help="fewer make a quicker, rougher comparison")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("detect", "train"))
    parser.add_argument(
        "--compile", action="store_true", help="compiled networks too; minutes before the first figure"
    )
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file too")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    batch = given.batch or (16 if given.device.startswith("cuda") else 1)
    torch.manual_seed(0)
    model = CTCNConfig(concepts=given.concepts).build(CHANNELS, CLASSES).to(given.device)
    x = torch.randn(batch, CHANNELS, model.length, device=given.device)
    mask = torch.ones(batch, model.length, dtype=torch.bool, device=given.device)
    macs = batch * describe_recipe(Recipe(model=model.config), CHANNELS, CLASSES)["macs"]
    work = Work(model, x, mask, macs, matrix_peak(given.device))
    print(f"{given.device}, batch {batch}, {macs / 1e9:.0f} GMac a forward")
    print(f"matrices multiply at {work.peak / 1e9:.0f} GMac/s")
    rows = [] if given.only == "train" else detection(work, given.repeats, given.compile)
    rows += [] if given.only == "detect" else training(work, given.repeats, given.compile)
    if given.out:
        settings = {"batch": batch, "concepts": given.concepts, "threads": given.threads, "repeats": given.repeats}
        machine = {"device": device_name(x.device), "torch": torch.__version__, "peak_gmacs": work.peak / 1e9}
        write_json(given.out, {**machine, **settings, "rows": [row._asdict() for row in rows]})


def detection(work: Work, repeats: int, compiled: bool) -> list[Row]:
    """Measure the forward alone."""
    model, x, mask = work.model.eval(), work.x, work.mask
    plain, started = Plain(model), time.perf_counter()
    with torch.inference_mode():
        expected = plain(x, mask)
    ours = to_device(model.optimize_for_inference(), str(x.device))
    fusing = time.perf_counter() - started
    networks: dict[str, Callable[..., CTCNOutputs]] = {"plain": plain, "ours": ours}
    if compiled:
        networks["ours, compiled"] = compile_forward(to_device(model.fuse_batch_norm(), str(x.device)), dynamic=True)
    with torch.inference_mode():
        for network in networks.values():
            for mine, theirs in zip(network(x, mask), expected, strict=True):
                torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
        runs = {name: partial(network, x, mask) for name, network in networks.items()}
        rows = report("detect", in_turn(runs, x.device, repeats), work.macs, work.peak)
    print(f"(fusing, once, and the first plain forward: {fusing:.1f} s)")
    return rows


def training(work: Work, repeats: int, compiled: bool) -> list[Row]:
    """Measure forward, loss and gradients: the multiplications of three forwards.

    The networks have copies of the weights in their own layouts, so that all can run in turn.
    """
    x, mask, model = work.x, work.mask, work.model.train()
    targets = [Targets(torch.tensor([[20.0, 60.0], [200.0, 420.0]]), torch.tensor([3, 7]))] * len(x)
    mine = to_device(copy.deepcopy(model), str(x.device))
    plain = Plain(model.to(memory_format=torch.contiguous_format))

    def step(network: Callable[..., CTCNOutputs], model: CTCN, half: bool = False) -> Callable[[], None]:
        def run() -> None:
            model.zero_grad()
            with torch.autocast(x.device.type, torch.bfloat16) if half else nullcontext():
                outputs = network(x, mask)
            torch.stack(list(model.loss(outputs, targets).values())).sum().backward()

        return run

    runs = {"plain": step(plain, model), "ours": step(mine, mine)}
    if compiled:
        runs["ours, compiled"] = step(compile_forward(mine, dynamic=False), mine)
    if x.is_cuda:
        runs["ours, bfloat16"] = step(mine, mine, half=True)
    return report("train", in_turn(runs, x.device, repeats), 3 * work.macs, work.peak)


def in_turn(runs: dict[str, Callable[[], object]], device: torch.device, repeats: int) -> dict[str, Timed]:
    """Time all runs in turn, after one each to warm up, so that a busy moment of the machine slows them alike."""
    best = {}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
            started = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - started
            if turn:
                seconds = min(seconds, best[name].seconds) if name in best else seconds
                best[name] = Timed(seconds, peak_memory(device))
    return best


def report(what: str, timed: dict[str, Timed], macs: float, peak: float) -> list[Row]:
    """Print a line for each, the plain network first."""
    plain = timed["plain"].seconds
    rows = [
        Row(what, name, seconds, plain / seconds, macs / seconds / peak, gigabytes)
        for name, (seconds, gigabytes) in timed.items()
    ]
    for row in rows:
        speed = f"{row.seconds:.2f} s, {row.times_plain:.2f} x, {row.of_peak:.0%} of the peak"
        print(f"{what}, {row.network}: {speed}, {row.gigabytes:.1f} GB")
    return rows


def device_name(device: torch.device) -> str:
    """Return the processor's name as its vendor has it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "CPU")
    return platform.processor() or "CPU"


def peak_memory(device: torch.device) -> float:
    """Return gigabytes in use at the peak: on a GPU of the last run, on a CPU of the process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def matrix_peak(device: str, size: int = 2048) -> float:
    """Measure the multiply-adds a second of a square product in float32."""
    a, b = torch.randn(2, size, size, device=device)
    timed = in_turn({"": lambda: a @ b}, a.device, repeats=5)
    return size**3 / timed[""].seconds


if __name__ == "__main__":
    main()
