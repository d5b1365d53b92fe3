"""What the files of videos say of themselves."""

import pytest

from own_folder import video
from untrimmed.project.video_files import has_steady_rate


@pytest.mark.parametrize("fps", [10, 25, 29.97, 59.94, 480])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_rate_that_does_not_divide_the_clock_is_steady_all_the_same(tmp_path, fps, ending):
    assert has_steady_rate(video(tmp_path / f"a.{ending}", 3, fps=fps))
