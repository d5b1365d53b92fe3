"""Text and XML as annotation tools write them: UTF-8 or UTF-16, any line ends, times in seconds or of a clock."""

import codecs
import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from untrimmed.io import BadInput, decode_text, describe_content, describe_windows_text, read_bytes

_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):(\d+(?:[.,]\d*)?)")


def read_any_text(path: Path) -> str:
    """Read a file in UTF-8, UTF-16 or else Windows-1252, see `describe_encoding`; line ends become newlines."""
    content = read_bytes(path)
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # Latin letters of UTF-16 without its mark have a NUL beside each.
        if len(content) < 4 or content.count(b"\0") * 3 < len(content) or describe_content(content):
            legacy = describe_windows_text(content) is not None
            return unify_newlines(content.decode("cp1252") if legacy else decode_text(path, content))
        content = (codecs.BOM_UTF16_LE if content[1:2] == b"\0" else codecs.BOM_UTF16_BE) + content
    try:
        return unify_newlines(content.decode("utf-16"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: byte {error.start} is not UTF-16 text; save it as UTF-8") from None


def describe_encoding(path: Path) -> tuple[str, ...]:
    """Say which line of a text shows that it is read as Windows-1252, as Excel saves it in many countries."""
    content = read_bytes(path)
    # XML states its encoding itself.
    line = None if content.lstrip().startswith(b"<") else describe_windows_text(content)
    return (
        (f"text that is not UTF-8 is read as Windows-1252, {line}; if that is wrong, save it as UTF-8",)
        if line
        else ()
    )


def unify_newlines(text: str) -> str:
    """End every line of a text with a newline alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_seconds(text: str) -> float | None:
    """Parse seconds in `12.5`, `12,5`, `1:02.5` or `00:01:02.500`; None for anything else."""
    if match := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = match.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
    return parse_number(text)


def parse_number(text: str) -> float | None:
    """Parse a number with a point or, where there is one alone, a comma; None for anything else."""
    text = text.strip()
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def format_clock(seconds: float, mark: str = ".") -> str:
    """Write seconds as `hh:mm:ss.mmm`, rounded to milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{mark}{milliseconds:03d}"


def read_xml(path: Path, tag: str, what: str) -> Element:
    """Read the root of an XML file, which must have the tag; `what` names the format in errors.

    Entities and document types are refused, so a small file stays small and reads no other. Raises BadInput.
    """
    content = read_bytes(path)
    try:
        root = fromstring(content, forbid_dtd=True)
    except ParseError as error:
        if text := describe_windows_text(content):
            raise BadInput(
                f"{path}: is not in the encoding that it states but, it seems, Windows-1252 ({text}); save it again"
            ) from None
        line, column = error.position
        raise BadInput(f"{path}: is not XML (line {line}, column {column}); fix or replace it") from None
    except DefusedXmlException:
        raise BadInput(f"{path}: declares a document type or entities, which are not read; remove them") from None
    except (ValueError, LookupError) as error:
        raise BadInput(f"{path}: is in an encoding that is not read ({error}); save it as UTF-8") from None
    if root.tag != tag:
        raise BadInput(f"{path}: begins with <{root.tag}>, not <{tag}>; {what} was expected")
    return root


def escape_text(text: str) -> str:
    """Escape text that stands between tags."""
    return escape(text, {"\r": "&#13;"})
