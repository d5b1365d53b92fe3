"""Draws timelines, charts and kernels as SVG, and builds self-contained HTML pages of them; needs no torch."""
