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


def figures_of(scores: dict) -> list[float]:
    return [round(scores[variant][name], 4) for variant in ("pretrained", "random") for name in ("f1", "boundary_iou")]


def row(label: str) -> list[float]:
    return [float(cell) for cell in re.search(rf"^\| {re.escape(label)} \|(.*)\|$", README, re.MULTILINE)[1].split("|")]


def test_the_tables_of_what_users_get_are_the_bundled_metrics():
    figaro1k, = METRICS["others"]
    for name, part in (("CelebAMask-HQ", METRICS), ("Figaro1k", figaro1k)):
        own_size = part["own_size"]
        assert row(f"{name}, {part['images']} photos") == figures_of(own_size)
        unrefined = {variant: scores["unrefined"] for variant, scores in own_size.items()}
        assert row(f"{name}, edges as the network has them") == figures_of(unrefined)
    for share, label in (("1/2", "a half"), ("1/3", "a third"), ("1/5", "a fifth")):
        assert row(f"CelebAMask-HQ, photo {label} of a scene") == figures_of(METRICS["framing"][share])
    for variant, shares in METRICS["hairless"]["variants"].items():
        assert f"{100 * shares['mean']:.2f} % ({variant})" in README
    assert f"In {METRICS['hairless']['images']} scenes without people" in README


def test_the_table_of_edges_is_its_benchmark():
    for name in ("celebamask-hq", "figaro1k"):
        result = json.loads((PROJECT / "benchmarks" / "results" / f"edges-{name}.json").read_text())
        for way, scores in result["ways"].items():
            assert row(f"{way}, {name}") == [scores["f1"], scores["boundary_iou"], scores["mse"], scores["time"]]


@pytest.mark.parametrize("line", re.findall(r"^python .*$", README, re.MULTILINE))
def test_commands_in_the_readme_are_understood(line):
    words = shlex.split(line)[1:]
    name = " ".join(words[:2]) if words[0] == "-m" else words[0]
    PARSERS[name].parse().parse_args(words[len(name.split()):])


def test_files_the_readme_shows_are_there():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert 5_000 < (PROJECT / path).stat().st_size < 400_000
