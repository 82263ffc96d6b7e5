"""The curve over numbers of photos, in miniature."""

import json
import subprocess
import sys

import pytest
from conftest import PROJECT
from PIL import Image

sys.path.insert(0, str(PROJECT / "benchmarks"))

from transfer import nested, photos_saved

from hairseg.data.datasets import find_pairs


def test_smaller_numbers_of_photos_are_within_larger_ones(portraits):
    dataset, pairs = find_pairs(portraits)
    order = [pair.id for _, pair in nested({dataset: pairs})]
    assert sorted(order) == sorted(pair.id for pair in pairs if pair.split == "train")
    fewer = [pair for pair in pairs if pair.id not in order[3:5]]
    assert [pair.id for _, pair in nested({dataset: fewer})] == order[:3] + order[5:]


def test_photos_saved_are_read_off_the_curve():
    """0.8 lies midway between 0.7 at 100 photos and 0.9 at 400: at 200, a quarter of 800."""
    pretrained = {"100": 0.7, "400": 0.9, "800": 0.92}
    assert photos_saved({"pretrained": pretrained, "random": {"100": 0.2, "400": 0.5, "800": 0.8}}) == pytest.approx(
        0.25
    )
    assert photos_saved({"pretrained": pretrained, "random": {"100": 0.2, "400": 0.5, "800": 0.6}}) == pytest.approx(
        100 / 800
    )
    assert photos_saved({"pretrained": pretrained, "random": {"100": 0.2, "400": 0.5, "800": 0.95}}) is None


def test_a_run_that_was_stopped_goes_on(portraits, tmp_path):
    output = tmp_path / "transfer.json"
    words = [
        sys.executable, "benchmarks/transfer.py", "--data", portraits, "--photos", 4, "--frames", 8, "--image-size", 64,
        "--init", "random", "--output", output,
    ]  # fmt: skip

    def result():
        done = subprocess.run([*map(str, words)], cwd=PROJECT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(output.read_text())

    _, record = result()
    assert {variant: set(scores) for variant, scores in record["f1"].items()} == {
        "pretrained": {"4", "9"}, "random": {"4", "9"}
    }  # fmt: skip
    assert record["settings"]["test_photos"] == 3
    before = record["f1"]["random"].pop("9")
    output.write_text(json.dumps(record))
    printed, again = result()
    assert printed.count("F1") == 1 and again["f1"]["random"]["9"] == pytest.approx(before, abs=1e-6)
    with Image.open(tmp_path / "transfer.png") as curve:
        assert curve.size[0] > 300
