"""The pictures of docs/ctcn.md: what C-TCN's layers, pyramid, matching and augmentation do."""

from pathlib import Path

import numpy as np
import torch
from doc_sheet import BLUE, GREEN, LEFT, ORANGE, PINK, RIGHT, SKY, Sheet
from jaxtyping import Bool

from untrimmed.demo.videos import DemoConfig, plan_video
from untrimmed.features.grid import Grid
from untrimmed.models.anchors import pyramid_anchors, to_segments
from untrimmed.models.base import Targets
from untrimmed.models.ctcn import CTCN, CTCNConfig, split_into_rows
from untrimmed.models.matching import match
from untrimmed.models.pyramid import Filters
from untrimmed.recipe import AugmentConfig
from untrimmed.training.augment import Clip, random_crop, random_move
from untrimmed.visualization.colours import palette
from untrimmed.visualization.timelines import pack_lanes


def model_of(config: CTCNConfig, channels: int = 8, classes: int = 1) -> CTCN:
    """Build the network without its weights."""
    with torch.device("meta"):
        return config.build(channels, classes)


def _find_inputs(layer: torch.nn.Conv2d, rows: int, concepts: int) -> Bool[np.ndarray, "outputs concepts"]:
    """Find which inputs each output of a layer depends on, by the gradient of the layer itself."""
    torch.nn.init.ones_(layer.weight)
    x = torch.ones(1, concepts, 1, requires_grad=True)
    outputs = layer(split_into_rows(x, rows)).transpose(1, 2).flatten(1)[0]
    return torch.stack([torch.autograd.grad(o, x, retain_graph=True)[0][0, :, 0] for o in outputs]).numpy() != 0


def convolutions(path: Path) -> None:
    """What the outputs of a conventional, a grouped and a concept-wise layer depend on, and who shares filters."""
    concepts = 4
    kinds = (
        ("conventional (TCN)", Filters(1), 1, 8, "each output mixes all"),
        ("grouped, own filters", Filters(2), 1, 8, "mixes within a group"),
        ("concept-wise (C-TCN)", Filters(1), 4, 2, "mixes none, shares filters"),
    )
    sheet = Sheet("Which concepts the outputs of three kinds of temporal convolution depend on")
    for panel, (name, filters, rows, outputs, words) in enumerate(kinds):
        layer = filters.build(concepts // rows, outputs, 3, bias=False)
        reached = _find_inputs(layer, rows, concepts)
        left = LEFT + 6 + 216 * panel
        sheet.text(left, 38, name, bold=True)
        inputs = [(left + 30, 78 + 52 * i) for i in range(concepts)]
        places = [(left + 150, 66 + 25.5 * i) for i in range(len(reached))]
        for i, (x, y) in enumerate(places):
            # Which of the shared filters made it, or else in which group of filters it is.
            filter_set = i % outputs if rows > 1 else i * filters.groups // len(reached)
            for j in np.flatnonzero(reached[i]):
                sheet.line([inputs[j], (x, y)], (BLUE, ORANGE)[filter_set], width=1.4)
        for i, (x, y) in enumerate(inputs):
            _dot(sheet, x, y, SKY)
            sheet.text(x - 14, y + 4, f"{i + 1}", "end", soft=True)
        for x, y in places:
            _dot(sheet, x, y, GREEN)
        sheet.text(left, 290, words)
        sheet.text(left, 310, f"{layer.weight.numel()} weights for {len(reached)} outputs", soft=True)
    sheet.write(path, 328)


def _dot(sheet: Sheet, x: float, y: float, colour: str) -> None:
    sheet.bar((x - 6, x + 6), y - 6, 12, colour)


def pyramid(path: Path) -> None:
    """C-TCN's network for I3D features and 20 classes: maps, potentials, cells, receptive fields, anchors."""
    config, channels = CTCNConfig(), 2048
    model = model_of(config, channels, 20)
    sheet = Sheet("The network of C-TCN: backbone, pyramid and heads with their real sizes")
    sheet.scale(0, 1, 0, 1)

    def box(x: float, y: float, width: float, colour: str, words: str) -> None:
        sheet.bar((x, x + width), y, 26, colour, words)

    box(LEFT, 36, 150, "", f"features {channels:,} × {config.length}")
    box(LEFT, 84, 150, PINK, f"concepts {config.concepts} × {config.length}")
    box(LEFT, 132, 150, SKY, f"stem {config.scale_potentials(64)} × {config.length // 4}")
    for y in (62, 110, 158):
        sheet.line([(LEFT + 75, y), (LEFT + 75, y + 22)])
    for stage, level in enumerate(model.levels):
        y = 180 + 40 * stage
        sheet.text(478, y + 12, f"sees {level.receptive_field:,} snippets", soft=True, size=12)
        sheet.text(478, y + 26, f"{level.cells * config.anchors} anchors", soft=True, size=12)
        box(270, y, 190, BLUE, f"P{stage + 2}: {config.scale_potentials(512)} × {level.cells}")
        if stage < 4:
            box(LEFT, y, 190, ORANGE, f"C{stage + 2}: {model.backbone.widths[stage]:,} × {level.cells}")
            sheet.line([(LEFT + 190, y + 13), (270, y + 13)])
            if stage < 3:
                sheet.line([(LEFT + 75, y + 26), (LEFT + 75, y + 40)])
                sheet.line([(365, y + 26), (365, y + 40)], GREEN, width=2)
        elif stage == 4:
            sheet.line([(LEFT + 75, y - 14), (LEFT + 75, y + 13), (270, y + 13)])
        if stage > 4:
            sheet.line([(365, y - 14), (365, y)])
    y = 180 + 40 * len(model.levels)
    sheet.text(270, 150, f"potentials × cells, times {model.groups} concepts", soft=True)
    sheet.text(LEFT, y - 62, "green: coarse maps are", soft=True)
    sheet.text(LEFT, y - 44, "added to finer ones", soft=True)
    words = f"two heads, shared by all scales, say of each of {model.anchor_count:,} anchors:"
    sheet.text(LEFT, y + 14, words, bold=True)
    sheet.text(
        LEFT, y + 34, f"scores of {model.classes} classes and of the background, and how to move and stretch it"
    )
    sheet.write(path, y + 54)


def matching(path: Path) -> None:
    """Which anchors answer for the actions of a video of the demo."""
    timeline = plan_video(DemoConfig(), 2).timeline
    config = CTCNConfig(length=256, levels=7)
    cells = [level.cells for level in model_of(config).levels]
    grid = Grid.spread(timeline.duration, config.length)
    truth = torch.tensor([[grid.position(a.start), grid.position(a.end)] for a in timeline.actions])[None].float()
    all_anchors = pyramid_anchors(config.length, cells, config.anchors, config.anchor_rule)
    targets = [Targets(truth[0], torch.arange(truth.shape[1]))]
    valid = torch.ones(1, len(all_anchors), dtype=torch.bool)
    matches = match(to_segments(all_anchors)[None], valid, targets, force=True)
    answers = matches.forced[0] | (matches.overlap[0] >= config.match_tiou)
    level = torch.repeat_interleave(torch.arange(len(cells)), torch.tensor(cells) * config.anchors)
    sheet = Sheet("The actions of one video and the anchors that answer for them")
    colours = palette(timeline.labels)
    sheet.scale(0, config.length, LEFT + 40, RIGHT)
    sheet.text(
        LEFT, 36, f"ground truth: {len(timeline.actions)} actions in {timeline.duration:.0f} s, one window", bold=True
    )
    for action, span in zip(timeline.actions, truth[0].numpy(), strict=True):
        sheet.bar(span, 46, 24, colours[action.label])
        sheet.text(sheet.x(span.mean()), 84, action.label.removeprefix("jumping "), "middle", soft=True, size=12)
    positive = int(answers.sum())
    sheet.text(LEFT, 114, f"{positive} of {len(all_anchors):,} anchors answer for one of them, by scale:", bold=True)
    y = 126.0
    for number in range(len(cells)):
        indices = torch.nonzero(answers & (level == number)).flatten()
        spans = to_segments(all_anchors[indices]).numpy()
        rows = pack_lanes([(start, end) for start, end in spans.tolist()])
        sheet.text(LEFT, y + 11, f"P{number + 2}", bold=True)
        for span, row, index in zip(spans, rows, indices, strict=True):
            sheet.bar(span, y + 2 + 7 * row, 5, colours[timeline.actions[int(matches.labels[0, index])].label])
        y += max(22, 7 * (max(rows, default=0) + 1) + 8)
    sheet.write(path, y + 12)


def augmentation(path: Path) -> None:
    """A clip as it is, after a random move, and after a random crop that is stretched to the same length."""
    timeline = plan_video(DemoConfig(), 2).timeline
    grid, length = Grid.spread(timeline.duration, 128), 128
    classes = timeline.labels
    segments = np.array([[grid.position(a.start), grid.position(a.end)] for a in timeline.actions])
    labels = np.array([classes.index(a.label) for a in timeline.actions])
    clip = Clip(np.arange(length, dtype=np.float32)[:, None], segments, labels)
    moved = random_move(clip, np.random.default_rng(4))
    cropped = random_crop(clip, AugmentConfig(), np.random.default_rng(8))
    sheet = Sheet("A video before and after random move and random crop")
    colours = list(palette(classes).values())
    y = 38.0
    for words, drawn in (("as it is", clip), ("after random move", moved), ("after random crop", cropped)):
        sheet.scale(0, len(drawn.values))
        extra = "" if len(drawn.values) == length else f": {len(drawn.values)} of {length} snippets, stretched to all"
        sheet.text(LEFT, y, f"{words}{extra}", bold=True)
        for i, value in enumerate(drawn.values[:, 0]):
            sheet.bar((i, i + 1), y + 36, 10, BLUE, opacity=0.08 + 0.92 * float(value) / length)
        for span, label in zip(drawn.segments, drawn.labels, strict=True):
            sheet.bar(span, y + 10, 24, colours[label])
        y += 84
    for column, (name, colour) in enumerate(zip(classes, colours, strict=True)):
        sheet.scale(0, 1, 0, 1)
        sheet.bar((LEFT + 128 * column, LEFT + 128 * column + 12), y - 14, 12, colour)
        sheet.text(LEFT + 128 * column + 18, y - 3, name)
    sheet.text(
        LEFT, y + 24, "the strip below each: where a snippet came from, from the start (faint) to the end", soft=True
    )
    sheet.write(path, y + 42)
