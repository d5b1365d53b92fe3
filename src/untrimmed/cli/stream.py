"""Detection in a video that keeps arriving: stream."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrimmed.cli.app import Device, RawScores, Settings, Weights, app, command
from untrimmed.io import name_disk_faults

if TYPE_CHECKING:
    from untrimmed.detection.streaming import Watch


@command(app)
def stream(
    source: Annotated[
        str, typer.Argument(help="A file, - for standard input, a camera (/dev/video0) or an address (rtsp://...).")
    ],
    detector: Annotated[Path, typer.Option(help="A detector file, of sliding windows.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the lines to this file, which is replaced [default: print them].")
    ] = None,
    score: Annotated[float, typer.Option(min=0, max=1, help="Least score.")] = 0.3,
    latency: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds after its end at which an action is printed at the latest [default: 2 windows]."
        ),
    ] = None,
    reconnect: Annotated[
        int, typer.Option(min=0, help="How often in a row to call a network source again that is gone.")
    ] = 0,
    raw_scores: RawScores = False,
    settings: Settings = None,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Find the actions of a video while it arrives, each once, as a line of JSON, when it no longer changes.

    `latency` in a line is how many seconds of video came between the end of the action and the line, `lag` how many
    seconds the machine took after the last of them. Ctrl-C ends it.

    Example: `cat match.ts | untrimmed stream - --detector runs/mine/detector.safetensors`
    """
    from untrimmed.detection.loading import load
    from untrimmed.detection.streaming import Watch
    from untrimmed.models.device import pick_device

    device = pick_device(device)
    opened = load(detector, device, calibrated=not raw_scores, overrides=settings or ())
    watch = Watch(opened, source, score, latency, reconnect, weights or (), device, _tell)
    # Below Python's text, where a reader who left is noticed: nobody would end the stream else.
    file = out.open("wb") if out else sys.stdout.buffer
    try:
        with name_disk_faults(out or Path("standard output")):
            _write(watch, file)
    except BrokenPipeError:
        # Whoever read the lines has had enough; what is flushed when Python ends must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        if out:
            file.close()


def _write(watch: "Watch", file: Any) -> None:
    """One line an action, at once, and a summary however it ends."""
    from untrimmed.detection.limits import describe_counts

    count = 0
    try:
        for action, latency, lag in watch.actions():
            numbers = {"score": action.score, "latency": latency, "lag": lag}
            # Segments as they are: a short one, rounded, might have no length.
            line = {"start": action.start, "end": action.end, "label": action.label}
            line |= {name: round(value, 4) for name, value in numbers.items()}
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            count += 1
    except KeyboardInterrupt:
        _tell("stopped; actions that were still pending are left out")
    finally:
        lost = sum(end - start for start, end in watch.gaps)
        gaps = f", {len(watch.gaps)} gaps of {lost:.1f} s in all" if watch.gaps else ""
        late = f"; {watch.late} better candidates arrived too late" if watch.late else ""
        cut = f"; left out were {describe_counts(watch.cut)} (suppress.keep)" if watch.cut else ""
        _tell(f"{count} actions in {watch.seconds:.1f} s{gaps}{late}{cut}")


def _tell(sentence: str) -> None:
    print(f"untrimmed: {sentence}", file=sys.stderr, flush=True)
