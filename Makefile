# PYTHON=... names another environment than the README's.
PYTHON ?= .venv/bin/python

TESTING = pytest hypothesis playwright axe-playwright-python hatchling pip

.PHONY: help install check format test lowest

help:
	@echo "make install   an environment in .venv with all that developing needs"
	@echo "make check     ruff, pyright and the layers of imports"
	@echo "make format    let ruff mend and format"
	@echo "make test      the tests"
	@echo "make lowest    the tests with the oldest versions that pyproject.toml allows"

install:
	python3 -m venv .venv
	.venv/bin/python -m pip install -q -r requirements-dev.txt
	.venv/bin/python -m pre_commit install

check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pyright --pythonpath $(PYTHON)
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

test:
	$(PYTHON) -m pytest -q -n 2 --dist loadfile

# Old PyTorch brings some 3 GB along; the browser tests are left to the newest versions. ONNX asks for a later PyTorch than
# the rest, and so has an environment of its own.
lowest: LOWEST = uv pip compile --quiet --resolution lowest-direct pyproject.toml --extra mcp --extra train
lowest:
	$(PYTHON) -m $(LOWEST) --output-file .venv-lowest.txt
	$(PYTHON) -m uv venv --quiet --clear .venv-lowest
	$(PYTHON) -m uv pip install --quiet --python .venv-lowest -r .venv-lowest.txt $(TESTING)
	.venv-lowest/bin/python -m pytest -q --ignore tests/browser
	$(PYTHON) -m $(LOWEST) --extra onnx --output-file .venv-lowest.txt
	$(PYTHON) -m uv venv --quiet --clear .venv-lowest
	$(PYTHON) -m uv pip install --quiet --python .venv-lowest -r .venv-lowest.txt $(TESTING)
	.venv-lowest/bin/python -m pytest -q tests/hub/test_export.py
