"""Settings found for a trained detector: tune."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrimmed.cli.app import Device, JsonOut, Overrides, Quiet, Settings, app, command
from untrimmed.cli.printing import progress_bar, show_notes, show_table, write_numbers

if TYPE_CHECKING:
    from untrimmed.detection.tune import Tuned


@command(app, resumes=True)
def tune(
    detector: Annotated[Path, typer.Argument(help="A detector file.")],
    recipe: Annotated[Path, typer.Argument(help="A recipe whose [data] has annotated videos and their features.")],
    overrides: Overrides = None,
    subset: Annotated[
        list[str] | None, typer.Option(help="Split to tune on; may be repeated [default: data.test].")
    ] = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="The file to write [default: beside it, NAME-tuned].")] = None,
    device: Device = "auto",
    json: JsonOut = None,
    quiet: Quiet = False,
) -> None:
    """Find the suppression and the score threshold that suit a detector, on videos that it was not trained on.

    Scores are calibrated again, with `train.action_share=0.01` for a use of which so much of the time is action.

    Example: `untrimmed tune runs/demo/detector.safetensors runs/demo/recipe.toml --subset validation`
    """
    from untrimmed.detection.detector import Detector
    from untrimmed.detection.journal import place_journal
    from untrimmed.detection.loading import override_suppression
    from untrimmed.detection.tune import tune as tune_detector
    from untrimmed.models.device import pick_device
    from untrimmed.recipe import read_recipe

    tuning_recipe = read_recipe(recipe, overrides or [])
    suppression = [word for word in overrides or [] if word.strip().startswith("suppress.")]
    start = override_suppression(Detector.load(detector, pick_device(device)), [*suppression, *(settings or [])])
    file = out or detector.with_name(f"{detector.stem}-tuned{detector.suffix}")
    unfinished, training = place_journal(file), tuning_recipe.train
    with progress_bar(quiet) as progress:
        tuned = tune_detector(
            start,
            tuning_recipe.data,
            subset or (),
            calibrate=training.calibrate,
            action_share=training.action_share,
            unfinished=unfinished,
            progress=progress,
        )
    tuned.detector.save(file)
    write_numbers(json, tuned.to_json())
    shutil.rmtree(unfinished, ignore_errors=True)
    _report(tuned)
    print(f"detector: {file}")


def _report(tuned: "Tuned") -> None:
    """Print what was better, the scores of before and after, and how to read those of detections."""
    from untrimmed.detection.card import describe_calibration, describe_threshold
    from untrimmed.evaluation.tables import false_alarm_table, map_table

    rows = [(trial.change, f"{100 * trial.average_map:.2f}") for trial in tuned.trials if trial.kept]
    show_table("average mAP (%), what was better than all before", ("setting", "mAP"), rows)
    table = map_table({"before": tuned.before, "after": tuned.after})
    show_table(table.caption, table.header, table.rows)
    for name, scores in (("before", tuned.before), ("after", tuned.after)):
        if scores.false_alarms:
            table = false_alarm_table(scores.false_alarms)
            show_table(f"{table.caption}, {name}", table.header, table.rows)
    if tuned.threshold:
        print(f"best F1 from score {describe_threshold(tuned.threshold)}")
    if tuned.calibration:
        for name, value in describe_calibration(tuned.calibration):
            print(f"{name}: {value}")
    show_notes(tuned.notes)
