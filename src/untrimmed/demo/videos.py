"""Plans and renders the demo's untrimmed videos, and writes annotations of exactly what happens in them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from untrimmed.demo.figure import ACTIONS, HABITS, Act, perform
from untrimmed.demo.paint import Picture
from untrimmed.demo.scene import Scene
from untrimmed.io import BadInput, Config, Progress, read_json, track, write_json
from untrimmed.timeline import Action, Timeline
from untrimmed.video.writer import write_video

CLASSES = tuple(sorted(ACTIONS))
ANNOTATIONS = "annotations.json"
SETTINGS = "settings.json"
EDITION = 1  # to be raised when the same settings give other videos

LENGTHS = (1.5, 6.0)  # seconds, of an action
COUNTS = (5, 8)  # actions in a video
IDLE = (0.35, 0.55)  # share of a video in which nothing annotated happens
GAP = 0.8  # seconds between two actions at least
PERIODS = {
    "box": (0.8, 1.3),
    "jumping jack": (0.9, 1.4),
    "kick": (1.1, 1.8),
    "squat": (1.4, 2.4),
    "wave": (0.6, 1.0),
}
"""Seconds that one cycle of an action takes."""

WORKERS = 2  # threads: drawing and encoding run outside of Python's lock for the most part


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Config):
    """What videos to render. Raises BadInput for values that make no videos."""

    videos: int = 24
    """How many; every third is for validation, the others for training."""
    seconds: tuple[float, float] = (32.0, 44.0)
    """The shortest and longest video."""
    fps: float = 15.0
    """Frames a second."""
    width: int = 320
    """Pixels across."""
    height: int = 240
    """Pixels down."""
    seed: int = 0
    """Video i is made from `(seed, i)` alone."""

    def __post_init__(self) -> None:
        shortest, longest = self.seconds
        size, sizes = f"{self.width}x{self.height}", "give even sizes, height >= 96, width >= height"
        even = self.width % 2 == 0 and self.height % 2 == 0
        checks = {
            f"videos={self.videos} leaves nothing to validate on; give at least 3": self.videos >= 3,
            f"seconds={self.seconds} is no range; give two of 10 or more": 10 <= shortest <= longest < np.inf,
            f"fps={self.fps} is too slow or fast for these motions; give 5 to 120": 5 <= self.fps <= 120,
            f"{size} cannot be drawn; {sizes}": even and self.width >= self.height >= 96,
            f"seed={self.seed} is negative; give 0 or more": self.seed >= 0,
        }
        for sentence, satisfied in checks.items():
            if not satisfied:
                raise BadInput(f"demo: {sentence}")


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """What happens in one video of `frames` frames: acts that are annotated, and acts that are not."""

    video: str
    subset: str
    frames: int
    fps: float
    acts: tuple[Act, ...]

    @property
    def timeline(self) -> Timeline:
        """The ground truth: every act of a class in CLASSES, from leaving the idle pose to being back in it."""
        actions = [Action(act.start, act.end, act.motion) for act in self.acts if act.motion in CLASSES]
        return Timeline(self.frames / self.fps, tuple(actions))


def render_videos(folder: Path, config: DemoConfig, progress: Progress | None = None) -> dict[str, Timeline]:
    """Write `<video>.mp4` for every video and `annotations.json` (ActivityNet form); return the ground truth.

    A video that is there already is kept if it was rendered with the same settings, and rendered again otherwise.
    """
    plans = [plan_video(config, index) for index in range(config.videos)]
    settings = {"edition": EDITION, "config": asdict(config) | {"seconds": list(config.seconds)}}
    if not (folder / SETTINGS).exists() or read_json(folder / SETTINGS) != settings:
        for outdated in folder.glob("demo_[0-9][0-9][0-9].mp4"):
            outdated.unlink()
        write_json(folder / SETTINGS, settings)
    with ThreadPoolExecutor(WORKERS) as pool:
        jobs = [pool.submit(_render_video, folder, config, index) for index in range(config.videos)]
        try:
            for job in track(jobs, "rendering", progress, len(jobs)):
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)
    database = {}
    for plan in plans:
        segments = [{"segment": [a.start, a.end], "label": a.label} for a in plan.timeline]
        entry = {"subset": plan.subset, "duration": plan.timeline.duration, "fps": plan.fps, "annotations": segments}
        database[plan.video] = entry
    write_json(folder / ANNOTATIONS, {"version": f"untrimmed demo, edition {EDITION}", "database": database})
    return {plan.video: plan.timeline for plan in plans}


def draw_frames(config: DemoConfig, index: int) -> Iterator[Picture]:
    """Draw the pictures of one video, in order: the same for the same seed and index."""
    plan = plan_video(config, index)
    rng = np.random.default_rng([config.seed, index, 1])
    scene = Scene(config.width, config.height, rng)
    times = np.arange(plan.frames) / plan.fps
    for seconds, joints in zip(times, perform(plan.acts, times, rng), strict=True):
        yield scene.draw_frame(float(seconds), joints)


def plan_video(config: DemoConfig, index: int) -> VideoPlan:
    """Plan what happens in one video: actions of every class in turn, a gap around each, and habits in the gaps."""
    rng = np.random.default_rng([config.seed, index])
    count = round(rng.uniform(*config.seconds) * config.fps)
    duration = count / config.fps
    lengths = _draw_lengths(duration, rng)
    spare = duration - lengths.sum() - GAP * (len(lengths) + 1)
    gaps = GAP + spare * rng.dirichlet(np.full(len(lengths) + 1, 2.0))
    decks = [rng.permutation(CLASSES) for _ in range(-(-len(lengths) // len(CLASSES)))]
    acts, now = [], 0.0
    for label, length, gap in zip(np.concatenate(decks), lengths, gaps, strict=False):
        acts += _plan_habits(now, now + gap, rng)
        # Milliseconds, so that what is written is exactly what is drawn.
        start, end = round(float(now + gap), 3), round(float(now + gap + length), 3)
        cycles = max(1, round((end - start) / rng.uniform(*PERIODS[label])))
        strength, ramp, mirrored = rng.uniform(0.85, 1.08), rng.uniform(0.25, 0.45), bool(rng.random() < 0.5)
        acts.append(Act(str(label), start, end, cycles, strength, ramp, mirrored))
        now += gap + length
    acts += _plan_habits(now, duration, rng)
    subset = "validation" if index % 3 == 2 else "training"
    return VideoPlan(f"demo_{index:03d}", subset, count, config.fps, tuple(acts))


def _draw_lengths(duration: float, rng: np.random.Generator) -> np.ndarray:
    """Lengths of the actions of one video, in seconds; their sum leaves the share of IDLE free."""
    busy = duration * (1 - rng.uniform(*IDLE))
    fewest, most = int(np.ceil(busy / 4.9)), int(busy / 2.4)
    fewest, most = max(fewest, min(COUNTS[0], most)), max(fewest, min(COUNTS[1], most))
    count = int(rng.integers(fewest, most + 1))
    while True:
        lengths = LENGTHS[0] + (busy - LENGTHS[0] * count) * rng.dirichlet(np.full(count, 2.5))
        if lengths.max() <= LENGTHS[1]:
            return lengths


def _plan_habits(start: float, end: float, rng: np.random.Generator) -> list[Act]:
    """What the figure does in a gap, at 0.1 s or more from the actions around it."""
    acts, now = [], start + rng.uniform(0.1, 0.8)
    while end - 0.1 - now >= 1.0:
        length = min(rng.uniform(1.0, 3.2), end - 0.1 - now)
        motion = "walk" if length > 1.6 and rng.random() < 0.4 else str(rng.choice(list(HABITS)))
        cycles = max(1, round(length / rng.uniform(0.9, 1.3)))
        strength, place, mirrored = rng.uniform(0.6, 1.0), rng.uniform(-0.75, 0.75), bool(rng.random() < 0.5)
        acts.append(Act(motion, float(now), float(now + length), cycles, strength, 0.45, mirrored, place))
        now += length + rng.uniform(0.2, 1.2)
    return acts


def _render_video(folder: Path, config: DemoConfig, index: int) -> None:
    file = folder / f"{plan_video(config, index).video}.mp4"
    if not file.exists():
        write_video(file, draw_frames(config, index), config.fps)
