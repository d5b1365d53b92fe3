"""Your own videos: what lies in a folder, a recipe that suits it, and what is wrong with a data set."""
