"""What happens in a video, in seconds: actions, annotated or detected, on a timeline."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace


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
    """The actions of one video of `duration` seconds, sorted by start, end, label, score."""

    duration: float
    actions: tuple[Action, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"duration {self.duration} is not a positive number of seconds")
        object.__setattr__(self, "actions", tuple(sorted(self.actions)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The different labels, sorted."""
        return tuple(sorted({action.label for action in self.actions}))

    def _repr_svg_(self) -> str:
        """How a notebook shows it: a bar for each action, as opaque as its score is high."""
        # The picture is made of timelines, so its room lies above this one.
        from untrimmed.draw.svg import timeline_svg

        return timeline_svg(self.duration, {"": self})

    def best(self, count: int) -> "Timeline":
        """The `count` actions of highest score; of equal scores, the earlier."""
        ranked = sorted(self.actions, key=lambda action: -action.score)
        return replace(self, actions=tuple(ranked[:count]))

    def above(self, score: float) -> "Timeline":
        """The actions that score at least `score`."""
        return replace(self, actions=tuple(a for a in self.actions if a.score >= score))


def classes_of(timelines: Iterable[Timeline]) -> tuple[str, ...]:
    """Every label of some timelines, sorted."""
    return tuple(sorted({label for timeline in timelines for label in timeline.labels}))
