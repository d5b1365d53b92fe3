"""The one exception that means: what the user gave cannot be used, and here is the sentence that says why."""

from pathlib import Path


class BadInput(ValueError):
    """Input that cannot be used. The message names the file, the value and the remedy; commands exit with 2."""


def missing(path: Path, what: str) -> BadInput:
    """The sentence for a path that does not exist."""
    return BadInput(f"{path}: no such {what}; check the path")
