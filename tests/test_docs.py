"""What the documentation says holds: commands, settings, imports, links and pictures exist, and the site builds."""

import ast
import dataclasses
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import typer

from untrimmed.cli import app
from untrimmed.recipe import ModelConfig, Recipe, build_recipe

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
    # These two are shown as `make demo` and in a sentence of docs/gtan.md.
    assert set(typer.main.get_command(app).commands) - {"demo", "kernels"} <= shown  # pyright: ignore[reportAttributeAccessIssue]


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
    known["model"] = {field.name for config in get_args(ModelConfig) for field in dataclasses.fields(config)}
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


def _importable(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
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


def test_every_module_that_the_api_pages_name_is_one():
    names = [name for page in PAGES for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.M)]
    assert len(names) > 40
    assert [name for name in names if importlib.util.find_spec(name) is None] == []


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
