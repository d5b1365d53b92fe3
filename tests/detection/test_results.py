"""What is written and printed of detections, and what is said of those that are not."""

from pathlib import Path

import pytest

from untrimmed.detection.results import describe_hidden
from untrimmed.timeline import Action, Timeline

FAINT = {"a": Timeline(60.0, (Action(1.0, 9.0, "run", 0.28), Action(20.0, 29.0, "run", 0.1)))}


@pytest.mark.parametrize(("out", "score"), [(None, None), (Path("a.srt"), None), (Path("a.json"), 0.5)])
def test_actions_that_all_score_too_little_are_counted_with_the_best(out, score):
    (note,) = describe_hidden(FAINT, out, score)
    least = 0.5 if score else 0.3
    assert note == (
        f"2 actions below the least score that is shown, {least}, the best 0.28; a lower one (score=0, --score 0) "
        "shows them"
    )


@pytest.mark.parametrize(("out", "score"), [(None, 0.0), (None, 0.28), (Path("a.json"), None), (Path("a.srt"), 0.2)])
def test_nothing_is_said_where_an_action_is_shown(out, score):
    assert describe_hidden(FAINT, out, score) == []


def test_no_action_at_all_is_said():
    assert describe_hidden({"a": Timeline(60.0, ()), "b": Timeline(9.0, ())}, None, None) == [
        "no action was found in 2 videos"
    ]
