"""The brush of the demo: hulls of discs, anti-aliased, from which people and places are made."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

Colour = tuple[int, int, int]
Picture = UInt8[np.ndarray, "height width 3"]

BITS = 4  # fractional bits of the coordinates that cv2 draws at
_CORNERS = np.linspace(0, 2 * np.pi, 18)
CIRCLE = np.stack([np.cos(_CORNERS), np.sin(_CORNERS)], 1)


class Disc(NamedTuple):
    """A disc in a picture, in pixels: the hull of a few of them is a limb."""

    x: float
    y: float
    radius: float


def disc(centre: np.ndarray, radius: float) -> Disc:
    """Return a disc about a point `(x, y)`."""
    return Disc(centre[0], centre[1], radius)


def fill(picture: Picture, discs: Sequence[Disc], colour: Colour) -> None:
    """Paint the hull of some discs, at a fraction of a pixel, onto a picture."""
    places = np.array(discs)
    rims = places[:, None, :2] + places[:, None, 2:] * CIRCLE
    hull = cv2.convexHull((rims.reshape(-1, 2) * 2**BITS).astype(np.int32))
    cv2.fillConvexPoly(picture, hull, colour, cv2.LINE_AA, BITS)


def paint_solid(picture: Picture, discs: Sequence[Disc], colour: Colour) -> None:
    """Paint a hull that is lit from the upper left: a dark rim, and the colour on it."""
    fill(picture, discs, shade(colour, 0.74))
    lit = [Disc(x - 0.16 * radius, y - 0.16 * radius, 0.8 * radius) for x, y, radius in discs]
    fill(picture, lit, colour)


def paint_limb(picture: Picture, a: np.ndarray, b: np.ndarray, radii: tuple[float, float], colour: Colour) -> None:
    """Paint a solid limb from point `a` to point `b`, as thick at them as `radii` say."""
    paint_solid(picture, [disc(a, radii[0]), disc(b, radii[1])], colour)


def shade(colour: Colour, factor: float) -> Colour:
    """Return a darker colour, or a lighter one for a factor above 1."""
    red, green, blue = (int(min(channel * factor, 255)) for channel in colour)
    return red, green, blue
