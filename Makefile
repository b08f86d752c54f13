# The two commands are `make demo` and `make test`; each installs what it needs into .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= .demo
PORT ?= 8000
# Processes of pytest-xdist, a file to each at a time, in the order of tests/conftest.py; 0 runs the tests in this one.
WORKERS ?= 2
# One thread of OpenMP for each of them: threads that wait for a busy processor take three times as long.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# uv does not read pip's configuration, so a local folder of wheels named there is handed over.
FIND_LINKS := $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
# Torch is used once, to export the text encoder, and on the CPU. Without this, Linux downloads gigabytes of CUDA.
TORCH_BACKEND ?= $(if $(FIND_LINKS),,cpu)
INSTALL = $(if $(TORCH_BACKEND),UV_TORCH_BACKEND=$(TORCH_BACKEND)) UV_FIND_LINKS="$(FIND_LINKS)" \
	$(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: demo test test-fast test-without-torch test-newest campaign install lint bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install, draw the demo library, index it and serve it on http://127.0.0.1:$(PORT)"
	@echo "make test   install and run the whole suite"
	@echo "make test-fast  what needs no model and no browser and is quick"
	@echo "make test-without-torch  the fast tests that need no torch, on Python 3.12 and 3.13, newest versions"
	@echo "make test-newest  the fast tests with the newest versions of all packages that pyproject.toml allows"
	@echo "make campaign  try to break it for an hour: kills, damages, hostile pictures, fuzz, load, access"
	@echo "make lint   ruff and mypy"
	@echo "make clean  remove the demo and the virtual environment"

demo: $(VENV)/.installed
	$(BIN)/memetica demo "$(DEMO)" --port $(PORT)

test: $(VENV)/.installed-test
	$(PYTEST)

test-fast: $(VENV)/.installed-test
	$(PYTEST) -q -m "not slow and not real_models and not browser and not campaign"

# Search, the site and OCR need no torch. All of it on 3.12; on 3.13 what depends most on compiled packages.
test-without-torch: $(BIN)/uv
	UV=$(abspath $(BIN)/uv) UV_FIND_LINKS="$(FIND_LINKS)" WORKERS=$(WORKERS) .ci/without_torch 3.12
	UV=$(abspath $(BIN)/uv) UV_FIND_LINKS="$(FIND_LINKS)" WORKERS=$(WORKERS) .ci/without_torch 3.13 \
		tests/indexer/media tests/indexer/library tests/indexer/ocr tests/search/query tests/search/test_searcher.py \
		tests/web/site tests/web/cli/test_commands.py

# In an environment of its own: what is installed in $(VENV) stays as it is.
test-newest: $(BIN)/uv
	UV=$(abspath $(BIN)/uv) $(if $(TORCH_BACKEND),UV_TORCH_BACKEND=$(TORCH_BACKEND)) UV_FIND_LINKS="$(FIND_LINKS)" \
		PYTHON="$(PYTHON)" WORKERS=$(WORKERS) .ci/newest

campaign: $(VENV)/.installed-campaign
	$(BIN)/python -m tests.campaign

install: $(VENV)/.installed

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: pyproject.toml $(BIN)/uv
	$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(INSTALL) -e ".[test]"
	@touch $@

$(VENV)/.installed-campaign: $(VENV)/.installed-test
	$(INSTALL) -e ".[test,campaign]"
	@touch $@

clean:
	rm -rf "$(DEMO)" "$(VENV)"
