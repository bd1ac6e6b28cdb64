# Two commands for a newcomer: `make demo` and `make test`. The rest is for developers.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test fuzz setup lint types format bench dashboards container-check clean

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 24

demo: $(VENV)/.demo  ## Watch a simulated ward for yourself; ARGS='--duration 75 --no-board' are passed on
	@exec $(BIN)/tocsin demo $(ARGS)

test: $(VENV)/.dev  ## Everything that is checked: lint, types, tests
	@scripts/system-packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

fuzz: $(VENV)/.dev  ## A million mutated payloads through every decoder; ARGS='--count 10000 --seed 7'
	@$(BIN)/python scripts/fuzz.py $(ARGS)

bench: $(VENV)/.dev  ## Messages a second, part by part and behind a real Mosquitto; ARGS='--streams 200 --no-broker'
	@$(BIN)/python scripts/bench.py $(ARGS)

lint: $(VENV)/.dev  ## Lint alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev  ## Types alone
	$(BIN)/mypy

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

dashboards: $(VENV)/.dev  ## Write the Grafana dashboards' JSON from scripts/dashboards
	@PYTHONPATH=scripts $(BIN)/python -m dashboards

container-check: $(VENV)/.made  ## Carry out the Dockerfile without Docker and start the daemon in it; needs root
	@$(if $(filter 0,$(shell id -u)),,sudo) env PYTHONPATH=scripts $(BIN)/python -m container_check $(ARGS)

setup: $(VENV)/.dev  ## Make .venv with everything a developer needs

$(VENV)/.made:
	@PYTHON=$(PYTHON) scripts/make-venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing Tocsin into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing Tocsin with its training and development tools into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,training,dev]'
	@touch $@ $(VENV)/.demo

clean:  ## Remove what the commands made
	rm -rf $(VENV) build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
