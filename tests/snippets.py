"""What networks are given of a whole video file: pairs of frames, clips and stacks."""

from collections.abc import Iterator
from pathlib import Path

from untrimmed.video.clips import FrameClip, cut_clips, cut_stacks
from untrimmed.video.decoding import decode_complete
from untrimmed.video.sampling import Frame, FramePair, PictureConverter, pair_frames


def read_pairs(file: Path, fps: float, gap: float, size: int | None = None) -> Iterator[FramePair[Frame]]:
    converter = PictureConverter(size)
    return map(converter.convert_pair, pair_frames(decode_complete(file, converter.report, False), fps, gap))


def read_clips(
    file: Path, length: int, stride: int, fps: float = 25.0, size: int | None = None, allow_truncated: bool = False
) -> Iterator[FrameClip]:
    converter = PictureConverter(size)
    frames = decode_complete(file, converter.report, allow_truncated)
    return cut_clips(frames, length, stride, fps, converter)


def read_stacks(
    file: Path, fps: float, length: int, size: int | None = None, allow_truncated: bool = False
) -> Iterator[FrameClip]:
    converter = PictureConverter(size)
    return cut_stacks(decode_complete(file, converter.report, allow_truncated), fps, length, converter)
