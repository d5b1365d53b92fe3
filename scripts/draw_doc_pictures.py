"""Draw the pictures of docs/concepts.md and docs/ctcn.md: every place and number in them comes from the package.

python scripts/draw_doc_pictures.py                  # all of them, in a few seconds
python scripts/draw_doc_pictures.py --out FOLDER     # somewhere else than docs/pictures
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import draw_ctcn_pictures as ctcn
import numpy as np
from doc_sheet import BLUE, GREEN, LEFT, ORANGE, PINK, RIGHT, SKY, Sheet

from untrimmed.evaluation.detection import summarize_matches
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.matches import match_detections
from untrimmed.evaluation.protocols import THUMOS14
from untrimmed.features.grid import Grid
from untrimmed.features.video_features import FeatureSource, VideoFeatures
from untrimmed.features.windows import WindowConfig, cut_windows
from untrimmed.models import anchors as boxes
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.suppression import SuppressConfig, suppress
from untrimmed.timeline import Action, Timeline, intersection, tiou
from untrimmed.visualization.timelines import format_minutes, pack_lanes

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


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
        sheet.bar((start, start + grid.span), 110 + 24 * (i % 2), 20, (BLUE, ORANGE)[i % 2], f"snippet {i}")
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


def draw_windows(path: Path) -> None:
    """The windows of a video, cut by sliding and by resizing, and the padding of the last."""
    features, length = _features(1300, 260.0), 512
    sheet = Sheet("Windows over a video of 1,300 snippets: sliding ones, and one of the whole")
    sliding = list(cut_windows(features, WindowConfig(mode="slide", test_overlap=0.5), length))
    (whole,) = cut_windows(features, WindowConfig(mode="whole"), length)
    last = max(float(window.grid.seconds(length)) for window in sliding)
    sheet.scale(0, last, LEFT, RIGHT)
    sheet.text(LEFT, 38, f"the video: {len(features):,} snippets, {format_minutes(features.duration)}", bold=True)
    sheet.bar((0, features.duration), 48, 18, PINK)
    sheet.text(LEFT, 98, f'windows.mode = "slide": {length} snippets each, half of them shared', bold=True)
    for i, window in enumerate(sliding):
        y, start = 108 + 26 * i, float(window.grid.seconds(0))
        sheet.bar(
            (start, float(window.grid.seconds(window.valid_length))), y, 20, BLUE, f"{i + 1}: {window.valid_length}"
        )
        if window.valid_length < length:
            sheet.bar((float(window.grid.seconds(window.valid_length)), float(window.grid.seconds(length))), y, 20)
            sheet.text(sheet.x(float(window.grid.seconds(length))), y - 6, "padding", "end", soft=True, size=12)
    y = 108 + 26 * len(sliding) + 30
    step = whole.grid.step / features.grid.step
    sheet.text(LEFT, y, f'windows.mode = "whole": {length} snippets, each as wide as {step:.2f} old ones', bold=True)
    sheet.bar((0, float(whole.grid.seconds(length))), y + 10, 20, ORANGE, f"the only window: {whole.valid_length}")
    sheet.write(path, y + 52)


def overlaps(path: Path) -> None:
    """tIoU of one ground-truth action and four detections."""
    truth = np.array([[4.0, 8.0]])
    detections = np.array([[4.2, 8.1], [3.0, 7.0], [4.5, 6.5], [6.5, 10.5]])
    sheet = Sheet("Temporal intersection over union of one ground-truth action and four detections")
    sheet.scale(2, 11, LEFT, 420)
    sheet.text(LEFT, 38, "ground truth", bold=True)
    sheet.bar(truth[0], 46, 22, GREEN, "4.0 to 8.0 s")
    both, ratio = intersection(truth, detections)[0], tiou(truth, detections)[0]
    for i, span in enumerate(detections):
        y = 92 + 40 * i
        sheet.bar(span, y, 22, BLUE, f"{span[0]:.1f} to {span[1]:.1f} s")
        union = (truth[0, 1] - truth[0, 0]) + (span[1] - span[0]) - both[i]
        sheet.text(440, y + 16, f"{both[i]:.1f} s of {union:.1f} s: tIoU {ratio[i]:.2f}")
    for edge in truth[0]:
        sheet.line([(sheet.x(edge), 70), (sheet.x(edge), 92 + 40 * len(detections) - 10)], dashed=True)
    sheet.write(path, 92 + 40 * len(detections) + 10)


def anchors(path: Path) -> None:
    """Every cell of every scale of C-TCN's pyramid at scale, and the seven anchors of one cell."""
    config = CTCNConfig()
    cells = [level.cells for level in ctcn.model_of(config).levels]
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
                BLUE,
                opacity=0.35 + 0.4 * (cell % 2),
            )
        middle = spans[count // 2]
        for row, span in enumerate(sorted(middle, key=lambda s: s[1] - s[0])):
            sheet.bar(span, y + 11 + 3 * row, 2, SKY)
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
    shallow, deep = (ctcn.model_of(CTCNConfig(depth=depth)).levels for depth in (15, 60))
    for level, (few, many) in enumerate(zip(shallow, deep, strict=True)):
        sheet.text(LEFT, y + 17, f"P{level + 2}", bold=True)
        for row, (one, colour) in enumerate(((few, ORANGE), (many, BLUE))):
            half = min(one.receptive_field, length) / 2
            sheet.bar((-half, half), y + 13 * row, 10, colour)
        width = length / few.cells
        sheet.bar((-width / 2, width / 2), y + 26, 3, SKY)
        sheet.text(RIGHT, y + 17, f"{few.receptive_field:,} and {many.receptive_field:,}", "end", size=12)
        y += 38
    for edge in (-length / 2, length / 2):
        sheet.line([(sheet.x(edge), top - 6), (sheet.x(edge), y)], dashed=True)
    sheet.text(sheet.x(0), 30, f"a window of {length} snippets", "middle", soft=True)
    for x, colour, words in (
        (64, ORANGE, "seen at depth 15"),
        (244, BLUE, "seen at depth 60"),
        (424, SKY, "the cell itself"),
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
        survivors = suppress(spans, scores, config)
        score_of = dict(zip(map(tuple, survivors.segments), survivors.scores, strict=True))
        sheet.text(LEFT, y, words, bold=True)
        for span, lane in zip(spans, pack_lanes([(start, end) for start, end in spans.tolist()]), strict=True):
            score = score_of.get(tuple(span))
            sheet.bar(
                span,
                y + 10 + 24 * lane,
                20,
                BLUE if score else "",
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
    detections = [
        Action(a + s, a + s + 8, "serve", 0.95 - 0.08 * i)
        for i, (a, s) in enumerate(zip(starts, shifts, strict=True))
    ]
    results = {"video": Timeline(120, tuple(detections))}
    protocol = replace(THUMOS14, tious=(0.5,))
    matches = match_detections(from_timelines(truth), from_timelines(results), protocol)
    score, hits = summarize_matches(matches).map[0], matches.hit[0] >= 0
    precision, recall = np.cumsum(hits) / np.arange(1, len(hits) + 1), np.cumsum(hits) / 5
    sheet = Sheet("Precision over recall for ten ranked detections")
    sheet.text(LEFT, 38, "ten detections of one class, best score first, and the five actions to find", bold=True)
    for i, hit in enumerate(hits):
        sheet.bar((LEFT + 62 * i, LEFT + 62 * i + 56), 50, 26, GREEN if hit else "", "hit" if hit else "miss")
        sheet.text(LEFT + 62 * i + 28, 92, f"{np.cumsum(hits)[i]} of {i + 1}", "middle", soft=True, size=12)
    sheet.scale(0, 1, 90, 430)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    edges = np.concatenate([[0], recall])
    for i in range(len(hits)):
        if edges[i + 1] > edges[i]:
            top = 280 - 150 * best[i]
            sheet.bar((edges[i], edges[i + 1]), top, 280 - top, BLUE, opacity=0.45)
    sheet.line([(sheet.x(r), 280 - 150 * p) for r, p in zip(recall, precision, strict=True)], ORANGE, width=2)
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


DRAWN: dict[str, Callable[[Path], None]] = {
    "snippets": snippets,
    "windows": draw_windows,
    "tiou": overlaps,
    "anchors": anchors,
    "receptive_fields": receptive_fields,
    "suppression": suppression,
    "average_precision": average_precision,
    "convolutions": ctcn.convolutions,
    "pyramid": ctcn.pyramid,
    "matching": ctcn.matching,
    "augmentation": ctcn.augmentation,
}


def draw(folder: Path) -> Iterator[Path]:
    """Write every picture and yield its file."""
    for name, picture in DRAWN.items():
        path = folder / f"{name}.svg"
        picture(path)
        yield path


def main() -> None:
    """Draw the pictures into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder to write to")
    for path in draw(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
