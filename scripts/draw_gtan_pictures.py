"""Draw the two pictures of docs/gtan.md: one step of the grouping, and the kernels of a trained detector on a video.

    python scripts/draw_gtan_pictures.py                             # the grouping alone, at once
    python scripts/draw_gtan_pictures.py --run runs/gtan_pictures    # the video too: trains for some minutes

The training is that of recipes/vts_gtan.toml with another fold held out and more merging. UNTRIMMED_DATA names the
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
from untrimmed.models.gaussian_kernels import compute_cell_centres, group_kernels, merge_sigmas
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


def draw_grouping() -> str:
    """Draw Fig. 3: the model's own grouping of two kernels; a window has length 1."""
    sigma = torch.full((1, CELLS), 0.01)
    for cell, width in SIGMAS.items():
        sigma[0, cell] = width
    groups = group_kernels(sigma, [CELLS], torch.tensor([[CELLS]]), TIOU)
    centres, widths = compute_cell_centres(CELLS), merge_sigmas(sigma, groups)
    first, second = (Kernel(float(centres[cell]), width) for cell, width in SIGMAS.items())
    merged = Kernel(float(groups.centre[0, 0]), float(widths[0, 0]), 2) if groups.valid[0, 0] else None
    return grouping_svg(first, second, merged, TIOU)


def draw_kernels(run: Path) -> Path:
    """Draw Fig. 6: kernels on a video of the held-out fold, of the detector that `RECIPE` trains in `run`."""
    recipe = read_recipe(RECIPE, [f"model.group_tiou={MERGED_FROM}"])
    recipe = replace(recipe, data=hold_out(recipe.data, FOLD))
    detector = train(recipe, run).detector
    features, folder = (Path(expandvars(path)) for path in (recipe.data.features, recipe.data.annotations))
    return write_kernels(PICTURES / "gtan_kernels.svg", detector, features, VIDEO, folder / "annotations.json", LAYER)


def main() -> None:
    """Draw the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a training, for the picture of a video")
    options = parser.parse_args()
    write_text(PICTURES / "gtan_grouping.svg", draw_grouping())
    if options.run:
        draw_kernels(options.run)


if __name__ == "__main__":
    main()
