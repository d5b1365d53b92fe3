"""Which file a name in annotations means: with or without an ending, and with or without `v_` before it."""

from collections.abc import Iterable, Mapping

from untrimmed.annotations.formats.content import media_name
from untrimmed.features.folder import PREFIX
from untrimmed.io import BadInput


def matched(names: Iterable[str], videos: Iterable[str]) -> dict[str, str]:
    """The video that each name means, of those that mean one; `videos` are names of files without ending.

    A name is looked up as it is, then without a path and an ending, then with `v_` and without it, then in any case
    of its letters. Raises BadInput where two names mean one video.
    """
    known, folded = set(videos), _folded(videos)
    found: dict[str, str] = {}
    owner: dict[str, str] = {}
    for name in names:
        video = _meant(name, known, folded)
        if video is None:
            continue
        if owner.setdefault(video, name) != name:
            raise BadInput(f"{owner[video]!r} and {name!r} in the annotations both mean video {video!r}; rename one")
        found[name] = video
    return found


def spellings(name: str) -> tuple[str, ...]:
    """How a video may be called, the likeliest first."""
    short = media_name(name)
    plain = short.removeprefix(PREFIX)
    return tuple(dict.fromkeys((name, short, plain, PREFIX + plain)))


def _meant(name: str, known: set[str], folded: Mapping[str, str]) -> str | None:
    for spelling in spellings(name):
        if spelling in known:
            return spelling
    return next((folded[s.casefold()] for s in spellings(name) if s.casefold() in folded), None)


def _folded(videos: Iterable[str]) -> dict[str, str]:
    """Videos by their names in small letters, where these are of one video alone."""
    several: dict[str, list[str]] = {}
    for video in videos:
        several.setdefault(video.casefold(), []).append(video)
    return {name: found[0] for name, found in several.items() if len(found) == 1}
