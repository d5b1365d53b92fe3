"""Things to look at: view, kernels, describe."""

import json
from pathlib import Path
from typing import Annotated

import typer

from untrimmed.cli.app import Overrides, app, command
from untrimmed.cli.printing import show_table, shown
from untrimmed.io import BadInput


@command(app)
def view(
    results: Annotated[Path, typer.Argument(help="Detections (or annotations) in ActivityNet's JSON form.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    videos: Annotated[Path | None, typer.Option(help="Folder of the videos.")] = None,
    others: Annotated[
        list[Path] | None, typer.Option("--and", help="Another detector's results, for a row below; may be repeated.")
    ] = None,
    stills: Annotated[bool, typer.Option(help="Small pictures of the actions, where the videos are at hand.")] = True,
    kernels: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="DETECTOR SOURCE", help="Show a GTAN's learned kernels, and what it is to look at."),
    ] = None,
) -> None:
    """Write one HTML file that plays the videos above timelines of truth and of one or more detectors.

    Example: `untrimmed view runs/demo/results.json --truth annotations.json --videos videos --out report.html`
    """
    if kernels and others:
        raise BadInput("--kernels shows one detector's; leave --and out")
    if kernels:
        from untrimmed.detection.detector import Detector
        from untrimmed.detection.kernels import write_kernel_view

        print(write_kernel_view(results, out, Detector.load(kernels[0]), kernels[1], truth, videos))
    else:
        from untrimmed.detection.results import write_view

        print(write_view(results, out, truth, videos, others or [], stills=stills))


@command(app)
def kernels(
    detector: Annotated[Path, typer.Argument(help="A GTAN detector's file.")],
    source: Annotated[Path, typer.Argument(help="A video, a feature file, or a folder of either.")],
    video: Annotated[str, typer.Option(help="Which of the folder.")],
    out: Annotated[Path, typer.Option(help="The SVG file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    layer: Annotated[int | None, typer.Option(help="1 is the finest [default: the one that fits best].")] = None,
) -> None:
    """Draw the Gaussian kernels that a GTAN laid over a video: curves, boxes, merged ones, detections.

    Example: `untrimmed kernels runs/gtan/detector.safetensors features --video match --out kernels.svg`
    """
    from untrimmed.detection.detector import Detector
    from untrimmed.detection.kernels import write_kernels

    print(write_kernels(out, Detector.load(detector), source, video, truth, layer))


@command(app)
def describe(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/, or a detector file.")],
    overrides: Overrides = None,
    channels: Annotated[int | None, typer.Option(help="Width of the features, without opening the data.")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes, without opening the data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what a recipe builds: parameters, multiply-adds, anchors, levels; or what a detector learned from.

    Example: `untrimmed describe recipes/thumos14_ctcn.toml --channels 2048 --classes 20 --json`
    """
    from untrimmed.detection.describe import SUFFIXES, describe_recipe, header_rows, header_tree, read_header
    from untrimmed.recipe import read_recipe

    if recipe.suffix in SUFFIXES:
        if overrides or channels or classes:
            raise BadInput(f"{recipe}: a detector is described as it is; leave the settings out")
        header = read_header(recipe)
        if as_json:
            print(json.dumps(header_tree(header), indent=1))
            return
        for name, value in header_rows(header):
            print(f"{name:<18} {value}")
        return
    built = describe_recipe(read_recipe(recipe, overrides or []), channels, classes)
    if as_json:
        print(json.dumps(built, indent=1))
        return
    show_table("", ["", ""], [[name, shown(value)] for name, value in built.items()])
