"""One rule of names: any form of a name means one video, and two videos are never one."""

from pathlib import Path
from random import Random
from typing import Literal
from unicodedata import normalize

import pytest
from av.format import ContainerFormat
from hypothesis import given
from hypothesis import strategies as st

from untrimmed.video.names import (
    VIDEO_ENDINGS,
    NamedValues,
    NameIndex,
    describe_loose_matches,
    match_affixes,
    match_names,
    media_name,
    name_files,
    name_locations,
    normalize_name,
    suggest_name,
)

STEMS = st.sampled_from(
    ("a", "A", "b", "clip.cam1", "2024-05-01", "2024.264", "Ünï", "x y", "v", "日本", "a.b.c", "50%", "x_v_y", "-")
)
Form = tuple[str, str, str, Literal["NFC", "NFD"]]
ENDINGS = st.sampled_from(("", ".mp4", ".MTS", ".mpeg", ".mkv", ".mp4.npy", ".npy", ".wav"))
FOLDERS = st.sampled_from(("", "videos/", "/data/my videos/", "C:\\films\\", "file:///C:/films/", "https://host/"))


def write_form(stem: str, ending: str, folder: str, prefix: str, form: Literal["NFC", "NFD"]) -> str:
    """Write a name as another tool might."""
    return f" {folder}{prefix}{normalize(form, stem)}{ending} "


FORMS = st.tuples(ENDINGS, FOLDERS, st.sampled_from(("", "v_")), st.sampled_from(("NFC", "NFD")))


@given(STEMS, FORMS, FORMS)
def test_any_of_the_forms_maps_to_one_video(stem: str, first: Form, second: Form) -> None:
    name, video = write_form(stem, *first), write_form(stem, *second)
    assert normalize_name(name) == normalize_name(video) == normalize_name(stem)
    assert match_names([name], [video, "something else"]) == {name: video}
    assert match_names([name.swapcase()], [video]) == {name.swapcase(): video}


NAMES = st.lists(st.builds(write_form, STEMS, *(ENDINGS, FOLDERS, st.sampled_from(("", "v_")), st.just("NFC"))))


@given(NAMES, NAMES)
def test_two_names_never_map_to_one_video_and_an_equal_one_always_to_its_own(
    names: list[str], videos: list[str]
) -> None:
    matches = match_names(names, videos)
    assert len(set(matches.values())) == len(matches)
    for name in {*names} & {*videos}:
        assert matches[name] == name
    for name, video in matches.items():
        assert normalize_name(name) == normalize_name(video)


@given(NAMES, NAMES, st.randoms())
def test_the_order_of_names_does_not_matter(names: list[str], videos: list[str], random: Random) -> None:
    expected = match_names(names, videos)
    random.shuffle(names)
    random.shuffle(videos)
    assert match_names(names, videos) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("clip.mp4", "clip"),
        ("CLIP.MTS", "CLIP"),
        ("a/b/clip.m2ts", "clip"),
        ("C:\\films\\clip.AVI", "clip"),
        ("file:///C:/My%20films/%C3%A9t%C3%A9.mp4", "été"),
        ("file:/media/clip.mpe", "clip"),
        ("file:///media/a%23b.mp4", "a#b"),
        ("https://host/clip.webm?start=3#t=4", "clip"),
        ("2024-05-01.cam1", "2024-05-01.cam1"),
        ("2024.264", "2024.264"),
        ("2024-05-01.cam1.mxf", "2024-05-01.cam1"),
        (" clip.vob ", "clip"),
        ("clip.wav", "clip"),
        ("clip", "clip"),
        (".mp4", ".mp4"),
    ],
)
def test_a_recording_is_called_by_the_last_part_of_its_path_without_ending(text: str, name: str) -> None:
    assert media_name(text) == name


def test_an_exact_name_goes_before_a_loose_one() -> None:
    assert match_names(["a", "A.mp4"], ["A", "a"]) == {"a": "a", "A.mp4": "A"}
    assert match_names(["x.mp4", "v_x"], ["v_x", "x"]) == {"x.mp4": "x", "v_x": "v_x"}
    assert match_names(["x"], ["v_x", "X"]) == {"x": "v_x"}


def test_what_could_be_two_videos_is_none() -> None:
    assert match_names(["V_a.mp4"], ["A", "a"]) == {}
    assert match_names(["A.mp4", "a.MP4"], ["v_a"]) == {"a.MP4": "v_a"}
    assert match_names(["d1/a.mp4", "d2/a.mp4"], ["a"]) == {}


def test_folders_decide_between_videos_of_one_name() -> None:
    videos = ["cam1/a", "cam2/a", "a"]
    names = ["/data/cam1/a.mp4", "cam2\\a.avi", "a.mp4"]
    assert match_names(names, videos) == dict(zip(names, videos, strict=True))
    assert match_names(["a"], videos[:2]) == {}
    assert match_names(["a"], ["train/a", "test/b"]) == {"a": "train/a"}
    assert match_names(["cam3/a"], ["cam1/a"]) == {}


def test_one_name_is_found_as_many_are() -> None:
    index = NameIndex(["v_One.mp4", "two"])
    assert [index.find(name) for name in ("one", "TWO.npy", "three")] == ["v_One.mp4", "two", None]


def test_the_nearest_name_is_suggested() -> None:
    assert suggest_name("match_01.mp4", ["match01", "other", "v_game"]) == "match01"
    assert suggest_name("zebra", ["match01"]) is None


def test_loose_matches_are_said_with_their_number_and_the_first() -> None:
    assert describe_loose_matches({"a": "a"}) is None
    sentence = describe_loose_matches({"a": "a", "v_b": "b", "C": "c"})
    assert sentence and "2 videos" in sentence and "'v_b' and 'b'" in sentence


def test_files_are_called_by_stem_and_by_path_where_two_share_one() -> None:
    files = [Path("set/cam1/a.mp4"), Path("set/cam2/A.mp4"), Path("set/cam2/b.mp4")]
    assert name_files(files) == {"cam1/a": files[0], "cam2/A": files[1], "b": files[2]}


def test_files_that_differ_in_ending_alone_are_called_with_it() -> None:
    files = [Path("a.mp4"), Path("a.avi"), Path("a.mp4.avi")]
    assert name_files([*files, files[0]]) == {"a.mp4": files[0], "a.avi": files[1], "a.mp4.avi": files[2]}
    assert name_files(files[:2]) == {"a.mp4": files[0], "a.avi": files[1]}


FILES = st.builds(
    lambda folder, stem, ending: Path(folder, stem + ending),
    st.sampled_from(("", "c1", "c1/c2", "c2")),
    st.sampled_from(("a", "A", "b", "a.mp4")),
    st.sampled_from((".mp4", ".MP4", ".avi")),
)


@given(st.lists(FILES, unique=True))
def test_no_two_files_get_one_name(files: list[Path]) -> None:
    names = name_files(files)
    assert sorted(names.values()) == sorted(files)


NO_VIDEOS = {
    *("3dostr", "avif", "heic", "heif", "ism", "isma", "m4a", "m4b", "psp", "mka", "mks", "mp2", "mp3", "ra", "str"),
    *("wma", "dif", "h26l", "avc", "mpo", "wav", "ogg"),
}
"""Endings of these containers for sound, pictures, subtitles, or of other things besides."""
CONTAINERS = (
    *("3gp", "asf", "avi", "dv", "f4v", "flv", "gif", "gxf", "h261", "h263", "h264", "hevc", "ismv", "ivf", "m4v"),
    *("matroska", "mjpeg", "mov", "mp4", "mpeg", "mpeg1video", "mpeg2video", "mpegts", "mxf", "nut", "obu", "ogv"),
    *("rm", "swf", "vob", "vvc", "webm", "wtv", "yuv4mpegpipe"),
)


def test_every_ending_of_a_container_for_video_is_one_of_a_video() -> None:
    for container in CONTAINERS:
        modes: tuple[Literal["r"], Literal["w"]] = ("r", "w")
        for mode in modes:
            try:
                endings = ContainerFormat(container, mode).extensions
            except ValueError:
                continue
            assert {f".{ending}" for ending in endings - NO_VIDEOS} <= {*VIDEO_ENDINGS}, container


def test_values_are_found_under_any_form_of_a_name() -> None:
    values = NamedValues({"v_One": 1, "two": 2})
    assert (values["one.mp4"], values.get("TWO"), values.get("three"), len(values)) == (1, 2, None, 2)
    assert "x/two.mkv" in values and list(values) == ["v_One", "two"]


def test_recordings_are_called_by_file_and_by_folder_where_two_share_a_name() -> None:
    assert name_locations(["/x/cam1/a.mp4", "/x/cam2/a.mp4", "/x/cam2/b.mp4", "c/d"]) == {
        "/x/cam1/a.mp4": "cam1/a",
        "/x/cam2/a.mp4": "cam2/a",
        "/x/cam2/b.mp4": "b",
        "c/d": "c/d",
    }
    videos = NamedValues({"cam1/a": 1, "cam2/a": 2, "b": 3})
    assert name_locations(["/x/cam1/a.mp4", "y/b.mp4"], videos) == {"/x/cam1/a.mp4": "cam1/a", "y/b.mp4": "b"}
    assert [*name_locations(["a.mp4", "cam1/a.mp4"]).values()] == ["a", "a"]


def test_a_text_behind_or_before_all_names_is_no_part_of_them() -> None:
    assert match_affixes(["c1_annotations", "c2_annotations"], ["c1", "c2", "c3"]) == {
        "c1_annotations": "c1",
        "c2_annotations": "c2",
    }
    assert match_affixes(["labels-C1"], ["c1"]) == {"labels-C1": "c1"}
    assert match_affixes(["clip_2"], ["clip"]) == {}
    assert match_affixes(["clip_2", "clip_3"], ["clip"]) == {}
