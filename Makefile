# Two commands on a fresh machine with Python 3.11 or newer:
#   make run                                     measure for some minutes, print the article's table
#   make run SCENARIO=my.yaml ARGS='--rigorous'  any scenario, any option of `tbench run`
#   make test                                    the test suite
#   make bench                                   tbench against itself and against its peers, for some hours
PYTHON   ?= python3
VENV     ?= .venv
SCENARIO ?= scenarios/document.yaml
ARGS     ?= --quick
PIP      := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: run test lint fuzz audit bench clean

run: $(VENV)/.run
	$(VENV)/bin/tbench run $(SCENARIO) $(ARGS)

# Files run side by side, on as many processes as there are cores, and four at most: each imports torch.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.test
	$(VENV)/bin/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# Everything that reads bytes from outside, for so many seconds each.
FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.test
	$(PIP) --editable '.[fuzz]'
	$(VENV)/bin/python bench/fuzz.py $(FUZZ_SECONDS)

# Known vulnerabilities of the pinned packages. Without the database, each is named as one that could not be audited.
audit: $(VENV)-audit/bin/pip-audit
	$< --requirement constraints.txt --no-deps --disable-pip --progress-spinner off

$(VENV)-audit/bin/pip-audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip --disable-pip-version-check install --quiet pip-audit

# All of them, whatever one of them finds; the longest is the last.
bench: $(VENV)/.test
	@missed=; for program in overhead planning suite_time agreement peers; do \
	  echo "bench/$$program.py"; $(VENV)/bin/python bench/$$program.py || missed="$$missed $$program"; \
	done; test -z "$$missed" || { echo "not as it must be:$$missed" >&2; exit 1; }

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tbench needs Python 3.11 or newer; this is `$(PYTHON) --version`. Name another: make run PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing tbench and its pinned dependencies into $(VENV) (once)"
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing tbench, its pinned dependencies and the test tools into $(VENV) (once)"
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-audit build dist *.egg-info
