"""What a video is called: one rule for every file, table and annotation that names it, and for the files themselves.

A name may be a path (POSIX or Windows) or an address, have a media ending and `v_` before it as in ActivityNet's
files, and differ in the case of its letters and in its Unicode form. Exact forms are tried before loose ones, and no
two names ever get one video.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar
from unicodedata import normalize
from urllib.parse import unquote

PREFIX = "v_"
"""What comes before a video's name in the public files for ActivityNet."""

VIDEO_ENDINGS = (
    *(".3g2", ".3gp", ".264", ".265", ".266", ".amv", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv", ".gif"),
    *(".gxf", ".h261", ".h263", ".h264", ".h265", ".h266", ".hevc", ".insv", ".ismv", ".ivf", ".m1v", ".m2p", ".m2t"),
    *(".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mod", ".mov", ".mp4", ".mpe", ".mpeg"),
    *(".mpg", ".mpv", ".mts", ".mxf", ".nsv", ".nut", ".obu", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".swf", ".tod"),
    *(".trp", ".ts", ".vob", ".vro", ".vvc", ".webm", ".wm", ".wmv", ".wtv", ".xvid", ".y4m"),
)
"""What files that FFmpeg opens as videos end with, in lower case; neither pictures nor raw pixels without a size."""

_AUDIO_ENDINGS = (
    *(".aac", ".ac3", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3"),
    *(".mpa", ".oga", ".ogg", ".opus", ".ra", ".wav", ".weba", ".wma", ".wv"),
)
# A name such as 2024.264 ends with a number, not with the ending of a raw stream.
_NUMBERS = (".264", ".265", ".266")
MEDIA_ENDINGS = tuple(ending for ending in (*VIDEO_ENDINGS, *_AUDIO_ENDINGS) if ending not in _NUMBERS)
"""What the name of a recording ends with, and the name of a video here does not."""
# What may stand behind the name of a video, or behind its ending, in the name of a feature file.
_ARRAY_ENDINGS = (".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".h5", ".hdf5", ".csv", ".gz")
_ADDRESS = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]+://|file:(?=/))(.*)", re.DOTALL)
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:|file:/|[A-Za-z][A-Za-z0-9+.-]+://")
_WORD = re.compile(r"[^\W\d_]{3}")
_NEAR = 0.6
"""How alike two names must be, of 1, for one to be suggested for the other."""

T = TypeVar("T")
Parts = tuple[str, ...]
"""A name in one of its forms: the folders of its path, then what the video is called."""


def media_name(text: str) -> str:
    """Return the video's name from the path or address of a recording: the last part, without a media ending."""
    name = PurePosixPath(_find_path(text).replace("\\", "/")).name.strip()
    return name[: -len(PurePosixPath(name).suffix)] if is_media(name) else name


def is_media(name: str) -> bool:
    """Say whether a name ends as a recording's does."""
    return PurePosixPath(name.strip()).suffix.lower() in MEDIA_ENDINGS


def normalize_name(text: str) -> str:
    """Return the key under which all forms of one name agree, of which two videos may have the same."""
    return _fold(text)[-1]


def describe_twins(videos: Iterable[str]) -> str | None:
    """Return a sentence on names that differ in spelling alone, such as `a` and `v_a`; None without any."""
    groups: dict[Parts, list[str]] = {}
    for video in videos:
        groups.setdefault(_fold(video), []).append(video)
    twins = [names for names in groups.values() if len(names) > 1]
    if not twins:
        return None
    first, second = twins[0][:2]
    # In two Unicode forms two names look the same.
    show = ascii if normalize("NFC", first) == normalize("NFC", second) else repr
    names = f"{show(first)} and {show(second)}"
    subject = "1 name of a video is" if len(twins) == 1 else f"{len(twins):,} names of videos are"
    return (
        f"{subject} spelled in two ways, and taken for two videos, such as {names}; if they are one, spell them alike"
    )


class NameIndex:
    """Finds the video that a name means among `videos`, exact forms before loose ones."""

    def __init__(self, videos: Iterable[str]) -> None:
        self.videos = dict.fromkeys(videos)
        self._levels: list[_Level] = []

    def find(self, name: str) -> str | None:
        """Find the only video that a name means; None where there is none, or no telling which of several."""
        return next(filter(None, (self.find_at(level, name) for level in range(LEVELS))), None)

    def find_at(self, level: int, name: str) -> str | None:
        """Find the only video that has the name in one form: 0 is the exact one, the last the loosest."""
        if level == 0:
            return name if name in self.videos else None
        while len(self._levels) < level:
            self._levels.append(_Level(self.videos, _FORMS[len(self._levels)]))
        return self._levels[level - 1].find(name)


class _Level:
    """The videos by their names in one form, and by every end of these, such as `a` of `cam1/a`."""

    def __init__(self, videos: Iterable[str], form: Callable[[str], Parts]) -> None:
        self._form = form
        self._whole: dict[Parts, list[str]] = {}
        self._ends: dict[Parts, list[str]] = {}
        for video in videos:
            parts = form(video)
            self._whole.setdefault(parts, []).append(video)
            for place in range(len(parts)):
                self._ends.setdefault(parts[place:], []).append(video)

    def find(self, name: str) -> str | None:
        parts = self._form(name)
        candidates = self._whole.get(parts) or self._ends.get(parts) or self._find_shorter(parts)
        if not candidates:
            # Folders of two disks say nothing, those of two names that both are relative do.
            last = self._ends.get(parts[-1:], [])
            candidates = [video for video in last if len(last) > 1 or _is_location(name) or _is_location(video)]
        return candidates[0] if len(candidates) == 1 else None

    def _find_shorter(self, parts: Parts) -> list[str] | None:
        """Find the videos whose whole name is the longest end of a path."""
        return next(filter(None, (self._whole.get(parts[place:]) for place in range(1, len(parts)))), None)


class NamedValues(Mapping[str, T]):
    """Values by video, each found under any form of the video's name."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values, self._index = values, NameIndex(values)

    def __getitem__(self, name: str) -> T:
        video = self._index.find(name)
        if video is None:
            raise KeyError(name)
        return self._values[video]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def match_names(names: Iterable[str], videos: Iterable[str]) -> dict[str, str]:
    """Return the video that each name means, of those that mean one.

    A name is looked up as it is; then without path and media ending, where folders only decide between videos of one
    name; then without `v_`, percent signs and the ending of an array; then in any case of its letters. A name that
    could mean two videos means none, and of names that mean one video only an exacter one gets it.
    """
    names, index = tuple(dict.fromkeys(names)), NameIndex(videos)
    matches: dict[str, str] = {}
    for level in range(LEVELS):
        found_at = {name: index.find_at(level, name) for name in names if name not in matches}
        counts, taken = Counter(found_at.values()), set(matches.values())
        for name, video in found_at.items():
            if video is not None and counts[video] == 1 and video not in taken:
                matches[name] = video
    return {name: matches[name] for name in names if name in matches}


def match_affixes(names: Iterable[str], videos: Iterable[str]) -> dict[str, str]:
    """Return the video that names mean which all have one text behind or before a video's, such as `_annotations`.

    Of several such texts, the one that most names have. Nothing where a single name has it, unless it is a word.
    """
    index = NameIndex(videos)
    groups: dict[tuple[str, bool], dict[str, str]] = {}
    for name in dict.fromkeys(names):
        for cut in re.finditer(r"[_\-. ]", name):
            for behind, part in ((True, name[: cut.start()]), (False, name[cut.end() :])):
                affix = name[cut.start() :] if behind else name[: cut.end()]
                if part and (video := index.find(part)):
                    groups.setdefault((affix.casefold(), behind), {})[name] = video
    clear = [
        matches
        for (affix, _), matches in groups.items()
        if len({*matches.values()}) == len(matches) and (len(matches) > 1 or _WORD.search(affix))
    ]
    return max(clear, key=len, default={})


def match_videos(names: Iterable[str], videos: Iterable[str]) -> dict[str, str]:
    """Return the video that each name means, see `match_names`, or where none means one, see `match_affixes`."""
    names, videos = tuple(names), tuple(videos)
    return match_names(names, videos) or match_affixes(names, videos)


def suggest_name(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is spelled most like a name; None where none is near."""
    keys = {normalize_name(candidate): candidate for candidate in candidates}
    near = get_close_matches(normalize_name(name), keys, 1, _NEAR)
    return keys[near[0]] if near else None


def describe_loose_matches(matches: Mapping[str, str]) -> str | None:
    """Return a sentence on the names that are not exactly those of their videos; None without any."""
    loose = [(name, video) for name, video in matches.items() if name != video]
    if not loose:
        return None
    subject = "1 video is" if len(loose) == 1 else f"{len(loose):,} videos are"
    first, second = loose[0]
    form = " in another Unicode form" if normalize("NFC", first) == normalize("NFC", second) else ""
    return f"{subject} spelled differently on the two sides, such as {first!r} and {second!r}{form}: taken as one"


def describe_rivals(name: str, videos: Iterable[str]) -> str | None:
    """Return a sentence on the videos that a name could mean; None unless there are two or more."""
    key = normalize_name(name)
    rivals = [video for video in videos if normalize_name(video) == key]
    if len(rivals) < 2:
        return None
    return f"{name!r} could mean {' or '.join(map(repr, rivals[:3]))}; give its folder or its ending"


def name_files(files: Iterable[Path]) -> dict[str, Path]:
    """Return files by the names of their videos, no two of which are one.

    A name is that of the file without its ending. Where two files share one (in any case of letters, as some disks
    have it), it is the path below the folder that all files are in, with the ending where that is all that differs.
    """
    files = {Path(os.path.abspath(file)): file for file in files}
    root = _find_common_folder([path.parent for path in files])
    whole = {path: path.relative_to(root).as_posix() if root else path.as_posix() for path in files}
    shared = Counter(_fold_case(path.stem) for path in files)
    names = {path: path.stem if shared[_fold_case(path.stem)] == 1 else _drop_suffix(whole[path]) for path in files}
    while len(counts := Counter(names.values())) < len(names):
        names = {path: name if counts[name] == 1 else whole[path] for path, name in names.items()}
    return {name: files[path] for path, name in names.items()}


def name_locations(locations: Iterable[str], videos: Mapping[str, object] = {}) -> dict[str, str]:
    """Return what the videos at several locations are called: as `media_name` says, or as they stand if none is one.

    Where recordings in several folders share a name, or `videos` know that one by its folder alone, it is the path
    below the folder that all of these are in. Two may still be called the same.
    """
    locations = tuple(dict.fromkeys(locations))
    names = {place: media_name(place) if is_media(place) else place for place in locations}
    shared = Counter(names.values())
    folders = {place: _split(_find_path(place))[:-1] for place in locations if is_media(place)}
    bare = {names[place] for place, inner in folders.items() if not inner}
    alike = [inner for place, inner in folders.items() if shared[names[place]] > 1]
    common = len(list(takewhile(lambda parts: len({*parts}) == 1, zip(*alike, strict=False))))
    for place, inner in folders.items():
        name = names[place]
        if shared[name] > 1 and name not in bare:
            names[place] = "/".join((*inner[common:], name))
        elif inner and name not in videos and place in videos:
            names[place] = f"{inner[-1]}/{name}"
    return names


def is_inner_path(name: str) -> bool:
    """Say whether a name can be that of a file in a folder, or in the folders inside it, and nowhere else."""
    return "\\" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _find_path(text: str) -> str:
    """Find the path in an address, percent signs decoded; any other text is one."""
    address = _ADDRESS.match(text.strip())
    return unquote(re.sub(r"[?#].*", "", address[1])) if address else text.strip()


def _split(path: str) -> Parts:
    """Split a path into parts; at least one."""
    parts = tuple(part.strip() for part in re.split(r"[/\\]", normalize("NFC", path)))
    return tuple(part for part in parts if part not in ("", ".", "..")) or ("",)


def _drop_path_and_ending(text: str) -> Parts:
    *folders, name = _split(_find_path(text))
    return (*folders, media_name(name))


def _drop_marks(text: str) -> Parts:
    *folders, name = _split(unquote(_find_path(text)))
    return (*folders, _drop_prefix(_drop_endings(name)))


def _fold(text: str) -> Parts:
    *folders, name = _split(_fold_case(unquote(_find_path(text))))
    name = _drop_endings(name)
    while (plain := _drop_prefix(name)) != name:
        name = plain  # v_v_abc is the file of a video whose own name begins with v_
    return (*folders, name)


_FORMS = (_drop_path_and_ending, _drop_marks, _fold)
"""How a name is compared that is not found as it stands, the exacter the earlier."""
LEVELS = 1 + len(_FORMS)
"""How many forms of a name there are, the exact one included."""


def _is_location(text: str) -> bool:
    """Say whether a name is where a recording lies, not just what it is called below some folder."""
    return is_media(text) or bool(_ABSOLUTE.match(text.strip()))


def _drop_endings(name: str) -> str:
    """Drop every ending of an array or a recording, such as both of `NAME.mp4.npy`."""
    while (suffix := PurePosixPath(name).suffix).lower() in (*MEDIA_ENDINGS, *_ARRAY_ENDINGS):
        name = name[: -len(suffix)].strip()
    return name


def _drop_prefix(name: str) -> str:
    return name.removeprefix(PREFIX) or name


def _fold_case(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())


def _drop_suffix(path: str) -> str:
    return path.removesuffix(PurePosixPath(path).suffix)


def _find_common_folder(folders: Sequence[PurePath]) -> str | None:
    """Find the folder that all folders are in; None for such as lie on several drives."""
    try:
        return os.path.commonpath(folders) if folders else None
    except ValueError:
        return None
