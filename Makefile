# Everything a newcomer, an operator or CI asks of this repository.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 7007
DATA ?= .callboard
EXAMPLE ?= playhouse
# embedded, or servers: real Kafka, OpenSearch, OPA and a second MongoDB server.
ENGINES ?= embedded
# More than the cores: most tests wait for an engine or a browser.
WORKERS ?= 4
ENV := .venv
BIN := $(ENV)/bin
REQUIREMENTS := requirements/all.txt requirements/uv.txt requirements/assets.txt

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev engines engines-down up down test static check fmt lock conform \
	bench faults clean

help: ## what can be asked
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

setup: $(ENV)/.ready ## make the environment from the hashed lock

setup-dev: $(ENV)/.ready-dev ## the same, with what checks and tests need

$(BIN)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@test -x $(BIN)/python || { echo "Making $(ENV)"; $(PYTHON) -m venv $(ENV); }
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $(BIN)/uv

$(ENV)/.ready: $(BIN)/uv $(REQUIREMENTS) deploy/setup.py
	@$(BIN)/python deploy/setup.py all
	@touch $@

$(ENV)/.ready-dev: $(BIN)/uv $(REQUIREMENTS) requirements/dev.txt deploy/setup.py
	@$(BIN)/python deploy/setup.py dev
	@touch $(ENV)/.ready $@

engines: setup-dev ## fetch Kafka, OpenSearch, OPA and a MongoDB server, and start them
	@$(BIN)/python -m deploy.engines fetch
	@$(BIN)/python -m deploy.engines start

engines-down: setup-dev ## stop what `make engines` started
	@$(BIN)/python -m deploy.engines stop

up: setup ## start the portal with the example (PORT= DATA= ENGINES= DETACH=1)
	@$(BIN)/callboard up --data $(DATA) --port $(PORT) --example $(EXAMPLE) \
		$(if $(filter-out file default,$(origin ENGINES)),--engines $(ENGINES)) $(if $(DETACH),--detach)

down: setup ## stop it
	@$(BIN)/callboard down --data $(DATA)

test: setup-dev ## every test but the slow ones (ENGINES=servers: those of engines, on real servers)
	@$(BIN)/python deploy/browser.py
	@$(if $(filter servers,$(ENGINES)),$(BIN)/python -m deploy.engines fetch)
	@CALLBOARD_ENGINES=$(ENGINES) $(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not faults"

static: setup-dev ## format, lint, layers, types
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

check: static ## the same, policies, unit and docs tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not faults and not browser" \
		tests/shared tests/contracts tests/docs tests/gateway/test_policy.py

fmt: setup-dev ## format and mend what can be mended
	@$(BIN)/ruff format -q . && $(BIN)/ruff check --fix -q .

lock: setup ## resolve requirements/*.txt again (UPGRADE=1: to the newest)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python deploy/lock.py $(if $(UPGRADE),--upgrade)

conform: setup-dev ## compare with recorded answers of a Backstage (CALLBOARD_GOLDEN)
	@$(BIN)/python tests/conformance.py

bench: setup-dev ## measure, and print beside the figures of docs/benchmarks.md
	@$(BIN)/python -m tests.bench --engines $(ENGINES)

faults: setup-dev ## the faults' tests; with SEED=1 MINUTES=10 ENGINES=servers a long run
	@$(if $(SEED)$(MINUTES),$(BIN)/python -m tests.faults.driver --seed $(or $(SEED),1) \
		--minutes $(or $(MINUTES),10) --engines $(ENGINES),CALLBOARD_ENGINES=$(ENGINES) \
		$(BIN)/python -m pytest -q -m faults tests/faults)

clean: ## remove the environment and all state of the default data folder
	@rm -rf $(ENV) .callboard artefacts
