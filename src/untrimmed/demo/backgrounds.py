"""Backgrounds for the demo's videos: a park, a beach, a room and a street, no two alike."""

from itertools import product

import cv2
import numpy as np

from untrimmed.demo.paint import Colour, Disc, Picture, disc, fill, shade


def _draw_park(width: int, height: int, rng: np.random.Generator) -> Picture:
    horizon = int(height * rng.uniform(0.58, 0.66))
    picture = _draw_gradient(width, height, (150, 196, 230), (244, 238, 220), horizon)
    for _ in range(5):
        x, y = rng.uniform(0, width), rng.uniform(0.08, 0.3) * height
        cloud = [Disc(x + step * 9, y + rng.uniform(-2, 2), rng.uniform(5, 9)) for step in range(4)]
        fill(picture, cloud, (250, 248, 244))
    for green, rise in (((168, 196, 186), 42), ((134, 176, 142), 20)):
        _draw_hills(picture, horizon, rise * height / 240, green, rng)
    for x in np.arange(rng.uniform(0, 40), width, rng.uniform(45, 80)):
        trunk, foot, size = x + rng.uniform(-15, 15), horizon + 4, height * rng.uniform(0.2, 0.36)
        fill(picture, [Disc(trunk, foot, 0.05 * size), Disc(trunk, foot - 0.6 * size, 0.03 * size)], (112, 86, 66))
        green = ((96, 142, 92), (120, 160, 88), (82, 130, 104), (176, 158, 84))[rng.integers(4)]
        for _ in range(7):
            crown = rng.normal((trunk, foot - 0.7 * size), 0.13 * size)
            fill(picture, [disc(crown, 0.19 * size)], shade(green, rng.uniform(0.9, 1.1)))
    _draw_ground(picture, horizon, (150, 186, 104), (112, 156, 82))
    return _add_texture(picture, horizon, rng, 9)


def _draw_beach(width: int, height: int, rng: np.random.Generator) -> Picture:
    horizon = int(height * rng.uniform(0.42, 0.5))
    shore = int(height * rng.uniform(0.62, 0.68))
    warm = rng.random() < 0.5
    sky = ((246, 178, 138), (254, 232, 196)) if warm else ((132, 190, 232), (226, 240, 244))
    picture = _draw_gradient(width, height, *sky, horizon)
    sun = Disc(rng.uniform(0.2, 0.8) * width, horizon - height * rng.uniform(0.1, 0.3), height * 0.05)
    fill(picture, [sun], (255, 246, 214))
    _draw_hills(picture, horizon, 14 * height / 240, (150, 156, 178), rng)
    _draw_ground(picture, horizon, (92, 158, 186), (134, 204, 206))
    for _ in range(40):
        x, y = rng.uniform(0, width), rng.uniform(horizon + 3, shore)
        fill(picture, [Disc(x, y, 0.6), Disc(x + rng.uniform(6, 22), y, 0.6)], (206, 232, 232))
    _draw_ground(picture, shore, (244, 222, 176), (222, 192, 142))
    return _add_texture(picture, shore, rng, 8)


def _draw_room(width: int, height: int, rng: np.random.Generator) -> Picture:
    floor = int(height * rng.uniform(0.66, 0.72))
    walls = ((224, 206, 184), (190, 208, 206), (204, 196, 216), (226, 200, 192), (202, 212, 184))
    wall = walls[rng.integers(len(walls))]
    picture = _draw_gradient(width, height, shade(wall, 1.06), shade(wall, 0.94), floor)
    stripe = int(rng.integers(14, 30))
    for x in range(0, width, 2 * stripe):
        picture[:floor, x : x + stripe] = (picture[:floor, x : x + stripe] * 0.965).astype(np.uint8)
    for x in np.arange(rng.uniform(10, 50), width, rng.uniform(70, 110)):
        left, top, size = int(x), int(height * rng.uniform(0.12, 0.24)), height * rng.uniform(0.16, 0.26)
        right, bottom = int(x + size * rng.uniform(0.7, 1.3)), top + int(size)
        canvas, spot = (tuple(map(int, colour)) for colour in rng.integers(110, 220, (2, 3)))
        cv2.rectangle(picture, (left, top), (right, bottom), (122, 92, 70), -1)
        cv2.rectangle(picture, (left + 3, top + 3), (right - 3, bottom - 3), canvas, -1)
        middle = ((left + right) // 2, (top + bottom) // 2)
        cv2.circle(picture, middle, int(size) // 4, spot, -1, cv2.LINE_AA)
    _draw_ground(picture, floor, (196, 152, 108), (164, 118, 80))
    for x in range(-width, 2 * width, 26):
        cv2.line(picture, (x, floor), (int(x + (x - width / 2) * 0.9), height), (150, 108, 72), 1, cv2.LINE_AA)
    picture[floor - 7 : floor] = (244, 240, 232)
    return _add_texture(picture, floor, rng, 6)


def _draw_street(width: int, height: int, rng: np.random.Generator) -> Picture:
    kerb = int(height * rng.uniform(0.64, 0.7))
    picture = _draw_gradient(width, height, (176, 200, 222), (236, 232, 226), kerb)
    fronts = ((206, 146, 118), (222, 192, 150), (160, 170, 182), (186, 132, 128), (196, 186, 170), (142, 164, 158))
    x = -int(rng.integers(0, 40))
    while x < width:
        right, top = x + int(rng.integers(50, 95)), int(height * rng.uniform(0.04, 0.3))
        front = fronts[rng.integers(len(fronts))]
        cv2.rectangle(picture, (x, top), (right, kerb), front, -1)
        cv2.rectangle(picture, (x, top), (right, top + 4), shade(front, 0.8), -1)
        for left, sill in product(range(x + 8, right - 12, 20), range(top + 14, kerb - 20, 26)):
            cv2.rectangle(picture, (left, sill), (left + 10, sill + 14), (104, 124, 142), -1)
            cv2.rectangle(picture, (left, sill), (left + 10, sill + 3), (150, 170, 186), -1)
        x = right
    _draw_ground(picture, kerb, (186, 182, 178), (150, 148, 148))
    for x in range(-width, 2 * width, 40):
        cv2.line(picture, (x, kerb), (int(x + (x - width / 2) * 0.8), height), (138, 136, 136), 1, cv2.LINE_AA)
    return _add_texture(picture, kerb, rng, 8)


BACKGROUNDS = (_draw_park, _draw_beach, _draw_room, _draw_street)


def _draw_gradient(width: int, height: int, top: Colour, bottom: Colour, horizon: int) -> Picture:
    share = np.clip(np.arange(height) / horizon, 0, 1)[:, None, None]
    column = np.array(top) * (1 - share) + np.array(bottom) * share
    return np.clip(np.repeat(column, width, 1), 0, 255).astype(np.uint8)


def _draw_ground(picture: Picture, horizon: int, far: Colour, near: Colour) -> None:
    height, width = picture.shape[0] - horizon, picture.shape[1]
    picture[horizon:] = _draw_gradient(width, height, far, near, height)


def _draw_hills(picture: Picture, horizon: int, rise: float, colour: Colour, rng: np.random.Generator) -> None:
    x = np.arange(picture.shape[1])
    waves = sum((np.sin(x * rng.uniform(0.008, 0.03) + rng.uniform(0, 6)) for _ in range(3)), np.zeros(len(x)))
    top = horizon - rise * (0.6 + 0.25 * waves)
    outline = np.concatenate([np.stack([x, top], 1), [[x[-1], horizon], [0, horizon]]])
    cv2.fillPoly(picture, [np.round(outline).astype(np.int32)], colour, cv2.LINE_AA)


def _add_texture(picture: Picture, ground: int, rng: np.random.Generator, strength: float) -> Picture:
    height, width = picture.shape[:2]
    texture = np.zeros((height, width), np.float32)
    for cells in (6, 18, 54):
        small = rng.normal(0, 1, (cells, cells * width // height)).astype(np.float32)
        texture += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    # Ground is seen at a grazing angle: its texture is drawn out sideways.
    flat = rng.normal(0, 1, ((height - ground), width // 8)).astype(np.float32)
    texture[ground:] += cv2.resize(flat, (width, height - ground), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + strength * 0.6 * texture[..., None], 0, 255).astype(np.uint8)
