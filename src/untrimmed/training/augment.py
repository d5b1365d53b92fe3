"""Augmentation along time: random move and random crop of annotated snippets (section 3.3 of the C-TCN paper)."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from untrimmed.features.video_features import Resampling, resample
from untrimmed.recipe import AugmentConfig
from untrimmed.timeline import tiou

# With fewer background snippets there is nowhere to move to (as released).
LEAST_BACKGROUND = 5
# One candidate crop for each least overlap, the first of so many tries that has it (as released, after SSD).
CROP_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIES = 100
RESAMPLINGS: tuple[Resampling, ...] = ("nearest", "linear", "cubic", "area")


class Clip(NamedTuple):
    """Annotated snippets: features, segments in positions from 0, and class indices."""

    values: Float[np.ndarray, "time channels"]
    segments: Float[np.ndarray, "n 2"]
    labels: Int[np.ndarray, " n"]


def augment(clip: Clip, config: AugmentConfig, length: int, random: np.random.Generator) -> Clip:
    """Move, crop, and resize a clip to `length` snippets."""
    if config.random_move:
        clip = random_move(clip, random)
    if config.random_crop:
        clip = random_crop(clip, config, random)
    return resize_clip(clip, length, draw_resampling(random) if config.random_resampling else "linear")


def random_move(clip: Clip, random: np.random.Generator) -> Clip:
    """Cut the actions out and put them back at random places of the background, in random order.

    An action keeps every snippet that it touches and its exact length; two that overlap are each put back whole,
    so the clip may grow. Unchanged when there is next to no background, or fewer places than actions.
    """
    time = len(clip.values)
    first = np.clip(np.floor(clip.segments[:, 0]).astype(int), 0, time)
    last = np.clip(np.ceil(clip.segments[:, 1]).astype(int), 0, time)
    background = np.ones(time, bool)
    for a, b in zip(first, last, strict=True):
        background[a:b] = False
    scenery = clip.values[background]
    if len(scenery) < max(LEAST_BACKGROUND, len(clip.labels) - 1) or len(clip.labels) == 0:
        return clip
    places = np.sort(random.choice(len(scenery) + 1, len(clip.labels), replace=False))
    order = random.permutation(len(clip.labels))
    pieces, segments, at, used = [], np.empty_like(clip.segments), 0, 0
    for place, action in zip(places, order, strict=True):
        pieces += [scenery[used:place], clip.values[first[action] : last[action]]]
        at += place - used
        segments[action] = clip.segments[action] - first[action] + at
        at += last[action] - first[action]
        used = place
    return Clip(np.concatenate([*pieces, scenery[used:]]), segments, clip.labels)


def random_crop(clip: Clip, config: AugmentConfig, random: np.random.Generator) -> Clip:
    """Take one of the candidate crops, the whole clip among them; never one that keeps no action."""
    time = len(clip.values)
    if len(clip.labels) == 0:
        return clip
    candidates = [np.array([0.0, time])]
    for least in CROP_OVERLAPS:
        scale = random.uniform(config.crop_scale, 1, CROP_TRIES) * time
        start = random.uniform(0, 1, CROP_TRIES) * (time - scale)
        crops = np.round(np.stack([start, start + scale], 1))
        suitable = (tiou(crops, clip.segments).min(1) >= least) & (crops[:, 1] - crops[:, 0] >= 1)
        if suitable.any():
            candidates.append(crops[suitable.argmax()])
    start, end = candidates[random.integers(len(candidates))]
    return cut_clip(clip, int(start), int(end), config.crop_rule) or clip


def cut_clip(clip: Clip, start: int, end: int, rule: Literal["centre", "half"]) -> Clip | None:
    """Cut the snippets from `start` to `end`, with the actions that `rule` keeps; None when it keeps none."""
    inside = np.clip(clip.segments, start, end)
    if rule == "centre":
        centre = clip.segments.mean(1)
        stays = (centre >= start) & (centre < end)
    else:
        stays = (inside[:, 1] - inside[:, 0]) >= 0.5 * (clip.segments[:, 1] - clip.segments[:, 0])
    stays &= inside[:, 1] > inside[:, 0]
    if not stays.any():
        return None
    return Clip(clip.values[start:end], inside[stays] - start, clip.labels[stays])


def resize_clip(clip: Clip, length: int, resampling: Resampling) -> Clip:
    """Resize a clip to `length` snippets, and its segments with it."""
    scale = length / len(clip.values)
    return clip._replace(values=resample(clip.values, length, resampling), segments=clip.segments * scale)


def draw_resampling(random: np.random.Generator) -> Resampling:
    """Draw one of the resamplings; numpy's own choice would make it a numpy string."""
    return RESAMPLINGS[random.integers(len(RESAMPLINGS))]
