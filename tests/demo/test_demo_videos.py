from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.demo import videos
from untrimmed.demo.figure import (
    ACTIONS,
    FOREARM,
    HABITS,
    HALF_HIPS,
    JOINTS,
    SHIN,
    THIGH,
    UPPER_ARM,
    Act,
    Limb,
    Pose,
    compute_joints,
    perform,
)
from untrimmed.demo.scene import Scene
from untrimmed.demo.videos import CLASSES, DemoConfig, draw_frames, plan_video, render_videos
from untrimmed.io import BadInput, read_json

SMALL = DemoConfig(videos=3, seconds=(10.0, 12.0), fps=5.0, width=128, height=96, seed=3)

angles = st.floats(-180, 180)
limbs = st.builds(Limb, angles, angles, angles, angles)


@settings(deadline=None)
@given(limbs, limbs, limbs, limbs, angles, angles, angles, st.floats(0, 0.5))
def test_bones_keep_their_length_and_the_lower_foot_its_ground(a, b, c, d, lean, tilt, turn, lift) -> None:
    pose = Pose(a, b, c, d, lean=lean, tilt=tilt, turn=turn, lift=lift)
    at = dict(zip(JOINTS, compute_joints(pose, 1)[0], strict=True))
    bones = {("shoulder", "elbow"): UPPER_ARM, ("elbow", "wrist"): FOREARM, ("hip", "knee"): THIGH}
    for side in ("left", "right"):
        for (upper, lower), length in {**bones, ("knee", "ankle"): SHIN}.items():
            assert np.linalg.norm(at[f"{side} {upper}"] - at[f"{side} {lower}"]) == pytest.approx(length)
    assert np.linalg.norm(at["left hip"] - at["right hip"]) == pytest.approx(2 * HALF_HIPS)
    assert min(at["left ankle"][1], at["right ankle"][1]) == pytest.approx(0.08 + lift)


def test_a_standing_figure_is_upright_with_its_left_on_the_viewers_right() -> None:
    at = dict(zip(JOINTS, compute_joints(Pose(Limb(), Limb(), Limb(), Limb()), 1)[0], strict=True))
    assert at["head"][1] > at["neck"][1] > at["left hip"][1] > at["left knee"][1] > at["left ankle"][1]
    assert at["left wrist"][0] > 0 > at["right wrist"][0]


def test_a_figure_turned_to_the_right_reaches_forward_to_the_right() -> None:
    reaching = Limb(0, 90, 0, 90)
    at = dict(zip(JOINTS, compute_joints(Pose(reaching, reaching, Limb(), Limb(), turn=90.0), 1)[0], strict=True))
    assert at["left wrist"][0] == pytest.approx(UPPER_ARM + FOREARM)


def test_a_figure_turned_to_the_right_leans_forward_to_the_right_and_tilts_to_its_left() -> None:
    pose = Pose(Limb(), Limb(), Limb(), Limb(), lean=30.0)
    assert compute_joints(pose._replace(turn=90.0), 1)[0, 0, 0] > 0.3
    assert compute_joints(pose._replace(lean=0.0, tilt=30.0), 1)[0, 0, 0] > 0.3


@pytest.mark.parametrize("motion", [*ACTIONS, *HABITS])
def test_the_figure_leaves_the_idle_pose_at_the_start_and_is_back_in_it_at_the_end(motion: str) -> None:
    times = np.arange(0, 6, 0.01)
    idle = perform([], times, np.random.default_rng(5))
    moved = perform([Act(motion, 1.005, 4.005, 2)], times, np.random.default_rng(5))
    departure = np.abs(moved - idle).max((1, 2))
    assert (departure[(times <= 1.005) | (times >= 4.005)] == 0).all()
    assert (departure[(times > 1.005) & (times < 4.005)] > 0).all()
    assert departure.max() > 0.05


def test_a_walk_arrives_and_stays() -> None:
    times = np.arange(0, 6, 0.1)
    joints = perform([Act("walk", 1.0, 3.0, 3, place=0.6)], times, np.random.default_rng(0))
    middle = joints[:, 8:10, 0].mean(1)
    assert middle[times > 3.05] == pytest.approx(0.6)
    assert np.ptp(middle[times < 0.95]) == pytest.approx(0)


def test_the_figure_moves_more_in_actions_than_between_them() -> None:
    acting, idle = [], []
    for index in range(8):
        plan = plan_video(DemoConfig(), index)
        times = np.arange(plan.frames) / plan.fps
        joints = perform(plan.acts, times, np.random.default_rng(index))
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=2).mean(1) * plan.fps
        inside = _inside(plan, times[:-1])
        acting.append(speed[inside])
        idle.append(speed[~inside])
    assert np.concatenate(acting).mean() > 1.5 * np.concatenate(idle).mean()
    # Idle is not still.
    assert np.concatenate(idle).min() > 0.001


def test_no_two_neighbouring_frames_jump() -> None:
    for index in range(6):
        plan = plan_video(DemoConfig(), index)
        joints = perform(plan.acts, np.arange(0, plan.frames / plan.fps, 0.01), np.random.default_rng(index))
        assert np.linalg.norm(np.diff(joints, axis=0), axis=2).max() < 0.15


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60))
def test_actions_lie_inside_the_video_apart_from_each_other(seed: int, index: int) -> None:
    timeline = plan_video(DemoConfig(seed=seed), index).timeline
    assert 32 - 0.1 <= timeline.duration <= 44 + 0.1
    assert 5 <= len(timeline.actions) <= 8
    edges = [0.0, *(edge for action in timeline.actions for edge in (action.start, action.end)), timeline.duration]
    assert min(np.diff(edges)[::2]) >= 0.8 - 0.002
    assert all(1.5 - 0.002 <= action.length <= 6 + 0.002 for action in timeline.actions)
    idle = 1 - sum(action.length for action in timeline.actions) / timeline.duration
    assert 0.35 - 0.001 <= idle <= 0.55 + 0.001


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60))
def test_habits_stay_out_of_the_actions(seed: int, index: int) -> None:
    acts = plan_video(DemoConfig(seed=seed), index).acts
    assert all(act.end <= following.start for act, following in pairwise(acts))
    assert acts[-1].end <= plan_video(DemoConfig(seed=seed), index).timeline.duration
    assert all(act.ramp * 2 <= act.end - act.start for act in acts)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_every_class_comes_several_times_in_both_parts(seed: int) -> None:
    config = DemoConfig(seed=seed)
    plans = [plan_video(config, index) for index in range(config.videos)]
    for subset, count in (("training", 16), ("validation", 8)):
        members = [plan for plan in plans if plan.subset == subset]
        assert len(members) == count
        labels = [action.label for plan in members for action in plan.timeline.actions]
        assert all(labels.count(label) >= count for label in CLASSES)


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    first = _film(SMALL, 0)
    assert first.tobytes() == _film(SMALL, 0).tobytes()
    assert first.tobytes() != _film(replace(SMALL, seed=4), 0).tobytes()


def test_no_video_of_one_part_is_like_one_of_the_other() -> None:
    config = DemoConfig()
    acts = [plan_video(config, index).acts for index in range(config.videos)]
    assert len(set(acts)) == config.videos
    first = [next(draw_frames(config, index)).astype(float) for index in range(config.videos)]
    pairs = [(a, b) for a in range(config.videos) for b in range(a) if (a % 3 == 2) != (b % 3 == 2)]
    assert min(np.abs(first[a] - first[b]).mean() for a, b in pairs) > 8


@pytest.mark.parametrize("index", range(8))
def test_the_figure_stays_in_the_picture(index: int) -> None:
    config = DemoConfig(seed=9)
    plan = plan_video(config, index)
    rng = np.random.default_rng([config.seed, index, 1])
    scene = Scene(config.width, config.height, rng)
    times = np.arange(plan.frames) / plan.fps
    joints = perform(plan.acts, times, rng)
    points = np.array([scene.project_joints(float(t), at) for t, at in zip(times, joints, strict=True)])
    assert (points > 3).all()
    assert (points < (config.width - 3, config.height - 3)).all()


def test_frames_show_the_figure_where_its_joints_are() -> None:
    scene = Scene(320, 240, np.random.default_rng(1))
    standing = perform([], np.zeros(1), np.random.default_rng(2))[0]
    shown, gone = (scene.draw_frame(0.0, at).astype(int) for at in (standing, standing + np.array([10.0, 0, 0])))
    changed = np.abs(shown - gone).max(2) > 25
    x, y = scene.project_joints(0.0, standing).mean(0).astype(int)
    assert changed[y - 4 : y + 4, x - 4 : x + 4].mean() > 0.5
    assert changed[:, :40].mean() < 0.01


def test_rendering_writes_the_videos_and_their_truth(tmp_path: Path) -> None:
    counts: list[float] = []
    ground_truth = render_videos(tmp_path, SMALL, lambda task, done, total, detail="": counts.append(done))
    assert (counts[0], counts[-1]) == (0, 3) and counts == sorted(counts)
    database = read_json(tmp_path / "annotations.json")["database"]
    assert list(database) == list(ground_truth) == ["demo_000", "demo_001", "demo_002"]
    assert [entry["subset"] for entry in database.values()] == ["training", "training", "validation"]
    for index, (video, timeline) in enumerate(ground_truth.items()):
        film = _decoded(tmp_path / f"{video}.mp4")
        assert len(film) / SMALL.fps == timeline.duration == database[video]["duration"]
        assert np.abs(film.astype(float) - _film(SMALL, index)).mean() < 12
        written = [(*entry["segment"], entry["label"]) for entry in database[video]["annotations"]]
        assert written == [(action.start, action.end, action.label) for action in timeline.actions]


def test_rendering_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ground_truth = render_videos(tmp_path, SMALL)
    content = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "demo_001.mp4").unlink()
    drawn = _record_drawn(monkeypatch)
    assert render_videos(tmp_path, SMALL) == ground_truth
    assert drawn == [1]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == content


def test_other_settings_render_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_videos(tmp_path, replace(SMALL, videos=4))
    drawn = _record_drawn(monkeypatch)
    render_videos(tmp_path, replace(SMALL, seed=8))
    assert sorted(drawn) == [0, 1, 2]
    assert sorted(file.name for file in tmp_path.glob("*.mp4")) == ["demo_000.mp4", "demo_001.mp4", "demo_002.mp4"]


def test_a_video_that_fails_halfway_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(config: DemoConfig, index: int) -> Iterator[np.ndarray]:
        yield next(draw_frames(config, index))
        raise RuntimeError("the light went out")

    monkeypatch.setattr(videos, "draw_frames", failing)
    with pytest.raises(RuntimeError, match="the light went out"):
        render_videos(tmp_path, SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    "change",
    [
        *({"videos": 2}, {"seconds": (5.0, 8.0)}, {"seconds": (30.0, 20.0)}, {"seconds": (20.0, float("inf"))}),
        *({"fps": 2.0}, {"width": 321}, {"height": 64}, {"width": 240, "height": 320}, {"seed": -1}),
    ],
)
def test_settings_that_make_no_videos_are_refused(change: dict) -> None:
    with pytest.raises(BadInput, match=str(next(iter(change.values()))).replace("(", r"\(").replace(")", r"\)")):
        DemoConfig(**change)


def _inside(plan: videos.VideoPlan, times: np.ndarray) -> np.ndarray:
    return np.any([(times > action.start) & (times < action.end) for action in plan.timeline.actions], 0)


def _film(config: DemoConfig, index: int) -> np.ndarray:
    return np.stack(list(draw_frames(config, index)))


def _decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _record_drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the videos that are drawn from now on."""
    drawn: list[int] = []

    def watched(config: DemoConfig, index: int) -> Iterator[np.ndarray]:
        drawn.append(index)
        return draw_frames(config, index)

    monkeypatch.setattr(videos, "draw_frames", watched)
    return drawn
