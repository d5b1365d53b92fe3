"""A trained model with all that it needs to be used again: features in, a timeline out; one file."""

import hashlib
import json
import logging
import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from untrimmed import __version__
from untrimmed.detection.calibration import ScoreMap, parse_score_map
from untrimmed.detection.card import Card, card_to_json, parse_card
from untrimmed.detection.journal import DetectionJournal
from untrimmed.detection.sources import detect_each, open_source
from untrimmed.detection.video_scores import VideoScores
from untrimmed.features.video_features import FeatureSource, VideoFeatures, check_finite
from untrimmed.features.windows import Window
from untrimmed.features.windows import cut_windows as cut_windows
from untrimmed.features.work_log import WorkLog, pack_arrays, unpack_arrays
from untrimmed.io import BadInput, Progress, missing, whole
from untrimmed.models.base import Model, stack_windows
from untrimmed.models.device import Precision, autocast, to_device, uses_bfloat16
from untrimmed.models.suppression import TELLING, suppress
from untrimmed.recipe import Recipe, build_recipe, recipe_tree
from untrimmed.timeline import Action, Timeline, Timelines

logger = logging.getLogger(__name__)

HEADER = "untrimmed"
BATCH = 8
WEIGHED = "scores are weighed by those of the videos, so they are not calibrated"


class Header(NamedTuple):
    """What a detector's file holds besides its weights."""

    version: str
    """Of this package, when the file was written."""
    recipe: Recipe
    channels: int
    classes: tuple[str, ...]
    source: FeatureSource
    card: Card | None
    """None in files of before there were cards."""
    calibration: ScoreMap | None
    """None in files of before there was any, and where it could not be fitted."""


class WindowCandidates(NamedTuple):
    """Segments in seconds, and scores of each class, before suppression."""

    segments: Float[np.ndarray, "candidates 2"]
    scores: Float[np.ndarray, "candidates classes"]


@dataclass(frozen=True)
class Detector:
    """A model, the recipe that made it, and the features that it understands.

    `detector("match.mp4")` gives the timeline of a video; several threads may ask one detector at a time.

    With a `precision` of bfloat16 it is faster where the processor has instructions for that, and `auto` means just
    there; scores then differ in the third digit. `dataclasses.replace` changes it.
    """

    model: Model
    recipe: Recipe
    channels: int
    classes: tuple[str, ...]
    source: FeatureSource
    card: Card | None = None
    precision: Precision = "float32"
    calibration: ScoreMap | None = None
    """By which scores become shares of detections that are right, after suppression; None leaves them as they are."""

    def __repr__(self) -> str:
        model, classes = self.recipe.model, reprlib.repr(list(self.classes))
        return f"Detector({model.name}, {len(self.classes)} classes {classes}, features: {self.source.summary})"

    @overload
    def __call__(self, source: VideoFeatures, *, progress: Progress | None = None) -> Timeline: ...
    @overload
    def __call__(self, source: str | Path, *, progress: Progress | None = None) -> Timeline | Any: ...
    def __call__(self, source: VideoFeatures | str | Path, *, progress: Progress | None = None) -> Timeline | Any:
        """Find the actions of a video, of a feature file, or of features in memory: a Timeline.

        A folder, or a file that holds the features of several videos, gives Timelines, a mapping by video; a video
        that cannot be used is among its `failed`, and logged. Raises BadInput where none can be used.
        """
        if isinstance(source, VideoFeatures):
            return self.detect(source)
        if not isinstance(source, str | Path):
            raise BadInput(
                "a detector takes a video, a file or folder of features, or VideoFeatures, not "
                f"{type(source).__name__}; of an array [time, channels] make VideoFeatures(array, "
                "detector.source.grid, seconds, detector.source)"
            )
        timelines = self.detect_all(source, progress=progress)
        for reason in timelines.failed.values():
            logger.warning("left out: %s", reason)
        return timelines if Path(source).is_dir() or len(timelines) != 1 else next(iter(timelines.values()))

    def detect(self, features: VideoFeatures, name: str = "the video") -> Timeline:
        """Find the best actions of a video, up to its limit. Raises BadInput for features of another kind."""
        self.check(features, name)
        return self.suppress(*self.candidates(features, self.recipe.suppress.floor), features.duration)

    def detect_all(
        self,
        source: str | Path,
        *,
        weights: Sequence[Path] = (),
        video_scores: VideoScores | None = None,
        journal: DetectionJournal | None = None,
        progress: Progress | None = None,
    ) -> Timelines:
        """Find the actions of a video, a feature file, or of every one in a folder of either.

        `weights` are the files of a published backbone, by which videos become features. With `video_scores`,
        candidates are weighed by the classes of their video before suppression. With a `journal`, see `hold_journal`,
        a detection that was interrupted goes on. Videos that cannot be used are in `failed`. Raises BadInput where
        none can be used.
        """
        data = self.recipe.data
        videos = open_source(Path(source), self.source, data, weights, journal=journal, progress=progress)
        if video_scores:
            video_scores = video_scores.match(list(videos), self.classes)

        def detect(video: str) -> Timeline:
            features = videos[video]
            self.check(features, f"{source}: {video}")
            # Weighed, a faint candidate may become a sure one.
            floor = -math.inf if video_scores else self.recipe.suppress.floor
            with journal.hold_candidates(video, features, floor) if journal else nullcontext() as log:
                segments, scores = self.candidates(features, floor, log, progress)
            return self.suppress(segments, scores, features.duration, video_scores, video)

        timelines = detect_each([videos], detect, self.recipe.suppress, progress, journal)
        return note_raw_scores(timelines) if video_scores and self.calibration else timelines

    def suppress(
        self,
        segments: Float[np.ndarray, "candidates 2"],
        scores: Float[np.ndarray, "candidates classes"],
        duration: float,
        video_scores: VideoScores | None = None,
        video: str = "",
    ) -> Timeline:
        """Suppress the candidates of a video of `duration` seconds, and calibrate the scores of what remains.

        Where candidates are weighed by the scores of `video`, which is another scale, they are not calibrated.
        """
        classes = self.classes
        if video_scores:
            classes, scores = video_scores.weigh(video, classes, scores)
        calibration, telling = None if video_scores else self.calibration, None
        if calibration and scores.size:
            # What is said to be left out is judged by the scores that are shown.
            telling = calibration.invert(TELLING * calibration.apply(scores.ravel().max(keepdims=True)).item())
        survivors = suppress(segments, scores, self.recipe.suppress, seconds=duration, telling=telling)
        if calibration:
            survivors = survivors._replace(scores=calibration.apply(survivors.scores))
        # Only here are segments cut to the video: where they reach beyond it, overlaps count all the same.
        bounds = survivors.segments.clip(0, duration)
        actions = tuple(
            Action(float(start), float(end), classes[label], float(score))
            for (start, end), label, score in zip(bounds, survivors.labels, survivors.scores, strict=True)
            if end > start
        )
        cut = {classes[label]: int(survivors.cut[label]) for label in np.flatnonzero(survivors.cut)}
        return Timeline(duration, actions, cut=cut)

    def check(self, features: VideoFeatures, name: str = "the video") -> None:
        """Refuse features that the model was not trained on."""
        if features.source != self.source:
            raise BadInput(
                f"{name}: its features come from {features.source.summary}, but the detector was trained on "
                f"{self.source.summary}; extract them as it was"
            )
        if features.channels != self.channels:
            raise BadInput(
                f"{name}: its features have {features.channels} channels, but the detector takes {self.channels}; "
                "extract them as it was trained"
            )
        check_finite(name, features)

    @cached_property
    def _network(self) -> Model:
        """The model as it detects fastest, with the weights that it has at the first detection."""
        device = self.model.standardize.mean.device.type
        return self.model if uses_bfloat16(device, self.precision) else self.model.optimize_for_inference()

    @torch.inference_mode()
    def candidates(
        self,
        features: VideoFeatures,
        floor: float = -math.inf,
        log: WorkLog | None = None,
        progress: Progress | None = None,
    ) -> tuple[Float[np.ndarray, "candidates 2"], Float[np.ndarray, "candidates classes"]]:
        """Compute segments in seconds and scores per class of all windows, before suppression.

        Those of which no class reaches `floor` are dropped: of hours of video, they would fill the memory. What a
        `log` holds of them is not computed again, and the others come into it. Of more than one batch of windows,
        `progress` is told the seconds that are done.
        """
        parts: list[WindowCandidates] = [WindowCandidates(*unpack_arrays(record)) for record in log or ()]
        batches = split_batches(cut_windows(features, self.recipe.windows, self._network.length), BATCH)
        for place, batch in enumerate(batches):
            if place >= len(parts):
                parts.append(self._compute_candidates(batch, floor))
                if log is not None:
                    log.append(pack_arrays(*parts[-1]))
            end = batch[-1].grid.end(batch[-1].valid_length)
            if progress and (place or end < features.end):
                progress("looking for actions", min(end, features.duration), features.duration, "")
        return WindowCandidates(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _compute_candidates(self, batch: list[Window], floor: float) -> "WindowCandidates":
        network = self._network
        device = network.standardize.mean.device
        x, mask, _ = stack_windows(batch)
        with autocast(device.type, self.precision):
            outputs = network(x.to(device), mask.to(device))
        segments, scores = [], []
        for window, proposals in zip(batch, network.decode(outputs), strict=True):
            values = proposals.scores.double().cpu().numpy()
            reaching = (values >= floor).any(1)
            segments.append(window.grid.seconds(proposals.segments.double().cpu().numpy()[reaching]))
            scores.append(values[reaching])
        return WindowCandidates(np.concatenate(segments), np.concatenate(scores))

    def header(self) -> str:
        """Everything but the weights, as JSON; `parse_header` turns it back."""
        tree = {
            "version": __version__,
            "recipe": recipe_tree(self.recipe),
            "channels": self.channels,
            "classes": self.classes,
            "source": asdict(self.source),
        }
        tree |= {"card": card_to_json(self.card)} if self.card else {}
        return json.dumps(tree | ({"calibration": asdict(self.calibration)} if self.calibration else {}))

    def save(self, path: str | Path) -> None:
        """Write weights and everything else to one file, whole or not at all."""
        weights = {name: value.contiguous().cpu() for name, value in self.model.state_dict().items()}
        with whole(Path(path)) as temporary:
            save_file(weights, temporary, metadata={HEADER: self.header()})

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> "Detector":
        """Read a detector; nothing in the file is run. Raises BadInput for a file that is cut or is none."""
        path = Path(path)
        with _whole_file(path), safe_open(path, framework="pt", device=device) as file:
            header = parse_header(file.metadata(), path)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            model = to_device(header.recipe.model.build(header.channels, len(header.classes)), device)
            model.load_state_dict(weights)
        _, recipe, channels, classes, source, card, calibration = header
        return cls(model.eval(), recipe, channels, classes, source, card, calibration=calibration)

    def drop_calibration(self) -> "Detector":
        """Return the detector with scores as suppression leaves them, and the threshold on its card in the same."""
        card = self.card
        if card and card.tuning and (threshold := card.tuning.threshold) and threshold.raw_score is not None:
            threshold = replace(threshold, score=threshold.raw_score, raw_score=None)
            card = replace(card, tuning=replace(card.tuning, threshold=threshold))
        return replace(self, card=card, calibration=None)


def note_raw_scores(timelines: Timelines) -> Timelines:
    """Note that scores were weighed by those of videos, and are not calibrated."""
    return Timelines(timelines, (*timelines.notes, WEIGHED), timelines.failed)


def digest_detector(detector: Detector) -> str:
    """Digest everything that a detector's file would hold, so that another one is noticed."""
    digest = hashlib.sha256(detector.header().encode())
    for name, value in detector.model.state_dict().items():
        digest.update(name.encode() + value.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def read_header(path: str | Path) -> Header:
    """What a detector file holds besides its weights, which are not read. Raises BadInput as loading does."""
    path = Path(path)
    with _whole_file(path), safe_open(path, framework="pt") as file:
        return parse_header(file.metadata(), path)


def parse_header(metadata: Mapping[str, str] | None, path: Path) -> Header:
    """The header in a file's metadata. Raises BadInput for a bad recipe; TypeError, KeyError or ValueError else."""
    tree = json.loads((metadata or {})[HEADER])
    return Header(
        str(tree["version"]),
        build_recipe(tree["recipe"], str(path)),
        int(tree["channels"]),
        tuple(map(str, tree["classes"])),
        FeatureSource.from_json(tree["source"]),
        parse_card(tree["card"]) if "card" in tree else None,
        parse_score_map(tree["calibration"]) if "calibration" in tree else None,
    )


@contextmanager
def _whole_file(path: Path) -> Iterator[None]:
    """Turns whatever a file that is cut, or is none, makes of its reader into one sentence."""
    if Path(path).is_dir():
        raise BadInput(f"{path}: is a folder; name the detector file in it, such as {path}/detector.safetensors")
    if not Path(path).is_file():
        raise missing(Path(path), "detector file")
    try:
        yield
    except BadInput:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        if path.suffix.lower() == ".toml" or path.name.startswith("checkpoint"):
            raise BadInput(f"{path}: is {_describe_run_file(path)}") from None
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: is not a whole detector file ({reason}); copy or train it again") from None


def _describe_run_file(path: Path) -> str:
    """Say what a recipe or a checkpoint in the place of a detector is, and where the detector lies."""
    what = "a recipe" if path.suffix.lower() == ".toml" else "a checkpoint, from which `untrimmed train` goes on"
    beside = path.with_name("detector.safetensors")
    remedy = f"its detector is {beside}" if beside.is_file() else "name the detector.safetensors of a finished run"
    return f"{what}, not a detector; {remedy}"


def split_batches(windows: Iterable[Window], size: int) -> Iterator[list[Window]]:
    """Split windows into lists of at most `size`."""
    windows = iter(windows)
    while batch := list(islice(windows, size)):
        yield batch
