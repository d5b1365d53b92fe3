"""ELAN's own files: which tiers, on whose clock, and slots that have no time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from format_samples import saved
from untrimmed.annotations.convert import convert, read_annotations
from untrimmed.annotations.sniff import sniff_format
from untrimmed.io import BadInput
from untrimmed.timeline import Action

VIDEO = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/v/talk.mp4" MIME_TYPE="video/mp4"/>'
TIERS = {"RightHand": [(1, 2, "WAVE")], "LeftHand": [(2, 3, "HOLD")], "Comments": [(0, 3, "bad light, noisy")]}


def eaf(tiers: Mapping[str, Sequence[tuple[int, int, str]]], slots: Sequence[int | None], media: str = VIDEO) -> str:
    """A file of ELAN: on each tier first slot, second slot and value of annotations; milliseconds of all slots."""
    times = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{n}"' + (f' TIME_VALUE="{ms}"/>' if ms is not None else "/>")
        for n, ms in enumerate(slots)
    )
    body = ""
    for tier, items in tiers.items():
        annotations = "".join(
            f'<ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{second}">'
            f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
            for first, second, value in items
        )
        body += f'<TIER TIER_ID="{tier}">{annotations}</TIER>'
    head = f'<HEADER TIME_UNITS="milliseconds">{media}</HEADER>'
    return f"<ANNOTATION_DOCUMENT>{head}<TIME_ORDER>{times}</TIME_ORDER>{body}</ANNOTATION_DOCUMENT>"


def test_many_tiers_are_said_and_can_be_chosen(tmp_path: Path) -> None:
    file = saved(tmp_path / "talk.eaf", eaf(TIERS, [0, 1000, 2000, 60000]))
    annotations = read_annotations(file)
    assert len(annotations.timelines["talk"].actions) == 3
    assert "all 3 tiers are read, and mixed: RightHand (1), LeftHand (1), Comments (1)" in annotations.notes[0]
    hands = read_annotations(file, tiers=["LeftHand", "RightHand"])
    assert hands.timelines["talk"].labels == ("HOLD", "WAVE")
    assert hands.notes[0] == "tiers read: RightHand (1), LeftHand (1); left out: Comments (1)"
    written = convert(file, tmp_path / "out.csv", tiers=["RightHand"])
    assert "WAVE" in written.written.path.read_text() and "HOLD" not in written.written.path.read_text()


def test_a_tier_that_is_not_there_or_has_no_times_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "talk.eaf", eaf(TIERS, [0, 1000, 2000, 60000]))
    with pytest.raises(
        BadInput, match=r"talk\.eaf: has no tier 'gloss'; there are RightHand \(1\), LeftHand \(1\), C"
    ):
        read_annotations(file, tiers=["gloss"])
    text = file.read_text().replace(
        "</ANNOTATION_DOCUMENT>",
        '<TIER TIER_ID="words" PARENT_REF="LeftHand"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="b" '
        'ANNOTATION_REF="a"/></ANNOTATION></TIER></ANNOTATION_DOCUMENT>',
    )
    with pytest.raises(
        BadInput, match="tier 'words' has no times of its own; name the tier that it refers to, 'Left"
    ):
        read_annotations(saved(file, text), tiers=["words"])


def test_tiers_of_a_format_without_tiers_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.srt", "1\n00:00:01,000 --> 00:00:02,000\njump\n")
    with pytest.raises(BadInput, match=r"a\.srt: SRT has no tiers; leave out 'hands'"):
        read_annotations(file, tiers=["hands"])


@pytest.mark.parametrize(("origin", "start"), [(12000, 13.0), (0, 1.0), (-500, 0.5)])
def test_times_are_moved_to_where_the_video_begins_in_them(tmp_path: Path, origin: int, start: float) -> None:
    media = VIDEO.replace("/>", f' TIME_ORIGIN="{origin}"/>')
    file = saved(tmp_path / "talk.eaf", eaf({"gloss": [(0, 1, "WAVE")]}, [1000, 5000], media))
    annotations = read_annotations(file)
    (row,) = annotations.rows["talk"]
    assert (row.start, row.end) == (start, start + 4)
    assert any("TIME_ORIGIN" in note for note in annotations.notes) == bool(origin)


def test_of_several_recordings_the_video_gives_name_and_clock(tmp_path: Path) -> None:
    sound = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/v/mic.wav" MIME_TYPE="audio/x-wav"/>'
    media = sound + VIDEO.replace("/>", ' TIME_ORIGIN="1500"/>')
    annotations = read_annotations(saved(tmp_path / "a.eaf", eaf({"gloss": [(0, 1, "WAVE")]}, [0, 4000], media)))
    assert annotations.timelines["talk"].actions == (Action(1.5, 5.5, "WAVE"),)
    assert "2 recordings are linked: times are of 'talk', not of mic.wav" in annotations.notes
    only_sound = read_annotations(saved(tmp_path / "a.eaf", eaf({"gloss": [(0, 1, "WAVE")]}, [0, 4000], sound)))
    assert list(only_sound.timelines) == ["mic"]


def test_slots_without_a_time_are_spaced_evenly_along_their_tier(tmp_path: Path) -> None:
    tiers = {"gloss": [(0, 1, "A"), (1, 2, "B"), (2, 3, "C")], "parts": [(1, 4, "b1"), (4, 2, "b2")]}
    annotations = read_annotations(saved(tmp_path / "talk.eaf", eaf(tiers, [1000, None, None, 7000, None])))
    assert {(a.label, a.start, a.end) for a in annotations.timelines["talk"].actions} == {
        *(("A", 1.0, 3.0), ("B", 3.0, 5.0), ("C", 5.0, 7.0), ("b1", 3.0, 4.0), ("b2", 4.0, 5.0)),
    }
    assert any("5 annotations begin or end at no stated time" in note for note in annotations.notes)


def test_slots_that_follow_no_time_are_dropped(tmp_path: Path) -> None:
    tiers = {"gloss": [(0, 1, "A"), (1, 0, "loop"), (2, 3, "B")]}
    annotations = read_annotations(saved(tmp_path / "talk.eaf", eaf(tiers, [None, None, 1000, 2000])))
    assert [row.label for row in annotations.dropped] == ["A", "loop"]


def test_the_same_annotation_twice_is_said(tmp_path: Path) -> None:
    tiers = {"one": [(0, 1, "WAVE")], "two": [(0, 1, "WAVE")]}
    annotations = read_annotations(saved(tmp_path / "talk.eaf", eaf(tiers, [1000, 2000])))
    assert len(annotations.timelines["talk"].actions) == 2
    assert any(
        "1 annotation repeats another of the same label and times" in note
        and "'WAVE' at [1, 2] s of video 'talk'" in note
        for note in annotations.notes
    )


def test_a_folder_says_the_tiers_of_many_files_once(tmp_path: Path) -> None:
    for number in range(3):
        media = VIDEO.replace("talk", f"talk{number}")
        extra = {f"n{number}": [(0, 1, "x")] * (number + 1)}
        saved(tmp_path / "eafs" / f"{number}.eaf", eaf(TIERS | extra, [0, 1000, 2000, 60000], media))
    notes = [note for note in read_annotations(tmp_path / "eafs").notes if "tiers are read" in note]
    assert len(notes) <= 3
    same = {"a": [(0, 1, "x")], "b": [(0, 1, "y")]}
    for number in range(3):
        media = VIDEO.replace("talk", f"talk{number}")
        saved(tmp_path / "same" / f"{number}.eaf", eaf(same, [0, 1000 + number], media))
    (note,) = [note for note in read_annotations(tmp_path / "same").notes if "tiers are read" in note]
    assert note.endswith("(so in 3 files)")


def test_elan_in_a_file_of_another_ending_is_told_by_its_first_element(tmp_path: Path) -> None:
    assert sniff_format(saved(tmp_path / "a.xml", '<?xml version="1.0"?>\n' + eaf(TIERS, [0, 1, 2, 3]))) == "elan"
