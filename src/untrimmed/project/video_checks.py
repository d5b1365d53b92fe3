"""What is wrong with the files of videos, and between them and their annotations."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from untrimmed.features.folder import origin_of
from untrimmed.io import BadInput
from untrimmed.project.finding import Finding
from untrimmed.project.footage import Footage, is_steady
from untrimmed.timeline import Timeline
from untrimmed.video import decoding

APART = 1.0
"""Seconds by which an annotated length may differ from the file's."""


def check_files(footage: Footage, names: Mapping[str, str], truth: Mapping[str, Timeline]) -> Iterator[Finding]:
    """Videos without a file, files that cannot be read, and files without annotations.

    `names` are the videos of files by the names that the annotations have for them.
    """
    for video in truth:
        if video not in names:
            remedy = "put its file there, mend the name, or take it out of the annotations"
            yield Finding("warning", "annotated video without a file", video, remedy)
    for fault in footage.faults.values():
        yield Finding("error", "video that cannot be read", fault)
    for video in sorted(footage.files.keys() - set(names.values())):
        remedy = "annotate it (without any action, if nothing happens in it), or leave it: it takes no part"
        yield Finding("note", "video without annotations", str(footage.files[video]), remedy)


def check_lengths(footage: Footage, names: Mapping[str, str], truth: Mapping[str, Timeline]) -> Iterator[Finding]:
    """Annotated lengths that are not the file's, and actions that end after the file does."""
    for name, video in names.items():
        if video not in footage.infos:
            continue
        stated, length, file = truth[name].duration, footage.infos[video].duration, footage.files[video]
        if abs(stated - length) > APART:
            sentence = f"{file}: lasts {length:.1f} s, {stated:.1f} s in the annotations"
            remedy = "were they made of another cut of the video? mend the annotated duration"
            yield Finding("warning", "annotated length that is not the file's", sentence, remedy)
        late = [action for action in truth[name].actions if action.end > length + APART]
        if late:
            sentence = f"{file}: ends at {length:.1f} s, {late[0].label!r} at {late[0].end:.1f} s"
            remedy = "mend the times, or fetch the whole video"
            yield Finding("error", "action beyond the end of its file", sentence, remedy)


def check_rates(footage: Footage) -> Iterator[Finding]:
    """Rates that differ from file to file, or within one. Frames are taken by their times, so both are but notes."""
    rates = Counter(round(info.fps, 2) for info in footage.infos.values())
    if len(rates) > 1:
        said = ", ".join(f"{rate:g} fps: {count:,}" for rate, count in rates.most_common())
        remedy = "fine here, as frames are taken by their times; annotations counted in frames need each video's own"
        yield Finding("note", "videos of several frame rates", said, remedy)
    for video, info in footage.infos.items():
        if not _steady(footage.files[video]):
            sentence = f"{footage.files[video]}: {info.fps:.2f} fps on average"
            remedy = "fine here; times that another tool counted from frame numbers are wrong, if it assumed one rate"
            yield Finding("note", "video of variable frame rate", sentence, remedy)


def check_decoding(footage: Footage) -> Iterator[Finding]:
    """Every frame of every video is decoded: what cannot be, and files that end early."""
    for video in footage.infos:
        file, reading, end = footage.files[video], decoding.Reading(), 0.0
        try:
            for shown in decoding.frames(file, reading):
                end = shown.end
            reading.check_complete(file, end)
        except BadInput as error:
            yield Finding("error", "video that cannot be decoded to its end", str(error))
            continue
        if reading.lost:
            sentence = f"{file}: {reading.lost:.2f} s lie in packets that cannot be decoded"
            yield Finding("warning", "video with damage inside", sentence, "fetch or convert the file again")


def check_copies(
    footage: Footage, names: Mapping[str, str], train: Sequence[str], test: Sequence[str]
) -> Iterator[Finding]:
    """Files of one content under several names; only files of one size are read."""
    side = {names[name]: "test" if name in set(test) else "training" for name in (*train, *test) if name in names}
    for group in _alike(sorted(footage.files[video] for video in footage.files)):
        sides = {side.get(file.stem) for file in group}
        sentence = " = ".join(f"{file} ({side.get(file.stem, 'unused')})" for file in group)
        if {"training", "test"} <= sides:
            yield Finding("error", "one video in both training and test, under two names", sentence, "take one out")
        elif len([file for file in group if file.stem in side]) > 1:
            yield Finding("warning", "one video twice, under two names", sentence, "take one out")


def _alike(files: Sequence[Path]) -> Iterator[list[Path]]:
    sizes: dict[int, list[Path]] = {}
    for file in files:
        sizes.setdefault(file.stat().st_size, []).append(file)
    for several in (group for group in sizes.values() if len(group) > 1):
        contents: dict[str, list[Path]] = {}
        for file in several:
            contents.setdefault(origin_of(file).sha256, []).append(file)
        yield from (group for group in contents.values() if len(group) > 1)


def _steady(file: Path) -> bool:
    try:
        return is_steady(file)
    except BadInput:
        return True  # what cannot be read is said elsewhere
