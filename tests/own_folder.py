"""A folder of small videos with annotations, as somebody might have it."""

from pathlib import Path

import numpy as np

from untrimmed.video.writer import write_video

FPS = 10
ROWS = [
    ("a.mp4", 1, 3, "jump"),
    ("a.mp4", 4, 6, "run"),
    ("b", 0.5, 2.5, "jump"),
    ("v_c", 3, 5, "run"),
    ("D.MP4", 2, 4, "jump"),
    ("D.MP4", 5, 7, "run"),
]
"""Annotations of videos a, b, c and d, which spell their names in four ways."""


def video(path: Path, seconds: float, fps: float = FPS, seed: int = 0) -> Path:
    """A video in which a square moves; others for other seeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    ground = random.integers(0, 255, 3, np.uint8)

    def pictures():
        for frame in range(round(seconds * fps)):
            picture = np.full((48, 64, 3), ground)
            at = frame * 3 % 48
            picture[16:32, at : at + 16] = 255 - ground
            yield picture

    write_video(path, pictures(), fps)
    return path


def csv(path: Path, rows) -> Path:
    """A table of (video, start, end, label)."""
    lines = ["video,start,end,label", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def srt(path: Path, rows) -> Path:
    """Subtitles of one video: (start, end, label) in whole seconds below a minute."""
    cues = (f"{n}\n00:00:{a:02},000 --> 00:00:{b:02},000\n{label}\n" for n, (a, b, label) in enumerate(rows, 1))
    path.write_text("\n".join(cues))
    return path
