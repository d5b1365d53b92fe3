"""Ways to run one network for detection: processor seconds of each, beside the simpler ways that it must beat.

    python benchmarks/inference.py recipes/vts_ctcn.toml --channels 18 --classes 5 --threads 1

All ways run in turn, in one process, on the same windows of random features with random weights. A ratio is that of
two runs of the same turn, so that a busy machine slows both. Above 1 the way of the row is the faster one.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from untrimmed.detection.detector import BATCH, Detector, parse_header
from untrimmed.detection.export import export_detector
from untrimmed.detection.runtime import OnnxModel
from untrimmed.features.video_features import FeatureSource
from untrimmed.models.base import Model
from untrimmed.models.device import compile_forward, to_device
from untrimmed.recipe import read_recipe

SIMPLER = {
    "plain": (),
    "fused": ("plain",),
    "time-major": ("fused", "plain"),
    "compiled": ("fused", "plain"),
    "bfloat16": ("plain",),
    "fused, bfloat16": ("fused", "bfloat16"),
    "compiled, bfloat16": ("fused, bfloat16", "compiled"),
    "onnx": ("fused", "plain"),
}
"""Each way, and the simpler ones that it is held against. What is compiled or exported is fused."""
Way = Callable[[Tensor, Tensor], Any]
Times = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Print the table of one recipe's network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--windows", type=int, default=BATCH, help="in a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without", nargs="*", default=[], choices=list(SIMPLER)[1:])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = to_device(read_recipe(options.recipe).model.build(options.channels, options.classes), "cpu").eval()
    x = torch.randn(options.windows, options.channels, model.length)
    mask = torch.ones(options.windows, model.length, dtype=torch.bool)
    print(f"{name_processor()}; torch {torch.__version__}, onnxruntime {onnxruntime.__version__}")
    print(
        f"{options.recipe.stem}: {options.windows} windows of {model.length}, {options.channels} channels, "
        f"{options.classes} classes, threads: {options.threads}, repeats: {options.repeats}"
    )
    with torch.inference_mode():
        ways = build_ways(model, options)
        report(*time_in_turn(ways, x, mask, options.repeats))


def build_ways(model: Model, options: argparse.Namespace) -> dict[str, Way]:
    """Build every way that this network can run."""
    fused, optimized = model.fuse_batch_norm(), model.optimize_for_inference()
    ways: dict[str, Way] = {"plain": model, "bfloat16": cast(model)}
    if any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        ways |= {"fused": fused, "fused, bfloat16": cast(fused)}
    if getattr(optimized, "time_major", None):
        ways["time-major"] = optimized
    compiled = compile_forward(fused, dynamic=True)
    ways |= {"compiled": compiled, "compiled, bfloat16": cast(compiled)}
    if "onnx" not in options.without:
        ways["onnx"] = load_in_onnxruntime(model, options)
    return {name: ways[name] for name in SIMPLER if name in ways and name not in options.without}


def cast(network: Way) -> Way:
    """Run a network under autocast to bfloat16."""

    def run(x: Tensor, mask: Tensor) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return network(x, mask)

    return run


@torch.inference_mode(False)
def load_in_onnxruntime(model: Model, options: argparse.Namespace) -> Way:
    """Export the network and load it in onnxruntime."""
    names = tuple(map(str, range(options.classes)))
    source = FeatureSource(backbone="random", fps=1.0)
    detector = Detector(model, read_recipe(options.recipe), options.channels, names, source)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    with tempfile.TemporaryDirectory() as folder:
        path = export_detector(detector, Path(folder) / "network.onnx")
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    header = parse_header(session.get_modelmeta().custom_metadata_map, path)
    return OnnxModel(session, header).eval()


def time_in_turn(ways: dict[str, Way], x: Tensor, mask: Tensor, repeats: int) -> tuple[Times, dict[str, float]]:
    """Measure processor and clock seconds of each way, and how far its class logits are from the plain network's.

    The first turn is not counted. The difference is relative to the largest logit.
    """
    times: Times = {name: [] for name in ways}
    logits: dict[str, Tensor] = {}
    for turn in range(repeats + 1):
        for name, run in ways.items():
            processor_time, clock = time.process_time(), time.perf_counter()
            outputs = run(x, mask)[0]
            logits.setdefault(name, outputs)
            if turn:
                times[name].append((time.process_time() - processor_time, time.perf_counter() - clock))
    plain = logits["plain"]
    return times, {name: float((value - plain).abs().max() / plain.abs().max()) for name, value in logits.items()}


def report(times: Times, differences: dict[str, float]) -> None:
    """Print a line for each way."""
    print(f"{'way':20}{'CPU s min':>10}{'median':>9}{'clock min':>10}{'off':>9}   CPU ratio min / median to")
    for name, runs in times.items():
        processor, clock = zip(*runs, strict=True)
        ratios = []
        for other in SIMPLER[name]:
            if other in times:
                values = [run[0] / seconds for run, seconds in zip(times[other], processor, strict=True)]
                ratios.append(f"{other} {min(values):.2f} / {median(values):.2f}")
        line = f"{name:20}{min(processor):10.3f}{median(processor):9.3f}{min(clock):10.3f}{differences[name]:9.1e}"
        print(f"{line}   {'; '.join(ratios)}", flush=True)


def name_processor() -> str:
    """Return the processor's name as its vendor has it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
