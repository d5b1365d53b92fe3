"""Extraction on a cluster that runs Ray: a task a video, on whichever machine is free."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from untrimmed.extraction.settings import ExtractConfig
from untrimmed.extraction.workers import Results, attempt
from untrimmed.io import BadInput, import_optional

LOCAL = "local"
"""Instead of an address: a cluster of this machine alone."""

# Tasks in flight for each processor of the cluster: enough to keep all busy, and no more results than fit in memory.
_FLYING = 2
_RETRIES = 2
# Seconds.
_PATIENCE = 5.0


def on_cluster(videos: Sequence[Path], config: ExtractConfig, address: str) -> Results:
    """Every machine sees videos and weights under the same paths, and has this package.

    A video whose worker dies is given to another, twice; `address` is as `ray.init` takes it, `auto` or HOST:PORT, or
    `local`. Raises BadInput without Ray or where no cluster answers.
    """
    ray = import_optional("ray", "ray", "a cluster")
    _join(ray, address)
    gpus = 1 if config.device.startswith("cuda") else 0
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=_RETRIES)(attempt)
    most = _FLYING * max(1, int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1)))
    waiting, flying = [path.resolve() for path in videos], {}
    named = dict(zip(waiting, videos, strict=True))
    try:
        while waiting or flying:
            while waiting and len(flying) < most:
                path = waiting.pop(0)
                flying[task.remote(path, config)] = path
            (done, *_), _ = ray.wait(list(flying), num_returns=1)
            path = named[flying.pop(done)]
            try:
                yield path, ray.get(done)
            except ray.exceptions.WorkerCrashedError:
                yield (
                    path,
                    f"{path}: its worker died {_RETRIES + 1} times, perhaps for want of memory; extract it alone",
                )
    finally:
        ray.shutdown()


def _join(ray: Any, address: str) -> None:
    _check_answers(address)
    where: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        ray.init(log_to_driver=False, **where)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"ray {address}: no cluster answers ({str(error).splitlines()[0]}); start one with `ray start --head`"
        ) from None


def _check_answers(address: str) -> None:
    """Refuse HOST:PORT where nobody listens, for which Ray would wait many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # `auto`, `local` and what else Ray may know
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise BadInput(f"ray {address}: no cluster answers ({error}); start one with `ray start --head`") from None
