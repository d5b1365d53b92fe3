"""A session: no edit is lost, and what is written of it."""

import threading
from pathlib import Path

import pytest

from untrimmed.annotations.formats.activitynet import read_activitynet
from untrimmed.io import BadInput
from untrimmed.review.edits import ReviewItem
from untrimmed.review.session import EditConflict, PriorAnnotations, ReviewSession, ReviewVideo, journal_path
from untrimmed.timeline import Action, Timeline

ITEMS = (ReviewItem(0, 1.0, 2.0, "jump", 0.9, "open"), ReviewItem(1, 4.0, 6.0, "run", 0.5, "open"))


def make_review_video(name: str, prior: PriorAnnotations | None = None) -> ReviewVideo:
    return ReviewVideo(name, 10.0, ITEMS, "training", prior)


def test_a_video_counts_when_it_is_done_and_not_before(tmp_path):
    out = tmp_path / "new" / "out.json"
    session = ReviewSession([make_review_video("a"), make_review_video("b")], out)
    session.edit(0, 0, {"kind": "accept", "ids": [0]})
    assert read_activitynet(out).timelines == {}
    session.edit(0, 1, {"kind": "done", "done": True, "subset": "validation"})
    written = read_activitynet(out)
    assert written.timelines == {"a": Timeline(10.0, (Action(1.0, 2.0, "jump"),))}
    assert written.subsets == {"a": "validation"}
    session.edit(0, 2, {"kind": "reject", "ids": [0]})
    assert read_activitynet(out).timelines == {"a": Timeline(10.0)}
    session.edit(0, 3, {"kind": "done", "done": False})
    assert read_activitynet(out).timelines == {}
    session.close()


def test_a_video_that_is_not_done_stands_as_it_was(tmp_path):
    prior = Timeline(10.0, (Action(3.0, 4.0, "skip"),))
    session = ReviewSession(
        [make_review_video("a", PriorAnnotations(prior, "testing")), make_review_video("b")], tmp_path / "out.json"
    )
    session.edit(0, 0, {"kind": "accept", "ids": [0]})
    session.edit(1, 0, {"kind": "done", "done": True})
    written = read_activitynet(tmp_path / "out.json")
    assert written.timelines["a"] == prior and written.subsets == {"a": "testing", "b": "training"}
    session.close()


def test_an_edit_on_an_older_version_is_a_conflict_and_changes_nothing(tmp_path):
    session = ReviewSession([make_review_video("a")], tmp_path / "out.json")
    session.edit(0, 0, {"kind": "accept", "ids": [0]})
    with pytest.raises(EditConflict) as conflict:
        session.edit(0, 0, {"kind": "reject", "ids": [0]})
    assert conflict.value.state.version == 1 and conflict.value.state.timeline.labels == ("jump",)
    assert session.find_changes(0) == (1, {0: session.states()[1][0]}) and session.find_changes(1) == (1, {})
    session.close()


def test_a_review_goes_on_where_it_was_killed(tmp_path):
    out = tmp_path / "out.json"
    session = ReviewSession([make_review_video("a"), make_review_video("b")], out)
    session.edit(1, 0, {"kind": "accept", "ids": [1]})
    session.edit(1, 1, {"kind": "done", "done": True})
    states = session.states()
    session.close()
    # A line that was cut off by the end of the power was never answered; the annotations can be made again.
    with journal_path(out).open("ab") as stream:
        stream.write(b'{"video": "a", "versi')
    out.unlink()
    # Another order, as another detector's results would rank the videos, makes no difference.
    again = ReviewSession([make_review_video("b"), make_review_video("a")], out)
    assert again.states() == (states[0], states[1][::-1])
    assert read_activitynet(out).timelines == {"b": Timeline(10.0, (Action(4.0, 6.0, "run"),))}
    again.edit(1, 0, {"kind": "accept", "ids": [0]})
    again.close()
    third = ReviewSession([make_review_video("a"), make_review_video("b")], out)
    assert third.states()[0] == 3 and third.states()[1][0].version == 1
    assert "1 of 2 videos are done" in third.summarize()
    third.close()


def test_a_journal_of_an_older_release_opens(tmp_path):
    digest = "c9b1aea311455160c8bd1a625d77aa240a86a8b368df2722abb4a03d851d4f63"
    journal_path(tmp_path / "out.json").write_text(
        f'{{"journal":1,"digest":"{digest}"}}\n'
        '{"video":"a","version":0,"change":{"kind":"accept","ids":[0,1]}}\n'
        '{"video":"a","version":1,"change":{"kind":"move","id":1,"start":4.5,"end":7}}\n'
        '{"video":"a","version":2,"change":{"kind":"undo"}}\n'
        '{"video":"a","version":3,"change":{"kind":"done","done":true,"subset":"testing"}}\n'
    )
    ReviewSession([make_review_video("a")], tmp_path / "out.json").close()
    written = read_activitynet(tmp_path / "out.json")
    assert written.timelines == {"a": Timeline(10.0, (Action(1.0, 2.0, "jump"), Action(4.0, 6.0, "run")))}
    assert written.subsets == {"a": "testing"}


def test_two_servers_do_not_share_a_journal(tmp_path):
    session = ReviewSession([make_review_video("a")], tmp_path / "out.json")
    with pytest.raises(BadInput, match="another `untrimmed review` has it open"):
        ReviewSession([make_review_video("a")], tmp_path / "out.json")
    session.close()
    ReviewSession([make_review_video("a")], tmp_path / "out.json").close()


def test_a_journal_of_other_files_or_with_a_broken_line_is_refused(tmp_path):
    out = tmp_path / "out.json"
    ReviewSession([make_review_video("a")], out).close()
    with pytest.raises(BadInput, match="belongs to a review of other files"):
        ReviewSession([make_review_video("b")], out)
    with journal_path(out).open("ab") as stream:
        stream.write(b"nonsense\n")
    with pytest.raises(BadInput, match="line 2 is no edit"):
        ReviewSession([make_review_video("a")], out)
    journal_path(out).write_bytes(journal_path(out).read_bytes().replace(b"nonsense", b'{"video": "a"}'))
    with pytest.raises(BadInput, match="line 2 cannot be made again"):
        ReviewSession([make_review_video("a")], out)


def test_annotations_of_somebody_else_are_not_overwritten(tmp_path):
    (tmp_path / "mine.json").write_text("dear")
    with pytest.raises(BadInput, match="of no review"):
        ReviewSession([make_review_video("a")], tmp_path / "mine.json")
    assert (tmp_path / "mine.json").read_text() == "dear" and not journal_path(tmp_path / "mine.json").exists()


def test_an_edit_that_the_disk_does_not_take_is_not_made(tmp_path, monkeypatch):
    session = ReviewSession([make_review_video("a")], tmp_path / "out.json")
    content = journal_path(tmp_path / "out.json").read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            session.edit(0, 0, {"kind": "accept", "ids": [0]})
    assert journal_path(tmp_path / "out.json").read_bytes() == content and session.states()[1][0].version == 0
    assert session.edit(0, 0, {"kind": "accept", "ids": [1]})[1].timeline.labels == ("run",)
    session.close()


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_threads_that_edit_at_once_lose_nothing(tmp_path):
    videos, rounds = [make_review_video(name) for name in "abcd"], 6
    session = ReviewSession(videos, tmp_path / "out.json")

    def work(thread: int) -> None:
        edits = 0
        while edits < rounds:
            video = (thread + edits) % len(videos)
            version = session.states()[1][video].version
            try:
                session.edit(video, version, {"kind": "add", "start": 1, "end": 2, "label": f"{thread}-{edits}"})
            except EditConflict:
                continue
            edits += 1

    threads = [threading.Thread(target=work, args=[i]) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    number, states = session.states()
    assert number == 16 * rounds == sum(state.version for state in states)
    labels = {item.label for state in states for item in state.now.items}
    assert labels >= {f"{i}-{n}" for i in range(16) for n in range(rounds)}
    session.close()
    again = ReviewSession(videos, tmp_path / "out.json")
    assert again.states() == (number, states)
    again.close()


def test_stretches_that_were_annotated_or_split_in_time_are_written_again(tmp_path: Path) -> None:
    timeline, spans = Timeline(900.0, (Action(1, 2, "x"),)), ((0.0, 600.0),)
    parts = {"training": ((0.0, 300.0),), "validation": ((310.0, 600.0),)}
    known = ReviewVideo(
        "a", 900.0, (), "training", PriorAnnotations(timeline, "validation"), annotated=spans, parts=parts
    )
    unreviewed = known._replace(name="b", prior=PriorAnnotations(timeline, "unreviewed"))
    session = ReviewSession([known, unreviewed], tmp_path / "out.json")
    session._save()
    session.close()
    annotations = read_activitynet(tmp_path / "out.json")
    assert annotations.annotated == {"a": spans, "b": spans}
    assert annotations.parts == {"a": parts} and annotations.subsets == {"b": "unreviewed"}
