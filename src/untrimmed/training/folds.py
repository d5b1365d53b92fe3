"""Cross-validation: train with each fold held out in turn, pool the detections, score them once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.annotations.corpus import hold_out, open_dataset
from untrimmed.annotations.formats.activitynet import write_activitynet_results
from untrimmed.evaluation.detection import DetectionScores, compute_detection_scores
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.proposals import ACTIVITYNET_PROPOSALS, ProposalScores, compute_proposal_scores
from untrimmed.evaluation.protocols import DETECTION_PROTOCOLS
from untrimmed.io import BadInput, Progress, write_json
from untrimmed.recipe import Recipe
from untrimmed.timeline import Timeline
from untrimmed.training.checkpoint import RESULTS, SCORES, forget_test
from untrimmed.training.guard import hold_folder
from untrimmed.training.loop import Trained, train


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
    recipe: Recipe,
    folds: Sequence[str],
    out: str | Path,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> CrossValidation:
    """Train a detector for each fold on all the other splits that the recipe names; one folder a fold.

    Folds that are trained already are not trained again. Raises BadInput for fewer than two folds or an unknown one.
    """
    if len(folds) < 2:
        raise BadInput(f"cross-validation needs at least 2 folds, not {len(folds)}: name them, or more in the recipe")
    runs = {}
    with hold_folder(Path(out)):
        for fold in folds:
            inner = replace(recipe, data=hold_out(recipe.data, fold))
            runs[fold] = train(inner, Path(out) / fold, device=device, keep_test=True, progress=progress)
        pooled = pool_folds(recipe, runs, Path(out))
        for fold in folds:
            forget_test(Path(out) / fold)
        return pooled


def cross_validate_seeds(
    recipe: Recipe,
    folds: Sequence[str],
    seeds: int,
    out: str | Path,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> dict[int, CrossValidation]:
    """Cross-validate with so many seeds, from the recipe's own on; each further one in a folder `seedN` of `out`."""
    first = recipe.train.seed
    return {
        seed: cross_validate(
            replace(recipe, train=replace(recipe.train, seed=seed)),
            folds,
            Path(out) / f"seed{seed}" if seed > first else out,
            device=device,
            progress=progress,
        )
        for seed in range(first, first + seeds)
    }


def join_results(folds: Sequence[Mapping[str, Timeline]]) -> dict[str, Timeline]:
    """Join the detections of several folds; those in the parts of one video are one timeline."""
    results: dict[str, Timeline] = {}
    for fold in folds:
        for video, timeline in fold.items():
            earlier = results.get(video)
            actions = (*earlier.actions, *timeline.actions) if earlier else timeline.actions
            results[video] = replace(timeline, actions=actions)
    return results


def pool_folds(recipe: Recipe, runs: Mapping[str, Trained], out: Path) -> CrossValidation:
    """Judge the detections of all folds together, once, and write them and the figures into `out`."""
    results = join_results([trained.results for trained in runs.values()])
    dataset = open_dataset(recipe.data).only(results)
    spans = dataset.find_spans(*runs)
    ground_truth, detections = from_timelines(dataset.ground_truth, annotated=spans), from_timelines(results)
    pooled = compute_detection_scores(ground_truth, detections, DETECTION_PROTOCOLS[dataset.protocol])
    proposals = compute_proposal_scores(ground_truth, detections, ACTIVITYNET_PROPOSALS)
    folds = {fold: trained.scores for fold, trained in runs.items() if trained.scores}
    write_activitynet_results(out / RESULTS, results)
    write_json(
        out / SCORES,
        {
            **pooled.to_json(),
            "folds": {fold: scores.to_json() for fold, scores in folds.items()},
            "proposals": {"ar_at": proposals.ar_at, "auc": proposals.auc},
        },
    )
    return CrossValidation(results, pooled, folds, proposals)
