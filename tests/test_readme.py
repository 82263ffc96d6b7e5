"""What README and the bundled card say is what the files and the parsers hold."""

import json
import re
import shlex

import pytest

import app
import evaluate
import train
from conftest import PROJECT
from hairseg import __main__ as pictures
from hairseg import hub
from hairseg.card import render_card
from hairseg.repository import BUNDLED, load_config

README = (PROJECT / "README.md").read_text()
METRICS = json.loads((BUNDLED / "metrics.json").read_text())
PARSERS = {"app.py": app, "train.py": train, "evaluate.py": evaluate, "-m hairseg": pictures, "-m hairseg.hub": hub}


def test_the_results_table_is_the_bundled_metrics():
    for variant, scores in METRICS["variants"].items():
        row = re.search(rf"^\| {variant} \|(.*)\|$", README, re.MULTILINE)[1].split("|")
        assert [float(cell) for cell in row[:5]] == [
            round(scores[name], 4) for name in ("auroc", "f1", "iou", "mse", "boundary_iou")]
    assert f"{METRICS['images']} photos" in README
    assert METRICS["split"] == "test" and METRICS["dataset"] == "celebamask-hq"


def test_the_bundled_card_is_rendered_from_its_config_and_metrics():
    assert (BUNDLED / "README.md").read_text() == render_card(load_config(BUNDLED), METRICS)


@pytest.mark.parametrize("line", re.findall(r"^python .*$", README, re.MULTILINE))
def test_commands_in_the_readme_are_understood(line):
    words = shlex.split(line)[1:]
    name = " ".join(words[:2]) if words[0] == "-m" else words[0]
    PARSERS[name].parse().parse_args(words[len(name.split()):])


def test_files_the_readme_shows_are_there():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert 5_000 < (PROJECT / path).stat().st_size < 400_000
