"""What is wrong with the files of videos, and between them and their annotations."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from untrimmed.features.folder import compute_fingerprint
from untrimmed.io import BadInput
from untrimmed.project.findings import Finding
from untrimmed.project.video_files import TOLERANCE, VideoFiles, has_steady_rate
from untrimmed.timeline import Timeline
from untrimmed.video import decoding
from untrimmed.video.names import describe_loose_matches


def check_files(
    videos: VideoFiles, names: Mapping[str, str], ground_truth: Mapping[str, Timeline]
) -> Iterator[Finding]:
    """Find videos without a file, files that cannot be read, and files without annotations.

    `names` are the videos of files by the names that the annotations have for them.
    """
    for note in videos.notes:
        yield Finding("note", "file that is no video", note, "convert it, if it is to take part")
    used = {name: video for name, video in names.items() if name in ground_truth}
    if sentence := describe_loose_matches(used):
        yield Finding("note", "video in another spelling", sentence, "fine, if it is meant")
    for name in ground_truth:
        if name not in names:
            remedy = "put its file there, fix the name, or take it out of the annotations"
            yield Finding("warning", "annotated video without a file", name, remedy)
    for fault in videos.faults.values():
        yield Finding("error", "video that cannot be read", fault)
    for video in sorted(videos.paths.keys() - set(names.values())):
        remedy = "annotate it (without any action, if nothing happens in it), or leave it: it takes no part"
        yield Finding("note", "video without annotations", str(videos.paths[video]), remedy)


def check_lengths(
    videos: VideoFiles, names: Mapping[str, str], ground_truth: Mapping[str, Timeline]
) -> Iterator[Finding]:
    """Find annotated lengths that are not the file's, and actions that end after the file does."""
    for name, video in names.items():
        if name not in ground_truth or video not in videos.infos:
            continue
        timeline, length, file = ground_truth[name], videos.infos[video].duration, videos.paths[video]
        if abs(timeline.duration - length) > TOLERANCE:
            sentence = f"{file}: lasts {length:.1f} s, {timeline.duration:.1f} s in the annotations"
            remedy = "were they made of another cut of the video? fix the annotated duration"
            yield Finding("warning", "annotated length that is not the file's", sentence, remedy)
        late = [action for action in timeline if action.end > length + TOLERANCE]
        if late:
            sentence = f"{file}: ends at {length:.1f} s, {late[0].label!r} at {late[0].end:.1f} s"
            remedy = "fix the times, or fetch the whole video"
            yield Finding("error", "action beyond the end of its file", sentence, remedy)


def check_rates(videos: VideoFiles) -> Iterator[Finding]:
    """Find rates that differ from file to file, or within one. Frames are taken by their times, so both are notes."""
    rates = Counter(round(info.fps, 2) for info in videos.infos.values())
    if len(rates) > 1:
        sentence = ", ".join(f"{rate:g} fps: {count:,}" for rate, count in rates.most_common())
        remedy = "fine here, as frames are taken by their times; annotations counted in frames need each video's own"
        yield Finding("note", "videos of several frame rates", sentence, remedy)
    for video, info in videos.infos.items():
        if not has_steady_rate(videos.paths[video]):
            sentence = f"{videos.paths[video]}: {info.fps:.2f} fps on average"
            remedy = "fine here; times that another tool counted from frame numbers are wrong, if it assumed one rate"
            yield Finding("note", "video of variable frame rate", sentence, remedy)


def check_decoding(videos: VideoFiles) -> Iterator[Finding]:
    """Decode every frame of every video, and find files that cannot be decoded, end early or are damaged inside."""
    for video in videos.infos:
        file, reading, end = videos.paths[video], decoding.DecodingReport(), 0.0
        try:
            for frame in decoding.decode_frames(file, reading):
                end = frame.end
            reading.check_complete(file, end)
        except BadInput as error:
            yield Finding("error", "video that cannot be decoded to its end", str(error))
            continue
        if reading.lost:
            sentence = f"{file}: {reading.lost:.2f} s lie in packets that cannot be decoded"
            yield Finding("warning", "video with damage inside", sentence, "fetch or convert the file again")


def check_copies(
    videos: VideoFiles, names: Mapping[str, str], train: Sequence[str], test: Sequence[str]
) -> Iterator[Finding]:
    """Find files of one content under two names or more; only files of one size are read."""
    sides = {
        videos.paths[names[name]]: "test" if name in set(test) else "training"
        for name in (*train, *test)
        if name in names
    }
    for same_size in _group_by(sorted(videos.paths.values()), lambda file: file.stat().st_size):
        for copies in _group_by(same_size, lambda file: compute_fingerprint(file).sha256):
            used = [sides[file] for file in copies if file in sides]
            sentence = " = ".join(f"{file} ({sides.get(file, 'unused')})" for file in copies)
            if {"training", "test"} <= set(used):
                kind = "one video in both training and test, under two names"
                yield Finding("error", kind, sentence, "take one out")
            elif len(used) > 1:
                yield Finding("warning", "one video twice, under two names", sentence, "take one out")


def _group_by(files: Sequence[Path], key: Callable[[Path], Any]) -> list[list[Path]]:
    """Return the groups of two files or more that have the same key."""
    groups: dict[Any, list[Path]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return [group for group in groups.values() if len(group) > 1]
