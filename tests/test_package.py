"""The package as pip installs it, away from the checkout."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import PROJECT

import hairseg

SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(name: str) -> set[str]:
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def test_requirements_are_those_of_the_package():
    """A Space installs requirements.txt before it has the code, so that the list stands there once more."""
    extras = SETTINGS["optional-dependencies"]
    assert requirements("requirements.txt") == {*SETTINGS["dependencies"], *extras["page"], *extras["train"]}
    assert requirements("requirements-dev.txt") == set(extras["test"])


def test_exports_are_there_and_listed():
    for name in hairseg.__all__:
        assert getattr(hairseg, name) is not None
        assert name in dir(hairseg)
    with pytest.raises(AttributeError, match="module 'hairseg' has no attribute 'mask'"):
        hairseg.mask  # noqa: B018


def test_importing_takes_no_torch_along():
    code = "import sys, hairseg; print(sorted({'torch', 'numpy', 'cv2', 'gradio'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT, text=True) == "[]\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with the package as its wheel holds it, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheel"), str(PROJECT)]
    subprocess.run(wheel, check=True)
    (built,) = (folder / "wheel").glob("hairseg-*.whl")
    assert built.name.startswith(f"hairseg-{hairseg.__version__}-py3-none-any")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(built)], check=True)
    return folder / "site"


def away(site: Path, *words: str) -> subprocess.CompletedProcess:
    """Run Python outside of the checkout, with the installed package on its path."""
    return subprocess.run(
        [sys.executable, *words], cwd=site.parent, env={"PYTHONPATH": str(site)}, capture_output=True, text=True
    )


def test_an_installed_package_segments_recolours_and_writes_cards(site):
    code = """
import json, hairseg
from pathlib import Path
from hairseg.hub.card import render_card
from hairseg.repository import BUNDLED
portrait = Path(hairseg.__file__).parent / "page" / "examples" / "astronaut.jpg"
photo = hairseg.load_photo(portrait)
predictor = hairseg.HairPredictor.from_pretrained()
alpha = predictor.alphas(photo)["pretrained"]
dyed = hairseg.recolour(photo, alpha, "copper")
card = render_card(predictor.config, json.loads((BUNDLED / "metrics.json").read_text()))
print(hairseg.__file__)
print(alpha.shape == photo.shape[:2], (dyed != photo).any(), card == (BUNDLED / "README.md").read_text())
print((Path(hairseg.__file__).parent / "py.typed").is_file())
"""
    result = away(site, "-c", code)
    assert result.returncode == 0, result.stderr
    where, outcome, typed = result.stdout.splitlines()
    assert Path(where).is_relative_to(site) and outcome == "True True True" and typed == "True"


def test_the_command_is_installed(site):
    script = site / "bin" / "hairseg"
    result = away(site, str(script), "no-such-photo.jpg")
    assert result.returncode in (1, 2) and re.search(r"^error: no-such-photo\.jpg ", result.stderr, re.MULTILINE)
    assert "Traceback" not in result.stderr
