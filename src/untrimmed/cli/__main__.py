"""`python -m untrimmed.cli`, for launchers that start a module."""

from untrimmed.cli import app

app()
