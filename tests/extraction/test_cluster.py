"""Extraction on a cluster of this machine: the same bytes as without, and a worker that dies on the way."""

import os
import signal
import sys
from pathlib import Path
from threading import Thread

import pytest

from films import contents, endless_film, film, wait_until
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.videos import extract
from untrimmed.io import BadInput

CONFIG = ExtractConfig(batch=4)

# Ray's own files are left open when it is shut down.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(autouse=True)
def two_workers(monkeypatch):
    """A cluster of two processors, whatever the machine has."""
    ray = pytest.importorskip("ray")
    start = ray.init
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(ray, "init", lambda **how: start(**how if "address" in how else {"num_cpus": 2, **how}))


def test_a_cluster_gives_the_same_bytes_though_a_worker_dies_on_the_way(tmp_path):
    videos = [endless_film(tmp_path / "endless.mp4"), tmp_path / "broken.mp4", film(tmp_path / "b.mp4", seed=1)]
    videos[1].write_text("not a video")
    killed: list[int] = []
    killer = Thread(target=kill_the_busy_worker, args=(tmp_path / "out", videos[0], killed))
    killer.start()
    spread = extract(videos, tmp_path / "out", CONFIG, cluster="local")
    killer.join()
    assert len(killed) == 1
    alone = extract(videos, tmp_path / "alone", CONFIG)
    assert spread == alone and spread.done == (videos[0], videos[2])
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_an_address_that_does_not_answer_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"ray 127\.0\.0\.1:1: no cluster answers"):
        extract([film(tmp_path / "a.mp4")], tmp_path / "out", CONFIG, cluster="127.0.0.1:1")
    with pytest.raises(BadInput, match="ray auto: no cluster answers"):
        extract([tmp_path / "a.mp4"], tmp_path / "out", CONFIG, cluster="auto")


def test_without_the_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install 'untrimmed\[ray\]'"):
        extract([film(tmp_path / "a.mp4")], tmp_path / "out", CONFIG, cluster="local")


def kill_the_busy_worker(out: Path, video: Path, killed: list[int]) -> None:
    """Wait until the others are done, give the endless video an end, and kill the process that still works."""
    wait_until((out / "b.npy").exists)
    wait_until(busy_workers)
    film(video)
    for process in busy_workers():
        killed.append(process)
        os.kill(process, signal.SIGKILL)


def busy_workers() -> list[int]:
    """The processes of Ray that run a task now."""
    busy = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::try_extract"):
                busy.append(int(process.name))
        except OSError:
            continue
    return busy
