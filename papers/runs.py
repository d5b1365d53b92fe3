"""The trainings behind a table: done once, found again by their recipes, measured, and fused where a row says so."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from itertools import count
from pathlib import Path

from papers.tables import Row, Table, Trial, Trials
from untrimmed.annotations.corpus import Corpus, open_corpus
from untrimmed.annotations.formats.activitynet import read_results, write_results
from untrimmed.detection.detector import Detector, pick_device
from untrimmed.detection.fusion import Fusion
from untrimmed.evaluation.detection import DetectionScores
from untrimmed.io import BadInput, read_json, write_json
from untrimmed.recipe import Recipe, build_recipe, override, read_recipe, recipe_tree
from untrimmed.training.checkpoint import DETECTOR, RECIPE, RESULTS, SCORES, score
from untrimmed.training.loop import train

TRIAL = "trial.json"


class Runs:
    """The runs of tables over a base recipe, in the folder `out`/runs.

    A run is found by its recipe, so rows of equal settings share one, and a run of before some setting existed is
    still that of the setting's default. Of a run that is done, figures need `recipe.toml` and `trial.json` alone.
    """

    def __init__(self, out: Path, base: Recipe, *, device: str = "auto", quiet: bool = False) -> None:
        self.folder, self.base, self.device, self.quiet = Path(out) / "runs", base, device, quiet
        # Where two have one recipe, that which is done comes last and stays.
        files = sorted(self.folder.glob(f"*/{RECIPE}"), key=lambda file: ((file.parent / TRIAL).exists(), file))
        self._known = {key: file.parent for file in files if (key := _key_in(file))}

    def fill(self, table: Table, seeds: int) -> None:
        """Train, fuse and measure what a table lacks of the first `seeds` seeds. Raises BadInput for no seeds."""
        if seeds < 1:
            raise BadInput(f"{seeds} seeds: give 1 or more")
        # Seed by seed, so that an interrupted study has whole tables.
        for seed in range(seeds):
            for row in table.rows:
                self._complete(table, row, seed)

    def trials(self, table: Table) -> Trials:
        """What is there of a table: seeds from 0 on, up to the first that lacks; none of a row that was not run."""
        return {row.name: tuple(self._row_trials(table, row)) for row in table.rows}

    def recipe(self, row: Row, seed: int) -> Recipe:
        """The recipe of a row."""
        return overridden(self.base, (*row.settings, f"train.seed={seed}"))

    def place(self, table: Table, row: Row, seed: int) -> Path:
        """The folder of a row's run; that of a fusion is called by those of its detectors."""
        if row.fuse:
            return self.folder / "+".join(self.place(table, table.row(name), seed).name for name in row.fuse)
        key = key_of(self.recipe(row, seed))
        return self._known.get(key, self.folder / key)

    def _row_trials(self, table: Table, row: Row) -> list[Trial]:
        found = []
        for seed in count():
            trial = _read(self.place(table, row, seed))
            if trial is None or not trial.measures_all(table):
                return found
            found.append(trial)
        return found

    def _complete(self, table: Table, row: Row, seed: int) -> None:
        for name in row.fuse:
            self._complete(table, table.row(name), seed)
        folder = self.place(table, row, seed)
        trial = _read(folder)
        if trial and trial.measures_all(table):
            return
        if trial is None or not (folder / RESULTS).exists():
            made = self._fuse(table, row, seed) if row.fuse else self._train(row, seed, folder)
            trial = trial or made
            write_json(folder / TRIAL, asdict(trial))
        if table.measures:
            results, corpus = read_results(folder / RESULTS), open_corpus(self.recipe(row, seed).data)
            taken = {measure.name: measure.of(results, corpus) for measure in table.measures}
            write_json(folder / TRIAL, asdict(replace(trial, measures={**trial.measures, **taken})))

    def _train(self, row: Row, seed: int, folder: Path) -> Trial:
        if not self.quiet:
            print(f"{row.name}, seed {seed}: {folder}")
        started = time.process_time()
        trained = train(self.recipe(row, seed), folder, device=self.device, quiet=self.quiet)
        return _trial(seed, trained.scores, folder, time.process_time() - started)

    def _fuse(self, table: Table, row: Row, seed: int) -> Trial:
        """Late fusion of the detectors of other rows, on the test videos that they share."""
        folder, started = self.place(table, row, seed), time.process_time()
        parts = [table.row(name) for name in row.fuse]
        corpora = [open_corpus(self.recipe(part, seed).data) for part in parts]
        _refuse_other_tests(corpora, row.fuse)
        fusion = Fusion(tuple(self._detector(table, part, seed) for part in parts))
        results = {
            video: fusion.detect([corpus.features[video] for corpus in corpora], video) for video in corpora[0].test
        }
        scores = score(corpora[0], results)
        write_results(folder / RESULTS, results)
        if scores:
            write_json(folder / SCORES, scores.to_json())
        seconds = time.process_time() - started
        before = [trial.seconds for part in parts if (trial := _read(self.place(table, part, seed)))]
        return _trial(seed, scores, folder, seconds + sum(before))

    def _detector(self, table: Table, row: Row, seed: int) -> Detector:
        """The detector of a row's run; one that was removed is made again, from the checkpoint if that is there."""
        folder = self.place(table, row, seed)
        if not (folder / DETECTOR).exists():
            train(self.recipe(row, seed), folder, device=self.device, quiet=self.quiet)
        return Detector.load(folder / DETECTOR, pick_device(self.device))


def _refuse_other_tests(corpora: Sequence[Corpus], names: Sequence[str]) -> None:
    """Refuse to compare detectors that are tested on different videos."""
    for other, name in zip(corpora[1:], names[1:], strict=True):
        if lone := sorted(set(corpora[0].test) ^ set(other.test)):
            raise BadInput(
                f"{names[0]!r} and {name!r} are tested on different videos, such as {lone[0]}; "
                "give both the features of all"
            )


@cache  # a table is asked for its rows' folders over and over
def overridden(recipe: Recipe, words: tuple[str, ...]) -> Recipe:
    """The recipe with settings put over it."""
    tree = recipe_tree(recipe)
    for word in words:
        override(tree, word)
    return build_recipe(tree, "study")


def _trial(seed: int, scores: DetectionScores | None, folder: Path, seconds: float) -> Trial:
    if scores is None:
        raise BadInput(f"{folder}: its test split holds no action, so nothing can be compared; choose another")
    return Trial(seed, scores.tious, scores.map, seconds)


def _read(folder: Path) -> Trial | None:
    file = folder / TRIAL
    return Trial.from_json(read_json(file)) if file.exists() else None


def key_of(recipe: Recipe) -> str:
    """A name for everything that a run depends on."""
    text = json.dumps(recipe_tree(recipe), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _key_in(file: Path) -> str:
    """The key of the recipe in a file; empty for one that can no longer be read, as no row has it any more."""
    try:
        return key_of(read_recipe(file))
    except BadInput:
        return ""
