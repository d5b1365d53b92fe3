"""Parts of JSON that must be of one kind, with one sentence where they are not."""

import math
from reprlib import repr as short
from typing import Any

from untrimmed.io import BadInput


def table_at(place: str, value: Any) -> dict[str, Any]:
    """A JSON object; BadInput with its place for anything else."""
    if not isinstance(value, dict):
        raise BadInput(f"{place} is {short(value)}; an object was expected")
    return value


def list_at(place: str, value: Any) -> list[Any]:
    """A JSON list; BadInput with its place for anything else."""
    if not isinstance(value, list):
        raise BadInput(f"{place} is {short(value)}; a list was expected")
    return value


def text_at(place: str, value: Any) -> str:
    """A text, or a whole number as one; BadInput with its place for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # A lone surrogate can stand in JSON, but no text file could be written with it.
    if not isinstance(value, str) or value.encode("utf-8", "replace").decode() != value:
        raise BadInput(f"{place} is {short(value)}; text was expected")
    return value


def number_at(place: str, value: Any) -> float:
    """A number, or text that is one; BadInput with its place for anything else."""
    found = number_or_none(value)
    if found is None:
        raise BadInput(f"{place} is {short(value)}; a number was expected")
    return found


def number_or_none(value: Any) -> float | None:
    """A number, or text that is one."""
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def positive_or_none(value: Any) -> float | None:
    """A number above 0 that is finite: a length or a rate that a file may state, or have left at nothing."""
    found = number_or_none(value)
    return found if found is not None and 0 < found < math.inf else None
