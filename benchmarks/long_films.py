"""Untrimmed videos composed of real films: bursts of gestures, and between them stretches of other films.

Every film is cut in time into a part to learn from, one for validation and one to test with, `GAP` apart, so that no
snippet is in two of them. The film of gestures has 17 to learn from, 7 (of three classes) for validation and 13 to
test with. What is longer than the parts repeats them: gestures between other neighbours, content cut elsewhere and in
another order.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from long_days import SIDES, Stretch, cut_content, draw_content

from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.videos import extract
from untrimmed.features.folder import FeatureFolder
from untrimmed.timeline import Action, Timeline
from untrimmed.video.sampling import sample_frames
from untrimmed.video.writer import write_video


class Film(NamedTuple):
    """A film, and the seconds at which the parts of the sides begin and end."""

    file: str
    borders: tuple[float, float, float, float]


GESTURES = "suturing"
FILMS = {
    GESTURES: Film("vts_P016_balloon2_160x120_10fps.mp4", (0, 68.0, 86.2, 130.2)),
    "visits": Film("one-by-one-person-detection.mp4", (0, 47.6, 72.2, 139.4)),
    "signs": Film("asl_untrimmed.mp4", (0, 15.4, 23.4, 44)),
    "marshalling": Film("marshalling_3actions.avi", (0, 8.4, 12.4, 24)),
    "highjump": Film("highjump.mp4", (0, 9, 13, 24)),
    "tennis": Film("tennis26.mp4", (0, 4, 6, 11.2)),
}
FPS, FRAMES, SIZE = 5.0, 10.0, (240, 180)
"""Snippets a second, frames a second, pixels of all films."""
GAP = 0.4
"""Seconds between the parts of a film, of which nobody sees anything."""
BURST = 6
"""Gestures in a row, at the most."""
CONTEXT = 1.0
"""Seconds before and after a burst, as far as they are free of other gestures."""


class Piece(NamedTuple):
    """A stretch of a film with its actions, in seconds from its beginning; content has none."""

    stretch: Stretch
    actions: tuple[Action, ...] = ()


def open_films(videos: Path, work: Path) -> FeatureFolder:
    """Write all films with one size and rate, and extract their features; not again where they are there."""
    folder = work / "films"
    for name, film in FILMS.items():
        if not (folder / f"{name}.mp4").exists():
            frames = sample_frames(videos / film.file, FRAMES)
            pictures = (cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_AREA) for frame in frames)
            write_video(folder / f"{name}.mp4", pictures, FRAMES)
    extract(folder, work / "film_features", ExtractConfig(fps=FPS))
    return FeatureFolder(work / "film_features")


def read_gestures(file: Path, side: str) -> list[Action]:
    """Read the gestures that lie in a side's part of their film."""
    rows = json.loads(file.read_text())["vts_P016_balloon2"]["annotations"]
    start, end = cut_side(GESTURES, side)
    actions = [Action(row["segment"][0], row["segment"][1], row["label"]) for row in rows]
    return [action for action in actions if start <= action.start < end]


def compose_film(
    gestures: Sequence[Action], side: str, minutes: float, actions: int, random: np.random.Generator
) -> list[Piece]:
    """Compose minutes of content with so many actions, in bursts at random places between its stretches."""
    bursts = draw_bursts(gestures, side, actions, random)
    total = round(minutes * 60 * FPS) - sum(burst.stretch.length for burst in bursts)
    content = draw_content(list_content(gestures, side), total, FPS, random)
    gaps = set(random.choice(np.arange(1, len(content)), len(bursts), replace=False).tolist())
    pieces: list[Piece] = []
    for place, stretch in enumerate(content):
        pieces += [bursts.pop()] if place in gaps else []
        pieces.append(Piece(stretch))
    return pieces


def draw_bursts(gestures: Sequence[Action], side: str, actions: int, random: np.random.Generator) -> list[Piece]:
    """Draw bursts of one to `BURST` gestures in a row; none comes again before all did."""
    bursts, runs = [], []
    while actions:
        runs = runs or cut_runs(len(gestures), random)
        first, last = runs.pop()
        last = min(last, first + actions)
        bursts.append(cut_burst(gestures, first, last, side))
        actions -= last - first
    return bursts


def cut_runs(count: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Cut a row of `count` into runs of one to `BURST`, in random order."""
    cuts = [0]
    while cuts[-1] < count:
        cuts.append(min(count, cuts[-1] + int(random.integers(1, BURST + 1))))
    runs = list(pairwise(cuts))
    return [runs[place] for place in random.permutation(len(runs))]


def cut_burst(gestures: Sequence[Action], first: int, last: int, side: str) -> Piece:
    """Cut the gestures from `first` to before `last` out of their film, with what is free around them."""
    earliest, latest = cut_side(GESTURES, side)
    start = max(earliest, gestures[first].start - CONTEXT, gestures[first - 1].end if first else 0.0)
    end = min(latest, gestures[last - 1].end + CONTEXT, *(action.start for action in gestures[last : last + 1]))
    stretch = Stretch(GESTURES, round(start * FPS), round(end * FPS))
    origin, length = stretch.first / FPS, stretch.length / FPS
    moved = [(max(0.0, a.start - origin), min(length, a.end - origin), a.label) for a in gestures[first:last]]
    return Piece(stretch, tuple(Action(*row) for row in moved))


def cut_films(gestures: Sequence[Action], side: str) -> dict[str, list[Piece]]:
    """Cut a side's part out of every film: videos of gestures, and without any."""
    ranges = {name: [round(second * FPS) for second in cut_side(name, side)] for name in FILMS if name != GESTURES}
    others = {name: [Piece(Stretch(name, first, last))] for name, (first, last) in ranges.items()}
    return {GESTURES: [cut_burst(gestures, 0, len(gestures), side)], **others}


def list_content(gestures: Sequence[Action], side: str) -> list[Stretch]:
    """List what a side has without gestures: its parts of other films, and what is idle in that of gestures."""
    stretches = []
    for name in FILMS:
        first, last = (round(second * FPS) for second in cut_side(name, side))
        owned = np.ones(last + 1, bool)
        owned[first:last] = False
        for action in gestures if name == GESTURES else ():
            owned[round((action.start - CONTEXT) * FPS) : round((action.end + CONTEXT) * FPS)] = True
        owned[last] = True
        stretches += cut_content(name, owned, FPS)
    return stretches


def cut_side(name: str, side: str) -> tuple[float, float]:
    """Return the seconds of a film that belong to a side."""
    place = SIDES.index(side)
    start, end = FILMS[name].borders[place : place + 2]
    return start + (GAP / 2 if place else 0.0), end - GAP / 2


def join_actions(pieces: Sequence[Piece]) -> Timeline:
    """Lay the actions of pieces behind one another."""
    actions, position = [], 0
    for stretch, inside in pieces:
        start = position / FPS
        actions += [Action(start + a.start, start + a.end, a.label) for a in inside]
        position += stretch.length
    return Timeline(position / FPS, tuple(actions))


def join_features(pieces: Sequence[Piece], films: FeatureFolder) -> np.ndarray:
    """Lay the features of pieces behind one another."""
    values = {name: films.read(name) for name in FILMS}
    return np.concatenate([values[p.stretch.recording][p.stretch.first : p.stretch.last] for p in pieces])


def write_film(path: Path, pieces: Sequence[Piece], folder: Path) -> None:
    """Write pieces as one real film, of the films that `open_films` wrote."""
    pictures = {name: [frame.image for frame in sample_frames(folder / f"{name}.mp4", FRAMES)] for name in FILMS}
    each = round(FRAMES / FPS)
    frames = (
        picture
        for piece in pieces
        for picture in pictures[piece.stretch.recording][piece.stretch.first * each : piece.stretch.last * each]
    )
    write_video(path, frames, FRAMES)
