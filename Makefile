# make run · make test · make lab · make notebooks · make lint · make soak · make versions · make bench IMDB=folder
# Each target installs what it needs into .venv first; make clean removes .venv, and no results.

PYTHON ?= python3
VENV ?= .venv
# What "make run" runs: make run ARGS="--preset imdb --source my_reviews --name mine"
ARGS ?=

PY := $(VENV)/bin/python
READY := $(VENV)/.ready
LESSONS := $(sort $(wildcard notebooks/[0-9][0-9]_*.ipynb))

.PHONY: run test lab notebooks bench soak versions lint format clean

run: $(READY)
	$(PY) -m sentiment_lib run $(ARGS)

test: $(READY) lint
	$(PY) -m pytest -q

lab: $(READY)
	$(PY) -m jupyterlab --ip 127.0.0.1 notebooks

# Execute the lessons in place with the preset quick, so that readers on the web see every figure.
notebooks: $(READY)
	$(PY) -m sentiment_lib.course.build
	SENTIMENT_LIB_PROGRESS=off $(PY) -m nbconvert --to notebook --execute --inplace \
	    --ExecutePreprocessor.timeout=3600 --ExecutePreprocessor.record_timing=False $(LESSONS)

# Measure what benchmarks/records does not hold yet, some four hours for all of it, and write benchmarks/RESULTS.md.
# Run nothing else meanwhile. IMDB is a folder with train.parquet and test.parquet.
BENCHMARKS := training levers alone roofline inference files growth imdb baselines
bench: $(READY)
	@test -f "$(IMDB)/train.parquet" || { echo "give the folder of IMDB's Parquet files: make bench IMDB=folder"; exit 2; }
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	@test -d results/quick/model || $(PY) -m sentiment_lib train
	for question in $(BENCHMARKS); do $(PY) benchmarks/$$question.py "$(IMDB)" || exit 1; done
	$(PY) benchmarks/report.py

# The long versions of the tests that kill, damage and fuzz: some 30 minutes.
soak: $(READY)
	KILLS=20 FUZZ=20000 $(PY) -m pytest -q -rA tests/robustness/test_kill.py tests/course/test_series.py \
	    tests/robustness/test_properties.py tests/data/test_hub.py tests/run/test_files.py tests/run/test_locks.py

# The tests with the lowest and with the newest versions that pyproject.toml admits, each in an environment of its own.
versions: $(READY)
	for bound in lowest newest; do \
	    if [ $$bound = lowest ]; then $(PY) tests/support/version_bounds.py; fi > $(VENV)/$$bound.txt; \
	    $(PYTHON) -m venv $(VENV)/$$bound && \
	    $(VENV)/$$bound/bin/python -m pip install -q --disable-pip-version-check -c $(VENV)/$$bound.txt -e ".[test]" && \
	    $(VENV)/$$bound/bin/python -m pip list --format freeze && \
	    $(VENV)/$$bound/bin/python -m pytest -q || exit 1; \
	done

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
	$(PY) -c "from sentiment_lib.data import fetch_snippets; fetch_snippets()"
	@# JupyterLab shall ask nobody on the web for news or newer versions
	@$(PY) -m jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	@touch $(READY)

clean:
	rm -rf $(VENV)
