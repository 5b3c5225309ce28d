PYTHON ?= python3
# Tests mostly wait for the servers they start.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
VENV := .venv
PY := $(VENV)/bin/python
# The name carries the lock and the folder: scripts in a virtual environment do not survive a move.
STAMP := $(VENV)/made-$(firstword $(shell { pwd; cat requirements.lock; } | cksum))

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Settings of the caller's shell that would hide this folder's ansible.cfg or packages.
unexport ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH PYTHONHOME PYTHONPATH

.PHONY: help setup run lint lab lab-stop test bench frameworks clean

help:
	@echo 'make run [ONCE=1]   the first run: starts the lab, plans, approves and carries out a task,'
	@echo '                    and brings the model home; ONCE=1 stops everything at the end'
	@echo 'make test           every check and every test'
	@echo 'make lab, lab-stop  start the lab in the background, stop it'
	@echo 'make frameworks     the first task in every framework that has a wheel here, on real Slurm'
	@echo 'make setup, lint, bench, clean'
	@echo 'PYTHON=python3.12   the Python to set up with, 3.11 to 3.13'

setup: $(STAMP)
	@:

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "setup: $(PYTHON) is not Python 3.11 to 3.13; name one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "setup: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo 'setup: installing the locked packages into $(VENV), once (half a minute)'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

run: setup
	@PYTHONPATH=collections $(PY) -m tests.lab run $(if $(ONCE),--once)

lab: setup
	@$(PY) -m tests.lab up

lab-stop: setup
	@$(PY) -m tests.lab down

lint: setup
	ruff check
	ruff format --check
	ansible-lint
	antsibull-docs lint-collection-docs --plugin-docs collections/ansible_collections/suanwang/brain
	$(PY) tests/sanity.py

test: lint
	$(PY) -m pytest -p tests.counts -p tests.order -n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: setup
	$(PY) -m tests.bench

frameworks: setup
	@PYTHONPATH=collections $(PY) -m tests.real

clean:
	@test ! -x $(PY) || $(PY) -m tests.lab down
	rm -rf $(VENV) .cache .ansible .hypothesis .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
