"""The trainings behind a table: run once, looked up by their recipes, measured, and fused where a row says so."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from itertools import count
from pathlib import Path

from papers.tables import PaperTable, Row, Trial, Trials
from untrimmed.annotations.corpus import Corpus, open_corpus
from untrimmed.annotations.formats.activitynet import read_activitynet_results, write_activitynet_results
from untrimmed.detection.detector import Detector
from untrimmed.detection.fusion import Fusion
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.io import BadInput, Progress, read_json, write_json
from untrimmed.models.device import pick_device
from untrimmed.recipe import Recipe, hash_recipe, override_recipe, read_recipe
from untrimmed.training.checkpoint import DETECTOR, RECIPE, RESULTS, SCORES, score_detections
from untrimmed.training.loop import train

TRIAL = "trial.json"
# A table is asked for the folders of its rows over and over.
override_cached = cache(override_recipe)


class Runs:
    """The runs of tables over a base recipe, in the folder `out`/runs.

    A run is looked up by its recipe, so rows of equal settings share one, and a run of before some setting existed is
    still that of the setting's default. Of a run that is done, figures need `recipe.toml` and `trial.json` alone.
    """

    def __init__(self, out: Path, base: Recipe, *, device: str = "auto", progress: Progress | None = None) -> None:
        self.folder, self.base, self.device, self.progress = Path(out) / "runs", base, device, progress
        # Where two have one recipe, that which is done comes last and stays.
        files = sorted(self.folder.glob(f"*/{RECIPE}"), key=lambda file: ((file.parent / TRIAL).exists(), file))
        self._folders = {key: file.parent for file in files if (key := _read_key(file))}

    def fill(self, table: PaperTable, seeds: int) -> None:
        """Train, fuse and measure what a table lacks of the first `seeds` seeds. Raises BadInput for no seeds."""
        if seeds < 1:
            raise BadInput(f"{seeds} seeds: give 1 or more")
        # Seed by seed, so that an interrupted study has whole tables.
        for seed in range(seeds):
            for row in table.rows:
                self._complete(table, row, seed)

    def trials(self, table: PaperTable) -> Trials:
        """Read the trials of a table: seeds from 0 on, up to the first that lacks; none of a row that was not run."""
        return {row.name: tuple(self._row_trials(table, row)) for row in table.rows}

    def recipe(self, row: Row, seed: int) -> Recipe:
        """Build the recipe of a row."""
        return override_cached(self.base, (*row.settings, f"train.seed={seed}"))

    def place(self, table: PaperTable, row: Row, seed: int) -> Path:
        """Locate the folder of a row's run; a fusion is called by those of its detectors."""
        if row.fuse:
            return self.folder / "+".join(self.place(table, table.row(name), seed).name for name in row.fuse)
        key = hash_recipe(self.recipe(row, seed))
        return self._folders.get(key, self.folder / key)

    def _row_trials(self, table: PaperTable, row: Row) -> list[Trial]:
        trials = []
        for seed in count():
            trial = _read_trial(self.place(table, row, seed))
            if trial is None or not trial.measures_all(table):
                break
            trials.append(trial)
        return trials

    def _complete(self, table: PaperTable, row: Row, seed: int) -> None:
        for name in row.fuse:
            self._complete(table, table.row(name), seed)
        folder = self.place(table, row, seed)
        trial = _read_trial(folder)
        if trial and trial.measures_all(table):
            return
        if trial is None or not (folder / RESULTS).exists():
            again = self._fuse(table, row, seed) if row.fuse else self._train(row, seed, folder)
            trial = trial or again
            write_json(folder / TRIAL, asdict(trial))
        if table.measures:
            results = read_activitynet_results(folder / RESULTS).timelines
            corpus = open_corpus(self.recipe(row, seed).data)
            measures = {measure.name: measure.of(results, corpus) for measure in table.measures}
            write_json(folder / TRIAL, asdict(replace(trial, measures={**trial.measures, **measures})))

    def _train(self, row: Row, seed: int, folder: Path) -> Trial:
        def tell(task: str, done: float, total: float | None, detail: str = "") -> None:
            if self.progress:
                self.progress(f"{row.name}, seed {seed}", done, total, detail)

        started = time.process_time()
        trained = train(self.recipe(row, seed), folder, device=self.device, progress=tell)
        return _build_trial(seed, trained.scores, folder, time.process_time() - started)

    def _fuse(self, table: PaperTable, row: Row, seed: int) -> Trial:
        """Fuse the detectors of other rows, on the test videos that they share (late fusion)."""
        folder, started = self.place(table, row, seed), time.process_time()
        parts = [table.row(name) for name in row.fuse]
        corpora = [open_corpus(self.recipe(part, seed).data) for part in parts]
        _check_tests(corpora, row.fuse)
        fusion = Fusion(tuple(self._detector(table, part, seed) for part in parts))
        results = {
            video: fusion.detect([corpus.features[video] for corpus in corpora], video) for video in corpora[0].test
        }
        scores = score_detections(corpora[0], results)
        write_activitynet_results(folder / RESULTS, results)
        if scores:
            write_json(folder / SCORES, scores.to_json())
        seconds = time.process_time() - started
        trainings = [trial.seconds for part in parts if (trial := _read_trial(self.place(table, part, seed)))]
        return _build_trial(seed, scores, folder, seconds + sum(trainings))

    def _detector(self, table: PaperTable, row: Row, seed: int) -> Detector:
        """Load the detector of a row's run; one that is gone is built again, from a checkpoint if there is one."""
        folder = self.place(table, row, seed)
        if not (folder / DETECTOR).exists():
            train(self.recipe(row, seed), folder, device=self.device, progress=self.progress)
        # Detections of several detectors are pooled before they are judged: on one scale, the networks' own.
        return Detector.load(folder / DETECTOR, pick_device(self.device)).drop_calibration()


def _check_tests(corpora: Sequence[Corpus], names: Sequence[str]) -> None:
    """Raise BadInput for detectors that are tested on different videos."""
    for corpus, name in zip(corpora[1:], names[1:], strict=True):
        if lone := sorted(set(corpora[0].test) ^ set(corpus.test)):
            raise BadInput(
                f"{names[0]!r} and {name!r} are tested on different videos, such as {lone[0]}; "
                "give both the features of all"
            )


def _build_trial(seed: int, scores: DetectionScores | None, folder: Path, seconds: float) -> Trial:
    if scores is None:
        raise BadInput(f"{folder}: its test split holds no action, so nothing can be compared; choose another")
    return Trial(seed, scores.tious, scores.map, seconds)


def _read_trial(folder: Path) -> Trial | None:
    file = folder / TRIAL
    return Trial.from_json(read_json(file)) if file.exists() else None


def _read_key(file: Path) -> str:
    """Hash the recipe in a file; empty for one that can no longer be read, as no row has it any more."""
    try:
        return hash_recipe(read_recipe(file))
    except BadInput:
        return ""
