# `make` lists what there is. One shell a recipe; pip only.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint check fmt bench admin clean

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

# The value of a setting in development: of the environment, else of .env, else $(2).
setting = $${$(1):-$$(sed -n "s/^$(1)=[\"']*\([^\"' \#]*\).*/\1/p" .env 2>/dev/null | grep . || echo $(2))}
development = export ENVIRONMENT="$(call setting,ENVIRONMENT,development)" PORT="$(call setting,PORT,8000)"

help: ## List these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  make %-7s %s\n' "$$name" "$$text"; done

run: .venv/.installed ## Start the application on http://localhost:8000 (another port: PORT=9000)
	@set -e; $(development); \
	echo "Bringing the database up to date ..."; \
	log=$$($(BIN)/flask db upgrade heads 2>&1) || { printf '%s\n' "$$log" >&2; exit 1; }; \
	exec env -u GUNICORN_CMD_ARGS $(BIN)/gunicorn -c config/gunicorn.py wsgi:app

admin: .venv/.installed ## Make an administrator: make admin EMAIL=you@example.com
	@test -n "$$EMAIL" || { echo "Whom? Say: make admin EMAIL=you@example.com" >&2; exit 1; }
	@$(development); exec $(BIN)/flask users create-admin "$$EMAIL"

test: .venv/.installed-tests ## Run all tests, on SQLite and on PostgreSQL
	@$(BIN)/python -m tests.services.install
	@export ENVIRONMENT=testing no_proxy=localhost,127.0.0.1; failed=; \
	for engine in sqlite postgresql; do \
		echo "Running the tests on $$engine ..."; \
		$(BIN)/python -m pytest -n 2 --engine=$$engine || failed="$$failed $$engine"; \
	done; \
	test -z "$$failed" || { echo "The tests failed on:$$failed" >&2; exit 1; }

lint: .venv/.installed-tests ## Check style, import rules, types and templates
	@echo "Checking style with ruff ..."
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@echo "Checking who imports whom with import-linter ..."
	@log=$$($(BIN)/lint-imports --no-logo 2>&1) || { printf '%s\n' "$$log" >&2; exit 1; }
	@echo "Checking types with pyright ..."
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@echo "Checking templates with djlint ..."
	@$(BIN)/djlint templates --lint --quiet

check: lint test ## Lint and test: exactly what CI runs

fmt: .venv/.installed-tests ## Sort imports, fix what can be fixed, format
	@echo "Formatting with ruff ..."
	@$(BIN)/ruff check -q --fix-only .
	@$(BIN)/ruff format -q .

bench: .venv/.installed-tests ## Measure speed
	@echo "Running the benchmarks ..."
	@$(BIN)/python -m tests.benchmarks

clean: ## Remove .venv and caches; instance/ and its data stay
	@echo "Removing .venv and caches ..."
	@rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched only after a complete installation: an interrupted one starts again.
.venv/.installed: requirements.txt
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
			echo "This needs Python 3.11 or newer, and $(PYTHON) is not. Say: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
			exit 1; }; \
		echo "Creating .venv with $$($(PYTHON) --version) ..."; \
		$(PYTHON) -m venv --clear .venv; \
	fi
	@echo "Installing requirements.txt ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.installed-tests: tests/requirements.txt requirements.txt .venv/.installed
	@echo "Installing tests/requirements.txt ..."
	@$(PIP) -r tests/requirements.txt
	@touch $@
