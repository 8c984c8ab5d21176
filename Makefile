# Everything runs in .venv, which is made on first use. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test test-slow bench parity lint format constraints clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(READY) ## Fine-tune a real BERT on BBC News, export it, serve it (some 3 minutes on two cores)
	$(BIN)/kerasft demo

test: $(READY) ## Run the tests and print coverage
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered

test-slow: $(READY) ## Run the tests that train for minutes
	$(BIN)/python -m pytest -m slow

BENCH := build/bench-env

bench: $(BENCH)/.ready ## Measure speed beside KerasHub and Hugging Face: benchmarks/results.md (an hour)
	$(BENCH)/bin/python benchmarks/speed/bench.py

$(BENCH)/.ready: pyproject.toml constraints.txt benchmarks/speed/requirements.txt
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . \
	    -r benchmarks/speed/requirements.txt
	touch $@

PARITY := build/parity-env

parity: $(PARITY)/.ready ## Compare features with those of transformers and timm: docs/parity.md (5 GB of packages)
	$(PARITY)/bin/python benchmarks/parity/parity.py

$(PARITY)/.ready: pyproject.toml constraints.txt benchmarks/parity/requirements.txt
	test -x $(PARITY)/bin/python || $(PYTHON) -m venv $(PARITY)
	$(PARITY)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . \
	    -r benchmarks/parity/requirements.txt
	touch $@

lint: $(READY) ## Check style (ruff) and types of the core (mypy)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Rewrite files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: $(READY) ## Pin the versions that are installed now, after testing them
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean: ## Remove the environment and everything generated
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage build *.egg-info

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
