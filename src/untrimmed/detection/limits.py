"""What the limit `suppress.keep` left out of detections, in words."""

from collections.abc import Mapping

from untrimmed.models.suppression import COUNTED, TELLING
from untrimmed.timeline import Timeline


def describe_cuts(timelines: Mapping[str, Timeline], keep: int) -> tuple[str, ...]:
    """Say in a sentence how many telling actions `suppress.keep` left out of how many videos; nothing where none."""
    counts = {video: timeline.cut for video, timeline in timelines.items() if timeline.cut}
    if not counts:
        return ()
    video, count = max(counts.items(), key=lambda item: item[1])
    scores = [action.score for action in timelines[video]]
    total, least = sum(counts.values()), " or more" if max(counts.values()) >= COUNTED else ""
    return (
        f"suppress.keep = {keep} left out {total:,}{least} actions that score {TELLING:g} of their video's best or "
        f"more, of {len(counts):,} of {len(timelines):,} videos, most of {video!r} ({count:,}{least}, which score up "
        f"to {min(scores, default=0.0):.3g}, the best {max(scores, default=0.0):.3g}); to have more, set "
        "suppress.keep higher, without training again (overrides=..., --set suppress.keep=...)",
    )
