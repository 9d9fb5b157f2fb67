# make run · make test · make lab · make notebooks · make lint
# Each target installs what it needs into .venv first; nothing outside this folder is touched.

PYTHON ?= python3
VENV ?= .venv
# What "make run" runs: make run ARGS="--preset imdb --source my_reviews --name mine"
ARGS ?=

PY := $(VENV)/bin/python
READY := $(VENV)/.ready
LESSONS := $(sort $(wildcard notebooks/[0-9][0-9]_*.ipynb))

.PHONY: run test lab notebooks lint format clean

run: $(READY)
	$(PY) -m sentiment_lib run $(ARGS)

test: $(READY) lint
	$(PY) -m pytest -q

lab: $(READY)
	$(PY) -m jupyterlab --ip 127.0.0.1 notebooks

# Execute the lessons in place with the preset quick, so that readers on the web see every figure.
notebooks: $(READY)
	SENTIMENT_LIB_PROGRESS=off $(PY) -m nbconvert --to notebook --execute --inplace \
	    --ExecutePreprocessor.timeout=3600 --ExecutePreprocessor.record_timing=False $(LESSONS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else 'Python 3.11 or newer is needed; $(PYTHON) is %d.%d. Try: make PYTHON=python3.11' % v)"
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	$(PY) -c "from sentiment_lib.sources import fetch_snippets; fetch_snippets()"
	@# JupyterLab shall ask nobody on the web for news or newer versions
	@$(PY) -m jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	@touch $(READY)

clean:
	rm -rf $(VENV) results
