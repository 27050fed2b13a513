# Every target does all its own set-up: a fresh clone and Python 3.12 or later are enough.
#
#   make demo        train on the bundled data and write demo_out/report.html
#   make test        the fast tier of the tests, with coverage gates
#   make test-all    all tests
#   make lint        ruff, mypy, codespell
#   make docs        the documentation site, docs/_build/html/index.html
#   make gpu-check   check and time the package on a GPU; gpu-check-rehearsal tries that on a CPU
#   make gpu-pack    pack what a GPU machine without a package registry lacks
#   make release-check  build, install into empty environments, and try there
#   make tutorials   run the tutorials and write docs/tutorials/*.ipynb (T=01_first_steps for one)
#   make setup       only the virtual environment .venv (PYTHON=... picks the interpreter)
#   make clean       remove what was generated; .venv stays (remove it by hand)

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed_docs
DEMO_OUT ?= demo_out
# Passed on to pytest, e.g. make test-all PYTEST_ARGS="-k fusion".
PYTEST_ARGS ?=
# Processes of pytest; 0 runs the tests in one process. A file's tests share fitted models, so they
# stay together.
PYTEST_WORKERS ?= 2
# Options of the check on a GPU, e.g. make gpu-check GPU_ARGS="--seconds 300".
GPU_ARGS ?=
GPU_OUT ?= benchmarks/out/gpu
# Options of the release check, e.g. make release-check RELEASE_ARGS="--environment oldest".
RELEASE_ARGS ?=
# Names of tutorials to run, all by default, and the number of threads of each.
T ?=
TUTORIAL_THREADS ?= 1
# Least share of statements of the two inner layers that the tests reach, in percent.
COVERAGE_MIN := 90

# A download may pause for longer than uv's 30 seconds on slow lines: torch is large.
export UV_HTTP_TIMEOUT ?= 300
# One thread per process: the matrices of the tests are too small to gain from more.
# Compiled modules are kept whatever the machine prefers: a dozen tests start Python anew, and each
# would compile torch and all else again.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 MPLBACKEND=Agg PYTHONDONTWRITEBYTECODE=
PYTEST = $(TEST_ENV) $(BIN)/python -m pytest -q -rs -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo test test-all lint docs tutorials gpu-check gpu-check-rehearsal gpu-pack release-check clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)
	@:

# The search tries each interpreter by running it: a name on PATH may be a shim that fails.
$(STAMP): pyproject.toml
	@check='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))'; \
	if ! $(BIN)/python -c "$$check" >/dev/null 2>&1; then \
		found=; \
		for candidate in $${PYTHON:-python3.12 python3.13 python3}; do \
			if "$$candidate" -c "$$check" >/dev/null 2>&1; then found=$$candidate; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "error: no Python >= 3.12 with the venv module among: $${PYTHON:-python3.12 python3.13 python3}; install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
			exit 1; \
		fi; \
		echo "setup: $(VENV) from $$("$$found" -c 'import sys; print(sys.executable, sys.version.split()[0])')" >&2; \
		"$$found" -m venv --clear $(VENV); \
	fi
	@echo "setup: installing (some minutes the first time: torch is large)" >&2
	@$(BIN)/python -m pip --disable-pip-version-check install -qq uv
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -e '.[de,large,metrics,text]' --group test --group lint
	@touch $@
	@echo "setup: done" >&2

demo: setup
	$(BIN)/hzau-omics demo --out $(DEMO_OUT)

test: setup
	$(PYTEST) -m "not slow and not gpu" --cov --cov-report= $(PYTEST_ARGS)
	@for layer in nn data; do \
		echo "coverage of hzau_omics/$$layer (at least $(COVERAGE_MIN) %):"; \
		$(BIN)/python -m coverage report --skip-covered --include="hzau_omics/$$layer/*" --fail-under=$(COVERAGE_MIN); \
	done

test-all: setup
	$(PYTEST) $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

# Needs no network once the packages are there. All pages are written each time (-a), since each
# shows the list of all pages.
docs: $(DOCS_STAMP)
	$(TEST_ENV) $(BIN)/python -m sphinx -W --keep-going -n -q -a -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "site: docs/_build/html/index.html" >&2

$(DOCS_STAMP): $(STAMP)
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --group doc
	@touch $@

tutorials: setup
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --group tutorials
	OMP_NUM_THREADS=$(TUTORIAL_THREADS) MKL_NUM_THREADS=$(TUTORIAL_THREADS) $(BIN)/python tutorials/make_notebooks.py $(T)

# What was packed is used where it is: that machine cannot set up an environment.
gpu-check: $(if $(wildcard .gpu_wheels),,setup)
	@if [ -d .gpu_wheels ]; then \
		OUT=$(GPU_OUT) benchmarks/gpu/run.sh $(GPU_ARGS); \
	else \
		$(BIN)/python -m benchmarks.gpu --out $(GPU_OUT) $(GPU_ARGS); \
	fi

gpu-check-rehearsal: setup
	$(BIN)/python -m benchmarks.gpu --rehearsal --out $(GPU_OUT) $(GPU_ARGS)

gpu-pack: setup
	PYTHON=$(BIN)/python benchmarks/gpu/pack.sh

release-check: setup
	$(BIN)/python -m tools.release_check $(RELEASE_ARGS)

clean:
	rm -rf $(DEMO_OUT) dist build release_check .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* coverage.xml lightning_logs scvi_log .gpu_wheels .gpu_data docs/_build docs/api
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
