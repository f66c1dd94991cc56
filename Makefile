# `make help` lists what there is. Everything lives in .venv; a second run installs nothing.

PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
CHROMIUM_PATH = PYTHON=$(BIN)/python tests/browser/find_or_install_chromium.sh

# On few cores, thread pools slow each other down; and one thread makes sums repeatable.
pytest bench: export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help app class setup test lint types pytest bench texts format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

app: $(VENV)/.installed ## run the explorer; PORT=8502 make app chooses the port
	$(BIN)/streamlit run app.py --server.port $(PORT)

class: $(VENV)/.installed ## run it for a class: on the network, with a QR code and an instructor's page
	$(BIN)/python -m ui.classroom.serve --port $(PORT)

setup: $(VENV)/.installed-dev ## install all that `make test` needs, a browser included
	$(CHROMIUM_PATH)

test: lint types pytest ## lint, types, all tests: what CI runs

lint: $(VENV)/.installed-dev ## rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-dev ## mypy, strict on the core
	$(BIN)/mypy

pytest: $(VENV)/.installed-dev ## the tests alone: in two processes, then those of the browser, which watch the clock
	$(BIN)/python -m pytest -m "not browser" --numprocesses 2 --dist loadfile
	CHROMIUM=$$($(CHROMIUM_PATH)) && export CHROMIUM && $(BIN)/python -m pytest -m browser

bench: $(VENV)/.installed-dev ## speed, as a table
	CHROMIUM=$$($(CHROMIUM_PATH)) && export CHROMIUM && $(BIN)/python -m benchmarks

texts: $(VENV)/.installed-dev ## bring the catalogs of ui/translations in step with the code
	$(BIN)/python -m ui.translations.extract

format: $(VENV)/.installed-dev ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove .venv and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is the last thing that venv makes: without it, an earlier try broke off, and is made anew.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'This needs Python 3.11 or newer, "$(PYTHON)" is not: PYTHON=python3.12 make ...'; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/pip
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(BIN)/pip
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@ $(VENV)/.installed
