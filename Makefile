# `make` or `make help` lists the targets. Each sets up what it needs; a fresh machine needs Python 3.11 or newer,
# make and git. PYTHON=... names another interpreter.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# One process more than there are cores, since tests wait for processes, too; ARGS="-n0" for none. One that has no tests
# left takes some of another's.
WORKERS := -n $(shell expr `getconf _NPROCESSORS_ONLN` + 1) --dist=worksteal
# What says within a minute whether a change is sound: no processes, servers and warehouses.
FAST_TESTS := tests/architecture tests/collector tests/dataset tests/simulator
ARGS ?=
export PYTHON
# The tests start hundreds of processes: their modules are compiled once, as in an installation.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: run-env ## the whole nightly job against the built-in simulator
	$(BIN)/ecgrid-stats demo $(ARGS)

.PHONY: check
check: lint types ## lint, types and the fast tests: within a minute
	$(PYTEST) $(WORKERS) -q -m "not extended" $(FAST_TESTS) $(ARGS)

.PHONY: test
test: dev-env ## all tests but those that take minutes (ARGS="-k plan" for some of them)
	$(PYTEST) $(WORKERS) -m "not extended" $(ARGS)

.PHONY: test-extended
test-extended: dev-env ## the tests that take minutes: load, kill and resume, every case of every table
	@$(PYTEST) $(WORKERS) -m "extended and not soak" $(ARGS) || { [ $$? -eq 5 ] && echo "no test takes minutes"; }

.PHONY: test-soak
test-soak: dev-env ## the longest ones: hundreds of kills, minutes at every rate, ten of fuzzing; most of an hour
	$(PYTEST) $(WORKERS) -m soak $(ARGS)

.PHONY: coverage
coverage: dev-env ## the tests again, with branch coverage and its floor
	$(PYTEST) $(WORKERS) -m "not extended" --cov --cov-report=term-missing:skip-covered $(ARGS)

.PHONY: mutants
mutants: dev-env ## random mutations of a room, and whether its tests see them (ARGS="--room landing --count 10")
	@$(BIN)/python -m tests.mutants $(ARGS)

.PHONY: lint
lint: dev-env ## ruff's rules and format, unused and missing dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry collector pipelines

.PHONY: types
types: dev-env ## mypy, strict
	$(BIN)/mypy

.PHONY: audit
audit: dev-env ## whether a pinned dependency has a known vulnerability; says so if it could not be asked
	$(BIN)/python requirements/audit.py $(BIN)/pip-audit

.PHONY: format
format: dev-env ## rewrite the sources as `make lint` wants them
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: bench
bench: dev-env ## docs/benchmarks.md anew, beside the peers; about ten minutes (ARGS="limits" for one work)
	@bench/environment
	$(BIN)/python -m bench --write $(ARGS)

.PHONY: bench-full
bench-full: dev-env ## the same with a million calls and a hundred million facts; more than an hour
	@bench/environment
	$(BIN)/python -m bench --full --write $(ARGS)

.PHONY: lock
lock: dev-env ## write the locks again; UPGRADE=1 takes newer releases (Python 3.11 only)
	@PYTHON= UPGRADE=$(UPGRADE) sh requirements/lock

.PHONY: clean
clean: ## remove the environment and what the tools leave behind; data/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: run-env dev-env
run-env:
	@sh requirements/install run
dev-env:
	@sh requirements/install dev
