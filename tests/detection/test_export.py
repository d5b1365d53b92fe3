"""Exported networks: the same outputs for any number of windows, the same detections, nothing written but whole."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import synthetic
from small_ctcn import randomize_norms
from untrimmed.annotations.corpus import open_corpus
from untrimmed.cli import app
from untrimmed.detection import export as module
from untrimmed.detection.detector import Detector
from untrimmed.detection.export import compare_outputs, export_detector, random_windows
from untrimmed.detection.runtime import load_onnx
from untrimmed.io import BadInput
from untrimmed.models.exportable_grouping import group_by_scan
from untrimmed.models.gaussian_kernels import group_kernels
from untrimmed.models.gtan import GTANConfig
from untrimmed.models.ssad import SSADConfig
from untrimmed.training.loop import build_model, join_processes

GTAN = GTANConfig(length=64, base=(8, 8), layers=(8, 8, 8), group_tiou=0.3)
MODELS = {
    "ctcn": None,
    "ssad": SSADConfig(length=64, base=(8,), layers=(8, 8)),
    "fixed": replace(GTAN, kernels="fixed"),
    "gaussian": replace(GTAN, kernels="gaussian"),
    "grouped": GTAN,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write_dataset(tmp_path_factory.mktemp("data"), videos=3)


@pytest.fixture(scope="module")
def detectors(folder, tmp_path_factory):
    """Made when asked for, and then kept, with what was exported of it."""
    place, made = tmp_path_factory.mktemp("exported"), {}

    def make(name):
        if name not in made:
            detector = detector_of(folder, MODELS[name])
            made[name] = detector, export_detector(detector, place / f"{name}.onnx")
        return made[name]

    return make


def detector_of(folder, model):
    recipe = synthetic.recipe_for(folder)
    recipe = replace(recipe, model=model or recipe.model, windows=replace(recipe.windows, mode="slide"))
    # The best of all classes: among very many there are two that start so close that rounding swaps them.
    recipe = replace(recipe, suppress=replace(recipe.suppress, keep_per_minute=0.0, keep_per_class=False))
    corpus = open_corpus(recipe.data)
    network = randomize_norms(build_model(recipe, corpus, join_processes("cpu")))
    for branch in getattr(network, "sigmas", nn.ModuleList()).parameters():
        nn.init.normal_(branch, std=0.5)
    return Detector(network, recipe, synthetic.CHANNELS, corpus.dataset.classes, corpus.source)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n != "ssad" else n for n in MODELS])
def test_onnxruntime_detects_the_same_actions(name, detectors, folder):
    detector, file = detectors(name)
    other = load_onnx(file)
    assert (other.recipe, other.classes, other.source) == (detector.recipe, detector.classes, detector.source)
    features = open_corpus(detector.recipe.data).features
    for video in ("video00", "video02"):
        found, wanted = other.detect(features[video]).actions, detector.detect(features[video]).actions
        assert len(found) == len(wanted) > 10
        for a, b in zip(found, wanted, strict=True):
            assert a.label == b.label
            assert (a.start, a.end, a.score) == pytest.approx((b.start, b.end, b.score), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("windows", [1, 5])
def test_any_number_of_windows_will_do(windows, detectors):
    detector, file = detectors("grouped")
    network = detector.model.fuse_batch_norm()
    x, mask = random_windows(network, synthetic.CHANNELS, windows, seed=7)
    other = load_onnx(file).model
    with torch.inference_mode():
        assert max(off for _, off in compare_outputs(network(x, mask), other(x, mask))) < 1e-4


def test_kernels_are_merged_by_the_scan_as_by_the_loop():
    cells, merged = [16, 8, 4, 2], 0
    for seed in range(30):
        random = torch.Generator().manual_seed(seed)
        scale = 0.3 ** torch.randint(0, 4, (5, 1), generator=random)
        sigma = torch.rand(5, sum(cells), generator=random) * scale
        # Equal widths too, whose ends coincide.
        sigma = sigma if seed % 2 else (sigma * 8).ceil() / 16
        real = torch.randint(0, 17, (5, 1), generator=random).clamp(max=torch.tensor(cells))
        wanted, found = group_kernels(sigma, cells, real, 0.3), group_by_scan(sigma, cells, real, 0.3)
        merged += int(wanted.valid.sum())
        for name, a, b in zip(wanted._fields, wanted, found, strict=True):
            assert torch.equal(a, b), (seed, name)
    assert merged > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ctcn", "grouped"])
def test_a_torch_program_needs_nothing_of_this_package(name, folder, tmp_path):
    detector = detector_of(folder, MODELS[name])
    file = export_detector(detector, tmp_path / "d.pt2")
    x, mask = random_windows(detector.model, synthetic.CHANNELS, 3, seed=5)
    np.savez(tmp_path / "in.npz", x=x.numpy(), mask=mask.numpy())
    script = (
        "import sys, numpy as np, torch\n"
        "given = {k: torch.from_numpy(v) for k, v in np.load(sys.argv[2]).items()}\n"
        "outputs = torch.export.load(sys.argv[1]).module()(given['x'], given['mask'])\n"
        "assert 'untrimmed' not in sys.modules\n"
        "np.savez(sys.argv[3], *[o.detach().numpy() for o in outputs])\n"
    )
    words = [str(file), str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, *words], check=True)
    outputs = [torch.from_numpy(value) for value in np.load(tmp_path / "out.npz").values()]
    with torch.inference_mode():
        wanted = detector.model.fuse_batch_norm()(x, mask)
    assert max(off for _, off in compare_outputs(wanted, outputs)) < 1e-4


@pytest.mark.slow
def test_files_name_no_path_of_the_machine(detectors, folder, tmp_path):
    _, file = detectors("grouped")
    content = file.read_bytes().replace(str(folder).encode(), b"")  # the recipe's own
    assert b".py" not in content and b"site-packages" not in content


def test_a_network_that_came_out_differently_is_not_written(folder, tmp_path, monkeypatch):
    detector = detector_of(folder, MODELS["ssad"])
    run = module._run
    monkeypatch.setattr(module, "_run", lambda *a: [o + 0.1 if o.is_floating_point() else o for o in run(*a)])
    with pytest.raises(BadInput, match=r"d\.onnx: \w+ of the exported network is off by .* nothing was written"):
        export_detector(detector, tmp_path / "d.onnx")
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_are_no_numbers_are_as_far_off_as_can_be(detectors):
    network = detectors("ssad")[0].model.fuse_batch_norm()
    with torch.inference_mode():
        wanted = network(*random_windows(network, synthetic.CHANNELS, 8, seed=1))
    assert max(off for _, off in compare_outputs(wanted, list(wanted))) == 0
    broken = [wanted.logits * float("nan"), *wanted[1:]]
    assert compare_outputs(wanted, broken)[0].off == float("inf")
    assert compare_outputs(wanted, [*wanted[:-1], ~wanted.valid])[0].off == float("inf")


def test_too_many_weights_are_refused_with_the_other_form(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(BadInput, match=r"more than an ONNX file holds; export it to a \.pt2 file"):
        export_detector(detector_of(folder, MODELS["ssad"]), tmp_path / "d.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_an_absent_package_is_one_sentence(package, detectors, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=rf"ONNX needs the package {package}; run `pip install .untrimmed\[export\].`"):
        export_detector(detectors("ssad")[0], tmp_path / "d.onnx")


def test_the_command_exports_and_detect_takes_the_file(detectors, folder, tmp_path):
    detector, _ = detectors("ssad")
    detector.save(tmp_path / "d.safetensors")
    run = CliRunner().invoke
    done = run(app, ["export", str(tmp_path / "d.safetensors"), "--out", str(tmp_path / "d.onnx")])
    assert done.exit_code == 0, done.output
    words = [str(folder / "features"), "--quiet", "--device", "cpu", "--out"]
    found = {}
    for name, more in (("d.onnx", []), ("d.safetensors", ["--runtime", "onnx"]), ("d.safetensors", [])):
        out = tmp_path / f"{name}{len(more)}.csv"
        done = run(app, ["detect", str(tmp_path / name), *words, str(out), *more])
        assert done.exit_code == 0, done.output
        found[out.name] = out.read_text()
    assert found["d.onnx0.csv"] == found["d.safetensors2.csv"]
    assert len(found["d.safetensors0.csv"].splitlines()) == len(found["d.onnx0.csv"].splitlines()) > 10


def test_bad_input_to_the_commands_is_one_sentence(detectors, folder, tmp_path):
    detectors("ssad")[0].save(tmp_path / "d.safetensors")
    (tmp_path / "no.onnx").write_text("hello")
    detector, features = str(tmp_path / "d.safetensors"), str(folder / "features")
    out = ["--out", str(tmp_path / "o.json"), "--quiet"]
    onnx = str(detectors("ssad")[1])
    for words, sentence in (
        (["export", detector, "--out", str(tmp_path / "d.bin")], "its ending must be .onnx or .pt2"),
        (["export", "nowhere.safetensors", "--out", str(tmp_path / "d.onnx")], "no such detector file"),
        (["detect", str(tmp_path / "no.onnx"), features, *out], "is not a detector in ONNX form"),
        (["detect", "nowhere.onnx", features, *out], "no such detector file"),
        (["detect", onnx, features, *out, "--runtime", "torch"], "torch does not run an ONNX file"),
        (["detect", onnx, features, *out, "--device", "cuda"], "this onnxruntime computes on cpu"),
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2 and sentence in done.stderr, (words, done.output)
        assert not (tmp_path / "o.json").exists()
