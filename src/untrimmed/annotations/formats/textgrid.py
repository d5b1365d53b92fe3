"""Praat's TextGrid: one recording a file, tiers of intervals that fill it, without overlap within a tier."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from untrimmed.annotations.formats.base import Dropped, Row
from untrimmed.annotations.formats.content import Content, Hints
from untrimmed.annotations.formats.json_parts import positive_or_none
from untrimmed.annotations.formats.labels import lanes, tidy
from untrimmed.annotations.formats.text import read_any_text
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

# Praat reads numbers that stand free, quoted texts and <flags>, and passes over all else: so the long form of a
# file, with its names, says the same to it as the short one.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|(?<!\S)(-?\d\S*)(?!\S)|![^\n]*')


class Token(NamedTuple):
    """A text, a number or a flag, by `kind`."""

    kind: str
    value: str


def read_textgrid(path: Path, hints: Hints) -> Content:
    """The intervals of all tiers that have a text, in the long form or the short; points are dropped.

    The video is called as the file. Raises BadInput for a file that is no TextGrid or ends early.
    """
    tokens = _tokens(read_any_text(path))
    if [_next(path, tokens, "text") for _ in range(2)] != ["ooTextFile", "TextGrid"]:
        raise BadInput(f"{path}: does not begin as a TextGrid; save it from Praat as a text file")
    _, duration = (_number(path, tokens) for _ in range(2))
    if _next(path, tokens, "flag") != "exists":
        raise BadInput(f"{path}: has no tiers; add one of intervals")
    rows: list[Row] = []
    dropped: list[Dropped] = []
    for _ in range(_count(path, tokens)):
        kind, _ = (_next(path, tokens, "text") for _ in range(2))
        _, _, count = _number(path, tokens), _number(path, tokens), _count(path, tokens)
        for _ in range(count):
            start = _number(path, tokens)
            end = start if kind == "TextTier" else _number(path, tokens)
            label = _next(path, tokens, "text").strip()
            if kind == "TextTier":
                dropped.append(Dropped(path.stem, start, end, tidy(label), "is a point in time"))
            elif label:
                rows.append(Row(start, end, tidy(label)))
    length = positive_or_none(duration)
    return Content({path.stem: rows}, {path.stem: length} if length else {}, dropped=tuple(dropped))


def write_textgrid(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions with all digits, in the long form; what overlaps goes to further tiers."""
    rows = (Row(float(a.start), float(a.end), a.label) for a in timeline.actions)
    tiers = lanes(rows) or [[]]
    # An interval tier reaches to the end of the file, whatever a video's stated length.
    end = max([float(timeline.duration), *(row.end for lane in tiers for row in lane)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end!r}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, lane in enumerate(tiers, start=1):
        name = "actions" if number == 1 else f"actions {number}"
        filled = list(_filled(lane, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end!r}", f"        intervals: size = {len(filled)}"]
        for place, row in enumerate(filled, start=1):
            text = row.label.replace('"', '""')
            lines += [f"        intervals [{place}]:", f"            xmin = {row.start!r}"]
            lines += [f"            xmax = {row.end!r}", f'            text = "{text}"']
    write_text(path, "\n".join(lines) + "\n")


def _filled(lane: list[Row], end: float) -> Iterator[Row]:
    """The rows with empty ones between them, from 0 to the end."""
    reached = 0.0
    for row in lane:
        if row.start > reached:
            yield Row(reached, row.start, "")
        yield row
        reached = row.end
    if reached < end:
        yield Row(reached, end, "")


def _tokens(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        if found[1] is not None:
            yield Token("text", found[1].replace('""', '"'))
        elif found[2] or found[3]:
            yield Token("flag", found[2]) if found[2] else Token("number", found[3])


def _next(path: Path, tokens: Iterator[Token], kind: str) -> str:
    token = next(tokens, None)
    if token is None:
        raise BadInput(f"{path}: ends early; save it again as a TextGrid")
    if token.kind != kind:
        _refuse(path, token, kind)
    return token.value


def _number(path: Path, tokens: Iterator[Token]) -> float:
    word = _next(path, tokens, "number")
    try:
        return float(word)
    except ValueError:
        _refuse(path, Token("number", word), "number")


def _count(path: Path, tokens: Iterator[Token]) -> int:
    count = _number(path, tokens)
    if not count.is_integer() or count < 0:
        _refuse(path, Token("number", str(count)), "whole number")
    return int(count)


def _refuse(path: Path, token: Token, kind: str) -> NoReturn:
    raise BadInput(f"{path}: has {token.value[:40]!r} where a {kind} was expected; save it again as a TextGrid")
