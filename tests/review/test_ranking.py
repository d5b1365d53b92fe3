"""Doubts, which rank the videos of a review."""

from untrimmed.review.ranking import count_doubts
from untrimmed.timeline import Action, Timeline


def test_disagreement_is_counted_between_detectors_and_with_the_ground_truth():
    first, second = Timeline(10.0, (Action(1, 3, "a", 0.9),)), Timeline(10.0, (Action(1, 3, "b", 0.9),))
    assert count_doubts(first, {"y": second}, None, 1.0) == (2, "2 on which detectors disagree")
    assert count_doubts(first, {"y": first}, None, 1.0) == (0, "nothing doubtful")
    ground_truth = Timeline(10.0, (Action(7, 8, "a"),))
    assert count_doubts(first, {}, ground_truth, 1.0).reason == (
        "1 sure detection not annotated, 1 annotation that no detector has"
    )
    # Scores are judged against the highest there is: a detector may never say more than a tenth.
    assert count_doubts(Timeline(10.0, (Action(1, 3, "a", 0.05),)), {}, None, 0.1).total == 1
