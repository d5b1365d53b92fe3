"""The training loop: windows in, a detector out; a run that was interrupted resumes where it was.

    untrimmed train recipes/salads50_ctcn.toml --out runs/salads
    torchrun --nproc-per-node 2 -m untrimmed.cli train recipes/salads50_ctcn.toml --out runs/salads

A run folder holds `recipe.toml`, `log.jsonl` (a line a step), `checkpoint.safetensors` while it runs, and then
`detector.safetensors`, `results.json` (the detections on the test videos) and `scores.json`. Everything random
depends on the seed, the step and the process alone, so the files are the same however often a run was resumed.
"""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from untrimmed.annotations.corpus import Corpus, open_corpus
from untrimmed.io import BadInput, Progress
from untrimmed.models.base import Batch, Model
from untrimmed.models.device import autocast, compile_forward, pick_device, to_device
from untrimmed.recipe import Recipe, TrainConfig, override_recipe, read_recipe
from untrimmed.training.background import (
    UNSCORED,
    count_background,
    draw_background,
    list_mining_steps,
    sample_background,
    score_background,
)
from untrimmed.training.checkpoint import Process, Run, Trained, forget_test
from untrimmed.training.guard import defer_interrupts, hold_folder, ignore_interrupts
from untrimmed.training.optimizer import MovingAverage, build_optimizer, compute_rate
from untrimmed.training.run_data import describe_run_data
from untrimmed.training.windows import ChannelStatistics, TrainingWindows, collate, compute_channel_statistics

logger = logging.getLogger(__name__)

NO_WINDOWS = np.zeros(0)


def train(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    overrides: str | Sequence[str] = (),
    device: str = "auto",
    keep_test: bool = False,
    progress: Progress | None = None,
) -> Trained:
    """Train a detector, or resume the run in the folder `out`; write everything there.

    `recipe` may be a TOML file; `overrides` are `section.key=value` words over it. A run that is done is only tested
    again; with `keep_test` its detections are kept, so that not even that is. Raises BadInput where recipe, data
    or folder cannot be used, and FloatingPointError, which names the term, when a loss is not finite.
    """
    overrides = [overrides] if isinstance(overrides, str) else overrides
    recipe = override_recipe(recipe, overrides) if isinstance(recipe, Recipe) else read_recipe(recipe, overrides)
    process = join_processes(device)
    corpus = open_corpus(recipe.data)
    # The first process alone writes; the others end with it.
    with hold_folder(Path(out)) if process.rank == 0 else nullcontext():
        trained = run_steps(recipe, corpus, Path(out), process, progress)
        if process.rank == 0 and not keep_test:
            forget_test(Path(out))
        return trained


def run_steps(recipe: Recipe, corpus: Corpus, out: Path, process: Process, progress: Progress | None) -> Trained:
    """Run the steps that the folder `out` lacks. Stops between two where it is told to, with a checkpoint.

    Raises KeyboardInterrupt then, with a sentence on how far it came.
    """
    settings = recipe.train
    statistics = compute_channel_statistics(corpus)
    model = build_model(recipe, corpus, process, statistics)
    optimizer = build_optimizer(model.parameters(), settings)
    average = MovingAverage(model, settings.average) if settings.average else None
    run = Run(out, process, model, optimizer, average, describe_run_data(corpus, statistics.digests, process.world))
    first = run.begin(recipe, corpus)
    if first == 0 and process.rank == 0:
        for note in corpus.notes:
            logger.warning("%s", note)
    forward = DistributedDataParallel(model) if process.world > 1 else model
    # Every step has a batch of one size, so one program is enough.
    forward = compile_forward(forward, dynamic=False) if settings.compile else forward
    model.train()
    if is_evaluation_due(settings, first) and not run.holds_evaluation(first):
        run.evaluate(first, recipe, corpus, progress)  # the run was killed in the midst of it
    windows = TrainingWindows(corpus, recipe.windows, recipe.augment, model.length, settings.seed)
    batches = load_batches(recipe, windows, first, run)
    with defer_interrupts() as interrupts:
        for step, batch in zip(range(first, settings.steps), batches, strict=False):
            torch.manual_seed(settings.seed + (step * process.world + process.rank) * 1_000_003)
            for group in optimizer.param_groups:
                group["lr"] = compute_rate(step, settings)
            with autocast(process.device, settings.precision):
                outputs = forward(batch.x.to(process.device), batch.mask.to(process.device))
            terms = model.loss(outputs, batch.targets)
            losses = {name: term.item() for name, term in terms.items()}
            check_losses(losses, step)
            optimizer.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip or math.inf)
            optimizer.step()
            if average:
                average.update(model, step)
            run.log({"step": step + 1, "rate": compute_rate(step, settings), "norm": norm.item(), **losses})
            if progress and process.rank == 0:
                detail = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
                progress("training", step + 1, settings.steps, detail)
            due = is_evaluation_due(settings, step + 1)
            # An evaluation may take longer than what a run may lose.
            if due or (step + 1) % settings.save_every == 0 or run.unsaved_minutes >= settings.save_minutes:
                run.save(step + 1)
            if interrupts.pending:
                run.save(step + 1)
                raise KeyboardInterrupt(f"stopped after step {step + 1} of {settings.steps}, which {out} holds")
            if due:
                with interrupts.admit():
                    run.evaluate(step + 1, recipe, corpus, progress)
    return run.finish(recipe, corpus, progress)


def is_evaluation_due(settings: TrainConfig, step: int) -> bool:
    """Whether a run is tested after `step` steps, on its way."""
    return bool(settings.evaluate_every) and step % settings.evaluate_every == 0 and 0 < step < settings.steps


def join_processes(device: str) -> Process:
    """Join the processes that `torchrun` started; one process alone without it."""
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = pick_device(device)
    if world > 1 and device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Process(rank, world, device)


def build_model(
    recipe: Recipe, corpus: Corpus, process: Process, statistics: ChannelStatistics | None = None
) -> Model:
    """Build the untrained model, the same in every process, which standardises as the training videos need."""
    mean, deviation, _ = statistics or compute_channel_statistics(corpus)
    torch.manual_seed(recipe.train.seed)
    model = recipe.model.build(len(mean), len(corpus.dataset.classes))
    model.standardize.mean.copy_(torch.from_numpy(mean))
    # A channel that never changes says nothing: it becomes 0 instead of being blown up.
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-8)
    model.standardize.scale.copy_(torch.from_numpy(scale))
    return to_device(model, process.device)


def load_batches(recipe: Recipe, data: TrainingWindows, first: int, run: Run) -> Iterator[Batch]:
    """Load this process's share of every step's windows, from step `first` on.

    Before some steps the windows without an action are scored by the model as it is then, for those that follow.
    """
    settings, process = recipe.train, run.process
    if settings.batch % process.world:
        raise BadInput(f"train.batch = {settings.batch}: must be a multiple of the {process.world} processes")
    if not len(data.places):
        raise BadInput("no training window holds an action; lower windows.coverage or look at the annotations")
    background = count_background(recipe.windows, settings.batch, len(data.backgrounds), process.world)
    mining = list_mining_steps(recipe.windows, settings.steps) if background else []
    if background and not len(run.hardness):
        run.hardness = np.full(len(data.backgrounds), UNSCORED)
    starts = sorted({first, *(step for step in mining if step > first)})
    for start, end in zip(starts, [*starts[1:], settings.steps], strict=True):
        if start in mining:
            if start > first:
                run.save(start)  # many hours of video may take longer than what a run may lose
            sample = sample_background(settings, start, len(data.backgrounds))
            run.hardness = score_background(run.model, data, sample, process.device, settings.precision)
        keys = (
            list_step_keys(settings, len(data.places), step, background, run.hardness)[process.rank :: process.world]
            for step in range(start, end)
        )
        yield from DataLoader(
            data,
            batch_sampler=keys,  # type: ignore[arg-type]
            collate_fn=collate,
            num_workers=settings.loaders,
            worker_init_fn=ignore_interrupts,
        )


def list_step_keys(
    settings: TrainConfig, windows: int, step: int, background: int = 0, hardness: np.ndarray = NO_WINDOWS
) -> list[tuple[int, int]]:
    """List the keys (step, window) of one step: the next windows of an endless row of shuffled passes.

    Beside the batch come `background` windows without an action, which are numbered after the `windows` others.
    """
    orders: dict[int, np.ndarray] = {}
    keys = []
    for place in range(step * settings.batch, (step + 1) * settings.batch):
        epoch, index = divmod(place, windows)
        if epoch not in orders:
            orders[epoch] = np.random.default_rng([settings.seed, epoch]).permutation(windows)
        keys.append((step, int(orders[epoch][index])))
    if background:
        random = np.random.default_rng([settings.seed, step, windows])
        keys += [(step, windows + int(index)) for index in draw_background(random, background, hardness)]
    return keys


def check_losses(losses: dict[str, float], step: int) -> None:
    """Raise FloatingPointError for a loss that is not finite."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the {name} loss is {value} at step {step + 1}; lower train.rate or set train.clip, "
                "and resume from the last checkpoint"
            )
