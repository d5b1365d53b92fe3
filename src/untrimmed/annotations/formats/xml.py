"""XML read without trust, and its text written so that all of it comes back."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from untrimmed.io import BadInput, read_bytes

__all__ = ["escape_text", "read_xml"]


def read_xml(path: Path, tag: str, what: str) -> Element:
    """Read the root of an XML file, which must have the tag; `what` names the format in errors.

    Entities and document types are refused, so a small file stays small and reads no other. Raises BadInput.
    """
    try:
        root = fromstring(read_bytes(path), forbid_dtd=True)
    except ParseError as error:
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
