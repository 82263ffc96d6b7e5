# PYTHON=/path/to/python uses another environment than that of the README.
PYTHON ?= .venv/bin/python

TEST_PACKAGES = pytest pytest-xdist hypothesis playwright axe-playwright-python hatchling pip jinja2

.PHONY: help install check format test test-fast coverage docs lowest

help:
	@echo "make install    create .venv with all dependencies, and install the pre-commit hooks"
	@echo "make check      ruff, pyright, import layers; JavaScript and CSS where node_modules exists"
	@echo "make format     format and auto-fix with ruff"
	@echo "make test       all tests"
	@echo "make test-fast  tests that are neither slow nor need a browser"
	@echo "make coverage   all tests, with a coverage report"
	@echo "make docs       documentation in site/; fails on warnings and on outdated generated pages"
	@echo "make lowest     tests with the oldest versions that pyproject.toml allows"

install:
	python3 -m venv .venv
	.venv/bin/python -m pip install -q -r requirements-dev.txt
	.venv/bin/python -m pre_commit install

check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pyright --pythonpath $(PYTHON)
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	if [ -d node_modules ]; then npm run check; fi

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

test:
	$(PYTHON) -m pytest -q -n 2 --dist loadfile

test-fast:
	$(PYTHON) -m pytest -q -n 2 --dist loadfile -m "not slow and not browser"

coverage:
	$(PYTHON) -m pytest -q -n 2 --dist loadfile --cov hairseg --cov-report term-missing:skip-covered

docs:
	$(PYTHON) scripts/generate_docs.py --check
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

# The oldest PyTorch takes about 3 GB; browser tests run with the newest versions only. ONNX needs a later PyTorch than the
# other dependencies, hence the second environment.
lowest: LOWEST = uv pip compile --quiet --resolution lowest-direct pyproject.toml --extra mcp --extra train
lowest:
	$(PYTHON) -m $(LOWEST) --output-file .venv-lowest.txt
	$(PYTHON) -m uv venv --quiet --clear .venv-lowest
	$(PYTHON) -m uv pip install --quiet --python .venv-lowest -r .venv-lowest.txt $(TEST_PACKAGES)
	.venv-lowest/bin/python -m pytest -q --ignore tests/browser
	$(PYTHON) -m $(LOWEST) --extra onnx --output-file .venv-lowest.txt
	$(PYTHON) -m uv venv --quiet --clear .venv-lowest
	$(PYTHON) -m uv pip install --quiet --python .venv-lowest -r .venv-lowest.txt $(TEST_PACKAGES)
	.venv-lowest/bin/python -m pytest -q tests/repository/test_export.py
