"""Features of many videos in one folder, computed here or on a cluster; a video that fails does not stop the rest."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.extraction.cluster import extract_on_cluster
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.extraction.workers import ExtractionProgress, extract_here
from untrimmed.features.folder import FeatureWriter, read_source
from untrimmed.io import BadInput, Progress, missing
from untrimmed.video.containers import VIDEO_ENDINGS


class Extracted(NamedTuple):
    """The outcome of an extraction: videos done now, skipped because they were there, or failed, with the reason."""

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: Mapping[Path, str]


def find_videos(path: str | Path) -> list[Path]:
    """Return a video file itself, or the files in a folder with the ending of a video, sorted."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise missing(path, "video or folder of videos")
    videos = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_ENDINGS and file.is_file())
    if not videos:
        raise BadInput(f"{path}: holds no video; files that end in {', '.join(VIDEO_ENDINGS)} were looked for")
    return videos


def extract(
    videos: str | Path | Sequence[str | Path],
    out: str | Path,
    config: ExtractConfig = ExtractConfig(),
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Extracted:
    """Extract a video, a folder of videos or a list of them into a feature folder, each under its stem.

    A video whose features the folder holds already is skipped, so a run that was stopped goes on where it was.
    `workers` processes take a video each; with one, no process is started. `cluster` is the address of a Ray cluster
    that takes their place. `progress` is told the seconds of video that are done. A video that cannot be used does
    not stop the others. Raises BadInput when two videos have one stem, or the folder holds features of another
    source.
    """
    if workers < 1:
        raise BadInput(f"workers={workers} is no number of processes; give 1 or more")
    paths = find_videos(videos) if isinstance(videos, str | Path) else [Path(path) for path in videos]
    _check_stems(paths)
    if not config.fps and (stated := read_source(Path(out))):
        config = replace(config, fps=stated.fps)
    config = resolve_config(config, paths)
    writer = FeatureWriter(Path(out), build_source(config))
    failed = {path: reason for path in paths if path.stem in writer and (reason := _find_change(path, writer))}
    skipped = tuple(path for path in paths if path.stem in writer and path not in failed)
    todo = [path for path in paths if path.stem not in writer]
    done = set()
    tracker = ExtractionProgress(todo, progress)
    if cluster and todo:
        results = extract_on_cluster(todo, config, cluster)
    else:
        results = extract_here(todo, config, workers, tracker)
    with closing(results):
        for path, result in results:
            if isinstance(result, str):
                failed[path] = result
            else:
                writer.write(path.stem, result.features, result.origin)
                done.add(path)
            tracker.finish(path)
    in_order = {path: failed[path] for path in paths if path in failed}
    return Extracted(tuple(path for path in paths if path in done), skipped, in_order)


def _find_change(path: Path, writer: FeatureWriter) -> str | None:
    """Describe a video whose size is no longer that of the file which its features were made of; else None."""
    origin = writer.fingerprint(path.stem)
    if origin is None or not path.exists() or (size := path.stat().st_size) == origin.bytes:
        return None
    return (
        f"{path}: has {size:,} bytes, but its features in {writer.path} were made of a file of {origin.bytes:,}; "
        f"remove {path.stem}.npy there to extract it again"
    )


def _check_stems(videos: Sequence[Path]) -> None:
    by_stem: dict[str, Path] = {}
    for path in videos:
        if path.stem in by_stem:
            raise BadInput(f"{by_stem[path.stem]} and {path} would both be called {path.stem}; rename one of them")
        by_stem[path.stem] = path
