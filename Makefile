# make run · make lab · make site · make check · make test · make lessons · make notebooks · make soak · make versions · make bench IMDB=folder
# Each target installs what it needs into .venv first; make clean removes .venv, and no results.

PYTHON ?= python3
VENV ?= .venv
# What "make run" runs: make run ARGS="--preset imdb --source my_reviews --name mine"
ARGS ?=
# The versions to install. With CONSTRAINTS=/dev/null they are the newest that pyproject.toml admits.
CONSTRAINTS ?= constraints.txt
# What "make lessons" tests: make lessons LESSONS=notebooks/04_measure.ipynb
LESSONS ?= $(sort $(wildcard notebooks/[0-9][0-9]_*.ipynb))

PY := $(VENV)/bin/python
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e
# What learners need, and what the tests need on top of it.
READY := $(VENV)/.ready
READY_TEST := $(VENV)/.ready-test
# Tests in as many processes as WORKERS says, each with one thread: two PyTorch processes with two threads each would
# slow each other down.
WORKERS ?= 2
SIDE_BY_SIDE = OMP_NUM_THREADS=1 $(PY) -m pytest -q -n
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with notebooks/nbval_sanitize.cfg

.PHONY: run lab site lint check test everything lessons notebooks bench soak versions installed format clean

run: $(READY)
	$(PY) -m sentiment_lib run $(ARGS)

lab: $(READY)
	$(PY) -m jupyterlab --ip 127.0.0.1 notebooks

# The course as a site, from the lessons as they are committed and the run quick, which "make run" makes.
site: $(READY)
	$(PY) -m sentiment_lib site $(ARGS)

# Style, layers, workflows, JavaScript and types.
lint: $(READY_TEST)
	$(PY) tests/support/static_checks.py

# What can be said in three minutes: no trained model, no kernel, no browser.
check: lint
	$(SIDE_BY_SIDE) $(WORKERS) -m "not slow and not browser" tests

test: lint everything

# One process executes the lessons in order, while the others run the tests that do not need what the lessons leave.
# There is one process more than usual, because many of these tests wait for a server, a kernel or a retry.
everything: $(READY_TEST)
	export SENTIMENT_LIB_TEST_HOME=$$(mktemp -d) && trap 'rm -rf "$$SENTIMENT_LIB_TEST_HOME"' EXIT && \
	$(SIDE_BY_SIDE) $$(($(WORKERS) + 1)) $(NBVAL) -m "not last" notebooks tests && $(SIDE_BY_SIDE) $(WORKERS) -m last tests

# Execute the lessons and compare their outputs with those that are committed.
lessons: $(READY_TEST)
	$(PY) -m pytest -q $(NBVAL) $(LESSONS)

# Execute the lessons with the preset quick, so that readers on the web see every figure. A lesson is written only if its
# prose agrees with what it shows.
notebooks: $(READY_TEST)
	$(PY) -m sentiment_lib.course.build
	SENTIMENT_LIB_PROGRESS=off PYTHONPATH=tests $(PY) -m support.execute $(LESSONS)

# Measure what benchmarks/records does not hold yet, some six hours for all of it, and write benchmarks/RESULTS.md.
# Run nothing else meanwhile. IMDB is a folder with train.parquet and test.parquet.
BENCHMARKS := training levers alone roofline inference files growth candidates hour three_ways baselines negation lora \
	page_engine
bench: $(READY_TEST)
	@test -f "$(IMDB)/train.parquet" || { echo "give the folder of IMDB's Parquet files: make bench IMDB=folder"; exit 2; }
	$(INSTALL) ".[bench]"
	@test -d results/quick/model || $(PY) -m sentiment_lib train
	for question in $(BENCHMARKS); do $(PY) benchmarks/$$question.py "$(IMDB)" || exit 1; done
	$(PY) benchmarks/report.py

# The long versions of the tests that kill, damage and fuzz, and the series of all architectures: some 50 minutes.
soak: $(READY_TEST)
	KILLS=20 FUZZ=20000 $(PY) -m pytest -q -rA tests/robustness/test_kill.py tests/course/test_series.py \
	    tests/course/test_architectures.py tests/robustness/test_properties.py tests/data/test_hub.py \
	    tests/run/test_files.py tests/run/test_locks.py tests/project/test_project_files.py

# The tests with the lowest and with the newest versions that pyproject.toml admits, each in an environment of its own.
versions: $(READY_TEST)
	$(PY) tests/support/version_bounds.py > $(VENV)/lowest.txt
	: > $(VENV)/newest.txt
	for bound in lowest newest; do \
	    $(MAKE) installed everything VENV=$(VENV)/$$bound CONSTRAINTS=$(VENV)/$$bound.txt || exit 1; \
	done

installed: $(READY_TEST)
	$(PY) -m pip list --format freeze

format: $(READY_TEST)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

$(READY): EXTRAS = lessons
$(READY_TEST): EXTRAS = lessons,test
$(READY) $(READY_TEST): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else 'Python 3.11 or newer is needed; $(PYTHON) is %d.%d. Try: make PYTHON=python3.11' % v)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) ".[$(EXTRAS)]"
	$(PY) -c "from sentiment_lib.data import fetch_snippets; fetch_snippets()"
	@# JupyterLab shall ask nobody on the web for news or newer versions
	@$(PY) -m jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	@touch $(READY) $@

clean:
	rm -rf $(VENV)
