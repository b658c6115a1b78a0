# make demo    the whole pipeline on a simulated site, then a short report
# make test    lint, types and tests; WORKERS=4 for more processes
# make extras  torch, Spark and the clients of PostgreSQL, whose tests skip without them
# make up      Dagster, MLflow and the service, until Ctrl-C
# make docs    the documentation as a website, in build/docs
# make image   the images tessera-pipeline and tessera-service; make image-test tries them
# make bench   the benchmarks; ONLY=name for one, SIZE=0.1 for a quick look

TESSERA := .venv/bin/tessera
PYTHON  := .venv/bin/python
WORKERS := 2
SLOWEST := 15
READY   := .venv/ready
EXTRAS  := .venv/extras

# Bytecode is kept even where the environment says otherwise: every process that a test starts would compile every
# library again, some seconds each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test extras lint format types sql up docs bench image image-test lock clean

demo: $(READY)
	$(TESSERA) demo

# Two processes share the tests, each with single-threaded arithmetic: two cores are the machine that must be enough.
test: $(READY)
	$(MAKE) --no-print-directory --jobs=2 lint
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PYTHON) -m pytest tests \
	  --numprocesses=$(WORKERS) --no-loadscope-reorder --durations=$(SLOWEST)

lint: format types sql

format: $(READY)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types: $(READY)
	.venv/bin/mypy

sql: $(READY)
	$(PYTHON) -m tests.dbt_project.sql_lint

up: $(READY)
	$(TESSERA) up

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

# ENGINE builds the images; BASE is an image of Debian with Python, BUILD_OPTIONS are options of the engine.
ENGINE := docker
BASE := docker.io/library/python:3.11-slim-bookworm
image:
	$(ENGINE) build $(BUILD_OPTIONS) --build-arg BASE=$(BASE) --target service --tag tessera-service .
	$(ENGINE) build $(BUILD_OPTIONS) --build-arg BASE=$(BASE) --target pipeline --tag tessera-pipeline .

image-test: $(READY)
	$(PYTHON) -m pytest tests/deploy/built_images.py

bench: $(READY)
	$(PYTHON) tests/benchmarks/run.py $(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE))

# The environment: a virtual one in the checkout, exactly what the lock file names, and the checkout itself.
$(READY): requirements.lock pyproject.toml
	@command -v cc >/dev/null || command -v gcc >/dev/null || { \
	  echo "A C compiler is needed to build LightFM: install gcc (Debian: apt-get install build-essential)"; exit 1; }
	@test -x $(PYTHON) || { \
	  for python in python3.11 python3.12 python3; do \
	    $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && break; \
	    python=; \
	  done; \
	  test -n "$$python" || { echo "Python 3.11 or 3.12 with venv is needed (Debian: apt-get install python3-venv)"; exit 1; }; \
	  $$python -m venv .venv; }
	.venv/bin/pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip sync --python $(PYTHON) requirements.lock
	.venv/bin/uv pip install --python $(PYTHON) --no-deps --editable .
	@touch $(READY)

# The schemas of Kubernetes, Prometheus and Grafana, against which tests check what stands in deploy.
SCHEMAS := kubernetes-validate promql-parser grafana-foundation-sdk

# The optional dependencies beside the locked ones. pip, unlike uv, also takes wheels from the folders of its option
# find-links: a build of torch for the CPU, kept there, spares the gigabytes of CUDA that PyPI's build brings.
extras: $(EXTRAS)

$(EXTRAS): requirements-extras.lock $(READY)
	.venv/bin/pip install --quiet --disable-pip-version-check \
	  --constraint requirements.lock --constraint requirements-extras.lock --editable '.[maxmind,postgres,spark,torch]' \
	  $(SCHEMAS)
	@touch $(EXTRAS)

# Newest versions that pyproject.toml allows, for both Python versions; what only the extras need is a file of its own.
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --group dev --no-header --upgrade
lock:
	$(COMPILE) -o requirements.lock pyproject.toml
	$(COMPILE) --no-annotate --all-extras --group schemas --constraint requirements.lock pyproject.toml \
	  | grep -vxFf requirements.lock > requirements-extras.lock

clean:
	rm -rf .venv .tessera build
