"""BENTO's and MARS' `.annot`: one recording a file, channels of behaviours with their bouts, in seconds or frames."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Hints, Row
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.json_parts import to_positive
from untrimmed.annotations.formats.labels import tidy_label
from untrimmed.annotations.formats.text import parse_number, read_any_text
from untrimmed.annotations.formats.tiers import choose_tiers
from untrimmed.io import BadInput
from untrimmed.video.names import media_name

FIRST_LINES = ("bento annotation file", "tracergui annotation file")
"""How such a file begins, in lower case; the second is its former name."""

_CHANNEL = re.compile(r"(.*?)-{5,}\s*")
_MOVIE = re.compile(r"(\S.*?\.(?:seq|avi|mp4|mpg|mpeg|mov|mkv|m4v|wmv|webm|tif|tiff))(?=\s|$)", re.IGNORECASE)


class Bout(NamedTuple):
    """One line of numbers of a behaviour on a channel, as they stand."""

    channel: str
    behavior: str
    start: str
    stop: str


def holds_bento_bouts(text: str) -> bool:
    """Say whether a text begins as a file of BENTO."""
    return text.lstrip().partition("\n")[0].strip().lower() in FIRST_LINES


def read_bento(path: Path, hints: Hints) -> FileContent:
    """Read the bouts of all channels, or of those that `hints.tiers` names.

    Times with a decimal point are seconds, as BENTO itself takes them; whole numbers are frames counted from 1, both
    ends in, at the rate that the file states. Raises BadInput where the file does not begin as one of BENTO, for a
    line that cannot be read, and for frames of which nobody states how many a second there are.
    """
    text = read_any_text(path)
    if not holds_bento_bouts(text):
        raise BadInput(f"{path}: does not begin with 'Bento annotation file'; a file of BENTO was expected")
    lines = text.split("\n")
    heads = _read_heads(lines)
    bouts = _read_bouts(path, lines)
    counts = Counter(bout.channel for bout in bouts)
    channels = choose_tiers(path, "channel", counts, hints.tiers)
    in_frames = not any("." in bout.start + bout.stop for bout in bouts)
    rate = hints.fps or to_positive(parse_number(heads.get("annotation framerate", "")))
    if in_frames and bouts and rate is None:
        raise BadInput(f"{path}: counts in frames and states no rate; give frames a second (fps=30, --fps 30)")
    rows = [_read_row(path, bout, rate if in_frames else None) for bout in bouts if bout.channel in channels.names]
    movies = _MOVIE.findall(heads.get("movie file(s)", ""))
    video = re.sub(r"\.(?:seq|tiff?)$", "", media_name(movies[0]), flags=re.IGNORECASE) if movies else path.stem
    notes = [*channels.notes]
    if in_frames and bouts:
        notes.append(f"times are frames counted from 1, at {rate:g} a second")
    if len(movies) > 1:
        notes.append(f"{len(movies)} movies show the same; the video is called as the first, {movies[0]!r}")
    start = parse_number(heads.get("annotation start frame", ""))
    if start is not None and start > 1:
        notes.append(f"annotated from frame {start:g} on alone; nothing is known of what is before")
    length = _find_length(heads, rate)
    durations = {video: length} if length and video not in hints.durations else {}
    return FileContent({video: rows}, durations, notes=tuple(notes))


def _read_heads(lines: list[str]) -> dict[str, str]:
    """Read the lines `name: value` at the top; a value may stand on the line after its name."""
    heads: dict[str, str] = {}
    for number, line in enumerate(lines):
        if line.strip().lower() in ("list of channels:", "list of annotations:"):
            break
        name, mark, value = line.partition(":")
        if mark:
            following = lines[number + 1] if number + 1 < len(lines) else ""
            heads.setdefault(name.strip().lower(), value.strip() or following.strip())
    return heads


def _read_bouts(path: Path, lines: list[str]) -> list[Bout]:
    """Read what stands below the first line of a channel and a row of dashes."""
    bouts: list[Bout] = []
    channel = behavior = None
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if match := _CHANNEL.fullmatch(line):
            channel, behavior = match[1].strip() or "channel", None
        elif channel is None or not words or words[0].lower() == "start":
            continue
        elif line.lstrip().startswith(">"):
            behavior = line.strip()[1:].strip()
        elif behavior is None or len(words) < 2:
            raise BadInput(f"{path}: line {number} is {line.strip()[:40]!r}; '>behaviour' or two times were expected")
        else:
            bouts.append(Bout(channel, behavior, words[0], words[1]))
    return bouts


def _read_row(path: Path, bout: Bout, rate: float | None) -> Row:
    start, stop = parse_number(bout.start), parse_number(bout.stop)
    if start is None or stop is None:
        raise BadInput(
            f"{path}: {bout.behavior!r} has a bout from {bout.start[:20]!r} to {bout.stop[:20]!r}; "
            "numbers were expected"
        )
    if rate is not None:
        start, stop = (start - 1) / rate, stop / rate
    return Row(start, stop, tidy_label(bout.behavior))


def _find_length(heads: dict[str, str], rate: float | None) -> float | None:
    """Find how many seconds the file says it is annotated for."""
    if seconds := to_positive(parse_number(heads.get("annotation stop time", ""))):
        return seconds
    frames = to_positive(parse_number(heads.get("annotation stop frame", "")))
    return frames / rate if frames and rate else None
