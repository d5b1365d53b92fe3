"""The annotations in a folder of videos: which files they are, told by reading them."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.convert import FORMATS, check_rate
from untrimmed.annotations.formats.base import Annotations
from untrimmed.annotations.formats.content import Hints
from untrimmed.annotations.sniff import BY_CONTENT, BY_ENDING, tell
from untrimmed.features.folder import MANIFEST
from untrimmed.io import BadInput
from untrimmed.project.names import matched, spellings

RESULTS = "activitynet-results"
RUN = "log.jsonl"
"""What tells the folder of a training run."""
WORDS = 7
"""At most so many candidates are named where there are several."""


class Reading(NamedTuple):
    """What to say of annotations where their content does not: their format, frames a second, the label's columns."""

    form: str | None = None
    fps: float | None = None
    label: str | None = None


class Candidate(NamedTuple):
    """A file or folder that may hold annotations, and its format."""

    path: Path
    form: str


class Found(NamedTuple):
    """Annotations, and the file or folder and the format that they were in."""

    path: Path
    form: str
    annotations: Annotations


def read_annotations_at(path: Path, lengths: Mapping[str, float], reading: Reading = Reading()) -> Found:
    """The annotations in a file or folder that was named; `lengths` are the videos' in seconds."""
    form = reading.form or tell(path)
    if form not in FORMATS:
        raise BadInput(f"no format {form!r}; there are {', '.join(FORMATS)}")
    return Found(path, form, _read(Candidate(path, form), lengths, reading))


def find_annotations(
    folder: Path, lengths: Mapping[str, float], reading: Reading = Reading(), without: Collection[Path] = ()
) -> Found:
    """The one file or folder below `folder` that annotates some of the videos; files in `without` are passed over.

    Raises BadInput where there is none, with what was wrong with the first that might have been one, and where
    there are several.
    """
    found, fault = [], None
    for group in _groups(folder, without):
        whole, reason = _usable(group[:1], lengths, reading)
        # A folder is one candidate where its files go together, else each of them is one.
        several, later = ([], None) if whole else _usable(group[1:], lengths, reading)
        found += whole or several
        fault = fault or later or (reason if len(group) == 1 else None)
    if len(found) > 1:
        names = ", ".join(str(one.path) for one in found[:WORDS])
        raise BadInput(f"{folder}: {len(found)} hold annotations of its videos: {names}; choose with --annotations")
    if not found:
        why = f" ({fault})" if fault else ""
        raise BadInput(f"{folder}: holds no annotations of its videos{why}; name their file with --annotations")
    return found[0]


def _usable(
    candidates: list[Candidate], lengths: Mapping[str, float], reading: Reading
) -> tuple[list[Found], str | None]:
    """Those that annotate some of the videos, and what was wrong with the first that cannot be read."""
    found, fault = [], None
    for one in candidates:
        try:
            annotations = _read(one, lengths, reading)
            if matched(annotations.timelines, lengths):
                found.append(Found(one.path, one.form, annotations))
        except BadInput as error:
            fault = fault or str(error)
    return found, fault


def _read(one: Candidate, lengths: Mapping[str, float], reading: Reading) -> Annotations:
    known = {spelling: length for video, length in lengths.items() for spelling in spellings(video)[::-1]}
    return FORMATS[one.form].read(one.path, Hints(check_rate(reading.fps), reading.label, {**known, **lengths}))


def _groups(folder: Path, without: Collection[Path]) -> Iterator[list[Candidate]]:
    """Files of one folder and one format, after the folder itself where there are several of them."""
    if (folder / MANIFEST).exists() or (folder / RUN).exists():
        return
    entries = sorted(entry for entry in folder.iterdir() if entry.name[0] != ".")
    if _is_thumos(folder):
        yield [Candidate(folder, "thumos")]
        return
    forms: dict[str, list[Candidate]] = {}
    passed = {path.resolve() for path in without}
    for file in entries:
        if file.is_file() and file.resolve() not in passed and (form := _form(file)):
            forms.setdefault(form, []).append(Candidate(file, form))
    for form, files in forms.items():
        yield [Candidate(folder, form), *files] if len(files) > 1 else files
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _groups(entry, without)


def _is_thumos(folder: Path) -> bool:
    try:
        return tell(folder) == "thumos"
    except BadInput:
        return False


def _form(file: Path) -> str | None:
    """The format of a file of annotations; None for what is none, as far as its name and first line say."""
    ending = Path(file.name.lower().removesuffix(".gz")).suffix
    if ending not in (*BY_ENDING, *BY_CONTENT):
        return None
    if not file.stat().st_size:
        return None
    try:
        form = tell(file)
    except BadInput:
        return None
    return None if form == RESULTS else form
