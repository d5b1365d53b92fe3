"""Truth and results to numbers, by protocols that name their choices; needs no torch."""
