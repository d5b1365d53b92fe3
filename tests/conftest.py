"""Fixtures that many test files share."""

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# A busy machine must not fail a test; in continuous integration a change must not fail by another's bad luck.
settings.register_profile(
    "untrimmed", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untrimmed")

# A shell's background job ignores Ctrl-C, and so would the commands that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data sets; without it the test is skipped, and in continuous integration it fails."""
    folder = os.environ.get("UNTRIMMED_DATA", "")
    if folder and Path(folder).is_dir():
        return Path(folder).resolve()
    reason = f"UNTRIMMED_DATA={folder!r} names no folder of real data"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def one_thread_and_a_seed() -> None:
    """Tests run in parallel processes, and two threads each would only get in each other's way."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
