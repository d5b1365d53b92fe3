"""The training loop: windows in, a detector out; interrupted anywhere, it goes on as if it had not been.

    untrimmed train recipes/salads50_ctcn.toml --out runs/salads
    torchrun --nproc-per-node 2 -m untrimmed.cli train recipes/salads50_ctcn.toml --out runs/salads

A run folder holds `recipe.toml`, `log.jsonl` (a line a step), `checkpoint.safetensors` while it runs, and then
`detector.safetensors`, `results.json` (the detections on the test videos) and `scores.json`. Everything random
depends on the seed, the step and the process alone, so the files are the same however often a run was resumed.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from untrimmed.annotations.corpus import Corpus, open_corpus
from untrimmed.io import BadInput
from untrimmed.models.base import Batch, Model
from untrimmed.models.device import autocast, compile_forward, pick_device, to_device
from untrimmed.recipe import Recipe, TrainConfig
from untrimmed.training.checkpoint import Process, Run, Trained
from untrimmed.training.optimizer import MovingAverage, build_optimizer, rate
from untrimmed.training.windows import TrainingWindows, channel_statistics, collate


def train(recipe: Recipe, out: Path, *, device: str = "auto", quiet: bool = False) -> Trained:
    """Train, or go on with the run in the folder `out`; write everything there.

    Raises BadInput where data or the folder cannot be used, and FloatingPointError, which names the term, when a
    loss is not finite.
    """
    process = join(device)
    settings = recipe.train
    corpus = open_corpus(recipe.data)
    model = build_model(recipe, corpus, process)
    optimizer = build_optimizer(model.parameters(), settings)
    average = MovingAverage(model, settings.average) if settings.average else None
    run = Run(out, process, model, optimizer, average)
    first = run.begin(recipe, corpus)
    forward = DistributedDataParallel(model) if process.world > 1 else model
    # Every step has a batch of one size, so one program is enough.
    forward = compile_forward(forward, dynamic=False) if settings.compile else forward
    model.train()
    with progress_bar(quiet or process.rank > 0) as bar:
        for note in () if first else corpus.notes:
            bar.console.print(f"note: {note}", highlight=False)
        task = bar.add_task("training", total=settings.steps, completed=first, losses="")
        for step, batch in zip(
            range(first, settings.steps), batches(recipe, corpus, model.length, first, process), strict=False
        ):
            torch.manual_seed(settings.seed + (step * process.world + process.rank) * 1_000_003)
            for group in optimizer.param_groups:
                group["lr"] = rate(step, settings)
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
            run.log({"step": step + 1, "rate": rate(step, settings), "norm": norm.item(), **losses})
            bar.update(task, advance=1, losses="  ".join(f"{name} {value:.3f}" for name, value in losses.items()))
            look = settings.evaluate_every and (step + 1) % settings.evaluate_every == 0 and step + 1 < settings.steps
            if look and (scores := run.test(recipe, corpus).scores):
                run.log({"step": step + 1, "average_map": scores.average_map, "map": scores.map})
            if (step + 1) % settings.save_every == 0:
                run.save(step + 1)
    return run.finish(recipe, corpus)


def join(device: str) -> Process:
    """This process's place among those that `torchrun` started; alone without it."""
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = pick_device(device)
    if world > 1 and device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Process(rank, world, device)


def build_model(recipe: Recipe, corpus: Corpus, process: Process) -> Model:
    """The untrained model, the same in every process, that brings its input to the training videos' scale."""
    mean, deviation = channel_statistics(corpus)
    torch.manual_seed(recipe.train.seed)
    model = recipe.model.build(len(mean), len(corpus.dataset.classes))
    model.standardize.mean.copy_(torch.from_numpy(mean))
    # A channel that never changes says nothing: it becomes 0 instead of being blown up.
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 1e-8)
    model.standardize.scale.copy_(torch.from_numpy(scale))
    return to_device(model, process.device)


def batches(recipe: Recipe, corpus: Corpus, length: int, first: int, process: Process) -> Iterator[Batch]:
    """This process's share of every step's windows, from step `first` on."""
    settings = recipe.train
    if settings.batch % process.world:
        raise BadInput(f"train.batch = {settings.batch}: must be a multiple of the {process.world} processes")
    data = TrainingWindows(corpus, recipe.windows, recipe.augment, length, settings.seed)
    if not len(data):
        raise BadInput("no training window holds an action; lower windows.coverage or look at the annotations")
    steps = range(first, settings.steps)
    keys = (shares(settings, len(data), step)[process.rank :: process.world] for step in steps)
    return iter(DataLoader(data, batch_sampler=keys, collate_fn=collate, num_workers=settings.loaders))  # type: ignore[arg-type]


def shares(settings: TrainConfig, windows: int, step: int) -> list[tuple[int, int]]:
    """The keys (step, window) of one step: the next `batch` of an endless row of shuffled passes."""
    first = step * settings.batch
    orders: dict[int, np.ndarray] = {}
    keys = []
    for place in range(first, first + settings.batch):
        turn, index = divmod(place, windows)
        if turn not in orders:
            orders[turn] = np.random.default_rng([settings.seed, turn]).permutation(windows)
        keys.append((step, int(orders[turn][index])))
    return keys


def check_losses(losses: dict[str, float], step: int) -> None:
    """Stop at a loss that is not finite, and say which."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the {name} loss is {value} at step {step + 1}; lower train.rate or set train.clip, "
                "and resume from the last checkpoint"
            )


def progress_bar(quiet: bool) -> Progress:
    """A bar with losses and the time that is left; nothing when quiet."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), disable=quiet)
