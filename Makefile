# What people and CI call. `make` alone lists the targets.
# Needs Python 3.11 to 3.14 and nothing else; everything is installed into .venv from requirements.lock.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up test test-all tests lint lock clean

SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
ifeq ($(PYTHON),)
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.14 python3.11; do $$p -c '$(SUITS)' 2>/dev/null && echo $$p && break; done)
endif
BIN := .venv/bin
INSTALLED := .venv/.installed

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED) ## the whole year of flights: land, check, measure, judge, report
	@$(BIN)/watchkeeper demo

up: $(INSTALLED) ## Prefect with its UI, a worker, all schedules and the pages, until Ctrl-C
	@$(BIN)/watchkeeper up

test: $(INSTALLED) ## lint and every test but the nightly ones; one that lacks gcc, Chromium or PostgreSQL is skipped with its reason
	@$(MAKE) --no-print-directory --jobs 2 lint tests

test-all: $(INSTALLED) ## the same with the nightly tests, which take long beside cheaper ones of the same subject, and more drawn examples
	@$(MAKE) --no-print-directory --jobs 2 lint tests TESTS= WATCHKEEPER_NIGHTLY=1

TESTS := -m "not nightly"

# Bytecode is kept whatever the environment says: some hundred processes of the tests import the same modules.
tests: $(INSTALLED)
	@PYTHONDONTWRITEBYTECODE= WATCHKEEPER_NIGHTLY=$(WATCHKEEPER_NIGHTLY) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -rs $(TESTS)

lint: $(INSTALLED) ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

lock: $(INSTALLED) ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras --group dev pyproject.toml -o requirements.lock

clean: ## remove .venv, the caches, and what the demo wrote
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist inbox spool warehouse/lake warehouse/site warehouse/outbox warehouse/prefect warehouse/*.duckdb*
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is younger than what it was installed from, so a second run installs nothing.
$(INSTALLED): requirements.lock pyproject.toml
	@if ! $(or $(PYTHON),false) -c '$(SUITS)' 2>/dev/null; then \
	  echo "Watchkeeper needs Python 3.11 to 3.14; $(or $(PYTHON),python3) is $$($(or $(PYTHON),python3) --version 2>&1 || true). Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 2; fi
	@echo "Installing into .venv from requirements.lock (2.5 GB; some minutes, once) ..."
	@$(BIN)/python -c '$(SUITS)' 2>/dev/null || rm -rf .venv
	@if [ ! -x $(BIN)/uv ]; then \
	  $(PYTHON) -m venv .venv 2>/dev/null && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
	  || { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check uv; }; fi
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps -e .
	@touch $@
