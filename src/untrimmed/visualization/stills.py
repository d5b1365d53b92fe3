"""Makes small pictures of what happens in a video, for a page that shows many of them."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2

from untrimmed.io import BadInput
from untrimmed.timeline import Action
from untrimmed.video.sampling import sample_frames
from untrimmed.visualization.panels import Panel, Still
from untrimmed.visualization.timelines import GROUND_TRUTH

_SIDE = 72  # pixels of the shorter side of a still
_MOST = 8  # stills of one video
_USUAL_SIZE = 3600  # bytes of a still, as text; by it the room is shared out between the videos
_RATE = 10.0  # frames a second to choose from


def encode_still(video: Path, time: float) -> bytes | None:
    """Encode the frame on show at `time` seconds as JPEG; None where the video has none there or cannot be read."""
    try:
        frame = next(sample_frames(video, _RATE, _SIDE, start=time, allow_truncated=True), None)
    except BadInput:
        return None
    if frame is None:
        return None
    encoded, content = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 62])
    return content.tobytes() if encoded else None


def choose_still_times(panel: Panel, most: int = _MOST) -> list[tuple[float, str]]:
    """Choose the seconds and labels of stills: the middles of a video's true actions, or of its surest detections."""
    rows = [panel.rows[GROUND_TRUTH]] if GROUND_TRUTH in panel.rows else list(panel.rows.values())[:1]
    ranked = sorted((action for row in rows for action in row), key=lambda action: -action.score)
    apart: list[Action] = []
    for action in ranked:
        # Detections lie over each other; one picture of the same moment is enough.
        if all(action.end <= surer.start or surer.end <= action.start for surer in apart):
            apart.append(action)
    middles = sorted(((action.start + action.end) / 2, action.label) for action in apart)
    return [(time, label) for time, label in middles if time < panel.duration][:: max(1, -(-len(middles) // most))]


def make_stills(panels: Sequence[Panel], room: int) -> dict[str, list[Still]]:
    """Make the stills of each panel with a video, as data URLs of at most `room` bytes together, shared evenly."""
    playing = [panel for panel in panels if panel.video is not None]
    if not playing or room <= 0:
        return {}
    most = min(_MOST, room // (_USUAL_SIZE * len(playing)))
    # With more videos than there is room for, some have one and the others none, evenly over the list.
    step = 1 if most else -(-len(playing) * _USUAL_SIZE // room)
    stills: dict[str, list[Still]] = {}
    for panel in playing[::step]:
        for time, label in choose_still_times(panel, max(most, 1)):
            content = encode_still(panel.video, time) if panel.video else None
            if content is None:
                continue
            address = "data:image/jpeg;base64," + base64.b64encode(content).decode()
            if len(address) > room:
                return stills
            room -= len(address)
            stills.setdefault(panel.name, []).append(Still(round(time, 3), label, address))
    return stills
