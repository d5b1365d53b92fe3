"""Videos to a feature folder: all that are not there yet, here or on a cluster; one that fails stops no other."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.extraction.cluster import on_cluster
from untrimmed.extraction.progress import Tally, tally
from untrimmed.extraction.settings import ExtractConfig, settled, source_of
from untrimmed.extraction.workers import Results, in_processes, one_by_one
from untrimmed.features.folder import FeatureWriter, stated_source
from untrimmed.io import BadInput, missing
from untrimmed.video import sampling as video


class Extracted(NamedTuple):
    """What became of some videos: extracted now, there already, or refused, each with its sentence."""

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: Mapping[Path, str]


def find_videos(path: Path) -> list[Path]:
    """A video file itself, or the files in a folder with the ending of a video, sorted."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise missing(path, "video or folder of videos")
    videos = sorted(file for file in path.iterdir() if file.suffix.lower() in video.ENDINGS and file.is_file())
    if not videos:
        raise BadInput(f"{path}: holds no video; files that end in {', '.join(video.ENDINGS)} were looked for")
    return videos


def extract(
    videos: Sequence[Path],
    out: Path,
    config: ExtractConfig,
    workers: int = 1,
    quiet: bool = True,
    cluster: str | None = None,
) -> Extracted:
    """Extract videos into a feature folder, each under its file name without ending.

    What the folder holds already is left as it is, so a run that was stopped goes on where it was. `workers`
    processes take a video each; with one, nothing is started; `cluster` is the address of one that runs Ray and
    takes their place. Unless `quiet`, a bar on standard error shows the time that is left. A video that cannot be
    used does not stop the others. Raises BadInput when two videos have one name, or the folder holds features of
    another source.
    """
    if workers < 1:
        raise BadInput(f"workers={workers} is no number of processes; give 1 or more")
    _check_names(videos)
    before = stated_source(out)
    config = settled(config if config.fps or not before else replace(config, fps=before.fps), videos)
    writer = FeatureWriter(Path(out), source_of(config))
    failed = {path: fault for path in videos if path.stem in writer and (fault := _changed(path, writer))}
    skipped = tuple(path for path in videos if path.stem in writer and path not in failed)
    waiting = [path for path in videos if path.stem not in writer]
    done = set()
    with tally(waiting, quiet) as seconds, closing(_results(waiting, config, workers, cluster, seconds)) as results:
        for path, result in results:
            if isinstance(result, str):
                failed[path] = result
            else:
                writer.write(path.stem, result.features, result.origin)
                done.add(path)
            seconds.finished(path)
    return Extracted(
        tuple(path for path in videos if path in done),
        skipped,
        {path: failed[path] for path in videos if path in failed},
    )


def _results(
    videos: Sequence[Path], config: ExtractConfig, workers: int, cluster: str | None, seconds: Tally
) -> Results:
    if cluster and videos:
        return on_cluster(videos, config, cluster)
    if workers > 1 and len(videos) > 1:
        return in_processes(videos, config, workers, seconds)
    return one_by_one(videos, config, seconds)


def _changed(path: Path, writer: FeatureWriter) -> str | None:
    """The sentence for a video that is no longer the file which its features were made of, by its size."""
    origin = writer.origin(path.stem)
    if origin is None or not path.exists() or (size := path.stat().st_size) == origin.bytes:
        return None
    return (
        f"{path}: has {size:,} bytes, but its features in {writer.path} were made of a file of {origin.bytes:,}; "
        f"remove {path.stem}.npy there to extract it again"
    )


def _check_names(videos: Sequence[Path]) -> None:
    named: dict[str, Path] = {}
    for path in videos:
        if path.stem in named:
            raise BadInput(f"{named[path.stem]} and {path} would both be called {path.stem}; rename one of them")
        named[path.stem] = path
