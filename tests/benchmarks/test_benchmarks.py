"""Every benchmark can be imported and has a --help; finds names that have moved."""

import importlib.util
import sys

import pytest
from conftest import PROJECT

SCRIPTS = sorted(path for path in (PROJECT / "benchmarks").glob("*.py") if "def main(" in path.read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_benchmark_has_help(script, monkeypatch, capsys):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    spec = importlib.util.spec_from_file_location(f"benchmark_{script.stem}", script)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert not ended.value.code
    help_text = " ".join(capsys.readouterr().out.split())
    assert module.__doc__.partition("\n")[0].split()[0] in help_text
    assert "--output" in help_text
