# The two commands are `make demo` and `make test`; each installs what it needs into .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= .demo
PORT ?= 8000
# Processes of pytest-xdist, a file to each at a time; 0 runs the tests in this one.
WORKERS ?= 2
# One thread of OpenMP for each of them: threads that wait for a busy processor take three times as long.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# uv does not read pip's configuration, so a local folder of wheels named there is handed over.
FIND_LINKS := $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
# Torch is used once, to export the text encoder, and on the CPU. Without this, Linux downloads gigabytes of CUDA.
TORCH_BACKEND ?= $(if $(FIND_LINKS),,cpu)
INSTALL = $(if $(TORCH_BACKEND),UV_TORCH_BACKEND=$(TORCH_BACKEND)) UV_FIND_LINKS="$(FIND_LINKS)" \
	$(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: demo test test-fast test-without-torch campaign install lint bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install, draw the demo library, index it and serve it on http://127.0.0.1:$(PORT)"
	@echo "make test   install and run the whole suite"
	@echo "make test-fast  what needs no model and no browser and is quick"
	@echo "make test-without-torch  videos, pictures, library and queries on another Python, newest versions, no torch"
	@echo "make campaign  try to break it for an hour: kills, damages, hostile pictures, fuzz, load, access"
	@echo "make lint   ruff and mypy"
	@echo "make clean  remove the demo and the virtual environment"

demo: $(VENV)/.installed
	$(BIN)/memetica demo "$(DEMO)" --port $(PORT)

test: $(VENV)/.installed-test
	$(PYTEST)

test-fast: $(VENV)/.installed-test
	$(PYTEST) -q -m "not slow and not real_models and not browser and not campaign"

# Other Pythons, with the newest versions that pip resolves there, and without torch, which search does not need.
OTHER_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python) $(shell command -v python3.13))
OTHER_VENV ?= .venv-without-torch
WITH_TORCH := torch|open-clip|sentence-transformers|gt-all|onnxscript|cleanlab
WITHOUT_TORCH := tests/indexer/media tests/indexer/library tests/search/query

test-without-torch: $(BIN)/uv
	@test -n "$(OTHER_PYTHON)" || { echo "no other Python is installed: name one in OTHER_PYTHON"; exit 0; }; \
	"$(OTHER_PYTHON)" -m venv $(OTHER_VENV) && \
	"$(OTHER_PYTHON)" -c 'import re, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*(one for one in project["dependencies"] if not re.match("$(WITH_TORCH)", one)), sep="\n")' \
		> $(OTHER_VENV)/requirements.txt && \
	UV_FIND_LINKS="$(FIND_LINKS)" $(BIN)/uv pip install --quiet --python $(OTHER_VENV)/bin/python --upgrade \
		-r $(OTHER_VENV)/requirements.txt pytest playwright hypothesis && \
	$(OTHER_VENV)/bin/python -m pytest -q -p no:cacheprovider -m "not slow and not browser and not campaign" $(WITHOUT_TORCH)

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
