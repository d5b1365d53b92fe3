"""Timelines as one SVG picture: a row each, bars in the colour of their label, for pages light and dark."""

import math
import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width
from xml.sax.saxutils import escape, quoteattr

from untrimmed.timeline import Action, Timeline, classes_of

# Okabe and Ito, "Color Universal Design" (2008), without black: told apart with every common colour blindness.
_HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
_CARD_BY_DAY, _CARD_BY_NIGHT = "#ffffff", "#15181e"
_TRACK_BY_DAY, _TRACK_BY_NIGHT = "#f3f4f6", "#1f242c"

# All lengths are in pixels.
MARGIN, ROW_GAP, _AXIS, _LEGEND_LINE = 20, 12, 26, 22
_TALLEST_LANE, _LOWEST_LANE, _ROW_HEIGHT, _LOWEST_LANE_WITH_TEXT = 22, 4, 132, 14
_NARROWEST_BAR, _TICK_ROOM, _TEXT = 3, 84, 11
_NARROWEST_PICTURE = 240

# Class names are prefixed because an SVG inside a page shares that page's style.
_STYLE = f"""
.untrimmed-card {{ fill: {_CARD_BY_DAY}; stroke: #dfe3e8 }}
.untrimmed-track {{ fill: {_TRACK_BY_DAY} }}
.untrimmed-text {{ fill: #1b1f24 }}
.untrimmed-soft {{ fill: #59636e }}
.untrimmed-line {{ stroke: #1b1f24; stroke-opacity: .1 }}
.untrimmed-edge {{ fill: none; stroke: #1b1f24; stroke-opacity: .32 }}
.untrimmed-end {{ stroke: #1b1f24; stroke-opacity: .6; stroke-dasharray: 3 3 }}
.untrimmed-day-black {{ fill: #000000 }}
.untrimmed-day-white {{ fill: #ffffff }}
@media (prefers-color-scheme: dark) {{
.untrimmed-card {{ fill: {_CARD_BY_NIGHT}; stroke: #2b313b }}
.untrimmed-track {{ fill: {_TRACK_BY_NIGHT} }}
.untrimmed-text {{ fill: #e8eaee }}
.untrimmed-soft {{ fill: #9aa4b1 }}
.untrimmed-line {{ stroke: #ffffff }}
.untrimmed-edge {{ stroke: #ffffff; stroke-opacity: .28 }}
.untrimmed-end {{ stroke: #ffffff }}
.untrimmed-night-black {{ fill: #000000 }}
.untrimmed-night-white {{ fill: #ffffff }}
}}
"""


def palette(labels: Iterable[str]) -> dict[str, str]:
    """A colour `#rrggbb` for every label, the same for the same set of labels in any order.

    The first seven are safe for colour-blind readers; then come the same hues darker, then lighter, then again.
    """
    darker = [_mixed("#000000", hue, 0.42) for hue in _HUES]
    lighter = [_mixed("#ffffff", hue, 0.5) for hue in _HUES]
    shades = [*_HUES, *darker, *lighter]
    return {label: shades[i % len(shades)] for i, label in enumerate(sorted(set(labels)))}


def timeline_svg(
    duration: float,
    rows: Mapping[str, Timeline],
    *,
    width: int = 960,
    colours: Mapping[str, str] | None = None,
) -> str:
    """One standalone SVG, `width` pixels wide: a row for each timeline of a video of `duration` seconds.

    A bar is as opaque as its score is high; overlapping actions lie in lanes, the surest on top. `colours` are
    `#rrggbb` by label and default to `palette` over the labels in `rows`. Where an action ends after `duration`
    the axis reaches to its end, and a dashed line marks the end of the video. Raises ValueError for a duration
    that is not a positive number, a width under 240 and a colour of another form.
    """
    if not 0 < duration < math.inf:
        raise ValueError(f"duration {duration} is not a positive number of seconds")
    if width < _NARROWEST_PICTURE:
        raise ValueError(f"width {width} is under {_NARROWEST_PICTURE} pixels")
    labels = classes_of(rows.values())
    plot = plan(duration, rows, width, {**palette(labels), **(colours or {})})
    body, height = [], float(MARGIN)
    for name, timeline in rows.items():
        picture, row_height = action_row(plot, printable(name), timeline, height)
        body += picture
        height += row_height + ROW_GAP
    # Grid lines lie under the bars.
    body[:0] = time_axis(plot, MARGIN, height - ROW_GAP)
    height += _AXIS
    legend, legend_height = class_legend(plot, labels, height - 6)
    height += legend_height + MARGIN - ROW_GAP
    summary = ", ".join(f"{printable(name)}: {len(timeline.actions)} actions" for name, timeline in rows.items())
    return "\n".join([*svg_frame(width, height, summary), *body, *legend, "</svg>", ""])


def lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """A lane from 0 for every `(start, end)`, so that none in a lane overlap; the earlier in order, the lower."""
    taken: list[list[tuple[float, float]]] = []
    chosen = []
    for span in spans:
        free = next((i for i, others in enumerate(taken) if _is_free(others, span)), len(taken))
        if free == len(taken):
            taken.append([])
        insort(taken[free], span)
        chosen.append(free)
    return chosen


def ticks(extent: float, most: int) -> dict[float, str]:
    """Round times from 0 to `extent` seconds in at most `most` steps, and how they read: `5 s`, `1:30`, `1:00:00`."""
    step = _tick_step(extent / most)
    times = [i * step for i in range(int(extent / step * (1 + 1e-9)) + 1)]
    return {time: f"{time:g} s" if extent < 60 else clock(time) for time in times}


def clock(seconds: float) -> str:
    """Whole seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def printable(text: str) -> str:
    """The text without what XML and UTF-8 cannot hold: control characters and halves of surrogate pairs."""
    text = re.sub(r"[\t\n\r]", " ", text)
    return re.sub("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


class Plot(NamedTuple):
    """Where seconds lie: from `left` to `right` pixels for 0 to `extent` seconds, the video's end at `duration`."""

    left: float
    right: float
    extent: float
    duration: float
    colours: Mapping[str, str]

    def x(self, seconds: float) -> float:
        return self.left + (self.right - self.left) * (seconds / self.extent)

    def span(self, action: Action) -> tuple[float, float]:
        """Pixels of a bar, wide enough to be seen."""
        start = min(self.x(action.start), self.right - _NARROWEST_BAR)
        return start, max(self.x(action.end), start + _NARROWEST_BAR)


def plan(duration: float, rows: Mapping[str, Timeline], width: int, colours: Mapping[str, str]) -> Plot:
    names = max((text_width(printable(name), _TEXT + 1) for name in rows), default=0.0)
    gutter = min(names + 14, width * 0.22)
    ends = [action.end for timeline in rows.values() for action in timeline.actions]
    return Plot(MARGIN + gutter, width - MARGIN, max([duration, *ends]), duration, colours)


def svg_frame(width: int, height: float, summary: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" '
        f'height="{height:g}" role="img" aria-label={quoteattr("Timeline. " + summary)} '
        f"font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif\">"
    )
    yield f"<style>{_STYLE}</style>"
    yield (
        f'<rect class="untrimmed-card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1:g}" '
        'rx="10" stroke-width="1"/>'
    )


def action_row(plot: Plot, name: str, timeline: Timeline, top: float) -> tuple[list[str], float]:
    ranked = sorted(timeline.actions, key=lambda action: -action.score)
    spans = [plot.span(action) for action in ranked]
    chosen = lanes(spans)
    count = max(chosen, default=0) + 1
    lane = max(_LOWEST_LANE, min(_TALLEST_LANE, _ROW_HEIGHT / count))
    height = count * lane + 6
    shown = fitted(name, _TEXT + 1, plot.left - MARGIN - 10)
    picture = [
        f'<rect class="untrimmed-track" x="{plot.left:.2f}" y="{top:.2f}" width="{plot.right - plot.left:.2f}" '
        f'height="{height:.2f}" rx="5"/>',
        f'<text class="untrimmed-text" x="{MARGIN}" y="{top + min(height / 2, 14) + 4:.2f}" '
        f'font-size="{_TEXT + 1}" font-weight="500">{escape(shown)}</text>',
    ]
    for action, span, index in zip(ranked, spans, chosen, strict=True):
        picture += _bar(action, plot.colours[action.label], span, top + 3 + index * lane, lane)
    return picture, height


def _bar(action: Action, colour: str, span: tuple[float, float], top: float, lane: float) -> Iterator[str]:
    start, end = span
    label = printable(action.label)
    opacity = 0.3 + 0.7 * min(max(action.score, 0.0), 1.0)
    gap = 1 if lane >= 8 else 0.5
    box = (
        f'x="{start:.2f}" y="{top + gap:.2f}" width="{end - start:.2f}" height="{lane - 2 * gap:.2f}" '
        f'rx="{min(4, (end - start) / 3, lane / 4):.2f}"'
    )
    tooltip = f"{label} {action.start:.1f}-{action.end:.1f} s, score {action.score:.2f}"
    yield f'<g class="untrimmed-bar"><title>{escape(tooltip)}</title>'
    yield f'<rect {box} fill="{colour}" fill-opacity="{opacity:.2f}"/>'
    yield f'<rect class="untrimmed-edge" {box} stroke-width="{gap / 2}"/>'
    shown = fitted(label, _TEXT, end - start - 10) if lane >= _LOWEST_LANE_WITH_TEXT else ""
    if shown:
        day = ink(_mixed(colour, _TRACK_BY_DAY, opacity))
        night = ink(_mixed(colour, _TRACK_BY_NIGHT, opacity))
        yield (
            f'<text class="untrimmed-day-{day} untrimmed-night-{night}" x="{start + 5:.2f}" '
            f'y="{top + lane / 2 + 4:.2f}" font-size="{_TEXT}">{escape(shown)}</text>'
        )
    yield "</g>"


def time_axis(plot: Plot, top: float, bottom: float) -> Iterator[str]:
    most = max(2, int((plot.right - plot.left) / _TICK_ROOM))
    for time, words in ticks(plot.extent, most).items():
        x = plot.x(time)
        # A text at the right end would run out of the picture if it were centred.
        anchor = "start" if x < plot.left + 1 else "end" if x > plot.right - _TICK_ROOM / 4 else "middle"
        yield f'<path class="untrimmed-line" d="M{x:.2f} {top:.2f}V{bottom + 5:.2f}"/>'
        yield (
            f'<text class="untrimmed-soft" x="{x:.2f}" y="{bottom + 19:.2f}" font-size="{_TEXT}" '
            f'text-anchor="{anchor}">{words}</text>'
        )
    if plot.extent > plot.duration:
        x = plot.x(plot.duration)
        line = f'class="untrimmed-end" d="M{x:.2f} {top:.2f}V{bottom + 5:.2f}"'
        yield f"<path {line}><title>end of the video</title></path>"


def class_legend(plot: Plot, labels: Sequence[str], top: float) -> tuple[list[str], float]:
    if not labels:
        return [], 0.0
    picture, x, y = [], plot.left, top + 16.0
    for label in labels:
        shown = fitted(printable(label), _TEXT, min(220, plot.right - plot.left - 18))
        room = 18 + text_width(shown, _TEXT) + 14
        if x > plot.left and x + room > plot.right:
            x, y = plot.left, y + _LEGEND_LINE
        picture += [
            f'<rect x="{x:.2f}" y="{y - 9:.2f}" width="11" height="11" rx="3" fill="{plot.colours[label]}"/>',
            f'<rect class="untrimmed-edge" x="{x:.2f}" y="{y - 9:.2f}" width="11" height="11" rx="3" '
            'stroke-width="0.5"/>',
            f'<text class="untrimmed-text" x="{x + 17:.2f}" y="{y + 0.5:.2f}" font-size="{_TEXT}">'
            f"{escape(shown)}</text>",
        ]
        x += room
    return picture, y - top


def ink(background: str) -> str:
    """`black` or `white`, whichever is read better on the colour: never under 4.5 to 1."""
    red, green, blue = (_linear(channel / 255) for channel in channels(background))
    # Relative luminance of WCAG 2.2; at 0.179 black and white are equally far.
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "white"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def channels(colour: str) -> tuple[int, ...]:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"colour {colour!r} is not of the form #rrggbb")
    return tuple(bytes.fromhex(colour[1:]))


def _mixed(over: str, under: str, opacity: float) -> str:
    """The colour that one colour of some opacity makes over another."""
    pairs = zip(channels(over), channels(under), strict=True)
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


def _is_free(others: list[tuple[float, float]], span: tuple[float, float]) -> bool:
    i = bisect_left(others, span)
    return (i == 0 or others[i - 1][1] <= span[0]) and (i == len(others) or others[i][0] >= span[1])


def _tick_step(least: float) -> float:
    if least <= 0.5:
        return _round_number(least)
    steps = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
    return next((step for step in steps if step >= least), 3600 * _round_number(least / 3600))


def _round_number(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least)


def text_width(text: str, size: float) -> float:
    """About how wide a text is; no font can be measured here, so a little more than most need."""
    return size * sum(1.05 if east_asian_width(letter) in "WF" else 0.6 for letter in text)


def fitted(text: str, size: float, room: float) -> str:
    """The text, or its beginning and an ellipsis, or nothing when fewer than three letters fit."""
    if text_width(text, size) <= room:
        return text
    kept = min(len(text), int(room / (0.6 * size)) + 1)
    while kept and text_width(text[:kept], size) + size > room:
        kept -= 1
    return text[:kept].rstrip() + "…" if kept >= 3 else ""
