"""Streams: what is told while a video arrives is what detecting finds when it is there, told once and in time."""

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

import synthetic
from untrimmed.cli import app
from untrimmed.detection.detector import Detector
from untrimmed.detection.streaming import Stretch, Watch
from untrimmed.extraction.backbones import zoo
from untrimmed.extraction.backbones.efficientnet_lite import WIDTH
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.extraction.video import extract_video
from untrimmed.features.video_features import VideoFeatures
from untrimmed.io import BadInput
from untrimmed.video import live
from untrimmed.video.flow import CHANNELS as MOTION
from untrimmed.video.sampling import PictureConverter
from untrimmed.video.writer import write_video

SCORE = 0.3
NEVER = 1e9
# How wide random weights are: scores differ, and boxes move little.
LIVELY, QUIET = 1.3, 0.3


def detector_of(channels, source, length=32, **sections):
    """Of random weights: it finds something everywhere."""
    torch.manual_seed(1)
    sections = {"windows": {"mode": "slide"}, "suppress": {"keep": 100_000}, **sections}
    model = {"length": length, "levels": 4, "concepts": 8, "depth": 15, "width": 0.0625}
    recipe = synthetic.recipe_for(Path("nowhere"), model=model, **sections)
    model = recipe.model.build(channels, 3)
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Conv1d | torch.nn.Conv2d):
            wide = QUIET if name.startswith("box_head") else LIVELY
            torch.nn.init.normal_(layer.weight, std=wide / layer.weight[0].numel() ** 0.5)
    return Detector(model.eval(), recipe, channels, synthetic.CLASSES, source)


@pytest.fixture(scope="module")
def sighted():
    """A detector of what the default backbone sees."""
    source = build_source(resolve_config(ExtractConfig(), []))
    return detector_of(WIDTH + MOTION, source)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Twelve seconds of a square that wanders, as MPEG-TS."""
    path = tmp_path_factory.mktemp("video") / "clip.ts"
    random = np.random.default_rng(0)
    pictures = []
    for number in range(120):
        picture = random.integers(0, 60, (64, 64, 3)).astype(np.uint8)
        x = int(24 + 20 * np.sin(number / 9))
        picture[20:40, x : x + 16] = (200, number * 2 % 255, 90)
        pictures.append(picture)
    write_video(path, pictures, 10)
    return path


@pytest.fixture(scope="module")
def wanted(sighted, clip):
    """What detecting finds of the clip, by start."""
    found = sighted.detect(extract_video(clip, ExtractConfig())).above(SCORE)
    assert len(found.actions) > 5
    return [(a.start, a.end, a.label, a.score) for a in found.actions]


@pytest.fixture
def file(sighted, tmp_path):
    sighted.save(tmp_path / "d.safetensors")
    return tmp_path / "d.safetensors"


def alike(found, wanted):
    assert [row[2] for row in sorted(found)] == [row[2] for row in sorted(wanted)]
    numbers = [(a, b, d) for a, b, _, d in sorted(found)]
    assert np.array(numbers) == pytest.approx(np.array([(a, b, d) for a, b, _, d in sorted(wanted)]), abs=2e-3)


def nearly_alike(found, wanted):
    """All but a few per cent are equal: in chains of overlaps, the first may hang on what comes long after them."""
    assert abs(len(found) - len(wanted)) <= 0.02 * len(wanted)
    numbers = {label: np.array([(a, b, d) for a, b, c, d in wanted if c == label]) for _, _, label, _ in wanted}
    equal = [np.isclose(numbers[c], (a, b, d), atol=2e-3).all(1).any() for a, b, c, d in found]
    assert np.mean(equal) > 0.96


def rows_of(found):
    return [(one.action.start, one.action.end, one.action.label, one.action.score) for one in found]


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def rows_in(text):
    return [(line["start"], line["end"], line["label"], line["score"]) for line in lines_of(text)]


def noise(count, seed=0):
    values = np.random.default_rng(seed).normal(0, 1, (count, synthetic.CHANNELS)).astype(np.float32)
    return VideoFeatures(values, synthetic.SOURCE.grid, count / synthetic.SOURCE.fps, synthetic.SOURCE)


def streamed(stretch, features, size):
    found = []
    for first in range(0, len(features), size):
        found += stretch.add(np.asarray(features.values[first : first + size]))
    return found + stretch.finish(features.duration)


@pytest.mark.parametrize("count", [9, 31, 32, 33, 48, 49, 203])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_features_that_arrive_give_the_actions_of_detecting(count, size):
    detector = detector_of(synthetic.CHANNELS, synthetic.SOURCE)
    features = noise(count)
    stretch = Stretch(detector, SCORE, NEVER)
    found = streamed(stretch, features, size)
    wanted = detector.detect(features).above(SCORE).actions
    assert stretch.late == 0 and len(wanted) > count / 5
    check = alike if count < 100 else nearly_alike
    check(rows_of(found), [(a.start, a.end, a.label, a.score) for a in wanted])


@contextmanager
def served(path, broken=0):
    """An HTTP server of one file; the first `broken` answers break off halfway."""
    content, left = path.read_bytes(), [broken]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            part = content[: len(content) // 2] if left[0] > 0 else content
            left[0] -= 1
            self.wfile.write(part)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip.ts"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_file_that_is_streamed_gives_the_actions_of_detecting(sighted, clip, wanted):
    watch = Watch(sighted, str(clip), SCORE, NEVER)
    alike(rows_of(watch.actions()), wanted)
    assert watch.seconds == pytest.approx(12, abs=0.2)


def test_a_published_backbone_sees_a_stream_by_its_weights(clip, tmp_path, monkeypatch):
    backbone = zoo.find_backbone("tsn-bn-inception-rgb")
    network, weights = backbone.network(3, 7), tmp_path / "tsn.safetensors"
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, weights)
    # Of what the network is given, without its hundreds of millions of multiplications.
    monkeypatch.setattr(zoo, "embed_clips", lambda network, clips: clips.flatten(1)[:, :: 3 * 49].numpy()[:, :1024])
    config = ExtractConfig(backbones=(backbone.name,), weights=(str(weights),))
    features = extract_video(clip, config)
    detector = detector_of(features.channels, features.source)
    wanted = detector.detect(features).above(SCORE).actions
    watch = Watch(detector, str(clip), SCORE, NEVER, weights=[weights])
    nearly_alike(rows_of(watch.actions()), [(a.start, a.end, a.label, a.score) for a in wanted])
    assert len(wanted) > 5


def test_an_address_gives_the_actions_of_the_file(sighted, clip, wanted):
    with served(clip) as address:
        alike(rows_of(Watch(sighted, address, SCORE, NEVER).actions()), wanted)


def test_a_source_that_breaks_off_gives_what_it_had_and_a_sentence(sighted, clip):
    found, watch = [], None
    with served(clip, broken=9) as address, pytest.raises(BadInput, match=r"clip\.ts: broke off"):
        watch = Watch(sighted, address, SCORE)
        found.extend(watch.actions())
    assert found
    assert watch and 3 < watch.seconds < 9


def test_a_source_that_is_back_goes_on_after_a_gap(sighted, clip, wanted):
    said = []
    with served(clip, broken=1) as address:
        watch = Watch(sighted, address, SCORE, NEVER, reconnect=1, tell=said.append)
        rows = rows_of(watch.actions())
    ((lost, back),) = watch.gaps
    assert "try 1 of 1" in said[0] and "is back" in said[1]
    alike([(a - back, b - back, label, s) for a, b, label, s in rows if a >= back], wanted)
    assert all(b <= lost for a, b, _, _ in rows if a < back)


def test_a_source_that_never_was_is_tried_as_often_as_asked(sighted):
    said = []
    watch = Watch(sighted, "http://127.0.0.1:9/clip.ts", reconnect=2, tell=said.append)
    with pytest.raises(BadInput, match="cannot be reached"):
        list(watch.actions())
    assert [sentence[-10:] for sentence in said] == ["try 1 of 2", "try 2 of 2"]


@pytest.mark.slow
def test_a_pipe_gives_the_actions_of_the_file_and_lines_in_time(file, clip, wanted):
    command = [sys.executable, "-m", "untrimmed.cli", "stream", "-", "--detector", str(file), "--latency", "1000"]
    # Through a pipe, where nothing can be sought.
    done = subprocess.run(command, input=clip.read_bytes(), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    alike(rows_in(done.stdout.decode()), wanted)
    assert all(line["latency"] >= 0 and line["lag"] >= 0 for line in lines_of(done.stdout.decode()))
    assert f"{len(wanted)} actions in 12.0 s" in done.stderr.decode()


@pytest.mark.slow
def test_ctrl_c_ends_a_silent_stream_with_a_summary(file, clip):
    command = [sys.executable, "-m", "untrimmed.cli", "stream", "-", "--detector", str(file), "--latency", "0"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    process.stdin.buffer.write(clip.read_bytes())
    process.stdin.flush()
    guard = threading.Timer(90, process.kill)
    guard.start()
    first = process.stdout.readline()  # while the pipe is open
    process.send_signal(signal.SIGINT)
    # Not `communicate`, which would close the pipe: the stream must end though nothing comes.
    process.wait()
    guard.cancel()
    rest, errors = process.communicate()
    assert process.returncode == 0
    assert lines_of(first + rest)
    assert "stopped" in errors and "actions in" in errors


def test_what_cannot_be_streamed_is_refused_in_a_sentence(sighted, clip, file, tmp_path):
    whole = replace(sighted, recipe=replace(sighted.recipe, windows=replace(sighted.recipe.windows, mode="whole")))
    with pytest.raises(BadInput, match="a stream has no whole"):
        next(Watch(whole, str(clip)).actions())
    other = replace(sighted, source=replace(sighted.source, backbone="i3d-rgb"))
    with pytest.raises(BadInput, match="need 1 files of weights, not 0: give --weights for i3d-rgb"):
        next(Watch(other, str(clip)).actions())
    for source, reason in ((tmp_path / "no.mp4", "no such video"), ("/dev/video77", "cannot be read as a camera")):
        done = CliRunner().invoke(app, ["stream", str(source), "--detector", str(file), "--device", "cpu"])
        assert done.exit_code == 2
        assert reason in done.stderr


def test_lines_go_into_a_file(file, clip, wanted, tmp_path):
    out = tmp_path / "actions.jsonl"
    done = CliRunner().invoke(
        app, ["stream", str(clip), "--detector", str(file), "--out", str(out), "--latency", "1000", "--score", "0.35"]
    )
    assert done.exit_code == 0, done.stderr
    assert not done.stdout
    alike(rows_in(out.read_text()), [row for row in wanted if row[3] >= 0.35])


def test_a_stream_takes_settings_of_suppression_and_says_which_classes_have_more_than_its_limit(file, clip, wanted):
    arguments = ["stream", str(clip), "--detector", str(file), "--latency", "1000", "--set", "suppress.keep=2"]
    done = CliRunner().invoke(app, [*arguments, "--set", "suppress.keep_per_minute=0"])
    assert done.exit_code == 0, done.stderr
    labels = [row[2] for row in rows_in(done.stdout)]
    assert max(labels.count(label) for label in labels) == 2
    most = max({row[2] for row in wanted}, key=lambda label: sum(row[2] == label for row in wanted))
    assert "suppress.keep allows 2 actions a minute of each class, and of" in done.stderr
    count = sum(row[2] == most for row in wanted) - 2
    assert f"left out were {count} of '{most}'" in done.stderr
    done = CliRunner().invoke(app, ["stream", str(clip), "--detector", str(file), "--set", "model.levels=3"])
    assert (done.exit_code, "only suppression can be set" in done.stderr) == (2, True)


def test_a_file_that_ends_early_gives_what_it_has_and_a_sentence(sighted, clip, tmp_path):
    whole = tmp_path / "whole.mp4"
    with av.open(str(clip)) as source, av.open(str(whole), "w", options={"movflags": "+faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    short = tmp_path / "short.mp4"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = []
    with pytest.raises(BadInput, match=r"short\.mp4: only"):
        found.extend(Watch(sighted, str(short), SCORE).actions())
    assert found


def test_a_reader_is_told_at_once_when_nobody_wants_more(clip):
    connection = live.Connection(
        str(clip), PictureConverter(64), lambda frames, pictures: map(pictures.convert, frames)
    )
    batches = connection.batches(1)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch" and thread.join(5)]


@pytest.mark.parametrize("latency", [6.0, 20.0])
def test_no_action_waits_longer_than_the_latency_or_its_window(latency):
    detector = detector_of(synthetic.CHANNELS, synthetic.SOURCE)
    features, stretch, count = noise(300), Stretch(detector, 0.05, latency), 0
    for number in range(1, 301):
        found = stretch.add(features.values[number - 1 : number])
        count += len(found)
        # Windows end every 16 snippets: what only the last of them saw could not be told before.
        assert number % 16 == 0 or all(one.latency <= latency + 0.3 for one in found)
        assert all(one.latency <= max(latency, 9.0) + 0.3 for one in found)
    assert count > 50


def test_a_long_sequence_of_which_hopeless_candidates_are_dropped_gives_what_all_at_once_gives():
    detector = detector_of(synthetic.CHANNELS, synthetic.SOURCE, suppress={"floor": 0.2, "vote": 0.6, "keep": 10_000})
    features = noise(3000)
    every, kept = detector.candidates(features), detector.candidates(features, 0.2)
    assert len(kept[0]) < 0.9 * len(every[0])
    assert detector.detect(features) == detector.suppress(*every, features.duration)


def test_memory_is_bounded_however_long_the_stream_is():
    detector = detector_of(synthetic.CHANNELS, synthetic.SOURCE)
    stretch, held = Stretch(detector, 0.3), []
    for number in range(60):
        stretch.add(noise(32, number).values)
        held.append(len(stretch.suppression))
        assert len(stretch.values) < stretch.length
    assert max(held[30:]) <= 1.5 * max(held[:30])
