"""Whether suppression leaves room for all actions of a video."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from untrimmed.annotations.annotations import format_count
from untrimmed.models.suppression import SuppressConfig, compute_limit
from untrimmed.project.findings import Finding
from untrimmed.project.recipe_numbers import choose_keep, choose_keep_per_minute, count_most
from untrimmed.timeline import Timeline


def check_keep(
    config: SuppressConfig, ground_truth: Mapping[str, Timeline], videos: Sequence[str]
) -> Iterator[Finding]:
    """Find videos with more actions, of a class or of all, than a detector may keep of them."""
    timelines = {video: ground_truth[video] for video in videos}
    count = count_most if config.keep_per_class else len
    counts = {video: count(timeline) for video, timeline in timelines.items()}
    limits = {video: compute_limit(config, timeline.duration) for video, timeline in timelines.items()}
    dense = [video for video in videos if counts[video] > limits[video]]
    if not dense:
        return
    densest = max(dense, key=lambda video: counts[video])
    what = "actions of a class" if config.keep_per_class else "actions"
    yield Finding(
        "warning",
        "more actions than suppress.keep",
        f"{format_count(len(dense), 'video has', 'videos have')} more {what} than suppress lets a detector keep of "
        f"{'it' if len(dense) == 1 else 'them'}; the most are {counts[densest]:,} in {densest}, of which it keeps "
        f"{limits[densest]:,}",
        _describe_remedy(config, timelines),
    )


def _describe_remedy(config: SuppressConfig, timelines: Mapping[str, Timeline]) -> str:
    better = replace(
        config,
        keep=max(config.keep, choose_keep(timelines.values())),
        keep_per_minute=max(config.keep_per_minute, choose_keep_per_minute(timelines.values())),
        keep_per_class=True,
    )
    names = [
        name
        for name in ("keep", "keep_per_minute", "keep_per_class")
        if getattr(better, name) != getattr(config, name)
    ]
    words = [f"suppress.{name}={str(getattr(better, name)).lower()}" for name in names]
    sentence = ", ".join(word.replace("=", " = ") for word in words)
    return f"set {sentence} (a trained detector takes them too: {' '.join(f'--set {word}' for word in words)})"
