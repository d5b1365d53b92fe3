"""Whatever stands in a file, a reader gives annotations or refuses with one sentence; it never falls over."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from format_samples import (
    AGGREGATED,
    CHARADES,
    CVAT,
    EAF,
    EPIC,
    EVENTS,
    LONG,
    RANGE,
    REGION,
    TABULAR,
    VIA,
    VTT,
    boris,
    task,
)
from untrimmed.annotations.convert import read_annotations
from untrimmed.io import BadInput

TEXTS = {
    "a.eaf": EAF,
    "a.xml": CVAT,
    "a.TextGrid": LONG,
    "a.vtt": VTT,
    "a.srt": "1\n00:00:01,500 --> 00:00:02,000\njump\n",
    "a.csv": AGGREGATED,
    "b.csv": EPIC,
    "c.csv": CHARADES,
    "a.tsv": TABULAR,
    "a.txt": "1.0\t2.0\tjump\n3.0\t4.0\trun\n",
}
PARTS = {"a.boris": boris(EVENTS), "a.json": VIA, "b.json": [task(RANGE, REGION)]}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**400) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)


def read(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        try:
            annotations = read_annotations(Path(folder) / name, fps=25)
        except BadInput as refusal:
            assert name in str(refusal) and "\n" not in str(refusal)
            return
    assert annotations.timelines


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_text_with_a_piece_exchanged_is_read_or_refused(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    piece = data.draw(st.text("0129.,:;-><!\"'\t\n\\&x∞", max_size=6))
    read(name, (text[:start] + piece + text[end:]).encode())


def exchanged(part: Any, data: st.DataObject) -> Any:
    """The same with one of its parts, somewhere deep, made something else."""
    if isinstance(part, dict) and part and data.draw(st.integers(0, 5)):
        key = data.draw(st.sampled_from(sorted(part)))
        return {**part, key: exchanged(part[key], data)}
    if isinstance(part, list) and part and data.draw(st.integers(0, 5)):
        place = data.draw(st.integers(0, len(part) - 1))
        return [*part[:place], exchanged(part[place], data), *part[place + 1 :]]
    return data.draw(values)


@pytest.mark.parametrize("name", PARTS)
@settings(max_examples=150)
@given(data=st.data())
def test_json_with_a_part_exchanged_is_read_or_refused(name: str, data: st.DataObject) -> None:
    read(name, json.dumps(exchanged(PARTS[name], data)).encode())


@given(content=st.binary(max_size=60))
@settings(max_examples=30)
@pytest.mark.parametrize("name", [*TEXTS, *PARTS])
def test_bytes_are_read_or_refused(name: str, content: bytes) -> None:
    read(name, content)
