"""Studies: a paper's rows as settings, run once each, written down beside the paper."""

import json

import pytest

from synthetic import recipe_for, write_dataset
from untrimmed.errors import BadInput
from untrimmed.studies import ctcn
from untrimmed.studies.ctcn import base, tables
from untrimmed.studies.tables import Claim, Row, Table, Trial, describe_table, overridden, read_trials, run_table

SMALL = Table(
    "X",
    "two depths",
    (0.3, 0.5),
    (
        Row("deep", ("model.depth=30",), (50.0, 40.0)),
        Row("shallow", (), (60.0, 45.0)),
    ),
    (Claim("shallow is better", "shallow", "deep"),),
)


@pytest.mark.parametrize("scale", ["small", "full"])
@pytest.mark.parametrize("data", list(ctcn.DATA))
def test_every_row_of_every_table_is_a_recipe_of_its_own(data, scale):
    recipe = base(data, scale)
    for table in tables(scale).values():
        made = [overridden(recipe, row.settings) for row in table.rows]
        assert all(one != other for i, one in enumerate(made) for other in made[:i]), table.name
        assert all(len(row.paper) in (0, len(table.tious)) for row in table.rows)
        names = [row.name for row in table.rows]
        assert len(set(names)) == len(names)
        for claim in table.claims:
            assert {claim.better, claim.worse} <= set(names)


def test_what_the_paper_calls_by_two_names_is_one_run():
    recipe, known = base("vts_kinematics", "small"), tables("small")
    for one, other in (
        (("1", "TCN 60"), ("D", "1 groups, own filters")),
        (("1", "C-TCN 60"), ("D", "32 groups (for 256), shared")),
    ):
        first, second = (overridden(recipe, known[number].row(name).settings) for number, name in (one, other))
        assert first == second


def test_the_full_scale_is_the_paper_s_network_and_groups():
    rows = tables("full")["D"].rows
    assert [row.name.split()[0] for row in rows] == ["1", "4", "16", "64", "256", "4", "16", "64", "256"]
    model = base("vts_kinematics", "full").model
    assert (model.depth, model.concepts, model.width, model.length) == (60, 256, 1.0, 512)


def test_rows_are_trained_once_and_a_second_study_takes_them_as_they_are(tmp_path, monkeypatch):
    recipe = recipe_for(write_dataset(tmp_path))
    found = run_table(SMALL, recipe, tmp_path / "out", 2, quiet=True)
    assert {name: [trial.seed for trial in trials] for name, trials in found.items()} == {
        "deep": [0, 1],
        "shallow": [0, 1],
    }
    monkeypatch.setattr("untrimmed.studies.tables.train", None)
    assert run_table(SMALL, recipe, tmp_path / "out", 2, quiet=True) == found
    assert read_trials(tmp_path / "out", SMALL) == found
    assert json.loads((tmp_path / "out/table_X.json").read_text())["rows"]["deep"]["settings"] == ["model.depth=30"]


def test_a_table_that_is_not_whole_yet_is_not_read(tmp_path):
    assert read_trials(tmp_path, SMALL) is None
    trial = Trial(0, (0.3, 0.5), (0.2, 0.1), 1.0)._asdict()
    rows = {"deep": {"trials": [trial]}, "shallow": {"trials": []}}
    (tmp_path / "table_X.json").write_text(json.dumps({"rows": rows}))
    assert read_trials(tmp_path, SMALL) is None


def trials(*values: float) -> list[Trial]:
    return [Trial(seed, (0.3, 0.5), (value + 0.1, value), 60.0) for seed, value in enumerate(values)]


@pytest.mark.parametrize(
    ("deep", "shallow", "verdict"),
    [
        ((0.30, 0.31), (0.40, 0.41), "held (+10.0 here, standard error 0.7; +5.0 in the paper)"),
        ((0.40, 0.41), (0.30, 0.31), "did not hold (-10.0 here"),
        ((0.30, 0.40), (0.33, 0.43), "within the noise (+3.0 here"),
        ((0.30,), (0.33,), "points that way (+3.0 here, one seed"),
        ((0.33,), (0.30,), "does not show (-3.0 here, one seed"),
    ],
)
def test_a_claim_holds_only_beyond_the_noise(deep, shallow, verdict):
    text = describe_table(SMALL, {"deep": trials(*deep), "shallow": trials(*shallow)})
    assert f"- shallow is better: {verdict}" in text


def test_the_page_has_ours_beside_the_paper_s():
    text = describe_table(SMALL, {"deep": trials(0.3, 0.4), "shallow": trials(0.5, 0.5)})
    assert "| deep | 45.0 ± 7.1 | 35.0 ± 7.1 | 40.0 ± 7.1 | -15.0 | 40.0 | -5.0 | 60 |" in text
    assert "| shallow | 60.0 ± 0.0 | 50.0 ± 0.0 | 55.0 ± 0.0 | +0.0 | 45.0 | +0.0 | 60 |" in text


def test_what_no_study_knows_is_refused(tmp_path):
    with pytest.raises(BadInput, match="data 'thumos': studies are prepared for vts_kinematics"):
        base("thumos", "small")
    with pytest.raises(BadInput, match="scale 'huge': there are small, full"):
        base("vts_kinematics", "huge")
    with pytest.raises(BadInput, match="table '9': there are 1, 3, 4, 5, D"):
        ctcn.study(["9"], "vts_kinematics", "small", 1, tmp_path, tmp_path / "p.md", device="cpu", quiet=True)
    with pytest.raises(BadInput, match="0 seeds"):
        run_table(SMALL, recipe_for(tmp_path), tmp_path, 0)
