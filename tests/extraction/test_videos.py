"""Videos to feature folders: the numbers, going on after a stop, and failures that are reported rather than lost."""

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from typer.testing import CliRunner

from films import contents, endless_film, film, release, wait_until
from untrimmed.cli import app
from untrimmed.extraction.backbones.efficientnet_lite import embed_pictures, load_efficientnet_lite0
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.extraction.video import extract_video
from untrimmed.extraction.videos import extract
from untrimmed.features.streams import read_features
from untrimmed.io import BadInput
from untrimmed.video.sampling import sample_frames
from untrimmed.video.writer import write_video

CONFIG = ExtractConfig(batch=4)
IMPORTS = (
    "from pathlib import Path; from untrimmed.extraction.settings import ExtractConfig; "
    "from untrimmed.extraction.videos import extract"
)


def test_a_snippet_has_the_features_of_its_frame_and_of_its_motion(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mp4", 2.0)
    features = extract_video(file, CONFIG)
    assert features.values.shape == (10, 1280 + 110)
    assert (features.grid.step, features.grid.start, features.duration) == (0.2, 0.0, 2.0)
    assert features.source.streams == ("rgb", "dis-flow")
    expected = embed_pictures(load_efficientnet_lite0(), [frame.image for frame in sample_frames(file, 5.0, 224)])
    assert np.allclose(features.values[:, :1280], expected, atol=1e-4)
    # Two pixels to the right 25 times a second, in sides of 96 pixels.
    assert np.median(features.values[:, -2]) == pytest.approx(2 * 25 / 96, rel=0.1)


def test_without_flow_the_rest_is_the_same(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mp4")
    without = extract_video(file, replace(CONFIG, flow=False))
    assert without.source.streams == ("rgb",)
    assert np.array_equal(without.values, extract_video(file, CONFIG).values[:, :1280])


def test_settings_that_change_features_change_their_source() -> None:
    changes = [{}, {"flow": False}, {"flow_method": "dis-fast"}, {"fps": 10.0}]
    assert len({build_source(resolve_config(replace(CONFIG, **change), [])) for change in changes}) == 4
    assert build_source(resolve_config(replace(CONFIG, batch=7), [])) == build_source(resolve_config(CONFIG, []))


def test_a_folder_holds_every_video_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    videos = [film(tmp_path / f"{name}.mp4", seed=seed) for seed, name in enumerate("ab")]
    first = extract(videos, tmp_path / "out", CONFIG)
    assert (first.done, first.skipped, first.failed) == (tuple(videos), (), {})
    content = contents(tmp_path / "out")
    second = extract(videos, tmp_path / "out", CONFIG)
    assert (second.done, second.skipped) == ((), tuple(videos))
    assert contents(tmp_path / "out") == content
    folder = read_features(tmp_path / "out")
    assert np.allclose(folder["b"].values, extract_video(videos[1], CONFIG).values, atol=5e-3)
    assert folder["b"].duration == pytest.approx(1.2)


def test_workers_give_the_same_bytes_and_failures_do_not_stop_the_others(tmp_path: Path) -> None:
    videos = [film(tmp_path / "a.mp4"), tmp_path / "broken.mp4", film(tmp_path / "c.mp4", seed=1)]
    videos[1].write_text("not a video")
    alone = extract(videos, tmp_path / "alone", CONFIG)
    together = extract(videos, tmp_path / "together", CONFIG, workers=2)
    assert alone == together
    assert alone.done == (videos[0], videos[2])
    assert list(alone.failed) == [videos[1]] and "cannot be read as a video" in alone.failed[videos[1]]
    assert contents(tmp_path / "alone") == contents(tmp_path / "together")


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes_and_leaves_no_process(tmp_path: Path) -> None:
    videos = [film(tmp_path / "a.mp4"), *(endless_film(tmp_path / f"{name}.mp4") for name in "bc")]
    program = (
        f"{IMPORTS}\n"
        f"if __name__ == '__main__': extract([Path(p) for p in {list(map(str, videos))!r}], "
        f"Path({str(tmp_path / 'out')!r}), ExtractConfig(batch=4), workers=2)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(program)
    run = subprocess.Popen([sys.executable, script], start_new_session=True)
    try:
        wait_until((tmp_path / "out" / "manifest.json").exists)
    finally:
        run.kill()
        run.wait()
    for file in videos[1:]:
        release(file)
    wait_until(lambda: not _members(run.pid))
    assert list(read_features(tmp_path / "out")) == ["a"]
    for seed, file in enumerate(videos[1:], 1):
        film(file, 1.2, seed)
    again = extract(videos, tmp_path / "out", CONFIG)
    assert again.skipped == (videos[0],) and again.done == tuple(videos[1:])
    extract(videos, tmp_path / "fresh", CONFIG)
    fresh, resumed = contents(tmp_path / "fresh"), contents(tmp_path / "out")
    assert {name: resumed[name] for name in fresh} == fresh


@pytest.mark.slow
def test_ten_videos_of_which_some_were_done_when_it_was_killed_come_out_as_without(tmp_path: Path) -> None:
    for number in range(10):
        film(tmp_path / "videos" / f"{number}.mp4", 0.8, number)
    command = [sys.executable, "-m", "untrimmed.cli", "extract", str(tmp_path / "videos"), "--quiet", "--out"]
    run = subprocess.Popen([*command, str(tmp_path / "out")])
    wait_until(lambda: len(list(tmp_path.glob("out/*.npy"))) >= 3)
    run.kill()
    run.wait()
    done = {name: content for name, content in contents(tmp_path / "out").items() if name.endswith(".npy")}
    assert subprocess.run([*command, str(tmp_path / "out")], check=True, capture_output=True).returncode == 0
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    resumed = contents(tmp_path / "out")
    assert resumed == contents(tmp_path / "whole") and done.items() <= resumed.items()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_own_video_alone(tmp_path: Path) -> None:
    videos = [endless_film(tmp_path / "endless.mp4"), *(film(tmp_path / f"{name}.mp4") for name in "ab")]

    def kill_the_busy_worker() -> None:
        wait_until((tmp_path / "out" / "b.npy").exists)
        for child in multiprocessing.active_children():
            child.kill()

    killer = Thread(target=kill_the_busy_worker)
    killer.start()
    extracted = extract(videos, tmp_path / "out", CONFIG, workers=2)
    killer.join()
    assert extracted.done == tuple(videos[1:])
    assert list(extracted.failed) == videos[:1] and "its worker was killed" in extracted.failed[videos[0]]


@pytest.mark.slow
def test_ctrl_c_ends_workers_and_all(tmp_path: Path) -> None:
    videos = [endless_film(tmp_path / f"{name}.mp4") for name in "ab"]
    script = tmp_path / "run.py"
    script.write_text(
        f"{IMPORTS}\n"
        f"if __name__ == '__main__': print('up', flush=True); extract([Path(p) for p in {list(map(str, videos))!r}], "
        f"Path({str(tmp_path / 'out')!r}), ExtractConfig(), workers=2)\n"
    )
    # What runs in the background of a shell is born deaf to this signal, and so would its children be.
    run = subprocess.Popen(
        [sys.executable, script], start_new_session=True, stderr=subprocess.PIPE, preexec_fn=_hear_interruptions
    )
    wait_until(lambda: len(_members(run.pid)) >= 4)  # itself, Python's keeper of resources and two workers
    os.kill(run.pid, signal.SIGINT)
    try:
        # The limit only ends a test that hangs.
        _, complaints = run.communicate(timeout=600)
        wait_until(lambda: not _members(run.pid))
    finally:
        for process in _members(run.pid):
            os.kill(process, signal.SIGKILL)
    assert b"KeyboardInterrupt" in complaints
    assert not list(tmp_path.glob("out/*"))


def test_features_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    extract([film(tmp_path / "a.mp4")], tmp_path / "out", CONFIG)
    with pytest.raises(BadInput, match="choose another folder"):
        extract([film(tmp_path / "b.mp4")], tmp_path / "out", replace(CONFIG, fps=4.0))


def test_a_file_that_ends_early_is_a_failure_unless_that_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    write_video(file, np.random.default_rng(0).integers(0, 255, (120, 64, 64, 3), np.uint8), 20)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    failed = extract([file], tmp_path / "out", CONFIG).failed
    assert "of its 6.0 seconds can be decoded" in failed[file]
    extract([file], tmp_path / "out", replace(CONFIG, allow_truncated=True))
    features = read_features(tmp_path / "out")["a"]
    assert 2.0 < features.duration < 4.0
    assert len(features) == pytest.approx(features.duration * 5, abs=1)


def test_videos_of_one_name_in_two_folders_are_two_features(tmp_path: Path) -> None:
    videos = [film(tmp_path / "films/cam1/a.mp4"), film(tmp_path / "films/cam2/a.mp4", 0.8)]
    film(tmp_path / "films/b.mp4")
    (tmp_path / "films/c.braw").touch()
    (tmp_path / "films/._b.mp4").touch()
    extracted = extract(tmp_path / "films", tmp_path / "out", CONFIG)
    assert len(extracted.done) == 3 and not extracted.failed and "1 file, such as" in extracted.notes[0]
    features = read_features(tmp_path / "out")
    assert sorted(features) == ["b", "cam1/a", "cam2/a"]
    assert features["cam1/a"].duration > features["cam2/a"].duration
    assert extract(tmp_path / "films", tmp_path / "out", CONFIG).skipped[1:] == tuple(videos)


def test_settings_without_sense_are_refused() -> None:
    for fps in (0.0, float("inf"), float("nan")):
        with pytest.raises(BadInput, match=r"extract\.fps="):
            ExtractConfig(fps=fps)
    with pytest.raises(BadInput, match=r"extract\.batch=0"):
        ExtractConfig(batch=0)
    with pytest.raises(BadInput, match="workers=0"):
        extract([], Path("out"), CONFIG, workers=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_the_seconds_of_all_videos_also_of_those_that_fail(tmp_path: Path, workers: int) -> None:
    videos = [film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4", 0.8), tmp_path / "broken.mp4"]
    videos[2].write_text("not a video")
    calls: list[tuple[str, float, float | None, str]] = []
    extract(videos, tmp_path / "out", CONFIG, workers=workers, progress=lambda *call: calls.append(call))
    assert all(call == ("extracting", call[1], pytest.approx(2.0), "") for call in calls)
    done = [seconds for _, seconds, _, _ in calls]
    assert done == sorted(done) and len(done) > 3 and done[-1] == pytest.approx(2.0)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    extract(film(tmp_path / "a.mp4"), tmp_path / "out", CONFIG)
    assert capfd.readouterr() == ("", "")


def test_the_command_shows_how_far_it_is_unless_quiet(tmp_path: Path) -> None:
    command = ["extract", str(film(tmp_path / "a.mp4")), "--out"]
    loud = CliRunner().invoke(app, [*command, str(tmp_path / "loud")])
    quiet = CliRunner().invoke(app, [*command, str(tmp_path / "quiet"), "--quiet"])
    assert "100%" in loud.stderr and quiet.stderr == ""
    assert loud.stdout.startswith("1 extracted, 0 there already, 0 failed") and "100%" not in loud.stdout


def test_a_folder_a_path_and_a_list_of_names_are_taken(tmp_path: Path) -> None:
    videos = [film(tmp_path / "films" / f"{name}.mp4") for name in "ab"]
    assert extract(str(tmp_path / "films"), str(tmp_path / "out"), CONFIG).done == tuple(videos)
    assert extract(videos[0], tmp_path / "out", CONFIG).skipped == (videos[0],)
    assert extract([str(videos[1])], tmp_path / "out", CONFIG).skipped == (videos[1],)


@pytest.mark.data
@pytest.mark.slow
def test_a_real_video_is_extracted_to_its_end(data: Path) -> None:
    features = extract_video(data / "videos/asl_untrimmed.mp4", ExtractConfig())
    assert features.values.shape == (221, 1390) and np.isfinite(features.values).all()
    assert features.duration == pytest.approx(44.1, abs=0.01)


def _hear_interruptions() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _members(group: int) -> list[int]:
    """The processes of a group that still run."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            members.append(int(stat.parent.name))
    return members
