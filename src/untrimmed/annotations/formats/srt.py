"""SRT subtitles in and out: one video a file, a cue an action, to the millisecond. WebVTT shares their cues."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.annotations import Hints, Row, format_count
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.labels import CUE_MARK, UNNAMED, round_action, tidy_label
from untrimmed.annotations.formats.text import format_clock, parse_seconds, read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

_PERCENT = re.compile(r" \((\d{1,3}) %\)$")
# Parts of WebVTT that are no cues.
_NO_CUE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:[ \t]|$)")
# Players read these as the marks of styles; `-->` would be read as a time.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})


def read_srt(path: Path, hints: Hints) -> FileContent:
    """Read the cues of a file, which gives the video its name; their text without marks of styles is the label."""
    text = read_any_text(path)
    cues = read_cues(path, text, CUE_MARK)
    if text.strip() and not cues.rows:
        raise BadInput(f"{path}: has no cue with a text; lines like '00:00:01,000 --> 00:00:02,000' were expected")
    return FileContent(
        {path.stem: [row._replace(label=tidy_label(row.label)) for row in cues.rows]}, notes=cues.notes
    )


def write_srt(
    path: str | Path, video: str, timeline: Timeline, fps: float | None = None, *, scores: bool = False
) -> None:
    """Write one video's actions as cues that hold the label alone, so that reading gives it back.

    With `scores` they are for people: `label (87 %)`, and nothing in a label can end a cue or style it.
    """
    # A cue without length would never be shown: rounding leaves each a millisecond at least.
    rows = [round_action(action, 1000) for action in timeline.actions]
    cues = map(_add_score, rows) if scores else sorted(rows)
    blocks = [
        f"{number}\n{format_clock(cue.start / 1000, ',')} --> {format_clock(cue.end / 1000, ',')}\n{cue.label}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    write_text(Path(path), "\n".join(blocks))


def _add_score(row: Row) -> Row:
    printable = "".join(letter if letter.isprintable() else " " for letter in row.label)
    label = " ".join(printable.translate(_HARMLESS).split()) or UNNAMED
    return row._replace(label=f"{label} ({100 * row.score:.0f} %)")


class Cues(NamedTuple):
    """The cues that have a text, and sentences on the blocks and marks that are left out."""

    rows: list[Row]
    notes: tuple[str, ...]


class _Block(NamedTuple):
    """Lines without an empty one among them, and the number of the first."""

    number: int
    lines: list[str]


def read_cues(path: Path, text: str, marks: re.Pattern[str], decode: Callable[[str], str] = str) -> Cues:
    """Read the cues that have a text without `marks`, decoded; where each ends like `(87 %)`, as we write detections,
    that is its score.

    Blocks without a time and cues without a text are left out, and noted. Raises BadInput for a time that cannot be
    read.
    """
    cues: list[Row] = []
    untimed: list[str] = []
    empty: list[str] = []
    marked: list[str] = []
    for block in _split_blocks(text):
        cue = _parse_cue(path, block)
        if cue is None:
            untimed += [] if text.startswith("WEBVTT") and _NO_CUE.match(block.lines[0]) else [_describe_block(block)]
            continue
        if marks.search(cue.label):
            marked.append(repr(cue.label.strip()[:60]))
        if label := decode(marks.sub("", cue.label)).strip():
            cues.append(cue._replace(label=label))
        else:
            empty.append(_describe_block(block))
    counts = (
        (untimed, "block without a time like '00:00:01,000 --> 00:00:02,000' is", "blocks without a time are"),
        (empty, "cue without a text is", "cues without a text are"),
    )
    notes = [f"{format_count(len(blocks), *words)} left out, {_lead(blocks)}" for blocks, *words in counts if blocks]
    if marked:
        notes.append(
            f"marks of styles or voices are removed from {format_count(len(marked), 'label')}, {_lead(marked)}"
        )
    return Cues(_take_scores(cues), tuple(notes))


def _take_scores(cues: list[Row]) -> list[Row]:
    percents = [_PERCENT.search(cue.label) for cue in cues]
    if not all(percents):
        return cues
    scored = zip(cues, percents, strict=True)
    return [Row(c.start, c.end, c.label[: p.start()].strip(), int(p[1]) / 100) for c, p in scored if p]


def _split_blocks(text: str) -> Iterator[_Block]:
    """Split a text at empty lines."""
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            lines.append(line)
        elif lines:
            yield _Block(number - len(lines), lines)
            lines = []


def _parse_cue(path: Path, block: _Block) -> Row | None:
    """Parse a cue, whose second line at the latest has its times; None for another block."""
    number = next((number for number, line in enumerate(block.lines[:2]) if "-->" in line), None)
    if number is None:
        return None
    first, _, second = block.lines[number].partition("-->")
    # Behind the end there may be settings of where to show the cue.
    start, end = parse_seconds(first), parse_seconds((second.split() or [""])[0])
    if start is None or end is None:
        raise BadInput(
            f"{path}: line {block.number + number} has {block.lines[number][:60]!r}; two times like 00:01:02.500 "
            "were expected"
        )
    return Row(start, end, "\n".join(block.lines[number + 1 :]))


def _describe_block(block: _Block) -> str:
    return f"in line {block.number}: {' / '.join(block.lines)[:60]!r}"


def _lead(examples: list[str]) -> str:
    return examples[0] if len(examples) == 1 else f"the first {examples[0]}"
