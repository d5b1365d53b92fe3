"""Untrimmed days composed of real recordings: hours of content without any action, and a few actions in it.

Training, validation and testing have recordings of their own, so that no snippet is in two of them. Content repeats
where a day is longer than what its recordings hold; it is then cut elsewhere and stands in another order. At a joint
the features jump; joints lie between two stretches without action as well as beside actions, so they tell nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from untrimmed.annotations.annotations import Annotations
from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.timeline import Action, Timeline

SIDES = ("training", "validation", "test")
CONTEXT = 0.5
"""Seconds: as much of what surrounds an action stays with it, as far as it is free of others."""
LONGEST, SHORTEST = 20.0, 1.0
"""Seconds: stretches without action are cut so that they last no longer, and left out where they last less."""
UCF_FPS = 4.0
"""Snippets a second of the clips of UCF101: 25 of each, which last 7 s on average."""
UCF_ACTIONS = (3, 5, 7, 9)
"""The classes that are actions: archery, balance beam, baseball pitch, basketball dunk; the others are content."""


class Stretch(NamedTuple):
    """Consecutive snippets of a recording, from `first` to before `last`."""

    recording: str
    first: int
    last: int
    label: str | None = None
    """None without any action."""
    before: int = 0
    """Snippets before the action that belong to the stretch."""
    after: int = 0
    """The same behind it."""

    @property
    def length(self) -> int:
        """The number of snippets."""
        return self.last - self.first


class Side(NamedTuple):
    """What one side, such as the training, has: recordings, and what they are cut into."""

    timelines: Mapping[str, Timeline]
    """Of whole recordings, as people have them; empty where there are none."""
    actions: tuple[Stretch, ...]
    content: tuple[Stretch, ...]
    """Stretches without action."""


class Footage(NamedTuple):
    """A set of recordings to compose days of."""

    fps: float
    """Snippets a second."""
    features: Mapping[str, np.ndarray]
    """[snippets, channels] by recording."""
    sides: Mapping[str, Side]


class Day(NamedTuple):
    """Composed features with their actions, and what they were composed of, in order."""

    values: np.ndarray
    timeline: Timeline
    stretches: tuple[Stretch, ...]


def open_footage(name: str, data: Path) -> Footage:
    """Read `sfinge3d`, `vts` or `ucf101` from a folder of data sets."""
    if name == "ucf101":
        return _open_clips(data / "features/ucf101_vgg16_trimmed")
    folder, fps = {"sfinge3d": ("sfinge3d", 20.0), "vts": ("vts_kinematics", 15.0)}[name]
    path = data / "datasets" / folder
    annotations = read_activitynet(path / "annotations.json")
    return cut_footage(dict(np.load(path / "features.npz")), annotations, _split_folds(name, annotations), fps)


def cut_footage(
    features: Mapping[str, np.ndarray], annotations: Annotations, sides: Mapping[str, Sequence[str]], fps: float
) -> Footage:
    """Cut the recordings of each side into actions, with what surrounds them, and stretches without any."""
    cut = {}
    for side, names in sides.items():
        timelines = {name: annotations.timelines[name] for name in names}
        pieces = [
            stretch
            for name, timeline in timelines.items()
            for stretch in cut_recording(name, timeline, len(features[name]), fps)
        ]
        actions = tuple(piece for piece in pieces if piece.label is not None)
        cut[side] = Side(timelines, actions, tuple(piece for piece in pieces if piece.label is None))
    return Footage(fps, features, cut)


def cut_recording(name: str, timeline: Timeline, snippets: int, fps: float) -> list[Stretch]:
    """Cut a recording into its actions that overlap no other, and what lies between all of them.

    Around an action stays `CONTEXT`, at most half of what is free there; the rest of it is content.
    """
    edges = [(min(round(a.start * fps), snippets - 1), min(round(a.end * fps), snippets)) for a in timeline.actions]
    taken = np.zeros(snippets + 1, np.int64)  # how many actions cover each snippet
    for first, last in edges:
        taken[first:last] += 1
    pieces, owned = [], taken > 0
    for (first, last), action in zip(edges, timeline.actions, strict=True):
        if last <= first or taken[first:last].max() > 1:
            continue
        before, after = _count_free(taken[:first][::-1], fps), _count_free(taken[last:snippets], fps)
        owned[first - before : last + after] = True
        pieces.append(Stretch(name, first - before, last + after, action.label, before, after))
    owned[snippets] = True
    return pieces + cut_content(name, owned, fps)


def compose_day(
    footage: Footage, side: str, hours: float, share: float, random: np.random.Generator, tail: str = "content"
) -> Day:
    """Compose a day of one side of which a `share` is action.

    Actions come in random order and are drawn anew when all were; each stands alone between two stretches of content.
    Raises ValueError where there is not so much content between as there would be actions.
    """
    total = round(hours * 3600 * footage.fps)
    actions = _draw_actions(footage.sides[side].actions, share * total, random)
    rest = total - sum(piece.length for piece in actions)
    content = draw_content(footage.sides[side].content, rest, footage.fps, random)
    if len(actions) >= len(content):
        raise ValueError(f"{len(actions)} actions do not fit between {len(content)} stretches; ask for a lower share")
    gaps = set(random.choice(np.arange(1, len(content)), len(actions), replace=False).tolist())
    queue, pieces = list(actions), []
    for place, piece in enumerate(content):
        pieces += [queue.pop()] if place in gaps else []
        pieces.append(piece)
    return join(footage, pieces)


def join(footage: Footage, pieces: Iterable[Stretch]) -> Day:
    """Lay stretches behind one another."""
    pieces, actions, position = tuple(pieces), [], 0
    for piece in pieces:
        if piece.label is not None:
            first, last = position + piece.before, position + piece.length - piece.after
            actions.append(Action(first / footage.fps, last / footage.fps, piece.label))
        position += piece.length
    values = np.concatenate([footage.features[piece.recording][piece.first : piece.last] for piece in pieces])
    return Day(values, Timeline(position / footage.fps, tuple(actions)), pieces)


def list_snippets(stretches: Iterable[Stretch]) -> set[tuple[str, int]]:
    """List the snippets that stretches hold, by recording and place."""
    return {(piece.recording, n) for piece in stretches for n in range(piece.first, piece.last)}


def _count_free(taken: np.ndarray, fps: float) -> int:
    """Count the snippets that an action may take from here on: half of those free of others, up to `CONTEXT`."""
    covered = np.flatnonzero(taken)
    free = (covered[0] if len(covered) else len(taken)) // 2
    return int(min(free, round(CONTEXT * fps)))


def cut_content(name: str, owned: np.ndarray, fps: float) -> list[Stretch]:
    """Cut what is not `owned` [snippets + 1, the last one is] into stretches of `SHORTEST` to `LONGEST` seconds."""
    borders = np.flatnonzero(np.diff(np.concatenate([[True], owned]).astype(np.int8)))
    pieces = []
    for first, last in borders.reshape(-1, 2).tolist():
        count = max(1, round((last - first) / (LONGEST * fps)))
        cuts = np.linspace(first, last, count + 1).round().astype(int).tolist()
        pieces += [Stretch(name, *ends) for ends in pairwise(cuts)]
    return [piece for piece in pieces if piece.length >= SHORTEST * fps]


def _draw_actions(actions: Sequence[Stretch], wanted: float, random: np.random.Generator) -> list[Stretch]:
    """Draw actions until they last `wanted` snippets, to half an action."""
    drawn, total = [], 0.0
    while True:
        for place in random.permutation(len(actions)):
            piece = actions[place]
            length = piece.length - piece.before - piece.after
            if total + length / 2 > wanted:
                return drawn
            drawn.append(piece)
            total += length


def draw_content(content: Sequence[Stretch], wanted: int, fps: float, random: np.random.Generator) -> list[Stretch]:
    """Draw stretches that last `wanted` snippets; those drawn again are cut at another place."""
    drawn, total, turn = [], 0, 0
    while total < wanted:
        for place in random.permutation(len(content)):
            piece = content[place]
            if turn:
                spare = max(0, piece.length - round(SHORTEST * fps))
                first = piece.first + int(random.integers(0, spare // 2 + 1))
                piece = piece._replace(first=first, last=piece.last - int(random.integers(0, spare // 2 + 1)))
            piece = piece._replace(last=min(piece.last, piece.first + wanted - total))
            if piece.length:
                drawn.append(piece)
                total += piece.length
        turn += 1
    return drawn


def _split_folds(name: str, annotations: Annotations) -> dict[str, list[str]]:
    """Split recordings: fold0 is for testing; validation is fold1 of `vts`, and every fourth other of `sfinge3d`."""
    others = [video for video, fold in annotations.subsets.items() if fold != "fold0"]
    if name == "vts":
        validation = [video for video in others if annotations.subsets[video] == "fold1"]
    else:
        validation = others[::4]
    test = [video for video, fold in annotations.subsets.items() if fold == "fold0"]
    training = [video for video in others if video not in validation]
    return dict(zip(SIDES, (training, validation, test), strict=True))


def _open_clips(path: Path) -> Footage:
    """Read the clips of UCF101: each of an action class is an action, the others are content, cut at random places.

    Clips for testing are those of its first split. Of each class, the last fifth of the others is for validation.
    """
    content = np.load(path / "features_pca256.npz")
    names = [line.split()[1] for line in (path / "actions.txt").read_text().splitlines() if line.strip()]
    label, values, ids = content["y"], content["Z"], content["ids"].tolist()
    part = np.where(content["split"] == 2, 2, 0)
    for number in np.unique(label):
        rows = np.flatnonzero((label == number) & (part == 0))
        part[rows[-(len(rows) // 5) :]] = 1
    sides = {}
    for number, side in enumerate(SIDES):
        rows = np.flatnonzero(part == number)
        actions = [
            Stretch(ids[n], 0, len(values[n]), names[label[n] - 1]) for n in rows.tolist() if label[n] in UCF_ACTIONS
        ]
        others = [Stretch(ids[n], *_cut_clip(n)) for n in rows.tolist() if label[n] not in UCF_ACTIONS]
        sides[side] = Side({}, tuple(actions), tuple(others))
    return Footage(UCF_FPS, dict(zip(ids, values, strict=True)), sides)


def _cut_clip(number: int) -> tuple[int, int]:
    """Cut a clip of 25 snippets, so that content changes as often within the length of an action as at its ends."""
    random = np.random.default_rng(number)
    first = int(random.integers(0, 8))
    return first, int(random.integers(first + 8, 26))
