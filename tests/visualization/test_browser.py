"""A real browser plays the report, filters and steps by keys, and corrects annotations in a review."""

import base64
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from untrimmed.annotations.formats.activitynet import read_activitynet, write_activitynet_results
from untrimmed.review.files import ReviewFiles, open_review
from untrimmed.review.server import ReviewServer
from untrimmed.timeline import Action, Timeline
from untrimmed.video.writer import write_video
from untrimmed.visualization.charts import draw_bars
from untrimmed.visualization.page import Figure, Section, write_page
from untrimmed.visualization.panels import Panel
from untrimmed.visualization.report import write_report
from untrimmed.visualization.sheet import Axis

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
UNDER_MOUSE = """
const box = document.querySelector('.picture').getBoundingClientRect();
return document.elementFromPoint(box.left + arguments[0], box.top + arguments[1]).textContent;
"""
HOSTILE = "</script><script>document.title='broken'</script><b>\"'"


class Browser:
    """A window with what a person does in it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(script, *values)

    def count(self, selector: str) -> int:
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def find(self, selector: str, text: str = "") -> Any:
        """The first element with a text, by a selector."""
        every = "[...document.querySelectorAll(arguments[0])]"
        script = f"return {every}.find(e => (e.textContent + e.ariaLabel).includes(arguments[1]))"
        self.wait(lambda: self.run(script, selector, text) is not None, f"{selector} with {text!r}")
        return self.run(script, selector, text)

    def click(self, selector: str, text: str = "") -> None:
        element = self.find(selector, text)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        webdriver.ActionChains(self.driver).click(element).perform()

    def keys(self, *keys: str) -> None:
        chain = webdriver.ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def wait(self, condition: Callable[[], Any], what: str = "") -> Any:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        pytest.fail(f"in vain waited for {what or condition}")

    def drag(self, selector: str, pixels: int) -> None:
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        chain = webdriver.ActionChains(self.driver).click_and_hold(element)
        chain.move_by_offset(pixels // 2, 0).move_by_offset(pixels - pixels // 2, 0).release().perform()

    def faults(self) -> list[str]:
        """What the page complained of, but for the icon that no page of ours has."""
        return [entry["message"] for entry in self.driver.get_log("browser") if "favicon" not in entry["message"]]


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("there is no chromium, or no chromedriver, on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for flag in ("headless", "no-sandbox", "disable-gpu", "window-size=1300,1000", f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    for flag in ("disable-background-networking", "no-first-run", "disable-component-update", "disable-sync"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield Browser(window)
    window.quit()


def make_video(path: Path, seconds: int = 12) -> Path:
    rng = np.random.default_rng(0)
    write_video(path, (rng.integers(0, 255, (36, 64, 3), np.uint8) for _ in range(8 * seconds)), 8)
    return path


def rows(label: str = "jump") -> dict[str, Timeline]:
    truth = (Action(1.0, 3.0, label), Action(4.0, 5.0, "run"), Action(6.0, 9.0, label))
    one = (Action(1.1, 3.1, label, 0.9), Action(6.0, 7.6, label, 0.8), Action(10.0, 11.0, "run", 0.7))
    two = (Action(1.0, 3.0, label, 0.6), Action(4.0, 5.0, "run", 0.05))
    return {"ground truth": Timeline(12.0, truth), "one": Timeline(12.0, one), "two": Timeline(12.0, two)}


# The report


@pytest.fixture(scope="module")
def report(browser, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    video = make_video(folder / "first.mp4")
    hostile = make_video(folder / "</script><b>.mp4".replace("/", "\u2215"))
    panels = [Panel("first", 12.0, rows(), video), Panel(HOSTILE, 12.0, rows(HOSTILE), hostile)]
    panels += [Panel(f"more {i}", 12.0, rows()) for i in range(30)]
    write_report(folder / "r.html", "Two detectors", panels, [])
    return folder / "r.html"


@pytest.fixture
def opened(browser, report) -> Browser:
    browser.driver.get(report.as_uri())
    browser.wait(lambda: browser.count(".panel .bar"), "bars")
    browser.faults()
    # Everything at once, whatever the scores: 0.05 is the faintest.
    slide(browser, "floor", 0.05)
    return browser


def slide(browser: Browser, name: str, value: float) -> None:
    script = (
        "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'))"
    )
    browser.run(script, name, value)
    browser.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def verdicts(browser: Browser, row: int) -> list[str]:
    script = (
        "return [...document.querySelectorAll('.panel')[0].querySelectorAll('.row:not(.curve)')[arguments[0]]"
        ".querySelectorAll('.bar')].map(bar => bar.dataset.verdict)"
    )
    return browser.run(script, row)


def current(browser: Browser) -> float:
    return browser.run("return document.querySelector('video').currentTime")


def test_each_detector_is_judged_for_itself_at_the_chosen_overlap(opened):
    assert verdicts(opened, 0) == ["found", "partly", "partly"]
    assert verdicts(opened, 1) == ["matched", "matched", "false"] and verdicts(opened, 2) == ["matched", "matched"]
    slide(opened, "tiou", 0.6)
    assert verdicts(opened, 0) == ["found", "partly", "missed"] and verdicts(opened, 1)[1] == "false"
    assert opened.find(".panel .bar", "○").get_attribute("aria-label").endswith("missed")
    assert not opened.faults()


def test_the_slider_and_the_classes_choose_what_is_shown(opened):
    slide(opened, "floor", 0.75)
    assert [len(verdicts(opened, row)) for row in range(3)] == [3, 2, 0]
    opened.click("#class-list label", "run")
    opened.wait(lambda: len(verdicts(opened, 0)) == 2)
    opened.click("#all")
    opened.wait(lambda: len(verdicts(opened, 0)) == 3)
    opened.run("document.activeElement.blur()")
    opened.keys("[")
    opened.wait(lambda: len(verdicts(opened, 1)) == 3, "the lower score")
    # The hostile label sorts before all others, and its video too.
    opened.keys("c")
    opened.wait(lambda: len(verdicts(opened, 0)) == 2, "the first class alone")
    opened.keys("c", "c")
    opened.wait(lambda: len(verdicts(opened, 0)) == 1, "the third class alone")
    opened.keys("c")
    opened.wait(lambda: len(verdicts(opened, 0)) == 3, "all of them")


def test_a_click_seeks_and_plays_and_keys_step(opened):
    # By keys from action to action of the row, and the video goes along.
    first = opened.find(".panel .row:nth-child(1) .bar")
    opened.run("arguments[0].focus()", first)
    opened.keys("\ue014")
    opened.wait(lambda: abs(current(opened) - 4.0) < 0.1, "the second action")
    opened.keys("\ue014")
    opened.wait(lambda: abs(current(opened) - 6.0) < 0.1, "the third action")
    opened.keys("\ue012")
    opened.wait(lambda: abs(current(opened) - 4.0) < 0.1, "the second action again")
    opened.click(".panel .row:nth-child(2) .bar", "6.0-7.6")
    opened.wait(lambda: current(opened) > 6.1, "playing from 6.0 s")
    assert "matched" in opened.find(".chosen").text
    opened.keys(" ")
    opened.wait(lambda: opened.run("return document.querySelector('video').paused"), "the pause")
    opened.keys(" ")
    opened.wait(lambda: not opened.run("return document.querySelector('video').paused"), "playing on")
    opened.keys(" ")
    opened.click(".still", "0:02")
    opened.wait(lambda: 2.0 < current(opened) < 5, "the still's moment")
    assert not opened.faults()


def test_the_keys_are_listed_and_videos_are_found(opened):
    opened.keys("?")
    opened.wait(lambda: opened.run("return document.getElementById('keys').open"), "the list of keys")
    assert "play or pause" in opened.find("#keys-list").text
    opened.keys("\ue00c")
    opened.wait(lambda: not opened.run("return document.getElementById('keys').open"), "its end")
    opened.keys("/", "m", "o", "r", "e", " ", "1", "7")
    opened.wait(
        lambda: opened.run("return [...document.querySelectorAll('.panel')].filter(e => !e.hidden).length") == 1
    )
    opened.keys(*["\ue003"] * 7)
    opened.click("#video-list button", "more 29")
    opened.wait(lambda: "more 29" in opened.run("return document.activeElement.textContent"), "the last video")
    opened.keys("k")
    opened.wait(lambda: "more 28" in opened.run("return document.activeElement.textContent"), "the one before")


def test_nothing_in_a_label_or_name_does_anything(opened):
    assert opened.driver.title == "Two detectors" and opened.count(".panel b") == 0
    assert opened.find(".panel h2", HOSTILE).text == HOSTILE
    assert opened.count(".panel img") == opened.count(".still img") > 0


def test_a_phone_shows_a_page_no_wider_than_itself(opened):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    opened.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened.driver.refresh()
        opened.wait(lambda: opened.count(".panel .bar"), "bars")
        assert opened.run("return document.documentElement.scrollWidth") <= 390
        assert not opened.run("return document.getElementById('filters').open")
    finally:
        opened.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chart_has_the_colours_of_the_page_and_hints_where_the_mouse_rests(browser, tmp_path, theme):
    chart = draw_bars("n", ["a", HOSTILE], [0.5, 1.0], Axis("AP"))
    write_page(tmp_path / "p.html", "t", [Section("s", "", [Figure("c", chart)])])
    scheme = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    try:
        browser.driver.get((tmp_path / "p.html").as_uri())
        image = "document.querySelector('.picture img')"
        browser.wait(lambda: browser.run(f"return {image}.complete"), "the image")
        address, width = browser.run(f"return [{image}.currentSrc, {image}.naturalWidth]")
        assert base64.b64decode(address.split(",")[1]).decode() == getattr(chart, theme) and width > 0
        for hint in chart.hints:
            corners = np.array([point.split() for point in hint.path.strip("MZ").split("L")], float)
            assert browser.run(UNDER_MOUSE, *corners.mean(axis=0).tolist()) == hint.text
        assert not browser.faults()
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.slow
def test_a_thousand_videos_open_in_a_few_seconds(browser, tmp_path):
    rng = np.random.default_rng(0)

    def line(number: int) -> Timeline:
        starts = rng.uniform(0, 170, number)
        scores = rng.uniform(0, 1, number)
        labels = rng.integers(0, 50, number)
        parts = zip(starts, scores, labels, strict=True)
        return Timeline(180.0, tuple(Action(a, a + 5, f"class {c}", s) for a, s, c in parts))

    panels = [Panel(f"video {i:04}", 180.0, {"ground truth": line(8), "detections": line(60)}) for i in range(1000)]
    write_report(tmp_path / "r.html", "t", panels, [])
    assert (tmp_path / "r.html").stat().st_size < 3_000_000
    begun = time.monotonic()
    browser.driver.get((tmp_path / "r.html").as_uri())
    browser.wait(lambda: browser.count(".panel .bar"), "bars")
    assert time.monotonic() - begun < 8
    assert browser.count(".panel") == 1000 and browser.count(".plot") < 20


# A review


@pytest.fixture
def review(browser, tmp_path) -> Iterator[Browser]:
    videos = tmp_path / "videos"
    make_video(videos / "a.mp4")
    make_video(videos / "b.mp4")
    found = (Action(1.0, 3.0, "jump", 0.9), Action(4.0, 5.0, "run", 0.8), Action(7.0, 9.0, HOSTILE, 0.7))
    write_activitynet_results(
        tmp_path / "r.json", {"a": Timeline(12.0, found), "b": Timeline(12.0, (Action(2, 3, "run", 0.9),))}
    )
    session = open_review(ReviewFiles(tmp_path / "r.json", videos), tmp_path / "out.json")
    server = ReviewServer("Review of r.json", session, videos)
    thread = threading.Thread(target=server.serve)
    thread.start()
    browser.session, browser.out, browser.address = session, tmp_path / "out.json", server.address
    browser.driver.get(server.address)
    browser.wait(lambda: browser.count(".panel .bar"), "bars")
    browser.faults()
    slide(browser, "floor", 0)
    yield browser
    browser.driver.get("about:blank")
    server.close()
    thread.join()
    session.close()


def version(review: Any, name: str) -> int:
    place = [video.name for video in review.session.videos].index(name)
    return review.session.states()[1][place].version


def items(review: Any, name: str) -> dict[str, tuple[float, float, str]]:
    place = [video.name for video in review.session.videos].index(name)
    state = review.session.states()[1][place]
    return {item.label: (item.start, item.end, item.status) for item in state.now.items}


def saved(review: Any, name: str) -> list[tuple[float, float, str]]:
    written = read_activitynet(review.out).timelines
    return [(a.start, a.end, a.label) for a in written[name].actions] if name in written else []


def select(review: Browser, words: str) -> None:
    """The bar of video a that says these words."""
    section = review.find(".panel", "not done")
    panel = review.run(
        "const isIt = panel => panel.querySelector('h2').textContent === 'a';"
        "return [...document.querySelectorAll('.panel')].find(isIt).id ||= 'of-a'"
    )
    assert section is not None
    review.click(f"#{panel} .bar", words)


def test_a_person_corrects_a_video_and_marks_it_done(review):
    select(review, "jump 1.0-3.0")
    review.keys("a")
    review.wait(lambda: items(review, "a")["jump"][2] == "accepted", "the accepted jump")
    # On to the next open one, so that x rejects the run.
    review.wait(lambda: "run" in review.find("#of-a .chosen").text, "the next suggestion")
    review.keys("x")
    review.wait(lambda: items(review, "a")["run"][2] == "rejected", "the rejected run")
    assert saved(review, "a") == []
    review.wait(lambda: not review.find("#of-a .tools .plain", "Undo").get_attribute("disabled"), "undo")
    review.click("#of-a .finish label")
    review.wait(lambda: saved(review, "a") == [(1.0, 3.0, "jump")], "the done video")
    # Every further edit of a done video is in the file at once.
    select(review, "jump 1.0-3.0")
    width = review.run("return document.querySelector('#of-a .axis').clientWidth")
    review.drag("#of-a .grip.end", round(width * 1.5 / 12))
    review.wait(lambda: saved(review, "a") and abs(saved(review, "a")[0][1] - 4.5) < 0.05, "the dragged end")
    review.drag("#of-a .grip.start", -round(width * 0.5 / 12))
    review.wait(lambda: abs(saved(review, "a")[0][0] - 0.5) < 0.05, "the dragged start")
    review.wait(lambda: review.count("#of-a .grip") == 2)
    select(review, "jump 0.5-4.5")
    review.keys("l", *"hop", "\ue007")
    review.wait(lambda: saved(review, "a")[0][2] == "hop", "the new label")
    review.keys("u")
    review.wait(lambda: saved(review, "a")[0][2] == "jump", "the label before")
    review.keys("r")
    review.wait(lambda: saved(review, "a")[0][2] == "hop", "the new label again")
    review.click("#of-a .axis")
    review.run(
        "document.querySelector('#of-a video').pause(); document.querySelector('#of-a video').currentTime = 10"
    )
    review.wait(lambda: abs(review.run("return document.querySelector('#of-a video').currentTime") - 10) < 0.1)
    review.keys("n")
    review.wait(
        lambda: (10.0, 12.0) in [(round(a, 1), round(b, 1)) for a, b, _ in saved(review, "a")], "the added one"
    )
    assert len(read_activitynet(review.out).timelines) == 1 and not review.faults()
    assert read_activitynet(review.out).subsets == {"a": "training"}
    assert review.driver.title == "Review of r.json" and review.count(".panel b") == 0


def test_keys_move_borders_and_the_playhead_sets_them(review):
    select(review, "run 4.0-5.0")
    review.keys(".", ">", ">")
    review.wait(lambda: items(review, "a")["run"] == (4.1, 5.2, "accepted"), "the nudged borders")
    review.run("document.querySelector('#of-a video').pause(); document.querySelector('#of-a video').currentTime = 6")
    review.wait(lambda: abs(review.run("return document.querySelector('#of-a video').currentTime") - 6) < 0.1)
    review.keys("e")
    review.wait(lambda: abs(items(review, "a")["run"][1] - 6) < 0.1, "the end at the playhead")
    review.run("document.querySelector('#of-a .grip.start').focus()")
    review.keys("\ue012")
    review.wait(lambda: items(review, "a")["run"][0] == 4.0, "the handle moved by an arrow")
    review.run("document.activeElement.blur()")
    review.keys("A")
    review.wait(lambda: items(review, "a")["jump"][2] == "accepted", "all that is shown")
    review.keys("d")
    review.wait(lambda: len(saved(review, "a")) == 3, "done by key")
    assert {label for _, _, label in saved(review, "a")} == {"jump", "run", HOSTILE} and not review.faults()


def test_two_tabs_lose_nothing_of_each_other(review):
    select(review, "jump 1.0-3.0")
    place = [video.name for video in review.session.videos].index("a")
    # Another tab rejects the very action: this one's edit is refused, and the user is told.
    review.session.edit(place, 0, {"kind": "relabel", "id": 0, "label": "hop"})
    review.keys(",")
    told = review.wait(lambda: "Another tab changed" in review.find("#told").text, "the word of the other tab")
    assert told and items(review, "a")["hop"][:2] in ((1.0, 3.0), (0.9, 3.0))
    # One that has nothing to do with it is made on top.
    before = version(review, "a")
    review.session.edit(place, before, {"kind": "reject", "ids": [2]})
    select(review, "run 4.0-5.0")
    review.keys("a")
    review.wait(lambda: items(review, "a")["run"][2] == "accepted", "the edit on top")
    assert items(review, "a")[HOSTILE][2] == "rejected"
    # What another tab does is seen here without an edit.
    review.session.edit(place, version(review, "a"), {"kind": "add", "start": 10, "end": 11, "label": "late"})
    review.find("#of-a .bar", "late 10.0-11.0")


def test_a_server_that_is_gone_is_told(review):
    select(review, "jump 1.0-3.0")
    review.run("window.fetch = () => Promise.reject(new TypeError('gone'))")
    review.keys("a")
    review.wait(lambda: "does not answer" in review.find("#told").text, "the warning")
    assert version(review, "a") == 0


def test_the_page_comes_back_as_it_was_left(review):
    select(review, "jump 1.0-3.0")
    review.keys("a")
    review.wait(lambda: version(review, "a") == 1)
    review.driver.get(review.address)
    review.find(".bar", "jump 1.0-3.0 s, accepted")
    data = json.loads(review.run("return document.getElementById('report-data').textContent"))
    assert data["review"]["number"] == 1
