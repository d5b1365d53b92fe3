"""The tables of the C-TCN paper, as settings: Tables 1 to 5 and D of Li et al., ACM MM 2020."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from untrimmed.errors import BadInput
from untrimmed.files import write_text
from untrimmed.recipe import Recipe, build_recipe
from untrimmed.studies.tables import Claim, Row, Table, describe_table, read_trials, run_table

_TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
_WHOLE = (72.2, 71.4, 68.0, 62.3, 52.1)
"""What the whole detector has in every table."""

# What each set needs to be read; every study holds out one split.
DATA: Mapping[str, Mapping[str, Any]] = {
    "vts_kinematics": {
        "data": {
            "dataset": "vts",
            "annotations": "$UNTRIMMED_DATA/datasets/vts_kinematics",
            "features": "$UNTRIMMED_DATA/datasets/vts_kinematics/features.npz",
            "average": 3,
            "train": ["fold-1", "fold1", "fold2", "fold3", "fold4"],
            "test": ["fold0"],
            "unusable": "drop",
            "source": {"backbone": "vts-kinematics", "fps": 15.0, "streams": ["position-and-orientation"]},
        },
        "windows": {"mode": "slide"},
        "augment": {"random_move": False},
        "model": {"dropout": 0.1},
    },
    "salads50_scores": {
        "data": {
            "dataset": "salads50",
            "annotations": "$UNTRIMMED_DATA/datasets/salads50_scores",
            "features": "$UNTRIMMED_DATA/datasets/salads50_scores/features.npz",
            "columns": [[0, 36], [72, 92]],
            "train": ["split2", "split3", "split4", "split5"],
            "test": ["split1"],
            "source": {"backbone": "salads50-scores", "fps": 1.0, "start": -0.5, "streams": ["svm", "tcnn"]},
        },
    },
}
SCALES: Mapping[str, Mapping[str, Any]] = {
    # Minutes of one core a row.
    "small": {
        "model": {"length": 256, "levels": 7, "concepts": 32, "depth": 15, "width": 0.25},
        "train": {
            "steps": 150,
            "batch": 8,
            "optimizer": "adamw",
            "rate": 2e-3,
            "decay": 0.05,
            "warmup": 20,
            "schedule": "cosine",
            "clip": 1.0,
            "average": 0.98,
        },
    },
    # The network of the paper; hours of a GPU a row.
    "full": {
        "model": {"length": 512, "levels": 8, "concepts": 256, "depth": 60, "width": 1.0},
        "train": {"steps": 6000, "batch": 16, "rate": 1e-3, "drops": [4500], "average": 0.999},
    },
}


def base(data: str, scale: str) -> Recipe:
    """The recipe that the rows of a table change; BadInput for data or a scale that no study is prepared for."""
    if scale not in SCALES:
        raise BadInput(f"scale {scale!r}: there are {', '.join(SCALES)}")
    if data not in DATA:
        raise BadInput(f"data {data!r}: studies are prepared for {', '.join(DATA)}")
    sections = DATA[data].keys() | SCALES[scale].keys()
    tree = {name: {**DATA[data].get(name, {}), **SCALES[scale].get(name, {})} for name in sections}
    return build_recipe(tree, f"study of {data}")


def tables(scale: str) -> dict[str, Table]:
    """Every table, at the width of a scale: fewer concepts have as many fewer groups."""
    concepts = SCALES[scale]["model"]["concepts"]
    deep = () if scale == "full" else ("model.depth=60",)
    made = (_depths(), _anchors(), _augmentations(), _architecture(), _groups(concepts, deep))
    return {table.name: table for table in made}


def study(
    numbers: list[str], data: str, scale: str, seeds: int, out: Path, page: Path, *, device: str, quiet: bool
) -> str:
    """Run the rows of some tables, and write the page of all tables that were run in the folder."""
    recipe, known = base(data, scale), tables(scale)
    for number in numbers:
        if number not in known:
            raise BadInput(f"table {number!r}: there are {', '.join(known)}")
    for number in numbers:
        run_table(known[number], recipe, out, seeds, device=device, quiet=quiet)
    text = _page(known, data, scale, out)
    write_text(page, text)
    return text


def _page(known: Mapping[str, Table], data: str, scale: str, out: Path) -> str:
    found = {number: trials for number, table in known.items() if (trials := read_trials(out, table))}
    train = SCALES[scale]["train"]
    intro = (
        f"# C-TCN's tables on {data}, {scale} scale\n\n"
        "mAP (%), mean ± standard deviation over the seeds. The paper's figures are of THUMOS'14, ours of other data "
        "and at this scale of another size of network, so figures are not comparable, but the distances between rows "
        "show whether what the paper concludes holds here too. Distances and claims are at tIoU .5. Every row is "
        f"trained for {train['steps']} updates of {train['batch']} windows with the same settings: none is tuned, "
        "and deep ones may be far from done.\n\n"
        f"`untrimmed study ctcn --data {data} --scale {scale} --table {' --table '.join(found)}`\n\n"
    )
    return intro + "\n".join(describe_table(known[number], trials) for number, trials in found.items())


def _depths() -> Table:
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
    return Table("1", "depth, with concepts mixed (TCN) and apart (C-TCN)", _TIOUS, plain + wise, claims)


def _anchors() -> Table:
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
    return Table("3", "anchors", _TIOUS, rows, claims)


def _augmentations() -> Table:
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
    return Table("4", "augmentation", _TIOUS, rows, claims)


def _architecture() -> Table:
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
    return Table("5", "the network's parts", (0.5,), rows, claims)


def _groups(concepts: int, deep: tuple[str, ...]) -> Table:
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
        name = f"{groups} groups" if groups == count else f"{groups} groups (for {count})"
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
    return Table("D", "groups of concepts, with filters of their own and shared", _TIOUS, tuple(rows), claims)
