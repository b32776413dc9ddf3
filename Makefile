# make demo · test · test-slow · lint · docs · bench · check
# Every target sets up .venv by itself; the first run needs Python 3.11 or later and the network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow lint docs bench check clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH"; export PATH; \
	say() { printf '\n$$ %s\n' "$$*"; }; \
	run() { say rnncli "$$@"; rnncli "$$@" --format table || exit; }; \
	run train configs/sunspots.yaml --out runs/demo --overwrite; \
	run predict runs/demo; \
	run inspect-weights runs/demo; \
	say "cat data/sunspots.csv | rnncli predict runs/demo --data - | head -3"; \
	cat data/sunspots.csv | rnncli predict runs/demo --data - --format csv | head -3

test: $(READY)
	$(BIN)/python -m pytest -n auto -m 'not slow'

test-slow: $(READY)
	$(BIN)/python -m pytest -n auto

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cog --check README.md

bench: $(READY)
	$(BIN)/python benchmarks/speed.py

check: lint docs test

clean:
	rm -rf $(VENV) build dist *.egg-info runs
