"""The package as pip installs it, outside of the checkout."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
from conftest import PROJECT

import hairseg

SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_requirements_are_generated_from_pyproject():
    """A Space installs requirements.txt before it has the package."""
    committed = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    subprocess.run([sys.executable, PROJECT / "scripts" / "requirements.py"], check=True)
    assert (PROJECT / "requirements.txt").read_text(encoding="utf-8") == committed
    assert {"torch>=2.6", "gradio>=6.31,<7", "accelerate>=1.7"} <= set(committed.splitlines())


def test_development_environment_has_every_extra():
    (line,) = (PROJECT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    extras = line.removeprefix("-e .[").removesuffix("]").split(",")
    assert set(extras) == set(SETTINGS["optional-dependencies"])


def test_exports_exist_and_are_listed():
    for name in hairseg.__all__:
        assert getattr(hairseg, name) is not None
        assert name in dir(hairseg)
    with pytest.raises(AttributeError, match="module 'hairseg' has no attribute 'mask'"):
        hairseg.mask  # noqa: B018


def test_importing_does_not_import_torch():
    code = "import sys, hairseg; print(sorted({'torch', 'numpy', 'cv2', 'gradio'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT, text=True) == "[]\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of an installed wheel."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheel"), str(PROJECT)]
    subprocess.run(wheel, check=True)
    (built,) = (folder / "wheel").glob("hairseg-*.whl")
    assert built.name.startswith(f"hairseg-{hairseg.__version__}-py3-none-any")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(built)], check=True)
    return folder / "site"


def run_installed(site: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python outside of the checkout, with the installed wheel on its path."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=site.parent,
        env={"PYTHONPATH": str(site)} | environment,
        capture_output=True,
        text=True,
    )


def test_installed_package_segments_recolours_and_writes_cards(site):
    code = """
import hairseg
from pathlib import Path
from hairseg.hub.card import render_card
from hairseg.repository import BUNDLED, ModelRepository
portrait = Path(hairseg.__file__).parent / "page" / "examples" / "astronaut.jpg"
photo = hairseg.load_photo(portrait)
predictor = hairseg.HairPredictor.from_pretrained()
alpha = predictor.alphas(photo)["pretrained"]
dyed = hairseg.recolour(photo, alpha, "copper")
card = render_card(predictor.config, ModelRepository(BUNDLED).metrics())
print(hairseg.__file__)
print(alpha.shape == photo.shape[:2], (dyed != photo).any(), card == (BUNDLED / "README.md").read_text())
print((Path(hairseg.__file__).parent / "py.typed").is_file())
"""
    result = run_installed(site, "-c", code)
    assert result.returncode == 0, result.stderr
    where, outcome, typed = result.stdout.splitlines()
    assert Path(where).is_relative_to(site) and outcome == "True True True" and typed == "True"


def test_command_is_installed(site):
    script = site / "bin" / "hairseg"
    result = run_installed(site, str(script), "no-such-photo.jpg")
    assert result.returncode in (1, 2) and re.search(r"^error: no-such-photo\.jpg ", result.stderr, re.MULTILINE)
    assert "Traceback" not in result.stderr


def test_installed_package_trains_and_evaluates(site, portraits, tmp_path):
    hairseg_command, environment = str(site / "bin" / "hairseg"), {"HAIRSEG_CACHE": str(tmp_path / "cache")}
    words = ["--backbone", "efficientnet_lite0", "--variants", "random", "--epochs", "1", "--image-size", "32"]
    run = tmp_path / "run"
    words = ["train", "--data", str(portraits), *words, "--output", str(run)]
    result = run_installed(site, hairseg_command, *words, **environment)
    assert result.returncode == 0, result.stderr
    words = ["--repo", str(run), "--output", str(tmp_path / "scores")]
    result = run_installed(site, hairseg_command, "evaluate", "--data", str(portraits), *words, **environment)
    assert result.returncode == 0, result.stderr
    trained, scored = (json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path / "scores"))
    assert scored["variants"] == trained["variants"]


def test_installed_package_serves_the_page(site, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(site), "TMPDIR": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"}
    words = [sys.executable, str(site / "bin" / "hairseg"), "serve", "--port", port]
    process = subprocess.Popen(words, cwd=site.parent, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 300
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                    assert "What is pretraining worth?" in page.read().decode()
                break
            except OSError:
                time.sleep(0.2)
    finally:
        process.terminate()
        process.communicate(timeout=120)
