"""Public data sets made small: their annotations, and features in the files that people have of them."""

import pickle
from pathlib import Path

import numpy as np

from untrimmed.annotations.datasets.thumos14 import CLASSES
from untrimmed.annotations.formats.activitynet import write_activitynet
from untrimmed.timeline import Action, Timeline


def numbers(count: int, channels: int, first: int = 0) -> np.ndarray:
    return (first + np.arange(count * channels, dtype=np.float32)).reshape(count, channels)


def write(file: Path, values: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npy":
        np.save(file, values)
    elif file.suffix == ".csv":
        header = ",".join(f"f{i}" for i in range(values.shape[1]))
        np.savetxt(file, values, delimiter=",", header=header, comments="", fmt="%g")
    else:
        file.write_bytes(pickle.dumps(values, protocol=2))
    return file


def write_folder(folder: Path, **arrays: np.ndarray) -> Path:
    """A folder of one `.npy` a video."""
    for video, values in arrays.items():
        write(folder / f"{video}.npy", values)
    return folder


def thumos14(folder: Path, fps: float, window: float, stride: float) -> dict[str, int]:
    """Annotations of six small videos, four of them to train on; how many snippets each has."""
    counts = {}
    timelines, subsets = {}, {}
    for number in range(6):
        subset = "validation" if number < 4 else "test"
        video = f"video_{subset}_{number:07}"
        duration = 60.0 + number
        counts[video] = int((duration * fps - window) // stride) + 1
        actions = tuple(Action(at, at + 6.0, CLASSES[number % 2]) for at in (5.0, 25.0, 45.0))
        timelines[video], subsets[video] = Timeline(duration, actions), subset
    write_activitynet(folder / "thumos14" / "annotations" / "annotations.json", timelines, subsets)
    return counts


def write_tsn(folder: Path) -> None:
    random = np.random.default_rng(0)
    for video, count in thumos14(folder, 5, 1, 1).items():
        for stream, extra in (("rgb", 1), ("flow", 0)):
            write(folder / "thumos14" / "tsn" / stream / f"{video}.npy", random.normal(size=(count + extra, 6)))


def write_i3d(folder: Path) -> None:
    random = np.random.default_rng(0)
    for video, count in thumos14(folder, 30, 16, 4).items():
        values = random.normal(size=(count, 2048)).astype(np.float32)
        write(folder / "thumos14" / "i3d_features" / f"{video}.npy", values)


def write_activitynet_features(folder: Path) -> None:
    random = np.random.default_rng(0)
    timelines, subsets = {}, {}
    for number in range(6):
        video, subset = f"video_{number}", "training" if number < 4 else "validation"
        actions = tuple(Action(at, at + 9.0, f"class {number % 2}") for at in (5.0, 25.0))
        timelines[video], subsets[video] = Timeline(40.0, actions), subset
        for stream, prefix in (("rgb", "rgb-70.3-5seg-331data_331img"), ("flow", "flow-60.9-5seg-331data")):
            part = {"training": "train", "validation": "val"}[subset]
            scores = random.random((200 + (stream == "rgb"), 201)).astype(np.float32)
            file = folder / "activitynet" / f"senet152-201cls-{prefix}_{part}" / f"v_{video}.pkl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pickle.dumps({"scores": scores}, 2))
    write_activitynet(folder / "activitynet" / "activity_net.v1-3.min.json", timelines, subsets)


def write_clips(folder: Path, which: str) -> None:
    """Clips of 16 frames, one every 8, as GTAN's recipes name them."""
    random = np.random.default_rng(0)
    if which == "activitynet":
        write_activitynet_features(folder)
        counts = {f"video_{number}": 149 for number in range(6)}
    else:
        counts = thumos14(folder, 30, 16, 8)
    for video, count in counts.items():
        write(folder / which / "p3d" / f"{video}.npy", random.normal(size=(count, 2048)).astype(np.float32))
