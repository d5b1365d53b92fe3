"""Which format a file or folder is in, told by its ending and, where that says too little, by its content."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from untrimmed.annotations.formats.delimited import MARKS
from untrimmed.annotations.formats.text import number_in, read_any_text
from untrimmed.annotations.formats.thumos import SUBSETS
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

BY_CONTENT = (".json", ".csv", ".txt")

WRITTEN = {**BY_ENDING, ".json": "activitynet", ".csv": "table", ".txt": "audacity"}
"""What is written where nobody asks for another format."""


def tell(path: Path) -> str:
    """The name of the format that a file or folder is in. Raises BadInput where nothing fits."""
    path = Path(path)
    if not path.exists():
        raise missing(path, "file or folder of annotations")
    if path.is_dir():
        return _folder(path)
    name = path.name.lower().removesuffix(".gz")
    ending = Path(name).suffix
    if ending in BY_ENDING:
        return BY_ENDING[ending]
    if ending == ".json":
        return _json(read_json(path))
    if ending == ".csv":
        return _table(path)
    if ending == ".txt":
        return _text(path)
    known = ", ".join((*BY_ENDING, *BY_CONTENT))
    raise BadInput(f"{path}: ends in none of {known}; say which format it is in with --from")


def tell_written(path: Path) -> str:
    """The name of the format to write at a path. Raises BadInput where the ending says none."""
    ending = Path(Path(path).name.lower().removesuffix(".gz")).suffix
    if ending not in WRITTEN:
        raise BadInput(f"{path}: ends in none of {', '.join(WRITTEN)}; say which format to write with --to")
    return WRITTEN[ending]


def _folder(path: Path) -> str:
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."]
    if any(file.suffix == ".txt" and file.stem.rpartition("_")[2] in SUBSETS for file in files):
        return "thumos"
    known = [file for file in files if file.suffix.lower() in (*BY_ENDING, *BY_CONTENT)]
    names = sorted({tell(file) for file in known})
    if len(names) == 1:
        return names[0]
    found = f"files of {' and '.join(names)}" if names else "no file of annotations"
    raise BadInput(f"{path}: holds {found}; name a file, or the format with --from")


def _json(content: Any) -> str:
    if isinstance(content, list):
        return "labelstudio"
    keys: Mapping[str, Any] = content if isinstance(content, dict) else {}
    if "results" in keys and "database" not in keys:
        return "activitynet-results"
    if "behaviors_conf" in keys:
        return "boris"
    return "via" if {"metadata", "file", "view"} <= set(keys) else "activitynet"


def _table(path: Path) -> str:
    columns = {cell.strip(' "') for cell in _first_line(path).split(",")}
    if {"start_timestamp", "verb", "noun"} <= columns:
        return "epic"
    return "charades" if {"id", "actions", "length"} <= columns else "table"


def _text(path: Path) -> str:
    line = _first_line(path)
    times = line.split("\t")[:2]
    if len(times) == 2 and all(number_in(word) is not None for word in times):
        return "audacity"
    if any(mark in line for mark in MARKS):
        return "table"
    # An empty track of labels is an empty file.
    if not line:
        return "audacity"
    raise BadInput(f"{path}: is neither a table nor labels of Audacity; say which format it is in with --from")


def _first_line(path: Path) -> str:
    return read_any_text(path).lstrip("\n").partition("\n")[0]
