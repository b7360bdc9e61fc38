# Two targets do everything from a bare machine with Python 3.11: `make study` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: study test test-slow install lint format bench clean

study: install
	$(BIN)/grad-ext sweep lambda --dataset german

test: install
	$(BIN)/pytest -n auto --dist loadfile

test-slow: install
	$(BIN)/pytest -m slow

bench: install
	for file in tests/benchmarks/bench_*.py; do $(BIN)/python -W ignore $$file || exit 1; done

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
