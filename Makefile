# Fairwind. Everything a newcomer or CI needs; `make` alone lists it.
#
# The environment lives in .venv: pinned, hashed packages and this checkout, installed once. Another Python:
# `make PYTHON=python3.13 setup`. Other or newer pins: edit pyproject.toml, then `make lock` (LOCK=--upgrade for all).

SHELL := /bin/bash
PYTHON ?= python3
LOCK ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input
RUNNABLE := .venv/.runnable
READY := .venv/.ready

COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" $(LOCK)

.DEFAULT_GOAL := help
.PHONY: help setup demo serve bench bench-traffic test format lint types docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with everything that running, testing and developing needs
	@echo "Ready in .venv. Next: make demo, or make test"

demo: $(RUNNABLE) ## Start the platform, run a live sale with a crowd of buyers, then keep serving
	@$(BIN)/fairwind demo

serve: $(RUNNABLE) ## Start an empty platform on http://127.0.0.1:8000
	@$(BIN)/fairwind serve

bench: $(RUNNABLE) ## Measure orders a second, and print the table
	@$(BIN)/fairwind bench orders

bench-traffic: $(RUNNABLE) ## Measure the allocator of exposure; ARGS="--scores … --publishers …" for published scores
	@$(BIN)/fairwind bench traffic $(ARGS)

test: $(READY) ## Run all checks and tests, as CI does
	@.ci/checks

format: $(READY) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix-only

lint: $(READY) ## Check the code and the import rules
	@$(BIN)/ruff check
	@$(BIN)/lint-imports --no-logo

types: $(READY) ## Check the types
	@$(BIN)/mypy

docs: $(READY) ## Make the parts of the documents that are made from the code
	@$(BIN)/python docs/generate.py

lock: $(READY) ## Pin again what pyproject.toml asks for, with hashes
	@$(COMPILE) pyproject.toml --group build --output-file requirements/runtime.txt
	@$(COMPILE) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	@grep -c == requirements/*.txt

clean: ## Remove .venv, caches and build results; the data folder stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find src tests -name __pycache__ -prune -exec rm -rf {} +

# $(1): which requirements. The stamp is touched when all of it has succeeded, so an interrupted set-up goes on next time.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Fairwind needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing)." >&2; \
	  echo "Install one and name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot create virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv from requirements/$(1).txt (once, about a minute)"
	@$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes --requirement requirements/$(1).txt
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
endef

$(RUNNABLE): requirements/runtime.txt pyproject.toml
	$(call install,runtime)
	@touch $@

$(READY): requirements/dev.txt requirements/runtime.txt pyproject.toml
	$(call install,dev)
	@touch $(RUNNABLE) $@
