"""Features of a video: seconds a second of video, beside the frame-by-frame loop that people write first.

    python benchmarks/extraction.py match.mp4 --out benchmarks/results/extraction.json
    python benchmarks/extraction.py --minutes 20

The loop takes every frame through OpenCV, brings it to RGB and 224 x 224, and gives the network one frame at a time,
as the usual extraction scripts do; `at 5 fps` is the same loop on the frames that are wanted alone, which it still
has to decode one by one. Both have the same EfficientNet-Lite0 with fused batch norms; the network has one thread.
Each figure is one run over the whole video, in seconds of processors (which a busy machine changes little) and of the
clock; shares are of decoding, flow and network one after another.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from untrimmed.extraction.backbones import efficientnet_lite
from untrimmed.extraction.extractors import LiteExtractor
from untrimmed.extraction.settings import ExtractConfig, resolve_config
from untrimmed.extraction.video import extract_video
from untrimmed.io import write_json
from untrimmed.video.probe import probe_video
from untrimmed.video.writer import write_video

FPS = 5.0


def main() -> None:
    """Time each way and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="a video; without one, a film is rendered")
    parser.add_argument("--minutes", type=float, default=2, help="length of that film")
    parser.add_argument("--skip-loop", action="store_true", help="leave the slow loop out")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        video = args.video or rendered(Path(folder) / "film.mp4", args.minutes)
        info = probe_video(video)
        print(f"{info.duration:.0f} s, {info.width} x {info.height}, {info.fps:g} frames a second")
        network = efficientnet_lite.load_efficientnet_lite0()
        efficientnet_lite.embed_pictures(network, [np.zeros((224, 224, 3), np.uint8)] * 16)
        ways: dict[str, Callable[[], object]] = {
            "ours, RGB": lambda: extract_video(video, ExtractConfig(fps=FPS, flow=False)),
            "ours, RGB and DIS flow": lambda: extract_video(video, ExtractConfig(fps=FPS)),
        }
        if not args.skip_loop:
            ways["loop, every frame"] = lambda: loop(video, network, info.fps, info.fps)
            ways["loop, at 5 fps"] = lambda: loop(video, network, info.fps, FPS)
        seconds = {name: timed(way) for name, way in ways.items()}
        shares = parts(video)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    first = seconds["ours, RGB"]["processors"]
    for name, spent in seconds.items():
        used, clock = spent["processors"], spent["clock"]
        speed = f"{info.duration / used:.1f} x real time a core, {used / first:.2f} of ours, RGB"
        print(f"{name}: {used:.1f} s of processors ({speed}), {clock:.1f} s of the clock")
    total = sum(shares.values())
    print("without overlap: " + ", ".join(f"{name} {100 * value / total:.0f} %" for name, value in shares.items()))
    print(f"peak memory of it all: {peak:.2f} GB")
    if args.out:
        figures = {"duration": info.duration, "width": info.width, "height": info.height, "fps": info.fps}
        write_json(args.out, {**figures, "seconds": seconds, "parts": shares, "peak_gb": peak})


def timed(way: Callable[[], object]) -> dict[str, float]:
    """Measure seconds of processors, of all threads together, and of the clock."""
    used, clock = time.process_time(), time.perf_counter()
    way()
    return {"processors": time.process_time() - used, "clock": time.perf_counter() - clock}


def loop(video: Path, network: torch.nn.Module, rate: float, fps: float) -> np.ndarray:
    """Decode a frame, run the network on it, and go on to the next."""
    capture, features, count = cv2.VideoCapture(str(video)), [], 0
    while True:
        there, frame = capture.read()
        if not there:
            return np.concatenate(features)
        if int((count + 1) * fps / rate) > int(count * fps / rate):
            picture = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), (224, 224))
            batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
            with torch.no_grad():
                features.append(network((batch - 127) / 128).numpy())
        count += 1


def parts(video: Path) -> dict[str, float]:
    """Measure seconds of decoding, of flow and of the network, one after another."""
    spent = {"decoding": 0.0, "flow": 0.0, "network": 0.0}
    alone = LiteExtractor(resolve_config(ExtractConfig(fps=FPS, flow=False), [video]))
    moving = LiteExtractor(resolve_config(ExtractConfig(fps=FPS), [video]))
    batches = moving.read_batches(video)
    while True:
        start = time.process_time()
        batch = next(batches, None)
        spent["decoding"] += time.process_time() - start
        if batch is None:
            return spent
        start = time.process_time()
        list(alone.compute_features([batch.snippets]))
        middle = time.process_time()
        spent["network"] += middle - start
        for moment in batch.snippets:
            moving.describe_motion(moment)
        spent["flow"] += time.process_time() - middle


def rendered(path: Path, minutes: float) -> Path:
    """Render a film of drifting texture with a square that moves, 640 x 360 at 25 frames a second."""
    random = np.random.default_rng(0)
    ground = cv2.resize(random.integers(0, 255, (90, 200, 3), np.uint8), (1600, 720), interpolation=cv2.INTER_CUBIC)

    def pictures() -> Iterator[np.ndarray]:
        for number in range(round(minutes * 60 * 25)):
            left = int(400 * (1 + np.sin(number / 90)))
            picture = np.ascontiguousarray(ground[200:560, left : left + 640])
            place = int(280 + 200 * np.sin(number / 11))
            picture[140:220, place : place + 80] = 230
            yield picture

    write_video(path, pictures(), 25)
    return path


if __name__ == "__main__":
    main()
