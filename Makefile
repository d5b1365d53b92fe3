# Each target sets up what it needs; all are quick when repeated.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help install demo test lint clean

help:
	@echo "make demo   render videos, train on two thirds, detect in the rest, write runs/demo/report.html"
	@echo "make test   format, lint, types, import direction, tests"
	@echo "make lint   the same without the tests"
	@echo "make clean  remove the virtual environment and the runs"

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV): the package and what it needs, a few minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/untrimmed demo --out runs/demo

test: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

lint: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check --no-tests

clean:
	rm -rf $(VENV) runs
