"""Every benchmark is imported whole and says what it is: a name that has moved is found here."""

import importlib.util
import sys

import pytest
from conftest import PROJECT

SCRIPTS = sorted(path for path in (PROJECT / "benchmarks").glob("*.py") if "def main(" in path.read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_help_says_what_it_measures(script, monkeypatch, capsys):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    spec = importlib.util.spec_from_file_location(f"benchmark_{script.stem}", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert not ended.value.code
    shown = " ".join(capsys.readouterr().out.split())
    assert module.__doc__.partition("\n")[0].split()[0] in shown and "--output" in shown
