# Hạ Tầng. `make run` shows this machine on a page; `make test` proves the program. Both do all their set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= python3

.PHONY: help run test check docs soak bench packages setup servers clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

# A stamp per purpose, so that a changed constraint or dependency is installed again.
$(VENV)/.run: pyproject.toml constraints.txt
	@deploy/setup/python $(PYTHON) $(VENV) collector
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@deploy/setup/python $(PYTHON) $(VENV) collector,probe,dev
	@touch $@ $(VENV)/.run

run: $(VENV)/.run  ## start collector and agent here and print the address of the board
	@deploy/setup/packages mosquitto
	@$(PY) deploy/tryout/run.py

servers:  ## install the Debian packages the tests start
	@deploy/setup/packages --optional mosquitto mosquitto-clients influxdb victoria-metrics postgresql chromium fonts-noto-core poppler-utils iproute2 \
		nftables iptables dmidecode iputils-ping msitools wixl lintian python3-psutil adduser

test: $(VENV)/.dev servers  ## run every test except the long ones
	@$(VENV)/bin/pytest -q --numprocesses 2 --dist loadfile

check: $(VENV)/.dev  ## ruff, mypy --strict, import rules, generated files
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m hatang_agent.wire.schema --check docs
	@$(PY) -m hatang_agent.probedoc --check
	@$(PY) -m hatang_agent.settingsdoc --check
	@$(PY) dashboards/build.py --check

docs: $(VENV)/.dev  ## write the generated pages and dashboards
	@$(PY) -m hatang_agent.wire.schema docs
	@$(PY) -m hatang_agent.probedoc
	@$(PY) -m hatang_agent.settingsdoc
	@$(PY) dashboards/build.py

soak: $(VENV)/.dev servers  ## kill everything at random for SOAK_MINUTES (10) and count what was lost
	@$(PY) -m tests.soak

bench: $(VENV)/.dev servers  ## measure speed and size beside their targets
	@$(PY) -m tests.bench

packages: $(VENV)/.dev  ## build the agent's installers into dist/
	@deploy/setup/packages msitools wixl
	@deploy/agent-debian/build dist
	@deploy/windows/build dist

clean:  ## remove the virtual environment and caches, keep ./data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
