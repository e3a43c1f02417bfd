# make demo   trains, exports, serves and recommends on an embedded data set
# make test   checks style and runs the tests
# make test-all  runs those that take long too
# make clean  removes the environment
#
# The first call installs into .venv: `make demo` what `pip install .` does,
# `make test` what tests and Spark need too. PYTHON=/path/to/python chooses
# another interpreter than the one found, RUN_DIR=... and EXPORT_DIR=... other
# places for the demo.

SHELL := /bin/bash
VENV := .venv
# Written when the package, and when what its tests need, is installed.
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
PY := $(VENV)/bin/python
RUN_DIR ?= runs/quickstart
EXPORT_DIR ?= export/models
HISTORY := salsa-001,bluegrass-015,bluegrass-003

# The first that runs, has a version we support and can make environments.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 \
	python3.10; do $$python -c 'import ensurepip, sys; \
	sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	2> /dev/null && echo $$python && break; done)

export TF_CPP_MIN_LOG_LEVEL ?= 2
# pip would compile all modules, one after the other; Python compiles what it
# imports, and keeps it here, whatever its user has set.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode
export PYTHONDONTWRITEBYTECODE :=

.PHONY: test test-all demo clean

# Some memory of large arrays is kept for the next: to give it back and to get
# it again takes longer than many a test.
test test-all: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483648 \
		$(PY) -m pytest --numprocesses=3 --no-loadscope-reorder \
		$(if $(filter test-all,$@),--long)

demo: $(CORE)
	$(PY) -m tfrec.train --flagfile=configs/quickstart.flags --run_dir=$(RUN_DIR)
	$(PY) -m tfrec.recommend --run_dir=$(RUN_DIR) --history=$(HISTORY)
	$(PY) -m tfrec.export --run_dir=$(RUN_DIR) --export_dir=$(EXPORT_DIR)
	@# On free ports, which the server prints; stopped whatever happens.
	@log=$$(mktemp); \
	$(PY) -m tfrec.serve --export_dir=$(EXPORT_DIR) \
		--grpc_port=0 --rest_port=0 > $$log & server=$$!; \
	trap 'kill $$server; wait $$server; rm $$log' EXIT; \
	until grep -q '^REST at' $$log; do \
		kill -0 $$server || exit 1; sleep 0.2; done; \
	ask="$(PY) -m tfrec.recommend --name=acvae --history=$(HISTORY) \
		--server=$$(sed -n 's/^gRPC at //p' $$log)"; \
	echo $$ask; $$ask
	@# What was learned, beside what can be, and how to go on.
	$(PY) -m tfrec.evaluate --run_dir=$(RUN_DIR) --oracle
	@echo
	@echo "Look at what it recommends, and at how it learned:"
	@echo "  $(PY) -m tfrec.explore --run_dir=$(RUN_DIR)"
	@echo "  $(VENV)/bin/tensorboard --logdir=$(RUN_DIR)"

# A new environment, with a Python that can make one.
define new_environment
	if [[ -z "$(PYTHON)" ]]; then \
		echo "No Python 3.10 to 3.13 with ensurepip was found." \
			"Say where one is: make PYTHON=/path/to/python"; exit 1; fi; \
	$(PYTHON) -m venv --clear $(VENV)
endef
INSTALL = $(PY) -m pip install --quiet --no-compile --editable

$(CORE): setup.py
	@$(new_environment)
	@echo "Installing into $(VENV): some minutes, 2.7 GB."
	@$(INSTALL) .
	@touch $@

$(DEV): setup.py
	@[[ $(CORE) -nt setup.py ]] || { $(new_environment); }
	@echo "Installing into $(VENV), the tests' tools, Optuna and Spark too:" \
		"some minutes, 3.3 GB."
	@$(INSTALL) ".[dev,spark,tune,reproduce]"
	@touch $(CORE) $@

clean:
	rm -rf $(VENV)
