"""Draws the two pictures of docs/gtan.md again: one step of the grouping, and a trained detector's look at a video.

    python scripts/draw_gtan_pictures.py                  # the grouping alone, in a moment
    python scripts/draw_gtan_pictures.py --data FOLDER    # the video too: trains for some minutes on its kinematics

FOLDER is what UNTRIMMED_DATA names for the recipes.
"""

import argparse
from pathlib import Path

import torch

from untrimmed.draw.grouping import grouping_svg
from untrimmed.draw.kernels import Kernel
from untrimmed.files import write_text
from untrimmed.look import write_kernels
from untrimmed.models.kernels import cell_centres, group, merged_sigma
from untrimmed.recipe import Recipe, build_recipe
from untrimmed.train import train

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
VIDEO, LAYER = "P028_tissue2", 2
CELLS, TIOU = 16, 0.7
# Two neighbours in the middle of the window that overlap enough; all others are too narrow to meet.
SIGMAS = {7: 0.17, 8: 0.22}


def grouping() -> str:
    """Fig. 3, from what the model's own grouping makes of two kernels; a window has length 1."""
    sigma = torch.full((1, CELLS), 0.01)
    for cell, width in SIGMAS.items():
        sigma[0, cell] = width
    found = group(sigma, [CELLS], torch.tensor([[CELLS]]), TIOU)
    centres, widths = cell_centres(CELLS), merged_sigma(sigma, found)
    first, second = (Kernel(float(centres[cell]), width) for cell, width in SIGMAS.items())
    merged = Kernel(float(found.centre[0, 0]), float(widths[0, 0]), 2) if found.real[0, 0] else None
    return grouping_svg(first, second, merged, TIOU)


def look(data: Path, run: Path) -> Path:
    """Fig. 6: a test video, seen by a detector that is trained as `recipe` says, unless it was before."""
    vts = data / "datasets" / "vts_kinematics"
    detector = train(recipe(vts), run).detector
    out = PICTURES / "gtan_kernels.svg"
    return write_kernels(out, detector, vts / "features.npz", VIDEO, vts / "annotations.json", LAYER)


def recipe(vts: Path) -> Recipe:
    """A GTAN small enough for minutes of one core; where it is not the paper's, docs/gtan.md says why."""
    source = {"backbone": "vts-kinematics", "fps": 15.0, "streams": ["position-and-orientation"]}
    tree = {
        "data": {
            "dataset": "vts",
            "annotations": str(vts),
            "features": str(vts / "features.npz"),
            "average": 3,
            "train": ["fold-1", "fold0", "fold2", "fold3"],
            "test": ["fold4"],
            "unusable": "drop",
            "source": source,
        },
        "windows": {"mode": "slide"},
        "augment": {"random_move": False, "random_crop": False},
        "model": {
            "name": "gtan",
            "length": 256,
            "base": [128, 128],
            "layers": [128] * 7,
            "norm": "group",
            "one_label": False,
            "force_match": True,
            "foreground": 0.5,
            "location_unit": "snippet",
            "group_tiou": 0.35,
        },
        "train": {
            "steps": 400,
            "batch": 8,
            "optimizer": "adamw",
            "rate": 6e-4,
            "decay": 0.05,
            "warmup": 20,
            "schedule": "cosine",
            "clip": 1.0,
            "average": 0.98,
        },
        "suppress": {"sigma": 0.2, "vote": 0.6},
    }
    return build_recipe(tree, __file__)


def main() -> None:
    """Draw what the words on the command line ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--run", type=Path, default=Path("runs/gtan_pictures"), help="folder of the training")
    words = parser.parse_args()
    write_text(PICTURES / "gtan_grouping.svg", grouping())
    if words.data:
        look(words.data, words.run)


if __name__ == "__main__":
    main()
