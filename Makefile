# The same words here and in CI. Everything lives in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
DEMO_OUT := runs/demo/astronaut-demasked.jpg

.PHONY: demo test check fmt bench site install install-dev s3-server clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

# torch comes first and pinned: a looser wish may bring in gigabytes of CUDA packages.
$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) $$(grep '^torch==' constraints.txt)
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.base

install: $(VENV)/.base
install-dev: $(VENV)/.dev

demo: install  ## Install, then take the face mask off the example photo.
	@mkdir -p $(dir $(DEMO_OUT))
	$(BIN)/demask remove examples/astronaut-covered.jpg -o $(DEMO_OUT) --overwrite
	@echo "The face mask is gone in $(DEMO_OUT). The lower face there is invented."

test: install-dev  ## All tests that need neither a GPU, nor minutes, nor the internet; a process per core.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder \
		--durations=25 --durations-min=5

check: install-dev  ## Style, types, who may import whom.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fmt: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

s3-server:  ## moto's S3 server for tests/e2e/test_batch_s3.py; apart, since it wants an older python-dateutil.
	$(PYTHON) -m venv .venv-s3
	.venv-s3/bin/python -m pip --disable-pip-version-check install --quiet 'moto[server]==5.2.5'

bench: install-dev  ## Speed on this machine; the README says which figures came from where.
	$(BIN)/python benchmarks/speed.py --out runs/bench/speed.json

site: install-dev  ## The documentation site, from docs/ and site/, into runs/site/html; links are checked.
	$(BIN)/python site/build.py $(SITE)

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
