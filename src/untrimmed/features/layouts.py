"""Describes the public feature files of data sets: their channels, and how their snippets lie in time.

In each, the middle of snippet i is at (i * stride + window / 2) / fps seconds, which is position i + 0.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from untrimmed.features.grid import Grid
from untrimmed.features.video_features import FeatureSource
from untrimmed.io import BadInput


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a public set of feature files is read."""

    source: FeatureSource
    widths: tuple[int, ...]
    """Channels of each of the source's streams."""
    prefix: str = ""
    """What comes before a video's name in the name of its file."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Frames a second of the videos that differ from the source."""
    spread: bool = False
    """The rows lie evenly over the whole video, whatever its frame rate; then the source's rate is nominal."""
    lenient: bool = False
    """Streams are cut to the shorter however much they differ, and an empty one makes zeros of all."""

    def width(self, stream: str) -> int:
        """Return the channels of one stream."""
        return self.widths[self._index(stream)]

    def columns(self, streams: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
        """Return the half-open ranges of channels of some streams in a file that holds all."""
        firsts = [sum(self.widths[: self._index(stream)]) for stream in streams]
        return tuple((first, first + self.width(stream)) for first, stream in zip(firsts, streams, strict=True))

    def grid(self, video: str, count: int, duration: float | None) -> Grid:
        """Build the grid of the `count` snippets of a video. Raises BadInput where that needs an unknown length."""
        if self.spread and duration is None:
            raise BadInput(
                f"{video}: its rows are spread over the video, and its length is unknown; give it in data.annotations"
            )
        if self.spread and duration:
            return Grid.spread(duration, count)
        source = self.source
        return Grid.from_frames(source.stride, source.window, self.rates.get(video, source.fps), source.start)

    def _index(self, stream: str) -> int:
        if stream not in self.source.streams:
            raise BadInput(f"data.streams: there is no {stream!r}, only {', '.join(self.source.streams)}")
        return self.source.streams.index(stream)


# ActionFormer's files were made at each video's own rate, and these six have not 30 frames a second.
_THUMOS14_RATES = {
    "video_test_0000950": 25.0,
    "video_test_0001058": 25.0,
    "video_test_0001195": 25.0,
    "video_test_0001255": 25.0,
    "video_test_0001459": 25.0,
    "video_test_0001207": 24.0,
}

# SlowFast-101, as ActionFormer and OpenTAD read it: slow (2048), then fast.
_SLOWFAST = Layout(
    source=FeatureSource(backbone="slowfast-101", fps=30, stride=16, window=32, streams=("rgb",)), widths=(2304,)
)

LAYOUTS: dict[str, Layout] = {
    # THUMOS'14, one `.npy` a video.
    "actionformer-i3d": Layout(
        source=FeatureSource(backbone="i3d-kinetics", fps=30, stride=4, window=16, streams=("rgb", "flow")),
        widths=(1024, 1024),
        rates=_THUMOS14_RATES,
    ),
    # THUMOS'14, VideoMAE V2-g as its authors' script extracts it, and as ActionFormer, TriDet and OpenTAD read it.
    "videomaev2-thumos14": Layout(
        source=FeatureSource(backbone="videomaev2-g", fps=30, stride=4, window=16, streams=("rgb",)),
        widths=(1408,),
        rates=_THUMOS14_RATES,
    ),
    # EPIC-Kitchens-100, Ego4D and HACS.
    "slowfast-epic": _SLOWFAST,
    "slowfast-ego4d": _SLOWFAST,
    "slowfast-hacs": replace(_SLOWFAST, source=replace(_SLOWFAST.source, fps=15, stride=8)),
    # ActivityNet, one `v_*.npy` a video, of frames at 25 a second.
    "actionformer-i3d-activitynet": Layout(
        source=FeatureSource(backbone="i3d-kinetics", fps=25, stride=16, window=16, streams=("rgb", "flow")),
        widths=(1024, 1024),
        prefix="v_",
    ),
    # ActivityNet, R(2+1)D-34 of Alwassel et al. (ICCVW 2021): `.npy` as ActionFormer has it, or `.pkl` of its script.
    "tsp": Layout(
        source=FeatureSource(backbone="r2plus1d-34-tsp", fps=15, stride=16, window=16, streams=("rgb",)),
        widths=(512,),
        prefix="v_",
    ),
    # ActivityNet, class scores of CUHK's TSN as BSN has them: one `v_*.csv` a video, of snippets of 16 frames at
    # the video's own rate or of these rescaled to 100. The last snippet ends less than one before the video does.
    "bsn-tsn": Layout(
        source=FeatureSource(backbone="tsn-anet2016", fps=30, stride=16, window=16, streams=("rgb", "flow")),
        widths=(200, 200),
        prefix="v_",
        spread=True,
    ),
    # ActivityNet, class scores (200 and background) of SENet-152 TSNs at 5 frames a second, as released with C-TCN:
    # a folder of `.pkl` for each stream.
    "ctcn": Layout(
        source=FeatureSource(backbone="tsn-senet152-scores", fps=5, streams=("rgb", "flow")),
        widths=(201, 201),
        prefix="v_",
        lenient=True,
    ),
}


def find_layout(name: str) -> Layout:
    """Find a layout by its name. Raises BadInput, with the names of all, for an unknown one."""
    if name not in LAYOUTS:
        raise BadInput(f"data.layout = {name!r}: there are {', '.join(LAYOUTS)}; or describe yours in [data.source]")
    return LAYOUTS[name]
