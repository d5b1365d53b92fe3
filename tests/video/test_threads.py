"""The number of threads of a library is restored whatever the order in which Python threads come and go."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
import torch

from films import film
from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.video import extract_video
from untrimmed.video.threads import ONE_CV2_THREAD, ONE_TORCH_THREAD


@contextmanager
def python_threads(count: int) -> Iterator[list[Callable]]:
    """Give functions that call another in a Python thread of their own, and wait for what it returns."""
    pools = [ThreadPoolExecutor(1) for _ in range(count)]
    yield [lambda function, pool=pool: pool.submit(function).result() for pool in pools]
    for pool in pools:
        pool.shutdown()


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize("first_out", [0, 1])
def test_the_last_to_leave_restores_opencv(first_out: int) -> None:
    with python_threads(2) as threads:
        for call in threads:
            call(ONE_CV2_THREAD.__enter__)
        threads[first_out](ONE_CV2_THREAD.__exit__)
        assert cv2.getNumThreads() == 1
        threads[1 - first_out](ONE_CV2_THREAD.__exit__)
        assert cv2.getNumThreads() == 2


@pytest.mark.parametrize("first_out", [0, 1])
def test_every_python_thread_gets_back_its_number_of_torch(first_out: int) -> None:
    with python_threads(3) as (*threads, newcomer):
        for call in threads:
            call(ONE_TORCH_THREAD.__enter__)
        assert [call(torch.get_num_threads) for call in threads] == [1, 1]
        threads[first_out](ONE_TORCH_THREAD.__exit__)
        assert threads[first_out](torch.get_num_threads) == 2
        assert threads[1 - first_out](torch.get_num_threads) == 1
        threads[1 - first_out](ONE_TORCH_THREAD.__exit__)
        assert [call(torch.get_num_threads) for call in (*threads, newcomer)] == [2, 2, 2]


def test_a_block_that_fails_restores_too() -> None:
    with pytest.raises(RuntimeError, match="fails"), ONE_CV2_THREAD, ONE_TORCH_THREAD:
        raise RuntimeError("fails")
    assert (cv2.getNumThreads(), torch.get_num_threads()) == (2, 2)


def test_videos_that_overlap_leave_the_threads_as_they_were(tmp_path: Path) -> None:
    file, config = film(tmp_path / "a.mp4"), ExtractConfig()
    with python_threads(2) as (other, newcomer):

        def extract_another(_: float) -> None:
            assert cv2.getNumThreads() == 1
            other(lambda: extract_video(file, config))
            assert cv2.getNumThreads() == 1

        extract_video(file, config, extract_another)
        assert (cv2.getNumThreads(), torch.get_num_threads()) == (2, 2)
        assert [call(torch.get_num_threads) for call in (other, newcomer)] == [2, 2]
