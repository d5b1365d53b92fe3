"""Optical flow: pairs of frames a second of DIS, of our TV-L1, and of OpenCV contrib's where that is installed.

    python benchmarks/flow.py --video film.mp4 --out flow.json

Without a video the frames are soft blobs that move. The frames are 340x256, as two-stream networks had them. On a CPU
every method has one thread, and the figure is processor time, so that others who use the machine change little; on a
GPU it is wall time, of whole batches. TV-L1 stops when flow no longer changes, so what is in the frames decides its
speed: the same pairs go through every method. The figure is the best of several runs.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import torch
from torch import Tensor

from untrimmed.io import BadInput, missing, write_json
from untrimmed.video.flow import Search, compute_dis_flow
from untrimmed.video.tvl1 import compute_tvl1_flow

WIDTH, HEIGHT = 340, 256


class Row(NamedTuple):
    """One line of the result."""

    method: str
    device: str
    batch: int
    pairs_a_second: float


def main() -> None:
    """Measure every method and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, help="take neighbouring frames from all over this video")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64, help="pairs at once on a GPU")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file too")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    frames = of_video(given.video, given.pairs) if given.video else of_blobs(given.pairs)
    rows = on_cpu(frames, given.repeats)
    if torch.cuda.is_available():
        rows.append(on_gpu(frames, given.batch, given.repeats))
    for row in rows:
        print(f"{row.method:24} {row.device:24} batch {row.batch:3}  {row.pairs_a_second:8.2f} pairs a second")
    if given.out:
        machine = {"machine": platform.machine(), "torch": torch.__version__, "opencv": cv2.__version__}
        frames_from = str(given.video.name) if given.video else "blobs"
        settings = {"frames": frames_from, "pairs": given.pairs, "size": [WIDTH, HEIGHT], "repeats": given.repeats}
        write_json(given.out, {**machine, **settings, "rows": [row._asdict() for row in rows]})


def of_blobs(pairs: int) -> np.ndarray:
    """Render RGB frames, pairs x 2 x height x width x 3: each second one bends the first by up to 4 pixels."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    frames = []
    for _ in range(pairs):
        image = cv2.resize(random.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8), (WIDTH, HEIGHT))
        right, down = 3 * np.sin(2 * np.pi * y / HEIGHT) + 1, 2 * np.cos(2 * np.pi * x / WIDTH)
        frames.append([image, cv2.remap(image, x - right, y - down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)])
    return np.array(frames)


def of_video(path: Path, pairs: int) -> np.ndarray:
    """Read RGB frames, pairs x 2 x height x width x 3, evenly spread over a video."""
    if not path.is_file():
        raise missing(path, "video")
    with av.open(str(path)) as container:
        small = [
            cv2.resize(frame.to_ndarray(format="rgb24"), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            for frame in container.decode(video=0)
        ]
    if len(small) < 2 * pairs:
        raise BadInput(f"{path}: {len(small)} frames are too few for {pairs} pairs; ask for fewer")
    firsts = np.linspace(0, len(small) - 2, pairs).astype(int)
    return np.array([[small[i], small[i + 1]] for i in firsts])


def on_cpu(frames: np.ndarray, repeats: int) -> list[Row]:
    """Measure each method on one pair after another."""
    before, after = grey(frames)

    def dis(search: Search) -> None:
        for first, second in frames:
            compute_dis_flow(first, second, search)

    def ours() -> None:
        for i in range(len(frames)):
            compute_tvl1_flow(before[i : i + 1], after[i : i + 1])

    def opencv() -> None:
        for first, second in zip(before.numpy(), after.numpy(), strict=True):
            cv2.optflow.DualTVL1OpticalFlow_create().calc(first, second, None)

    methods = {"DIS fast": partial(dis, "dis-fast"), "DIS": partial(dis, "dis"), "TV-L1 (untrimmed)": ours}
    if hasattr(cv2, "optflow"):
        methods["TV-L1 (OpenCV contrib)"] = opencv
    rows = []
    for name, method in methods.items():
        seconds = best(method, time.process_time, repeats)
        rows.append(Row(name, "one CPU thread", 1, len(frames) / seconds))
    return rows


def on_gpu(frames: np.ndarray, batch: int, repeats: int) -> Row:
    """Measure our TV-L1 on one batch, in which the pairs repeat."""
    before, after = (images[torch.arange(batch) % len(frames)].cuda() for images in grey(frames))

    def run() -> None:
        compute_tvl1_flow(before, after)
        torch.cuda.synchronize()

    seconds = best(run, time.perf_counter, repeats)
    return Row("TV-L1 (untrimmed)", torch.cuda.get_device_name(), batch, batch / seconds)


def grey(frames: np.ndarray) -> list[Tensor]:
    """Return the first frames of all pairs, and the second ones, in grey."""
    images = [[cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in pair] for pair in frames]
    return list(torch.from_numpy(np.array(images)).unbind(1))


def best(run: Callable[[], object], clock: Callable[[], float], repeats: int) -> float:
    """Return the shortest time of several runs, after one to warm up."""
    run()
    spent = []
    for _ in range(repeats):
        started = clock()
        run()
        spent.append(clock() - started)
    return min(spent)


if __name__ == "__main__":
    main()
