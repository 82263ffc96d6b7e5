"""The curve over the number of training photos, on a few drawn portraits."""

import json
import shutil
import sys

import pytest
from conftest import PROJECT, run_here
from PIL import Image

sys.path.insert(0, str(PROJECT / "benchmarks"))

from transfer import (
    add_to_repository,
    compute_photos_saved,
    has_stopped_rising,
    order_training_photos,
    summarise,
)

from hairseg.data.datasets import find_pairs
from hairseg.repository import BUNDLED, ModelRepository


def test_smaller_sets_of_photos_are_subsets_of_larger_ones(portraits):
    dataset, pairs = find_pairs(portraits)
    order = [pair.id for _, pair in order_training_photos({dataset: pairs})]
    assert sorted(order) == sorted(pair.id for pair in pairs if pair.split == "train")
    fewer = [pair for pair in pairs if pair.id not in order[3:5]]
    assert [pair.id for _, pair in order_training_photos({dataset: fewer})] == order[:3] + order[5:]


def test_photos_saved_are_interpolated():
    """0.8 is midway between 0.7 at 100 photos and 0.9 at 400, so at 200, a quarter of 800."""
    pretrained = {"100": 0.7, "400": 0.9, "800": 0.92}
    assert compute_photos_saved(
        {"pretrained": pretrained, "random": {"100": 0.2, "400": 0.5, "800": 0.8}}
    ) == pytest.approx(0.25)
    assert compute_photos_saved(
        {"pretrained": pretrained, "random": {"100": 0.2, "400": 0.5, "800": 0.6}}
    ) == pytest.approx(100 / 800)
    assert compute_photos_saved({"pretrained": pretrained, "random": {"100": 0.2, "400": 0.5, "800": 0.95}}) is None


def test_each_seed_has_its_own_order(portraits):
    dataset, pairs = find_pairs(portraits)
    first, second = (order_training_photos({dataset: pairs}, seed) for seed in (0, 1))
    assert first != second and sorted(pair.id for _, pair in first) == sorted(pair.id for _, pair in second)


def test_training_stops_when_f1_has_not_risen_for_8000_frames():
    """At 2,000 photos per round, the last four rounds must gain 0.002."""
    rising = [0.5, 0.6, 0.7]
    assert not has_stopped_rising([*rising, 0.7, 0.7, 0.7], 2000), "the best of the last four is the first 0.7"
    assert has_stopped_rising([*rising, 0.701, 0.7, 0.6, 0.7], 2000)
    assert not has_stopped_rising([*rising, 0.7, 0.7, 0.7, 0.702], 2000)
    assert not has_stopped_rising([0.7] * 4, 2000) and has_stopped_rising([0.7] * 5, 2000)


def test_mean_and_range_over_seeds():
    scores = {("pretrained", 50): (0.8, 0.9), ("random", 50): (0.2, 0.4), ("random", 200): (0.5, 0.5),
              ("pretrained", 200): (0.9, 1.0)}  # fmt: skip
    summary = summarise(
        [
            {"variant": variant, "photos": photos, "f1": f1}
            for (variant, photos), values in scores.items()
            for f1 in values
        ]
    )
    assert summary["f1"]["random"] == pytest.approx({"50": 0.3, "200": 0.5})
    assert summary["f1_range"]["pretrained"] == {"50": (0.8, 0.9), "200": (0.9, 1.0)}
    assert summary["photos_saved"] == pytest.approx(0.25)


def test_interrupted_run_is_resumed(portraits, tmp_path):
    output = tmp_path / "transfer.json"
    words = ["--data", portraits, "--photos", 4, "--frames", 8, "--image-size", 64, "--init", "random", "--seeds", 0]

    def result():
        done = run_here("benchmarks/transfer.py", *words, "--output", output)
        return done.stdout, json.loads(output.read_text())

    printed, record = result()
    assert printed.count("F1") == 4
    assert {variant: set(scores) for variant, scores in record["f1"].items()} == {
        "pretrained": {"4", "9"}, "random": {"4", "9"}
    }  # fmt: skip
    assert record["settings"]["test_photos"] == 3
    (tmp_path / "transfer" / "9-random-0.json").unlink()
    _, again = result()
    assert again["f1"]["random"]["9"] == pytest.approx(record["f1"]["random"]["9"], abs=1e-6)
    with Image.open(tmp_path / "transfer.png") as curve:
        assert curve.size[0] > 300


def test_curve_is_added_to_repository_and_card(tmp_path):
    shutil.copytree(BUNDLED, tmp_path / "repository")
    f1 = {"pretrained": {"50": 0.8, "200": 0.9}, "random": {"50": 0.5, "200": 0.85}}
    settings = {
        "datasets": ["figaro1k"], "test_photos": 7, "frames": 100, "seeds": [0], "init": "x",
        "recipe": {"image_size": 64},
        "backbone": "y", "training_photos": 200,
    }  # fmt: skip
    add_to_repository(
        tmp_path / "repository",
        {"f1": f1, "f1_range": {}, "settings": settings, "photos_saved": compute_photos_saved(f1)},
    )
    repository = ModelRepository(tmp_path / "repository")
    assert repository.metrics().transfer.f1 == f1
    assert repository.metrics().full_resolution == ModelRepository(BUNDLED).metrics().full_resolution
    card = repository.card.read_text()
    assert "| 50 | 0.8000 | 0.5000 |\n| 200 | 0.9000 | 0.8500 |" in card
    assert "With pretraining, 100 training photos match 200 from random weights." in card, "midway in the logarithm"
