"""Whatever stands in a file of an annotation tool, it is read or refused in one sentence."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrimmed.annotations.convert import read_annotations
from untrimmed.io import BadInput

TEXTS = {
    "a.csv": "Observation id,Source,Time offset (s),Media duration (s),Subject,Behavior,Behavior type,Time\n"
    "o,player #1:a.mp4;b.mp4,1,10;20,m1,eat,START,2\no,player #1:a.mp4;b.mp4,1,10;20,m1,eat,STOP,4\n",
    "b.txt": "gloss\t\t00:00:01.000\t1.0\t00:00:04.000\t4.0\t00:00:03.000\t3.0\tWAVE\n",
    "c.txt": "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tValue\ngloss\t1.0\t4.0\tWAVE\n",
    "d.csv": "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
    '"1","[""a.mp4""]",0,"[3.0,5.2]","[]","{""Act"":""chase""}"\n',
    "e.xml": "<file><ALL_INSTANCES><instance><start>3</start><end>5</end><code>X</code></instance></ALL_INSTANCES>"
    "</file>",
    "f.csv": "Time;Behaviour;Gaze\n0,0;;\n0,2;walk;\n0,4;walk;left\n",
    "g.csv": "Time_Relative_sf,Duration_sf,Observation,Behavior,Event_Type\n1,2,o,rear,State start\n"
    "3,0,o,rear,State stop\n",
    "h.annot": "Bento annotation file\nMovie file(s): a.mp4\nAnnotation framerate: 30\n\nList of channels:\nCh1\n\n"
    "Ch1----------\n>chase\nStart\tStop\tDuration\n3.0\t5.2\t2.2\n",
}


def check(name: str, content: bytes) -> None:
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
def test_a_text_of_a_tool_with_a_piece_exchanged_is_read_or_refused(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    piece = data.draw(st.text("0129.,:;-><!\"'\t\n\\&x∞[]{}", max_size=6))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    check(name, (text[:start] + piece + text[end:]).encode(encoding))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_a_tool_is_read_as_it_stands(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(TEXTS[name], encoding="utf-8")
    assert sum(map(len, read_annotations(tmp_path / name).timelines.values())) >= 1
