"""How snippets lie in time: the only conversion between seconds and positions."""

import math
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Grid:
    """How snippets lie in time: snippet i covers `[start + i * step, start + i * step + span)` seconds.

    Positions are floats counted in snippets: snippet i reaches from position i to i + 1, and the middle of
    what it covers is position i + 0.5, whether snippets overlap (`span > step`), touch or leave gaps.
    """

    step: float
    span: float
    start: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.step < math.inf and 0 < self.span < math.inf and math.isfinite(self.start)):
            raise ValueError(f"grid of step {self.step} s, span {self.span} s, start {self.start} s: not a grid")

    @classmethod
    def from_frames(cls, stride: float, window: float, fps: float, start: float = 0.0) -> "Grid":
        """Snippets of `window` frames, one every `stride` frames, at `fps` frames a second."""
        return cls(stride / fps, window / fps, start)

    @classmethod
    def spread(cls, duration: float, count: int) -> "Grid":
        """A whole video of `duration` seconds divided into `count` touching snippets."""
        return cls(duration / count, duration / count)

    @property
    def origin(self) -> float:
        """The time of position 0, in seconds."""
        return self.start + (self.span - self.step) / 2

    def seconds(self, position: Any) -> Any:
        """The time of a position (or an array of positions), in seconds."""
        return self.origin + position * self.step

    def position(self, seconds: Any) -> Any:
        """The position of a time (or an array of times)."""
        return (seconds - self.origin) / self.step

    def from_snippet(self, first: int) -> "Grid":
        """Return the grid of the same snippets counted from `first`."""
        return replace(self, start=self.start + first * self.step)

    def end(self, count: int) -> float:
        """Return when the last of `count` snippets ends, in seconds."""
        return self.start + (count - 1) * self.step + self.span

    def resample(self, old_count: int, new_count: int) -> "Grid":
        """Return the grid when snippets are resized from one count to another: positions scale, times stay."""
        step = self.step * old_count / new_count
        return Grid(step, step, self.origin)
