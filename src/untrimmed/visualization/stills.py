"""Small pictures of what happens in a video, for a page that shows many of them."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2

from untrimmed.io import BadInput
from untrimmed.timeline import Action
from untrimmed.video.sampling import sample
from untrimmed.visualization.panels import TRUTH, Panel, Still

SIDE = 72
"""The shorter side of a still, in pixels."""
MOST = 8
"""Stills of one video."""
_USUAL = 3600  # bytes of a still, as text; by it the room is shared out between the videos
_FINE = 10.0  # frames a second to choose from


def still(video: Path, time: float) -> bytes | None:
    """A JPEG of the frame on show at `time` seconds, None where the video has none there or cannot be read."""
    try:
        frame = next(sample(video, _FINE, SIDE, start=time, allow_truncated=True), None)
    except BadInput:
        return None
    if frame is None:
        return None
    done, content = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 62])
    return content.tobytes() if done else None


def moments(panel: Panel, most: int = MOST) -> list[tuple[float, str]]:
    """Seconds and labels of a video's stills: the middles of its true actions, or of its surest detections."""
    rows = [panel.rows[TRUTH]] if TRUTH in panel.rows else list(panel.rows.values())[:1]
    ranked = sorted((action for row in rows for action in row.actions), key=lambda action: -action.score)
    chosen: list[Action] = []
    for action in ranked:
        # Detections lie over each other; one picture of the same moment is enough.
        if all(action.end <= other.start or other.end <= action.start for other in chosen):
            chosen.append(action)
    inside = [((action.start + action.end) / 2, action.label) for action in chosen]
    return sorted((time, label) for time, label in inside if time < panel.duration)[
        :: max(1, -(-len(inside) // most))
    ]


def stills(panels: Sequence[Panel], room: int) -> dict[str, list[Still]]:
    """The stills of each panel that has a video, as data URLs of at most `room` bytes together, shared out evenly."""
    shown = [panel for panel in panels if panel.video is not None]
    most = min(MOST, room // (_USUAL * len(shown))) if shown else 0
    taken: dict[str, list[Still]] = {}
    # With more videos than there is room for, some have one and the others none, evenly over the list.
    for panel in shown[:: 1 if most else max(1, -(-len(shown) * _USUAL // max(room, 1)))] if room else []:
        for each in _taken(panel, max(most, 1)):
            if len(each.address) > room:
                return taken
            room -= len(each.address)
            taken.setdefault(panel.name, []).append(each)
    return taken


def _taken(panel: Panel, most: int) -> list[Still]:
    if panel.video is None:
        return []
    pictures: Mapping[tuple[float, str], bytes | None] = {
        (time, label): still(panel.video, time) for time, label in moments(panel, most)
    }
    return [
        Still(round(time, 3), label, "data:image/jpeg;base64," + base64.b64encode(content).decode())
        for (time, label), content in pictures.items()
        if content is not None
    ]
