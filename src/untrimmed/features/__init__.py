"""Features and how they lie in time: grids, windows, and folders and files of arrays. Needs no torch."""
