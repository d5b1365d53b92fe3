"""Studies: a paper's rows as settings, run once each, fused and measured, written down beside the paper."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from papers.ctcn import CTCN, STREAMS
from papers.gtan import GTAN
from papers.measures import compute_length_quantile, long_actions, proposal_area
from papers.pages import describe_section, describe_table, write_section
from papers.runs import TRIAL, Runs
from papers.study import Study
from papers.tables import Claim, Measure, PaperTable, Row, Trial

from papers import runs as runs_module
from synthetic import recipe_for, write_dataset
from untrimmed.annotations.corpus import open_corpus
from untrimmed.annotations.formats.activitynet import read_activitynet_results
from untrimmed.detection.detector import Detector
from untrimmed.detection.fusion import Fusion
from untrimmed.evaluation.instances import from_timelines
from untrimmed.evaluation.proposals import compute_proposal_scores
from untrimmed.io import BadInput
from untrimmed.models.gtan import GTANConfig
from untrimmed.recipe import Recipe, override_recipe
from untrimmed.timeline import Action, Timeline
from untrimmed.training.checkpoint import DETECTOR, RESULTS, Run, score_detections

SMALL = PaperTable(
    "X",
    "two numbers of anchors",
    (0.3, 0.5),
    (
        Row("few", ("model.anchors=3",), (50.0, 40.0)),
        Row("many", (), (60.0, 45.0)),
    ),
    (Claim("many are better", "many", "few"),),
)
STREAMED = PaperTable(
    "S",
    "two streams",
    (0.5,),
    (
        Row("late", fuse=("one", "other")),
        Row("one", ("data.columns=[[0, 5]]",)),
        Row("other", ("data.columns=[[3, 8]]",)),
    ),
)
COUNT = Measure("detections", lambda results, _: sum(len(timeline.actions) for timeline in results.values()) / 1e4)


def recipe_in(tmp_path: Path, **train: int) -> Recipe:
    return recipe_for(write_dataset(tmp_path / "data", videos=6), train={"steps": 2, "save_every": 9, **train})


@pytest.fixture
def trained(monkeypatch) -> list[tuple[int, int]]:
    """Anchors and seed of every training from here on."""
    calls, train = [], runs_module.train

    def noting(recipe, *args, **kwargs):
        calls.append((recipe.model.anchors, recipe.train.seed))
        return train(recipe, *args, **kwargs)

    monkeypatch.setattr(runs_module, "train", noting)
    return calls


def figures(runs: Runs, table: PaperTable) -> dict:
    """What was found, without the time that it took."""
    return {name: [(t.seed, t.map, t.measures) for t in trials] for name, trials in runs.trials(table).items()}


@pytest.mark.parametrize("scale", ["small", "full"])
@pytest.mark.parametrize("data", list(CTCN.data))
def test_every_row_of_every_table_is_a_recipe_of_its_own(data, scale):
    recipe = CTCN.base(data, scale)
    for table in CTCN.tables(data, scale).values():
        made = [(override_recipe(recipe, row.settings), row.fuse) for row in table.rows]
        assert all(one != other for i, one in enumerate(made) for other in made[:i]), table.name
        assert all(len(row.paper) in (0, len(table.tious)) for row in table.rows)
        names = [row.name for row in table.rows]
        assert len(set(names)) == len(names)
        for claim in table.claims:
            assert {claim.better, claim.worse} <= set(names)


def test_what_the_paper_calls_by_two_names_is_one_run(tmp_path):
    runs, known = Runs(tmp_path, CTCN.base("vts_kinematics", "small")), CTCN.tables("vts_kinematics", "small")
    for one, other in (
        (("1", "TCN 60"), ("D", "1 group, own filters")),
        (("1", "C-TCN 60"), ("D", "32 groups (for 256), shared")),
        (("2", "early fusion"), ("3", "7 anchors")),
    ):
        first, second = (runs.place(known[number], known[number].row(name), 0) for number, name in (one, other))
        assert first == second


@pytest.mark.parametrize("scale", list(GTAN.scales))
@pytest.mark.parametrize("data", list(GTAN.data))
def test_gtan_s_tables_differ_in_kernels_and_layers_alone(data, scale):
    base, tables = GTAN.base(data, scale), GTAN.tables(data, scale)
    designs = [override_recipe(base, row.settings).model for row in tables["3"].rows]
    assert designs == [replace(base.model, kernels=kind) for kind in ("fixed", "gaussian", "grouped")]
    rows = [override_recipe(base, row.settings).model for row in tables["fig7"].rows]
    assert [model.kernels for model in rows] == ["fixed"] * 5 + ["grouped"] * 5
    most = len(base.model.layers)
    assert [len(model.layers) for model in rows] == [*range(most - 4, most + 1)] * 2
    for table in tables.values():
        named = {row.name for row in table.rows}
        assert all({claim.better, claim.worse} <= named for claim in table.claims)


def test_gtan_at_full_scale_is_the_paper_s_network():
    assert GTAN.base("vts_kinematics", "full").model == GTANConfig()


def test_the_full_scale_is_the_paper_s_network_and_groups():
    rows = CTCN.tables("vts_kinematics", "full")["D"].rows
    assert [row.name.split()[0] for row in rows] == ["1", "4", "16", "64", "256", "4", "16", "64", "256"]
    assert rows[0].name == "1 group, own filters"
    model = CTCN.base("vts_kinematics", "full").model
    assert (model.depth, model.concepts, model.width, model.length) == (60, 256, 1.0, 512)


@pytest.mark.parametrize("data", list(CTCN.data))
def test_the_two_streams_side_by_side_are_what_early_fusion_sees(data):
    columns = CTCN.base(data, "small").data.columns or ((0, 36),)
    early = {channel for first, last in columns for channel in range(first, last)}
    one, other = ({c for first, last in stream.columns for c in range(first, last)} for stream in STREAMS[data])
    assert one | other == early and not one & other


@pytest.mark.data
@pytest.mark.parametrize("data_set", list(CTCN.data))
def test_each_stream_of_the_real_data_opens_alone(data, data_set):
    recipe, table = CTCN.base(data_set, "small"), CTCN.tables(data_set, "small")["2"]
    widths = []
    for row in table.rows[:2]:
        corpus = open_corpus(override_recipe(recipe, row.settings).data)
        widths.append(corpus.features[corpus.test[0]].channels)
        assert corpus.source.streams == (row.name.removesuffix(" alone"),)
    assert widths == {"vts_kinematics": [18, 18], "salads50_scores": [36, 20]}[data_set]


def test_more_seeds_keep_what_was_run_and_fewer_take_nothing_away(tmp_path, trained):
    recipe = recipe_in(tmp_path)
    Runs(tmp_path, recipe).fill(SMALL, 1)
    before = Runs(tmp_path, recipe).trials(SMALL)
    assert trained == [(3, 0), (7, 0)]
    Runs(tmp_path, recipe).fill(SMALL, 3)
    assert trained == [(3, 0), (7, 0), (3, 1), (7, 1), (3, 2), (7, 2)]
    Runs(tmp_path, recipe).fill(SMALL, 1)
    assert len(trained) == 6
    after = Runs(tmp_path, recipe).trials(SMALL)
    assert {name: several[:1] for name, several in after.items()} == before
    assert [trial.seed for trial in after["few"]] == [0, 1, 2]


def test_a_study_that_was_interrupted_in_a_training_goes_on_there(tmp_path, trained, monkeypatch):
    recipe = recipe_in(tmp_path, steps=6, save_every=2)
    whole = Runs(tmp_path / "whole", recipe)
    whole.fill(SMALL, 2)
    log, lines = Run.log, []

    def killed(run: Run, entry: dict) -> None:
        log(run, entry)
        lines.append(entry["step"])
        # 6 steps a training: this is step 5 of the third, which has a checkpoint of step 4.
        if len(lines) == 17:
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "log", killed)
    with pytest.raises(KeyboardInterrupt):
        Runs(tmp_path / "cut", recipe).fill(SMALL, 2)
    found = Runs(tmp_path / "cut", recipe).trials(SMALL)
    assert {name: len(several) for name, several in found.items()} == {"few": 1, "many": 1}
    trained.clear()
    Runs(tmp_path / "cut", recipe).fill(SMALL, 2)
    assert trained == [(3, 1), (7, 1)]
    assert lines[17:] == [5, 6, 1, 2, 3, 4, 5, 6]
    assert figures(Runs(tmp_path / "cut", recipe), SMALL) == figures(whole, SMALL)


def test_a_run_of_before_a_setting_existed_is_that_of_its_default(tmp_path, trained):
    recipe = recipe_in(tmp_path)
    Runs(tmp_path, recipe).fill(SMALL, 1)
    for folder in (tmp_path / "runs").iterdir():
        text = (folder / "recipe.toml").read_text()
        assert "top_down = true\n" in text
        (folder / "recipe.toml").write_text(text.replace("top_down = true\n", ""))
        entry = json.loads((folder / TRIAL).read_text())
        del entry["measures"]
        (folder / TRIAL).write_text(json.dumps(entry))
        folder.rename(folder.with_name(f"old-{folder.name}"))
    stranger = tmp_path / "runs" / "stranger"
    stranger.mkdir()
    (stranger / "recipe.toml").write_text("[model]\nno_longer_a_setting = 1\n")
    trained.clear()
    runs = Runs(tmp_path, recipe)
    runs.fill(SMALL, 1)
    assert not trained and all(runs.trials(SMALL).values())


def test_a_fused_row_takes_the_detectors_of_the_rows_that_it_names(tmp_path, trained):
    recipe = recipe_in(tmp_path)
    runs = Runs(tmp_path, recipe)
    runs.fill(STREAMED, 1)
    assert len(trained) == 2
    parts = [STREAMED.row(name) for name in ("one", "other")]
    detectors = [Detector.load(runs.place(STREAMED, part, 0) / DETECTOR) for part in parts]
    fusion = Fusion(tuple(detector.drop_calibration() for detector in detectors))
    corpora = [open_corpus(runs.recipe(part, 0).data) for part in parts]
    results = {v: fusion.detect([c.features[v] for c in corpora]) for v in corpora[0].test}
    expected, found = score_detections(corpora[0], results), runs.trials(STREAMED)
    (late,), (one,), (other,) = (found[name] for name in ("late", "one", "other"))
    assert expected and late.map == expected.map and late.map not in (one.map, other.map)
    assert late.seconds > one.seconds + other.seconds
    path = runs.place(STREAMED, STREAMED.row("late"), 0) / RESULTS
    assert read_activitynet_results(path).timelines == results


def test_a_fusion_also_runs_when_its_streams_were_there_already(tmp_path, trained):
    recipe = recipe_in(tmp_path)
    alone = replace(STREAMED, rows=STREAMED.rows[1:])
    Runs(tmp_path, recipe).fill(alone, 2)
    assert len(trained) == 4
    Runs(tmp_path, recipe).fill(STREAMED, 2)
    assert len(trained) == 4
    runs = Runs(tmp_path, recipe)
    before = figures(runs, STREAMED)
    assert [seed for seed, *_ in before["late"]] == [0, 1] and before["late"][0] != before["late"][1]
    # A detector that was removed to save room comes back from the checkpoint.
    (runs.place(STREAMED, STREAMED.row("one"), 0) / DETECTOR).unlink()
    (runs.place(STREAMED, STREAMED.row("late"), 0) / TRIAL).unlink()
    runs.fill(STREAMED, 2)
    assert len(trained) == 5 and figures(runs, STREAMED) == before


def test_detectors_that_are_tested_on_different_videos_are_not_fused(tmp_path):
    recipe = override_recipe(recipe_in(tmp_path), ("data.unusable=drop",))
    less = write_dataset(tmp_path / "less", videos=5)
    other = Row("other", (f"data.features={less}/features",))
    table = replace(STREAMED, rows=(STREAMED.row("late"), Row("one"), other))
    runs = Runs(tmp_path, recipe)
    with pytest.raises(BadInput, match="'one' and 'other' are tested on different videos, such as video05"):
        runs.fill(table, 1)
    assert not runs.trials(table)["late"]


def test_a_table_that_measures_more_takes_the_runs_that_are_there(tmp_path, trained):
    recipe, measured = recipe_in(tmp_path), replace(STREAMED, measures=(COUNT,))
    runs = Runs(tmp_path, recipe)
    runs.fill(STREAMED, 1)
    assert not any(runs.trials(measured).values())
    before = runs.trials(STREAMED)
    runs.fill(measured, 1)
    assert len(trained) == 2
    for name, (trial,) in runs.trials(measured).items():
        results = read_activitynet_results(runs.place(measured, measured.row(name), 0) / RESULTS).timelines
        assert trial.measures == {"detections": sum(len(t.actions) for t in results.values()) / 1e4}
        assert replace(trial, measures={}) == before[name][0]
    # Another table's measures are added to these; results that were removed are made again.
    for folder in runs.folder.iterdir():
        (folder / RESULTS).unlink()
    more = replace(STREAMED, measures=(proposal_area(),))
    runs.fill(more, 1)
    assert all(set(trial.measures) == {"detections", "AUC"} for (trial,) in runs.trials(more).values())


def test_long_actions_are_judged_among_themselves(tmp_path):
    corpus = open_corpus(recipe_in(tmp_path).data)
    limit, truth = (
        compute_length_quantile(corpus, 0.5),
        {video: corpus.dataset.ground_truth[video] for video in corpus.test},
    )
    lengths = sorted(a.length for video in corpus.train for a in corpus.dataset.ground_truth[video].actions)
    assert sum(length >= limit for length in lengths) == (len(lengths) + 1) // 2
    measure = long_actions(0.5)
    assert measure.name == "mAP@.5 of long actions" and measure.of(truth, corpus) == pytest.approx(1)
    noise = Action(0, limit * 0.9, "jump", 2.0)
    noisy = {video: replace(t, actions=(*t.actions, noise)) for video, t in truth.items()}
    assert measure.of(noisy, corpus) == pytest.approx(1)
    longer = {video: replace(t, actions=(*t.actions, replace(noise, end=30.0))) for video, t in truth.items()}
    assert measure.of(longer, corpus) < 0.9
    short = {v: replace(t, actions=tuple(a for a in t.actions if a.length < limit)) for v, t in truth.items()}
    assert measure.of(short, corpus) == 0


def test_the_area_of_proposals_is_that_of_the_evaluation(tmp_path):
    corpus = open_corpus(recipe_in(tmp_path).data)
    truth = {video: corpus.dataset.ground_truth[video] for video in corpus.test}
    half = {video: timeline.best(1) for video, timeline in truth.items()}
    expected = compute_proposal_scores(from_timelines(truth), from_timelines(half)).auc
    assert proposal_area().of(half, corpus) == expected < proposal_area().of(truth, corpus)


def trials(*values: float, **measures: float) -> tuple[Trial, ...]:
    made = (Trial(seed, (0.3, 0.5), (value + 0.1, value), 60.0) for seed, value in enumerate(values))
    return tuple(replace(t, measures={name: value + 0.01 * t.seed for name, value in measures.items()}) for t in made)


@pytest.mark.parametrize(
    ("few", "many", "verdict"),
    [
        ((0.30, 0.31), (0.40, 0.41), "held (+10.0 here, standard error 0.7; +5.0 in the paper)"),
        ((0.40, 0.41), (0.30, 0.31), "did not hold (-10.0 here"),
        ((0.30, 0.40), (0.33, 0.43), "within the noise (+3.0 here"),
        ((0.30, 0.31, 0.32), (0.33, 0.34, 0.35), "held (+3.0 here, standard error 0.8; "),
        ((0.30,), (0.33,), "points that way (+3.0 here, one seed"),
        ((0.33,), (0.30,), "does not show (-3.0 here, one seed"),
    ],
)
def test_a_claim_holds_only_beyond_the_noise(few, many, verdict):
    text = describe_table(SMALL, {"few": trials(*few), "many": trials(*many)})
    assert f"- many are better: {verdict}" in text


def test_the_page_has_ours_beside_the_paper_s():
    text = describe_table(SMALL, {"few": trials(0.3, 0.4), "many": trials(0.5, 0.5)})
    assert "### Table X: two numbers of anchors\n\n2 seeds.\n" in text
    assert "|  | ours .3 | ours .5 | ours, mean | to last row | paper .5 | to last row | CPU s |\n" in text
    assert "| few | 45.0 ± 7.1 | 35.0 ± 7.1 | 40.0 ± 7.1 | -15.0 | 40.0 | -5.0 | 60 |" in text
    assert "| many | 60.0 ± 0.0 | 50.0 ± 0.0 | 55.0 ± 0.0 | +0.0 | 45.0 | +0.0 | 60 |" in text


def test_the_page_says_how_many_seeds_stand_behind_a_table():
    assert "\nOne seed.\n" in describe_table(SMALL, {"few": trials(0.3), "many": trials(0.5)})
    uneven = describe_table(SMALL, {"few": trials(0.3, 0.4), "many": trials(0.5)})
    assert "\n1 to 2 seeds a row: not all have been run.\n" in uneven and "one seed" in uneven


def test_measures_have_columns_and_claims_of_their_own():
    rows = (Row("without", (), (), paper_measures={"AUC": 50.0}), Row("with", (), (), paper_measures={"AUC": 54.0}))
    gain = Claim("it helps", "with", "without")
    claims = (
        Claim("it helps proposals", "with", "without", "AUC"),
        Claim("it helps proposals more", "with", "without", "AUC", than=gain),
    )
    figure = PaperTable("fig7", "layers", (0.3, 0.5), rows, claims, measures=(Measure("AUC", lambda *_: 0.0),))
    text = describe_table(figure, {"without": trials(0.3, 0.31, AUC=0.5), "with": trials(0.32, 0.33, AUC=0.6)})
    assert "### Figure 7: layers" in text
    assert "| ours, mean | AUC | to last row | paper .5 | to last row | paper AUC | CPU s |" in text
    assert "| 35.5 ± 0.7 | 50.5 ± 0.7 | -2.0 |  |  | 50.0 | 60 |" in text
    # Each of the four means has variance 0.5 / 2.
    assert "- it helps proposals: held (+10.0 in AUC here, standard error 0.7; +4.0 in the paper)" in text
    assert "- it helps proposals more: held (+8.0 in AUC here, standard error 1.0; not given in the paper)" in text


def test_a_section_names_the_tables_that_are_not_whole(tmp_path):
    found = {"few": trials(0.3), "many": trials(0.5)}
    partial, none = replace(SMALL, name="Y"), replace(SMALL, name="Z")
    rows = [(SMALL, found), (partial, {**found, "few": ()}), (none, {"few": (), "many": ()})]
    text = describe_section("## here", recipe_in(tmp_path), "python -m papers.x", rows)
    assert text.startswith("## here\n\nEvery row is trained for 2 updates of 4 windows")
    assert "`python -m papers.x --table X --seeds 1`" in text
    assert text.endswith("\nLeft out, because not every row has been run: Table Y (1 of 2 rows).\n")
    assert "### Table X" in text and "### Table Y" not in text


def test_sections_of_a_page_leave_one_another_alone(tmp_path):
    page = tmp_path / "page.md"
    write_section(page, "# Old\n", "## a\n\n### Table 1\n")
    write_section(page, "# New\n", "## b\n\nsecond\n")
    write_section(page, "# New\n", "## a\n\nthird\n")
    assert page.read_text() == "# New\n\n## a\n\nthird\n\n## b\n\nsecond\n"
    write_section(page, "# New\n", "## a\n\nthird\n")
    assert page.read_text() == "# New\n\n## a\n\nthird\n\n## b\n\nsecond\n"


def test_a_study_runs_what_is_asked_and_writes_all_that_is_there(tmp_path):
    folders = {"first": write_dataset(tmp_path / "first"), "second": write_dataset(tmp_path / "second", seed=1)}
    tree = asdict(recipe_for(tmp_path))
    little = {"model": {k: tree["model"][k] for k in ("length", "levels", "concepts", "depth", "width")}}
    study = Study(
        name="toy",
        title="A toy",
        intro="What to know.",
        data={
            name: {"data": {"annotations": f"{folder}/annotations.json", "features": f"{folder}/features"}}
            for name, folder in folders.items()
        },
        scales={"tiny": {**little, "train": {"steps": 2, "batch": 4}}},
        make_tables=lambda data, scale: (SMALL, replace(STREAMED, name=f"{data}-{scale}")),
    )
    page, names = tmp_path / "page.md", ("first", "second")
    for name in names:
        section = study.run(["X"], name, "tiny", 1, tmp_path / name, page, device="cpu")
        assert section in page.read_text()
    text = page.read_text()
    assert text.startswith(
        "# A toy\n\nWhat to know.\n\n## first, tiny scale\n\nEvery row is trained for 2 updates of 4"
    )
    assert "`python -m papers.toy --data second --scale tiny --table X --seeds 1`" in text
    assert text.count("### Table X") == 2 and text.count("- many are better: ") == 2
    with pytest.raises(BadInput, match="table '9': there are X, first-tiny"):
        study.run(["9"], "first", "tiny", 1, tmp_path, page)


def test_what_no_study_knows_is_refused(tmp_path):
    with pytest.raises(BadInput, match="data 'thumos': studies are prepared for vts_kinematics"):
        CTCN.base("thumos", "small")
    with pytest.raises(BadInput, match="scale 'huge': there are small, full"):
        CTCN.base("vts_kinematics", "huge")
    with pytest.raises(BadInput, match="table '9': there are 1, 2, 3, 4, 5, D"):
        CTCN.run(["9"], "vts_kinematics", "small", 1, tmp_path, tmp_path / "p.md", device="cpu")
    with pytest.raises(BadInput, match="0 seeds"):
        Runs(tmp_path, recipe_for(tmp_path)).fill(SMALL, 0)
    with pytest.raises(BadInput, match="holds no action"):
        runs_module._build_trial(0, None, tmp_path, 1.0)


def test_a_timeline_of_no_detections_is_measured_too(tmp_path):
    corpus = open_corpus(recipe_in(tmp_path).data)
    nothing = {video: Timeline(corpus.dataset.ground_truth[video].duration) for video in corpus.test}
    assert [measure.of(nothing, corpus) for measure in (long_actions(0.5), proposal_area())] == [0, 0]
