"""The limit of detections a video is held against the densest video."""

from untrimmed.models.suppression import SuppressConfig
from untrimmed.project.recipe_numbers import KEEP, choose_keep
from untrimmed.project.suppress_checks import check_keep
from untrimmed.timeline import Action, Timeline


def timeline(count: int) -> Timeline:
    return Timeline(100.0, tuple(Action(n / 10, n / 10 + 5, "a") for n in range(count)))


def test_a_limit_below_the_actions_of_a_video_is_a_warning_with_a_remedy_that_helps() -> None:
    truth = {"few": timeline(3), "dense": timeline(432), "denser": timeline(433), "elsewhere": timeline(900)}
    (finding,) = check_keep(SuppressConfig(), truth, ["few", "dense", "denser"])
    assert finding.severity == "warning"
    assert "2 videos have more than suppress.keep = 200" in finding.sentence
    assert "433 in denser" in finding.sentence
    assert "suppress.keep = 900" in finding.remedy
    assert not list(check_keep(SuppressConfig(keep=900), truth, ["few", "dense", "denser"]))


def test_a_limit_that_every_video_stays_below_is_no_finding() -> None:
    assert not list(check_keep(SuppressConfig(), {"a": timeline(200)}, ["a"]))
    assert not list(check_keep(SuppressConfig(), {}, []))


def test_a_recipe_keeps_twice_as_many_as_the_densest_video_has_and_never_fewer_than_usual() -> None:
    assert choose_keep([timeline(3), timeline(100)]) == KEEP == SuppressConfig().keep
    assert choose_keep([timeline(3), timeline(101)]) == 300
    assert choose_keep([timeline(432)]) == 900
    assert choose_keep([]) == KEEP
