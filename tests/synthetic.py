"""Small data sets with a pattern to learn, made in a moment."""

from pathlib import Path

import numpy as np

from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.features.folder import FeatureWriter
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.recipe import Recipe, build_recipe
from untrimmed.timeline import Action, Timeline

CLASSES = ("jump", "run", "throw")
SOURCE = FeatureSource(backbone="synthetic", fps=4.0, streams=("noise",))
CHANNELS = 8


def features_of(timeline: Timeline, random: np.random.Generator, source: FeatureSource = SOURCE) -> VideoFeatures:
    """Noise, with one channel raised during each class of action."""
    count = round(timeline.duration * source.fps)
    values = random.normal(0, 0.5, (count, CHANNELS)).astype(np.float32)
    centres = source.grid.seconds(np.arange(count) + 0.5)
    for action in timeline.actions:
        values[(centres >= action.start) & (centres < action.end), CLASSES.index(action.label)] += 2
    return VideoFeatures(values, source.grid, timeline.duration, source)


def timeline_of(random: np.random.Generator) -> Timeline:
    """Three to five actions of 2 to 6 seconds, apart, in 40 to 60 seconds."""
    starts = np.cumsum(random.uniform(7, 10, random.integers(3, 6))) - 5
    duration = float(starts[-1] + random.uniform(8, 12))
    actions = [
        Action(float(start), float(start + random.uniform(2, 6)), str(random.choice(CLASSES))) for start in starts
    ]
    return Timeline(duration, tuple(actions))


def write_dataset(folder: Path, videos: int = 9, seed: int = 0) -> Path:
    """`annotations.json` and `features/`; every third video is for validation."""
    random = np.random.default_rng(seed)
    timelines = {f"video{i:02}": timeline_of(random) for i in range(videos)}
    subsets = {video: "validation" if i % 3 == 2 else "training" for i, video in enumerate(timelines)}
    write_activitynet(folder / "annotations.json", timelines, subsets)
    writer = FeatureWriter(folder / "features", SOURCE)
    for video, timeline in timelines.items():
        writer.write(video, features_of(timeline, random))
    return folder


def recipe_for(folder: Path, **sections: dict) -> Recipe:
    """A recipe that trains in seconds; `sections` are laid over it."""
    tree = {
        "data": {"annotations": str(folder / "annotations.json"), "features": str(folder / "features")},
        "model": {"length": 128, "levels": 6, "concepts": 8, "depth": 15, "width": 0.0625},
        "train": {
            "steps": 6,
            "batch": 4,
            "optimizer": "adamw",
            "rate": 3e-3,
            "average": 0.9,
            "save_every": 2,
            "clip": 1.0,
        },
        "suppress": {"sigma": 0.3},
    }
    for name, values in sections.items():
        tree[name] = {**tree.get(name, {}), **values}
    return build_recipe(tree, "test")


def write_long_video(folder: Path, seconds: float = 400.0, seed: int = 0, name: str = "day") -> Timeline:
    """One long video: `features/` at the rate of `SOURCE`, and `labels.csv`; an action of each class in turn."""
    random = np.random.default_rng(seed)
    starts = np.arange(8, seconds - 12, 11)
    actions = [
        Action(float(start), float(start + random.uniform(3, 6)), CLASSES[number % len(CLASSES)])
        for number, start in enumerate(starts)
    ]
    timeline = Timeline(seconds, tuple(actions))
    lines = [f"{name},{a.start:.3f},{a.end:.3f},{a.label},{seconds}\n" for a in timeline]
    (folder / "labels.csv").write_text("video,start,end,label,video_duration\n" + "".join(lines))
    FeatureWriter(folder / "features", SOURCE).write(name, features_of(timeline, random))
    return timeline
