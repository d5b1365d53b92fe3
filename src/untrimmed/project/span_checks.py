"""What lies outside of the stretches that were annotated, or that train and test."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from untrimmed.annotations.annotations import Spans, format_count
from untrimmed.annotations.datasets.dataset import Dataset
from untrimmed.annotations.spans import ELSEWHERE, intersect_spans, is_inside, measure_spans, select_actions
from untrimmed.annotations.subsets import match_subsets
from untrimmed.project.findings import Finding
from untrimmed.timeline import Action, Timeline
from untrimmed.video.names import suggest_name

UNUSED = "stretches of a subset that neither trains nor tests"


def check_spans(dataset: Dataset, train: Sequence[str], test: Sequence[str]) -> Iterator[Finding]:
    """Find videos that are annotated in part or split in time, and actions that lie in no stretch or are cut.

    `train` and `test` are subsets. Seconds of a video that are in both are errors.
    """
    for video, spans in dataset.annotated.items():
        sentence = f"{video}: {measure_spans(spans) / 60:.3g} minutes, {_format_spans(spans)}"
        yield Finding("note", "video annotated in part", sentence, "fine, if it is so: nothing else is used")
    for note in dataset.notes:
        if ELSEWHERE in note:
            yield Finding(
                "warning", "actions outside of what is annotated", note, "widen the spans, or leave them out"
            )
    yield from _check_parts(dataset, train, test)
    used = match_subsets((*train, *test), dataset.splits).values()
    for name, sentence in describe_unused_subsets(dataset.parts, dataset.ground_truth, used, dataset.annotated):
        severity = "warning" if suggest_name(name, used) else "note"
        yield Finding(severity, UNUSED, sentence, "mend its name, or name it in data.train or data.test")


def describe_unused_subsets(
    parts: Mapping[str, Mapping[str, Spans]],
    timelines: Mapping[str, Timeline],
    used: Collection[str],
    annotated: Mapping[str, Spans] = {},
) -> list[tuple[str, str]]:
    """List the subsets of stretches that are none of `used`, each with a sentence: seconds, actions, nearest name."""
    rows = []
    for name in sorted({name for by_subset in parts.values() for name in by_subset} - {*used}):
        spans = {video: by_subset[name] for video, by_subset in parts.items() if name in by_subset}
        spans = {
            video: intersect_spans(stretches, annotated[video]) if video in annotated else stretches
            for video, stretches in spans.items()
        }
        seconds = sum(map(measure_spans, spans.values()))
        actions = sum(len(select_actions(timelines[video], spans[video])) for video in spans)
        near = suggest_name(name, used)
        remedy = f"; did you mean {near!r}?" if near else ""
        count = format_count(actions, "action")
        rows.append(
            (name, f"{name!r}, such as of {next(iter(spans))!r}: {seconds:,.0f} s with {count} are not used{remedy}")
        )
    return rows


def _check_parts(dataset: Dataset, train: Sequence[str], test: Sequence[str]) -> Iterator[Finding]:
    learned, tested = dataset.find_spans(*train), dataset.find_spans(*test)
    for video, parts in dataset.parts.items():
        training, testing = learned.get(video, ()), tested.get(video, ())
        if training and testing:
            sentence = f"{video}: trains {_format_spans(training)}; tests {_format_spans(testing)}"
            yield Finding("note", "video split in time", sentence, "no snippet is seen by both")
        if common := intersect_spans(training, testing):
            sentence = f"{video}: {_format_spans(common)}"
            yield Finding("error", "stretch in both training and test", sentence, "fix data.train or data.test")
        yield from _check_actions(video, dataset.ground_truth[video].actions, parts)


def _check_actions(video: str, actions: Sequence[Action], parts: Mapping[str, Spans]) -> Iterator[Finding]:
    """Find actions that lie in no part of their video, and those that a part ends in."""
    spans = [span for stretches in parts.values() for span in stretches]
    lost = [a for a in actions if not is_inside(tuple(spans), (a.start + a.end) / 2)]
    cut = [a for a in actions if any(a.start < border < a.end for span in spans for border in span)]
    kinds = {"actions in no stretch of their video": lost, "actions cut by the end of a stretch": cut}
    for kind, members in kinds.items():
        if members:
            first = f"{members[0].label!r} at {members[0].start:.2f} to {members[0].end:.2f} s"
            sentence = f"{video}: {format_count(len(members), 'action')}, the first is {first}"
            yield Finding("warning", kind, sentence, "put the borders where nothing happens")


def _format_spans(spans: Spans) -> str:
    return " and ".join(f"{start:.1f} to {end:.1f} s" for start, end in spans)
