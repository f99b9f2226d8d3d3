# `make demo` and `make test` work as the first command in a fresh clone: both set up all they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test test-installed test-newest test-oldest fuzz soak cluster-soak lint format wheel clean

help:
	@echo "make setup      a virtual environment in $(VENV) with every extra"
	@echo "make demo       a noisy RAW, coded, decoded and compared: demo-out/ (PHOTO=… for one of your own)"
	@echo "make test       lint, then the tests (JDC_DATA=… for those that want real photographs)"
	@echo "make test-installed  the wheel with its base dependencies alone, the newest and the oldest it allows"
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

# A process for each core, at most eight. A file's tests stay together, as they share what is slow to make.
test: lint
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile

# What users install has no compressai beside it, which holds NumPy below 2, and no torch.
INSTALLED := tests/golden tests/photo tests/container tests/entropy

test-installed: test-newest test-oldest

test-newest test-oldest: test-%: wheel
	$(PYTHON) -m venv --clear .venv-$*
	$(if $(filter oldest,$*),$(BIN)/python tests/oldest.py,true) > .venv-$*/constraints.txt
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-$*/constraints.txt \
		dist/jdcodec-*.whl pytest pytest-timeout hypothesis
	.venv-$*/bin/pytest $(INSTALLED)

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
	rm -rf dist
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) .venv-* dist build demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
