"""Annotations of every format in and out, data sets, and the corpus that a run learns from; needs no torch."""
