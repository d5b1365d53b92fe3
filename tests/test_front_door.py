"""The front door: `import untrimmed` is light, its names are few and typed, and nothing behind it shadows them."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import synthetic
import untrimmed
from untrimmed.annotations.corpus import open_corpus
from untrimmed.detection.detector import Detector
from untrimmed.training.loop import build_model, join_processes

NAMES = [
    "Action", "BadInput", "Dataset", "Detector", "ExtractConfig", "Grid", "Recipe", "Timeline", "Timelines",
    "VideoFeatures", "__version__", "compare", "convert", "evaluate", "extract", "load", "read_annotations",
    "read_features", "read_recipe", "train", "view", "write_annotations",
]  # fmt: skip

PROGRAM = """\
import untrimmed

detector = untrimmed.load("detector.safetensors")
timeline = detector("match.npy")
for action in timeline.best(5):
    print(action.start, action.end, action.label, action.score)
timeline.save("match.srt")
"""


def run_python(code: str, cwd: Path | None = None) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with features, annotations, and an untrained detector of them."""
    folder = synthetic.write_dataset(tmp_path_factory.mktemp("data"))
    recipe = synthetic.recipe_for(folder)
    corpus = open_corpus(recipe.data)
    model = build_model(recipe, corpus, join_processes("cpu")).eval()
    detector = Detector(model, recipe, synthetic.CHANNELS, corpus.dataset.classes, corpus.source)
    detector.save(str(folder / "detector.safetensors"))
    return folder


@pytest.fixture
def detector(folder):
    return untrimmed.load(str(folder / "detector.safetensors"), "cpu")


def test_the_public_names_are_these():
    assert sorted(untrimmed.__all__) == NAMES
    assert dir(untrimmed) == NAMES
    assert all(getattr(untrimmed, name) is not None for name in NAMES)


def test_importing_loads_neither_torch_nor_numpy():
    assert run_python("import sys, untrimmed; print({'torch', 'numpy'} & set(sys.modules))") == "set()\n"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'detect'"):
        untrimmed.detect  # noqa: B018


def test_no_room_takes_the_place_of_a_public_name():
    rooms = {path.stem for path in Path(untrimmed.__file__).parent.iterdir()}
    assert rooms.isdisjoint(NAMES)


def test_a_type_checker_sees_the_types_from_outside(tmp_path):
    lines = [
        "import untrimmed",
        'detector = untrimmed.load("a.safetensors")',
        "reveal_type(detector)",
        'for action in detector("match.mp4").best(5):',
        "    reveal_type(action.start)",
        'reveal_type(untrimmed.evaluate("a.json", "b.json").detection_scores.map)',
        'reveal_type(untrimmed.train("recipe.toml", "runs/mine").detector)',
    ]
    (tmp_path / "program.py").write_text("\n".join(lines))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    said = json.loads(done.stdout)["generalDiagnostics"]
    assert [line["message"] for line in said if line["severity"] != "information"] == []
    types = [line["message"] for line in said]
    assert len(types) == 4 and all("Unknown" not in line for line in types)
    assert (
        '"Detector"' in types[0]
        and "float" in types[1]
        and "tuple[float, ...]" in types[2]
        and '"Detector"' in types[3]
    )


def test_the_program_of_the_front_page_runs_on_paths_as_text(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "detector.safetensors").write_bytes((folder / "detector.safetensors").read_bytes())
    (tmp_path / "match.npy").write_bytes((folder / "features" / "video02.npy").read_bytes())
    (tmp_path / "manifest.json").write_text(
        (folder / "features" / "manifest.json").read_text().replace("video02", "match")
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(PROGRAM, "program", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert (tmp_path / "match.srt").exists()


def test_a_detector_takes_a_file_a_folder_and_features_in_memory(folder, detector):
    features = untrimmed.read_features(str(folder / "features"))
    file = detector(str(folder / "features" / "video02.npy"))
    assert isinstance(file, untrimmed.Timeline)
    assert detector(features["video02"]) == file
    timelines = detector(folder / "features")
    assert isinstance(timelines, untrimmed.Timelines)
    assert list(timelines) == list(features) and timelines["video02"] == file


def test_progress_is_told_of_every_video_and_nothing_is_printed(folder, detector, capsys):
    calls = []
    timelines = detector(folder / "features", progress=lambda *call: calls.append(call))
    assert calls[0] == ("detecting", 0, len(timelines), "")
    assert calls[-1] == ("detecting", len(timelines), len(timelines), "")
    assert capsys.readouterr() == ("", "")


def test_what_no_class_scores_never_fills_the_memory(folder, detector, monkeypatch):
    """Of hours of background all candidates would take gigabytes: those below the floor go window by window."""
    config = replace(detector.recipe.suppress, floor=0.9)
    detector = replace(detector, recipe=replace(detector.recipe, suppress=config))
    sizes = []
    candidates = Detector.candidates

    def measure(self, *arguments):
        result = candidates(self, *arguments)
        sizes.append(result[1].size)
        return result

    monkeypatch.setattr(Detector, "candidates", measure)
    detector(folder / "features" / "video02.npy")
    assert sizes == [0]


def test_threads_may_share_a_detector(folder, detector):
    features = untrimmed.read_features(folder / "features")
    videos = [features[video] for video in features]
    alone = [detector(video) for video in videos]
    together: list[list[untrimmed.Timeline]] = [[] for _ in range(4)]

    def detect_all(place: int) -> None:
        together[place] = [detector(video) for video in videos]

    threads = [threading.Thread(target=detect_all, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [alone] * 4


def test_a_detector_prints_as_one_short_line(detector):
    text = repr(detector)
    assert len(text) < 250 and "\n" not in text
    assert "ctcn" in text and detector.classes[0] in text


def test_bad_input_is_one_exception(tmp_path):
    with pytest.raises(untrimmed.BadInput, match="no such detector file"):
        untrimmed.load(str(tmp_path / "none.safetensors"))


def test_features_are_made_of_arrays(detector):
    grid = untrimmed.Grid(0.25, 0.25)
    values = np.zeros((40, synthetic.CHANNELS), np.float32)
    assert detector(untrimmed.VideoFeatures(values, grid, 10.0, detector.source)).duration == 10.0


def test_a_folder_is_no_detector_and_a_runtime_has_a_name(folder):
    with pytest.raises(untrimmed.BadInput, match=r"is a folder; name the detector file in it"):
        untrimmed.load(folder)
    # In a process of its own: the checks of types in these tests would refuse the name first.
    code = (
        "import untrimmed\ntry: untrimmed.load('d', runtime='foo')\nexcept untrimmed.BadInput as error: print(error)"
    )
    assert run_python(code) == "runtime 'foo': there are torch and onnx\n"
