"""Features of many videos in one folder, computed here or on a cluster; a video that fails does not stop the rest."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from untrimmed.extraction.cluster import extract_on_cluster
from untrimmed.extraction.settings import ExtractConfig, build_source, resolve_config
from untrimmed.extraction.video import describe_start
from untrimmed.extraction.workers import ExtractionProgress, extract_here
from untrimmed.features.folder import FeatureWriter, read_source
from untrimmed.io import BadInput, Progress
from untrimmed.video.folders import VideoListing, list_videos
from untrimmed.video.names import name_files

logger = logging.getLogger(__name__)


class Extracted(NamedTuple):
    """The outcome of an extraction: videos done now, skipped because they were there, or failed, with the reason.

    `notes` say what was passed over in the folder.
    """

    done: tuple[Path, ...]
    skipped: tuple[Path, ...]
    failed: Mapping[Path, str]
    notes: tuple[str, ...] = ()


def extract(
    videos: str | Path | Sequence[str | Path],
    out: str | Path,
    config: ExtractConfig = ExtractConfig(),
    *,
    workers: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Extracted:
    """Extract a video, a folder of videos (and of folders of them) or a list of videos into a feature folder.

    Each is called as `video.names.name_files` says: by its file, or by its path in the folder where two are alike.
    A video whose features the folder holds already is skipped, so a run that was stopped goes on where it was. Of the
    videos that it was at, what was done lies in hidden files in the folder, unless a cluster was at them.
    `workers` processes take a video each; with one, no process is started. `cluster` is the address of a Ray cluster
    that takes their place. `progress` is told the seconds of video that are done. A video that cannot be used does
    not stop the others. Raises BadInput when the folder holds features of another source.
    """
    if workers < 1:
        raise BadInput(f"workers={workers} is no number of processes; give 1 or more")
    listing = list_videos(videos) if isinstance(videos, str | Path) else VideoListing(name_files(map(Path, videos)))
    names = {path: name for name, path in listing.files.items()}
    if not config.fps and (stated := read_source(Path(out))):
        config = replace(config, fps=stated.fps)
    config = resolve_config(config, list(names))
    writer = FeatureWriter(Path(out), build_source(config))
    present = {path: name for path, name in names.items() if name in writer}
    failed = {path: change for path, name in present.items() if (change := _find_change(path, name, writer))}
    parts = {path: place_part(Path(out), name) for path, name in names.items()}
    for path in present:
        parts[path].unlink(missing_ok=True)
    todo = {path: part for path, part in parts.items() if path not in present}
    if not cluster:
        log_starts(todo, config)
    finished = set()
    tracker = ExtractionProgress([*todo], progress)
    if cluster and todo:
        results = extract_on_cluster([*todo], config, cluster)
    else:
        results = extract_here(todo, config, workers, tracker)
    with closing(results), _name_what_is_kept(parts, names, writer):
        for path, result in results:
            if isinstance(result, str):
                failed[path] = result
            else:
                writer.write(names[path], result.features, result.origin)
                parts[path].unlink(missing_ok=True)
                finished.add(path)
            tracker.finish(path)
    return Extracted(
        tuple(path for path in names if path in finished),
        tuple(path for path in present if path not in failed),
        {path: failed[path] for path in names if path in failed},
        listing.notes,
    )


def place_part(folder: Path, video: str) -> Path:
    """Return where in a folder what is done of the features of a video is kept until they are whole."""
    file = folder / video
    return file.with_name(f".{file.name}.part")


def log_starts(parts: Mapping[Path, Path], config: ExtractConfig) -> None:
    """Log where extraction goes on in videos that it was at, and where it begins anew in one, and why."""
    for path, part in parts.items():
        try:
            note = describe_start(part, path, resolve_config(config, [path]))
        except (BadInput, OSError):  # extraction meets the same fault, and reports it
            continue
        if note:
            logger.info("%s", note)


@contextmanager
def _name_what_is_kept(
    parts: Mapping[Path, Path], names: Mapping[Path, str], writer: FeatureWriter
) -> Iterator[None]:
    """Say in an interruption how far an extraction came."""
    try:
        yield
    except KeyboardInterrupt:
        done = sum(name in writer for name in names.values())
        more = ", and what was done of the next" if any(part.exists() for part in parts.values()) else ""
        raise KeyboardInterrupt(
            f"stopped with {done} of {len(names)} videos done, which {writer.path} holds{more}"
        ) from None


def _find_change(path: Path, name: str, writer: FeatureWriter) -> str | None:
    """Describe a video whose size is no longer that of the file which its features were made of; else None."""
    origin = writer.fingerprint(name)
    if origin is None or not path.exists() or (size := path.stat().st_size) == origin.bytes:
        return None
    return (
        f"{path}: has {size:,} bytes, but its features in {writer.path} were made of a file of {origin.bytes:,}; "
        f"remove {name}.npy there to extract it again"
    )
