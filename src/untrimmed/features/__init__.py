"""Features and their time: grids, windows, folders and files of arrays; needs no torch."""
