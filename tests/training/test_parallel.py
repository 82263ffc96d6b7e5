"""Training in two processes is close to training in one; each photo is scored once, and one process writes."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from conftest import PROJECT, run_here, run_python

LAUNCH = [
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
    *("train.py", "--device", "cpu"),
]


@pytest.fixture(scope="module")
def options(portraits) -> list[str]:
    """Nine training photos, and three test photos, which two processes cannot divide evenly."""
    options = ["--data", portraits, "--backbone", "efficientnet_lite0", "--variants", "random", "--batch-size", 4]
    options += ["--image-size", 64, "--learning-rate", 1e-4, "--precision", "float32"]
    return list(map(str, options))


def test_two_processes_match_one(options, tmp_path):
    """On CPUs, batch normalisation statistics differ between processes, so losses are close but not equal.

    One process scores the finished repository. Equal scores in the history prove that two processes, which cannot
    divide three test photos evenly, count each of them once.
    """
    done = run_python(*LAUNCH, *options, "--epochs", "2", "--output", tmp_path / "two")
    run_here("train.py", *options, "--epochs", "2", "--output", tmp_path / "one")
    histories = [json.loads((tmp_path / name / "random" / "history.json").read_text()) for name in ("one", "two")]
    for one, two in zip(*histories, strict=True):
        for split in ("train", "val", "test"):
            assert two[split]["loss"] == pytest.approx(one[split]["loss"], rel=0.15)
    config, scores = (json.loads((tmp_path / "two" / name).read_text()) for name in ("config.json", "metrics.json"))
    assert config["variants"]["random"]["device"].startswith("2 x cpu")
    kept = histories[1][config["variants"]["random"]["best_epoch"] - 1]
    assert scores["variants"]["random"]["mse"] == pytest.approx(kept["test"]["loss"], rel=2e-3)
    assert scores["variants"]["random"]["auroc"] == pytest.approx(kept["test"]["auroc"], abs=2e-3)
    assert done.stdout.count("random epoch 2/2: train") == 1  # Only one process writes.
    assert done.stderr.replace("\r", "\n").count("random epoch 2/2:   0%") == 1  # Only one process shows a bar.


def test_interrupt_stops_all_processes_and_leaves_a_checkpoint(options, tmp_path):
    command = [sys.executable, *LAUNCH, *options, "--epochs", "200", "--output", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert "random epoch 1/200: train" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does on Ctrl-C.
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "interrupted" in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    state = torch.load(tmp_path / "run" / "checkpoints" / "random.pt", weights_only=True)
    assert 1 <= len(state["history"]) < 200
