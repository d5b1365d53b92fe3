"""Draws the figure in a place: a textured background that pans slowly, changing light, and a sensor's noise."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from untrimmed.demo.backgrounds import BACKGROUNDS
from untrimmed.demo.figure import JOINTS
from untrimmed.demo.paint import Colour, Picture, disc, fill, paint_limb, paint_solid, shade

MARGIN = 48  # pixels of background beyond either side of the picture
PITCH = 0.16  # how far the ground comes down the picture toward the viewer, of what it comes forward

SKINS: tuple[Colour, ...] = ((255, 219, 190), (241, 194, 150), (224, 172, 120), (172, 118, 78), (122, 80, 54))
HAIRS: tuple[Colour, ...] = ((44, 36, 34), (92, 60, 38), (152, 100, 52), (214, 176, 110), (120, 120, 126))
SHIRTS: tuple[Colour, ...] = (
    *((226, 88, 74), (56, 118, 190), (244, 190, 66), (64, 154, 116), (142, 90, 168), (240, 240, 236)),
    *((238, 132, 70), (54, 62, 84), (226, 118, 152), (84, 176, 190)),
)
TROUSERS: tuple[Colour, ...] = (
    *((58, 74, 112), (52, 54, 60), (146, 120, 88), (96, 104, 78), (112, 66, 60), (180, 178, 170)),
)
SHOES: tuple[Colour, ...] = ((246, 246, 244), (60, 56, 58), (196, 64, 60), (72, 96, 140))


class Clothes(NamedTuple):
    """What a figure wears, and the share of each arm and leg that it covers."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    long_sleeves: bool
    shorts: bool
    long_hair: bool


class Scene:
    """One place with one person in it, of `width` x `height` pixels; everything about it is drawn from `rng`."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.width, self.height = width, height
        self._rng = rng
        self.scale = height * rng.uniform(0.29, 0.355)  # pixels a metre
        self._ground = height * rng.uniform(0.86, 0.9)
        draw_background = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
        panorama = draw_background(width + 2 * MARGIN, height, rng)
        self._panorama = cv2.GaussianBlur(panorama[:, ::-1] if rng.random() < 0.5 else panorama, (0, 0), 0.9)
        skin, hair, shirt, trousers, shoes = (
            palette[rng.integers(len(palette))] for palette in (SKINS, HAIRS, SHIRTS, TROUSERS, SHOES)
        )
        long_sleeves, shorts, long_hair = (bool(rng.random() < chance) for chance in (0.45, 0.3, 0.4))
        self._clothes = Clothes(skin, hair, shirt, trousers, shoes, long_sleeves, shorts, long_hair)
        self._vignette = _draw_vignette(width, height, rng)
        self._pan = _draw_wave(rng, MARGIN * 0.55, 0.015, 0.04)
        self._lift = _draw_wave(rng, 2.5, 0.02, 0.06)
        self._light = _draw_wave(rng, 0.13, 0.02, 0.07)
        grain = rng.normal(0, rng.uniform(0.7, 1.3), (2 * height, 2 * width, 1))
        self._grain = np.repeat(grain, 3, 2).astype(np.float32)

    def draw_frame(self, seconds: float, joints: Float[np.ndarray, "14 3"]) -> Picture:
        """Draw what the camera sees at a time. Frames are to be drawn in order: each takes its noise from `rng`."""
        centre = (self.width / 2 + MARGIN - 0.5 + self._pan(seconds), self.height / 2 - 0.5 + self._lift(seconds))
        picture = cv2.getRectSubPix(self._panorama, (self.width, self.height), centre)
        points = self.project_joints(seconds, joints)
        self._shade_ground(picture, joints, points)
        draw_figure(picture, points, joints[:, 2], self.scale, self._clothes)
        down, right = self._rng.integers(0, self.height), self._rng.integers(0, self.width)
        grain = self._grain[down : down + self.height, right : right + self.width]
        exposed = cv2.multiply(picture, self._vignette, scale=1 + self._light(seconds), dtype=cv2.CV_32F)
        return np.asarray(cv2.add(exposed, grain, dtype=cv2.CV_8U))

    def project_joints(self, seconds: float, joints: Float[np.ndarray, "14 3"]) -> Float[np.ndarray, "14 2"]:
        """Return where joints appear in the picture at a time, in pixels from its upper left."""
        x = self.width / 2 - self._pan(seconds) + self.scale * joints[:, 0]
        y = self._ground - self._lift(seconds) - self.scale * (joints[:, 1] - PITCH * joints[:, 2])
        return np.stack([x, y], 1)

    def _shade_ground(self, picture: Picture, joints: np.ndarray, points: np.ndarray) -> None:
        feet, hips = joints[-2:], joints[8:10]
        middle = points[-2:, 0].mean() * 0.6 + points[8:10, 0].mean() * 0.4 + 0.06 * self.scale
        level = (points[-2:, 1] + self.scale * feet[:, 1]).mean() + 0.02 * self.scale
        height = max(feet[:, 1].min() - 0.08, 0)
        width = self.scale * (0.27 + 0.45 * abs(feet[0, 0] - feet[1, 0]) + height)
        strength = 0.5 * np.exp(-3 * height) * np.clip(1.3 - 0.35 * hips[:, 1].mean(), 0.6, 1.2)
        top, bottom = np.clip((level - 0.2 * self.scale, level + 0.2 * self.scale), 0, self.height).astype(int)
        left, right = np.clip((middle - 1.8 * width, middle + 1.8 * width), 0, self.width).astype(int)
        down = np.exp(-(((np.arange(top, bottom) - level) / (0.085 * self.scale)) ** 2))
        across = np.exp(-1.6 * ((np.arange(left, right) - middle) / width) ** 2)
        shade = 1 - strength * np.outer(down, across)
        shadow = picture[top:bottom, left:right]
        shadow[:] = shadow * shade[..., None]


def draw_figure(
    picture: Picture,
    points: Float[np.ndarray, "14 2"],
    depths: Float[np.ndarray, "14"],
    scale: float,
    clothes: Clothes,
) -> None:
    """Draw a person onto a picture, the far limbs first; `depths` grow toward the viewer."""
    at = dict(zip(JOINTS, points, strict=True))
    deep = dict(zip(JOINTS, depths, strict=True))
    order = sorted(("left", "right"), key=lambda side: deep[f"{side} shoulder"] + deep[f"{side} wrist"])
    legs = sorted(("left", "right"), key=lambda side: deep[f"{side} knee"] + deep[f"{side} ankle"])
    facing = (deep["left hip"] - deep["right hip"]) / 0.2  # sine of the turn, from the hips
    behind = [side for side in order if deep[f"{side} wrist"] + deep[f"{side} elbow"] < 2 * deep["neck"] - 0.1]
    toe = np.array([-facing * 0.13, 0.02 + 0.06 * np.sqrt(max(1 - facing**2, 0))]) * scale
    for side in behind:
        _draw_arm(picture, at, side, scale, clothes)
    if clothes.long_hair:
        tips = at["neck"] + 0.1 * (at["neck"] - at["head"])
        paint_limb(picture, at["head"], tips, (0.115 * scale, 0.1 * scale), shade(clothes.hair, 0.9))
    for side in legs:
        _draw_leg(picture, at, side, scale, clothes, toe)
    _draw_torso(picture, at, scale, clothes)
    _draw_head(picture, at, scale, clothes, -facing)
    for side in order:
        if side not in behind:
            _draw_arm(picture, at, side, scale, clothes)


def _draw_arm(picture: Picture, at: dict[str, np.ndarray], side: str, scale: float, clothes: Clothes) -> None:
    shoulder, elbow, wrist = (at[f"{side} {joint}"] for joint in ("shoulder", "elbow", "wrist"))
    lower = clothes.shirt if clothes.long_sleeves else clothes.skin
    paint_limb(picture, elbow, wrist, (0.045 * scale, 0.034 * scale), lower)
    paint_limb(picture, wrist, wrist + 0.22 * (wrist - elbow), (0.044 * scale, 0.04 * scale), clothes.skin)
    paint_limb(picture, shoulder, elbow, (0.064 * scale, 0.052 * scale), clothes.shirt)


def _draw_leg(
    picture: Picture, at: dict[str, np.ndarray], side: str, scale: float, clothes: Clothes, toe: np.ndarray
) -> None:
    hip, knee, ankle = (at[f"{side} {joint}"] for joint in ("hip", "knee", "ankle"))
    shin = clothes.skin if clothes.shorts else clothes.trousers
    paint_limb(picture, ankle, ankle + toe, (0.055 * scale, 0.048 * scale), clothes.shoes)
    paint_limb(picture, knee, ankle, (0.062 * scale, 0.046 * scale), shin)
    paint_limb(picture, hip, knee, (0.092 * scale, 0.068 * scale), clothes.trousers)


def _draw_torso(picture: Picture, at: dict[str, np.ndarray], scale: float, clothes: Clothes) -> None:
    neck, head = at["neck"], at["head"]
    hips = [disc(at[f"{side} hip"], 0.085 * scale) for side in ("left", "right")]
    shoulders = [disc(at[f"{side} shoulder"], 0.058 * scale) for side in ("left", "right")]
    middle = (at["left hip"] + at["right hip"]) / 2
    waist = middle + 0.2 * (neck - middle)
    paint_limb(picture, neck, neck + 0.5 * (head - neck), (0.05 * scale, 0.048 * scale), shade(clothes.skin, 0.86))
    paint_solid(picture, hips, clothes.trousers)
    chest = neck + 0.22 * (middle - neck)
    paint_solid(picture, [*shoulders, disc(chest, 0.115 * scale), disc(waist, 0.115 * scale)], clothes.shirt)


def _draw_head(picture: Picture, at: dict[str, np.ndarray], scale: float, clothes: Clothes, facing: float) -> None:
    head, neck = at["head"], at["neck"]
    up = (head - neck) / max(float(np.linalg.norm(head - neck)), 1.0)
    front = np.array([facing, 0.0]) * scale
    crown = head + 0.045 * scale * up - 0.03 * front
    paint_solid(picture, [disc(crown, 0.118 * scale)], clothes.hair)
    face = head - 0.012 * scale * up + 0.028 * front
    paint_solid(picture, [disc(face, 0.096 * scale), disc(face - 0.045 * scale * up, 0.075 * scale)], clothes.skin)
    side = np.array([-up[1], up[0]])
    for eye in (-0.035, 0.035):
        spot = face + side * eye * scale * np.sqrt(max(1 - facing**2, 0.1)) + 0.035 * front + 0.01 * scale * up
        fill(picture, [disc(spot, 0.0125 * scale)], (46, 38, 40))


def _draw_wave(rng: np.random.Generator, size: float, slow: float, fast: float) -> Callable[[float], float]:
    """Draw what wanders about 0, by at most `size`, with periods of 1 / `fast` to 1 / `slow` seconds."""
    sizes = size * rng.uniform(0.5, 1, 2) / 2
    rates = rng.uniform(slow, fast, 2) * 2 * np.pi
    phases = rng.uniform(0, 2 * np.pi, 2)
    return lambda seconds: float((sizes * np.sin(rates * seconds + phases)).sum())


def _draw_vignette(width: int, height: int, rng: np.random.Generator) -> Float[np.ndarray, "height width 3"]:
    x = np.linspace(-1, 1, width)[None] - rng.uniform(-0.3, 0.3)
    y = np.linspace(-1, 1, height)[:, None] + 0.15
    mask = 1.06 - rng.uniform(0.06, 0.16) * (x**2 + y**2)
    warmth = rng.uniform(-0.05, 0.05)
    return (mask[..., None] * (1 + warmth, 1, 1 - warmth)).astype(np.float32)
