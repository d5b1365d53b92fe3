"""Text as annotation tools write it: UTF-8 or UTF-16, any line ends, times in seconds or as a clock shows them."""

import codecs
import re
from pathlib import Path

from untrimmed.io import BadInput, read_bytes, read_text

_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):(\d+(?:[.,]\d*)?)")


def read_any_text(path: Path) -> str:
    """The content of a file in UTF-8 or, with a byte order mark, UTF-16; line ends are newlines."""
    content = read_bytes(path)
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return plain_lines(read_text(path))
    try:
        return plain_lines(content.decode("utf-16"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-16 text; save it as UTF-8") from None


def plain_lines(text: str) -> str:
    """Text whose lines all end with a newline alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def seconds_in(text: str) -> float | None:
    """Seconds in `12.5`, `12,5`, `1:02.5` or `00:01:02.500`; None for anything else."""
    if found := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = found.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
    return number_in(text)


def number_in(text: str) -> float | None:
    """The number in a text, with a point or, where there is one alone, a comma; None for anything else."""
    text = text.strip()
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def clock(seconds: float, mark: str = ".") -> str:
    """Seconds as `hh:mm:ss.mmm`, rounded to milliseconds."""
    return clock_of(round(seconds * 1000), mark)


def clock_of(milliseconds: int, mark: str = ".") -> str:
    """Milliseconds as `hh:mm:ss.mmm`."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{milliseconds:03d}"
