"""Whether suppression leaves room for all actions of a video."""

from collections.abc import Iterator, Mapping, Sequence

from untrimmed.models.suppression import SuppressConfig
from untrimmed.project.findings import Finding
from untrimmed.project.recipe_numbers import choose_keep
from untrimmed.timeline import Timeline


def check_keep(
    config: SuppressConfig, ground_truth: Mapping[str, Timeline], videos: Sequence[str]
) -> Iterator[Finding]:
    """Find videos with more actions than the limit `keep` lets a detector find."""
    dense = [video for video in videos if len(ground_truth[video]) > config.keep]
    if not dense:
        return
    densest = max(dense, key=lambda video: len(ground_truth[video]))
    keep = choose_keep(ground_truth[video] for video in videos)
    many = "video has" if len(dense) == 1 else "videos have"
    yield Finding(
        "warning",
        "more actions than suppress.keep",
        f"{len(dense):,} {many} more than suppress.keep = {config.keep:,}, which is all that is kept of a video; "
        f"the most are {len(ground_truth[densest]):,} in {densest}",
        f"set suppress.keep = {keep} (a trained detector takes it too: --set suppress.keep={keep})",
    )
