"""Cross-validation: train with each fold held out in turn, pool the detections, score them once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.corpus import hold_out, open_dataset
from untrimmed.annotations.formats.activitynet import write_results
from untrimmed.evaluation.detection import DetectionScores, detection_map
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.proposals import ACTIVITYNET_PROPOSALS, ProposalScores, proposal_scores
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.io import BadInput, write_json
from untrimmed.recipe import Recipe
from untrimmed.timeline import Timeline
from untrimmed.training.checkpoint import RESULTS, SCORES
from untrimmed.training.loop import Trained, train

# Recall of what was found as proposals, whatever its class.
PROPOSALS = ACTIVITYNET_PROPOSALS


class CrossValidation(NamedTuple):
    """The detections of every video by the detector that did not see it, and their scores."""

    results: dict[str, Timeline]
    pooled: DetectionScores
    """All folds' detections judged together, once."""
    folds: dict[str, DetectionScores]
    """Each fold's own; their mean is not the pooled figure."""
    proposals: ProposalScores
    """All folds' detections judged as proposals."""


def cross_validate(
    recipe: Recipe, folds: Sequence[str], out: Path, *, device: str = "auto", quiet: bool = False
) -> CrossValidation:
    """Train a detector for each fold on all the other splits that the recipe names; one folder a fold.

    What is done already is not done again. Raises BadInput for fewer than two folds or an unknown one.
    """
    if len(folds) < 2:
        raise BadInput(f"cross-validation needs at least 2 folds, not {len(folds)}: name them, or more in the recipe")
    trained = {}
    for fold in folds:
        held_out = replace(recipe, data=hold_out(recipe.data, fold))
        trained[fold] = train(held_out, out / fold, device=device, quiet=quiet)
    return pool(recipe, trained, out)


def cross_validate_seeds(
    recipe: Recipe, folds: Sequence[str], seeds: int, out: Path, *, device: str = "auto", quiet: bool = False
) -> dict[int, CrossValidation]:
    """Cross-validate with so many seeds, from the recipe's own on; each further one in a folder `seedN` of `out`."""
    first = recipe.train.seed
    return {
        seed: cross_validate(
            replace(recipe, train=replace(recipe.train, seed=seed)),
            folds,
            out / f"seed{seed}" if seed > first else out,
            device=device,
            quiet=quiet,
        )
        for seed in range(first, first + seeds)
    }


def pool(recipe: Recipe, trained: Mapping[str, Trained], out: Path) -> CrossValidation:
    """Judge the detections of all folds together, and write them and the figures into `out`."""
    results = {video: timeline for one in trained.values() for video, timeline in one.results.items()}
    dataset = open_dataset(recipe.data).only(results)
    protocol = DETECTION_PROTOCOLS[dataset.protocol]
    truth, found = from_timelines(dataset.truth), from_timelines(results)
    pooled, proposals = detection_map(truth, found, protocol), proposal_scores(truth, found, PROPOSALS)
    folds = {fold: one.scores for fold, one in trained.items() if one.scores}
    write_results(out / RESULTS, results)
    write_json(
        out / SCORES,
        {
            **pooled.to_json(),
            "folds": {fold: scores.to_json() for fold, scores in folds.items()},
            "proposals": {"ar_at": proposals.ar_at, "auc": proposals.auc},
        },
    )
    return CrossValidation(results, pooled, folds, proposals)
