"""What the limits on the number of detections left out, in words."""

from collections import Counter
from collections.abc import Mapping

from untrimmed.annotations.annotations import format_count
from untrimmed.models.suppression import COUNTED, TELLING, SuppressConfig, compute_limit
from untrimmed.timeline import Timeline

NAMED = 3
"""Classes that a sentence names."""


def describe_cuts(timelines: Mapping[str, Timeline], config: SuppressConfig) -> tuple[str, ...]:
    """Say how many telling actions the limits left out, of which videos and classes; nothing where they did not."""
    cuts = {video: Counter(timeline.cut) for video, timeline in timelines.items() if timeline.cut}
    if not cuts:
        return ()
    video, most = max(cuts.items(), key=lambda item: item[1].total())
    scores = [action.score for action in timelines[video]]
    more = " or more" if most.total() >= COUNTED else ""
    count = format_count(sum(cuts.values(), Counter()).total(), "action")
    return (
        f"{describe_limit(config)} left out {count}{more} that score {TELLING:g} of their video's best or more, of "
        f"{len(cuts):,} of {format_count(len(timelines), 'video')}, "
        f"{_describe_classes(timelines, cuts)}; most of {video!r} ({most.total():,}, which score up to "
        f"{min(scores, default=0.0):.3g}, the best {max(scores, default=0.0):.3g}); {_describe_remedy(config)}",
    )


def describe_limit(config: SuppressConfig) -> str:
    """Describe in a few words how many detections a video may keep."""
    minutes = f" (or {config.keep_per_minute:g} a minute)" if config.keep_per_minute else ""
    return f"suppress.keep = {config.keep}{minutes}, {_name_scope(config)},"


def describe_stream_limit(config: SuppressConfig) -> str:
    """Describe in a few words how many detections a stream may emit."""
    return f"suppress.keep allows {compute_limit(config, 60):,} actions a minute {_name_scope(config)}"


def describe_counts(counts: Mapping[str, int]) -> str:
    """Name the labels that most were counted of, with their numbers."""
    ranked = Counter(counts).most_common()
    words = [f"{count:,} of {label!r}" for label, count in ranked[:NAMED]]
    if more := ranked[NAMED:]:
        words.append(f"{sum(count for _, count in more):,} of {format_count(len(more), 'other')}")
    return ", ".join(words)


def _name_scope(config: SuppressConfig) -> str:
    return "of each class" if config.keep_per_class else "of all classes"


def _describe_classes(timelines: Mapping[str, Timeline], cuts: Mapping[str, Counter[str]]) -> str:
    """Name the classes of which most was left out, and those of which nothing is left in a video."""
    words = describe_counts(sum(cuts.values(), Counter()))
    starved = [(label, video) for video, cut in cuts.items() for label in cut if label not in timelines[video].labels]
    if not starved:
        return words
    places = [f"{label!r} in {video!r}" for label, video in starved[:NAMED]]
    places += [f"{len(starved) - NAMED} more"] if len(starved) > NAMED else []
    return f"{words} (nothing is left of {', '.join(places)})"


def _describe_remedy(config: SuppressConfig) -> str:
    setting = "suppress.keep or suppress.keep_per_minute higher"
    if not config.keep_per_class:
        setting = f"suppress.keep_per_class = true, or {setting}"
    return f"to have more, set {setting}, without training again (overrides=..., --set suppress.keep=...)"
