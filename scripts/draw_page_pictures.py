"""Take the screenshots of README: the report of a run, and the review of its detections, in headless Chromium.

    untrimmed demo --out runs/demo
    python scripts/draw_page_pictures.py runs/demo     # writes docs/pictures/report.png and review.png

It needs chromium and chromedriver on the PATH, and selenium.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver

from untrimmed.demo.pipeline import VIDEOS
from untrimmed.demo.videos import ANNOTATIONS
from untrimmed.detection.view import view
from untrimmed.review.files import ReviewFiles, open_review
from untrimmed.review.server import ReviewServer

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
WINDOW = {"width": 1160, "height": 800, "deviceScaleFactor": 1, "mobile": False}  # pixels
# The first video at the top, without faint detections, and with its first action selected.
SELECT = """
const slider = document.querySelector('input[type=range]');
slider.value = 0.2;
slider.dispatchEvent(new Event('input', {bubbles: true}));
const panel = document.querySelector('.panel');
scrollTo(0, scrollY + panel.getBoundingClientRect().top - 16);
panel.querySelector('.bar').click();
"""
SEEK = "document.querySelector('.panel video').currentTime = arguments[0];"


def main() -> None:
    """Take both screenshots of the demo in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of the demo")
    parser.add_argument("--second", type=float, default=16.0, help="the moment of the video that is shown")
    options = parser.parse_args()
    videos = options.run / VIDEOS
    with open_browser() as browser, tempfile.TemporaryDirectory() as folder:
        page = view(options.run / "results.json", Path(folder) / "report.html", videos / ANNOTATIONS, videos)
        take(browser, page.as_uri(), PICTURES / "report.png", options.second)
        with serve_review(options.run, Path(folder)) as address:
            take(browser, address, PICTURES / "review.png", options.second)


@contextmanager
def open_browser() -> Iterator[webdriver.Chrome]:
    """Start a headless browser, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver") or "")
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


@contextmanager
def serve_review(run: Path, folder: Path) -> Iterator[str]:
    """Serve the review of the demo's detections, which would write to a folder; its address."""
    videos = run / VIDEOS
    files = ReviewFiles(run / "results.json", videos, videos / ANNOTATIONS)
    session = open_review(files, folder / "corrected.json")
    server = ReviewServer("Review of results.json", session, videos)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server.address
    finally:
        server.close()
        thread.join()
        session.close()


def take(browser: webdriver.Chrome, address: str, out: Path, second: float) -> None:
    """Open a page, show a moment of its first video, and write what the window shows to a file."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", WINDOW)
    browser.get(address)
    time.sleep(3)
    browser.execute_script(SELECT)
    time.sleep(2)
    browser.execute_script(SEEK, second)
    time.sleep(2)
    browser.save_screenshot(str(out))
    print(out)


if __name__ == "__main__":
    main()
