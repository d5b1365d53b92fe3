"""A timeline as subtitles (SRT), so that any video player names the actions as they happen."""

from pathlib import Path

from untrimmed.io import write_text
from untrimmed.timeline import Action, Timeline

# Players read these as the marks of styles; `-->` would be read as a time.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})


def write_srt(path: Path, timeline: Timeline) -> None:
    """Write one video's actions as cues `label (87 %)`, by start; nothing in a label can end a cue or style it."""
    write_text(path, "\n".join(_cue(number, action) for number, action in enumerate(timeline.actions, start=1)))


def _cue(number: int, action: Action) -> str:
    start = _milliseconds(action.start)
    # A cue without length is never shown.
    end = max(_milliseconds(action.end), start + 1)
    return f"{number}\n{_clock(start)} --> {_clock(end)}\n{_plain(action.label)} ({100 * action.score:.0f} %)\n"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{milliseconds:03d}"


def _plain(label: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in label)
    return " ".join(printable.translate(_HARMLESS).split()) or "unnamed"
