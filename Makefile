# make test   checks style and runs every test
# make demo   trains and recommends on an embedded data set, in minutes
# make clean  removes the environment
#
# The first call installs into .venv; PYTHON=/path/to/python chooses another
# interpreter than the one found, RUN_DIR=... another place for the demo.

SHELL := /bin/bash
VENV := .venv
INSTALLED := $(VENV)/.installed
PY := $(VENV)/bin/python
RUN_DIR ?= runs/quickstart

# The first that runs, has a version we support and can make environments.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 \
	python3.10; do $$python -c 'import ensurepip, sys; \
	sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	2> /dev/null && echo $$python && break; done)

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: test demo clean

test: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest

demo: $(INSTALLED)
	$(PY) -m tfrec.train --flagfile=configs/quickstart.flags \
		--run_dir=$(RUN_DIR)
	$(PY) -m tfrec.evaluate --run_dir=$(RUN_DIR) --oracle
	$(PY) -m tfrec.recommend --run_dir=$(RUN_DIR) --history=salsa-001,bluegrass-015,bluegrass-003

$(INSTALLED): setup.py
	@if [[ -z "$(PYTHON)" ]]; then \
		echo "No Python 3.10 to 3.13 with ensurepip was found." \
			"Say where one is: make PYTHON=/path/to/python"; exit 1; fi
	$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV): some minutes, about 3 GB."
	$(PY) -m pip install --quiet --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV)
