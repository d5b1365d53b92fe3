"""What the files of videos say of themselves, and which one a name in annotations means."""

import pytest

from own_folder import video
from untrimmed.io import BadInput
from untrimmed.project.video_files import has_steady_rate, match_annotations


@pytest.mark.parametrize("fps", [10, 25, 29.97, 59.94, 480])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_rate_that_does_not_divide_the_clock_is_steady_all_the_same(tmp_path, fps, ending):
    assert has_steady_rate(video(tmp_path / f"a.{ending}", 3, fps=fps))


def test_names_are_found_however_they_are_spelled():
    assert match_annotations(["a.mp4", "b", "v_c", "D.MP4", "x/e.avi", "none"], ["a", "b", "c", "d", "v_e"]) == {
        "a.mp4": "a",
        "b": "b",
        "v_c": "c",
        "D.MP4": "d",
        "x/e.avi": "v_e",
    }


def test_the_exact_name_goes_before_a_similar_one_and_case_must_not_be_ambiguous():
    assert match_annotations(["v_a", "a"], ["a", "v_a"]) == {"v_a": "v_a", "a": "a"}
    assert match_annotations(["CLIP"], ["clip", "Clip"]) == {}
    with pytest.raises(BadInput, match="both mean video 'a'; rename one"):
        match_annotations(["a", "a.mp4"], ["a"])
