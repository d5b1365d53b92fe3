"""Praat's TextGrid: one recording a file, tiers of intervals that fill it, without overlap within a tier."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from untrimmed.annotations.annotations import Dropped, Hints, Row, format_count
from untrimmed.annotations.formats.content import FileContent
from untrimmed.annotations.formats.json_parts import to_number, to_positive
from untrimmed.annotations.formats.labels import assign_lanes, tidy_label
from untrimmed.annotations.formats.text import read_any_text
from untrimmed.annotations.formats.tiers import choose_tiers
from untrimmed.io import BadInput, write_text
from untrimmed.timeline import Timeline

# Praat reads numbers that stand free, quoted texts and <flags>, and passes over all else: so the long form of a
# file, with its names, says the same to it as the short one.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(\w+)>|(?<!\S)(-?\d\S*)(?!\S)|![^\n]*')


class Tokens:
    """The tokens of a TextGrid in order. Every method that reads one raises BadInput for another token or none."""

    def __init__(self, path: Path) -> None:
        self._path, self._tokens = path, _split_tokens(read_any_text(path))
        self._next: tuple[str, str] | None = None

    def read(self, kind: str) -> str:
        """Read the next token, of that kind."""
        if self.find_kind() is None:
            raise BadInput(f"{self._path}: ends early; save it again as a TextGrid")
        (token_kind, value), self._next = self._next or ("", ""), None
        return value if token_kind == kind else self._refuse(value, kind)

    def find_kind(self) -> str | None:
        """Find the kind of the next token, which stays; None at the end."""
        self._next = self._next or next(self._tokens, None)
        return self._next and self._next[0]

    def read_number(self) -> float:
        """Read the next token, a number."""
        word = self.read("number")
        number = to_number(word)
        return self._refuse(word, "number") if number is None else number

    def read_count(self) -> int:
        """Read the next token, a whole number."""
        count = self.read_number()
        return int(count) if count.is_integer() and count >= 0 else self._refuse(str(count), "whole number")

    def _refuse(self, value: str, kind: str) -> NoReturn:
        raise BadInput(f"{self._path}: has {value[:40]!r} where a {kind} was expected; save it again as a TextGrid")


def read_textgrid(path: Path, hints: Hints) -> FileContent:
    """Read the intervals of all tiers that have a text, in the long form or the short; points are dropped.

    `hints.tiers` names the tiers to read. The video is called as the file. Raises BadInput for a file that is no
    TextGrid or ends early.
    """
    tokens = Tokens(path)
    if [tokens.read("text") for _ in range(2)] != ["ooTextFile", "TextGrid"]:
        raise BadInput(f"{path}: does not begin as a TextGrid; save it from Praat as a text file")
    _, duration = tokens.read_number(), tokens.read_number()
    if tokens.read("flag") != "exists":
        raise BadInput(f"{path}: has no tiers; add one of intervals")
    lanes: dict[str, list[Row]] = {}
    points: dict[str, list[Dropped]] = {}
    surplus: list[str] = []
    stated_tiers, number = tokens.read_count(), 0
    while number < stated_tiers or tokens.find_kind():
        number += 1
        kind, name = tokens.read("text"), tokens.read("text").strip()
        lane = lanes.setdefault(name, [])
        _, _, stated = tokens.read_number(), tokens.read_number(), tokens.read_count()
        rows = list(_read_intervals(tokens, stated, has_ends=kind != "TextTier"))
        if len(rows) > stated:
            surplus.append(f"tier {name!r} states {stated} and has {len(rows)}")
        if kind == "TextTier":
            listed = (Dropped(path.stem, *row[:2], tidy_label(row.label), "is a point in time") for row in rows)
            points.setdefault(name, []).extend(listed)
        else:
            lane += (row._replace(label=tidy_label(row.label)) for row in rows if row.label)
    surplus += [f"the file states {format_count(stated_tiers, 'tier')} and has {number}"] * (number > stated_tiers)
    counts = {name: len(lane) + len(points.get(name, ())) for name, lane in lanes.items()}
    names, notes = choose_tiers(path, "tier", counts, hints.tiers)
    rows = [row for name in names for row in lanes[name]]
    dropped = tuple(row for name in names for row in points.get(name, ()))
    length = to_positive(duration)
    if surplus:
        notes = (*notes, f"more is read than the file says it has: {'; '.join(surplus)}")
    return FileContent({path.stem: rows}, {path.stem: length} if length else {}, dropped=dropped, notes=notes)


def _read_intervals(tokens: Tokens, stated: int, *, has_ends: bool) -> Iterator[Row]:
    """Read the intervals or points of a tier: as many as it states, and whatever follows them."""
    number = 0
    while number < stated or tokens.find_kind() == "number":
        number += 1
        start = tokens.read_number()
        yield Row(start, tokens.read_number() if has_ends else start, tokens.read("text").strip())


def write_textgrid(path: Path, video: str, timeline: Timeline, fps: float | None) -> None:
    """Write one video's actions with all digits, in the long form; what overlaps goes to further tiers."""
    rows = (Row(float(a.start), float(a.end), a.label) for a in timeline.actions)
    tiers = assign_lanes(rows) or [[]]
    # An interval tier reaches to the end of the file, whatever a video's stated length.
    end = max([float(timeline.duration), *(row.end for lane in tiers for row in lane)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end!r}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, lane in enumerate(tiers, start=1):
        name = "actions" if number == 1 else f"actions {number}"
        intervals = list(_fill_gaps(lane, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end!r}", f"        intervals: size = {len(intervals)}"]
        for index, row in enumerate(intervals, start=1):
            text = row.label.replace('"', '""')
            lines += [f"        intervals [{index}]:", f"            xmin = {row.start!r}"]
            lines += [f"            xmax = {row.end!r}", f'            text = "{text}"']
    write_text(path, "\n".join(lines) + "\n")


def _fill_gaps(lane: list[Row], end: float) -> Iterator[Row]:
    """Yield the rows with empty ones between them, from 0 to the end."""
    reached = 0.0
    for row in lane:
        if row.start > reached:
            yield Row(reached, row.start, "")
        yield row
        reached = row.end
    if reached < end:
        yield Row(reached, end, "")


def _split_tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind (text, number or flag) and the value of every token."""
    for match in _TOKEN.finditer(text):
        if match[1] is not None:
            yield "text", match[1].replace('""', '"')
        elif match[2] or match[3]:
            yield ("flag", match[2]) if match[2] else ("number", match[3])
