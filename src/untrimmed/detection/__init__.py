"""A trained detector and what is done with it: sources, results, streams, fusion, tuning, export."""
