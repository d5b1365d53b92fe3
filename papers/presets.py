"""C-TCN's two whole recipes, never to be mixed: what the authors released, and what the paper says.

Paths are left open: lay `data` over them with `dataclasses.replace`. docs/fidelity.md has every difference.
"""

from dataclasses import replace

from untrimmed.features.windows import WindowConfig
from untrimmed.models import ctcn
from untrimmed.models.suppression import SuppressConfig
from untrimmed.recipe import AugmentConfig, Recipe, TrainConfig

# Limits of a video of any length, of all classes together.
WHOLE_VIDEO = {"keep_per_minute": 0.0, "keep_per_class": False}
ACTIVITYNET_BATCHES = 627  # 10,024 training videos in batches of 16
THUMOS14_BATCHES = 13  # 200 of them

# Released, for ActivityNet-1.3 and 402 class scores, at about 31 % average mAP: the rate drops at update 9,000 of
# 35 epochs; suppression is hard at 0.8, then soft, and keeps whatever still scores 0.004.
RELEASE = Recipe(
    windows=WindowConfig(mode="whole", background=0),
    augment=AugmentConfig(random_move=True, random_crop=True, crop_rule="centre", random_resampling=True),
    model=ctcn.RELEASE,
    train=TrainConfig(steps=35 * ACTIVITYNET_BATCHES, batch=16, rate=5e-4, momentum=0.9, decay=1e-4, drops=(9000,)),
    suppress=SuppressConfig(
        floor=0.001, nms=0.8, method="gaussian", sigma=0.9, end_floor=0.004, keep=357_000, **WHOLE_VIDEO
    ),
)

# The paper's words, for THUMOS'14: the rate drops after 200 epochs. It stops "early", which we read as 300.
PAPER = Recipe(
    windows=WindowConfig(mode="whole", background=0),
    augment=AugmentConfig(random_move=True, random_crop=True, crop_rule="half", random_resampling=False),
    model=ctcn.PAPER,
    train=TrainConfig(
        steps=300 * THUMOS14_BATCHES,
        batch=16,
        rate=1e-3,
        momentum=0.9,
        decay=1e-4,
        drops=(200 * THUMOS14_BATCHES,),
    ),
    suppress=SuppressConfig(method="gaussian", sigma=0.5, **WHOLE_VIDEO),
)

# The same for ActivityNet-1.3: half the rate, the drop after 20 epochs; 35 in all, as released.
PAPER_ACTIVITYNET = replace(
    PAPER,
    train=replace(PAPER.train, steps=35 * ACTIVITYNET_BATCHES, rate=5e-4, drops=(20 * ACTIVITYNET_BATCHES,)),
)
