"""Parts of JSON that must be of one kind, with one sentence where they are not."""

import math
from reprlib import repr as short
from typing import Any

from untrimmed.io import BadInput


def as_object(place: str, value: Any) -> dict[str, Any]:
    """Return a JSON object. Raises BadInput with its place for anything else."""
    if not isinstance(value, dict):
        raise BadInput(f"{place} is {short(value)}; an object was expected")
    return value


def as_list(place: str, value: Any) -> list[Any]:
    """Return a JSON list. Raises BadInput with its place for anything else."""
    if not isinstance(value, list):
        raise BadInput(f"{place} is {short(value)}; a list was expected")
    return value


def as_text(place: str, value: Any, *, empty: bool = True) -> str:
    """Return a text, or a whole number as one. Raises BadInput with its place for anything else.

    `empty` says whether a text without letters will do.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # A lone surrogate can stand in JSON, but no text file could be written with it.
    if not isinstance(value, str) or not (value or empty) or value.encode("utf-8", "replace").decode() != value:
        raise BadInput(f"{place} is {short(value)}; text was expected")
    return value


def as_number(place: str, value: Any) -> float:
    """Return a number, or text that is one. Raises BadInput with its place for anything else."""
    number = to_number(value)
    if number is None:
        raise BadInput(f"{place} is {short(value)}; a number was expected")
    return number


def to_number(value: Any) -> float | None:
    """Return a number, or text that is one; None for anything else."""
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def to_positive(value: Any) -> float | None:
    """Return a finite number above 0, a length or a rate that a file may state; None for anything else."""
    number = to_number(value)
    return number if number is not None and 0 < number < math.inf else None
