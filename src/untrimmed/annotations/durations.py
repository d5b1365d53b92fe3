"""The lengths of videos whose annotations state none: from the videos themselves, or from a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from untrimmed.annotations.formats.tables import read_duration_table
from untrimmed.io import BadInput, missing
from untrimmed.video.containers import VIDEO_ENDINGS
from untrimmed.video.probe import probe_video


def open_durations(path: str | Path | None) -> Mapping[str, float]:
    """Open the lengths in seconds, by video, of the videos in a folder or in a table; none for None."""
    if path is None:
        return {}
    path = Path(path)
    if not path.exists():
        raise missing(path, "folder of videos or table of durations")
    return VideoDurations(path) if path.is_dir() else read_duration_table(path)


class VideoDurations(Mapping[str, float]):
    """Seconds of the videos in a folder, by their names without ending; a file is opened when its length is read."""

    def __init__(self, folder: Path) -> None:
        self._files = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in VIDEO_ENDINGS}
        if not self._files:
            raise BadInput(f"{folder}: holds no video; files that end in {', '.join(VIDEO_ENDINGS)} were looked for")

    def __getitem__(self, video: str) -> float:
        return probe_video(self._files[video]).duration

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
