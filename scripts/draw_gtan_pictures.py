"""Draws the two pictures of docs/gtan.md again: one step of the grouping, and a trained detector's look at a video.

    python scripts/draw_gtan_pictures.py                             # the grouping alone, in a moment
    python scripts/draw_gtan_pictures.py --run runs/gtan_pictures    # the video too: trains for some minutes in RUN

The training is that of recipes/vts_gtan.toml with another fold held out and more merging; UNTRIMMED_DATA names the
folder of its data.
"""

import argparse
from dataclasses import replace
from os.path import expandvars
from pathlib import Path

import torch

from untrimmed.annotations.corpus import hold_out
from untrimmed.detection.kernels import write_kernels
from untrimmed.io import write_text
from untrimmed.models.gaussian_kernels import cell_centres, group, merged_sigma
from untrimmed.recipe import read_recipe
from untrimmed.training.loop import train
from untrimmed.visualization.grouping import grouping_svg
from untrimmed.visualization.kernels import Kernel

ROOT = Path(__file__).parent.parent
PICTURES, RECIPE = ROOT / "docs" / "pictures", ROOT / "recipes" / "vts_gtan.toml"
FOLD, VIDEO, LAYER = "fold4", "P028_tissue2", 2
# From the paper's 0.7 on, nothing merges on these recordings.
MERGED_FROM = 0.35
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


def look(run: Path) -> Path:
    """Fig. 6: a video of the fold that is held out, seen by what `RECIPE` trains, unless the run is done already."""
    recipe = read_recipe(RECIPE, [f"model.group_tiou={MERGED_FROM}"])
    recipe = replace(recipe, data=hold_out(recipe.data, FOLD))
    detector = train(recipe, run).detector
    features, folder = (Path(expandvars(path)) for path in (recipe.data.features, recipe.data.annotations))
    return write_kernels(PICTURES / "gtan_kernels.svg", detector, features, VIDEO, folder / "annotations.json", LAYER)


def main() -> None:
    """Draw what the words on the command line ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a training, for the picture of a video")
    words = parser.parse_args()
    write_text(PICTURES / "gtan_grouping.svg", grouping())
    if words.run:
        look(words.run)


if __name__ == "__main__":
    main()
