# `make demo` and `make test` set up a virtual environment in .venv first; nothing is written outside this folder.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_NO_CACHE_DIR := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MPLCONFIGDIR := $(abspath $(VENV))/matplotlib
export PYTHONPYCACHEPREFIX :=
export RUN_NOTEBOOKS ?= false

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format docs check bench schema clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## Make the virtual environment

$(READY): pyproject.toml constraints.txt tests/plugin_example/pyproject.toml $(wildcard tests/plugin_example/stito_example_plugin/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet -c constraints.txt ./tests/plugin_example
	@touch $(READY)

demo: $(READY)  ## Compose two songs, transfer the style of one to the other, open demo-out/report.html
	$(BIN)/stito demo -o demo-out --force

test: $(READY)  ## Run the tests
	$(BIN)/python -m pytest -n 2 -m 'not slow' tests tests/plugin_example/tests
	$(BIN)/python -m pytest -q --doctest-modules $$(grep -rl --include='*.py' '>>> ' stito effects encoders)

test-slow: $(READY)  ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow

lint: $(READY)  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY)  ## Build the documentation into site/; open site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

check: lint docs test  ## Everything that CI runs

bench: $(READY)  ## Run the benchmarks; they print ratios
	$(BIN)/python benchmarks/song.py
	$(BIN)/python benchmarks/candidates.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/recovery.py --cases 4

schema: $(READY)  ## Write the published JSON Schema of presets
	$(BIN)/python -c 'from stito.console.preset import preset_schema; print(preset_schema(), end="")' > stito/console/preset.schema.json

clean:  ## Remove the environment, caches and demo output
	rm -rf $(VENV) demo-out site .cache build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
