"""How near the anchors of a model come to an action."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.models.anchors import to_segments
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.matching import pairwise_tiou
from untrimmed.project.window_checks import compute_best_tiou

CONFIGS = (
    CTCNConfig(length=256, levels=5, depth=15, width=0.1, concepts=2),
    CTCNConfig(length=256, levels=7, depth=15, width=0.1, concepts=2),
    CTCNConfig(length=256, levels=5, depth=15, width=0.1, concepts=2, anchor_rule="paper", anchors=4),
    CTCNConfig(length=256, levels=5, depth=15, width=0.1, concepts=2, finest=3),
    CTCNConfig(length=256, levels=5, depth=15, width=0.1, concepts=2, anchor_scale=1.5),
)
ANCHORS = tuple(to_segments(config.build(2, 1).anchors) for config in CONFIGS)


@given(st.integers(0, len(CONFIGS) - 1), st.floats(0, 200), st.floats(0.5, 100))
def test_the_reach_of_anchors_is_that_of_the_model_s_own(number, start, width):
    segment = np.array([[start, min(start + width, 256)]])
    best = pairwise_tiou(ANCHORS[number], torch.from_numpy(segment).float()).max().item()
    assert compute_best_tiou(CONFIGS[number], segment)[0] == pytest.approx(best, abs=1e-4)
