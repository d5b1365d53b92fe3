"""Tables that stand as JSON: read as any table, or refused in one sentence."""

import json
from pathlib import Path

import pytest

from untrimmed.annotations.convert import read_annotations
from untrimmed.io import BadInput
from untrimmed.timeline import Action

ROWS = [
    {"video": "a.mp4", "start": 1, "end": 2.5, "label": "jump"},
    {"video": "a.mp4", "start": 3.5, "end": 4, "label": "fall", "score": 0.5},
    {"video": "b.mp4", "start": None, "end": None, "label": None, "video_duration": 9},
]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.json"])
def test_an_object_an_action_is_read_as_a_line_of_a_table(tmp_path: Path, name: str) -> None:
    lines = "\n".join(map(json.dumps, ROWS)) + "\n\n"
    (tmp_path / name).write_text(json.dumps(ROWS) if name == "rows.json" else lines, encoding="utf-8")
    timelines = read_annotations(tmp_path / name).timelines
    assert timelines["a"].actions == (Action(1, 2.5, "jump"), Action(3.5, 4, "fall", 0.5))
    assert timelines["b"].duration == 9 and not timelines["b"].actions


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "a.jsonl",
            '{"video": "a", "annotations": [{"label": "x"}]}\n',
            "one JSON object a line, and 'annotations' in",
        ),
        ("a.jsonl", '{"video": "a"}\nnot json\n', "line 2 is not JSON but 'not json'; one object a line"),
        ("a.jsonl", "[1, 2]\n", "line 1 is [1, 2]; an object"),
        ("a.json", '{"video": "a"}\n{"video": "b"}\n', "more than one JSON value, one a line"),
    ],
)
def test_other_json_lines_are_refused_in_one_sentence(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as refusal:
        read_annotations(tmp_path / name)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_log_beside_annotations_is_no_table_of_their_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("video,start,end,label\na,1,2,x\n", encoding="utf-8")
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n', encoding="utf-8")
    assert list(read_annotations(tmp_path).timelines) == ["a"]
