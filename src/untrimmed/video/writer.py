"""Writes pictures to a video file that a browser plays."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av

from untrimmed.io import whole
from untrimmed.video.sampling import Picture


def write_video(path: str | Path, frames: Iterable[Picture], fps: float) -> None:
    """Encode pictures of one even size as H.264 (yuv420p) that a browser plays; whole or not at all.

    The same pictures give the same bytes. Raises ValueError for no picture or an odd or changing size.
    """
    path, pictures = Path(path), iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError(f"{path}: there are no pictures to write")
    height, width, _ = first.shape
    if height % 2 or width % 2:
        raise ValueError(f"pictures of {width}x{height} have an odd side; H.264 wants even ones")
    options = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".m4v", ".mov") else {}
    with whole(path) as temporary, av.open(temporary, "w", options=options) as container:
        # One thread: x264 divides its work by the number of threads, and the bytes with it. No look ahead: with it,
        # one file in some hundreds has other bytes.
        reproducible = {"threads": "1", "x264-params": "rc-lookahead=0:mbtree=0"}
        stream = container.add_stream(
            "libx264",
            Fraction(fps).limit_denominator(100_000),
            options={"crf": "23", "preset": "veryfast", **reproducible},
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in chain([first], pictures):
            if picture.shape != first.shape:
                raise ValueError(f"a picture of shape {picture.shape} follows one of {first.shape}")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
