"""A review: what edits do, that none is lost, what is written, and what is most worth a look."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.annotations.datasets.activitynet import activitynet
from untrimmed.annotations.formats.activitynet import read_annotations, write_annotations, write_results
from untrimmed.io import BadInput
from untrimmed.review.desk import Files, gather, open_review, page
from untrimmed.review.edits import Item, Snapshot, State, applied
from untrimmed.review.journal import Journal
from untrimmed.review.ranking import worth
from untrimmed.review.session import Conflict, Review, Standing, Start, journal_of
from untrimmed.timeline import Action, Timeline
from untrimmed.video.sampling import write_video

ITEMS = (Item(0, 1.0, 2.0, "jump", 0.9, "open"), Item(1, 4.0, 6.0, "run", 0.5, "open"))


def state_of(*items: Item) -> State:
    return State(10.0, Snapshot(items or ITEMS, False, "training"))


def start_of(name: str, standing: Standing | None = None) -> Start:
    return Start(name, 10.0, ITEMS, "training", standing)


def make_video(path: Path, seconds: int = 10) -> Path:
    write_video(path, (np.full((32, 48, 3), 20 * (i % 12), np.uint8) for i in range(4 * seconds)), 4)
    return path


changes = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["accept", "reject"]), "ids": st.lists(st.integers(-1, 4), max_size=3)}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["move", "add"]),
            "id": st.integers(0, 3),
            "start": st.one_of(st.floats(-1, 12), st.just(float("nan")), st.text(max_size=2)),
            "end": st.one_of(st.floats(-1, 12), st.integers(0, 10), st.booleans()),
            "label": st.one_of(st.text(max_size=4), st.none()),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("relabel"), "id": st.integers(0, 2), "label": st.text(max_size=4)}),
    st.fixed_dictionaries({"kind": st.just("done"), "done": st.booleans(), "subset": st.sampled_from(["a", "b"])}),
    st.fixed_dictionaries({"kind": st.sampled_from(["undo", "redo", "eat", None, "accept"])}),
)


# Edits


def test_a_suggestion_is_accepted_and_rejected():
    state = applied(state_of(), {"kind": "accept", "ids": [0]})
    assert state.timeline.actions == (Action(1.0, 2.0, "jump"),)
    state = applied(state, {"kind": "reject", "ids": [0, 1]})
    assert state.timeline.actions == () and [item.status for item in state.now.items] == ["rejected"] * 2


def test_a_suggestion_that_is_corrected_is_accepted_by_that():
    state = applied(state_of(), {"kind": "move", "id": 1, "start": 4.25, "end": 7})
    state = applied(state, {"kind": "relabel", "id": 0, "label": " hop "})
    assert state.timeline.actions == (Action(1.0, 2.0, "hop"), Action(4.25, 7.0, "run"))


def test_an_added_action_has_an_id_of_its_own():
    state = applied(state_of(), {"kind": "add", "start": 8, "end": 9.5, "label": "kick"})
    assert state.now.items[-1] == Item(2, 8.0, 9.5, "kick", 1.0, "accepted")


@given(st.lists(changes, max_size=12))
def test_any_edits_are_made_or_refused_and_undone_to_the_beginning(some):
    state = first = state_of()
    for change in some:
        try:
            following = applied(state, change)
        except BadInput:
            continue
        assert following.version == state.version + 1
        state = following
        assert all(0 <= item.start < item.end <= 10 and item.label for item in state.now.items)
        assert len({item.id for item in state.now.items}) == len(state.now.items)
    last = state.now
    undone = 0
    while state.past:
        state, undone = applied(state, {"kind": "undo"}), undone + 1
    assert state.now == first.now
    for _ in range(undone):
        state = applied(state, {"kind": "redo"})
    assert state.now == last


def test_what_was_undone_cannot_be_redone_after_another_edit():
    state = applied(applied(state_of(), {"kind": "accept", "ids": [0]}), {"kind": "undo"})
    state = applied(state, {"kind": "reject", "ids": [1]})
    with pytest.raises(BadInput, match="nothing to redo"):
        applied(state, {"kind": "redo"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "move", "id": 0, "start": 3, "end": 2}, "does not fit"),
        ({"kind": "move", "id": 0, "start": 3, "end": 11}, "does not fit"),
        ({"kind": "move", "id": 0, "start": -1, "end": 2}, "does not fit"),
        ({"kind": "move", "id": 7, "start": 1, "end": 2}, "no such action"),
        ({"kind": "move", "id": False, "start": 1, "end": 2}, "no such action"),
        ({"kind": "add", "start": "1", "end": 2, "label": "a"}, "numbers of seconds"),
        ({"kind": "add", "start": 1, "end": float("nan"), "label": "a"}, "numbers of seconds"),
        ({"kind": "add", "start": 1, "end": 2, "label": "\ud800"}, "a label must be text"),
        ({"kind": "add", "start": 1, "end": 2, "label": "a" * 201}, "a label must be text"),
        ({"kind": "relabel", "id": 0, "label": "  "}, "a label must be text"),
        ({"kind": "accept", "ids": []}, "list of the actions"),
        ({"kind": "done", "done": "yes"}, "true or false"),
        ({"kind": "done", "done": True, "subset": "unreviewed"}, "not done"),
        ({"kind": ["add"]}, "no such kind of edit"),
        ({"kind": "relabel", "id": 10**5000, "label": "a"}, "no such action"),
        ({"kind": "add", "start": 10**5000, "end": 2, "label": "a"}, "numbers of seconds"),
        ({}, "no such kind of edit"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_with_a_sentence(change, words):
    with pytest.raises(BadInput, match=words):
        applied(state_of(), change)


# Sessions


def test_a_video_counts_when_it_is_done_and_not_before(tmp_path):
    out = tmp_path / "new" / "out.json"
    review = Review([start_of("a"), start_of("b")], out)
    review.edit(0, 0, {"kind": "accept", "ids": [0]})
    assert read_annotations(out).timelines == {}
    review.edit(0, 1, {"kind": "done", "done": True, "subset": "validation"})
    written = read_annotations(out)
    assert written.timelines == {"a": Timeline(10.0, (Action(1.0, 2.0, "jump"),))}
    assert written.subsets == {"a": "validation"}
    review.edit(0, 2, {"kind": "reject", "ids": [0]})
    assert read_annotations(out).timelines == {"a": Timeline(10.0)}
    review.edit(0, 3, {"kind": "done", "done": False})
    assert read_annotations(out).timelines == {}
    review.close()


def test_a_video_that_is_not_done_stands_as_it_was(tmp_path):
    was = Timeline(10.0, (Action(3.0, 4.0, "skip"),))
    review = Review([start_of("a", Standing(was, "testing")), start_of("b")], tmp_path / "out.json")
    review.edit(0, 0, {"kind": "accept", "ids": [0]})
    review.edit(1, 0, {"kind": "done", "done": True})
    written = read_annotations(tmp_path / "out.json")
    assert written.timelines["a"] == was and written.subsets == {"a": "testing", "b": "training"}
    review.close()


def test_an_edit_on_an_older_version_is_a_conflict_and_changes_nothing(tmp_path):
    review = Review([start_of("a")], tmp_path / "out.json")
    review.edit(0, 0, {"kind": "accept", "ids": [0]})
    with pytest.raises(Conflict) as conflict:
        review.edit(0, 0, {"kind": "reject", "ids": [0]})
    assert conflict.value.state.version == 1 and conflict.value.state.timeline.labels == ("jump",)
    assert review.since(0) == (1, {0: review.states()[1][0]}) and review.since(1) == (1, {})
    review.close()


def test_a_review_goes_on_where_it_was_killed(tmp_path):
    out = tmp_path / "out.json"
    review = Review([start_of("a"), start_of("b")], out)
    review.edit(1, 0, {"kind": "accept", "ids": [1]})
    review.edit(1, 1, {"kind": "done", "done": True})
    before = review.states()
    review.close()
    # A line that was cut off by the end of the power was never answered; the annotations can be made again.
    with journal_of(out).open("ab") as stream:
        stream.write(b'{"video": "a", "versi')
    out.unlink()
    # Another order, as another detector's results would rank the videos, makes no difference.
    again = Review([start_of("b"), start_of("a")], out)
    assert again.states() == (before[0], before[1][::-1])
    assert read_annotations(out).timelines == {"b": Timeline(10.0, (Action(4.0, 6.0, "run"),))}
    again.edit(1, 0, {"kind": "accept", "ids": [0]})
    again.close()
    third = Review([start_of("a"), start_of("b")], out)
    assert third.number == 3 and third.states()[1][0].version == 1
    assert "1 of 2 videos are done" in third.close()


def test_two_servers_do_not_share_a_journal(tmp_path):
    review = Review([start_of("a")], tmp_path / "out.json")
    with pytest.raises(BadInput, match="another `untrimmed review` has it open"):
        Review([start_of("a")], tmp_path / "out.json")
    review.close()
    Review([start_of("a")], tmp_path / "out.json").close()


def test_a_journal_of_other_files_or_with_a_broken_line_is_refused(tmp_path):
    out = tmp_path / "out.json"
    Review([start_of("a")], out).close()
    with pytest.raises(BadInput, match="belongs to a review of other files"):
        Review([start_of("b")], out)
    with journal_of(out).open("ab") as stream:
        stream.write(b"nonsense\n")
    with pytest.raises(BadInput, match="line 2 is no edit"):
        Review([start_of("a")], out)
    journal_of(out).write_bytes(journal_of(out).read_bytes().replace(b"nonsense", b'{"video": "a"}'))
    with pytest.raises(BadInput, match="line 2 cannot be made again"):
        Review([start_of("a")], out)


def test_annotations_of_somebody_else_are_not_written_over(tmp_path):
    (tmp_path / "mine.json").write_text("dear")
    with pytest.raises(BadInput, match="of no review"):
        Review([start_of("a")], tmp_path / "mine.json")
    assert (tmp_path / "mine.json").read_text() == "dear" and not journal_of(tmp_path / "mine.json").exists()


def test_an_edit_that_the_disk_does_not_take_is_not_made(tmp_path, monkeypatch):
    review = Review([start_of("a")], tmp_path / "out.json")
    before = journal_of(tmp_path / "out.json").read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            review.edit(0, 0, {"kind": "accept", "ids": [0]})
    assert journal_of(tmp_path / "out.json").read_bytes() == before and review.states()[1][0].version == 0
    assert review.edit(0, 0, {"kind": "accept", "ids": [1]})[1].timeline.labels == ("run",)
    review.close()


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_journal_without_a_whole_first_line_begins_anew(tmp_path):
    (tmp_path / "j").write_bytes(b'{"journal": 1, "dig')
    journal = Journal(tmp_path / "j", "abc")
    assert journal.edits == []
    journal.close()
    assert json.loads((tmp_path / "j").read_text()) == {"journal": 1, "digest": "abc"}


def test_threads_that_edit_at_once_lose_nothing(tmp_path):
    videos, rounds = [start_of(name) for name in "abcd"], 6
    review = Review(videos, tmp_path / "out.json")

    def work(thread: int) -> None:
        made = 0
        while made < rounds:
            video = (thread + made) % len(videos)
            version = review.states()[1][video].version
            try:
                review.edit(video, version, {"kind": "add", "start": 1, "end": 2, "label": f"{thread}-{made}"})
            except Conflict:
                continue
            made += 1

    threads = [threading.Thread(target=work, args=[i]) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    number, states = review.states()
    assert number == 16 * rounds == sum(state.version for state in states)
    labels = {item.label for state in states for item in state.now.items}
    assert labels >= {f"{i}-{n}" for i in range(16) for n in range(rounds)}
    review.close()
    again = Review(videos, tmp_path / "out.json")
    assert again.states() == (number, states)
    again.close()


# What is worth a look


def test_doubtful_videos_come_first_with_the_reason(tmp_path):
    sure, doubtful = (Action(1, 3, "jump", 0.98),), (Action(1, 3, "jump", 0.5), Action(5, 6, "run", 0.4))
    write_results(tmp_path / "r.json", {"a": Timeline(10.0, sure), "b": Timeline(10.0, doubtful)})
    make_video(tmp_path / "videos" / "c.mp4")
    shelves = gather(Files(tmp_path / "r.json", tmp_path / "videos"))
    assert [shelf.start.name for shelf in shelves] == ["b", "a", "c"]
    assert [shelf.worth.reason for shelf in shelves] == [
        "2 detections of middling score",
        "nothing doubtful",
        "nothing doubtful",
    ]
    # A video that no detector saw is there to be annotated, for as long as it is.
    assert shelves[2].start.items == () and shelves[2].start.duration == pytest.approx(10.0, abs=0.01)


def test_disagreement_is_counted_between_detectors_and_with_the_truth():
    one, two = Timeline(10.0, (Action(1, 3, "a", 0.9),)), Timeline(10.0, (Action(1, 3, "b", 0.9),))
    assert worth({"x": one}, {"y": two}, None, 1.0) == (2, "2 on which detectors disagree")
    assert worth({"x": one}, {"y": one}, None, 1.0) == (0, "nothing doubtful")
    truth = Timeline(10.0, (Action(7, 8, "a"),))
    assert worth({"x": one}, {}, truth, 1.0).reason == (
        "1 sure detection not annotated, 1 annotation that no detector has"
    )
    # Scores are judged against the highest there is: a detector may never say more than a tenth.
    assert worth({"x": Timeline(10.0, (Action(1, 3, "a", 0.05),))}, {}, None, 0.1).places == 1


# What a user gives, and what comes of it


def folder_of(tmp_path: Path) -> Files:
    for name in ("a", "b", "c"):
        make_video(tmp_path / "videos" / f"{name}.mp4")
    found = (Action(1.0, 3.0, "jump", 0.9), Action(5.0, 6.0, "run", 0.4))
    write_results(tmp_path / "r.json", {name: Timeline(10.0, found) for name in ("a", "b")})
    return Files(tmp_path / "r.json", tmp_path / "videos")


def test_what_is_written_can_be_trained_on_at_once(tmp_path):
    _, review = open_review(folder_of(tmp_path), tmp_path / "out.json")
    place = {video.name: i for i, video in enumerate(review.videos)}
    for name, subset in (("a", "training"), ("b", "validation")):
        review.edit(place[name], 0, {"kind": "accept", "ids": [0]})
        review.edit(place[name], 1, {"kind": "move", "id": 1, "start": 5.5, "end": 7.125})
        review.edit(place[name], 2, {"kind": "done", "done": True, "subset": subset})
    review.close()
    dataset = activitynet(tmp_path / "out.json")
    assert dataset.splits == {"training": ("a",), "validation": ("b",)} and dataset.classes == ("jump", "run")
    assert dataset.truth["a"].actions == (Action(1.0, 3.0, "jump"), Action(5.5, 7.125, "run"))
    assert not dataset.dropped


def test_a_truth_stays_until_its_video_is_done_and_keeps_its_subset(tmp_path):
    files = folder_of(tmp_path)
    truth = {name: Timeline(10.0, (Action(1.0, 2.0, "old"),)) for name in ("a", "c")}
    write_annotations(tmp_path / "truth.json", truth, {"a": "validation", "c": "testing"})
    _, review = open_review(files._replace(truth=tmp_path / "truth.json"), tmp_path / "out.json")
    place = {video.name: i for i, video in enumerate(review.videos)}
    assert read_annotations(tmp_path / "out.json").subsets == {"a": "validation", "c": "testing"}
    review.edit(place["a"], 0, {"kind": "reject", "ids": [0]})
    assert read_annotations(tmp_path / "out.json").timelines["a"].labels == ("old",)
    review.edit(place["a"], 1, {"kind": "done", "done": True})
    written = read_annotations(tmp_path / "out.json")
    assert written.timelines["a"].actions == () and written.subsets == {"a": "validation", "c": "testing"}
    review.close()


def test_annotations_to_review_are_not_trained_on_until_they_are_done(tmp_path):
    files = folder_of(tmp_path)
    write_annotations(tmp_path / "auto.json", {name: Timeline(10.0, (Action(1, 2, "x"),)) for name in ("a", "b")})
    _, review = open_review(files._replace(reviewed=tmp_path / "auto.json"), tmp_path / "out.json")
    place = {video.name: i for i, video in enumerate(review.videos)}
    review.edit(place["b"], 0, {"kind": "done", "done": True})
    assert activitynet(tmp_path / "out.json").splits == {"training": ("b",), "unreviewed": ("a",)}
    review.close()
    # What is left of it can be reviewed another day, and leaves that subset when it is done.
    _, review = open_review(files._replace(reviewed=tmp_path / "out.json"), tmp_path / "later.json")
    review.edit([video.name for video in review.videos].index("a"), 0, {"kind": "done", "done": True})
    assert read_annotations(tmp_path / "later.json").subsets == {"a": "training", "b": "unreviewed"}
    review.close()


def test_what_is_read_is_never_written(tmp_path):
    files = folder_of(tmp_path)
    with pytest.raises(BadInput, match="cannot be what it writes"):
        open_review(files, tmp_path / "r.json")
    with pytest.raises(BadInput, match="means videos that are not done"):
        open_review(files._replace(subset="unreviewed"), tmp_path / "out.json")


def test_videos_of_one_name_are_refused_and_broken_ones_passed_over(tmp_path):
    files = folder_of(tmp_path)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    assert {shelf.start.name for shelf in gather(files)} == {"a", "b", "c"}
    (tmp_path / "videos" / "a.avi").write_bytes(b"no video")
    with pytest.raises(BadInput, match="same name but for its ending"):
        gather(files)


def test_the_page_says_what_is_written_and_holds_every_video(tmp_path):
    shelves, review = open_review(folder_of(tmp_path), tmp_path / "out.json")
    served = page("Review", shelves, review)
    data = json.loads(served.html.split('id="report-data">')[1].split("</script>")[0])
    assert "Only videos that you mark as done are written to out.json" in served.html
    assert [panel["video"]["address"] for panel in data["panels"]] == ["video/0", "video/1", "video/2"]
    assert data["review"]["states"][0]["items"][0] == [0, 1.0, 3.0, "jump", 0.9, "open"]
    assert "frame-ancestors 'none'" in served.policy and "unsafe" not in served.policy
    review.close()
