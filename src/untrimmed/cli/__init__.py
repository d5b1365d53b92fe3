"""The commands, thin: each is a verb on features and timelines that lives elsewhere."""

from untrimmed.cli import (
    convert,
    export,
    review,
    stream,
    study,
    tune,
)
from untrimmed.cli import (
    evaluate as judge,
)
from untrimmed.cli import (
    machine as checks,
)
from untrimmed.cli import (
    project as data,
)
from untrimmed.cli import (
    train as work,
)
from untrimmed.cli import (
    view as see,
)
from untrimmed.cli.app import app

__all__ = ["app", "checks", "convert", "data", "export", "judge", "review", "see", "stream", "study", "tune", "work"]
