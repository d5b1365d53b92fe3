"""Data sets as values: one function a data set, and one literal table of them."""
