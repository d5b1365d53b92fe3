"""Which format a file or folder is in, sniffed from its ending and, where that says too little, its content."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from untrimmed.annotations.formats.csv_table import DELIMITERS
from untrimmed.annotations.formats.frame_labels import ENDINGS as FRAME_ENDINGS
from untrimmed.annotations.formats.frame_labels import holds_frame_labels, holds_frame_ranges
from untrimmed.annotations.formats.published import (
    holds_captions,
    holds_localisations,
    holds_moments,
    holds_sentences,
)
from untrimmed.annotations.formats.text import parse_number, read_any_text
from untrimmed.annotations.formats.thumos import SUBSETS, holds_class_files
from untrimmed.io import BadInput, missing, read_json

BY_ENDING = {
    ".eaf": "elan",
    ".boris": "boris",
    ".xml": "cvat",
    ".textgrid": "textgrid",
    ".srt": "srt",
    ".vtt": "vtt",
    ".tsv": "table",
}
"""Endings that say everything."""

PUBLISHED = {"ego4d": holds_moments, "captions": holds_captions, "perception-test": holds_localisations}
"""Forms of JSON that one data set has."""

BY_CONTENT = (".json", ".csv", ".txt")

BY_WRITTEN_ENDING = {**BY_ENDING, ".json": "activitynet", ".csv": "table", ".txt": "audacity"}
"""What is written where nobody names another format."""


def sniff_format(path: str | Path) -> str:
    """Return the name of the format that a file or folder is in. Raises BadInput where nothing fits."""
    path = Path(path)
    if not path.exists():
        raise missing(path, "file or folder of annotations")
    if path.is_dir():
        return _sniff_folder(path)
    ending = _find_ending(path)
    if ending in FRAME_ENDINGS and holds_frame_labels(path):
        return "frame-labels"
    if ending in BY_ENDING:
        return BY_ENDING[ending]
    if ending == ".json":
        return _sniff_json(read_json(path))
    if ending == ".csv":
        columns = {cell.strip(' "') for cell in _read_first_line(path).split(",")}
        if {"start_timestamp", "verb", "noun"} <= columns:
            return "epic"
        return "charades" if {"id", "actions", "length"} <= columns else "table"
    if ending == ".txt":
        return _sniff_text(path)
    endings = ", ".join((*BY_ENDING, *BY_CONTENT))
    raise BadInput(f"{path}: ends in none of {endings}; say which format it is in with --from")


def choose_written_format(path: str | Path) -> str:
    """Return the name of the format to write at a path. Raises BadInput where the ending says none."""
    ending = _find_ending(Path(path))
    if ending not in BY_WRITTEN_ENDING:
        raise BadInput(f"{path}: ends in none of {', '.join(BY_WRITTEN_ENDING)}; say which format to write with --to")
    return BY_WRITTEN_ENDING[ending]


def _find_ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _sniff_folder(path: Path) -> str:
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."]
    if any(file.suffix == ".txt" and file.stem.rpartition("_")[2] in SUBSETS for file in files):
        return "thumos"
    if holds_frame_labels(path):
        return "frame-labels"
    if holds_frame_ranges(path):
        return "frame-ranges"
    if holds_class_files(path):
        return "multithumos"
    formats = {sniff_format(file) for file in files if file.suffix.lower() in (*BY_ENDING, *BY_CONTENT)}
    if len(formats) == 1:
        return formats.pop()
    content = f"files of {' and '.join(sorted(formats))}" if formats else "no file of annotations"
    raise BadInput(f"{path}: holds {content}; name a file, or the format with --from")


def _sniff_json(content: Any) -> str:
    if isinstance(content, list):
        return "labelstudio"
    keys: Mapping[str, Any] = content if isinstance(content, dict) else {}
    for name, holds in PUBLISHED.items():
        if holds(keys):
            return name
    if "results" in keys and "database" not in keys:
        return "activitynet-results"
    if "behaviors_conf" in keys:
        return "boris"
    return "via" if {"metadata", "file", "view"} <= set(keys) else "activitynet"


def _sniff_text(path: Path) -> str:
    line = _read_first_line(path)
    times = line.split("\t")[:2]
    if len(times) == 2 and all(parse_number(word) is not None for word in times):
        return "audacity"
    if holds_sentences(path):
        return "charades-sta"
    if holds_frame_ranges(path):
        return "frame-ranges"
    if holds_class_files(path):
        return "multithumos"
    if any(delimiter in line for delimiter in DELIMITERS):
        return "table"
    # An empty track of labels is an empty file.
    if not line:
        return "audacity"
    raise BadInput(f"{path}: is neither a table nor labels of Audacity; say which format it is in with --from")


def _read_first_line(path: Path) -> str:
    return read_any_text(path).lstrip("\n").partition("\n")[0]
