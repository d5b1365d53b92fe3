"""Correct annotations: review."""

import os
import signal
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from untrimmed.cli.app import Unit, app, command


@command(app, resumes=True)
def review(
    reviewed: Annotated[Path, typer.Argument(help="Detections or annotations, any file that `convert` reads.")],
    videos: Annotated[Path, typer.Option(help="Folder of the videos.")],
    out: Annotated[Path, typer.Option(help="The annotations to write; edits are kept beside it.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations that the videos have already.")] = None,
    others: Annotated[
        list[Path] | None, typer.Option("--and", help="Another detector's results, to see where they disagree.")
    ] = None,
    subset: Annotated[
        str, typer.Option(help="Where videos go that are done, unless another is chosen.")
    ] = "training",
    unit: Unit = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, for times in frames.")] = None,
    port: Annotated[int, typer.Option(help="Of this machine; 0 takes one that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page at once.")] = True,
) -> None:
    """Correct annotations in the browser, the videos most worth a look first; nothing leaves this machine.

    Only videos that you mark as done are written as corrected, ready to train on. A video of `--truth` is written
    as it was until then. The same command goes on where you left.

    Example: `untrimmed review runs/demo/results.json --videos videos --out corrected.json`
    """
    from untrimmed.review.files import ReviewFiles, open_review
    from untrimmed.review.server import ReviewServer

    session = open_review(ReviewFiles(reviewed, videos, truth, tuple(others or ()), subset, unit, fps), out)
    try:
        server = ReviewServer(f"Review of {reviewed.name}", session, videos, port)
        signal.signal(signal.SIGTERM, _interrupt)
        print(f"{len(session.videos)} videos to review at {server.address}")
        print("Ctrl-C ends it; every edit is saved at once", flush=True)
        if browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=[server.address], daemon=True).start()
        server.serve()
    except KeyboardInterrupt:
        print(f"\n{session.summarize()}")
    finally:
        session.close()


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _has_screen() -> bool:
    """Whether a browser has where to open; one that runs in the terminal would only be in the way."""
    return not sys.platform.startswith("linux") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
