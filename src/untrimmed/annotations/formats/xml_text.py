"""XML read without trust, and its text written so that all of it comes back."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from untrimmed.io import BadInput, read_bytes

__all__ = ["attribute", "read_xml", "written"]


def read_xml(path: Path, root: str, what: str) -> Element:
    """The root of an XML file, which must be called `root`; `what` names the format in errors.

    Entities and document types are refused, so a small file stays small and reads no other. Raises BadInput.
    """
    try:
        found = fromstring(read_bytes(path), forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise BadInput(f"{path}: is not XML (line {line}, column {column}); mend or replace it") from None
    except DefusedXmlException:
        raise BadInput(f"{path}: declares a document type or entities, which are not read; remove them") from None
    except (ValueError, LookupError) as error:
        raise BadInput(f"{path}: is in an encoding that is not read ({error}); save it as UTF-8") from None
    if found.tag != root:
        raise BadInput(f"{path}: begins with <{found.tag}>, not <{root}>; {what} was expected")
    return found


def written(text: str) -> str:
    """Text between tags."""
    return escape(text, {"\r": "&#13;"})


def attribute(text: str) -> str:
    """The value of an attribute, with its quotes."""
    return quoteattr(text)
