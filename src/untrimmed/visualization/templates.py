"""Fills the templates of pages: whatever a label, a name or a title holds stands there as text."""

import base64
import functools
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from untrimmed.visualization.text import replace_unprintable


def generate(name: str, **values: Any) -> Iterator[str]:
    """Fill a template of this folder, piece by piece. Values are escaped unless they are Markup."""
    return _environment().get_template(name).generate(**values)


def render(name: str, **values: Any) -> str:
    """Fill a template of this folder."""
    return "".join(generate(name, **values))


def csp_hash(text: str) -> str:
    """The source that allows a style or a script in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def read_asset(name: str) -> Markup:
    """Read a style or a script of this folder."""
    return Markup(files("untrimmed.visualization").joinpath(name).read_text(encoding="utf-8"))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("untrimmed.visualization"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else replace_unprintable(str(value)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The filter `tojson` escapes what could end the script element that holds the JSON.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters["svg_url"] = lambda svg: Markup(
        f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    )
    return environment
