"""What the documentation says holds: commands, settings, imports, links and pictures exist, and the site builds."""

import ast
import contextlib
import dataclasses
import importlib
import importlib.util
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

import untrimmed
from untrimmed.cli import app
from untrimmed.demo.pipeline import run_demo
from untrimmed.demo.videos import DemoConfig
from untrimmed.recipe import MODELS, Recipe, build_recipe

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READ = [ROOT / "README.md", *PAGES]

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[|;&]\s*|-m )untrimmed(?:\.cli)?\s+(.*)$")
SETTING = re.compile(r"^(data|windows|augment|model|train|suppress)\.(?!py$|safetensors$)([a-z_]+)(?:\s*=.*)?$")
SHELL = ("", "bash", "sh", "console")


class Code(NamedTuple):
    """A fenced block of a page."""

    page: Path
    language: str
    text: str


def blocks() -> Iterator[Code]:
    for page in READ:
        for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
            yield Code(page, language, text)


def spans() -> Iterator[tuple[Path, str]]:
    """Code within sentences."""
    for page in READ:
        for span in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            yield page, span


def commands() -> Iterator[tuple[Path, str]]:
    """What follows `untrimmed` in the lines of shell blocks."""
    for code in blocks():
        if code.language in SHELL:
            for line in code.text.replace("\\\n", " ").splitlines():
                if found := COMMAND.search(line):
                    yield code.page, found.group(1)


# Typer brings a click of its own from some version on; this is the one that it raises from.
REFUSED: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def parsed(text: str) -> Any:
    """The command of a line and its parameters after all its words are read by the parser, without running it."""
    node: Any = typer.main.get_command(app)
    context = node.make_context("untrimmed", shlex.split(text, comments=True))
    while hasattr(node, "commands"):
        name, node, rest = node.resolve_command(context, [*context._protected_args, *context.args])
        context = node.make_context(name, rest, parent=context)
    return context


def refusal(text: str) -> str:
    """Why the command line is not understood; nothing where it is."""
    try:
        parsed(text)
    except REFUSED as error:
        return f"{type(error).__name__}: {error.format_message()}"
    return ""


def test_the_parser_refuses_what_is_no_command():
    assert "no such" in refusal("extrcat videos --out features").lower()
    assert "no such option" in refusal("extract videos --out features --wokers 2").lower()
    assert "missing" in refusal("extract videos").lower()
    assert "valid int" in refusal("extract videos --out features --workers many")
    assert "no such" in refusal("study fold recipe.toml").lower()
    assert parsed("extract videos --out features --workers 2").params["workers"] == 2


def test_every_command_in_a_block_is_understood_by_the_command_line():
    found = list(commands())
    assert len(found) > 60
    assert [f"{page.name}: untrimmed {text}: {why}" for page, text in found if (why := refusal(text))] == []


def test_every_command_is_shown_in_a_block():
    shown = {text.split()[0] for _, text in commands()}
    commands_of = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    public = {name for name, command in commands_of.items() if not command.hidden}
    # This one is shown as `make demo`.
    assert public - {"demo"} <= shown


def test_every_command_within_a_sentence_exists():
    found = [(page, match.group(1)) for page, span in spans() if (match := re.match(r"untrimmed\s+([a-z].*)$", span))]
    assert len(found) > 20
    wrong = [f"{page.name}: untrimmed {text}: {why}" for page, text in found if (why := refusal(text))]
    # A sentence may leave out what a command or an option is given.
    assert [line for line in wrong if not re.search("MissingParameter|requires an argument", line)] == []


def test_every_recipe_in_a_block_is_accepted():
    recipes = [code for code in blocks() if code.language == "toml"]
    assert len(recipes) >= 3
    for code in recipes:
        build_recipe(tomllib.loads(code.text), code.page.name)


def test_every_setting_within_a_sentence_exists():
    sections = {field.name: field.default_factory for field in dataclasses.fields(Recipe)}
    known = {name: {f.name for f in dataclasses.fields(made())} for name, made in sections.items() if callable(made)}
    known["model"] = {field.name for config in MODELS.values() for field in dataclasses.fields(config)}
    found = [(page, *match.groups()) for page, span in spans() if (match := SETTING.match(span))]
    assert len(found) > 50
    wrong = [f"{page.name}: {section}.{key}" for page, section, key in found if key not in known[section]]
    assert wrong == []


def test_everything_that_python_blocks_import_exists():
    wrong = []
    for code in blocks():
        if code.language != "python":
            continue
        for node in ast.walk(ast.parse(code.text)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "untrimmed":
                for name in node.names:
                    if not _importable(node.module, name.name):
                        wrong.append(f"{code.page.name}: from {node.module} import {name.name}")
    assert wrong == []


@pytest.mark.slow
def test_every_python_block_runs_where_the_demo_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    small, quick = (
        DemoConfig(videos=3, seconds=(10.0, 12.0), fps=10.0, width=160, height=120),
        ["train.steps=3", "model.length=128", "model.levels=6"],
    )
    run_demo("runs/demo", quick, workers=1, config=small)
    programs = list(dict.fromkeys(code.text for code in blocks() if code.language == "python"))
    assert len(programs) >= 2
    for text in programs:
        exec(compile(text, "a block of the documentation", "exec"), {})


def _importable(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False


NAMED = re.compile(
    r"\b(?:src|papers|recipes|benchmarks|scripts|tests|docs)/[\w/.-]*\w|\b(?:untrimmed|papers)(?:\.\w+)+"
)


def test_every_file_and_module_that_is_named_exists():
    pages = [*READ, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "recipes").glob("*.toml"))]
    texts = [(page.name, name) for page in pages for name in NAMED.findall(page.read_text(encoding="utf-8"))]
    assert len(texts) > 50
    assert [f"{page}: {name}" for page, name in texts if not _exists(name)] == []


def _exists(name: str) -> bool:
    """Whether a path of the project is there, or a module, or what a module holds."""
    if "/" in name:
        return (ROOT / name).exists()
    with contextlib.suppress(ImportError, AttributeError):
        return bool(pkgutil.resolve_name(name))
    return False


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    places = [target.split("#")[0] for target in LINK.findall(text) if not re.match(r"[a-z]+:|#", target)]
    assert [place for place in places if not (page.parent / place).exists()] == []


def test_every_picture_is_shown_on_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in READ)
    assert [
        picture.name for picture in (DOCS / "pictures").iterdir() if f"pictures/{picture.name})" not in text
    ] == []


def _listed(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for below in nav.values() if isinstance(nav, dict) else nav:  # pyright: ignore[reportAttributeAccessIssue,reportGeneralTypeIssues]
            yield from _listed(below)


def test_every_page_is_in_the_navigation_once():
    yaml = pytest.importorskip("yaml", reason="it comes with mkdocs: pip install 'untrimmed[docs]'")
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(_listed(settings["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


def documented(page: Path) -> list[str]:
    """The names that a page takes from docstrings."""
    return re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.M)


def test_the_api_page_has_every_public_name_and_no_other():
    names = {f"untrimmed.{name}" for name in untrimmed.__all__ if name != "__version__"}
    assert sorted(documented(DOCS / "api" / "index.md")) == sorted(names)


def test_every_room_is_on_a_page_for_developers():
    rooms = {path.stem for path in Path(untrimmed.__file__).parent.iterdir() if not path.name.startswith(("_", "."))}
    pages = [page for page in sorted((DOCS / "developers").glob("*.md")) if page.name != "index.md"]
    # The commands are documented by their own -h.
    assert sorted(name for page in pages for name in documented(page)) == sorted(
        f"untrimmed.{room}" for room in rooms - {"cli", "py"}
    )
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.count("show_submodules: true") == len(documented(page)), page.name


def alike(path: Path, other: Path) -> bool:
    """Whether two pictures are the same but for a tenth of a pixel: processors round differently."""
    number = re.compile(r"-?\d+\.?\d*")
    first, second = (file.read_text(encoding="utf-8") for file in (path, other))
    if number.sub("#", first) != number.sub("#", second):
        return False
    pairs = zip(map(float, number.findall(first)), map(float, number.findall(second)), strict=True)
    return all(abs(a - b) <= 0.11 for a, b in pairs)


def test_the_pictures_are_what_the_code_draws_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    drawn = list(importlib.import_module("draw_doc_pictures").draw(tmp_path))
    assert len(drawn) > 10
    stale = [path.name for path in drawn if not alike(path, DOCS / "pictures" / path.name)]
    assert stale == [], "run scripts/draw_doc_pictures.py"


@pytest.mark.slow
def test_the_site_builds_without_warnings_and_asks_nothing_of_the_network(tmp_path: Path):
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("the site needs mkdocs-material and mkdocstrings: pip install 'untrimmed[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)  # and the page for what is not found
    remote = re.compile(
        r"<(?:script|img|iframe)[^>]+src=\"?https?:|<link[^>]+rel=\"?(?:stylesheet|preconnect)[^>]+https?:"
    )
    assert [page.name for page in pages if remote.search(page.read_text(encoding="utf-8"))] == []
