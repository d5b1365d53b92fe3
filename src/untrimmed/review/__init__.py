"""A local server on which a person corrects annotations in the browser: accept, reject, drag, relabel, add."""
