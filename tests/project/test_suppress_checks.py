"""The limit of detections a video is held against the densest video."""

from untrimmed.models.suppression import SuppressConfig
from untrimmed.project.recipe_numbers import KEEP, KEEP_PER_MINUTE, choose_keep, choose_keep_per_minute
from untrimmed.project.suppress_checks import check_keep
from untrimmed.timeline import Action, Timeline


def timeline(count: int, classes: int = 1, seconds: float = 100.0) -> Timeline:
    return Timeline(seconds, tuple(Action(n / 10, n / 10 + 5, f"a{n % classes}") for n in range(count)))


def test_a_limit_below_the_actions_of_a_video_is_a_warning_with_a_remedy_that_helps() -> None:
    truth = {"few": timeline(3), "dense": timeline(432), "denser": timeline(433), "elsewhere": timeline(900)}
    (finding,) = check_keep(SuppressConfig(), truth, ["few", "dense", "denser"])
    assert finding.severity == "warning"
    assert "2 videos have more actions of a class than suppress lets a detector keep of them" in finding.sentence
    assert "433 in denser, of which it keeps 200" in finding.sentence
    assert finding.remedy == (
        "set suppress.keep = 900, suppress.keep_per_minute = 520.0 (a trained detector takes them too: "
        "--set suppress.keep=900 --set suppress.keep_per_minute=520.0)"
    )
    better = SuppressConfig(keep=900, keep_per_minute=520)
    assert not list(check_keep(better, truth, ["few", "dense", "denser"]))


def test_a_limit_that_every_video_stays_below_is_no_finding() -> None:
    assert not list(check_keep(SuppressConfig(), {"a": timeline(200)}, ["a"]))
    assert not list(check_keep(SuppressConfig(), {}, []))


def test_classes_and_minutes_have_limits_of_their_own() -> None:
    videos = {"a": timeline(400, classes=2), "b": timeline(600, seconds=600.0)}
    assert not list(check_keep(SuppressConfig(), videos, ["a", "b"]))
    (finding,) = check_keep(SuppressConfig(keep_per_minute=0), videos, ["a", "b"])
    assert "1 video has" in finding.sentence and "600 in b" in finding.sentence
    (finding,) = check_keep(SuppressConfig(keep_per_class=False), videos, ["a", "b"])
    assert "1 video has more actions than" in finding.sentence and "400 in a" in finding.sentence
    assert "suppress.keep_per_class = true" in finding.remedy


def test_a_recipe_keeps_twice_as_many_as_the_densest_class_has_and_never_fewer_than_usual() -> None:
    assert choose_keep([timeline(3), timeline(100)]) == KEEP == SuppressConfig().keep
    assert choose_keep([timeline(3), timeline(101)]) == 300
    assert choose_keep([timeline(432)]) == 900
    assert choose_keep([timeline(432, classes=4)]) == 300
    assert choose_keep([]) == KEEP


def test_a_recipe_keeps_twice_as_many_a_minute_as_the_busiest_class_has_and_a_short_video_counts_as_one() -> None:
    assert choose_keep_per_minute([]) == KEEP_PER_MINUTE == SuppressConfig().keep_per_minute
    assert choose_keep_per_minute([timeline(300, seconds=600), timeline(30, seconds=5)]) == KEEP_PER_MINUTE
    assert choose_keep_per_minute([timeline(301, seconds=600)]) == KEEP_PER_MINUTE + 10
    assert choose_keep_per_minute([timeline(41, seconds=5)]) == 90
