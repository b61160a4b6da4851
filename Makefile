# Needs make and Python 3.11 or newer; `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak docs clean

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
READY := $(VENV)/.ready
ARGS ?=

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(READY) ## make .venv with every extra and the development tools

$(READY): pyproject.toml constraints.txt tools/setup.sh
	@PYTHON="$(PYTHON)" tools/setup.sh

demo: $(READY) ## train, seal, verify and explain a spam filter on real mail
	@$(BIN)/lithify demo $(ARGS)

test: check docs ## what continuous integration runs: check, docs, every test (ARGS=... goes to pytest)
	$(PY) -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: $(READY) ## lint, formatting, types, import layers
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(BIN)/lint-imports

bench: $(READY) ## the benchmarks (ARGS=... goes to them)
	$(PY) -m benchmarks $(ARGS)

soak: $(READY) ## the long tests that `make test` leaves out
	$(PY) -m pytest -m soak $(ARGS)

docs: $(READY) ## build the pages into docs/_build/html; a warning is an error
	$(PY) -m sphinx --fail-on-warning --keep-going --quiet --fresh-env docs docs/_build/html

clean: ## remove everything the other targets made
	rm -rf $(VENV) build dist docs/_build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
