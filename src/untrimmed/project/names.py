"""Which video file a name in annotations means: with or without an ending, and with or without `v_` before it."""

from collections.abc import Iterable

from untrimmed.annotations.formats.content import media_name
from untrimmed.features.folder import PREFIX
from untrimmed.io import BadInput


def match_names(names: Iterable[str], videos: Iterable[str]) -> dict[str, str]:
    """Return the video that each name means, of those that mean one; `videos` are names of files without ending.

    A name is looked up as it is, then without a path and an ending, then with `v_` and without it, then in any case
    of its letters. Raises BadInput where two names mean one video.
    """
    spelled = {video: video for video in videos}
    folded: dict[str, str | None] = {}
    for video in spelled:
        folded[video.casefold()] = None if video.casefold() in folded else video
    matches: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        candidates = [
            *(spelled.get(spelling) for spelling in spellings(name)),
            *(folded.get(spelling.casefold()) for spelling in spellings(name)),
        ]
        video = next(filter(None, candidates), None)
        if video is None:
            continue
        if owners.setdefault(video, name) != name:
            raise BadInput(f"{owners[video]!r} and {name!r} in the annotations both mean video {video!r}; rename one")
        matches[name] = video
    return matches


def spellings(name: str) -> tuple[str, ...]:
    """Return how a video may be called, the likeliest first."""
    short = media_name(name)
    plain = short.removeprefix(PREFIX)
    return tuple(dict.fromkeys((name, short, plain, PREFIX + plain)))
