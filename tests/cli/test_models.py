"""`hairseg models` from end to end."""

import json
import os
import subprocess
import sys

import pytest
from conftest import PROJECT, draw_portrait, run_here, write_repository
from PIL import Image

from hairseg.repository import BUNDLED, ModelRepository


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder named "models" that holds a repository, a broken repository and a photo."""
    models = tmp_path_factory.mktemp("work") / "models"
    write_repository(models / "drawn")
    (models / "broken").mkdir()
    (models / "broken" / "config.json").write_text("{}")
    Image.fromarray(draw_portrait(1)[0]).save(models / "selfie.png")
    return models.parent


def run(folder, *words, rc: int) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    words = [sys.executable, "-m", "hairseg", *words]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == rc and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done


def test_folder_of_repositories_is_listed_and_measured(folder):
    done = run(folder, "models", "models", "--json", rc=1)
    assert done.stderr == "error: models/broken/config.json is malformed at 'format'. Field required.\n"
    (row,) = json.loads(done.stdout)
    assert row["name"] == "models/drawn" and row["backbone"] == "efficientnet_lite0" and row["milliseconds"] > 0


def test_bundled_repository_is_listed_by_default():
    done = run_here("-m", "hairseg", "models", "--no-speed")
    head, *lines = done.stdout.splitlines()
    assert head == str(ModelRepository(BUNDLED).metrics().photos) and done.stderr == ""
    titles, *variants = (line.split() for line in lines)
    assert (
        titles[-1] == "ms" and variants[0][3] == "pretrained" and variants[0][-1] == "-" and variants[1][3] == "random"
    )


def test_folder_named_like_a_verb_is_read_by_its_path(folder):
    run(folder, "./models", "--output", "out", rc=0)
    with Image.open(folder / "out" / "selfie.alpha.png") as alpha:
        assert alpha.size == (96, 96)


def test_mistakes_print_one_line():
    error = run_here("-m", "hairseg", "models", "nowhere", rc=2).stderr
    assert error.startswith("error: nowhere holds no model repository") and error.count("\n") == 1
    assert "models --help" in run_here("-m", "hairseg", "models", "--fast", rc=2).stderr
