"""The commands, thin: each is a verb on features and timelines that lives elsewhere."""

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrimmed import __version__
from untrimmed.errors import BadInput

if TYPE_CHECKING:
    from untrimmed.evaluate.detection import DetectionScores

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Find every action in long videos: when it starts, when it ends, what it is, how sure we are.",
)
study = typer.Typer(no_args_is_help=True, help="Several trainings, pooled into one table.")
app.add_typer(study, name="study")

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1; auto takes a GPU where there is one.")]
JsonOut = Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file too.")]
Subset = Annotated[str | None, typer.Option(help="Judge these videos only, as the truth calls them.")]
Tious = Annotated[str | None, typer.Option(help="Other thresholds: 0.5 or 0.3,0.5 or 0.3:0.7:0.1.")]
VideoList = Annotated[Path | None, typer.Option(help="Judge only the videos in this file, one a line.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Settings over the recipe's: train.steps=500")]


def command(group: typer.Typer) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command of the group; bad input becomes one sentence and exit code 2, an interruption code 130."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (BadInput, FloatingPointError) as error:
                print(f"untrimmed: {error}", file=sys.stderr)
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                print("untrimmed: interrupted; the same command goes on from here", file=sys.stderr)
                raise typer.Exit(130) from None

        return group.command()(guarded)

    return register


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Find every action in long videos: when it starts, when it ends, what it is, how sure we are."""
    if version:
        print(f"untrimmed {__version__}")
        raise typer.Exit


@command(app)
def demo(
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder for videos, features, detector and report.")] = Path("runs/demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes that render and extract.")] = 2,
    quiet: Quiet = False,
) -> None:
    """Render small videos, learn from two thirds of them, find the actions in the rest, and show it.

    Example: `untrimmed demo --out runs/demo`
    """
    from untrimmed.demo.story import tell

    story = tell(out, overrides or [], workers=workers, quiet=quiet)
    show_scores(story.scores)
    print(f"report: {story.report}")


@command(app)
def extract(
    videos: Annotated[Path, typer.Argument(help="A video, or a folder of videos.")],
    out: Annotated[Path, typer.Option(help="The feature folder to write.")],
    fps: Annotated[float, typer.Option(help="Snippets a second.")] = 5.0,
    flow: Annotated[bool, typer.Option(help="Append a descriptor of the optical flow.")] = True,
    allow_truncated: Annotated[bool, typer.Option(help="Use what decodes of a damaged video.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Videos at a time, one core each.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Turn videos into features; done again, it skips what is there.

    Example: `untrimmed extract videos --out features --workers 2`
    """
    from untrimmed.extract import ExtractConfig, find_videos
    from untrimmed.extract import extract as extract_videos

    config = ExtractConfig(fps=fps, flow=flow, allow_truncated=allow_truncated)
    done = extract_videos(find_videos(videos), out, config, workers=workers, quiet=quiet)
    print(f"{len(done.done)} extracted, {len(done.skipped)} there already, {len(done.failed)} failed: {out}")
    for reason in done.failed.values():
        print(f"untrimmed: {reason}", file=sys.stderr)
    if done.failed:
        raise typer.Exit(2)


@command(app)
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder [default: runs/NAME OF THE RECIPE].")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a detector; killed and started again, it goes on where it was.

    Example: `untrimmed train recipes/salads50_ctcn.toml train.steps=800 --out runs/salads50`
    """
    from untrimmed.recipe import read_recipe
    from untrimmed.run import DETECTOR
    from untrimmed.train import train as run_training

    folder = out or Path("runs") / recipe.stem
    trained = run_training(read_recipe(recipe, overrides or []), folder, device=device, quiet=quiet)
    if not trained.results:
        return  # one of several processes; the first one speaks
    if trained.scores:
        show_scores(trained.scores)
    print(f"detector: {folder / DETECTOR}")


@command(app)
def detect(
    detector: Annotated[Path, typer.Argument(help="A detector file.")],
    source: Annotated[Path, typer.Argument(help="A video, a feature file, or a folder of either.")],
    out: Annotated[Path, typer.Option(help="Ends in .json, .csv or .srt; '{video}' in it writes a file a video.")],
    also: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="DETECTOR SOURCE", help="Fuse with a second detector, which sees its own features."),
    ] = None,
    weight: Annotated[float, typer.Option(min=0, max=1, help="The second detector's share; flow had 0.667.")] = 0.5,
    video_scores: Annotated[
        Path | None, typer.Option(help="JSON {video: {label: score}} of a classifier, which weighs what is found.")
    ] = None,
    top_labels: Annotated[int, typer.Option(min=1, help="Labels a video lends to a detector of one class.")] = 2,
    score: Annotated[float | None, typer.Option(help="Least score [default: 0.3 in .srt, else 0].")] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the network first: for many videos.")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Find the actions of videos; with `--also`, what two detectors agree on (late fusion).

    Example: `untrimmed detect runs/demo/detector.safetensors match.mp4 --out match.srt`
    """
    from untrimmed.detections import check_output, find_actions, find_fused_actions, write_detections
    from untrimmed.detector import Detector, pick_device
    from untrimmed.fusion import Fusion
    from untrimmed.video_scores import read_video_scores

    check_output(out)
    scores = read_video_scores(video_scores, top_labels) if video_scores else None
    place = pick_device(device)
    first = Detector.load(detector, place, compiled)
    if also:
        fusion = Fusion((first, Detector.load(also[0], place, compiled)), (1 - weight, weight))
        timelines = find_fused_actions(fusion, (source, also[1]), scores, quiet=quiet)
    else:
        timelines = find_actions(first, source, scores, quiet=quiet)
    for file in write_detections(out, timelines, score):
        print(file)


@command(app)
def evaluate(
    truth: Annotated[Path, typer.Argument(help="ActivityNet's JSON, or the folder of THUMOS'14 text annotations.")],
    results: Annotated[Path, typer.Argument(help="ActivityNet's JSON, or lines as the THUMOS'14 kit reads them.")],
    protocol: Annotated[
        str, typer.Option(help="Which rules; docs/evaluation.md has them all, and a wrong name lists them.")
    ] = "activitynet",
    subset: Subset = None,
    tiou: Tious = None,
    videos: VideoList = None,
    fps: Annotated[str | None, typer.Option(help="For protocols in frames: a number, or a table of videos.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for 95 % intervals, say 1000.")] = 0,
    ties: Annotated[bool, typer.Option("--ties", help="Also the range over orders among equal scores.")] = False,
    json: JsonOut = None,
    html: Annotated[Path | None, typer.Option(help="Write curves, tables and a diagnosis to this page.")] = None,
) -> None:
    """Judge detections, proposals, video labels or dense labels, by a protocol that says what it does.

    Example: `untrimmed evaluate annotations.json runs/demo/results.json --subset validation --tiou 0.3:0.7:0.1`
    """
    from untrimmed.evaluate.protocol import parse_tious
    from untrimmed.evaluation import Question, find_protocol, parse_rates
    from untrimmed.evaluation import answer as answer_question
    from untrimmed.evaluation_tables import tables_of
    from untrimmed.files import write_json

    rules = find_protocol(protocol, parse_tious(tiou) if tiou else None)
    rates = parse_rates(fps) if fps else None
    question = Question(truth=truth, results=results, protocol=rules, subset=subset, videos=videos, rates=rates)
    answer = answer_question(question, resamples=bootstrap, ties=ties)
    if json:
        write_json(json, answer.to_json())
    for table in tables_of(answer.scores):
        show_table(table.caption, table.header, table.rows)
    show_notes(answer.scores.notes)
    if html:
        from untrimmed.evaluation_page import write_evaluation

        print(write_evaluation(html, answer))


@command(app)
def compare(
    first: Annotated[Path, typer.Argument(help="What `evaluate --json` wrote, or a file of detections.")],
    second: Annotated[Path, typer.Argument(help="The same of another detector.")],
    truth: Annotated[Path | None, typer.Option(help="For files of detections: the annotations.")] = None,
    protocol: Annotated[str, typer.Option(help="For files of detections: which rules.")] = "activitynet",
    subset: Subset = None,
    tiou: Tious = None,
    bootstrap: Annotated[int, typer.Option(min=10, help="Resamples of the videos.")] = 1000,
    json: JsonOut = None,
) -> None:
    """Say by how much one detector is ahead of another, and how sure that is: both on the same resampled videos.

    Example: `untrimmed compare first.json second.json`
    """
    from untrimmed.evaluate.protocol import parse_tious
    from untrimmed.evaluation import compare_files, find_protocol, question_of
    from untrimmed.evaluation_tables import class_table, comparison_table
    from untrimmed.files import write_json

    rules = find_protocol(protocol, parse_tious(tiou) if tiou else None)
    questions = [question_of(file, truth, rules, subset) for file in (first, second)]
    comparison = compare_files(questions[0], questions[1], bootstrap)
    if json:
        write_json(json, comparison.to_json())
    for table in (class_table(comparison), comparison_table(comparison)):
        show_table(table.caption, table.header, table.rows)


@command(app)
def view(
    results: Annotated[Path, typer.Argument(help="Detections (or annotations) in ActivityNet's JSON form.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    videos: Annotated[Path | None, typer.Option(help="Folder of the videos.")] = None,
    kernels: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="DETECTOR SOURCE", help="Show a GTAN's learned kernels, and what it is to look at."),
    ] = None,
) -> None:
    """Write one HTML file that plays the videos above timelines of truth and detections.

    Example: `untrimmed view runs/demo/results.json --truth annotations.json --videos videos --out report.html`
    """
    from untrimmed.detections import write_view
    from untrimmed.detector import Detector
    from untrimmed.look import write_kernel_view

    if kernels:
        print(write_kernel_view(results, out, Detector.load(kernels[0]), kernels[1], truth, videos))
    else:
        print(write_view(results, out, truth, videos))


@command(app)
def kernels(
    detector: Annotated[Path, typer.Argument(help="A GTAN detector's file.")],
    source: Annotated[Path, typer.Argument(help="A video, a feature file, or a folder of either.")],
    video: Annotated[str, typer.Option(help="Which of the folder.")],
    out: Annotated[Path, typer.Option(help="The SVG file to write.")],
    truth: Annotated[Path | None, typer.Option(help="Annotations to show beside them.")] = None,
    layer: Annotated[int | None, typer.Option(help="1 is the finest [default: the one that fits best].")] = None,
) -> None:
    """Draw the Gaussian kernels that a GTAN laid over a video: curves, boxes, merged ones, detections.

    Example: `untrimmed kernels runs/gtan/detector.safetensors features --video match --out kernels.svg`
    """
    from untrimmed.detector import Detector
    from untrimmed.look import write_kernels

    print(write_kernels(out, Detector.load(detector), source, video, truth, layer))


@command(app)
def describe(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/.")],
    overrides: Overrides = None,
    channels: Annotated[int | None, typer.Option(help="Width of the features, without opening the data.")] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes, without opening the data.")] = None,
    json: JsonOut = None,
) -> None:
    """Say what a recipe builds: parameters, multiply-adds of one forward, anchors, levels.

    Example: `untrimmed describe recipes/salads50_ctcn.toml --json model.json`
    """
    from untrimmed.describe import describe_recipe
    from untrimmed.files import write_json
    from untrimmed.recipe import read_recipe

    built = describe_recipe(read_recipe(recipe, overrides or []), channels, classes)
    if json:
        write_json(json, built)
    show_table("", ["", ""], [[name, shown(value)] for name, value in built.items()])


@command(study)
def folds(
    recipe: Annotated[Path, typer.Argument(help="A recipe whose data has splits to hold out.")],
    overrides: Overrides = None,
    over: Annotated[str | None, typer.Option(help="Splits to hold out in turn: a,b,c [default: all named].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a run each [default: runs/NAME_folds].")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Cross-validate: hold out each split in turn, pool all detections, score once.

    Example: `untrimmed study folds recipes/salads50_ctcn.toml --out runs/salads50_folds`
    """
    from untrimmed.evaluation_tables import map_table
    from untrimmed.recipe import read_recipe
    from untrimmed.studies.folds import cross_validate

    settings = read_recipe(recipe, overrides or [])
    names = over.split(",") if over else sorted({*settings.data.train, *settings.data.test})
    folder = out or Path("runs") / f"{recipe.stem}_folds"
    study = cross_validate(settings, names, folder, device=device, quiet=quiet)
    table = map_table({**study.folds, "pooled, scored once": study.pooled})
    show_table(table.caption, table.header, table.rows)


Scale = Annotated[str, typer.Option(help="small: minutes of a core a row; full: the paper's network.")]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each row.")]
StudyData = Annotated[str, typer.Option(help="vts_kinematics or salads50_scores.")]
StudyOut = Annotated[Path | None, typer.Option(help="Folder for the runs [default: runs/NAME_DATA_SCALE].")]


@command(study)
def ctcn(
    table: Annotated[list[str], typer.Option(help="1, 2, 3, 4, 5 or D; may be given several times.")],
    data: StudyData = "vts_kinematics",
    seeds: Seeds = 1,
    scale: Scale = "small",
    out: StudyOut = None,
    page: Annotated[Path, typer.Option(help="The page to write a section of.")] = Path("docs/studies/ctcn.md"),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train the rows of the C-TCN paper's tables on other data, and say which of its claims hold there.

    Example: `untrimmed study ctcn --table 1 --data vts_kinematics --seeds 3`
    """
    from untrimmed.studies.ctcn import CTCN

    print(CTCN.run(table, data, scale, seeds, out, page, device=device, quiet=quiet))


@command(study)
def gtan(
    table: Annotated[list[str], typer.Option(help="3, 4 or fig7; may be given several times.")],
    data: StudyData = "vts_kinematics",
    seeds: Seeds = 1,
    scale: Scale = "small",
    out: StudyOut = None,
    page: Annotated[Path, typer.Option(help="The page to write a section of.")] = Path("docs/studies/gtan.md"),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train the rows of the GTAN paper's tables on other data, and say which of its claims hold there.

    Example: `untrimmed study gtan --table 3 --table 4 --data vts_kinematics --seeds 3`
    """
    from untrimmed.studies.gtan import GTAN

    print(GTAN.run(table, data, scale, seeds, out, page, device=device, quiet=quiet))


def show_scores(scores: "DetectionScores") -> None:
    """Print mean average precision, in percent, and AP of each class."""
    from untrimmed.evaluation_tables import detection_tables

    for table in detection_tables(scores):
        show_table(table.caption, table.header, table.rows)
    show_notes(scores.notes)


def show_notes(notes: list[str]) -> None:
    """Print what bears on the numbers."""
    for note in notes:
        print(f"note: {note}")


def show_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print a table; the first column holds words, the others numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # Eleven columns and the longest label fit into 80 characters.
    table = Table(box=box.SIMPLE_HEAD, show_header=any(header), padding=(0, 1, 0, 0), show_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        table.add_row(*map(str, row))
    if caption:
        print(caption)
    console = Console()
    # A number that is cut is worse than a line that wraps.
    room = console.options.update(max_width=10_000)
    console.width = max(console.width, console.measure(table, options=room).maximum)
    console.print(table)


def shown(value: Any) -> str:
    """A number with separators, a list with commas."""
    return ", ".join(map(str, value)) if isinstance(value, list) else f"{value:,}"


if __name__ == "__main__":
    app()
