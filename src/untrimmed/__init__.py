"""Temporal action localization: every action in a long video, with its start, end, label and score."""

__version__ = "0.1.0.dev0"
