# `make demo` and `make test` work as the first command in a fresh clone: both set up all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test fuzz soak cluster-soak lint format wheel clean

help:
	@echo "make setup      a virtual environment in $(VENV) with every extra"
	@echo "make demo       a noisy RAW, coded, decoded and compared: demo-out/ (PHOTO=… for one of your own)"
	@echo "make test       lint, then the tests (JDC_DATA=… for those that want real photographs)"
	@echo "make fuzz       hostile bytes for FUZZ_SECONDS=100 each kind"
	@echo "make soak       SOAK=1000 photos through one process, kills and interrupts"
	@echo "make cluster-soak  500 photos on a cluster of this machine, its parts killed one by one"
	@echo "make lint       ruff and mypy"
	@echo "make wheel      dist/"

setup: $(READY)

# torch first and by its pinned version: an unpinned torch may pull gigabytes of CUDA libraries.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	$(BIN)/python -m compileall -q jdcodec  # as an installed package is, whatever PYTHONDONTWRITEBYTECODE says
	touch $(READY)

demo: $(READY)
	$(BIN)/python -m jdcodec.demo $(if $(PHOTO),--photo "$(PHOTO)")

test: lint
	$(BIN)/python -m pytest

# Longer runs of what `make test` does briefly; see docs/reliability.md.
FUZZ_SECONDS ?= 100
SOAK ?= 1000

fuzz: $(READY)
	JDC_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest tests/fuzz -s -o timeout=0

soak: $(READY)
	JDC_SOAK=$(SOAK) $(BIN)/python -m pytest tests/reliability -s -o timeout=0

cluster-soak: $(READY)
	JDC_CLUSTER_PHOTOS=500 $(BIN)/python -m pytest tests/cluster -s -o timeout=0

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(READY)
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) dist build demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
