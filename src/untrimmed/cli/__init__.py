"""The commands, thin: each is a verb on features and timelines that lives elsewhere."""

from untrimmed.cli import judge, see, study, work
from untrimmed.cli.app import app

__all__ = ["app", "judge", "see", "study", "work"]
