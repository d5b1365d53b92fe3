"""Builds the data for a page's script, as little JSON as can be: timelines, player, kernels, stills."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.error import FFmpegError

from untrimmed.timeline import Timeline, classes_of
from untrimmed.visualization.colours import palette
from untrimmed.visualization.kernels import KernelLayer, choose_layer
from untrimmed.visualization.text import replace_unprintable
from untrimmed.visualization.timelines import GROUND_TRUTH

# What Chromium, Firefox and Safari all play: media type and codecs by the file's ending.
_PLAYED = {
    ".mp4": ("video/mp4", ("h264", "av1", "vp9")),
    ".m4v": ("video/mp4", ("h264", "av1", "vp9")),
    ".webm": ("video/webm", ("vp8", "vp9", "av1")),
}
# Browsers decode no other sampling of H.264 than 4:2:0 with 8 bits.
_PLAYED_PIXELS = ("yuv420p", "yuvj420p")
NOT_PLAYED = "Browsers do not play this kind of video:"


@dataclass(frozen=True)
class Panel:
    """One video of `duration` seconds and its timelines by the name of their row, drawn in order.

    The row `truth` is what all others are compared with. `kernels` are a GTAN detector's, layer by layer; they lie
    below the rows, one layer at a time, at first the one of `choose_layer`. Raises ValueError for a duration that is
    not positive.
    """

    name: str
    duration: float
    rows: Mapping[str, Timeline]
    video: Path | None = None
    kernels: Sequence[KernelLayer] = ()

    def __post_init__(self) -> None:
        if not 0 < self.duration < math.inf:
            raise ValueError(f"duration {self.duration} of {self.name!r} is not a positive number of seconds")


class Still(NamedTuple):
    """A small picture of a video at a time in seconds, at an address that an image can have."""

    time: float
    label: str
    address: str


class VideoSource(NamedTuple):
    """Where the page finds a video: in its own element of that name, or else at an address."""

    name: str
    plays: bool
    element: str
    address: str
    note: str


def media_type(video: Path) -> str:
    """Return the media type of a video that browsers play, else an empty string."""
    kind, codecs = _PLAYED.get(video.suffix.lower(), ("", ()))
    try:
        with av.open(str(video)) as container:
            codec = container.streams.video[0].codec_context
            plays = codec.name in codecs and (codec.name != "h264" or codec.pix_fmt in _PLAYED_PIXELS)
    except (FFmpegError, OSError, IndexError):
        return ""
    return kind if plays else ""


def build_page_data(
    panels: Sequence[Panel],
    sources: Mapping[Path, VideoSource],
    stills: Mapping[str, Sequence[Still]],
    more_labels: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the data of a page.

    `stills` are by the name of their panel, `more_labels` get a colour though no row has them. An action is
    `[start, end, class, score]` in milliseconds' and ten-thousandths' digits: a thousand videos of a hundred
    detections are then three megabytes.
    """
    labels = sorted({*classes_of(timeline for panel in panels for timeline in panel.rows.values()), *more_labels})
    colours, numbers = palette(labels), {label: i for i, label in enumerate(labels)}
    return {
        "classes": [{"label": label, "colour": colours[label]} for label in labels],
        "truth": GROUND_TRUTH,
        "panels": [_panel_data(panel, sources, stills.get(panel.name, ()), numbers) for panel in panels],
    }


def _panel_data(
    panel: Panel, sources: Mapping[Path, VideoSource], stills: Sequence[Still], numbers: Mapping[str, int]
) -> dict[str, Any]:
    rows = {
        name: [[round(a.start, 3), round(a.end, 3), numbers[a.label], round(a.score, 4)] for a in timeline]
        for name, timeline in panel.rows.items()
    }
    source = sources[panel.video] if panel.video is not None else None
    return {
        "name": panel.name,
        "duration": panel.duration,
        "rows": [{"name": name, "actions": actions} for name, actions in rows.items()],
        "video": source._replace(name=replace_unprintable(source.name))._asdict() if source else None,
        "kernels": [_layer_data(layer) for layer in panel.kernels],
        "layer": choose_layer(panel.kernels, panel.rows).number if panel.kernels else None,
        "stills": [list(still) for still in stills],
    }


def _layer_data(layer: KernelLayer) -> dict[str, Any]:
    # Milliseconds are enough, and there are hundreds of kernels a video.
    rows = {
        name: [[round(k.centre, 3), max(round(k.sigma, 3), 0.001), k.members, round(k.score, 3)] for k in kernels]
        for name, kernels in layer.rows.items()
    }
    return {
        "number": layer.number,
        "title": layer.title,
        "words": layer.description,
        "learned": layer.learned,
        "rows": [{"name": name, "kernels": kernels} for name, kernels in rows.items()],
    }
