"""CPU seconds of detection mAP at the size of the ActivityNet validation set, beside plain Python on a part of it.

Then of the whole command, files read, with its peak memory; and of the bootstrap and the diagnosis.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from untrimmed.evaluation.bootstrap import estimate_confidence
from untrimmed.evaluation.detection import compute_detection_scores
from untrimmed.evaluation.diagnosis import diagnose
from untrimmed.evaluation.instances import Instances
from untrimmed.evaluation.matches import match_detections
from untrimmed.evaluation.operating_points import find_operating_points
from untrimmed.evaluation.protocols import ACTIVITYNET

VIDEOS, CLASSES, DETECTIONS = 4926, 200, 100  # detections a video
PLAIN_CLASSES = 10

Segment = tuple[float, float]


def main() -> None:
    """Print the time of evaluation in memory, check it against plain Python, then time the rest."""
    random = np.random.default_rng(0)
    truth = made_truth(random)
    results = made_results(truth, random)
    started = time.process_time()
    compute_detection_scores(first(truth, 10), first(results, 10))
    print(f"compiling or loading the kernels: {time.process_time() - started:.2f} CPU-s")

    started = time.process_time()
    scores = compute_detection_scores(truth, results)
    seconds = time.process_time() - started
    started = time.process_time()
    plain = {label: plain_precisions(truth, results, label) for label in range(PLAIN_CLASSES)}
    whole = (time.process_time() - started) * CLASSES / PLAIN_CLASSES
    for label, precisions in plain.items():
        np.testing.assert_allclose(scores.per_class[truth.labels[label]], precisions, atol=1e-12)
    print(
        f"{VIDEOS} videos, {len(truth)} actions, {len(results)} detections, {CLASSES} classes, "
        f"{len(ACTIVITYNET.tious)} thresholds: {seconds:.3f} CPU-s, "
        f"average mAP {scores.average_map:.4f}; plain Python {whole:.1f} CPU-s (from {PLAIN_CLASSES} of {CLASSES} "
        f"classes), {whole / seconds:.0f} times as long"
    )
    for name, work in (
        ("1,000 bootstrap resamples", lambda: estimate_confidence(match_detections(truth, results))),
        ("diagnosis and operating points", lambda: (diagnose(truth, results), find_operating_points(truth, results))),
    ):
        started = time.process_time()
        work()
        print(f"{name}: {time.process_time() - started:.1f} CPU-s")
    whole_command(truth, results)


def whole_command(truth: Instances, results: Instances) -> None:
    """Print the time of `untrimmed evaluate` on the same data as files, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "truth.json"), Path(folder, "results.json")
        paths[0].write_text(json.dumps({"database": {v: {"annotations": a} for v, a in listed(truth).items()}}))
        paths[1].write_text(json.dumps({"results": listed(results)}))
        size = paths[1].stat().st_size / 1e6
        process = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "untrimmed.cli", "evaluate", *map(str, paths)],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        _, status, used = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("the command failed")
    print(
        f"the whole command, {size:.0f} MB of JSON read: {used.ru_utime + used.ru_stime:.2f} CPU-s, "
        f"peak {used.ru_maxrss / 1e6:.2f} GB"
    )


def listed(instances: Instances) -> dict[str, list[dict]]:
    """Return the rows as ActivityNet's files list them."""
    videos: dict[str, list[dict]] = {name: [] for name in instances.videos}
    columns = (instances.video, instances.label, instances.start, instances.end, instances.score)
    for video, label, start, end, score in zip(*(column.tolist() for column in columns), strict=True):
        entry = {"label": instances.labels[label], "segment": [start, end], "score": score}
        videos[instances.videos[video]].append(entry)
    return videos


def made_truth(random: np.random.Generator) -> Instances:
    """Make about 1.5 actions a video, all of one class."""
    video = np.sort(np.concatenate([np.arange(VIDEOS), random.integers(0, VIDEOS, VIDEOS // 2)]))
    start = random.uniform(0, 100, len(video))
    return made(video, random.integers(0, CLASSES, VIDEOS)[video], start, start + random.lognormal(3, 1, len(video)))


def made_results(truth: Instances, random: np.random.Generator) -> Instances:
    """Make 100 detections a video: moved actions, one in five of them of another class."""
    row = np.searchsorted(truth.video, np.repeat(np.arange(VIDEOS), DETECTIONS)) + random.integers(
        0, 2, VIDEOS * DETECTIONS
    )
    row = np.minimum(row, len(truth) - 1)
    length = truth.end[row] - truth.start[row]
    start = truth.start[row] + length * random.normal(0, 0.3, len(row))
    end = np.maximum(truth.end[row] + length * random.normal(0, 0.3, len(row)), start)
    other = random.uniform(size=len(row)) < 0.2
    label = np.where(other, random.integers(0, CLASSES, len(row)), truth.label[row])
    return made(np.repeat(np.arange(VIDEOS), DETECTIONS), label, start, end, random.uniform(size=len(row)))


def made(video: np.ndarray, label: np.ndarray, start: np.ndarray, end: np.ndarray, score=None) -> Instances:
    """Build instances with generated names."""
    videos = tuple(f"v_{number:04d}" for number in range(VIDEOS))
    labels = tuple(f"class {number:03d}" for number in range(CLASSES))
    return Instances(videos, labels, video, label, start, end, np.ones(len(video)) if score is None else score)


def first(instances: Instances, count: int) -> Instances:
    """Return the first `count` rows."""
    columns = ("video", "label", "start", "end", "score")
    return Instances(instances.videos, instances.labels, *(getattr(instances, column)[:count] for column in columns))


def plain_precisions(truth: Instances, results: Instances, label: int) -> list[float]:
    """Compute AP of one class at each threshold, one detection after another."""
    free: dict[int, list[Segment]] = {}
    for row in np.flatnonzero(truth.label == label):
        free.setdefault(int(truth.video[row]), []).append((float(truth.start[row]), float(truth.end[row])))
    rows = sorted(np.flatnonzero(results.label == label), key=lambda row: -results.score[row])
    detections = [(int(results.video[r]), (float(results.start[r]), float(results.end[r]))) for r in rows]
    total = sum(len(segments) for segments in free.values())
    return [precision(detections, {v: list(s) for v, s in free.items()}, total, t) for t in ACTIVITYNET.tious]


def precision(
    detections: list[tuple[int, Segment]], free: dict[int, list[Segment]], total: int, tiou: float
) -> float:
    """Compute AP at one threshold; `free` is emptied."""
    hits = []
    for video, segment in detections:
        overlaps = [overlap(segment, other) for other in free.get(video, [])]
        hits.append(bool(overlaps) and max(overlaps) >= tiou)
        if hits[-1]:
            del free[video][overlaps.index(max(overlaps))]
    found = [sum(hits)]
    for hit in reversed(hits):
        found.append(found[-1] - hit)
    best, area = 0.0, 0.0
    for rank, hit in reversed(list(enumerate(hits, 1))):
        best = max(best, found[len(hits) - rank] / rank)
        area += best * hit / total
    return area


def overlap(a: Segment, b: Segment) -> float:
    """Compute temporal intersection over union."""
    shared = max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)
    return shared / ((a[1] - a[0]) + (b[1] - b[0]) - shared)


if __name__ == "__main__":
    main()
