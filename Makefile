# Needs only python3 (3.11 or later), make and git: everything else goes into .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What is installed has the version that constraints.txt says and a hash that it lists, and so has what builds it.
HASHED := $(PIP) install --quiet --require-hashes --constraint constraints.txt --build-constraint constraints.txt
TORCH := $(shell sed -n 's/^torch==\([^ ;]*\).*/\1/p' constraints.txt)
# A process for every core, and no more than four: each of them imports torch and collects all tests.
PYTEST := $(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: help install demo test test-fast test-all verify mutation format lint types docs browser docs-tables fuzz fuzz-guided \
	fuzz-coverage kills check constraints audit release release-tools hooks clean

help:
	@echo "make install     install photomend into .venv"
	@echo "make demo        sample photos -> trained models -> table and figures (DEMO_ARGS=\"--photos DIR --budget 5\")"
	@echo "make test-fast   the tests for while you work                         (TEST_ARGS=\"-k convolution\")"
	@echo "make test        the test suite                                       (the same)"
	@echo "make test-all    all tests: every oracle case in every layout, every mutant"
	@echo "make verify      every gradient against every oracle                  (VERIFY_ARGS=\"conv2d BatchNorm2d\")"
	@echo "make mutation    a mistake at a time in every backward pass           (MUTATION_ARGS=\"batch_norm --list\")"
	@echo "make fuzz        random changes to small files, for each reader    (FUZZ_ARGS=\"photo --seconds 3600\")"
	@echo "make fuzz-guided the same, by the lines that inputs reach, with atheris (FUZZ_ARGS=\"photo --seconds 3600\")"
	@echo "make fuzz-coverage  the lines of the readers that all this reaches"
	@echo "make kills       training runs killed at random moments               (KILLS_ARGS=\"--kills 200\")"
	@echo "make format      ruff: rewrite the code in the house's format"
	@echo "make lint        ruff: rules and format"
	@echo "make types       mypy"
	@echo "make docs        build the textbook: build/site/index.html"
	@echo "make browser     the tests of the web page and the built textbook in Chromium, which must be installed"
	@echo "make docs-tables fill the generated tables and draw the figures of the documentation"
	@echo "make constraints versions and hashes of what pyproject.toml asks for (CONSTRAINTS_ARGS=\"--upgrade\")"
	@echo "make audit       known vulnerabilities of what is pinned"
	@echo "make release     build and try what a tagged commit gives: dist/photomend-VERSION"
	@echo "make check       all that a change must pass: .ci/run"
	@echo "make hooks       run the format, rules and types before each commit"
	@echo "make clean       remove .venv and caches"

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/photomend demo $(DEMO_ARGS)

test-fast: $(STAMP)
	$(PYTEST) -m "not slow and not exhaustive" $(TEST_ARGS)

test: $(STAMP)
	$(PYTEST) -m "not exhaustive" $(TEST_ARGS)

test-all: $(STAMP)
	$(PYTEST) $(TEST_ARGS)

verify: $(STAMP)
	$(BIN)/photomend verify $(VERIFY_ARGS)

mutation: $(STAMP)
	$(BIN)/python -m photomend.tests.mutation $(MUTATION_ARGS)

fuzz: $(STAMP)
	$(BIN)/python -m photomend.tests.fuzz $(FUZZ_ARGS)

# What it keeps in build/fuzz is what the next run goes on from, and what is replayed to see which lines are reached.
fuzz-guided: $(STAMP)
	$(HASHED) --group fuzz
	$(BIN)/python -m photomend.tests.fuzz --guided $(FUZZ_ARGS)

fuzz-coverage: $(STAMP)
	$(HASHED) --group fuzz
	$(BIN)/python -m photomend.tests.fuzz --replay $(FUZZ_ARGS)

kills: $(STAMP)
	$(BIN)/python -m photomend.tests.train.kills $(KILLS_ARGS)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	@mkdir -p $(VENV)/types && ln -sfn ../.. $(VENV)/types/photomend
	$(BIN)/mypy

docs: $(STAMP)
	$(HASHED) --group docs
	$(BIN)/python -m sphinx -b html --quiet --fail-on-warning --keep-going --fresh-env --show-traceback --jobs auto docs build/site
	@echo "build/site/index.html"

# Of what `make docs` built; without a browser on the path the tests are skipped, and say so.
browser: $(STAMP)
	$(HASHED) --group browser
	$(BIN)/python -m pytest -q -rs tests/browser $(TEST_ARGS)

docs-tables: $(STAMP)
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/curve.py
	$(BIN)/python docs/looks.py
	$(BIN)/photomend draw attention -o docs/images/architecture.svg --overwrite

check:
	.ci/run

constraints: $(VENV)/.release
	$(BIN)/python -m photomend.release.constraints $(CONSTRAINTS_ARGS)

audit: $(VENV)/.release
	$(BIN)/python -m photomend.release.audit

release: $(VENV)/.release
	$(BIN)/python -m photomend.release $(RELEASE_ARGS)

release-tools: $(VENV)/.release

hooks: $(STAMP)
	$(HASHED) --group hooks
	$(BIN)/pre-commit install

# The stamps are younger than what they were made from, so a second run installs nothing and an edited
# pyproject.toml or constraints.txt installs again. pip itself comes first, by the pip that Python brought: dependency
# groups and hashes in constraints need a newer one.
$(VENV)/.pip: bootstrap.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "photomend: error: needs Python 3.11 or later, but $(PYTHON) is %d.%d (set PYTHON=python3.x)" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes --requirement bootstrap.txt
	@touch $@

# Of all builds of torch that pip finds, it would prefer one whose hash the index states to a local one, even of CUDA to
# one for the CPU. So it chooses first, without hashes, and then installs what it chose if the hash is a known one.
$(VENV)/.torch-$(TORCH): $(VENV)/.pip
	@rm -rf $(VENV)/wheel
	$(PIP) download --quiet --no-deps --only-binary :all: --dest $(VENV)/wheel torch==$(TORCH)
	$(HASHED) --no-deps --no-index --find-links $(VENV)/wheel torch
	@rm -rf $(VENV)/wheel
	@touch $@

# A folder has no hash: its dependencies are installed first, and then the package without them.
$(STAMP): $(VENV)/.torch-$(TORCH) pyproject.toml constraints.txt
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' >$(VENV)/dependencies.txt
	$(HASHED) --requirement $(VENV)/dependencies.txt --group dev
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.release: $(STAMP)
	$(HASHED) --group release
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
