"""The data sets that studies are prepared for, and how small networks are trained on them."""

from collections.abc import Mapping
from typing import Any

Tree = Mapping[str, Mapping[str, Any]]
"""Some settings of a recipe, by section and key."""

# What each set needs to be read; every study holds out one split.
DATA: Mapping[str, Tree] = {
    "vts_kinematics": {
        "data": {
            "dataset": "vts",
            "annotations": "$UNTRIMMED_DATA/datasets/vts_kinematics",
            "features": "$UNTRIMMED_DATA/datasets/vts_kinematics/features.npz",
            "average": 3,
            "train": ["fold-1", "fold1", "fold2", "fold3", "fold4"],
            "test": ["fold0"],
            "unusable": "drop",
            "source": {"backbone": "vts-kinematics", "fps": 15.0, "streams": ["position-and-orientation"]},
        },
        "windows": {"mode": "slide"},
        "augment": {"random_move": False},
    },
    "salads50_scores": {
        "data": {
            "dataset": "salads50",
            "annotations": "$UNTRIMMED_DATA/datasets/salads50_scores",
            "features": "$UNTRIMMED_DATA/datasets/salads50_scores/features.npz",
            "columns": [[0, 36], [72, 92]],
            "train": ["split2", "split3", "split4", "split5"],
            "test": ["split1"],
            "source": {"backbone": "salads50-scores", "fps": 1.0, "start": -0.5, "streams": ["svm", "tcnn"]},
        },
    },
}

SMALL_TRAIN: Mapping[str, Any] = {
    "steps": 150,
    "batch": 8,
    "optimizer": "adamw",
    "rate": 2e-3,
    "decay": 0.05,
    "warmup": 20,
    "schedule": "cosine",
    "clip": 1.0,
    "average": 0.98,
}
"""Minutes of one core a row."""
