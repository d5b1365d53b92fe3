"""Annotations of any format, in and out: one table of formats, one function that reads, one that writes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from untrimmed.annotations.durations import lengths_at
from untrimmed.annotations.formats import activitynet, thumos
from untrimmed.annotations.formats.audacity import read_audacity, write_audacity
from untrimmed.annotations.formats.base import Annotations
from untrimmed.annotations.formats.boris import read_boris, write_boris
from untrimmed.annotations.formats.charades import read_charades, write_charades
from untrimmed.annotations.formats.content import Hints, read_files, videos_of
from untrimmed.annotations.formats.cvat import read_cvat, write_cvat
from untrimmed.annotations.formats.elan import read_eaf, write_eaf
from untrimmed.annotations.formats.epic import read_epic, write_epic
from untrimmed.annotations.formats.folders import file_in, whole_folder
from untrimmed.annotations.formats.labels import for_cue, for_line, for_list, for_xml, relabelled, tidy
from untrimmed.annotations.formats.labelstudio import read_labelstudio, write_labelstudio
from untrimmed.annotations.formats.srt import read_srt, write_cues
from untrimmed.annotations.formats.tables import read_tabular, write_tabular
from untrimmed.annotations.formats.textgrid import read_textgrid, write_textgrid
from untrimmed.annotations.formats.via import read_via, write_via
from untrimmed.annotations.formats.vtt import read_vtt, write_vtt
from untrimmed.annotations.sniff import tell, tell_written
from untrimmed.io import BadInput
from untrimmed.timeline import Timeline

SCORES, LENGTHS, SUBSETS, EMPTY, MARKS = "scores", "lengths", "subsets", "videos without actions", "ambiguous marks"
"""What a format may have no place for."""

WriteVideo = Callable[[Path, str, Timeline, float | None], None]
WriteAll = Callable[[Path, Annotations, float | None], None]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one format is read and written, and what it cannot hold.

    A format is written either by `write`, all videos at once, or by `write_video`, each to a file with `ending`.
    `fit` gives a label as the format can hold it. `times` says how times are rounded, empty where they are not;
    where frames are optional, `by_rate` says how they are rounded if a rate is given.
    """

    title: str
    read: Callable[[Path, Hints], Annotations]
    write: WriteAll | None = None
    write_video: WriteVideo | None = None
    ending: str = ""
    lacks: tuple[str, ...] = ()
    times: str = ""
    by_rate: str = ""
    fit: Callable[[str], str] = tidy


@dataclass(frozen=True)
class Written:
    """What was written where: the file or folder, and sentences on what its format could not hold."""

    path: Path
    form: str
    notes: tuple[str, ...]


def read_any(
    path: Path,
    form: str | None = None,
    fps: float | None = None,
    *,
    durations: Path | None = None,
    label: str | None = None,
) -> Annotations:
    """The annotations in a file or folder of any format, told by ending and content unless `form` names it.

    `fps` is frames a second, for formats that count frames. `durations` is a folder of videos, or a table of videos
    and their lengths in seconds; a length that a file states goes before it. `label` names the columns of the label
    in a table. Rows that cannot be used are in `dropped`, guesses in `notes`. Raises BadInput.
    """
    name = form or tell(path)
    return _format(name).read(Path(path), Hints(check_rate(fps), label, lengths_at(durations)))


def write_any(path: Path, annotations: Annotations, form: str | None = None, fps: float | None = None) -> Written:
    """Write annotations in the format that `form` names, or that the ending of `path` says.

    A format of one video a file gets a new folder of files, unless `path` has its ending: then one file, for one
    video. What the format cannot hold is told in `notes`. Raises BadInput, and then nothing is written.
    """
    path, rate = Path(path), check_rate(fps)
    name = form or tell_written(path)
    chosen = _format(name)
    notes = [*_lost(chosen, annotations, rate)]
    timelines, changed = relabelled(annotations.timelines, chosen.fit)
    if changed:
        notes.append(f"{changed} labels are changed to what {chosen.title} can hold")
    fitted = replace(annotations, timelines=timelines)
    if chosen.write:
        chosen.write(path, fitted, rate)
    elif path.suffix.lower() == chosen.ending.lower():
        _write_one(path, chosen, timelines, rate)
    else:
        _write_each(path, chosen, timelines, rate)
    return Written(path, name, tuple(notes))


def check_rate(fps: float | None) -> float | None:
    """Frames a second; BadInput for a number that is none."""
    if fps is not None and not 0 < fps <= 1e6:
        raise BadInput(f"{fps:g} frames a second: a positive number was expected, as in --fps 25")
    return fps


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise BadInput(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def _lost(chosen: Format, annotations: Annotations, rate: float | None) -> Iterator[str]:
    """A sentence for everything that these annotations have and the format has no place for."""
    timelines = annotations.timelines
    empty = [video for video, timeline in timelines.items() if not timeline.actions]
    scored = any(action.score != 1 for timeline in timelines.values() for action in timeline.actions)
    present = {
        SCORES: scored,
        LENGTHS: bool(timelines),
        SUBSETS: bool(annotations.subsets),
        MARKS: bool(annotations.ambiguous),
    }
    for thing in chosen.lacks:
        if present.get(thing):
            yield f"{thing} are left out, as {chosen.title} has no place for them"
    if EMPTY in chosen.lacks and empty:
        yield f"{videos_of(empty)} without actions: left out, as {chosen.title} has no place for such"
    if times := chosen.by_rate if rate and chosen.by_rate else chosen.times:
        yield f"times are rounded to {times}"


def _write_one(path: Path, chosen: Format, timelines: Mapping[str, Timeline], rate: float | None) -> None:
    if len(timelines) != 1:
        raise BadInput(f"{path}: holds one video, not {len(timelines)}; give the name of a new folder instead")
    for video, timeline in timelines.items():
        _named(chosen)(path, video, timeline, rate)


def _write_each(path: Path, chosen: Format, timelines: Mapping[str, Timeline], rate: float | None) -> None:
    with whole_folder(path) as folder:
        files = {video: file_in(folder, video, chosen.ending, "video") for video in timelines}
        for video, timeline in timelines.items():
            _named(chosen)(files[video], video, timeline, rate)


def _named(chosen: Format) -> WriteVideo:
    if chosen.write_video is None:
        raise ValueError(f"{chosen.title} is written by neither way")
    return chosen.write_video


def _read_activitynet(path: Path, hints: Hints) -> Annotations:
    return activitynet.read_annotations(path, durations=hints.durations)


def _read_results(path: Path, hints: Hints) -> Annotations:
    return activitynet.read_detections(path)


def _read_thumos(path: Path, hints: Hints) -> Annotations:
    return thumos.read_thumos(path, hints.durations)


def _write_activitynet(path: Path, annotations: Annotations, fps: float | None) -> None:
    activitynet.write_annotations(path, annotations.timelines, annotations.subsets)


def _write_results(path: Path, annotations: Annotations, fps: float | None) -> None:
    activitynet.write_results(path, annotations.timelines)


def _write_thumos(path: Path, annotations: Annotations, fps: float | None) -> None:
    thumos.write_thumos(path, annotations)


FORMATS: dict[str, Format] = {
    "activitynet": Format(
        title="ActivityNet's JSON",
        read=_read_activitynet,
        write=_write_activitynet,
        lacks=(SCORES, MARKS),
        fit=str,
    ),
    "activitynet-results": Format(
        title="ActivityNet's JSON of results",
        read=_read_results,
        write=_write_results,
        lacks=(SUBSETS, MARKS),
        fit=str,
    ),
    "thumos": Format(
        title="THUMOS'14's folder",
        read=_read_thumos,
        write=_write_thumos,
        lacks=(SCORES, LENGTHS, EMPTY),
        fit=for_line,
    ),
    "table": Format(
        title="a table",
        read=partial(read_files, read_tabular, (".csv", ".tsv", ".txt")),
        write=write_tabular,
        lacks=(MARKS,),
    ),
    "elan": Format(
        title="ELAN",
        read=partial(read_files, read_eaf, (".eaf",)),
        write_video=write_eaf,
        ending=".eaf",
        lacks=(SCORES, SUBSETS, MARKS),
        times="milliseconds",
        fit=for_xml,
    ),
    "boris": Format(
        title="BORIS",
        read=partial(read_files, read_boris, (".boris", ".json")),
        write=write_boris,
        lacks=(SCORES, SUBSETS, MARKS),
    ),
    "via": Format(
        title="VIA",
        read=partial(read_files, read_via, (".json",)),
        write=write_via,
        lacks=(SUBSETS, MARKS),
    ),
    "cvat": Format(
        title="CVAT",
        read=partial(read_files, read_cvat, (".xml",)),
        write_video=write_cvat,
        ending=".xml",
        lacks=(SCORES, SUBSETS, MARKS),
        times="frames",
        fit=for_xml,
    ),
    "labelstudio": Format(
        title="Label Studio",
        read=partial(read_files, read_labelstudio, (".json",)),
        write=write_labelstudio,
        lacks=(SUBSETS, MARKS),
        by_rate="frames",
    ),
    "textgrid": Format(
        title="a TextGrid",
        read=partial(read_files, read_textgrid, (".textgrid",)),
        write_video=write_textgrid,
        ending=".TextGrid",
        lacks=(SCORES, SUBSETS, MARKS),
    ),
    "srt": Format(
        title="SRT",
        read=partial(read_files, read_srt, (".srt",)),
        write_video=write_cues,
        ending=".srt",
        lacks=(SCORES, LENGTHS, SUBSETS, MARKS),
        times="milliseconds",
        fit=for_cue,
    ),
    "vtt": Format(
        title="WebVTT",
        read=partial(read_files, read_vtt, (".vtt",)),
        write_video=write_vtt,
        ending=".vtt",
        lacks=(SCORES, LENGTHS, SUBSETS, MARKS),
        times="milliseconds",
    ),
    "epic": Format(
        title="EPIC-KITCHENS' CSV",
        read=partial(read_files, read_epic, (".csv",)),
        write=write_epic,
        lacks=(SCORES, LENGTHS, SUBSETS, EMPTY, MARKS),
        times="milliseconds",
    ),
    "charades": Format(
        title="Charades' CSV",
        read=partial(read_files, read_charades, (".csv",)),
        write=write_charades,
        lacks=(SCORES, SUBSETS, MARKS),
        fit=for_list,
    ),
    "audacity": Format(
        title="Audacity's labels",
        read=partial(read_files, read_audacity, (".txt",)),
        write_video=write_audacity,
        ending=".txt",
        lacks=(SCORES, LENGTHS, SUBSETS, MARKS),
        fit=for_line,
    ),
}
"""Every format, by the name that `--from` and `--to` take."""
