"""Small films for tests of extraction, and what a folder holds."""

from pathlib import Path

import cv2
import numpy as np

from untrimmed.video.sampling import write_video


def film(path: Path, seconds: float = 1.2, seed: int = 0) -> Path:
    small = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    picture = cv2.resize(small, (128, 96), interpolation=cv2.INTER_CUBIC)
    write_video(path, (np.roll(picture, 2 * i, 1) for i in range(round(seconds * 25))), 25)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
