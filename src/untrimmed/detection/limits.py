"""What the limit `suppress.keep` left out of detections, in words."""

from collections.abc import Mapping

from untrimmed.timeline import Timeline


def describe_cuts(timelines: Mapping[str, Timeline], keep: int) -> tuple[str, ...]:
    """Say in a sentence how many candidates `suppress.keep` left out of how many videos; nothing where none."""
    cut = {video: timeline for video, timeline in timelines.items() if timeline.cut}
    if not cut:
        return ()
    video, timeline = max(cut.items(), key=lambda item: item[1].cut)
    least = min((action.score for action in timeline), default=0.0)
    total = sum(each.cut for each in cut.values())
    return (
        f"suppress.keep = {keep} left out up to {total:,} candidates of {len(cut):,} of {len(timelines):,} videos, "
        f"most of {video!r} ({timeline.cut:,}, which score up to {least:.3g}); to have more, set suppress.keep "
        "higher, without training again (overrides=..., --set suppress.keep=...)",
    )
