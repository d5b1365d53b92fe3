"""Training, from a recipe and a corpus to a detector: the loop, its checkpoint, windows, augmentation, folds."""
