# Two targets do everything from a bare machine with Python 3.11: `make study` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: study test test-slow install chromium lint format bench docs clean

study: install
	$(BIN)/grad-ext sweep lambda --dataset german

test: install chromium
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --durations 25

test-slow: install
	$(BIN)/pytest -m slow

bench: install
	for file in tests/benchmarks/bench_*.py; do $(BIN)/python -W ignore $$file || exit 1; done

# The site lies in docs/_build/html. From scratch every time: a page that is gone must not stay.
docs: install
	rm -rf docs/_build docs/api/generated docs/gallery
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html
	@echo "the site: docs/_build/html/index.html"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(STAMP)

# Triton, in whose interpreter the kernels for GPUs are tested, lies apart: torch loads it where it finds
# it, which brings a process down that has loaded TensorFlow.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps --upgrade --target .venv/kernels \
		"triton; sys_platform == 'linux' and platform_machine == 'x86_64'"
	touch $@

# The tests of the report page need a browser; where none can be installed they are skipped.
chromium:
	@command -v chromedriver > /dev/null && command -v chromium > /dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	chromium chromium-driver > /dev/null; } \
	|| echo "no chromium: the tests of the report page will be skipped"

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		docs/_build docs/api/generated docs/gallery
