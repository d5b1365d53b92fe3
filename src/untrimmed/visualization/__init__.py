"""Timelines to pictures: SVG and one self-contained HTML report; needs no torch."""
