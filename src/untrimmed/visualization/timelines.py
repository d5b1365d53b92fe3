"""Draws timelines as one SVG picture: a row each, bars in the colour of their label, for pages light and dark."""

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from itertools import islice

from markupsafe import Markup

from untrimmed.timeline import Action, Timeline, classes_of
from untrimmed.visualization.colours import blend, choose_text_colour, palette
from untrimmed.visualization.svg import TRACKS, build_element, build_svg
from untrimmed.visualization.templates import render
from untrimmed.visualization.text import fit_text, replace_unprintable, text_width

GROUND_TRUTH = "ground truth"
"""The row that all others are compared with."""

# All lengths are in pixels.
MARGIN, TEXT = 20, 11
_ROW_GAP, _AXIS, _LEGEND_LINE = 12, 26, 22
_TALLEST_LANE, _LOWEST_LANE, _ROW_HEIGHT, _LOWEST_LANE_WITH_TEXT = 22, 4, 132, 14
_NARROWEST_BAR, _TICK_ROOM = 3, 84
_NARROWEST_PICTURE = 240
_MOST_IN_NOTEBOOK = 20


def timeline_svg(
    duration: float, rows: Mapping[str, Timeline], *, width: int = 960, colours: Mapping[str, str] | None = None
) -> str:
    """Draw one standalone SVG, `width` pixels wide: a row for each timeline of a video of `duration` seconds.

    A bar is as opaque as its score is high; overlapping actions lie in lanes, the surest on top. `colours` are
    `#rrggbb` by label and default to `palette` over the labels in `rows`. Where an action ends after `duration`
    the axis reaches to its end, and a dashed line marks the end of the video. Raises ValueError for a duration
    that is not a positive number, a width under 240 and a colour of another form.
    """
    drawing = RowDrawing(duration, rows, width, colours)
    for name, timeline in rows.items():
        drawing.draw_actions(name, timeline)
    drawing.draw_time_axis()
    drawing.draw_legend(classes_of(rows.values()))
    return build_svg(width, drawing.top + MARGIN - _ROW_GAP, count_actions(rows), drawing.body)


def timelines_html(timelines: Mapping[str, Timeline]) -> str:
    """Draw the timelines of up to 20 videos for a notebook, and say how many more there are."""
    colours = palette(classes_of(timelines.values()))
    strips = [
        Markup(timeline_svg(timeline.duration, {video: timeline}, colours=colours))
        for video, timeline in islice(timelines.items(), _MOST_IN_NOTEBOOK)
    ]
    return render("timelines.html", strips=strips, hidden=len(timelines) - len(strips))


class RowDrawing:
    """Rows on one axis of seconds, each drawn below the one before; `top` is where the next begins, in pixels.

    Raises ValueError for a duration that is not a positive number, a width under 240 and a colour of another form.
    """

    def __init__(
        self, duration: float, rows: Mapping[str, Timeline], width: int, colours: Mapping[str, str] | None = None
    ) -> None:
        if not 0 < duration < math.inf:
            raise ValueError(f"duration {duration} is not a positive number of seconds")
        if width < _NARROWEST_PICTURE:
            raise ValueError(f"width {width} is under {_NARROWEST_PICTURE} pixels")
        gutter = min(max((text_width(name, TEXT + 1) for name in rows), default=0.0) + 14, width * 0.22)
        self.left, self.right = MARGIN + gutter, float(width - MARGIN)
        self.top, self.body = float(MARGIN), list[str]()
        self._duration = duration
        self._extent = max([duration, *(action.end for timeline in rows.values() for action in timeline)])
        self._colours = {**palette(classes_of(rows.values())), **(colours or {})}

    def x(self, seconds: float) -> float:
        """The pixel of a time."""
        return self.left + (self.right - self.left) * (seconds / self._extent)

    def add_row(self, name: str, height: float, baseline: float) -> float:
        """Draw the track of the next row and its name, whose letters stand `baseline` pixels below its top.

        Returns the row's top.
        """
        top = self.top
        track = {"x": self.left, "y": top, "width": self.right - self.left, "height": height, "rx": 5}
        text = {"x": MARGIN, "y": top + baseline, "font_size": TEXT + 1, "font_weight": 500}
        self.body.append(build_element("rect", class_="untrimmed-track", **track))
        fitting = fit_text(name, TEXT + 1, self.left - MARGIN - 10)
        self.body.append(build_element("text", fitting, class_="untrimmed-text", **text))
        self.top += height + _ROW_GAP
        return top

    def draw_actions(self, name: str, timeline: Timeline) -> None:
        """Draw a row with a bar for each action."""
        ranked = sorted(timeline.actions, key=lambda action: -action.score)
        spans = []
        for action in ranked:
            # Wide enough to be seen.
            start = min(self.x(action.start), self.right - _NARROWEST_BAR)
            spans.append((start, max(self.x(action.end), start + _NARROWEST_BAR)))
        lanes = pack_lanes(spans)
        count = max(lanes, default=0) + 1
        lane_height = max(_LOWEST_LANE, min(_TALLEST_LANE, _ROW_HEIGHT / count))
        height = count * lane_height + 6.0
        top = self.add_row(name, height, min(height / 2, 14) + 4)
        for action, span, lane in zip(ranked, spans, lanes, strict=True):
            self._draw_bar(action, span, top + 3 + lane * lane_height, lane_height)

    def draw_time_axis(self) -> None:
        """Draw grid lines under all rows, and their times below."""
        bottom = self.top - _ROW_GAP
        axis = []
        for time, text in choose_ticks(self._extent, max(2, int((self.right - self.left) / _TICK_ROOM))).items():
            x = self.x(time)
            # A text at the right end would run out of the picture if it were centred.
            anchor = "start" if x < self.left + 1 else "end" if x > self.right - _TICK_ROOM / 4 else "middle"
            axis.append(build_element("path", class_="untrimmed-line", d=f"M{x:.2f} {MARGIN:.2f}V{bottom + 5:.2f}"))
            place = {"x": x, "y": bottom + 19, "font_size": TEXT, "text_anchor": anchor}
            axis.append(build_element("text", text, class_="untrimmed-soft", **place))
        if self._extent > self._duration:
            line = f'class="untrimmed-end" d="M{self.x(self._duration):.2f} {MARGIN:.2f}V{bottom + 5:.2f}"'
            axis.append(f"<path {line}><title>end of the video</title></path>")
        self.body[:0] = axis
        self.top += _AXIS

    def draw_legend(self, labels: Sequence[str]) -> None:
        """Draw a swatch for each label below the axis."""
        x, y = self.left, self.top + 10
        for label in labels:
            text = fit_text(label, TEXT, min(220, self.right - self.left - 18))
            width = 18 + text_width(text, TEXT) + 14
            if x > self.left and x + width > self.right:
                x, y = self.left, y + _LEGEND_LINE
            box = {"x": x, "y": y - 9, "width": 11, "height": 11, "rx": 3}
            place = {"x": x + 17, "y": y + 0.5, "font_size": TEXT}
            self.body += [
                build_element("rect", **box, fill=self._colours[label]),
                build_element("rect", class_="untrimmed-edge", **box, stroke_width="0.5"),
                build_element("text", text, class_="untrimmed-text", **place),
            ]
            x += width
        if labels:
            self.top = y + 6

    def _draw_bar(self, action: Action, span: tuple[float, float], top: float, height: float) -> None:
        start, end = span
        label, colour = replace_unprintable(action.label), self._colours[action.label]
        opacity = 0.3 + 0.7 * min(max(action.score, 0.0), 1.0)
        gap = 1 if height >= 8 else 0.5
        box = {"x": start, "y": top + gap, "width": end - start, "height": height - 2.0 * gap}
        box["rx"] = min(4.0, (end - start) / 3, height / 4)
        hint = f"{label} {action.start:.1f}-{action.end:.1f} s, score {action.score:.2f}"
        self.body += [
            f'<g class="untrimmed-bar">{build_element("title", hint)}',
            build_element("rect", **box, fill=colour, fill_opacity=opacity),
            build_element("rect", class_="untrimmed-edge", **box, stroke_width=f"{gap / 2:g}"),
        ]
        text = fit_text(label, TEXT, end - start - 10) if height >= _LOWEST_LANE_WITH_TEXT else ""
        if text:
            day, night = (choose_text_colour(blend(colour, track, opacity)) for track in TRACKS)
            place = {"x": start + 5, "y": top + height / 2 + 4, "font_size": TEXT}
            kinds = f"untrimmed-day-{day} untrimmed-night-{night}"
            self.body.append(build_element("text", text, class_=kinds, **place))
        self.body.append("</g>")


def count_actions(rows: Mapping[str, Timeline]) -> str:
    """Say how many actions each row has."""
    return ", ".join(f"{replace_unprintable(name)}: {len(timeline)} actions" for name, timeline in rows.items())


def pack_lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Assign a lane from 0 to every `(start, end)`, so that none in a lane overlap; the earlier, the lower."""
    lanes: list[list[tuple[float, float]]] = []
    assigned = []
    for span in spans:
        free = next((i for i, lane in enumerate(lanes) if _is_free(lane, span)), len(lanes))
        if free == len(lanes):
            lanes.append([])
        insort(lanes[free], span)
        assigned.append(free)
    return assigned


def choose_ticks(extent: float, most: int) -> dict[float, str]:
    """Choose round times from 0 to `extent` seconds in at most `most` steps, and format them: `5 s`, `1:30`."""
    least = extent / most
    steps = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
    if least <= 0.5:
        step = _round_number(least)
    else:
        step = next((step for step in steps if step >= least), 3600 * _round_number(least / 3600))
    times = [i * step for i in range(int(extent / step * (1 + 1e-9)) + 1)]
    return {time: f"{time:g} s" if extent < 60 else format_minutes(time) for time in times}


def format_minutes(seconds: float) -> str:
    """Format whole seconds as `m:ss` or `h:mm:ss`."""
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole_seconds:02}" if hours else f"{minutes}:{whole_seconds:02}"


def _is_free(lane: list[tuple[float, float]], span: tuple[float, float]) -> bool:
    i = bisect_left(lane, span)
    return (i == 0 or lane[i - 1][1] <= span[0]) and (i == len(lane) or lane[i][0] >= span[1])


def _round_number(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least)
