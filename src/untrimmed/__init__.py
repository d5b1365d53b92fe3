"""Temporal action localization: every action in a long video, with its start, end, label and score.

detector = untrimmed.load("detector.safetensors")
timeline = detector("match.mp4")
timeline.save("match.srt")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from untrimmed.annotations.convert import convert as convert
    from untrimmed.annotations.convert import read_annotations as read_annotations
    from untrimmed.annotations.convert import write_annotations as write_annotations
    from untrimmed.annotations.datasets.dataset import Dataset as Dataset
    from untrimmed.detection.detector import Detector as Detector
    from untrimmed.detection.loading import load as load
    from untrimmed.detection.results import write_detections as _write_detections  # noqa: F401
    from untrimmed.detection.view import view as view
    from untrimmed.evaluation.files import compare as compare
    from untrimmed.evaluation.files import evaluate as evaluate
    from untrimmed.extraction.settings import ExtractConfig as ExtractConfig
    from untrimmed.extraction.videos import extract as extract
    from untrimmed.features.grid import Grid as Grid
    from untrimmed.features.streams import read_features as read_features
    from untrimmed.features.video_features import VideoFeatures as VideoFeatures
    from untrimmed.io import BadInput as BadInput
    from untrimmed.recipe import Recipe as Recipe
    from untrimmed.recipe import read_recipe as read_recipe
    from untrimmed.timeline import Action as Action
    from untrimmed.timeline import Timeline as Timeline
    from untrimmed.timeline import Timelines as Timelines
    from untrimmed.training.loop import train as train
    from untrimmed.visualization.timelines import timelines_html as _timelines_html  # noqa: F401

__version__ = "0.1.0.dev0"

_ROOMS = {
    "Action": "timeline",
    "BadInput": "io",
    "Dataset": "annotations.datasets.dataset",
    "Detector": "detection.detector",
    "ExtractConfig": "extraction.settings",
    "Grid": "features.grid",
    "Recipe": "recipe",
    "Timeline": "timeline",
    "Timelines": "timeline",
    "VideoFeatures": "features.video_features",
    "compare": "evaluation.files",
    "convert": "annotations.convert",
    "evaluate": "evaluation.files",
    "extract": "extraction.videos",
    "load": "detection.loading",
    "read_annotations": "annotations.convert",
    "read_features": "features.streams",
    "read_recipe": "recipe",
    "train": "training.loop",
    "view": "detection.view",
    "write_annotations": "annotations.convert",
}
"""Where each public name lives: a room is imported when its name is asked for (PEP 562), torch not before."""

# What the nouns ask of rooms above them.
_INNER = {"_write_detections": "detection.results", "_timelines_html": "visualization.timelines"}

__all__ = ["__version__", *_ROOMS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name) or _INNER.get(name)
    if room is None:
        raise AttributeError(f"module 'untrimmed' has no attribute {name!r}")
    value = getattr(import_module(f"untrimmed.{room}"), name.removeprefix("_"))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
