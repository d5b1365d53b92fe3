"""Extraction on a Ray cluster: a task a video, on whichever machine is free."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.workers import VideoResults, try_extract
from untrimmed.io import BadInput, import_optional

LOCAL = "local"
"""Instead of an address: a cluster of this machine alone."""

# Tasks in flight for each processor of the cluster: enough to keep all busy, and no more results than fit in memory.
_IN_FLIGHT = 2
_RETRIES = 2
# Seconds.
_CONNECT_TIMEOUT = 5.0


def extract_on_cluster(videos: Sequence[Path], config: ExtractConfig, address: str) -> VideoResults:
    """Extract videos on machines that have this package and see videos and weights under the same paths.

    A video whose worker dies is given to another, twice; `address` is as `ray.init` takes it, `auto` or HOST:PORT, or
    `local`. Raises BadInput without Ray or where no cluster answers.
    """
    ray = import_optional("ray", "ray", "a cluster")
    _connect(ray, address)
    gpus = 1 if config.device.startswith("cuda") else 0
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=_RETRIES)(try_extract)
    limit = _IN_FLIGHT * max(1, int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1)))
    waiting, running = list(videos), {}
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                path = waiting.pop(0)
                running[task.remote(path.resolve(), config)] = path
            (reference, *_), _ = ray.wait(list(running), num_returns=1)
            path = running.pop(reference)
            try:
                result = ray.get(reference)
            except ray.exceptions.WorkerCrashedError:
                result = f"{path}: its worker died {_RETRIES + 1} times, perhaps for want of memory; extract it alone"
            yield path, result
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    options: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        if colon and port.isdigit():  # neither `auto` nor `local`: where nobody listens, Ray would wait many minutes
            socket.create_connection((host, int(port)), _CONNECT_TIMEOUT).close()
        ray.init(log_to_driver=False, **options)
    except (OSError, OverflowError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"ray {address}: no cluster answers ({str(error).splitlines()[0]}); start one with `ray start --head`"
        ) from None
