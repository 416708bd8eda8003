# Two commands for a fresh machine: `make demo` and `make test`. Everything lives in .venv; nothing else is touched.
# `make bench` runs the race against other systems, each in an environment under benchmarks/; it takes hours.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ANNIF := .venv-annif
CORES := $(shell nproc 2>/dev/null || echo 2)
TORCH := torch==2.13.0 # on its own and first: what is resolved together may bring builds for GPUs, of gigabytes
NATIVE_SOURCES := CMakeLists.txt pyproject.toml $(wildcard cpp/*)

.PHONY: demo test test-annif bench mutants clean

demo: $(VENV)/installed-base
	$(BIN)/ramify demo --ask "read a csv file into rows" --ask "greatest common divisor" \
		--ask "shuffle a list in random order"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(CORES)

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/race.py

# The back end of Annif, beside the versions of libraries that Annif pins.
test-annif: $(ANNIF)/installed
	cd tests/annif_project && $(CURDIR)/$(ANNIF)/bin/python -m pytest -c pytest.ini --confcutdir .

$(ANNIF)/installed: $(NATIVE_SOURCES)
	$(PYTHON) -m venv $(ANNIF)
	$(ANNIF)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[annif]" pytest
	touch $@

mutants: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[mutation]"
	$(BIN)/python tests/mutation.py

$(VENV)/created:
	$(PYTHON) -m venv $(VENV)
	touch $@

# Editable: Python changes take effect at once, native ones rebuild here.
$(VENV)/installed-base: $(VENV)/created $(NATIVE_SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/created $(NATIVE_SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@ $(VENV)/installed-base

clean:
	rm -rf $(VENV) $(ANNIF) build dist site
