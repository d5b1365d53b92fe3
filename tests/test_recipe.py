"""Recipes: every key known, every value bounded, every override heard."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from untrimmed.io import BadInput
from untrimmed.models.ctcn import CTCNConfig
from untrimmed.models.gtan import GTANConfig
from untrimmed.models.ssad import SSADConfig
from untrimmed.recipe import (
    Recipe,
    build_recipe,
    hash_recipe,
    override,
    override_recipe,
    read_recipe,
    recipe_tree,
    write_recipe,
)

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return path

    return written


def test_a_recipe_of_no_setting_is_all_defaults(write):
    assert read_recipe(write("[data]\n")) == Recipe()
    assert read_recipe(write(""), ["train.seed=0"]) == Recipe()


def test_overrides_win_and_bare_words_are_strings(write):
    recipe = read_recipe(
        write("[train]\nsteps = 5\nbatch = 2"),
        ["train.steps=7", "train.optimizer=adamw", "data.train=['a', 'b']", "suppress.nms=0.8", "data.features=a b"],
    )
    assert (recipe.train.steps, recipe.train.batch, recipe.train.optimizer) == (7, 2, "adamw")
    assert recipe.data.train == ("a", "b")
    assert recipe.suppress.nms == 0.8
    assert recipe.data.features == "a b"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[train]\nstep = 5", r"recipe.toml, line 2: train.step is not a setting; did you mean steps"),
        ("[trian]\nsteps = 5", r"recipe.toml, line 1: trian is not a setting; did you mean train\?"),
        ("[model]\ndebth = 5", r"recipe.toml, line 2: model.debth is not a setting; did you mean depth"),
        ("[train]\nzzz = 5", r"recipe.toml, line 2: train.zzz is not a setting; there are seed, steps, "),
        ("[train]\nsteps = 'many'", r"recipe.toml, line 2: train.steps = 'many': a whole number was expected$"),
        ("[train]\nsteps = 2.5", r"train.steps = 2.5: a whole number was expected$"),
        ("[train]\nschedule = 'linear'", r"train.schedule = 'linear': one of 'steps', 'cosine' was expected$"),
        ("[augment]\nrandom_move = 'maybe'", r"augment.random_move = 'maybe': true or false was expected$"),
        (
            "[data]\nfeatures = 2024",
            r'data.features = 2024: text or a list of texts was expected; .* quotes, "2024"$',
        ),
        (
            "[data]\nfeatures = [1, 2]\ntest = [3]",
            r"features = \[1, 2\]: .* expected \(and 1 more setting is wrong\)$",
        ),
        ("[data]\n\ncolumns = [[1, 2, 3]]", r"line 3: data.columns = \[\[.*: a list of pairs of whole numbers was"),
        ("data = 3", r"line 1: data = 3: a section of settings was expected$"),
        ("[data.source]\nfps = 3", r"data.source.backbone is missing; set it to text$"),
        (
            "[data.source]\nbackbone = 'a'\nfps = 3\nstrid = 4",
            r"line 4: data.source.strid is not a setting; .* stride",
        ),
        ("[suppress]\nkeep = -1", r"line 2: suppress.keep -1 is less than 1"),
        ("[suppress]\nsigma = 0", r"line 2: suppress.sigma"),
        ("steps = 5", r"line 1: steps is not a setting; did you mean train.steps\?"),
        ("[train]\nlength = 5", r"train.length is not a setting; did you mean model.length\?"),
        ("[Data]\nfeatures = 'a'", r"line 1: Data is not a setting; did you mean data\?"),
        ("", r"recipe.toml: is an empty recipe, .* `untrimmed init` writes"),
        ('{"database": {}}', r"is not TOML, so no recipe .*annotations, name it in a recipe"),
        ("[train]\nsteps = 0", r"train.steps = 0: must be at least 1"),
        ("[model]\nlength = 100", r"model.length = 100"),
        ("[model]\nname = 'other'", r"'other'"),
        ("[train\n", r"is not TOML"),
    ],
)
def test_a_bad_recipe_is_one_sentence(write, text, sentence):
    with pytest.raises(BadInput, match=sentence) as caught:
        read_recipe(write(text))
    assert "\n" not in str(caught.value)
    assert not re.search("a valid|Input|str |tuple|dict", str(caught.value).partition("recipe.toml")[2])


@pytest.mark.parametrize("word", ["train.steps", "steps=3", "train.steps.x=1"])
def test_a_bad_override_is_one_sentence(write, word):
    with pytest.raises(BadInput, match=r"override|is a value"):
        read_recipe(write("[train]\nsteps = 5"), [word])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.features=2024", "2024"),
        ("data.features=1e3", "1e3"),
        ("data.features=true", "true"),
        ("data.features='2024'", "2024"),
        ("data.features=['a', '2024']", ("a", "2024")),
        ("data.annotations=2024-05-01", "2024-05-01"),
        ("data.train=training", ("training",)),
        ("data.train=2024", ("2024",)),
        ("data.train=fold1,fold2", ("fold1", "fold2")),
        ("data.train=[fold1, fold2]", ("fold1", "fold2")),
        ("train.drops=100", (100,)),
        ("train.drops=100,200", (100, 200)),
        ("data.columns=[[0, 3]]", ((0, 3),)),
        ("data.source.backbone=101", "101"),
    ],
)
def test_an_override_is_read_as_its_setting_s_type(write, word, value):
    recipe = read_recipe(write("[data.source]\nbackbone = 'a'\nfps = 5"), [word])
    for name in word.partition("=")[0].split("."):
        recipe = getattr(recipe, name)
    assert recipe == value


def test_a_single_text_in_the_file_is_a_list_of_it(write):
    data = read_recipe(write("[data]\ntrain = 'a'\nstreams = 'rgb'\nfeatures = 'f'")).data
    assert (data.train, data.streams, data.features) == (("a",), ("rgb",), "f")


def test_what_is_no_recipe_says_what_to_give(tmp_path):
    with pytest.raises(BadInput, match=r"is a folder, and a recipe is a file; it holds none; `untrimmed init`"):
        read_recipe(tmp_path)
    (tmp_path / "mine.toml").write_text("[data]\n")
    with pytest.raises(BadInput, match=r"is a folder, and a recipe is a file; it holds mine.toml"):
        read_recipe(tmp_path)
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\xff")
    with pytest.raises(BadInput, match=r"a.npy: is no text, so no recipe"):
        read_recipe(tmp_path / "a.npy")
    (tmp_path / "labels.csv").write_text("video,start,end,label\n")
    with pytest.raises(BadInput, match=r"labels.csv: is not TOML, so no recipe"):
        read_recipe(tmp_path / "labels.csv")


def test_what_is_written_is_read_again(tmp_path):
    recipe = build_recipe(
        {"data": {"columns": [[0, 3]], "source": {"backbone": "b", "fps": 5, "streams": ["rgb"]}}}, "test"
    )
    write_recipe(tmp_path / "r.toml", recipe)
    assert read_recipe(tmp_path / "r.toml") == recipe
    assert build_recipe(recipe_tree(recipe), "again") == recipe


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_that_we_ship_is_valid(path, monkeypatch):
    monkeypatch.setenv("UNTRIMMED_DATA", "/somewhere")
    recipe = read_recipe(path)
    recipe.model.build(4, 2)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"name": "bmn"}, r"mine: model\.name = 'bmn': there are ctcn, gtan, ssad"),
        ({"name": "gtan", "depth": 60}, r"mine: model\.depth is not a setting"),
        ({"levels": "many"}, r"mine: model\.levels = 'many'"),
    ],
)
def test_a_model_that_cannot_be_is_named_by_its_key_alone(model, sentence):
    with pytest.raises(BadInput, match=sentence):
        build_recipe({"model": model}, "mine")


def test_a_model_without_a_name_is_ctcn():
    assert build_recipe({"model": {"depth": 15}}, "mine").model == CTCNConfig(depth=15)
    assert build_recipe({"model": {"name": "gtan"}}, "mine").model == GTANConfig()


def test_none_takes_a_setting_out_where_one_may_be_absent_and_is_a_value_elsewhere(write):
    tree = {"data": {"source": {"fps": 5.0}, "average": 2}, "suppress": {"nms": 0.5}}
    for word in ("data.source=none", "data.layout=none", "suppress.nms=none"):
        override(tree, word)
    assert tree == {"data": {"average": 2}, "suppress": {}}
    assert read_recipe(write("[train]\nsteps = 5"), ["suppress.method=none"]).suppress.method == "none"
    with pytest.raises(BadInput, match=r"train\.steps = 'none': a whole number was expected"):
        read_recipe(write("[train]\nsteps = 5"), ["train.steps=none"])


@pytest.mark.parametrize("word", ["train.steps=", "train.steps= ", "data.source=", "suppress.nms="])
def test_a_word_without_a_value_is_refused(write, word):
    with pytest.raises(BadInput, match=r"no value; give one, or leave the word out") as caught:
        read_recipe(write("[train]\nsteps = 320"), [word])
    assert ("takes the setting out" in str(caught.value)) == ("train" not in word)


@pytest.mark.parametrize(
    "word",
    [
        *("data.average=0", "data.average=-1", "data.columns=[[3, 1]]", "data.columns=[[-2, 1]]"),
        *("windows.mining=-1", "windows.coverage=1.5", "suppress.keep=0", "suppress.keep=-3", "train.batch=0"),
        *("train.loaders=-1", "train.warmup=-1", "train.evaluate_every=-1"),
    ],
)
def test_a_number_out_of_bounds_is_one_sentence_that_names_the_word(write, word):
    with pytest.raises(BadInput, match=rf"override '{re.escape(word)}': .*(must|less)"):
        read_recipe(write("[train]\nsteps = 320"), [word])


def test_overrides_of_a_recipe_in_memory_are_those_of_its_file(tmp_path):
    recipe = Recipe(model=GTANConfig(width=0.5))
    write_recipe(tmp_path / "r.toml", recipe)
    words = ["model.kernels=fixed", "train.steps=7"]
    assert override_recipe(recipe, words) == read_recipe(str(tmp_path / "r.toml"), words) != recipe
    assert override_recipe(recipe, []) is recipe
    with pytest.raises(
        BadInput,
        match=r"override 'model\.kernel=fixed': model\.kernel is not a setting of gtan; did you mean kernels",
    ):
        override_recipe(recipe, ["model.kernel=fixed"])


def test_a_recipe_s_hash_depends_on_every_setting_and_on_nothing_else():
    recipe = Recipe()
    assert hash_recipe(recipe) == hash_recipe(build_recipe(recipe_tree(recipe), "again"))
    assert hash_recipe(recipe) != hash_recipe(replace(recipe, train=replace(recipe.train, seed=1)))


@pytest.mark.parametrize(("config", "name"), [(GTANConfig(), "background"), (SSADConfig(), "ratios")])
def test_settings_of_older_files_that_are_gone_are_read_at_their_only_value(config, name):
    tree = recipe_tree(Recipe(model=config))
    older = {**tree, "model": {**tree["model"], **config.retired}}
    assert build_recipe(older, "older").model == config
    with pytest.raises(BadInput, match=rf"older: model\.{name} is not a setting"):
        build_recipe({**tree, "model": {**older["model"], name: 0.123}}, "older")


OUTSIDE = """
from dataclasses import dataclass

from untrimmed.models.base import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Mine(ModelConfig):
    name: str = "outside_model:Mine"
    length: int = 64
    depth: int = 3

    def build(self, channels, classes):
        raise NotImplementedError


NOTHING = 1
"""


def test_a_model_of_another_package_is_named_by_module_and_class(write, tmp_path, monkeypatch):
    (tmp_path / "outside_model.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    text = "[model]\nname = 'outside_model:{}'\n"
    # What others wrote, such as a detector's file, imports nothing.
    with pytest.raises(BadInput, match=r"file: model.name = 'outside_model:Mine': import outside_model first"):
        build_recipe({"model": {"name": "outside_model:Mine"}}, "file")
    assert "outside_model" not in sys.modules
    recipe = read_recipe(write(text.format("Mine") + "depth = 5"))
    assert (recipe.model.name, recipe.model.depth, recipe.model.length) == ("outside_model:Mine", 5, 64)
    assert build_recipe(recipe_tree(recipe), "again") == recipe
    for word, sentence in (("Mine'\ndebth = '1", "did you mean depth"), ("NOTHING", "must define"), ("None", "must")):
        with pytest.raises(BadInput, match=sentence):
            read_recipe(write(text.format(word)))
    with pytest.raises(BadInput, match="cannot be imported"):
        read_recipe(write("[model]\nname = 'no_such_package:Mine'"))
    monkeypatch.delitem(sys.modules, "outside_model")
