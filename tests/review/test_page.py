"""The page of a review."""

import json
from pathlib import Path

from untrimmed.review.edits import ReviewItem
from untrimmed.review.page import render_review_page
from untrimmed.review.session import PriorAnnotations, ReviewSession, ReviewVideo
from untrimmed.timeline import Timeline


def test_the_page_says_what_is_written_and_holds_every_video(tmp_path):
    items = (ReviewItem(0, 1.0, 3.0, "jump", 0.9, "open"),)
    priors = [None, PriorAnnotations(Timeline(9.0), "validation"), PriorAnnotations(Timeline(9.0), "unreviewed")]
    videos = [
        ReviewVideo(name, 9.0, items, "training", prior, file=Path(f"{name}.mp4"), media_type="video/mp4")
        for name, prior in zip("abc", priors, strict=True)
    ]
    session = ReviewSession(videos, tmp_path / "out.json")
    page = render_review_page("Review", session)
    session.close()
    data = json.loads(page.html.split('id="report-data">')[1].split("</script>")[0])
    assert "Only videos that you mark as done are written to out.json" in page.html
    assert "1 videos have ground truth already" in page.html and "1 videos had annotations to review" in page.html
    assert [panel["video"]["address"] for panel in data["panels"]] == ["video/0", "video/1", "video/2"]
    assert data["panels"][1]["stills"] == [[2.0, "jump", "still/1/2000"]]
    assert data["review"]["states"][0]["items"][0] == [0, 1.0, 3.0, "jump", 0.9, "open"]
    assert "frame-ancestors 'none'" in page.policy and "unsafe" not in page.policy
