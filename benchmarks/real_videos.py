"""Real videos, from file to report: learn from the first parts of one, detect in the last.

    python benchmarks/real_videos.py DATA --out runs/real_videos

DATA is a folder of `asl_untrimmed.mp4` (sign language; Intel, CC BY 4.0), `one-by-one-person-detection.mp4` (visits
to a room; Intel, CC BY 4.0) and `vts_P016_balloon2_160x120_10fps.mp4` (a sutured balloon), with their annotations. A
video is cut where no action is; no detector learns from the last part. These are a handful of actions of one
recording, by the same people in the same place: they show that the path works and benchmark nothing else.
"""

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.detection.results import write_detections
from untrimmed.detection.view import view
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.protocols import THUMOS14
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.videos import extract
from untrimmed.io import write_json
from untrimmed.recipe import build_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.training.loop import train
from untrimmed.video.sampling import sample_frames
from untrimmed.video.writer import write_video


class Case(NamedTuple):
    """A video, its annotations, where it is cut, and how densely it is sampled."""

    name: str
    video: str
    truth: str
    borders: tuple[float, ...]
    """Seconds; the last part is for testing, those before it are for training."""
    pixels: int
    frames: float
    """A second, of the parts."""
    fps: float
    """Snippets a second."""
    label: str | None = None
    """One for all actions."""


CASES = (
    Case("signs", "asl_untrimmed.mp4", "asl_untrimmed.json", (0, 15.5, 28.7, 44.1), 240, 15, 10, "sign"),
    Case("visits", "one-by-one-person-detection.mp4", "one_by_one.json", (0, 47.4, 72.1, 139.4), 240, 10, 2),
    Case("suturing", "vts_P016_balloon2_160x120_10fps.mp4", "annotations.json", (0, 45.0, 86.0, 130.3), 120, 10, 5),
)


def main() -> None:
    """Run every case and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the videos")
    parser.add_argument("--only", help="one case: " + ", ".join(case.name for case in CASES))
    parser.add_argument("--out", type=Path, default=Path("runs/real_videos"), help="folder for all that is made")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    figures = {}
    for case in [case for case in CASES if args.only in (None, case.name)]:
        started = time.perf_counter()
        figures[case.name] = run_case(case, args.data, args.out / case.name, args.seed)
        seconds = time.perf_counter() - started
        shown = ", ".join(
            f"{100 * value:.1f} at {float(tiou):.1f}" for tiou, value in figures[case.name]["map"].items()
        )
        print(f"{case.name}: mAP {shown}; {figures[case.name]['actions']} actions, {seconds:.0f} s", flush=True)
    write_json(args.out / "scores.json", figures)


def run_case(case: Case, data: Path, out: Path, seed: int) -> dict:
    """Train on the first parts and score the detections in the last one."""
    timelines = cut(case, data, out / "videos")
    *known, unseen = timelines
    subsets = {**dict.fromkeys(known, "training"), unseen: "validation"}
    write_activitynet(out / "annotations.json", timelines, subsets)
    extract([out / "videos" / f"{name}.mp4" for name in timelines], out / "features", ExtractConfig(fps=case.fps))
    recipe = build_recipe(
        {
            "data": {"annotations": str(out / "annotations.json"), "features": str(out / "features")},
            "windows": {"mode": "slide"},
            "augment": {"random_move": False},
            "model": {
                "length": 128, "levels": 6, "concepts": 16, "depth": 15, "width": 0.125, "top_down": False,
            },
            "train": {
                "steps": 150, "batch": 8, "optimizer": "adamw", "rate": 2e-3, "decay": 0.05,
                "schedule": "cosine", "clip": 1.0, "average": 0.95, "seed": seed,
            },
            "suppress": {"sigma": 0.3, "keep": 100},
        },
        case.name,
    )  # fmt: skip
    detector = train(recipe, out / "run").detector
    detections = {unseen: detector(out / "videos" / f"{unseen}.mp4")}
    write_detections(detections, out / "found.json")
    view(out / "found.json", out / "report.html", out / "annotations.json", out / "videos")
    ground_truth = {unseen: timelines[unseen]}
    scores = compute_detection_scores(from_timelines(ground_truth), from_timelines(detections), THUMOS14)
    return {"map": dict(zip(map(str, scores.tious), scores.map, strict=True)), "actions": len(timelines[unseen])}


def cut(case: Case, data: Path, folder: Path) -> dict[str, Timeline]:
    """Write the parts as videos of their own, and return the timeline of each."""
    content = json.loads((data / case.truth).read_text())
    rows = next((content[name] for name in content if name in case.video), content)["annotations"]
    frames = list(sample_frames(data / case.video, case.frames, case.pixels))
    height, width, _ = frames[0].image.shape
    timelines = {}
    for place, (start, end) in enumerate(zip(case.borders, case.borders[1:], strict=False)):
        inside = [row for row in rows if start <= row["segment"][0] and row["segment"][1] <= end + 0.1]
        actions = [
            Action(row["segment"][0] - start, min(row["segment"][1], end) - start, case.label or row["label"])
            for row in inside
        ]
        timelines[f"part{place}"] = Timeline(end - start, tuple(actions))
        # H.264 wants even sides.
        pictures = [frame.image[: height // 2 * 2, : width // 2 * 2] for frame in frames if start <= frame.time < end]
        write_video(folder / f"part{place}.mp4", pictures, case.frames)
    return timelines


if __name__ == "__main__":
    main()
