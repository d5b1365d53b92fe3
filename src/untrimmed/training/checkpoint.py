"""The folder of a training run: its checkpoint and log, how it is resumed, and what it ends with."""

import json
import logging
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from untrimmed.annotations.corpus import Corpus, DataConfig
from untrimmed.annotations.formats.activitynet import write_activitynet_results
from untrimmed.detection.calibration import calibrate
from untrimmed.detection.card import Card, build_card, count_videos, hash_ground_truth
from untrimmed.detection.detector import Detector
from untrimmed.detection.journal import DetectionJournal
from untrimmed.detection.limits import describe_cuts
from untrimmed.detection.recordings import detect_recordings
from untrimmed.evaluation.detection import DetectionScores, compute_detection_scores
from untrimmed.evaluation.instances import Instances, from_timelines
from untrimmed.evaluation.judged import find_judged_actions
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.features.video_features import digest_features
from untrimmed.io import BadInput, Progress, name_disk_faults, read_bytes, track, whole, write_json, write_text
from untrimmed.models.base import Model
from untrimmed.models.device import to_device
from untrimmed.recipe import Recipe, read_recipe, recipe_tree, write_recipe
from untrimmed.timeline import Timeline
from untrimmed.training.optimizer import MovingAverage
from untrimmed.training.run_data import REMEDY, RunData, build_run_data, refuse_other_data

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"
DETECTOR = "detector.safetensors"
LOG = "log.jsonl"
RECIPE = "recipe.toml"
RESULTS = "results.json"
SCORES = "scores.json"
HARDNESS = "background.hardness"
TEST = ".test.unfinished"
"""The folder for the detections of a test that is not finished."""
STATE = "run"
"""The one key of a checkpoint's metadata (several come in any order): steps done, and what was learned from."""
FREE = (
    *(
        "data.annotations",
        "data.annotated",
        "data.features",
        "data.videos",
        "train.save_every",
        "train.save_minutes",
        "train.loaders",
    ),
    *(
        "train.calibrate",
        "train.action_share",
        "suppress.keep",
        "suppress.keep_per_minute",
        "suppress.keep_per_class",
    ),
)
"""Settings that may differ when a run goes on: where data lies, as its content is compared, how it is saved, and what
follows the last step."""


class Process(NamedTuple):
    """One of the processes that train together; `rank` 0 alone writes."""

    rank: int
    world: int
    device: str


class Trained(NamedTuple):
    """What a run gives: the detector, its detections on the test videos before calibration, and their scores."""

    detector: Detector
    results: dict[str, Timeline]
    scores: DetectionScores | None
    """None where the test videos hold no action."""
    detector_path: Path | None = None
    """Where this process has written the detector; None in those of rank above 0, which write nothing."""


class Run:
    """The folder of a run and the state that it keeps there: weights, optimizer, average, step, log."""

    def __init__(
        self,
        folder: Path,
        process: Process,
        model: Model,
        optimizer: torch.optim.Optimizer,
        average: MovingAverage | None,
        data: RunData,
    ) -> None:
        self.folder, self.process, self.data = folder, process, data
        self.model, self.optimizer, self.average = model, optimizer, average
        self.hardness = np.zeros(0)
        """How much the model sees in each training window without an action, as it was scored last."""
        self._saved = time.monotonic()

    @property
    def unsaved_minutes(self) -> float:
        """Minutes since the last checkpoint, or since the call began."""
        return (time.monotonic() - self._saved) / 60

    def begin(self, recipe: Recipe, corpus: Corpus) -> int:
        """Open the folder, load its checkpoint, return the steps done.

        Raises BadInput for a folder of another recipe, or whose weights learned from other data.
        """
        begun = (self.folder / RECIPE).exists()
        if begun:
            refuse_other_recipe(self.folder / RECIPE, recipe)
        step = self._load(recipe) if (self.folder / CHECKPOINT).exists() else 0
        if self.process.rank == 0:
            self._remove_temporary_files()
            if begun:
                logger.info("%s", self._describe_start(step, recipe.train.steps))
            write_recipe(self.folder / RECIPE, recipe)
            notes = [json.dumps({"note": note}) for note in corpus.notes]
            write_text(self.folder / LOG, "".join(f"{line}\n" for line in notes + self._read_log(step)))
        return step

    def log(self, entry: dict[str, Any]) -> None:
        """Append a line to the log; it holds no clock, so that a resumed run's is the same."""
        if self.process.rank == 0:
            path = self.folder / LOG
            with name_disk_faults(path), path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def save(self, step: int) -> None:
        """Write the checkpoint of `step` updates in place of the last."""
        self._saved = time.monotonic()
        if self.process.rank > 0:
            return
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.average:
            tensors |= {f"average.{name}": value for name, value in self.average.values.items()}
        if len(self.hardness):
            tensors[HARDNESS] = torch.from_numpy(self.hardness)
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items() if v is not None}
        with whole(self.folder / CHECKPOINT) as temporary:
            contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
            save_file(contiguous, temporary, metadata={STATE: json.dumps({"step": step, "data": asdict(self.data)})})

    def test(self, recipe: Recipe, corpus: Corpus, step: int, progress: Progress | None = None) -> Trained:
        """Test the detector as it is after `step` steps on the test videos; in process 0 alone.

        Where a test was interrupted, it goes on.
        """
        detector = self.build_detector(recipe, corpus)
        results = self._detect(detector, corpus, step, progress) if self.process.rank == 0 else {}
        self.model.train()
        return Trained(detector, results, score_detections(corpus, results))

    def evaluate(self, step: int, recipe: Recipe, corpus: Corpus, progress: Progress | None = None) -> None:
        """Log the scores of a test on the way, after `step` steps."""
        if scores := self.test(recipe, corpus, step, progress).scores:
            self.log({"step": step, "average_map": scores.average_map, "map": scores.map})

    def holds_evaluation(self, step: int) -> bool:
        """Whether the log has the scores after `step` steps; a run that was killed in the midst of a test has not."""
        return any("average_map" in json.loads(line) for line in self._read_log(step)[-1:])

    def finish(self, recipe: Recipe, corpus: Corpus, progress: Progress | None = None) -> Trained:
        """Write the last checkpoint, the detector, its detections and their scores."""
        self.save(recipe.train.steps)
        trained = self.test(recipe, corpus, recipe.train.steps, progress)
        card = build_card(recipe.data, corpus, trained.scores, self.data.annotations)
        detector = replace(trained.detector, card=card)
        if recipe.train.calibrate and self.process.rank == 0:
            detector = calibrate_detector(detector, corpus, trained.results)
        trained = trained._replace(detector=detector)
        if self.process.rank == 0:
            notes = describe_cuts(trained.results, recipe.suppress)
            write_activitynet_results(self.folder / RESULTS, trained.results, notes)
            if trained.scores:
                write_json(self.folder / SCORES, trained.scores.to_json())
            for note in describe_judged_parts(recipe.data, corpus, self.folder / RESULTS):
                logger.info("%s", note)
            for note in notes:
                logger.info("%s", note)
            trained.detector.save(self.folder / DETECTOR)
            trained = trained._replace(detector_path=self.folder / DETECTOR)
        if self.process.world > 1:
            dist.barrier()
        return trained

    def _detect(
        self, detector: Detector, corpus: Corpus, step: int, progress: Progress | None
    ) -> dict[str, Timeline]:
        """Detect in the test videos; those that are done already, after as many steps, are not looked at again."""
        results = {}
        with closing(DetectionJournal(self.folder / TEST, {"step": step, "detector": detector.header()})) as journal:
            for video in track(corpus.test, "testing", progress, len(corpus.test)):
                features, recordings = corpus.features[video], corpus.list_test_recordings(video)
                state = f"{digest_features(features)} {recordings}"
                detect = partial(detect_recordings, detector, features, recordings, video)
                try:
                    results[video] = journal.recall(video, state, detect)
                except KeyboardInterrupt:
                    raise KeyboardInterrupt(
                        f"stopped after step {step}, with {len(results)} of {len(corpus.test)} test videos done, "
                        f"which {self.folder} holds"
                    ) from None
        return results

    def build_detector(self, recipe: Recipe, corpus: Corpus) -> Detector:
        """Build the detector of the averaged weights, or of the last ones without an average."""
        model = self.model
        channels, classes = len(model.standardize.mean), corpus.dataset.classes
        if self.average:
            model = to_device(recipe.model.build(channels, len(classes)), self.process.device)
            model.load_state_dict(self.average.values)
        return Detector(model.eval(), recipe, channels, classes, corpus.source)

    def _remove_temporary_files(self) -> None:
        """Remove what a process wrote to when it was killed; nobody else writes here, see `hold_folder`."""
        for name in map(Path, (CHECKPOINT, DETECTOR, RESULTS, SCORES, LOG, RECIPE)):
            for file in self.folder.glob(f".{name.stem}-*{name.suffix}"):
                file.unlink()

    def _describe_start(self, step: int, steps: int) -> str:
        if not step:
            return f"{self.folder}: holds no checkpoint yet, so the run begins anew"
        if step < steps:
            return f"{self.folder}: the run goes on after step {step} of {steps}"
        return f"{self.folder}: all {steps} steps are done; nothing is trained again"

    def _load(self, recipe: Recipe) -> int:
        path = self.folder / CHECKPOINT
        step = self._read_step(path, recipe)
        with _name_broken_checkpoint(path):
            with safe_open(path, framework="pt", device=self.process.device) as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.model.load_state_dict(_select(tensors, "model."))
            if self.average:
                self.average.values = _select(tensors, "average.")
            if HARDNESS in tensors:
                self.hardness = tensors[HARDNESS].cpu().numpy()
        state = self.optimizer.state_dict()
        for name, value in _select(tensors, "optimizer.").items():
            index, key = name.split(".", 1)
            state["state"].setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict(state)
        return step

    def _read_step(self, path: Path, recipe: Recipe) -> int:
        """Read how many steps a checkpoint has done. Raises BadInput where they did not learn from today's data."""
        with _name_broken_checkpoint(path), safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            is_old = "step" in metadata and STATE not in metadata
            state = {} if is_old else json.loads(metadata[STATE])
            step, learned = (0, None) if is_old else (int(state["step"]), build_run_data(state["data"]))
        if learned is None:
            raise BadInput(
                f"{path}: is of a version that did not remember the data it learned from, which may be other than "
                f"today's; {REMEDY} (a detector in it can still be used)"
            )
        refuse_other_data(self.folder, learned, self.data, recipe.data)
        return step

    def _read_log(self, step: int) -> list[str]:
        """Read the lines of the log up to a step; those after the checkpoint of a killed run are written again."""
        path = self.folder / LOG
        lines = read_bytes(path).decode("utf-8", "replace").splitlines() if path.exists() and step else []
        entries = []
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                break  # the line at which it was killed
            if 0 < entry.get("step", 0) <= step:
                entries.append(line)
        return entries


@contextmanager
def _name_broken_checkpoint(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: is not a whole checkpoint ({reason}); remove it to begin again") from None


def score_detections(corpus: Corpus, results: dict[str, Timeline]) -> DetectionScores | None:
    """Score detections against the ground truth of their videos; None when those hold no action."""
    ground_truth = build_test_truth(corpus, results)
    if not find_judged_actions(ground_truth).any():
        return None
    protocol = DETECTION_PROTOCOLS[corpus.dataset.protocol]
    return compute_detection_scores(ground_truth, from_timelines(results), protocol)


def describe_judged_parts(data: DataConfig, corpus: Corpus, results: Path) -> list[str]:
    """Say that stretches alone are judged, and how the same figures come of the file of results again."""
    if not corpus.test_spans:
        return []
    options = {"--subset": data.test[0] if len(data.test) == 1 else "", "--annotated": data.annotated}
    options |= {"--truth-unit": data.unit, "--fps": f"{data.fps:g}" if data.fps else ""}
    words = [word for option, value in options.items() if value for word in (option, value)]
    command = shlex.join(["untrimmed", "evaluate", data.annotations, str(results), *words])
    videos = "1 video" if len(corpus.test_spans) == 1 else f"{len(corpus.test_spans)} videos"
    return [f"of {videos} only some stretches are judged; the same figures again: `{command}`"]


def build_test_truth(corpus: Corpus, videos: Iterable[str]) -> Instances:
    """Build the ground truth of some test videos; only their stretches of the test are judged."""
    timelines = {video: corpus.dataset.ground_truth[video] for video in videos}
    return from_timelines(timelines, annotated={v: corpus.test_spans[v] for v in timelines if v in corpus.test_spans})


def calibrate_detector(detector: Detector, corpus: Corpus, results: dict[str, Timeline]) -> Detector:
    """Calibrate a detector on its detections on the test videos, and say where that cannot be done."""
    if not results:
        return detector
    dataset, config = corpus.dataset, detector.recipe
    ground_truth = build_test_truth(corpus, results)
    on, annotations = count_videos(dataset, config.data.test, corpus.test), hash_ground_truth(dataset, corpus.test)
    score_map, fit = calibrate(
        ground_truth, from_timelines(results), detector.classes, on, annotations, config.train.action_share
    )
    for note in fit.notes:
        logger.info("%s", note)
    card = replace(detector.card or Card(), calibration=fit)
    return replace(detector, calibration=score_map, card=card)


def forget_test(folder: Path) -> None:
    """Remove the detections of a test, which a run's folder keeps as long as that is not finished."""
    shutil.rmtree(folder / TEST, ignore_errors=True)


def refuse_other_recipe(path: Path, recipe: Recipe) -> None:
    """Raise BadInput where the recipe of a folder differs; it names the first setting that does.

    Those of `FREE` may differ.
    """
    old, new = (_flatten(recipe_tree(r)) for r in (read_recipe(path), recipe))
    for key in sorted(old.keys() | new.keys()):
        if key not in FREE and old.get(key) != new.get(key):
            raise BadInput(
                f"{path.parent}: holds a run with {key} = {old.get(key)!r}, not {new.get(key)!r}; give that to "
                f"go on with it, or {REMEDY}"
            )


def _select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Select the tensors whose names begin with a prefix, and drop it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested dicts to one of dotted keys."""
    flat = {}
    for key, value in tree.items():
        inner = _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        flat |= inner
    return flat
