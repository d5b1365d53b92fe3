"""Lists the files of features in a folder, which videos they are of, and says what lies there where none is."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from untrimmed.features.archives import (
    COLLECTIONS,
    KEYS,
    MOST_STREAMS,
    UNNAMED,
    Archive,
)
from untrimmed.features.contents import ARCHIVE_ENDINGS, CONTENT_ENDINGS, holds_names
from untrimmed.features.tables import check_table, decode_table
from untrimmed.io import BadInput
from untrimmed.video.names import is_media

TABLE_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
FEATURE_ENDINGS = (".npy", *TABLE_ENDINGS, *CONTENT_ENDINGS)
"""Endings of the files that are features wherever they lie; in any case of letters."""
LONE_ENDINGS = (".txt", ".txt.gz", ".json")
"""Endings of files that may be features, and often are something else."""
_GROUPS = (
    (".npy", ".csv", ".csv.gz", ".pkl"),
    (".h5", ".hdf5", ".hdf"),
    (".npz",),
    (".pt", ".pth"),
    (".tsv", ".tsv.gz"),
)
"""Endings that may be mixed in one folder; of several groups, the one with the most files is read."""
_LAST_GROUPS = ((".pickle",), (".txt", ".txt.gz"))
"""Endings that are read where no other is."""
FEW = 2
"""Up to so many files of any kind in a folder are opened to see whether they are of many videos."""
FEW_ARCHIVES = 64
"""The same for those that usually are."""
_SEPARATORS = "_-. "
_SUFFIX_WORD = re.compile(
    r"(?:(?:i3d|c3d|tsn|tsm|tsp|r3d|r2p?1d|rgb|flow|feats?|features?|clip|slowfast|slow|fast|videomae|internvideo|vivit|"
    r"resnet|s3d|x3d|swin|vggish|analysis|predictions|keypoints|pose|skeleton|filtered|embeddings?)\w*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(rb"\s*\"?[-+]?\d")


class FilePlace(NamedTuple):
    """Where the features of a video are: a file, and the name in it where it is of many videos."""

    file: Path
    entry: str | None = None


class Listing(NamedTuple):
    """The videos of which there are features, the open files of many of them, and what was passed over, in words."""

    places: dict[str, FilePlace]
    archives: dict[Path, Archive]
    notes: tuple[str, ...] = ()


def is_archive(file: Path) -> bool:
    """Whether a file usually holds the features of many videos, by its ending."""
    return file.suffix.lower() in ARCHIVE_ENDINGS


def is_feature_file(file: Path, *, alone: bool = False) -> bool:
    """Whether a file is one of features by its ending; pointed at `alone`, a file of text may be one too."""
    return file.name.lower().endswith((*FEATURE_ENDINGS, *LONE_ENDINGS) if alone else FEATURE_ENDINGS)


def video_name(file: Path) -> str:
    """Return the name of the video whose features a file holds. Raises BadInput for a file of another ending."""
    for ending in (".csv.gz", ".tsv.gz", ".txt.gz", *FEATURE_ENDINGS, *LONE_ENDINGS):
        if file.name.lower().endswith(ending):
            return file.name[: -len(ending)]
    raise BadInput(f"{file}: is no feature file; {', '.join((*FEATURE_ENDINGS, *LONE_ENDINGS))} was expected")


def holds_feature_files(folder: Path) -> bool:
    """Whether a folder is of features rather than of videos, to which tables may belong that are none."""
    files = [file for file in _list_files(folder) if not file.name.startswith(".")]
    features = [file for file in files if is_feature_file(file)]
    if any(file.name.lower().endswith((".npy", ".npz", ".pkl", ".pt", ".pth")) for file in features):
        return True
    if any(is_media(file.name) for file in files):
        return False
    return bool(_select(files, folder).files) or any(map(holds_feature_files, _list_folders(folder)))


def list_places(path: Path, files: Sequence[Path] = (), stream: str = "") -> Listing:
    """List the videos whose features are in a file, a folder (or, if it has none, the folders in it), or in `files`.

    Of a file that holds streams, one may be named. Raises BadInput where two files are of one video.
    """
    if path.is_file():
        return _list_one(path, stream)
    selection = _select(files, path) if files else _select_files(path)
    by_file = _name_files(path, selection.files)
    archives = _open_archives(selection.files)
    recurring = Counter(name for archive in archives.values() for name in archive.names)
    places: dict[str, FilePlace] = {}
    for file, name in by_file.items():
        archive = archives.get(file)
        many = archive and (len(archive.names) > 1 or (_is_collection(file) and archive.names not in ([], [name])))
        if archive and many and all(recurring[inner] == 1 for inner in archive.names):
            places.update({inner: FilePlace(file, inner) for inner in archive.names})
        else:
            archives.pop(file, None)
            places[name] = FilePlace(file)
    return Listing(dict(sorted(places.items())), archives, selection.notes)


def describe_files(path: Path, files: Sequence[Path] = ()) -> str:
    """Describe what lies at a path, or the `files`: how many of which endings, and one of them."""
    if not files and not path.is_dir():
        return f"one file, {path.name}"
    files = files or [file for file in _walk(path) if not file.name.startswith(".")]
    if not files:
        return "an empty folder"
    endings = Counter("".join(file.suffixes[-1:]).lower() or "no ending" for file in files)
    counts = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common(4))
    folders = " in the folders in it" if path.is_dir() and files[0].parent != path else ""
    number = f"{len(files):,} {'file' if len(files) == 1 else 'files'}"
    return f"{number}{folders} ({counts}), such as {files[0].name}{_suggest_streams(files)}"


def explain_no_features(path: Path) -> str:
    """Say what lies in a folder that has no file of features, and which files are read."""
    files = [file for file in _walk(path) if not file.name.startswith(".")] if path.is_dir() else []
    reason = ""
    if files and files[0].suffix.lower() == ".json":
        reason = " (a .json is read where it alone is named, with the arrays of all videos under their names)"
    endings = ", ".join((*FEATURE_ENDINGS, *LONE_ENDINGS))
    return f"{path}: holds no features: {describe_files(path)}{reason}; write files that end in one of {endings}"


def _suggest_streams(files: Sequence[Path]) -> str:
    """Say how to name streams, where files of the same names lie in several folders or have several endings."""
    files = [file for file in files if is_feature_file(file)]
    by_folder: dict[str, set[str]] = {}
    by_ending: dict[str, set[str]] = {}
    for file in files:
        stem, separator, ending = video_name(file).rpartition("_")
        by_folder.setdefault(str(file.parent), set()).add(file.name)
        pattern = file.parent / f"*{separator}{ending}{file.name.removeprefix(video_name(file))}"
        by_ending.setdefault(str(pattern), set()).add(stem)
    for paths in (by_folder, by_ending):
        if 1 < len(paths) <= MOST_STREAMS and len(set(map(frozenset, paths.values()))) == 1:
            return advise_streams(paths)
    return _suggest_pattern(files)


def _suggest_pattern(files: Sequence[Path]) -> str:
    """Say how to choose, where for each file there is one with the same addition to its name."""
    by_name = {video_name(file): file for file in files}
    shortest = min(by_name, key=len, default="")
    for tail in [name.removeprefix(shortest) for name in by_name if name.startswith(shortest) and name != shortest]:
        plain = [name for name in by_name if not name.endswith(tail)]
        if (
            tail[0] in _SEPARATORS
            and len(by_name) == 2 * len(plain)
            and all(name + tail in by_name for name in plain)
        ):
            first, second = by_name[plain[0]], by_name[plain[0] + tail]
            pattern = second.parent / f"*{tail}{second.name.removeprefix(plain[0] + tail)}"
            return f" (two fit each video: {first.name} and {second.name}; a pattern such as {pattern} chooses)"
    return ""


def advise_streams(paths: Iterable[str]) -> str:
    """Say how to use paths if they are streams."""
    names = json.dumps(list(paths))
    return f" (if these are streams of the same videos, set data.features = {names}, or to one of them)"


def shorten_names(names: Iterable[str]) -> list[dict[str, str]]:
    """Return the names by what remains without an ending that all share, such as `_i3d_rgb`; the longest rest first.

    Of one name, or where they share none, endings count that name a network or a kind of features.
    """
    names = list(names)
    tails = _find_tails(names[0]) if names else []
    if len(names) > 1:
        tails = [tail for tail in tails if all(name.endswith(tail) for name in names)]
    else:
        tails = [tail for tail in tails if all(_SUFFIX_WORD.fullmatch(w) for w in re.split(r"[_\-. ]", tail) if w)]
    shortened = []
    for tail in tails:
        shorter = {name[: -len(tail)]: name for name in names if len(name) > len(tail)}
        if len(shorter) == len(names) and re.search("[a-zA-Z]", tail):
            shortened.append(shorter)
    return shortened


def _find_tails(name: str) -> list[str]:
    """List the ends of a name that begin with a separator, or with what DeepLabCut appends; the shortest first."""
    starts = [place for place, character in enumerate(name) if character in _SEPARATORS and place]
    starts += [match.start() for match in re.finditer("DLC_", name) if match.start()]
    return [name[start:] for start in sorted(starts, reverse=True)]


class _Selection(NamedTuple):
    files: list[Path]
    notes: tuple[str, ...] = ()


def _list_one(file: Path, stream: str) -> Listing:
    if holds_names(file):
        archive = Archive(file, stream)
        if archive.names or file.suffix.lower() == ".json":
            return Listing({name: FilePlace(file, name) for name in archive.names}, {file: archive})
    if file.name.lower().endswith(TABLE_ENDINGS):
        check_table(file)
    return Listing({video_name(file): FilePlace(file)}, {})  # reading it says what is wrong


def _select_files(folder: Path) -> _Selection:
    """Select the files of features in a folder, or in the folders in it where it has none, or just a table or two."""
    selection = _select(_list_files(folder), folder)
    if len(selection.files) > FEW or any(not file.name.lower().endswith(TABLE_ENDINGS) for file in selection.files):
        return _note_inner(selection, folder)
    inner = _select(_walk(folder, skip_top=True), folder)
    if len(inner.files) <= len(selection.files):
        return _note_inner(selection, folder)
    if not selection.files:
        return inner
    first = selection.files[0].name
    return inner._replace(notes=(*inner.notes, f"{len(selection.files)} passed over beside its folders, {first}"))


def _note_inner(selection: _Selection, folder: Path) -> _Selection:
    """Note the files of features in folders in the folder, which are passed over."""
    inner = _select(_walk(folder, skip_top=True), folder).files
    if not inner or not selection.files:
        return selection
    example = inner[0].relative_to(folder).as_posix()
    note = f"files of features in the folders in it passed over: {len(inner):,}, such as {example}"
    return selection._replace(notes=(*selection.notes, f"{note}; to read them too, put all in one folder"))


def _select(files: Iterable[Path], folder: Path) -> _Selection:
    """Select the files of features among files; of endings that are not mixed, those that most have."""
    files = sorted(file for file in files if not file.name.startswith("."))
    groups = [[file for file in files if file.name.lower().endswith(group)] for group in _GROUPS]
    # What was always read goes before what is read too.
    if not any(not file.name.lower().endswith(TABLE_ENDINGS) for file in groups[0]):
        groups.sort(key=lambda group: (-len(group), -sum(file.stat().st_size for file in group)))
    groups += [[file for file in files if file.name.lower().endswith(group)] for group in _LAST_GROUPS]
    groups[-1] = [file for file in groups[-1] if _begins_with_number(file)]
    first, *surplus = [group for group in groups if group] or [[]]
    over = [file for group in surplus for file in group]
    note = f"{len(over)} of other endings passed over, such as {over[0].name}" if over else ""
    read = {video_name(file) for file in first}
    # A table may be one of labels.
    arrays = {video_name(file) for file in over if not file.name.lower().endswith((*TABLE_ENDINGS, *LONE_ENDINGS))}
    if lacking := sorted(arrays - read):
        note += f"; no other file has the names of {len(lacking)}, such as {lacking[0]}: write all in one format"
    return _Selection(first, (note,) if note else ())


def _begins_with_number(file: Path) -> bool:
    with file.open("rb") as stream:
        lines = decode_table(stream.read(2**16)).encode().splitlines()[:2]
    return file.suffix == ".gz" or any(map(_NUMBERED.match, lines))


def _name_files(path: Path, files: Sequence[Path]) -> dict[Path, str]:
    """Name files by their videos, or by their path where files in several folders share a name."""
    stems = {file: video_name(file) for file in files}
    shared: dict[str, list[Path]] = {}
    for file, stem in stems.items():
        shared.setdefault(stem, []).append(file)
    for stem, sharers in shared.items():
        if stem.lower() in (*KEYS, *UNNAMED) and len({file.parent.name for file in sharers}) == len(files) > 1:
            return {file: file.parent.name for file in sharers}  # a folder a video
        if len(sharers) > 1:
            if len({file.parent for file in sharers}) < len(sharers):
                raise BadInput(f"{path}: {sharers[0].name} and {sharers[1].name} are both of {stem}; remove one")
            root = Path(os.path.commonpath([file.parent for file in files]))
            stems.update({file: (file.parent.relative_to(root) / stem).as_posix() for file in sharers})
    return stems


def _open_archives(files: Sequence[Path]) -> dict[Path, Archive]:
    """Open the files that may be of many videos; damaged ones are told of when they are read."""
    archives = {}
    for file in files:
        is_one_of_few = len(files) <= (FEW_ARCHIVES if is_archive(file) else FEW)
        if (is_one_of_few or _is_collection(file)) and holds_names(file):
            with suppress(BadInput):
                archives[file] = Archive(file)
    return archives


def _is_collection(file: Path) -> bool:
    return file.name.removesuffix(file.suffix).lower() in COLLECTIONS


def _list_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file())


def _list_folders(folder: Path) -> list[Path]:
    return sorted(inner for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith("."))


def _walk(folder: Path, skip_top: bool = False) -> list[Path]:
    """List all files below a folder; links to folders are not followed."""
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if not (skip_top and Path(place) == folder):
            files += [Path(place) / name for name in sorted(names)]
    return files
