"""CPU seconds of suppression over 200 videos, beside a plain NumPy soft-NMS on some of them, and over ten hours."""

import resource
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from untrimmed.models.suppression import SuppressConfig, suppress
from untrimmed.timeline import tiou

VIDEOS, CANDIDATES, CLASSES = 200, 2000, 20
PLAIN_VIDEOS = 4
CONFIG = SuppressConfig(method="gaussian", sigma=0.5, floor=0.001, end_floor=0.001, keep=200, keep_per_class=False)
HOURS, HOURLY, HOURLY_CLASSES = 10, 50_000, 5

Video = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Measure both sizes that detectors make: one class a candidate, and every class of every candidate."""
    random = np.random.default_rng(0)
    started = time.process_time()
    suppress(*dense(random), CONFIG)
    print(f"compiling or loading the kernel: {time.process_time() - started:.2f} CPU-s")
    for name, make in (("one class a candidate", sparse), ("all classes", dense)):
        videos = [make(random) for _ in range(VIDEOS)]
        pairs = np.mean([(scores >= CONFIG.floor).sum() for _, scores in videos])
        seconds = cpu_seconds(lambda video: suppress(*video, CONFIG).scores, videos)
        plain = cpu_seconds(plain_soft_nms, videos[:PLAIN_VIDEOS]) * VIDEOS / PLAIN_VIDEOS
        print(
            f"{name}: {pairs:.0f} pairs a video, {VIDEOS} videos in {seconds:.3f} CPU-s; plain NumPy "
            f"{plain:.1f} CPU-s (from {PLAIN_VIDEOS} videos), {plain / seconds:.0f} times as long"
        )
        apart = replace(CONFIG, keep_per_class=True)
        seconds = cpu_seconds(lambda video: suppress(*video, apart).scores, videos)  # noqa: B023
        print(f"  with a limit for each class: {seconds:.3f} CPU-s")
        for video in videos[:PLAIN_VIDEOS]:
            np.testing.assert_allclose(suppress(*video, CONFIG).scores, plain_soft_nms(video), rtol=1e-12)
    segments, scores = hours(random)
    started = time.process_time()
    result = suppress(segments, scores, SuppressConfig(), seconds=3600 * HOURS)
    print(
        f"{HOURS} hours, {len(segments):,} candidates, {HOURLY_CLASSES} classes, the default limits: "
        f"{time.process_time() - started:.2f} CPU-s, {len(result.scores):,} detections, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at the most"
    )


def hours(random: np.random.Generator) -> Video:
    """Make candidates of hours of video, of a few seconds to a minute, with a score for every class."""
    starts = random.uniform(0, 3600 * HOURS, HOURLY * HOURS)
    lengths = np.minimum(60, random.lognormal(1.5, 0.8, len(starts)))
    return np.stack([starts, starts + lengths], 1), random.beta(0.25, 5, (len(starts), HOURLY_CLASSES))


def sparse(random: np.random.Generator) -> Video:
    """Make 2,000 candidates of one class each, in bundles around 40 places, most with low scores."""
    middles = random.choice(random.uniform(0, 300, 40), CANDIDATES) + random.normal(0, 3, CANDIDATES)
    lengths = random.lognormal(1.5, 0.8, CANDIDATES)
    scores = np.zeros((CANDIDATES, CLASSES))
    scores[np.arange(CANDIDATES), random.integers(0, CLASSES, CANDIDATES)] = random.beta(0.6, 6, CANDIDATES) + 0.001
    return np.stack([middles - lengths / 2, middles + lengths / 2], 1), np.minimum(scores, 1)


def dense(random: np.random.Generator) -> Video:
    """Make the same candidates with a score for every class, about four in five above the floor."""
    segments, _ = sparse(random)
    return segments, random.beta(0.25, 5, (CANDIDATES, CLASSES))


def plain_soft_nms(video: Video) -> np.ndarray:
    """Compute the best scores after Gaussian soft-NMS, one class after another, each to its end."""
    segments, scores = video
    kept = [_one_class(segments, scores[:, label]) for label in range(CLASSES)]
    return np.sort(np.concatenate(kept))[::-1][: CONFIG.keep]


def _one_class(segments: np.ndarray, scores: np.ndarray) -> np.ndarray:
    above = scores >= CONFIG.floor
    segments, scores, kept = segments[above], scores[above], []
    while len(scores):
        best = scores.argmax()
        kept.append(scores[best])
        decay = np.exp(-(tiou(segments[best : best + 1], segments)[0] ** 2) / CONFIG.sigma)
        scores = scores * decay
        scores[best] = 0
        left = scores >= CONFIG.end_floor
        segments, scores = segments[left], scores[left]
    return np.array(kept)


def cpu_seconds(work: Callable[[Video], np.ndarray], videos: list[Video]) -> float:
    """Measure the processor time of this process over all videos."""
    started = time.process_time()
    for video in videos:
        work(video)
    return time.process_time() - started


if __name__ == "__main__":
    main()
