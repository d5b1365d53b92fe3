"""How long videos are, where annotations do not say: from the videos themselves, or from a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from untrimmed.annotations.formats.tables import read_lengths
from untrimmed.io import BadInput, missing
from untrimmed.video.sampling import ENDINGS, probe


def lengths_at(path: Path | None) -> Mapping[str, float]:
    """Seconds by video, of the videos in a folder or in a table; a file is opened when its length is asked for."""
    if path is None:
        return {}
    if not Path(path).exists():
        raise missing(path, "folder of videos or table of durations")
    return VideoLengths(Path(path)) if Path(path).is_dir() else read_lengths(path)


class VideoLengths(Mapping[str, float]):
    """Seconds of the videos in a folder, by their names without ending."""

    def __init__(self, folder: Path) -> None:
        self._files = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in ENDINGS}
        if not self._files:
            raise BadInput(f"{folder}: holds no video; files that end in {', '.join(ENDINGS)} were looked for")

    def __getitem__(self, video: str) -> float:
        return probe(self._files[video]).duration

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
