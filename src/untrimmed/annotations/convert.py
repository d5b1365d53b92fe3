"""Annotations of any format, in and out: one table of formats, one function that reads, one that writes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from untrimmed.annotations.annotations import Annotations, Hints, format_count
from untrimmed.annotations.formats import activitynet
from untrimmed.annotations.formats.audacity import read_audacity, write_audacity
from untrimmed.annotations.formats.bento import read_bento
from untrimmed.annotations.formats.boris import read_boris, write_boris
from untrimmed.annotations.formats.boris_tables import read_boris_table
from untrimmed.annotations.formats.charades import read_charades, write_charades
from untrimmed.annotations.formats.content import FileContent, format_videos, read_files
from untrimmed.annotations.formats.cvat import read_cvat, write_cvat
from untrimmed.annotations.formats.elan import read_eaf, write_eaf
from untrimmed.annotations.formats.elan_tab import read_elan_export
from untrimmed.annotations.formats.epic import read_epic, write_epic
from untrimmed.annotations.formats.folders import write_files
from untrimmed.annotations.formats.frame_labels import read_frame_labels, read_frame_ranges
from untrimmed.annotations.formats.labels import fit_cue, fit_labels, fit_line, fit_list, fit_xml, tidy_label
from untrimmed.annotations.formats.labelstudio import read_labelstudio, write_labelstudio
from untrimmed.annotations.formats.noldus import read_observer
from untrimmed.annotations.formats.published import (
    read_captions,
    read_localisations,
    read_moments,
    read_sentences,
)
from untrimmed.annotations.formats.solomon import read_solomon
from untrimmed.annotations.formats.sportscode import read_sportscode
from untrimmed.annotations.formats.srt import read_srt, write_srt
from untrimmed.annotations.formats.tables import read_duration_table, read_tabular, write_tabular
from untrimmed.annotations.formats.textgrid import read_textgrid, write_textgrid
from untrimmed.annotations.formats.thumos import read_class_files, read_thumos, write_thumos
from untrimmed.annotations.formats.via import read_via, write_via
from untrimmed.annotations.formats.via_csv import read_via_csv
from untrimmed.annotations.formats.vtt import read_vtt, write_vtt
from untrimmed.annotations.formats.workbook import ENDINGS as WORKBOOKS
from untrimmed.annotations.label_names import describe_alike_labels
from untrimmed.annotations.renaming import rename_videos
from untrimmed.annotations.sniff import TABLES, choose_written_format, sniff_format
from untrimmed.annotations.span_table import add_span_table
from untrimmed.annotations.units import CLOCK, check_rate, check_unit, refuse_other_unit
from untrimmed.io import BadInput, missing
from untrimmed.timeline import Timeline, classes_of
from untrimmed.video.folders import list_videos
from untrimmed.video.names import NamedValues, describe_loose_matches, match_affixes, match_names, suggest_name
from untrimmed.video.probe import probe_video

SCORES, LENGTHS, SUBSETS, EMPTY, MARKS = "scores", "lengths", "subsets", "videos without actions", "ambiguous marks"
"""What a format may have no place for."""

CUES_LACK = (SCORES, LENGTHS, SUBSETS, MARKS)
"""What a list of times and labels has no place for."""

TIERED = ("elan", "elan-tab", "textgrid", "boris", "boris-table", "observer", "solomon", "bento")
"""Formats of which some tiers can be read: what was annotated by itself, an observation, a channel or a column."""

LABELLED = ("table", "epic", "boris", "boris-table", "observer", "sportscode", "frame-labels")
"""Formats of which somebody can say what the labels are made of."""

EXAMPLES = 3
"""How many dropped rows a note quotes."""


@dataclass(frozen=True)
class Format:
    """How one format is read and written, and what it cannot hold.

    `fit` turns a label into one that the format can hold. `times` says how times are rounded, empty where they are
    not; where frames are optional, `by_rate` says how they are rounded if a rate is given. `unit` is that of the
    times in every file of the format, empty where a file may be in any. `holds_spans` says that it has a place for
    the stretches that were annotated. One without `write` is only read.
    """

    title: str
    read: Callable[[Path, Hints], Annotations]
    write: Callable[[Path, Annotations, float | None], None] | None = None
    lacks: tuple[str, ...] = ()
    times: str = ""
    fit: Callable[[str], str] = tidy_label
    by_rate: str = ""
    unit: str = ""
    holds_spans: bool = False


@dataclass(frozen=True)
class Written:
    """What was written where: the file or folder, and sentences on what its format could not hold."""

    path: Path
    format: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Conversion:
    """The annotations that were read, the name of their format, and what was written."""

    annotations: Annotations
    format: str
    written: Written

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed in reading, dropped, and lost in writing."""
        rows = self.annotations.dropped
        more = [f"and {len(rows) - EXAMPLES:,} more"] if len(rows) > EXAMPLES else []
        dropped = f"{len(rows):,} dropped: {'; '.join([*map(str, rows[:EXAMPLES]), *more])}"
        return (*self.annotations.notes, *([dropped] if rows else []), *self.written.notes)

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values: what was written, counts, notes."""
        timelines = self.annotations.timelines.values()
        return {
            "path": str(self.written.path),
            "from": self.format,
            "to": self.written.format,
            "videos": len(timelines),
            "actions": sum(map(len, timelines)),
            "classes": list(classes_of(timelines)),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        timelines = self.annotations.timelines.values()
        counts = (
            format_count(len(timelines), "video"),
            format_count(sum(map(len, timelines)), "action"),
            format_count(len(classes_of(timelines)), "class", "classes"),
        )
        return f"{self.written.path}: {', '.join(counts)}; from {self.format} to {self.written.format}"


def convert(
    source: str | Path,
    out: str | Path,
    *,
    from_: str | None = None,
    to: str | None = None,
    fps: float | str | None = None,
    durations: str | Path | None = None,
    label: str | None = None,
    unit: str | None = None,
    tiers: str | Sequence[str] = (),
    columns: Sequence[str] = (),
    annotated: str | Path | None = None,
) -> Conversion:
    """Read annotations in one format and write them in another.

    `from_` and `to` name the formats where content and ending do not say them. The other arguments are those of
    `read_annotations`. Raises BadInput, and then nothing is written.
    """
    name = from_ or sniff_format(source)
    options = {"durations": durations, "label": label, "unit": unit, "tiers": tiers, "columns": columns}
    rate = check_rate(fps)
    annotations = read_annotations(source, name, rate, **options, annotated=annotated)
    return Conversion(annotations, name, write_annotations(out, annotations, to, rate))


def read_annotations(
    path: str | Path,
    format: str | None = None,
    fps: float | str | None = None,
    *,
    durations: str | Path | None = None,
    label: str | None = None,
    unit: str | None = None,
    tiers: str | Sequence[str] = (),
    columns: Sequence[str] = (),
    annotated: str | Path | None = None,
) -> Annotations:
    """Read a file or folder of annotations of any format, sniffed from ending and content unless `format` names it.

    `fps` is frames a second, for formats that count frames. `durations` is a folder of videos, or a table of videos
    and their lengths in seconds; a length that a file states goes before it. `label` names the columns of the label
    in a table. `unit` is that of the times, one of `s`, `ms`, `us`, `frames`, `share` (of the video's length), where
    the file does not state it. `tiers` are those (or the one) to read of a file that has several. `columns` names the
    columns of a table that has no line of names, in their order, as in `("video", "start", "end", "label")`.
    `annotated` is a table of the stretches that were annotated, with the columns `video`, `start`, `end`, and
    `subset` where a stretch is of one: nothing outside them is learned or judged.
    Rows that cannot be used are in `dropped`, guesses in `notes`. Raises BadInput, also where the times cannot be
    seconds and no unit is given.
    """
    tiers = (tiers,) if isinstance(tiers, str) else tiers
    table = None if annotated is None else Path(annotated)
    hints = Hints(check_rate(fps), label, open_durations(durations), check_unit(unit), tiers, columns, table)
    annotations, matches = _match_lengths(format or sniff_format(path), Path(path), hints)
    if hints.durations and not matches:
        raise _no_lengths(Path(path), list(annotations.timelines), list(hints.durations))
    return annotations


def read_beside_videos(
    path: str | Path, lengths: Mapping[str, float], unit: str | None = None, fps: float | str | None = None
) -> Annotations:
    """Read annotations as `read_annotations` does, beside videos of `lengths` in seconds, of which none may fit."""
    hints = Hints(check_rate(fps), durations=NamedValues(lengths), unit=check_unit(unit))
    return _match_lengths(sniff_format(path), Path(path), hints)[0]


def read_as(format: str, path: Path, hints: Hints) -> Annotations:
    """Read annotations in the format that is named. Raises BadInput for a hint that says nothing in this format."""
    source = find_format(format)
    if hints.tiers and format not in TIERED:
        raise BadInput(f"{path}: {source.title} has no tiers; leave out {', '.join(map(repr, hints.tiers))}")
    if hints.label and format not in LABELLED:
        raise BadInput(f"{path}: {source.title} has no columns to make labels of; leave out label={hints.label!r}")
    if hints.columns and format != "table":
        raise BadInput(f"{path}: {source.title} needs no names of columns; leave out {', '.join(hints.columns)}")
    if source.unit:
        refuse_other_unit(path, hints.unit, source.unit, source.title)
        hints = hints._replace(unit="s")  # the reader has turned its own unit into seconds, and they are not doubted
    return add_span_table(source.read(path, hints), hints.annotated, hints.fps)


def _match_lengths(format: str, path: Path, hints: Hints) -> tuple[Annotations, dict[str, str]]:
    """Read annotations, with the names by which their lengths are known, and note which those are.

    Where all names have a text in common that those of the lengths lack, such as `_annotations`, it is dropped.
    """
    annotations = read_as(format, path, hints)
    matches = match_names(annotations.timelines, hints.durations)
    if hints.durations and not matches:
        matches = match_affixes(annotations.timelines, hints.durations)
        lengths = {name: hints.durations[video] for name, video in matches.items()}
        annotations = rename_videos(read_as(format, path, hints._replace(durations=lengths)), matches)
    sentences = (describe_loose_matches(matches), describe_alike_labels(classes_of(annotations.timelines.values())))
    return replace(annotations, notes=(*annotations.notes, *filter(None, sentences))), matches


def _no_lengths(path: Path, names: list[str], lengths: list[str]) -> BadInput:
    near = suggest_name(names[0], lengths)
    hint = f" (is it {near!r} there?)" if near else ""
    return BadInput(
        f"{path}: annotates {format_videos(names)}, and the lengths are of {format_videos(lengths)}: "
        f"no name is in both{hint}; rename one or the other"
    )


def write_annotations(
    path: str | Path,
    annotations: Annotations | Mapping[str, Timeline],
    format: str | None = None,
    fps: float | None = None,
) -> Written:
    """Write annotations in the format that `format` names, or that the ending of `path` says.

    A format of one video a file gets a new folder of files, unless `path` has its ending: then one file, for one
    video. `fps` is frames a second, for formats that count frames. `notes` says what the format cannot hold. Raises
    BadInput, and then nothing is written.
    """
    path, rate = Path(path), check_rate(fps)
    if not isinstance(annotations, Annotations):
        annotations = Annotations(annotations)
    name = format or choose_written_format(path)
    target = find_format(name)
    if target.write is None:
        writable = ", ".join(key for key, form in FORMATS.items() if form.write)
        raise BadInput(f"{path}: {target.title} can be read but not written; there are {writable}")
    notes = [*_list_losses(target, annotations, rate)]
    timelines, changed = fit_labels(annotations.timelines, target.fit)
    if changed:
        labels = format_count(changed, "label is", "labels are")
        notes.append(f"{labels} changed to what {target.title} can hold")
    target.write(path, replace(annotations, timelines=timelines), rate)
    return Written(path, name, tuple(notes))


def open_durations(path: str | Path | None) -> Mapping[str, float]:
    """Open the lengths in seconds, by video, of the videos in a folder or in a table; none for None."""
    if path is None:
        return {}
    path = Path(path)
    if not path.exists():
        raise missing(path, "folder of videos or table of durations")
    return NamedValues(VideoDurations(path) if path.is_dir() else read_duration_table(path))


class VideoDurations(Mapping[str, float]):
    """Seconds of the videos in a folder and in the folders inside it; a file is opened when its length is read."""

    def __init__(self, folder: Path) -> None:
        self._files = list_videos(folder).files

    def __getitem__(self, video: str) -> float:
        return probe_video(self._files[video]).duration

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def find_format(name: str) -> Format:
    """Return the format of that name. Raises BadInput with all names for another."""
    if name not in FORMATS:
        raise BadInput(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def _list_losses(target: Format, annotations: Annotations, rate: float | None) -> Iterator[str]:
    """Yield a sentence for everything that these annotations have and the format has no place for."""
    timelines = annotations.timelines
    empty = [video for video, timeline in timelines.items() if not timeline.actions]
    scored = any(action.score != 1 for timeline in timelines.values() for action in timeline.actions)
    present = {SCORES: scored, LENGTHS: timelines, SUBSETS: annotations.subsets, MARKS: annotations.ambiguous}
    for thing in target.lacks:
        if present.get(thing):
            yield f"{thing} are left out, as {target.title} has no place for them"
    if (annotations.annotated or annotations.parts) and not target.holds_spans:
        yield (
            f"which stretches were annotated is left out, as {target.title} has no place for it; ActivityNet's JSON "
            "has one, or write a table of them (annotated=..., --annotated)"
        )
    if EMPTY in target.lacks and empty:
        yield f"{format_videos(empty)} without actions: left out, as {target.title} has no place for such"
    if times := target.by_rate if rate and target.by_rate else target.times:
        yield f"times are rounded to {times}"


def _one_video(
    title: str,
    ending: str,
    read: Callable[[Path, Hints], FileContent],
    write: Callable[[Path, str, Timeline, float | None], None],
    lacks: tuple[str, ...],
    times: str = "",
    fit: Callable[[str], str] = tidy_label,
    unit: str = "",
) -> Format:
    """Return a format that holds one video a file."""
    reader = partial(read_files, read, (ending.lower(),), deep=True)
    writer = partial(write_files, write, ending)
    return Format(title, reader, writer, lacks, times, fit, unit=unit)


def _read_with(read: Callable[[Path, Hints], FileContent], *endings: str) -> Callable[[Path, Hints], Annotations]:
    return partial(read_files, read, endings)


FORMATS: dict[str, Format] = {
    "activitynet": Format(
        "ActivityNet's JSON",
        lambda path, hints: activitynet.read_activitynet(path, hints=hints),
        lambda path, annotations, _: activitynet.write_activitynet(
            path, annotations.timelines, annotations.subsets, annotations.annotated, annotations.parts
        ),
        lacks=(SCORES, MARKS),
        holds_spans=True,
        fit=str,
    ),
    "activitynet-results": Format(
        "ActivityNet's JSON of results",
        lambda path, hints: activitynet.read_activitynet_results(path, hints),
        lambda path, annotations, _: activitynet.write_activitynet_results(path, annotations.timelines),
        lacks=(SUBSETS, MARKS),
        fit=str,
    ),
    "thumos": Format("THUMOS'14's folder", read_thumos, write_thumos, (SCORES, LENGTHS, EMPTY), fit=fit_line),
    "table": Format("a table", _read_with(read_tabular, *TABLES, *WORKBOOKS), write_tabular, (MARKS,)),
    "elan": _one_video("ELAN", ".eaf", read_eaf, write_eaf, (SCORES, SUBSETS, MARKS), "milliseconds", fit_xml, "ms"),
    "boris": Format(
        "BORIS", _read_with(read_boris, ".boris", ".json"), write_boris, (SCORES, SUBSETS, MARKS), unit="s"
    ),
    "via": Format("VIA", _read_with(read_via, ".json"), write_via, (SUBSETS, MARKS), unit="s"),
    "cvat": _one_video("CVAT", ".xml", read_cvat, write_cvat, (SCORES, SUBSETS, MARKS), "frames", fit_xml, "frames"),
    "labelstudio": Format(
        "Label Studio",
        _read_with(read_labelstudio, ".json"),
        write_labelstudio,
        (SUBSETS, MARKS),
        by_rate="frames",
        unit="frames",
    ),
    "textgrid": _one_video(
        "a TextGrid", ".TextGrid", read_textgrid, write_textgrid, (SCORES, SUBSETS, MARKS), unit="s"
    ),
    "srt": _one_video("SRT", ".srt", read_srt, write_srt, CUES_LACK, "milliseconds", fit_cue, CLOCK),
    "vtt": _one_video("WebVTT", ".vtt", read_vtt, write_vtt, CUES_LACK, "milliseconds", unit=CLOCK),
    "epic": Format(
        "EPIC-KITCHENS' CSV", _read_with(read_epic, ".csv"), write_epic, (*CUES_LACK, EMPTY), "milliseconds"
    ),
    "charades": Format(
        "Charades' CSV", _read_with(read_charades, ".csv"), write_charades, (SCORES, SUBSETS, MARKS), fit=fit_list
    ),
    "audacity": _one_video("Audacity's labels", ".txt", read_audacity, write_audacity, CUES_LACK, fit=fit_line),
    "frame-labels": Format("a label for every frame", read_frame_labels),
    "frame-ranges": Format("ranges of frames", read_frame_ranges, unit="frames"),
    "multithumos": Format("MultiTHUMOS' folder", read_class_files),
    "ego4d": Format("Ego4D's moments", _read_with(read_moments, ".json"), unit="s"),
    "perception-test": Format("Perception Test's JSON", _read_with(read_localisations, ".json"), unit="us"),
    "captions": Format("ActivityNet Captions' JSON", _read_with(read_captions, ".json")),
    "charades-sta": Format("Charades-STA's text", _read_with(read_sentences, ".txt")),
    "boris-table": Format("BORIS' table of events", _read_with(read_boris_table, *TABLES), unit="s"),
    "elan-tab": Format("ELAN's tab-delimited export", _read_with(read_elan_export, *TABLES), unit="s"),
    "via-csv": Format("VIA's CSV", _read_with(read_via_csv, ".csv", ".tsv"), unit="s"),
    "observer": Format("The Observer's event log", _read_with(read_observer, *TABLES), unit="s"),
    "solomon": Format("Solomon Coder's sheet", _read_with(read_solomon, *TABLES), unit="s"),
    "bento": Format("BENTO's annotations", _read_with(read_bento, ".annot", ".txt")),
    "sportscode": Format("Sportscode's XML", _read_with(read_sportscode, ".xml"), unit="s"),
}
"""Every format, by the name that `--from` and `--to` take."""
