"""Small videos whose frames say their number: sixteen squares each, white where the number has a bit."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import repeat
from pathlib import Path

import av
import numpy as np

SIDE = 4  # squares
TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # clockwise


def barcode(number: int, height: int = 32, width: int = 48) -> np.ndarray:
    """A picture of the number; sides can be odd."""
    bits = np.array([number >> bit & 1 for bit in range(SIDE**2)], np.uint8).reshape(SIDE, SIDE)
    rows, columns = np.arange(height) * SIDE // height, np.arange(width) * SIDE // width
    return np.repeat(bits[rows][:, columns, None] * np.uint8(255), 3, axis=2)


def number_of(image: np.ndarray) -> int:
    """The number that a picture says, of any size."""
    height, width, _ = image.shape
    rows = ((np.arange(SIDE) + 0.5) * height / SIDE).astype(int)
    columns = ((np.arange(SIDE) + 0.5) * width / SIDE).astype(int)
    bits = (image[rows][:, columns, 1] > 127).ravel()
    return sum(int(bit) << place for place, bit in enumerate(bits))


def numbers_of(frames: Iterable) -> list[int]:
    """The numbers of frames that have an image."""
    return [number_of(frame.image) for frame in frames]


def steady_times(count: int, fps: float = 25.0, start: float = 0.0) -> list[float]:
    """Times of a constant rate."""
    return [start + number / fps for number in range(count)]


def write_barcodes(
    path: Path,
    times: Sequence[float],
    codec: str = "libx264",
    *,
    base: Fraction = Fraction(1, 1000),
    size: tuple[int, int] = (32, 48),
    pixels: str = "yuv420p",
    first: int = 0,
    grain: int = 0,
    container_options: dict[str, str] | None = None,
    **options: object,
) -> Path:
    """A video with a barcode at each of some times; `base` is the unit that they are whole multiples of.

    The barcodes are first, first + 1, ..., under so much `grain`, which is hard to compress; options go to the codec.
    """
    grains = np.random.default_rng(0)
    with av.open(path, "w", options=container_options or {}) as container:
        texts = {name.replace("_", "-"): str(value) for name, value in options.items()}
        stream = container.add_stream(codec, 1 / base, options={"threads": "1", **texts})
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        container.start_encoding()
        for number, time in enumerate(times, first):
            picture = barcode(number, *size) // 255 * np.uint8(255 - grain) + grains.integers(
                0, grain, (*size, 3), np.uint8, endpoint=True
            )
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = round(time / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_stamped(path: Path, stamps: Sequence[int]) -> Path:
    """A Matroska or MPEG-TS file with a barcode at each of some times in milliseconds, in any order at all."""
    with av.open(path, "w") as container:
        inside = container.add_stream("mpeg2video" if path.suffix == ".ts" else "mjpeg", 25, options={"g": "1"})
        inside.width, inside.height = 48, 32
        inside.pix_fmt = "yuv420p" if path.suffix == ".ts" else "yuvj420p"
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(barcode(number), "rgb24")
            frame.pts = number
            for packet in inside.encode(frame):
                # Muxers want times of decoding that rise, and that are not after those of showing.
                packet.time_base, packet.pts, packet.dts = Fraction(1, 1000), stamp, number
                container.mux(packet)
    return path


def write_long(path: Path, count: int) -> Path:
    """Twenty-five frames a second, `count` frames of 32x32, made quickly: sixty barcodes again and again."""
    short = write_barcodes(
        path.with_name(f"short{path.suffix}"), steady_times(60), "mpeg4", base=Fraction(1, 25), size=(32, 32)
    )
    with av.open(short) as source, av.open(path, "w") as target:
        inside = source.streams.video[0]
        outside = target.add_stream_from_template(inside)
        content = [bytes(packet) for packet in source.demux(inside) if packet.size]
        for number, data in zip(range(count), (data for again in repeat(content) for data in again), strict=False):
            packet = av.Packet(data)
            packet.stream, packet.time_base = outside, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = number % 60 == 0
            target.mux(packet)
    return path


def rotate_video(path: Path, degrees: int) -> Path:
    """An MP4 file, changed to be shown turned clockwise."""
    content = path.read_bytes()
    matrix = content.index(b"tkhd") + 44
    a, b, c, d = (number << 16 for number in TURNS[degrees])
    numbers = (a, b, 0, c, d, 0)
    turn = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    path.write_bytes(content[:matrix] + turn + content[matrix + len(turn) :])
    return path


def on_show(times: Sequence[float], centres: Iterable[float]) -> list[int]:
    """By looking at all of them: the number of the frame that is shown at each time, give or take a millisecond."""
    shown = np.array(times) - times[0]
    return [int(np.flatnonzero(shown <= centre + 1e-3)[-1]) for centre in centres]
