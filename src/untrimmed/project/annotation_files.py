"""The annotations in a folder of videos: which files they are, found by reading them."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Annotations, Hints
from untrimmed.annotations.convert import find_format
from untrimmed.annotations.sniff import BY_CONTENT, BY_ENDING, sniff_format
from untrimmed.features.folder import MANIFEST
from untrimmed.io import BadInput
from untrimmed.project.names import match_names

RESULTS = "activitynet-results"
RUN = "log.jsonl"
"""A file of every folder of a training run."""
MOST_NAMED = 7
"""Files that an error names where more than one would do."""


class AnnotationFile(NamedTuple):
    """Annotations, and the file or folder and the format that they were in."""

    path: Path
    format: str
    annotations: Annotations


class Candidate(NamedTuple):
    """A file or folder that may hold annotations, and its format."""

    path: Path
    format: str


def read_annotation_file(path: Path, format: str, hints: Hints) -> AnnotationFile:
    """Read the annotations in a file or folder of a format."""
    return AnnotationFile(path, format, find_format(format).read(path, hints))


def search_annotations(
    folder: Path, videos: Collection[str], hints: Hints, skip: Collection[Path] = ()
) -> AnnotationFile:
    """Find the only file or folder below `folder` that annotates some of the videos; files in `skip` are skipped.

    Raises BadInput where there is none, with what was wrong with the first that might have been one, and where
    there is more than one.
    """
    files: list[AnnotationFile] = []
    faults: list[str] = []
    for group in _group_candidates(folder, skip):
        results = [_read_candidate(group[0], videos, hints)]
        # A folder is one candidate where its files go together, else each of them is one.
        if len(group) > 1 and not isinstance(results[0], AnnotationFile):
            results = [_read_candidate(candidate, videos, hints) for candidate in group[1:]]
        files += [result for result in results if isinstance(result, AnnotationFile)]
        faults += [result for result in results if isinstance(result, str)]
    if len(files) > 1:
        names = ", ".join(str(file.path) for file in files[:MOST_NAMED])
        raise BadInput(f"{folder}: {len(files)} hold annotations of its videos: {names}; choose with --annotations")
    if not files:
        reason = f" ({faults[0]})" if faults else ""
        raise BadInput(f"{folder}: holds no annotations of its videos{reason}; name their file with --annotations")
    return files[0]


def _read_candidate(candidate: Candidate, videos: Collection[str], hints: Hints) -> AnnotationFile | str | None:
    """Return annotations of some of the videos, None where they are of others, a sentence where they are broken."""
    try:
        file = read_annotation_file(*candidate, hints)
        return file if match_names(file.annotations.timelines, videos) else None
    except BadInput as error:
        return str(error)


def _group_candidates(folder: Path, skip: Collection[Path]) -> Iterator[list[Candidate]]:
    """Group the files of each folder by format, with the folder itself before two files or more."""
    if (folder / MANIFEST).exists() or (folder / RUN).exists():
        return
    if _sniff(folder) == "thumos":
        yield [Candidate(folder, "thumos")]
        return
    entries = sorted(entry for entry in folder.iterdir() if entry.name[0] != ".")
    skipped = {path.resolve() for path in skip}
    groups: dict[str, list[Candidate]] = {}
    for file in entries:
        if file.is_file() and file.resolve() not in skipped and (name := _sniff_file(file)):
            groups.setdefault(name, []).append(Candidate(file, name))
    for name, files in groups.items():
        yield [Candidate(folder, name), *files] if len(files) > 1 else files
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _group_candidates(entry, skip)


def _sniff_file(file: Path) -> str | None:
    """Return the format of a file of annotations; None where its name and first line name none."""
    ending = Path(file.name.lower().removesuffix(".gz")).suffix
    if ending not in (*BY_ENDING, *BY_CONTENT) or not file.stat().st_size:
        return None
    name = _sniff(file)
    return None if name == RESULTS else name


def _sniff(path: Path) -> str | None:
    try:
        return sniff_format(path)
    except BadInput:
        return None
