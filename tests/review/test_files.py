"""The files that a user gives, as videos in order, and the annotations that come of them."""

from pathlib import Path

import numpy as np
import pytest

from untrimmed.annotations.datasets.table import activitynet
from untrimmed.annotations.formats.activitynet import read_activitynet, write_activitynet, write_activitynet_results
from untrimmed.io import BadInput
from untrimmed.review.files import ReviewFiles, open_review, read_videos
from untrimmed.timeline import Action, Timeline
from untrimmed.video.writer import write_video


def make_video(path: Path, seconds: int = 10) -> Path:
    write_video(path, (np.full((32, 48, 3), 20 * (i % 12), np.uint8) for i in range(4 * seconds)), 4)
    return path


def make_folder(tmp_path: Path) -> ReviewFiles:
    for name in ("a", "b", "c"):
        make_video(tmp_path / "videos" / f"{name}.mp4")
    detections = (Action(1.0, 3.0, "jump", 0.9), Action(5.0, 6.0, "run", 0.4))
    write_activitynet_results(tmp_path / "r.json", {name: Timeline(10.0, detections) for name in ("a", "b")})
    return ReviewFiles(tmp_path / "r.json", tmp_path / "videos")


def test_annotations_that_a_review_writes_can_be_trained_on_at_once(tmp_path):
    session = open_review(make_folder(tmp_path), tmp_path / "out.json")
    numbers = {video.name: i for i, video in enumerate(session.videos)}
    for name, subset in (("a", "training"), ("b", "validation")):
        session.edit(numbers[name], 0, {"kind": "accept", "ids": [0]})
        session.edit(numbers[name], 1, {"kind": "move", "id": 1, "start": 5.5, "end": 7.125})
        session.edit(numbers[name], 2, {"kind": "done", "done": True, "subset": subset})
    session.close()
    dataset = activitynet(tmp_path / "out.json")
    assert dataset.splits == {"training": ("a",), "validation": ("b",)} and dataset.classes == ("jump", "run")
    assert dataset.ground_truth["a"].actions == (Action(1.0, 3.0, "jump"), Action(5.5, 7.125, "run"))
    assert not dataset.dropped


def test_ground_truth_stays_until_its_video_is_done_and_keeps_its_subset(tmp_path):
    files = make_folder(tmp_path)
    ground_truth = {name: Timeline(10.0, (Action(1.0, 2.0, "old"),)) for name in ("a", "c")}
    write_activitynet(tmp_path / "truth.json", ground_truth, {"a": "validation", "c": "testing"})
    session = open_review(files._replace(ground_truth=tmp_path / "truth.json"), tmp_path / "out.json")
    numbers = {video.name: i for i, video in enumerate(session.videos)}
    assert read_activitynet(tmp_path / "out.json").subsets == {"a": "validation", "c": "testing"}
    session.edit(numbers["a"], 0, {"kind": "reject", "ids": [0]})
    assert read_activitynet(tmp_path / "out.json").timelines["a"].labels == ("old",)
    session.edit(numbers["a"], 1, {"kind": "done", "done": True})
    written = read_activitynet(tmp_path / "out.json")
    assert written.timelines["a"].actions == () and written.subsets == {"a": "validation", "c": "testing"}
    session.close()


def test_annotations_to_review_are_not_trained_on_until_they_are_done(tmp_path):
    files = make_folder(tmp_path)
    write_activitynet(tmp_path / "auto.json", {name: Timeline(10.0, (Action(1, 2, "x"),)) for name in ("a", "b")})
    session = open_review(files._replace(reviewed=tmp_path / "auto.json"), tmp_path / "out.json")
    numbers = {video.name: i for i, video in enumerate(session.videos)}
    session.edit(numbers["b"], 0, {"kind": "done", "done": True})
    assert activitynet(tmp_path / "out.json").splits == {"training": ("b",), "unreviewed": ("a",)}
    session.close()
    # The rest can be reviewed another day, and leaves that subset when it is done.
    session = open_review(files._replace(reviewed=tmp_path / "out.json"), tmp_path / "later.json")
    session.edit([video.name for video in session.videos].index("a"), 0, {"kind": "done", "done": True})
    assert read_activitynet(tmp_path / "later.json").subsets == {"a": "training", "b": "unreviewed"}
    session.close()


def test_a_file_that_is_read_is_never_written(tmp_path):
    files = make_folder(tmp_path)
    with pytest.raises(BadInput, match="cannot be what it writes"):
        open_review(files, tmp_path / "r.json")
    with pytest.raises(BadInput, match="means videos that are not done"):
        open_review(files._replace(subset="unreviewed"), tmp_path / "out.json")


def test_broken_videos_are_skipped(tmp_path):
    files = make_folder(tmp_path)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    assert {video.name for video in read_videos(files)} == {"a", "b", "c"}


def test_videos_of_one_name_in_two_folders_are_two_videos(tmp_path):
    for camera in ("cam1", "cam2"):
        make_video(tmp_path / "videos" / camera / "a.mp4")
    line = Timeline(10.0, (Action(1.0, 3.0, "jump", 0.9),))
    write_activitynet_results(tmp_path / "r.json", {"cam1/a": line})
    videos = {video.name: video for video in read_videos(ReviewFiles(tmp_path / "r.json", tmp_path / "videos"))}
    assert {name: (len(video.items), str(video.file)[-10:]) for name, video in videos.items()} == {
        "cam1/a": (1, "cam1/a.mp4"),
        "cam2/a": (0, "cam2/a.mp4"),
    }


def test_a_video_is_one_under_any_form_of_its_name_and_called_as_annotations_do(tmp_path, caplog):
    caplog.set_level("INFO", "untrimmed")
    files = make_folder(tmp_path)
    write_activitynet(
        tmp_path / "truth.json", {"v_A": Timeline(10.0, (Action(1.0, 2.0, "old"),))}, {"v_A": "testing"}
    )
    videos = {video.name: video for video in read_videos(files._replace(ground_truth=tmp_path / "truth.json"))}
    assert sorted(videos) == ["b", "c", "v_A"] and len(videos["v_A"].items) == 3
    assert videos["v_A"].file == tmp_path / "videos" / "a.mp4" and videos["v_A"].subset == "testing"
    assert "1 video is spelled differently on the two sides, such as 'a' and 'v_A'" in caplog.text


def test_a_review_of_other_videos_than_those_in_the_folder_is_refused(tmp_path):
    files = make_folder(tmp_path)
    write_activitynet_results(tmp_path / "r.json", {"aa": Timeline(10.0, (Action(1.0, 3.0, "jump", 0.9),))})
    with pytest.raises(BadInput, match=r"video 'aa': no such file in .*videos \(is it 'a'\?\)"):
        read_videos(files)


def test_doubtful_videos_come_first_with_the_reason(tmp_path):
    sure, doubtful = (Action(1, 3, "jump", 0.98),), (Action(1, 3, "jump", 0.5), Action(5, 6, "run", 0.4))
    write_activitynet_results(tmp_path / "r.json", {"a": Timeline(10.0, sure), "b": Timeline(10.0, doubtful)})
    for name in "bc":
        make_video(tmp_path / "videos" / f"{name}.mp4")
    videos = read_videos(ReviewFiles(tmp_path / "r.json", tmp_path / "videos"))
    assert [video.name for video in videos] == ["b", "a", "c"]
    assert [video.doubts.reason for video in videos] == [
        "2 detections of middling score",
        "nothing doubtful",
        "nothing doubtful",
    ]
    # A video that no detector saw is there to be annotated, for as long as it is.
    assert videos[2].items == () and videos[2].duration == pytest.approx(10.0, abs=0.01)


def test_what_is_corrected_may_be_a_table_in_any_unit(tmp_path):
    files = make_folder(tmp_path)
    (tmp_path / "t.csv").write_text("video,start,end,label\na.mp4,10,30,jump\nb.mp4,20,36,run\n")
    videos = read_videos(files._replace(reviewed=tmp_path / "t.csv", unit="frames", fps=4.0))
    segments = {v.name: [(item.start, item.end) for item in v.items] for v in videos if v.items}
    assert segments == {"a": [(2.5, 7.5)], "b": [(5.0, 9.0)]}


def test_the_lengths_of_the_videos_count_in_a_review_and_units_are_doubted_by_them(tmp_path):
    make_video(tmp_path / "videos" / "a.mp4")
    files = ReviewFiles(tmp_path / "t.csv", tmp_path / "videos")
    files.reviewed.write_text("video,start,end,label\nV_A.mp4,0.25,0.75,run\nV_A.mp4,1.5,3,run\n")
    (video,) = read_videos(files)
    assert video.duration == pytest.approx(10, abs=0.01) and video.prior is not None
    assert video.prior.timeline.duration == pytest.approx(10, abs=0.01)
    files.reviewed.write_text("video,start,end,label\na,200,800,run\na,900,9500,run\n")
    with pytest.raises(BadInput, match=r"2 of 2 times lie beyond the videos' ends: .* unit='ms'"):
        read_videos(files)
    (video,) = read_videos(files._replace(unit="ms"))
    assert [(item.start, item.end) for item in video.items] == [(0.2, 0.8), (0.9, 9.5)]
