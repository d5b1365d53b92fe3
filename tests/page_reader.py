"""What a browser finds in a page, and timelines and labels for pages, some of which try to do harm there."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import strategies as st

from untrimmed.timeline import Action, Timeline

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>&lt;\"'><img src=x onerror=alert(1)>",
    "__proto__",
    "a\x00\x1b\u2028b\ufffe",
    "${document.title} $title {{ title }}{% endif %}{# #}",
    "跳高 🏃 e\u0301",
]

LABELS = st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE), st.sampled_from(["jump", "run"]))

SVG = "{http://www.w3.org/2000/svg}"


def two_rows(label: str = "jump") -> dict[str, Timeline]:
    """Three actions, and four detections of which three are right."""
    truth = (Action(1.0, 3.0, label), Action(3.5, 4.5, label), Action(5.0, 7.0, label))
    right = (Action(1.1, 3.1, label, 0.9), Action(3.5, 4.5, label, 0.92))
    detections = (*right, Action(8.0, 9.0, label, 0.95), Action(5.0, 7.0, "other", 0.7))
    return {"ground truth": Timeline(10.0, truth), "detections": Timeline(10.0, detections)}


class Page(HTMLParser):
    """What a browser finds in a page: its elements, and the text of each script by its id."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.words = ""
        self._open = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = (dict(attrs).get("id") or "main") if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.scripts[self._open] = self.scripts.get(self._open, "") + data
        else:
            self.words += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    @property
    def data(self) -> dict:
        return json.loads(self.scripts["report-data"])


def dumped(path: Path, profile: Path) -> str:
    """The page as it stands in a browser once its script has run."""
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("there is no chromium on the PATH")
    quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-sync"]
    flags = [
        "headless",
        "no-sandbox",
        *quiet,
        "disable-component-update",
        "window-size=1000,1600",
        f"user-data-dir={profile}",
    ]
    command = [browser, *(f"--{flag}" for flag in flags), "--virtual-time-budget=3000", "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
