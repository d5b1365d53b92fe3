"""Hours of video in which little happens: what a detector finds there, and what it makes of nothing.

    python benchmarks/long_video.py sfinge3d --hours 1 --share 0.02 --out benchmarks/results/long_video.txt
    python benchmarks/long_video.py vts --learn idle --set windows.background=0 --hours 10

Days are composed of the recordings in the folder UNTRIMMED_DATA, see `long_days.py`; no snippet of a test day is
learned from. `--learn short` trains on the short, dense recordings that people have, `days` on days composed of the
training recordings, `both` on both, `idle` on the short recordings and hours in which nothing happens. Validation
recordings are of the same kind as those learned from. Composed days are harder and easier than real ones: joints are
no part of any real video, and content that repeats repeats its false alarms. Seconds are those of the processor, one
thread; memory is the most that the process had, with Python and PyTorch in it.
"""

import argparse
import json
import os
import platform
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from long_days import SIDES, Day, Footage, compose_day, list_snippets, open_footage

from untrimmed.annotations.corpus import open_features
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.detection.calibration import ScoreMap
from untrimmed.detection.detector import Detector
from untrimmed.evaluation.false_alarms import RATES, RECALLS, measure_false_alarms
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.matches import match_detections
from untrimmed.evaluation.matching import MISS
from untrimmed.evaluation.operating_points import measure_calibration
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.recipe import override_recipe, read_recipe
from untrimmed.timeline import Timeline
from untrimmed.training.loop import train
from untrimmed.visualization.charts import ReliabilityLine, draw_reliabilities

RECIPE = Path(__file__).parent.parent / "recipes" / "vts_ctcn.toml"
OVERRIDES = {
    "vts": (),
    "sfinge3d": ("data.average=2", "data.columns=[]", "model.anchor_scale=2"),
    "ucf101": ("data.average=1", "data.columns=[]", "model.anchor_scale=2"),
}
"""What each set needs besides the recipe: snippets at 5, 10 and 4 a second, all channels."""
CLIP_MINUTES, CLIP_SHARE = 2.0, 0.4
"""UCF101 has no dense recordings: short ones are composed, of so much action."""
FLOOR = 0.05
"""What the limit on the number of detections leaves out is counted from this score on."""
UNLIMITED = ("suppress.keep=1000000", f"suppress.floor={FLOOR}", f"suppress.end_floor={FLOOR}")
KEPT = ("found", "detections")
BINS = 10
FAIR = 30
"""Bins of fewer detections say little."""


class Question(NamedTuple):
    """What is composed, learned and judged."""

    name: str
    data: str
    recipe: str
    overrides: tuple[str, ...]
    learn: str
    hours: float
    days: int
    train_hours: float
    share: float
    seed: int


class Cost(NamedTuple):
    """What a step took."""

    seconds: float
    """Of the processor."""
    gigabytes: float
    """At the most."""


def main() -> None:
    """Compose, train, detect, judge, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=list(OVERRIDES))
    parser.add_argument("--data", default=os.environ.get("UNTRIMMED_DATA", "."), help="the folder of data sets")
    parser.add_argument("--recipe", default=str(RECIPE))
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="over the recipe")
    parser.add_argument("--learn", choices=("short", "days", "both", "idle"), default="short")
    parser.add_argument("--hours", type=float, default=1.0, help="of each test day, 1 to 10")
    parser.add_argument("--days", type=int, default=1, help="of testing")
    parser.add_argument("--train-hours", type=float, default=2.0, help="of composed training")
    parser.add_argument("--share", type=float, default=0.02, help="of the day that is action, 0.005 to 0.05")
    parser.add_argument("--seed", type=int, default=0, help="of days and training")
    parser.add_argument("--out", type=Path, help="add table and JSON to this file")
    parser.add_argument("--picture", type=Path, help="draw scores against hits, before and after calibration")
    given = parser.parse_args()
    settings = (given.hours, given.days, given.train_hours, given.share, given.seed)
    question = Question(given.name, given.data, given.recipe, tuple(given.set), given.learn, *settings)
    figures = answer(question)
    text = describe(figures)
    print(text)
    if given.picture:
        draw_scores(figures, given.picture)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with given.out.open("a") as file:
            file.write(f"{text}\n{json.dumps(figures)}\n\n")


def answer(question: Question) -> dict[str, Any]:
    """Compose, train, detect and judge; training and detection in processes of their own, for their memory."""
    with tempfile.TemporaryDirectory() as folder:
        composed = compose(question, Path(folder))
        training = alone(learn, question, folder)
        detection, classes, timelines, raw, unlimited = alone(detect, question, folder)
    hours = sum(day.timeline.duration for day in composed.values()) / 3600
    truth = {name: day.timeline for name, day in composed.items()}
    annotated = from_timelines(truth).add_labels(classes)  # also those that never happen in a day
    return {
        "command": shlex.join(["python", "benchmarks/long_video.py", *sys.argv[1:]]),
        "processor": name_processor(),
        "question": question._replace(data="", recipe=Path(question.recipe).name)._asdict(),
        "hours": hours,
        "share": sum(a.length for t in truth.values() for a in t) / hours / 3600,
        "content_minutes": measure_content(composed),
        **judge(annotated, timelines),
        "raw": judge_scores(annotated, raw),
        "keep": judge_limit(annotated, raw, unlimited),
        "nothing": score_empty_minutes(truth, timelines),
        "training": training._asdict(),
        "detection_per_hour": {"seconds": detection.seconds / hours, "gigabytes": detection.gigabytes},
    }


def alone(work: Any, *arguments: Any) -> Any:
    """Run a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measure_content(composed: Mapping[str, Day]) -> float:
    """Measure how many minutes of different content a day has, on average: the rest of it repeats."""
    minutes = []
    for day in composed.values():
        snippets = list_snippets(piece for piece in day.stretches if piece.label is None)
        minutes.append(len(snippets) / len(day.values) * day.timeline.duration / 60)
    return float(np.mean(minutes))


def compose(question: Question, folder: Path) -> dict[str, Day]:
    """Write features and annotations of all that is learned from and judged; the test days."""
    footage = open_footage(question.name, Path(question.data))
    writer = FeatureWriter(folder / "features", FeatureSource(backbone=question.name, fps=footage.fps))
    timelines, subsets, test = {}, {}, {}
    for number, side in enumerate(SIDES):
        for name, day in compose_side(question, footage, side, np.random.default_rng([question.seed, number])):
            timelines[name], subsets[name] = day.timeline, side
            grid = Grid.from_frames(1, 1, footage.fps)
            writer.write(name, VideoFeatures(day.values, grid, day.timeline.duration, writer.source))
            if side == "test":
                test[name] = day
    write_activitynet(folder / "annotations.json", timelines, subsets)
    return test


def compose_side(
    question: Question, footage: Footage, side: str, random: np.random.Generator
) -> list[tuple[str, Day]]:
    """Compose the days of a side, and list its short recordings, as they are learned from."""
    if side == "test":
        numbers = range(question.days)
        return [(f"test_{n}", compose_day(footage, side, question.hours, question.share, random)) for n in numbers]
    videos = list_short(footage, side, random) if question.learn != "days" else []
    if question.learn != "short":
        hours = question.train_hours if side == "training" else min(1.0, question.train_hours)
        share = 0.0 if question.learn == "idle" and side == "training" else question.share
        videos.append((f"{side}_day", compose_day(footage, side, hours, share, random)))
    return videos


def list_short(footage: Footage, side: str, random: np.random.Generator) -> list[tuple[str, Day]]:
    """List whole recordings; where there are none, compose short, dense ones of all actions."""
    recordings = footage.sides[side].timelines
    if recordings:
        return [(name, Day(footage.features[name], timeline, ())) for name, timeline in recordings.items()]
    seconds = sum(piece.length for piece in footage.sides[side].actions) / footage.fps
    count = max(1, round(seconds / CLIP_SHARE / CLIP_MINUTES / 60))
    dense = [compose_day(footage, side, CLIP_MINUTES / 60, CLIP_SHARE, random) for _ in range(count)]
    return [(f"{side}_{number}", day) for number, day in enumerate(dense)]


def learn(question: Question, folder: str) -> Cost:
    """Train a detector on what was composed."""
    torch.set_num_threads(1)
    data = {"annotations": f"{folder}/annotations.json", "features": f"{folder}/features", "dataset": "activitynet"}
    words = [f"data.{key}={value}" for key, value in data.items()]
    words += ['data.train=["training"]', 'data.test=["validation"]', "data.source=none", "data.unusable=drop"]
    words += [f"train.seed={question.seed}", f"train.action_share={question.share}"]
    words += [*OVERRIDES[question.name], *question.overrides]
    started = time.process_time()
    train(read_recipe(question.recipe, words), Path(folder) / "run", device="cpu")
    return Cost(time.process_time() - started, peak_memory())


class Detected(NamedTuple):
    """What was detected in the test days, by classes of the detector."""

    cost: Cost
    classes: tuple[str, ...]
    timelines: dict[str, Timeline]
    raw: dict[str, Timeline]
    """The same with scores before calibration."""
    unlimited: dict[str, Timeline]
    """Without a limit on the number of detections, at no cost, before calibration."""


def detect(question: Question, folder: str) -> Detected:
    """Detect in the test days, and once more without a limit on the number of detections."""
    torch.set_num_threads(1)
    detector = Detector.load(Path(folder) / "run" / "detector.safetensors")
    names, started = [f"test_{n}" for n in range(question.days)], time.process_time()
    features = open_features(detector.recipe.data)
    timelines = {name: detector.detect(features[name], name) for name in names}
    cost = Cost(time.process_time() - started, peak_memory())
    free = replace(detector.drop_calibration(), recipe=override_recipe(detector.recipe, UNLIMITED))
    unlimited = {name: free.detect(features[name], name) for name in names}
    return Detected(cost, detector.classes, timelines, invert_scores(timelines, detector.calibration), unlimited)


def invert_scores(timelines: Mapping[str, Timeline], score_map: ScoreMap | None) -> dict[str, Timeline]:
    """Return timelines with the scores of before calibration."""
    if score_map is None:
        return dict(timelines)
    return {
        name: replace(timeline, actions=tuple(replace(a, score=score_map.invert(a.score)) for a in timeline))
        for name, timeline in timelines.items()
    }


def judge(truth: Instances, timelines: Mapping[str, Timeline]) -> dict[str, Any]:
    """Measure what was found, the false alarms, and how far scores are from the share of hits."""
    matches = match_detections(truth, from_timelines(timelines))
    return {
        "actions": len(matches.ground_truth),
        "found": int((matches.hit[0] != MISS).sum()),
        "detections": len(matches.score),
        "false_alarms": measure_false_alarms(matches, resamples=1000).to_json(),
        **judge_scores(truth, timelines),
    }


def judge_scores(truth: Instances, timelines: Mapping[str, Timeline]) -> dict[str, Any]:
    """Measure how far scores are from the share of hits."""
    matches = match_detections(truth, from_timelines(timelines))
    hit, score = matches.hit[0] != MISS, matches.score
    calibration = measure_calibration(score, hit, BINS) if len(score) else None
    worst = calibration.find_largest(FAIR) if calibration else None
    return {
        "reliability": calibration.to_json()["bins"] if calibration else [],
        "expected_error": calibration.expected_error if calibration else 0.0,
        "largest_gap": worst.gap if worst else None,
    }


def draw_scores(figures: dict[str, Any], path: Path) -> None:
    """Draw the share of hits over scores, before and after calibration, as an SVG file."""
    lines = []
    for name, part in (("before calibration", figures["raw"]), ("after", figures)):
        bins = part["reliability"]
        columns = [[b[key] or 0.0 for b in bins] for key in ("score", "precision")]
        lines.append(ReliabilityLine(name, *columns, [b["interval"] for b in bins], [b["count"] for b in bins]))
    edges = [figures["reliability"][0]["above"], *(part["upto"] for part in figures["reliability"])]
    path.write_text(draw_reliabilities("scores of unseen days", edges, lines).light)


def judge_limit(
    truth: Instances, timelines: Mapping[str, Timeline], unlimited: Mapping[str, Timeline]
) -> dict[str, Any]:
    """Measure what the limit on the number of detections left out, of those that score `FLOOR` or more."""
    above = ({name: timeline.above(FLOOR) for name, timeline in each.items()} for each in (timelines, unlimited))
    limited, free = (judge(truth, each) for each in above)
    figures = {f"{name}_{key}": each[key] for name, each in (("with", limited), ("without", free)) for key in KEPT}
    return {**figures, "said": sum(sum(timeline.cut.values()) for timeline in timelines.values())}


def score_empty_minutes(truth: Mapping[str, Timeline], timelines: Mapping[str, Timeline]) -> dict[str, Any]:
    """Find the best score in each minute without any action."""
    best = []
    for name, timeline in truth.items():
        last = int(timeline.duration // 60)
        busy = {n for a in timeline for n in range(int(a.start // 60), int(a.end // 60) + 1)}
        scores = dict.fromkeys(set(range(last)) - busy, 0.0)
        for action in timelines[name]:
            minute = int((action.start + action.end) // 120)
            if minute in scores:
                scores[minute] = max(scores[minute], action.score)
        best += scores.values()
    quantiles = np.quantile(best, (0.1, 0.5, 0.9)).tolist() if best else []
    shares = {f"above_{floor}": float(np.mean(np.array(best) >= floor)) if best else None for floor in (0.5, 0.9)}
    return {"minutes": len(best), "best_score_quantiles": quantiles, **shares}


def describe(figures: dict[str, Any]) -> str:
    """Write the figures as a table."""
    question, alarms, keep, nothing = (figures[key] for key in ("question", "false_alarms", "keep", "nothing"))
    cut = f"{keep['with_found']} of {keep['without_found']} found, {keep['with_detections']:,} of "
    rows = [
        ("found at tIoU .5", f"{figures['found']} of {figures['actions']}, of {figures['detections']:,} detections"),
        *[
            (f"false alarms per hour at recall {mark:g}", _mark(alarms, "false_per_hour_at_recall", mark))
            for mark in RECALLS
        ],
        *[
            (f"recall at {mark:g} false alarms per hour", _mark(alarms, "recall_at_false_per_hour", mark))
            for mark in RATES
        ],
        (
            "kept by suppress.keep",
            f"{cut}{keep['without_detections']:,} detections; said to be cut: {keep['said']:,}",
        ),
        ("best score of a minute without action", _list(nothing["best_score_quantiles"]) + " at 10, 50, 90 %"),
        ("minutes without action that have .5, .9", _list([nothing["above_0.5"], nothing["above_0.9"]])),
        ("score: share of hits (number)", ", ".join(map(_describe_bin, figures["reliability"]))),
        ("expected, largest calibration error", _list([figures["expected_error"], figures["largest_gap"]])),
        ("the same of raw scores", _list([figures["raw"]["expected_error"], figures["raw"]["largest_gap"]])),
        ("training", f"{figures['training']['seconds']:.0f} CPU s, {figures['training']['gigabytes']:.2f} GB"),
        ("detection of an hour", "{seconds:.1f} CPU s, {gigabytes:.2f} GB".format(**figures["detection_per_hour"])),
    ]
    head = (
        f"{question['name']}, learned from {question['learn']}, seed {question['seed']}: {figures['hours']:.2f} h, "
    )
    head += f"{100 * figures['share']:.2f} % action; {figures['content_minutes']:.1f} min of different content a day"
    lines = [f"  {name:<42}{value}" for name, value in rows]
    return "\n".join([figures["command"], figures["processor"], head, *lines])


def _mark(alarms: dict[str, Any], key: str, mark: float) -> str:
    ends = alarms["intervals"][key][f"{mark:g}"] if "intervals" in alarms else [None, None]
    return f"{_number(alarms[key][f'{mark:g}'])}  [{_number(ends[0])}, {_number(ends[1])}]"


def _describe_bin(part: dict[str, Any]) -> str:
    return f"{_number(part['score'])}: {_number(part['precision'])} ({part['count']})"


def _list(values: list[float | None]) -> str:
    return ", ".join(map(_number, values))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def peak_memory() -> float:
    """Return gigabytes that the process had at the most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def name_processor() -> str:
    """Return the processor's name as its vendor has it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "CPU")


if __name__ == "__main__":
    main()
