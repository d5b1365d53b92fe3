"""The tables of the C-TCN paper, as settings: Tables 1 to 5 and D of Li et al., ACM MM 2020.

python -m papers.ctcn --table 1 --data vts_kinematics --seeds 3
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from papers.command import run_command
from papers.prepared import DATA, SMALL_TRAIN
from papers.study import Study
from papers.tables import Claim, PaperTable, Row

_TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
_WHOLE = (72.2, 71.4, 68.0, 62.3, 52.1)
"""What the whole detector has in every table."""

_SCALES = {
    # Minutes of one core a row.
    "small": {
        "model": {"length": 256, "levels": 7, "concepts": 32, "depth": 15, "width": 0.25},
        "train": SMALL_TRAIN,
    },
    # The network of the paper; hours of a GPU a row.
    "full": {
        "model": {"length": 512, "levels": 8, "concepts": 256, "depth": 60, "width": 1.0},
        "train": {"steps": 6000, "batch": 16, "rate": 1e-3, "drops": [4500], "average": 0.999},
    },
}


class Stream(NamedTuple):
    """One of two kinds of features of a data set, by the channels that are of it."""

    name: str
    columns: list[list[int]]

    @property
    def settings(self) -> tuple[str, ...]:
        """What makes a detector see this stream alone."""
        return f"data.columns={self.columns}", f'data.source.streams=["{self.name}"]'


STREAMS: Mapping[str, tuple[Stream, Stream]] = {
    # Each of 6 sensors gives 3 coordinates and then 3 angles.
    "vts_kinematics": (
        Stream("position", [[first, first + 3] for first in range(0, 36, 6)]),
        Stream("orientation", [[first + 3, first + 6] for first in range(0, 36, 6)]),
    ),
    "salads50_scores": (Stream("svm", [[0, 36]]), Stream("tcnn", [[72, 92]])),
}


def _make_tables(data: str, scale: str) -> tuple[PaperTable, ...]:
    """Every table; at the width of a scale, fewer concepts have as many fewer groups."""
    concepts = _SCALES[scale]["model"]["concepts"]
    deep = () if scale == "full" else ("model.depth=60",)
    return (
        _depths(),
        _streams(*STREAMS[data]),
        _anchors(),
        _augmentations(),
        _architecture(),
        _groups(concepts, deep),
    )


CTCN = Study(
    name="ctcn",
    title="C-TCN's tables on other data",
    intro=(
        "mAP (%), mean ± standard deviation over the seeds. The paper's figures are of THUMOS'14, ours of other data "
        "and at small scale of another size of network, so figures are not comparable, but the distances between "
        "rows show whether what the paper concludes holds here too. Distances and claims are at tIoU .5."
    ),
    data={**DATA, "vts_kinematics": {**DATA["vts_kinematics"], "model": {"dropout": 0.1}}},
    scales=_SCALES,
    make_tables=_make_tables,
)


def _depths() -> PaperTable:
    """Table 1 without its grouped rows, which are Table D's."""
    paper = {
        15: ((60.0, 58.5, 53.9, 49.0, 41.0), (70.9, 69.4, 66.6, 59.7, 49.0)),
        30: ((63.2, 61.5, 57.9, 51.6, 42.4), (71.2, 69.9, 67.2, 60.3, 50.5)),
        45: ((58.0, 55.3, 51.7, 45.6, 38.1), (71.4, 70.3, 67.9, 60.9, 51.4)),
        60: ((56.4, 53.8, 50.4, 43.8, 36.3), _WHOLE),
    }
    plain = tuple(Row(f"TCN {L}", (f"model.depth={L}", "model.groups=1"), paper[L][0]) for L in paper)
    wise = tuple(Row(f"C-TCN {L}", (f"model.depth={L}",), paper[L][1]) for L in paper)
    claims = (
        *(Claim(f"C-TCN is ahead of TCN with {L} layers", f"C-TCN {L}", f"TCN {L}") for L in paper),
        Claim("C-TCN gains from depth", "C-TCN 60", "C-TCN 15"),
        Claim("TCN loses by depth beyond 30", "TCN 30", "TCN 60"),
    )
    return PaperTable("1", "depth, with concepts mixed (TCN) and apart (C-TCN)", _TIOUS, plain + wise, claims)


def _streams(first: Stream, second: Stream) -> PaperTable:
    """Table 2. The paper's first stream is RGB, its second flow; which of ours is which means nothing."""
    alone = [f"{stream.name} alone" for stream in (first, second)]
    rows = (
        Row(alone[0], first.settings, (60.0, 58.1, 54.6, 47.2, 37.6)),
        Row(alone[1], second.settings, (67.4, 66.5, 63.5, 57.3, 49.7)),
        Row("late fusion", (), (70.7, 69.3, 66.4, 61.2, 51.5), fuse=(alone[0], alone[1])),
        Row("early fusion", (), _WHOLE),
    )
    claims = (
        *(Claim(f"late fusion is better than {name}", "late fusion", name) for name in alone),
        *(Claim(f"early fusion is better than {name}", "early fusion", name) for name in alone),
        Claim("early fusion is slightly better than late", "early fusion", "late fusion"),
    )
    caption = (
        f"streams of features, here {first.name} and {second.name}, in the paper I3D's RGB and flow "
        "(TSN's have 35.0, 31.1, 41.7, 42.5)"
    )
    return PaperTable("2", caption, _TIOUS, rows, claims)


def _anchors() -> PaperTable:
    paper = {
        3: (68.8, 67.9, 64.6, 59.1, 49.3),
        5: (70.1, 68.9, 65.0, 58.4, 47.7),
        9: (69.2, 67.8, 64.7, 58.4, 48.9),
        11: (73.2, 71.2, 67.9, 58.7, 46.6),
        13: (68.4, 66.7, 63.7, 57.2, 47.2),
    }
    rows = (
        Row("SSD's anchors", ("model.anchor_rule=ssd", "model.anchors=6"), (71.5, 69.9, 64.9, 58.7, 47.4)),
        *(Row(f"{count} anchors", (f"model.anchors={count}",), paper[count]) for count in paper),
        Row("7 anchors", (), _WHOLE),
    )
    claims = tuple(Claim(f"7 anchors are better than {row.name}", "7 anchors", row.name) for row in rows[:-1])
    return PaperTable("3", "anchors", _TIOUS, rows, claims)


def _augmentations() -> PaperTable:
    move, crop = "augment.random_move={}", "augment.random_crop={}"
    both = (move.format("true"), crop.format("true"))
    rows = (
        Row("no random crop", (both[0], crop.format("false")), (68.6, 67.2, 63.9, 56.2, 45.1)),
        Row("no random move", (move.format("false"), both[1]), (63.3, 62.1, 59.4, 54.8, 44.2)),
        Row("no augmentation", (move.format("false"), crop.format("false")), (60.2, 58.2, 54.3, 47.7, 37.4)),
        Row("both", both, _WHOLE),
    )
    claims = (
        Claim("random crop helps", "both", "no random crop"),
        Claim("random move helps", "both", "no random move"),
        Claim("augmentation helps", "both", "no augmentation"),
    )
    return PaperTable("4", "augmentation", _TIOUS, rows, claims)


def _architecture() -> PaperTable:
    def row(name: str, paper: float, *settings: str) -> Row:
        return Row(name, settings, (paper,))

    rows = (
        row("no regression at test", 41.4, "model.regression=false"),
        row("square kernels", 45.4, "model.square_kernels=true"),
        row("square strides", 39.9, "model.square_strides=true", "model.shared_heads=false"),
        row("without the finest scale", 44.5, "model.finest=3"),
        row("no top-down path", 47.7, "model.top_down=false"),
        row("all", 52.1),
    )
    claims = tuple(Claim(f"{row.name} is worse", "all", row.name) for row in rows[:-1])
    return PaperTable("5", "the network's parts", (0.5,), rows, claims)


def _groups(concepts: int, deep: tuple[str, ...]) -> PaperTable:
    """Table D. With C concepts the paper's G of 256 groups become the power of 2 nearest to G^(log C / log 256)."""
    apart = {
        1: (56.4, 53.8, 50.4, 43.8, 36.3),
        4: (57.9, 55.5, 51.8, 46.0, 36.0),
        16: (59.6, 57.2, 52.7, 46.1, 36.8),
        64: (62.6, 59.8, 55.2, 47.9, 36.1),
        256: (39.5, 36.4, 31.5, 24.8, 18.1),
    }
    shared = {
        4: (58.6, 57.2, 52.8, 46.2, 38.2),
        16: (62.3, 60.7, 56.9, 50.4, 40.9),
        64: (66.6, 65.2, 61.8, 53.6, 43.1),
        256: _WHOLE,
    }

    def row(count: int, sharing: str, paper: tuple[float, ...]) -> Row:
        groups = 2 ** round(math.log2(count) * math.log2(concepts) / 8)
        name = "1 group" if groups == 1 else f"{groups} groups"
        name += "" if groups == count else f" (for {count})"
        words = [f"model.groups={groups}"] if groups < concepts or sharing != "shared" else []
        words += [] if count == 1 or sharing == "shared" else ["model.shared=false"]
        return Row(f"{name}, {sharing}", (*deep, *words), paper)

    rows = [row(count, "own filters", paper) for count, paper in apart.items()]
    rows += [row(count, "shared", paper) for count, paper in shared.items()]
    claims = (
        *(Claim(f"sharing helps {rows[n].name.split(',')[0]}", rows[4 + n].name, rows[n].name) for n in range(1, 5)),
        Claim("shared, more groups are better", rows[-1].name, rows[5].name),
        Claim("groups alone do not help", rows[0].name, rows[4].name),
    )
    return PaperTable("D", "groups of concepts, with filters of their own and shared", _TIOUS, tuple(rows), claims)


if __name__ == "__main__":
    run_command(CTCN)
