"""Turn videos into features, and list the backbones that do it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from untrimmed.cli.app import Device, JsonOut, Quiet, Weights, app, command
from untrimmed.cli.printing import fail_for, format_number, progress_bar, show_notes, show_table, write_numbers


@command(app, resumes=True)
def extract(
    videos: Annotated[Path, typer.Argument(help="A video, or a folder of videos, and folders in it.")],
    out: Annotated[Path, typer.Option(help="The feature folder to write.")],
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="What sees the frames; `untrimmed backbones` lists all. Repeated: side by side."),
    ] = None,
    weights: Weights = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second for the backbone [default: 5; of clips, the first video's].")
    ] = None,
    stride: Annotated[int | None, typer.Option(help="Frames from clip to clip [default: the backbone's].")] = None,
    flow: Annotated[bool, typer.Option(help="Append a descriptor of the optical flow (default backbone).")] = True,
    flow_method: Annotated[
        Literal["dis", "dis-fast", "tvl1"] | None,
        typer.Option(help="How flow is computed [default: dis; tvl1 for networks of flow].", show_default=False),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures, or a quarter as many clips, seen at a time.")] = 16,
    allow_truncated: Annotated[bool, typer.Option(help="Use what decodes of a damaged video.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Videos at a time, a core each.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a cluster instead: Ray's `auto`, HOST:PORT, `local`."),
    ] = None,
    device: Device = "auto",
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Turn videos into features; done again, it skips what is there.

    Example: `untrimmed extract videos --out features --workers 2`

    Example: `untrimmed extract videos --out i3d --backbone i3d-rgb --weights rgb_imagenet.pt`
    """
    from untrimmed.extraction.settings import LITE, ExtractConfig
    from untrimmed.extraction.videos import extract as extract_videos
    from untrimmed.models.device import pick_device

    config = ExtractConfig(
        backbones=tuple(backbone or [LITE]),
        weights=tuple(map(str, weights or [])),
        fps=fps,
        stride=stride,
        flow=flow,
        flow_method=flow_method,
        batch=batch,
        device=pick_device(device),
        allow_truncated=allow_truncated,
    )
    with progress_bar(quiet) as progress:
        extracted = extract_videos(videos, out, config, workers=workers, cluster=cluster, progress=progress)
    count, skipped, failed = map(len, extracted[:3])
    show_notes(extracted.notes)
    reasons = {str(path): reason for path, reason in extracted.failed.items()}
    write_numbers(json, {"extracted": count, "skipped": skipped, "failed": reasons})
    print(f"{count} extracted, {skipped} there already, {failed} failed: {out}")
    fail_for(reasons.values())


@command(app)
def backbones(json: JsonOut = None) -> None:
    """List the backbones: what each sees, how often, how wide its features are, and where its weights come from.

    Example: `untrimmed backbones`
    """
    from untrimmed.extraction.settings import list_backbones

    rows = list_backbones()
    write_numbers(json, [row._asdict() for row in rows])
    header = ["backbone", "frames", "stride", "frames a second", "channels"]
    show_table(
        "",
        header,
        [[format_number(value) if isinstance(value, int) else value for value in row[:-1]] for row in rows],
    )
    print("weights")
    for row in rows:
        print(f"  {row.backbone}: {row.weights}")
