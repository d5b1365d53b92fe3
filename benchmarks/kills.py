"""Kills trainings at random seconds, starts them again, and compares what they leave with an undisturbed one's.

    python benchmarks/kills.py recipes/vts_ctcn.toml --kills 20 train.steps=1500 --out benchmarks/results/kills.txt

Each training is a process of its own. `kill -9` ends it at a second that is drawn from what the latest undisturbed
one took, Python's start and the writing of the results in it; it is started and killed again until it ends before its
next kill. What is lost is counted from when the first step was done that has to be done again. Settings over the
recipe's are given as for `untrimmed train`.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open

from untrimmed.training.checkpoint import CHECKPOINT, DETECTOR, LOG, RESULTS, SCORES, STATE

FILES = (DETECTOR, CHECKPOINT, LOG, RESULTS, SCORES)
POLL = 0.05
"""Seconds between two looks at the log."""
TAIL = 4096
"""Bytes at the end of a log that hold a whole line."""


class Attempt(NamedTuple):
    """One process: how it ended, what it said, and when it had done which step."""

    code: int
    output: str
    seconds: float
    steps: tuple[tuple[float, int], ...]
    """Seconds from its start, and the steps in the log, each time there were more."""

    @property
    def reached(self) -> int:
        """The last step in the log."""
        return self.steps[-1][1] if self.steps else 0

    def count_lost(self, step: int) -> float:
        """Seconds from when it had done the first step after `step` to its end."""
        return self.seconds - next((second for second, done in self.steps if done > step), self.seconds)


def run_training(words: Sequence[str], folder: Path, limit: float = float("inf")) -> Attempt:
    """Train in a folder, and kill that after `limit` seconds."""
    command = [sys.executable, "-m", "untrimmed.cli", "train", *words, "--out", str(folder)]
    start, steps, latest = time.monotonic(), [], read_step(folder / LOG)
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        while process.poll() is None:
            seconds, step = time.monotonic() - start, read_step(folder / LOG)
            if step != latest:
                latest = step
                steps.append((seconds, step))
            if seconds >= limit:
                process.kill()
                process.wait()
            time.sleep(POLL)
        output.seek(0)
        return Attempt(process.returncode, output.read(), time.monotonic() - start, tuple(steps))


def read_step(log: Path) -> int:
    """Read the last step that a log holds, 0 without one."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        steps = re.findall(rb'"step": (\d+)[^\n]*\n', file.read())
    return int(steps[-1]) if steps else 0


def digest_folder(folder: Path) -> dict[str, str]:
    """Digest the files that a training leaves."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def read_checkpoint(folder: Path) -> int:
    """Read how many steps a checkpoint has done, 0 without one."""
    if not (folder / CHECKPOINT).exists():
        return 0
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        return json.loads((file.metadata() or {})[STATE])["step"]


class Tally(NamedTuple):
    """What was lost at each kill, in seconds, and of each training whether it left the undisturbed one's files."""

    lost: list[float]
    same: list[bool]

    def __str__(self) -> str:
        names = ", ".join(FILES)
        mean = sum(self.lost) / len(self.lost)
        files = f"{sum(self.same)} of {len(self.same)} trainings left the same {names}, byte for byte"
        return f"{len(self.lost)} kills: at most {max(self.lost):.1f} s lost, on average {mean:.1f} s; {files}"


def kill_trainings(words: Sequence[str], kills: int, seed: int, place: Path) -> Iterator[str]:
    """Train undisturbed, and then with so many kills, each with a line of the report.

    A training that is killed is started again, and killed again, until it ends before the next kill comes.
    """
    whole = run_training(words, place / "whole")
    if whole.code:
        raise SystemExit(whole.output)
    yield f"undisturbed: {whole.reached} steps in {whole.seconds:.1f} s, the first after {whole.steps[0][0]:.1f} s"
    expected, random_second = digest_folder(place / "whole"), random.Random(seed)
    folder, tally, duration = place / "killed", Tally([], []), whole.seconds
    while len(tally.lost) < kills or folder.exists():
        limit = random_second.uniform(0, duration) if len(tally.lost) < kills else float("inf")
        is_new = not folder.exists()
        attempt = run_training(words, folder, limit)
        if attempt.code == -signal.SIGKILL:
            step = read_checkpoint(folder)
            tally.lost.append(attempt.count_lost(step))
            reached = attempt.reached or step
            yield (
                f"kill {len(tally.lost):2}: after {attempt.seconds:5.1f} s, {reached:4} steps done, {step:4} of them "
                f"in the checkpoint; {tally.lost[-1]:4.1f} s are lost"
            )
            continue
        if is_new:  # how fast the machine is may change
            duration = attempt.seconds
        tally.same.append(attempt.code == 0 and digest_folder(folder) == expected)
        yield f"ended after {attempt.seconds:.1f} s more: {'the same files' if tally.same[-1] else attempt.output}"
        shutil.rmtree(folder)
    yield str(tally)


def main() -> None:
    """Measure, print and append to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--save-minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_intermixed_args()
    words = [arguments.recipe, *arguments.overrides, f"train.save_minutes={arguments.save_minutes}"]
    command = f"python {shlex.join(sys.argv)}"
    with tempfile.TemporaryDirectory() as place:
        lines = kill_trainings(words, arguments.kills, arguments.seed, Path(place))
        for line in chain((command, f"{platform.machine()}, {os.cpu_count()} cores"), lines, ("",)):
            print(line, flush=True)
            if arguments.out:
                with arguments.out.open("a") as file:
                    file.write(f"{line}\n")


if __name__ == "__main__":
    main()
