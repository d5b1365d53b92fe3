"""The commands, thin: each is a verb on features and timelines that lives elsewhere."""

from untrimmed.cli import (
    convert,
    demo,
    describe,
    detect,
    doctor,
    evaluate,
    export,
    extract,
    init,
    review,
    stream,
    study,
    train,
    tune,
    view,
)
from untrimmed.cli.app import app

__all__ = [
    "app",
    "convert",
    "demo",
    "describe",
    "detect",
    "doctor",
    "evaluate",
    "export",
    "extract",
    "init",
    "review",
    "stream",
    "study",
    "train",
    "tune",
    "view",
]
