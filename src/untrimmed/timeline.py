"""What happens in a video, in seconds: actions, annotated or detected, on a timeline."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

# What a timeline does for its user is asked of the front door when it is asked for: no room is imported here.
import untrimmed
from untrimmed.io import BadInput


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """One action: `0 <= start < end` in seconds from the start of the video, both finite.

    `score` says how sure a detector is, in [0, 1]; an annotation has 1. Raises ValueError otherwise.
    """

    start: float
    end: float
    label: str
    score: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"segment [{self.start}, {self.end}] is not finite")
        if self.start < 0:
            raise ValueError(f"segment [{self.start}, {self.end}] starts before the video does")
        if self.start >= self.end:
            word = "has no length" if self.start == self.end else "is reversed"
            raise ValueError(f"segment [{self.start}, {self.end}] {word}")
        if not math.isfinite(self.score):
            raise ValueError(f"score {self.score} is not finite")

    @property
    def length(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Timeline:
    """The actions of one video of `duration` seconds, sorted by start, end, label, score.

    A sequence of its actions: `len(timeline)`, `timeline[0]`, `for action in timeline`.
    """

    duration: float
    actions: tuple[Action, ...] = ()
    video: Path | None = field(default=None, compare=False, repr=False, kw_only=True)
    """The file that a detector looked at, for the page of `show`."""
    cut: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False, kw_only=True)
    """By label: actions that a limit of the detector alone left out, of a twentieth of the best score or more."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"duration {self.duration} is not a positive number of seconds")
        object.__setattr__(self, "actions", tuple(sorted(self.actions)))

    def __len__(self) -> int:
        return len(self.actions)

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    def __getitem__(self, place: int) -> Action:
        return self.actions[place]

    def __bool__(self) -> bool:
        """True also without actions: a video in which nothing happens is a timeline too."""
        return True

    @property
    def labels(self) -> tuple[str, ...]:
        """The different labels, sorted."""
        return tuple(sorted({action.label for action in self.actions}))

    def best(self, count: int) -> "Timeline":
        """The `count` actions of highest score; of equal scores, the earlier."""
        ranked = sorted(self.actions, key=lambda action: -action.score)
        return replace(self, actions=tuple(ranked[:count]))

    def above(self, score: float) -> "Timeline":
        """The actions that score at least `score`."""
        return replace(self, actions=tuple(a for a in self.actions if a.score >= score))

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict an action: `start` and `end` in seconds, `label`, `score`."""
        return [asdict(action) for action in self.actions]

    def to_dataframe(self) -> Any:
        """The same as a pandas or polars DataFrame, whichever is installed. Raises BadInput where neither is."""
        return _to_dataframe(self.to_dicts(), ("start", "end", "label", "score"))

    def save(self, path: str | Path, *, score: float | None = None) -> Path:
        """Write the actions that score at least `score`, in the format that the ending names.

        In the file the video is called as its own file is, or else as `path`. Raises BadInput for an ending that no
        format has.
        """
        name = (self.video or Path(path)).stem
        return untrimmed._write_detections({name: self}, path, score=score)[0]

    def show(self) -> Path:
        """Open a page of the timeline, with the video where its file is known, in the browser; the page's file."""
        return untrimmed.view({self.video.stem if self.video else "video": self}, browser=True)

    def _repr_html_(self) -> str:
        """How a notebook shows it: a bar for each action, as opaque as its score is high."""
        return untrimmed._timelines_html({"": self})


class Timelines(Mapping[str, Timeline]):
    """Timelines by the names of their videos. `notes` say what was cut, guessed or left out on the way to them.

    `failed` are the videos that could not be used, with the reason.
    """

    def __init__(
        self, timelines: Mapping[str, Timeline], notes: Iterable[str] = (), failed: Mapping[str, str] | None = None
    ) -> None:
        self._timelines = dict(timelines)
        self.notes = tuple(notes)
        self.failed = dict(failed or {})

    def __getitem__(self, video: str) -> Timeline:
        return self._timelines[video]

    def __iter__(self) -> Iterator[str]:
        return iter(self._timelines)

    def __len__(self) -> int:
        return len(self._timelines)

    def __repr__(self) -> str:
        actions = sum(map(len, self.values()))
        return f"Timelines({len(self):,} videos, {actions:,} actions of {len(self.labels):,} classes)"

    @property
    def labels(self) -> tuple[str, ...]:
        """The different labels of all videos, sorted."""
        return tuple(sorted({label for timeline in self.values() for label in timeline.labels}))

    def best(self, count: int) -> "Timelines":
        """The `count` actions of highest score of every video."""
        return Timelines({video: timeline.best(count) for video, timeline in self.items()}, self.notes, self.failed)

    def above(self, score: float) -> "Timelines":
        """The actions of every video that score at least `score`."""
        return Timelines({video: timeline.above(score) for video, timeline in self.items()}, self.notes, self.failed)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict an action: `video`, `start` and `end` in seconds, `label`, `score`."""
        return [{"video": video, **row} for video, timeline in self.items() for row in timeline.to_dicts()]

    def to_dataframe(self) -> Any:
        """The same as a pandas or polars DataFrame, whichever is installed. Raises BadInput where neither is."""
        return _to_dataframe(self.to_dicts(), ("video", "start", "end", "label", "score"))

    def save(self, path: str | Path, *, score: float | None = None) -> list[Path]:
        """Write the actions that score at least `score` to one file, or to one a video where `path` holds `{video}`.

        The ending names the format. Raises BadInput for one that no format has, and for several videos in a format
        of one video a file.
        """
        return untrimmed._write_detections(self, path, score=score)

    def show(self) -> Path:
        """Open a page of all timelines in the browser; the page's file."""
        return untrimmed.view(self, browser=True)

    def _repr_html_(self) -> str:
        return untrimmed._timelines_html(self)


def _to_dataframe(rows: list[dict[str, Any]], columns: Sequence[str]) -> Any:
    for name in ("pandas", "polars"):
        if find_spec(name):
            table = {column: [row[column] for row in rows] for column in columns}
            return import_module(name).DataFrame(table)
    raise BadInput("a DataFrame needs pandas or polars: pip install pandas; to_dicts() needs neither")


def classes_of(timelines: Iterable[Timeline]) -> tuple[str, ...]:
    """Every label of some timelines, sorted."""
    return tuple(sorted({label for timeline in timelines for label in timeline.labels}))


def tiou(a: Shaped[np.ndarray, "n 2"], b: Shaped[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    """Temporal intersection over union of every pair; 0 where two segments do not meet or have no length."""
    overlap = intersection(a, b)
    lengths = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None]
    union = lengths - overlap
    return np.divide(overlap, union, out=np.zeros(overlap.shape, float), where=union > 0)


def intersection(a: Shaped[np.ndarray, "n 2"], b: Shaped[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    """The length that every pair has in common."""
    start = np.maximum(a[:, None, 0], b[None, :, 0])
    end = np.minimum(a[:, None, 1], b[None, :, 1])
    return np.clip(end - start, 0, None).astype(float)
