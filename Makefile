# The two commands are `make demo` and `make test`; each installs what it needs into .venv first.
# The first that is there and runs (a shim of pyenv may be there without its Python): 3.11 has a CPU build of torch in most
# local folders of wheels.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= .demo
PORT ?= 8000
# Processes of pytest-xdist, a file to each at a time, in the order of tests/conftest.py; 0 runs the tests in this one.
# One more than two cores have, because tests wait for processes of their own. Each takes up to 2 GB.
WORKERS ?= 3
# One thread of OpenMP for each of them: threads that wait for a busy processor take three times as long. Compiled files
# are kept, whatever the environment says: each process would compile all tests again, about 10 s of processor time.
PYTEST = env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# install.py says what comes down, and takes the smallest torch that can be reached.
INSTALL = $(PYTHON) install.py $(VENV)

.PHONY: demo test test-fast test-without-torch test-newest campaign install lock lint clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install, draw the demo library, index it and serve it on http://127.0.0.1:$(PORT)"
	@echo "make test   install and run the whole suite"
	@echo "make test-fast  what needs no model and no browser and is quick"
	@echo "make test-without-torch  the fast tests that need no torch, on Python 3.12 and 3.13, newest versions"
	@echo "make test-newest  the fast tests with the newest versions of all packages that pyproject.toml allows"
	@echo "make lock   write constraints.txt, the versions that make installs, again from pyproject.toml"
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
	UV=$(abspath $(BIN)/uv) WORKERS=$(WORKERS) .ci/without_torch 3.12
	UV=$(abspath $(BIN)/uv) WORKERS=$(WORKERS) .ci/without_torch 3.13 \
		tests/indexer/media tests/indexer/library tests/indexer/ocr tests/search/query tests/search/test_searcher.py \
		tests/web/site tests/web/cli/test_commands.py

# In an environment of its own: what is installed in $(VENV) stays as it is.
test-newest: $(BIN)/uv
	UV=$(abspath $(BIN)/uv) PYTHON="$(PYTHON)" WORKERS=$(WORKERS) .ci/newest

# The versions that CI and make use, for Python 3.11 and later on every platform; without hashes, so that a local folder of
# wheels does.
lock: $(BIN)/uv
	UV_FIND_LINKS= $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header \
		--all-extras --no-emit-index-url --no-emit-find-links -o constraints.txt pyproject.toml

campaign: $(VENV)/.installed-campaign
	$(BIN)/python -m tests.campaign

install: $(VENV)/.installed

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Memetica needs Python 3.11 or later; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: pyproject.toml constraints.txt $(BIN)/uv
	$(INSTALL)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(INSTALL) --extra test
	@touch $@

$(VENV)/.installed-campaign: $(VENV)/.installed-test
	$(INSTALL) --extra test --extra campaign
	@touch $@

clean:
	rm -rf "$(DEMO)" "$(VENV)"
