# pinnlab: everything one does from a clone. Needs git, make and Python >= 3.11 with venv
# (Debian: apt-get install git make python3-venv). `make` alone lists the targets.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
NAMES  ?= --all

BIN  := $(VENV)/bin
# The pins that were tested with this Python, if there are any; else the open ranges of pyproject.
TAG   = $(shell $(BIN)/python -c 'import sys; print("py%d%d" % sys.version_info[:2])')
PINS  = $(addprefix -c ,$(wildcard constraints/$(TAG).txt))
INPUTS := pyproject.toml $(wildcard constraints/*.txt)

.DEFAULT_GOAL := help
.PHONY: help install dev demo test slow verify lint clean distclean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*##/\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pinnlab needs Python >= 3.11; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
	  { echo "This Python cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(INPUTS) | $(BIN)/python
	$(BIN)/python -m pip install $(PINS) -e .
	@touch $@

$(VENV)/.installed-dev: $(INPUTS) | $(BIN)/python
	$(BIN)/python -m pip install $(PINS) -e '.[dev,bench]'
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed  ## make .venv and install pinnlab in it

dev: $(VENV)/.installed-dev  ## the same with every tool for development

demo: install  ## learn a soil's temperature field and diffusivity from real data (ARGS=... overrides)
	$(BIN)/pinnlab experiment=soil_heat $(ARGS)

test: dev  ## the quick tests
	$(BIN)/pytest -n 2 $(ARGS)

slow: dev  ## the accuracy gates: slow tests, then every experiment against its gate
	$(BIN)/pytest -m slow $(ARGS)
	$(BIN)/pinnlab verify --all

verify: dev  ## run experiments against their gates (NAMES="burgers heat"; all by default)
	$(BIN)/pinnlab verify $(NAMES)

lint: dev  ## style, format, types, import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:  ## remove caches and built packages, keep .venv and runs
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find pinnlab tests experiments -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove .venv too
	rm -rf $(VENV)
