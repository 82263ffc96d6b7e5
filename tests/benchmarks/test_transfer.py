"""The curve over the number of training photos, on a few drawn portraits."""

import json
import shutil
import subprocess
import sys
import time

import psutil
import pytest
import torch
from conftest import PROJECT, run_here
from PIL import Image

sys.path.insert(0, str(PROJECT / "benchmarks"))

import transfer
from transfer import (
    add_to_repository,
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


def test_each_seed_has_its_own_order(portraits):
    dataset, pairs = find_pairs(portraits)
    first, second = (order_training_photos({dataset: pairs}, seed) for seed in (0, 1))
    assert first != second and sorted(pair.id for _, pair in first) == sorted(pair.id for _, pair in second)


def test_training_stops_when_f1_has_not_risen_for_8000_samples():
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
            {"variant": variant, "photos": photos, "f1": f1, "samples": 9, "val_f1": [0.1, 0.2, 0.3]}
            for (variant, photos), values in scores.items()
            for f1 in values
        ]
    )
    assert summary["f1"]["random"] == pytest.approx({"50": 0.3, "200": 0.5})
    assert summary["f1_range"]["pretrained"] == {"50": (0.8, 0.9), "200": (0.9, 1.0)}
    assert summary["at_limit"] == {"pretrained": 4, "random": 4}
    stopped = {"variant": "random", "photos": 50, "f1": 0.3, "samples": 20_000, "val_f1": [0.3] * 10}
    assert summarise([stopped, stopped | {"variant": "pretrained"}])["at_limit"] == {"pretrained": 0, "random": 0}


def plan(portraits, folder, samples: int) -> tuple[list[transfer.Run], dict]:
    """Plan a run of the random variant on six portraits, at 64 x 64."""
    dataset, pairs = find_pairs(portraits)
    settings = {"seeds": [0], "backbone": "efficientnet_lite0", "samples": samples, "recipe": {"image_size": 64}}
    runs = transfer.plan_runs({dataset: pairs}, [6], settings, "random", folder)
    return [run for run in runs if run.settings.variant == "random"], {dataset: pairs}


@pytest.fixture
def rounds_of_six(monkeypatch):
    monkeypatch.setattr(transfer, "ROUND_SAMPLES", 6)


def test_the_round_with_the_best_validation_score_is_reported(portraits, tmp_path, monkeypatch, rounds_of_six):
    """Three rounds of six photos fit into 20 samples; the second one is the best on the validation photos."""
    planned = iter([0.3, 0.1, 0.5, 0.2, 0.4, 0.9])  # F1 on validation and test photos of each round
    scores = lambda *_: {"loss": 0.1, "f1": next(planned), "auroc": 0.5}  # noqa: E731
    monkeypatch.setattr(transfer, "score_held_out", scores)
    (run,), datasets = plan(portraits, tmp_path, samples=20)
    expected = {
        "photos": 6, "variant": "random", "seed": 0, "f1": 0.2, "val_f1": [0.3, 0.5, 0.4], "samples": 18,
        "best_samples": 12,
    }  # fmt: skip
    assert transfer.train(run, datasets) == expected
    assert json.loads((tmp_path / "6-random-0.json").read_text()) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["6-random-0.json"]


def test_training_stops_before_the_limit_when_f1_stops_rising(portraits, tmp_path, monkeypatch, rounds_of_six):
    monkeypatch.setattr(transfer, "PATIENCE", 12)
    monkeypatch.setattr(transfer, "score_held_out", lambda *_: {"loss": 0.1, "f1": 0.5, "auroc": 0.5})
    (run,), datasets = plan(portraits, tmp_path, samples=100)
    result = transfer.train(run, datasets)
    assert (result["samples"], result["best_samples"]) == (18, 6)


def test_interrupted_training_gives_the_same_result(portraits, tmp_path, monkeypatch, rounds_of_six, capfd):
    """One run is interrupted while it scores its second round, and another one while it writes the checkpoint."""
    (run,), datasets = plan(portraits, tmp_path / "uninterrupted", samples=18)
    expected = transfer.train(run, datasets)
    assert len(set(expected["val_f1"])) == 3, "the network learns in each round"

    epochs, calls = [], iter(range(100))
    train_epoch, score = transfer.train_epoch, transfer.score_held_out

    def interrupted_score(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return score(*arguments)

    def interrupted_write(checkpoint, file):
        file.write(b"half a checkpoint")
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "train_epoch", lambda *words: epochs.append(1) or train_epoch(*words))
    (run,), datasets = plan(portraits, tmp_path / "interrupted", samples=18)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(transfer, "score_held_out", interrupted_score)
        transfer.train(run, datasets)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch, "save", interrupted_write)
        transfer.train(run, datasets)
    assert len(epochs) == 3 and not run.result.exists()
    assert transfer.train(run, datasets) == expected
    assert len(epochs) == 5, "only the first round is not repeated"
    assert capfd.readouterr().err == "", "there is no progress bar, since this is no terminal"


def test_run_resumes_after_a_kill(portraits, tmp_path):
    """The main process is killed: its workers exit, and the same command finishes the run."""
    output, results = tmp_path / "transfer.json", tmp_path / "transfer.runs"
    words = ["--data", portraits, "--photos", 4, "--samples", 9, "--image-size", 64, "--init", "random", "--seeds", 0]
    words = [*map(str, words), "--jobs", "2", "--output", str(output)]
    process = subprocess.Popen([sys.executable, "benchmarks/transfer.py", *words], cwd=PROJECT)
    while not list(results.glob("*.json")):
        assert process.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, running = psutil.wait_procs(workers, timeout=20)
    assert len(workers) >= 2 and running == []

    done = run_here("benchmarks/transfer.py", *words)
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and lines[-1] == f"Wrote {output} and transfer.png."
    assert sum("random, seed 0: F1 0." in line and line.endswith("samples") for line in lines) == 2
    record = json.loads(output.read_text())
    assert {variant: list(scores) for variant, scores in record["f1"].items()} == {
        "pretrained": ["4", "9"], "random": ["4", "9"]
    }  # fmt: skip
    assert record["settings"]["test_photos"] == 3 and record["settings"]["recipe"]["schedule"] == "constant"
    assert len(list(results.glob("[!.]*.json"))) == 4 and not list(results.glob("[!.]*.pt"))
    with Image.open(tmp_path / "transfer.png") as curve:
        assert curve.size[0] > 300

    output.unlink()
    assert "already has results" in run_here("benchmarks/transfer.py", *words, rc=2).stderr
    assert "less than one epoch" in run_here("benchmarks/transfer.py", *words, "--samples", 8, rc=2).stderr


def test_all_epochs_have_the_same_augmentation():
    """50 photos need 640 epochs for 32,000 samples, more than the recipe has."""
    recipe = transfer.create_recipe(160)
    assert recipe.augmentation_in(1) == recipe.augmentation_in(800) and recipe.training_size(1) == 160


def test_curve_is_added_to_repository_and_card(tmp_path):
    shutil.copytree(BUNDLED, tmp_path / "repository")
    f1 = {"pretrained": {"50": 0.8, "200": 0.9}, "random": {"50": 0.5, "200": 0.85}}
    f1_range = {
        "pretrained": {"50": [0.7, 0.86], "200": [0.88, 0.95]}, "random": {"50": [0.4, 0.6], "200": [0.85, 0.85]},
    }  # fmt: skip
    settings = {
        "datasets": ["figaro1k"], "test_photos": 7, "samples": 40_000, "seeds": [0, 1, 2], "init": "x",
        "recipe": {"image_size": 64}, "backbone": "y", "training_photos": 200,
    }  # fmt: skip
    add_to_repository(
        tmp_path / "repository",
        {"f1": f1, "f1_range": f1_range, "at_limit": {"random": 5, "pretrained": 0}, "settings": settings},
    )
    repository = ModelRepository(tmp_path / "repository")
    assert repository.metrics().transfer.f1 == f1
    assert repository.metrics().full_resolution == ModelRepository(BUNDLED).metrics().full_resolution
    card = repository.card.read_text()
    assert "\n| 50 | 0.8000 (0.700 to 0.860) | 0.5000 (0.400 to 0.600) |\n| 200 | 0.9000" in card
    assert "stopped rising, on at most 40,000 photos (with repetition) at 64 x 64. 5 of 6 runs from scratch" in card
    assert (
        "on 200 photos has a higher F1 than the best of 3 runs from scratch on 200. On 50 photos, the ranges overlap."
        in card
    )
