# Two targets do everything from a bare machine with Python 3.11: `make study` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# The linter and the formatter of scripts and styles.
NODE := .lint/node_modules/.bin
NODE_STAMP := .lint/node_modules/.installed
ESLINT := $(NODE)/eslint --config .lint/eslint.config.js --max-warnings 0
PRETTIER := $(NODE)/prettier --config .lint/prettier.json
SCRIPTS := grad_ext/report/web docs/_static
STYLED := $(SCRIPTS) .lint/eslint.config.js .lint/package.json .lint/prettier.json

.PHONY: study test test-slow install chromium lint format bench docs clean

study: install
	$(BIN)/grad-ext sweep lambda --dataset german

# With branch coverage of the three packages by the tests that are not marked as long: tracing those
# costs more time than it finds.
test: install chromium
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --durations 25 --cov

test-slow: install
	$(BIN)/pytest -m slow

bench: install
	for file in tests/benchmarks/bench_*.py; do $(BIN)/python -W ignore $$file || exit 1; done

# The site lies in docs/_build/html. From scratch every time: a page that is gone must not stay.
docs: install
	rm -rf docs/_build docs/api/generated docs/gallery
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html
	@echo "the site: docs/_build/html/index.html"

lint: install $(NODE_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/check_types.py
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(ESLINT) $(SCRIPTS)
	$(PRETTIER) --check $(STYLED)

format: install $(NODE_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(ESLINT) --fix $(SCRIPTS)
	$(PRETTIER) --write $(STYLED)

install: $(STAMP)

# Triton, in whose interpreter the kernels for GPUs are tested, lies apart: torch loads it where it finds
# it, which brings a process down that has loaded TensorFlow.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps --upgrade --target .venv/kernels \
		"triton; sys_platform == 'linux' and platform_machine == 'x86_64'"
	touch $@

$(NODE_STAMP): .lint/package.json .lint/package-lock.json
	@command -v npm > /dev/null \
	|| { echo "eslint and prettier need npm: install Node.js 20.19 or later" >&2; exit 1; }
	npm ci --prefix .lint --ignore-scripts --no-audit --no-fund --silent
	touch $@

# The tests of the report page need a browser; where none can be installed they are skipped.
chromium:
	@command -v chromedriver > /dev/null && command -v chromium > /dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	chromium chromium-driver > /dev/null; } \
	|| echo "no chromium: the tests of the report page will be skipped"

clean:
	rm -rf .venv .lint/node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		docs/_build docs/api/generated docs/gallery
