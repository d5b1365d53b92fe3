"""The commands, thin: each is a verb on features and timelines that lives elsewhere."""

from untrimmed.cli import checks, convert, data, export, judge, review, see, stream, study, tune, work
from untrimmed.cli.app import app

__all__ = ["app", "checks", "convert", "data", "export", "judge", "review", "see", "stream", "study", "tune", "work"]
