"""Draw the pictures of docs/concepts.md and docs/ctcn.md: every place and number in them comes from the package.

python scripts/draw_doc_pictures.py                  # all of them, in a few seconds
python scripts/draw_doc_pictures.py --out FOLDER     # somewhere else than docs/pictures
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import torch
from jaxtyping import Float

from untrimmed.augment import AugmentConfig, Clip, random_crop, random_move
from untrimmed.demo.videos import DemoConfig, script
from untrimmed.draw.svg import clock, ink, lanes, palette, svg_frame
from untrimmed.evaluate.detection import detection_map
from untrimmed.evaluate.instances import from_timelines
from untrimmed.evaluate.protocol import THUMOS14
from untrimmed.evaluate.ranking import match as rank
from untrimmed.features import FeatureSource, Grid, VideoFeatures
from untrimmed.files import write_text
from untrimmed.intervals import intersection, tiou
from untrimmed.models import anchors as boxes
from untrimmed.models.ctcn import CTCN, CTCNConfig, in_groups
from untrimmed.models.pyramid import Filters
from untrimmed.suppress import SuppressConfig, suppress
from untrimmed.timeline import Action, Timeline
from untrimmed.windows import WindowConfig, windows

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WIDTH, LEFT, RIGHT = 680, 24, 656  # pixels
_A, _B, _C, _D, _E, *_ = palette("abcde").values()
_STYLE = """
.doc-line { stroke: #59636e; fill: none } .doc-ghost { fill: #59636e; fill-opacity: .16 }
.doc-frame { stroke: #59636e; fill: none; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
.doc-line { stroke: #9aa4b1 } .doc-ghost { fill: #9aa4b1; fill-opacity: .2 } .doc-frame { stroke: #9aa4b1 }
}
"""


class Sheet:
    """One picture; x is in pixels, or in the unit of `scale` once that is set."""

    def __init__(self, title: str) -> None:
        self.title, self._body, self._low, self._unit, self._left = title, [], 0.0, 1.0, 0.0

    def scale(self, low: float, high: float, left: float = LEFT, right: float = RIGHT) -> None:
        """From here on, `low` to `high` lies between two pixels."""
        self._low, self._unit, self._left = low, (right - left) / (high - low), left

    def x(self, place: float) -> float:
        return self._left + (place - self._low) * self._unit

    def text(
        self,
        x: float,
        y: float,
        words: str,
        anchor: str = "start",
        soft: bool = False,
        size: int = 13,
        bold: bool = False,
    ) -> None:
        """Words at a pixel."""
        kind, weight = "untrimmed-soft" if soft else "untrimmed-text", 600 if bold else 400
        self._body.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>'
        )

    def bar(
        self, span: Sequence[float], y: float, height: float, colour: str = "", words: str = "", opacity: float = 1
    ) -> None:
        """A bar over a span of the scale; without a colour it is a faint one."""
        start, end = self.x(span[0]), self.x(span[1])
        fill = f'fill="{colour}" fill-opacity="{opacity:.2f}"' if colour else 'class="doc-ghost"'
        box = f'x="{start:.2f}" y="{y:.1f}" width="{max(end - start, 0.6):.2f}" height="{height:.1f}"'
        self._body.append(f'<rect {box} rx="{min(3, height / 4, (end - start) / 3):.2f}" {fill}/>')
        if words and colour and opacity == 1:
            self._body.append(
                f'<text x="{(start + end) / 2:.1f}" y="{y + height / 2 + 4:.1f}" font-size="12" '
                f'text-anchor="middle" fill="{ink(colour)}">{escape(words)}</text>'
            )
        elif words:
            self.text((start + end) / 2, y + height / 2 + 4, words, "middle", size=12)

    def line(
        self, points: Sequence[tuple[float, float]], colour: str = "", dashed: bool = False, width: float = 1.2
    ) -> None:
        """Straight lines from pixel to pixel."""
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        paint = f'stroke="{colour}" fill="none"' if colour else f'class="{"doc-frame" if dashed else "doc-line"}"'
        self._body.append(f'<path d="{path}" {paint} stroke-width="{width}"/>')

    def ruler(self, y: float, places: Sequence[float], words: Sequence[str], name: str) -> None:
        """Ticks below a line, at places of the scale."""
        self.line([(self.x(places[0]), y), (self.x(places[-1]), y)])
        for place, word in zip(places, words, strict=True):
            self.line([(self.x(place), y), (self.x(place), y + 5)])
            anchor = "start" if place == places[0] and len(word) > 5 else "middle"
            self.text(self.x(place), y + 18, word, anchor, soft=True, size=12)
        self.text(LEFT, y + 38, name, bold=True)

    def write(self, path: Path, height: float) -> None:
        """The picture as a file."""
        svg, *rest = svg_frame(WIDTH, height, self.title)
        write_text(path, "\n".join([svg, f"<style>{_STYLE}</style>", *rest, *self._body, "</svg>", ""]))


def snippets(path: Path) -> None:
    """Frames, snippets, positions and seconds of one second and a half of video."""
    fps, stride, window = 10.0, 4, 8
    grid = Grid.from_frames(stride, window, fps)
    sheet = Sheet("Frames, snippets, positions and seconds on one axis")
    end = 2.4
    sheet.scale(0, end, LEFT + 6, RIGHT - 6)
    frames = np.arange(round(end * fps))
    sheet.text(LEFT, 40, f"frames, {fps:g} a second", bold=True)
    for frame in frames:
        sheet.bar((frame / fps + 0.008, (frame + 1) / fps - 0.008), 50, 22, "", str(frame))
    starts = np.arange(5) * grid.step
    sheet.text(LEFT, 100, f"snippets: a window of {window} frames, one every {stride} frames", bold=True)
    for i, start in enumerate(starts):
        sheet.bar((start, start + grid.span), 110 + 24 * (i % 2), 20, (_A, _B)[i % 2], f"snippet {i}")
    shown = range(6)
    sheet.ruler(182, [grid.seconds(p) for p in shown], [str(p) for p in shown], "positions, counted in snippets")
    seconds = [0.0, 0.5, 1.0, 1.5, 2.0]
    words = [f"{s:g} s = {grid.position(s):+.2f}" for s in seconds]
    sheet.ruler(248, seconds, words, "seconds, and the position of each")
    for i, start in enumerate(starts):
        middle = sheet.x(start + grid.span / 2)
        sheet.line([(middle, 130 + 24 * (i % 2)), (middle, 182)], dashed=True)
    sheet.write(path, 306)


def _features(snippets: int, seconds: float) -> VideoFeatures:
    rate = snippets / seconds
    source = FeatureSource(backbone="none", fps=rate)
    return VideoFeatures(np.zeros((snippets, 1), np.float32), source.grid, seconds, source)


def cut_windows(path: Path) -> None:
    """The windows of a video, cut by sliding and by resizing, and the padding of the last."""
    features, length = _features(1300, 260.0), 512
    sheet = Sheet("Windows over a video of 1,300 snippets: sliding ones, and one of the whole")
    sliding = list(windows(features, WindowConfig(mode="slide", test_overlap=0.5), length))
    (whole,) = windows(features, WindowConfig(mode="whole"), length)
    last = max(float(window.grid.seconds(length)) for window in sliding)
    sheet.scale(0, last, LEFT, RIGHT)
    sheet.text(LEFT, 38, f"the video: {len(features):,} snippets, {clock(features.duration)}", bold=True)
    sheet.bar((0, features.duration), 48, 18, _D)
    sheet.text(LEFT, 98, f'windows.mode = "slide": {length} snippets each, half of them shared', bold=True)
    for i, window in enumerate(sliding):
        y, start = 108 + 26 * i, float(window.grid.seconds(0))
        sheet.bar((start, float(window.grid.seconds(window.real))), y, 20, _A, f"{i + 1}: {window.real} real")
        if window.real < length:
            sheet.bar((float(window.grid.seconds(window.real)), float(window.grid.seconds(length))), y, 20)
            sheet.text(sheet.x(float(window.grid.seconds(length))), y - 6, "padding", "end", soft=True, size=12)
    y = 108 + 26 * len(sliding) + 30
    step = whole.grid.step / features.grid.step
    sheet.text(LEFT, y, f'windows.mode = "whole": {length} snippets, each {step:.2f} of the old ones wide', bold=True)
    sheet.bar((0, float(whole.grid.seconds(length))), y + 10, 20, _B, f"the only window: {whole.real} real")
    sheet.write(path, y + 52)


def overlaps(path: Path) -> None:
    """tIoU of a truth and four detections."""
    truth = np.array([[4.0, 8.0]])
    found = np.array([[4.2, 8.1], [3.0, 7.0], [4.5, 6.5], [6.5, 10.5]])
    sheet = Sheet("Temporal intersection over union of one truth and four detections")
    sheet.scale(2, 11, LEFT, 420)
    sheet.text(LEFT, 38, "truth", bold=True)
    sheet.bar(truth[0], 46, 22, _C, "4.0 to 8.0 s")
    both, ratio = intersection(truth, found)[0], tiou(truth, found)[0]
    for i, span in enumerate(found):
        y = 92 + 40 * i
        sheet.bar(span, y, 22, _A, f"{span[0]:.1f} to {span[1]:.1f} s")
        union = (truth[0, 1] - truth[0, 0]) + (span[1] - span[0]) - both[i]
        sheet.text(440, y + 16, f"{both[i]:.1f} s of {union:.1f} s: tIoU {ratio[i]:.2f}")
    for edge in truth[0]:
        sheet.line([(sheet.x(edge), 70), (sheet.x(edge), 92 + 40 * len(found) - 10)], dashed=True)
    sheet.write(path, 92 + 40 * len(found) + 10)


def _levels(config: CTCNConfig, channels: int = 8, classes: int = 1) -> CTCN:
    with torch.device("meta"):
        return config.build(channels, classes)


def anchors(path: Path) -> None:
    """Every cell of every scale of C-TCN's pyramid at scale, and the seven anchors of one cell."""
    config = CTCNConfig()
    cells = [level.cells for level in _levels(config).levels]
    sheet = Sheet("The anchors of C-TCN's eight scales over a window of 512 snippets")
    sheet.scale(0, config.length, LEFT + 40, RIGHT - 100)
    y = 30.0
    for level, count in enumerate(cells):
        ratios = boxes.anchor_ratios(config.anchors, config.anchor_rule, coarsest=level == len(cells) - 1)
        spans = boxes.to_segments(boxes.cell_anchors(config.length, count, ratios)).reshape(count, -1, 2).numpy()
        sheet.text(LEFT, y + 12, f"P{level + 2}", bold=True)
        for cell in range(count):
            sheet.bar(
                (cell * config.length / count, (cell + 1) * config.length / count),
                y,
                8,
                _A,
                opacity=0.35 + 0.4 * (cell % 2),
            )
        middle = spans[count // 2]
        for row, span in enumerate(sorted(middle, key=lambda s: s[1] - s[0])):
            sheet.bar(span, y + 11 + 3 * row, 2, _E)
        widths = middle[:, 1] - middle[:, 0]
        sheet.text(RIGHT, y + 8, f"{count} cell{'s' if count > 1 else ''}", "end", size=12)
        sheet.text(RIGHT, y + 24, f"{widths.min():.3g}-{widths.max():.3g}", "end", soft=True, size=12)
        y += 42
    sheet.ruler(y + 6, [0, 128, 256, 384, 512], ["0", "128", "256", "384", "512 snippets"], "")
    sheet.write(path, y + 40)


def receptive_fields(path: Path) -> None:
    """The snippets that one cell of each scale sees, at two depths."""
    sheet = Sheet("Receptive fields of C-TCN's scales at depth 15 and 60")
    length = CTCNConfig().length
    sheet.scale(-length / 2, length / 2, LEFT + 40, RIGHT - 110)
    top, y = 44, 44.0
    shallow, deep = (_levels(CTCNConfig(depth=depth)).levels for depth in (15, 60))
    for level, (few, many) in enumerate(zip(shallow, deep, strict=True)):
        sheet.text(LEFT, y + 17, f"P{level + 2}", bold=True)
        for row, (one, colour) in enumerate(((few, _B), (many, _A))):
            half = min(one.receptive_field, length) / 2
            sheet.bar((-half, half), y + 13 * row, 10, colour)
        width = length / few.cells
        sheet.bar((-width / 2, width / 2), y + 26, 3, _E)
        sheet.text(RIGHT, y + 17, f"{few.receptive_field:,} and {many.receptive_field:,}", "end", size=12)
        y += 38
    for edge in (-length / 2, length / 2):
        sheet.line([(sheet.x(edge), top - 6), (sheet.x(edge), y)], dashed=True)
    sheet.text(sheet.x(0), 30, f"a window of {length} snippets", "middle", soft=True)
    for x, colour, words in (
        (64, _B, "seen at depth 15"),
        (244, _A, "seen at depth 60"),
        (424, _E, "the cell itself"),
    ):
        sheet.line([(x, y + 14), (x + 18, y + 14)], colour, width=8)
        sheet.text(x + 26, y + 18, words)
    sheet.write(path, y + 36)


def suppression(path: Path) -> None:
    """Five candidates before suppression, after soft-NMS and after hard NMS."""
    spans = np.array([[10, 20], [10.8, 21], [9, 17.5], [19, 27], [30, 38]], float)
    scores = np.array([[0.9], [0.85], [0.6], [0.7], [0.5]])
    configs = {
        "before": SuppressConfig(method="none"),
        "after soft-NMS, sigma 0.5": SuppressConfig(sigma=0.5),
        "after hard NMS at tIoU 0.5": SuppressConfig(method="hard", tiou=0.5),
    }
    sheet = Sheet("Five candidates before suppression, after soft-NMS and after hard NMS")
    sheet.scale(7, 40)
    y = 38.0
    for words, config in configs.items():
        kept = suppress(spans, scores, config)
        left = {tuple(span): score for span, score in zip(kept.segments, kept.scores, strict=True)}
        sheet.text(LEFT, y, words, bold=True)
        for span, lane in zip(spans, lanes([(start, end) for start, end in spans.tolist()]), strict=True):
            score = left.get(tuple(span))
            sheet.bar(
                span,
                y + 10 + 24 * lane,
                20,
                _A if score else "",
                f"{score:.2f}" if score else "gone",
                opacity=score or 1,
            )
        y += 118
    sheet.write(path, y - 18)


def average_precision(path: Path) -> None:
    """Ten detections of one class in order of their scores, what each hits, and the area that is AP."""
    truth = {"video": Timeline(120, tuple(Action(t, t + 8.0, "serve") for t in (5, 25, 45, 65, 85)))}
    shifts = (0.4, 0.9, 13.0, 1.6, 4.5, 0.7, 1.5, 12.0, 10.0, 6.0)
    starts = (5, 25, 25, 45, 65, 5.0, 65, 85, 45, 85)
    found = [
        Action(a + s, a + s + 8, "serve", 0.95 - 0.08 * i)
        for i, (a, s) in enumerate(zip(starts, shifts, strict=True))
    ]
    results = {"video": Timeline(120, tuple(found))}
    protocol = replace(THUMOS14, tious=(0.5,))
    ranked = rank(from_timelines(truth), from_timelines(results), protocol)
    score = detection_map(from_timelines(truth), from_timelines(results), protocol).map[0]
    hits = ranked.truth[:, 0] >= 0
    precision, recall = np.cumsum(hits) / np.arange(1, len(hits) + 1), np.cumsum(hits) / 5
    sheet = Sheet("Precision over recall for ten ranked detections")
    sheet.text(LEFT, 38, "ten detections of one class, best score first, and the five actions there are", bold=True)
    for i, hit in enumerate(hits):
        sheet.bar((LEFT + 62 * i, LEFT + 62 * i + 56), 50, 26, _C if hit else "", "hit" if hit else "miss")
        sheet.text(LEFT + 62 * i + 28, 92, f"{np.cumsum(hits)[i]} of {i + 1}", "middle", soft=True, size=12)
    sheet.scale(0, 1, 90, 430)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    edges = np.concatenate([[0], recall])
    for i in range(len(hits)):
        if edges[i + 1] > edges[i]:
            top = 280 - 150 * best[i]
            sheet.bar((edges[i], edges[i + 1]), top, 280 - top, _A, opacity=0.45)
    sheet.line([(sheet.x(r), 280 - 150 * p) for r, p in zip(recall, precision, strict=True)], _B, width=2)
    sheet.line([(90, 130), (90, 280), (430, 280)])
    for share in (0, 0.5, 1):
        sheet.text(sheet.x(share), 298, f"{share:g}", "middle", soft=True, size=12)
        sheet.text(82, 284 - 150 * share, f"{share:g}", "end", soft=True, size=12)
    sheet.text(260, 316, "recall: share of the actions that were found", "middle", soft=True)
    sheet.text(LEFT, 118, "precision", soft=True)
    sheet.text(450, 190, f"the shaded area is AP: {score:.3f}", bold=True)
    for row, words in enumerate(
        ("the line is precision so far;", "the area lies under the best", "that is still to come")
    ):
        sheet.text(450, 214 + 18 * row, words, soft=True)
    sheet.write(path, 334)


def _reached(layer: torch.nn.Conv2d, rows: int, concepts: int) -> Float[np.ndarray, "outputs concepts"]:
    """Which inputs each output of a layer depends on, asked of the layer itself by its gradient."""
    torch.nn.init.ones_(layer.weight)
    x = torch.ones(1, concepts, 1, requires_grad=True)
    outputs = layer(in_groups(x, rows)).transpose(1, 2).flatten(1)[0]
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
        layer = filters.convolution(concepts // rows, outputs, 3, bias=False)
        reached = _reached(layer, rows, concepts)
        left = LEFT + 6 + 216 * panel
        sheet.text(left, 38, name, bold=True)
        inputs = [(left + 30, 78 + 52 * i) for i in range(concepts)]
        places = [(left + 150, 66 + 25.5 * i) for i in range(len(reached))]
        for i, (x, y) in enumerate(places):
            shared = i % outputs if rows > 1 else i
            colour = (
                (_A, _B)[shared]
                if rows > 1
                else ("", _A, _B)[filters.groups and (i * filters.groups // len(reached)) + 1]
            )
            for j in np.flatnonzero(reached[i]):
                sheet.line([inputs[j], (x, y)], colour, width=1.4)
        for i, (x, y) in enumerate(inputs):
            _dot(sheet, x, y, _E)
            sheet.text(x - 14, y + 4, f"{i + 1}", "end", soft=True)
        for x, y in places:
            _dot(sheet, x, y, _C)
        sheet.text(left, 290, words)
        sheet.text(left, 310, f"{layer.weight.numel()} weights for {len(reached)} outputs", soft=True)
    sheet.write(path, 328)


def _dot(sheet: Sheet, x: float, y: float, colour: str) -> None:
    sheet.bar((x - 6, x + 6), y - 6, 12, colour)


def pyramid(path: Path) -> None:
    """C-TCN's network for I3D features and 20 classes: maps, potentials, cells, receptive fields, anchors."""
    config = CTCNConfig()
    model = _levels(config, 2048, 20)
    sheet = Sheet("The network of C-TCN: backbone, pyramid and heads with their real sizes")
    sheet.scale(0, 1, 0, 1)

    def box(x: float, y: float, width: float, colour: str, words: str) -> None:
        sheet.bar((x, x + width), y, 26, colour, words)

    box(LEFT, 36, 150, "", f"features 2,048 × {config.length}")
    box(LEFT, 84, 150, _D, f"concepts {config.concepts} × {config.length}")
    box(LEFT, 132, 150, _E, f"stem {config.potentials(64)} × {config.length // 4}")
    for y in (62, 110, 158):
        sheet.line([(LEFT + 75, y), (LEFT + 75, y + 22)])
    for stage, level in enumerate(model.levels):
        y = 180 + 40 * stage
        sheet.text(478, y + 12, f"sees {level.receptive_field:,} snippets", soft=True, size=12)
        sheet.text(478, y + 26, f"{level.cells * config.anchors} anchors", soft=True, size=12)
        box(270, y, 190, _A, f"P{stage + 2}: {config.potentials(512)} × {level.cells}")
        if stage < 4:
            box(LEFT, y, 190, _B, f"C{stage + 2}: {model.backbone.widths[stage]:,} × {level.cells}")
            sheet.line([(LEFT + 190, y + 13), (270, y + 13)])
            if stage < 3:
                sheet.line([(LEFT + 75, y + 26), (LEFT + 75, y + 40)])
                sheet.line([(365, y + 26), (365, y + 40)], _C, width=2)
        elif stage == 4:
            sheet.line([(LEFT + 75, y - 14), (LEFT + 75, y + 13), (270, y + 13)])
        if stage > 4:
            sheet.line([(365, y - 14), (365, y)])
    y = 180 + 40 * len(model.levels)
    sheet.text(270, 150, "potentials × cells, times 256 concepts", soft=True)
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
    timeline = script(DemoConfig(), 2).timeline
    config = CTCNConfig(length=256, levels=7)
    cells = [level.cells for level in _levels(config).levels]
    grid = Grid.spread(timeline.duration, config.length)
    truth = torch.tensor([[grid.position(a.start), grid.position(a.end)] for a in timeline.actions])[None].float()
    all_anchors = boxes.pyramid_anchors(config.length, cells, config.anchors, config.anchor_rule)
    real, candidate = torch.ones(truth.shape[:2], dtype=torch.bool), torch.ones(1, len(all_anchors), dtype=torch.bool)
    matched = boxes.match(all_anchors, truth, real, candidate, threshold=config.match_tiou, force=True)[0]
    level = torch.repeat_interleave(torch.arange(len(cells)), torch.tensor(cells) * config.anchors)
    sheet = Sheet("The actions of one video and the anchors that answer for them")
    colours = palette(timeline.labels)
    sheet.scale(0, config.length, LEFT + 40, RIGHT)
    sheet.text(
        LEFT, 36, f"the truth: {len(timeline.actions)} actions in {timeline.duration:.0f} s, one window", bold=True
    )
    for action, span in zip(timeline.actions, truth[0].numpy(), strict=True):
        sheet.bar(span, 46, 24, colours[action.label])
        sheet.text(sheet.x(span.mean()), 84, action.label.removeprefix("jumping "), "middle", soft=True, size=12)
    positive = int((matched >= 0).sum())
    sheet.text(LEFT, 114, f"{positive} of {len(all_anchors):,} anchors answer for one of them, by scale:", bold=True)
    y = 126.0
    for number in range(len(cells)):
        mine = torch.nonzero((matched >= 0) & (level == number)).flatten()
        spans = boxes.to_segments(all_anchors[mine]).numpy()
        rows = lanes([(start, end) for start, end in spans.tolist()])
        sheet.text(LEFT, y + 11, f"P{number + 2}", bold=True)
        for span, row, index in zip(spans, rows, mine, strict=True):
            sheet.bar(span, y + 2 + 7 * row, 5, colours[timeline.actions[int(matched[index])].label])
        y += max(22, 7 * (max(rows, default=0) + 1) + 8)
    sheet.write(path, y + 12)


def augmentation(path: Path) -> None:
    """A clip as it is, after a random move, and after a random crop that is stretched to the same length."""
    timeline = script(DemoConfig(), 2).timeline
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
    for words, one in (("as it is", clip), ("after random move", moved), ("after random crop", cropped)):
        sheet.scale(0, len(one.values))
        extra = "" if len(one.values) == length else f": {len(one.values)} of {length} snippets, stretched to all"
        sheet.text(LEFT, y, f"{words}{extra}", bold=True)
        for i, value in enumerate(one.values[:, 0]):
            sheet.bar((i, i + 1), y + 36, 10, _A, opacity=0.08 + 0.92 * float(value) / length)
        for span, label in zip(one.segments, one.labels, strict=True):
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


DRAWN: dict[str, Callable[[Path], None]] = {
    "snippets": snippets,
    "windows": cut_windows,
    "tiou": overlaps,
    "anchors": anchors,
    "receptive_fields": receptive_fields,
    "suppression": suppression,
    "average_precision": average_precision,
    "convolutions": convolutions,
    "pyramid": pyramid,
    "matching": matching,
    "augmentation": augmentation,
}


def draw(folder: Path) -> Iterator[Path]:
    """Write every picture and say which."""
    for name, picture in DRAWN.items():
        path = folder / f"{name}.svg"
        picture(path)
        yield path


def main() -> None:
    """Draw what the words on the command line ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder to write to")
    for path in draw(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
