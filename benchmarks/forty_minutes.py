"""Forty minutes of raw video with 88 actions in it: what the commands make of it, step by step as a user takes them.

    python benchmarks/forty_minutes.py --out benchmarks/results/forty_minutes.txt
    python benchmarks/forty_minutes.py --set windows.background=0 --seed 1
    python benchmarks/forty_minutes.py --film 40

The video is composed of the films in the folder UNTRIMMED_DATA/videos, see `long_films.py`; no snippet of it is
learned from. It repeats two minutes of content about eighteen times and 13 gestures about seven times: what is said
of one of them counts many times, and intervals are narrower than they should be. `--learn long` learns from
fifteen minutes composed of 17 other gestures (33 actions) and other parts of the same films; `films` from these
gestures in a minute of their film, and from the parts of the other films as videos without any action, none of which
shows how one film is joined to another. Fifteen more minutes, of seven gestures, are for validation.

`init`, `train` (killed once with kill -9, and begun again), `detect` and `tune` run as commands, with `--source`
those of another version of the package, and what they say is shown. Features are extracted from each film once and
then joined; `--film` writes minutes of them as a real film and compares what `untrimmed detect` finds in it.
Seconds are those of the processor, one thread.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from long_days import SIDES, list_snippets
from long_films import (
    FPS,
    Piece,
    compose_film,
    cut_films,
    join_actions,
    join_features,
    open_films,
    read_gestures,
    write_film,
)
from long_video import UNLIMITED, Cost, describe, judge, judge_limit, name_processor, score_empty_minutes

from untrimmed.annotations.formats.activitynet import read_activitynet_results, write_activitynet
from untrimmed.evaluation.instances import from_timelines
from untrimmed.features.folder import FeatureFolder, FeatureWriter
from untrimmed.features.video_features import VideoFeatures
from untrimmed.timeline import Timeline, tiou

MINUTES, ACTIONS = 40.0, 88
LEARNED = 15.0
"""Minutes to learn from, and as many for validation, with as many actions a minute."""
BEST, SAME = 20, 0.9
"""So many of the best detections in joined features are sought in a real film: tIoU from which two are one."""
TEST, RAW = "test", "--raw-scores"


class Ran(NamedTuple):
    """What a command said, its notes first of all, and what it took."""

    text: str
    cost: Cost
    code: int


class Answer(NamedTuple):
    """What was detected in the test, and how the command went."""

    timelines: dict[str, Timeline]
    ran: Ran


def main() -> None:
    """Compose, train, detect, judge, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("UNTRIMMED_DATA", ".")), help="has videos/")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="over init's recipe")
    parser.add_argument(
        "--learn", choices=("long", "films"), default="long", help="composed minutes, or the films they are of"
    )
    parser.add_argument("--kill", type=int, default=151, help="the step after which training is killed; 0 never")
    parser.add_argument("--film", type=float, default=0.0, help="minutes of the test to write as a real film")
    parser.add_argument(
        "--source", type=Path, help="the folder src of the version that runs [default: the installed]"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is composed and learned")
    parser.add_argument("--work", type=Path, help="a folder for films, features and runs, which stay there")
    parser.add_argument("--out", type=Path, help="add table and JSON to this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = answer(given, given.work or Path(folder))
    text = describe_all(figures)
    print(text)
    if given.out:
        with given.out.open("a") as file:
            file.write(f"{text}\n{json.dumps(figures)}\n\n")


def answer(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Compose three videos, run the commands on them and judge what they find in the last."""
    films = open_films(given.data / "videos", work)
    folder = work / f"{given.learn}_{given.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    pieces = compose(films, given, folder)
    words = ["--features", folder / "features", "--annotations", folder / "labels.json"]
    run(given, "init", *words, "--out", folder / "dataset.toml")
    training, resumed = train_killed(given, folder)
    answers = detect_all(given, folder)
    compared = compare_film(given, pieces, folder, work) if given.film else None
    truth = {TEST: join_actions(pieces)}
    figures = judge_all(truth, {name: answer.timelines for name, answer in answers.items()})
    figures["content"] = score_content(pieces, answers["raw"].timelines[TEST])
    figures["keep"]["said"] = count_cut(answers["raw"].ran.text)
    cost, hours = answers["detect"].ran.cost, truth[TEST].duration / 3600
    return {
        "command": shlex.join(["python", "benchmarks/forty_minutes.py", *sys.argv[1:]]),
        "processor": name_processor(),
        "question": {"name": "forty minutes", "learn": given.learn, "seed": given.seed},
        "hours": hours,
        "share": sum(action.length for action in truth[TEST]) / hours / 3600,
        "content_minutes": len(list_snippets(p.stretch for p in pieces if not p.actions)) / FPS / 60,
        **figures,
        "training": training._asdict(),
        "detection_per_hour": {"seconds": cost.seconds / hours, "gigabytes": cost.gigabytes},
        "resumed": resumed,
        "notes": {name: list_notes(answer.ran.text) for name, answer in answers.items()},
        "film": compared,
    }


def compose(films: FeatureFolder, given: argparse.Namespace, folder: Path) -> list[Piece]:
    """Write features of all videos, and annotations of those to learn from; the pieces of the test."""
    composed, learned = {}, {}
    for number, side in enumerate(SIDES):
        gestures = read_gestures(given.data / "videos/annotations.json", side)
        if side == "training" and given.learn == "films":
            composed.update(cut_films(gestures, side))
            continue
        minutes = MINUTES if side == TEST else LEARNED
        random = np.random.default_rng([given.seed, number])
        composed[side] = compose_film(gestures, side, minutes, round(ACTIONS * minutes / MINUTES), random)
    for name, pieces in composed.items():
        timeline = join_actions(pieces)
        writer = FeatureWriter(folder / (TEST if name == TEST else "features"), films.source)
        values = join_features(pieces, films)
        writer.write(name, VideoFeatures(values, films.source.grid, timeline.duration, films.source))
        if name != TEST:
            learned[name] = timeline
    subsets = {name: "validation" if name == "validation" else "training" for name in learned}
    write_activitynet(folder / "labels.json", learned, subsets)
    return composed[TEST]


def run(given: argparse.Namespace, *words: Any, until: Any = None) -> Ran:
    """Run a command of the package; with `until`, kill it once that is true."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if given.source:
        environment["PYTHONPATH"] = str(given.source.resolve())
    command = [sys.executable, "-m", "untrimmed.cli", *map(str, words)]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
        while until and process.poll() is None and not until():
            time.sleep(0.05)
        if until:
            process.send_signal(signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if code and not until:
        raise SystemExit(f"{shlex.join(command)} ended with {code}:\n{text}")
    return Ran(text, Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6), code)


def train_killed(given: argparse.Namespace, folder: Path) -> tuple[Cost, dict[str, Any]]:
    """Train, killed once on the way; what the whole took, and what was lost of it."""
    words = ["train", folder / "dataset.toml", f"train.seed={given.seed}", *given.set, "--out", folder / "run"]
    log, killed = folder / "run/log.jsonl", 0
    lost = Cost(0.0, 0.0)
    if given.kill:
        lost = run(given, *words, until=lambda: read_step(log) >= given.kill).cost
        killed = read_step(log)
    again = run(given, *words)
    onward = [note for note in list_notes(again.text) if "run/" in note or "/run:" in note]
    step = re.search(r"after step ([\d,]+)", " ".join(onward))
    resumed = {"killed_after": killed, "goes_on_after": int(step[1]) if step else 0, "steps": read_step(log)}
    cost = Cost(lost.seconds + again.cost.seconds, max(lost.gigabytes, again.cost.gigabytes))
    return cost, {**resumed, "said": onward}


def read_step(log: Path) -> int:
    """Read the last step that a log has; 0 where it has none."""
    steps = re.findall(r'"step": (\d+)', log.read_text()) if log.exists() else []
    return int(steps[-1]) if steps else 0


def detect_all(given: argparse.Namespace, folder: Path) -> dict[str, Answer]:
    """Detect in the test: as it is trained, with scores before calibration, then without limits; and after `tune`."""
    detector, tuned = folder / "run/detector.safetensors", folder / "tuned.safetensors"
    raw = [RAW] if RAW in run(given, "detect", "-h").text else []  # earlier versions calibrate nothing
    unlimited = [word for setting in UNLIMITED for word in ("--set", setting)]
    answers = {
        "detect": detect(given, detector, folder, []),
        "raw": detect(given, detector, folder, raw),
        "unlimited": detect(given, detector, folder, [*raw, *unlimited]),
    }
    said = run(given, "tune", detector, folder / "dataset.toml", "--out", tuned).text
    after = detect(given, tuned, folder, [])
    notes = "".join(f"{line}\n" for line in said.splitlines() if line.startswith("note: "))
    return {**answers, "tune": after._replace(ran=after.ran._replace(text=notes + after.ran.text))}


def detect(
    given: argparse.Namespace, detector: Path, folder: Path, words: Sequence[str], source: Path | None = None
) -> Answer:
    """Detect in the features of the test, or in another `source`."""
    out = folder / "found.json"
    ran = run(given, "detect", detector, source or folder / TEST, "--out", out, *words)
    timelines = read_activitynet_results(out).timelines
    return Answer(dict(zip([TEST], timelines.values(), strict=True)), ran)


def count_cut(text: str) -> int:
    """Count the detections that a command says its limits left out."""
    said = re.search(r"left out ([\d,]+)", text)
    return int(said[1].replace(",", "")) if said else 0


def list_notes(text: str) -> list[str]:
    """List what a command said as notes."""
    return [line.removeprefix("note: ") for line in text.splitlines() if line.startswith("note: ")]


def judge_all(truth: Mapping[str, Timeline], results: Mapping[str, Mapping[str, Timeline]]) -> dict[str, Any]:
    """Judge what was detected in each way."""
    annotated = from_timelines(truth)
    return {
        **judge(annotated, results["detect"]),
        "raw": judge(annotated, results["raw"]),
        "keep": judge_limit(annotated, results["raw"], results["unlimited"]),
        "tuned": judge(annotated, results["tune"]),
        "nothing": score_empty_minutes(truth, results["raw"]),
        "nothing_calibrated": score_empty_minutes(truth, results["detect"]),
    }


def score_content(pieces: Sequence[Piece], timeline: Timeline) -> dict[str, float]:
    """Find the best score in each stretch without any action; the median of those of each film."""
    ends = np.cumsum([piece.stretch.length for piece in pieces]) / FPS
    best = np.zeros(len(pieces))
    for action in timeline:
        place = min(int(np.searchsorted(ends, (action.start + action.end) / 2)), len(pieces) - 1)
        best[place] = max(best[place], action.score or 0.0)
    films: dict[str, list[float]] = {}
    for piece, score in zip(pieces, best.tolist(), strict=True):
        if not piece.actions:
            films.setdefault(piece.stretch.recording, []).append(score)
    return {name: float(np.median(scores)) for name, scores in films.items()}


def compare_film(given: argparse.Namespace, pieces: Sequence[Piece], folder: Path, work: Path) -> dict[str, Any]:
    """Write pieces, from before the first action on, as a real film; compare what is found in it and in features."""
    pieces = pieces[next(place for place, piece in enumerate(pieces) if piece.actions) - 1 :]
    ends = np.cumsum([piece.stretch.length for piece in pieces]) / FPS
    first = pieces[: int(np.searchsorted(ends, given.film * 60 - 1e-6)) + 1]
    write_film(folder / "joined.mp4", first, work / "films")
    seconds = float(ends[len(first) - 1])
    films = FeatureFolder(work / "film_features")
    writer = FeatureWriter(folder / "joined", films.source)
    writer.write("joined", VideoFeatures(join_features(first, films), films.source.grid, seconds, films.source))
    detector = folder / "run/detector.safetensors"
    real = detect(given, detector, folder, [], folder / "joined.mp4")
    joined = detect(given, detector, folder, [], folder / "joined")
    truth = from_timelines({TEST: join_actions(first)})
    return {
        "minutes": seconds / 60,
        "agreeing": count_alike(joined.timelines[TEST].best(BEST), real.timelines[TEST]),
        "of": min(BEST, len(joined.timelines[TEST])),
        "found": [judge(truth, each.timelines)["found"] for each in (joined, real)],
        "recall_at_6": [
            judge(truth, each.timelines)["false_alarms"]["recall_at_false_per_hour"]["6"] for each in (joined, real)
        ],
        "cost": real.ran.cost._asdict(),
    }


def count_alike(one: Timeline, two: Timeline) -> int:
    """Count the detections that another timeline has too: of the same label, with a tIoU of `SAME`."""
    segments = [np.array([[a.start, a.end] for a in timeline]).reshape(-1, 2) for timeline in (one, two)]
    alike = np.array([[a.label == b.label for b in two] for a in one], bool).reshape(len(one), len(two))
    return int(((tiou(*segments) >= SAME) & alike).any(1).sum())


def describe_all(figures: dict[str, Any]) -> str:
    """Write the figures as a table, and what was said."""
    resumed, tuned, nothing = (figures[key] for key in ("resumed", "tuned", "nothing_calibrated"))
    recall = tuned["false_alarms"]["recall_at_false_per_hour"]["6"]
    quantiles = ", ".join(f"{value:.3g}" for value in nothing["best_score_quantiles"])
    rows = [
        (
            "median best score of a stretch of a film",
            ", ".join(f"{k} {v:.3g}" for k, v in figures["content"].items()),
        ),
        ("best score of a minute, calibrated", f"{quantiles} at 10, 50, 90 %"),
        (
            "after tune",
            f"{tuned['found']} of {tuned['actions']} found, of {tuned['detections']:,} detections, recall "
            f"{recall:.3g} at 6 false alarms per hour",
        ),
        (
            "killed, and begun again",
            f"after step {resumed['killed_after']} of {resumed['steps']}; goes on after {resumed['goes_on_after']}",
        ),
    ]
    if film := figures["film"]:
        rows.append(
            (
                "a real film",
                f"{film['minutes']:.1f} min: {film['agreeing']} of the {film['of']} best are found in it too; "
                f"{film['found'][1]} actions, in joined features {film['found'][0]}; "
                f"{film['cost']['seconds']:.0f} CPU s, {film['cost']['gigabytes']:.2f} GB",
            )
        )
    notes = {**figures["notes"], "train": resumed["said"]}
    said = [f"  said by {name}: {note}" for name, each in notes.items() for note in each]
    return "\n".join([describe(figures), *(f"  {name:<42}{value}" for name, value in rows), *said])


if __name__ == "__main__":
    main()
