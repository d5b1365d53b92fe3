"""Instances of rows that a test writes down or draws."""

from collections.abc import Mapping, Sequence

import numpy as np

from untrimmed.evaluation.instances import Instances

Row = tuple[str, str, float, float, float]  # video, label, start, end, score
Marks = Sequence[tuple[str, float, float]]  # video, start, end


def instances(
    rows: Sequence[Row], durations: Mapping[str, float] | None = None, videos: str = "", *, marks: Marks = ()
) -> Instances:
    """The rows, in their order, of these videos and those that occur."""
    names, labels = sorted({row[0] for row in rows} | set(videos)), sorted({row[1] for row in rows})
    columns = np.array([row[2:] for row in rows], float).reshape(-1, 3).T
    return Instances(
        tuple(names),
        tuple(labels),
        np.array([names.index(row[0]) for row in rows], np.int64),
        np.array([labels.index(row[1]) for row in rows], np.int64),
        *columns,
        durations=durations or {},
        marks={
            video: np.array([mark[1:] for mark in marks if mark[0] == video], np.float64)
            for video in sorted({mark[0] for mark in marks})
        },
    )
