"""An articulated human figure: what its joints do while it stands about, and while it acts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

JOINTS = (
    *("head", "neck", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist"),
    *("left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle"),
)

# Metres, of a person of 1.75 m.
THIGH, SHIN, SPINE, UPPER_ARM, FOREARM, HEAD = 0.43, 0.42, 0.52, 0.29, 0.27, 0.21
HALF_SHOULDERS, HALF_HIPS, SHOULDER_DROP, ANKLE_HEIGHT = 0.19, 0.1, 0.05, 0.08

Curve = np.ndarray | float
Nested = TypeVar("Nested")


class Limb(NamedTuple):
    """Where the two bones of an arm or leg point, in degrees over time.

    A bone hangs straight down at 0; `out` raises it sideways, away from the body, and `forward` to the front.
    """

    out: Curve = 0.0
    forward: Curve = 0.0
    lower_out: Curve = 0.0
    lower_forward: Curve = 0.0


class Pose(NamedTuple):
    """All joint angles, in degrees over time, and `lift`: metres between the lower foot and the ground.

    Left and right are the figure's own. It faces the viewer at `turn` 0 and the right of the picture at 90.
    """

    left_arm: Limb
    right_arm: Limb
    left_leg: Limb
    right_leg: Limb
    lean: Curve = 0.0
    tilt: Curve = 0.0
    twist: Curve = 0.0
    nod: Curve = 0.0
    turn: Curve = 0.0
    lift: Curve = 0.0


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the figure does from `start` to `end` seconds: outside of them, it stands.

    `motion` names an entry of ACTIONS or HABITS, gone through `cycles` times; `strength` scales its swing, `ramp`
    is the seconds in which it takes over, `place` the metres right of the middle where a walk ends.
    """

    motion: str
    start: float
    end: float
    cycles: int = 1
    strength: float = 1.0
    ramp: float = 0.3
    mirrored: bool = False
    place: float = 0.0


def perform(
    acts: Sequence[Act], times: Float[np.ndarray, " time"], rng: np.random.Generator
) -> Float[np.ndarray, "time 14 3"]:
    """Compute the joints at some times, in metres: right, up from the ground, and toward the viewer.

    Outside of the acts the figure stands at ease: it breathes, sways and shifts its weight.
    """
    view = rng.choice([-1, 1]) * rng.uniform(20, 55)
    pose = _at_ease(times, rng)._replace(turn=view + _drift(times, rng, 6))
    place = np.full(len(times), rng.uniform(-0.5, 0.5))
    for act in acts:
        weight = _smooth(np.clip(np.minimum(times - act.start, act.end - times) / act.ramp, 0, 1))
        share = np.clip((times - act.start) / (act.end - act.start), 0, 1)
        here = place[max(np.searchsorted(times, act.start) - 1, 0)]
        if act.motion == "walk":
            place = place + _smooth(share) * (act.place - here)
            turn = np.full(len(times), 80.0 if act.place > here else -80.0)
            target = _walk(share * act.cycles, act.strength)._replace(turn=turn)
        else:
            target = {**ACTIONS, **HABITS}[act.motion](share * act.cycles, act.strength)
            target = _mirror(target) if act.mirrored else target
            target = target._replace(turn=pose.turn + target.turn)
        pose = _blend(pose, target, weight)
    joints = compute_joints(pose, len(times))
    joints[..., 0] += place[:, None]
    return joints


def compute_joints(pose: Pose, count: int) -> Float[np.ndarray, "time 14 3"]:
    """Compute the 14 joints in the order of JOINTS, in metres from the spot where the figure stands."""
    spine = _bone(1, pose.tilt, pose.lean, -SPINE, count)
    across = np.radians(np.broadcast_to(pose.twist, count))
    roll = np.radians(np.broadcast_to(pose.tilt, count))
    shoulders = np.stack([np.cos(across) * np.cos(roll), -np.sin(roll), -np.sin(across)], 1) * HALF_SHOULDERS
    hips = np.tile([HALF_HIPS, 0, 0], (count, 1))
    collar = spine * (1 - SHOULDER_DROP / SPINE)
    head = spine + _bone(1, pose.tilt, np.add(pose.lean, pose.nod), -HEAD, count)
    left_arm = _limb(pose.left_arm, 1, collar + shoulders, (UPPER_ARM, FOREARM))
    right_arm = _limb(pose.right_arm, -1, collar - shoulders, (UPPER_ARM, FOREARM))
    left_leg = _limb(pose.left_leg, 1, hips, (THIGH, SHIN))
    right_leg = _limb(pose.right_leg, -1, -hips, (THIGH, SHIN))
    arms = [joint for pair in zip(left_arm, right_arm, strict=True) for joint in pair]
    legs = [joint for pair in zip(left_leg, right_leg, strict=True) for joint in pair]
    joints = np.stack([head, spine, *arms, *legs], 1)
    # The lower foot stands on the ground, whatever the legs do.
    joints[..., 1] += (pose.lift + ANKLE_HEIGHT - joints[:, -2:, 1].min(1))[:, None]
    turn = np.radians(np.broadcast_to(pose.turn, count))[:, None]
    x, y, z = np.moveaxis(joints, 2, 0)
    return np.stack([x * np.cos(turn) + z * np.sin(turn), y, z * np.cos(turn) - x * np.sin(turn)], 2)


def _limb(limb: Limb, side: int, root: np.ndarray, lengths: tuple[float, float]) -> tuple[np.ndarray, ...]:
    middle = root + _bone(side, limb.out, limb.forward, lengths[0], len(root))
    return root, middle, middle + _bone(side, limb.lower_out, limb.lower_forward, lengths[1], len(root))


def _bone(side: int, out: Curve, forward: Curve, length: float, count: int) -> np.ndarray:
    out, forward = (np.radians(np.broadcast_to(angle, count)) for angle in (out, forward))
    along = np.stack([side * np.sin(out), -np.cos(out) * np.cos(forward), np.cos(out) * np.sin(forward)], 1)
    # An upward bone (the spine) has a negative length, and still leans forward.
    return along * (length if length > 0 else np.array([-length, length, -length]))


# What people do. Every motion maps a phase (cycles since its start) and a strength to a pose.


def _wave(phase: np.ndarray, strength: float) -> Pose:
    swing = _swing(phase) * strength
    return _standing(left_arm=Limb(112 + 8 * swing, 12, 158 + 34 * swing, 5), tilt=-5 + 2 * swing, nod=-4)


def _squat(phase: np.ndarray, strength: float) -> Pose:
    depth = _pulse(phase) * min(strength, 1.05)
    arm = Limb(6, 35 + 50 * depth, 4, 42 + 48 * depth)
    leg = Limb(8 + 12 * depth, 92 * depth, 6 + 3 * depth, -42 * depth)
    return Pose(arm, arm, leg, leg, lean=6 + 34 * depth, nod=-12 * depth)


def _jumping_jack(phase: np.ndarray, strength: float) -> Pose:
    spread = _pulse(phase) * strength
    hop = 0.11 * np.abs(_swing(phase)) * strength
    arm = Limb(22 + 128 * spread, 0, 16 + 150 * spread, 0)
    leg = Limb(3 + 25 * spread, 6, 3 + 25 * spread, -6)
    return Pose(arm, arm, leg, leg, lift=hop)


def _kick(phase: np.ndarray, strength: float) -> Pose:
    turn = phase % 1
    raised = _bump(turn, 0.1, 0.38, 0.6, 0.92) * strength
    extended = _bump(turn, 0.3, 0.45, 0.52, 0.72)
    leg = Limb(5 + 14 * raised, 84 * raised, 5 + 14 * raised * extended, raised * (-52 + 132 * extended))
    front, back = Limb(44, -14 * raised, 34, 50), Limb(32, 14 - 20 * raised, 14, 92 - 24 * raised)
    return Pose(front, back, leg, Limb(4, 6, 4, -8), lean=4 - 20 * raised, twist=-14 * raised)


def _box(phase: np.ndarray, strength: float) -> Pose:
    left, right = (_bump((phase + late) % 1, 0.05, 0.25, 0.35, 0.6) for late in (0, 0.5))
    bob = _pulse(2 * phase)
    left_arm, right_arm = (
        Limb(20 - 12 * jab, 26 + 64 * jab * strength, 4 - 2 * jab, 138 - 46 * jab) for jab in (left, right)
    )
    twist = 28 * (left - right) * strength
    front, back = Limb(9, 24 + 5 * bob, 7, -8 - 5 * bob), Limb(9, -10 + 5 * bob, 7, -30 - 5 * bob)
    return Pose(left_arm, right_arm, front, back, lean=9, twist=-twist, nod=3)


def _stoop(phase: np.ndarray, strength: float) -> Pose:
    low = (0.8 + 0.2 * _swing(phase)) * strength
    arm, leg = Limb(6, 18 * low, 4, 24 * low), Limb(5, 26 * low, 4, -24 * low)
    return Pose(arm, arm, leg, leg, lean=42 * low, nod=12)


def _walk(phase: np.ndarray, strength: float) -> Pose:
    swing = _swing(phase) * strength
    bend = np.clip(np.cos(2 * np.pi * phase), 0, None), np.clip(-np.cos(2 * np.pi * phase), 0, None)
    left_leg = Limb(2, 3 + 24 * swing, 2, 24 * swing - 6 - 42 * bend[0])
    right_leg = Limb(2, 3 - 24 * swing, 2, -24 * swing - 6 - 42 * bend[1])
    left_arm, right_arm = Limb(7, -20 * swing, 5, 8 - 24 * swing), Limb(7, 20 * swing, 5, 8 + 24 * swing)
    return Pose(left_arm, right_arm, left_leg, right_leg, lean=4, twist=7 * swing)


Motion = Callable[[np.ndarray, float], Pose]

ACTIONS: Mapping[str, Motion] = {
    "box": _box,
    "jumping jack": _jumping_jack,
    "kick": _kick,
    "squat": _squat,
    "wave": _wave,
}
"""What is annotated."""

HABITS: Mapping[str, Motion] = {
    "scratch": lambda phase, strength: _standing(
        left_arm=Limb(72 * strength, 30, 196 + 7 * _swing(4 * phase), 8), tilt=4, nod=10
    ),
    "check watch": lambda phase, strength: _standing(
        left_arm=Limb(16, 38 * strength, -34, 96 + 4 * _swing(phase)), nod=20
    ),
    "shrug": lambda phase, strength: _standing(
        Limb(34 * strength, 12, 62 * strength + 5 * _swing(phase), 40), nod=-5
    ),
    "stoop": _stoop,
    "shake leg": lambda phase, strength: _standing(
        left_leg=Limb(10, 30 * strength, 8, -14 + 9 * _swing(2 * phase)), tilt=5
    ),
    "stretch": lambda phase, strength: _standing(
        Limb(64 * strength, 10, 150 + 8 * _swing(phase), 10), lean=-8, tilt=8 * _swing(phase), nod=-10
    ),
    "look": lambda phase, strength: _standing(turn=60 * strength, nod=4 * _swing(phase), twist=12 * strength),
}
"""What happens in between, some of it a little like an action; `walk` is known to `perform` alone."""


def _at_ease(times: np.ndarray, rng: np.random.Generator) -> Pose:
    breath, shift = np.sin(2 * np.pi * times * rng.uniform(0.22, 0.35)), _drift(times, rng, 3)
    arms = [
        Limb(9 + 1.5 * breath + _drift(times, rng, 2), _drift(times, rng, 5), 5 + breath, 10 + _drift(times, rng, 7))
        for _ in range(2)
    ]
    legs = [Limb(4 + side * shift / 2, 3, 4 + side * shift / 2, -4) for side in (1, -1)]
    lean, nod = 1 + breath + _drift(times, rng, 2), _drift(times, rng, 6)
    return Pose(*arms, *legs, lean=lean, tilt=shift, twist=_drift(times, rng, 6), nod=nod)


def _standing(arm: Limb = Limb(9, 0, 5, 10), **changes: Curve | Limb) -> Pose:
    leg = Limb(4, 3, 4, -4)
    return Pose(arm, arm, leg, leg)._replace(**changes)


def _mirror(pose: Pose) -> Pose:
    swapped = Pose(pose.right_arm, pose.left_arm, pose.right_leg, pose.left_leg, *pose[4:])
    return swapped._replace(tilt=np.negative(pose.tilt), twist=np.negative(pose.twist), turn=np.negative(pose.turn))


def _blend(first: Nested, second: Nested, weight: np.ndarray) -> Nested:
    if isinstance(first, tuple) and isinstance(second, tuple):
        return type(first)(*(_blend(a, b, weight) for a, b in zip(first, second, strict=True)))
    return first * (1 - weight) + second * weight  # type: ignore[operator]


def _smooth(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)


def _swing(phase: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * phase)


def _pulse(phase: np.ndarray) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * phase)


def _bump(x: np.ndarray, rise: float, top: float, fall: float, end: float) -> np.ndarray:
    return _smooth(np.clip((x - rise) / (top - rise), 0, 1)) * _smooth(np.clip((end - x) / (end - fall), 0, 1))


def _drift(times: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """A slow wandering about 0 that mostly stays within `size`."""
    waves = [np.sin(2 * np.pi * (times * rng.uniform(0.05, 0.3) + rng.random())) for _ in range(3)]
    return size * sum(waves, np.zeros(len(times))) / 2
