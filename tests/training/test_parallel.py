"""Two processes share the work of one: each photo is scored once, one of them writes, and the result is near one's."""

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
def words(portraits) -> list[str]:
    """Nine photos to train on and three, which two processes cannot share evenly, to test on."""
    words = ["--data", portraits, "--backbone", "efficientnet_lite0", "--variants", "random", "--batch-size", 4]
    words += ["--image-size", 64, "--learning-rate", 1e-4, "--precision", "float32"]
    return list(map(str, words))


def test_two_processes_score_every_photo_once_write_once_and_end_near_one(words, tmp_path):
    """Statistics of batch normalisation are each process's own on CPUs: near the same loss, not the same.

    The scores of the finished repository are those of one process over all test photos. That the history has the same
    tells that the two have counted each photo once, although three photos do not divide among them.
    """
    done = run_python(*LAUNCH, *words, "--epochs", "2", "--output", tmp_path / "two")
    run_here("train.py", *words, "--epochs", "2", "--output", tmp_path / "one")
    histories = [json.loads((tmp_path / name / "random" / "history.json").read_text()) for name in ("one", "two")]
    for one, two in zip(*histories, strict=True):
        for split in ("train", "val", "test"):
            assert two[split]["loss"] == pytest.approx(one[split]["loss"], rel=0.15)
    config, scores = (json.loads((tmp_path / "two" / name).read_text()) for name in ("config.json", "metrics.json"))
    assert config["variants"]["random"]["device"].startswith("2 x cpu")
    kept = histories[1][config["variants"]["random"]["best_epoch"] - 1]
    assert scores["variants"]["random"]["mse"] == pytest.approx(kept["test"]["loss"], rel=2e-3)
    assert scores["variants"]["random"]["auroc"] == pytest.approx(kept["test"]["auroc"], abs=2e-3)
    assert done.stdout.count("random epoch 2/2: train") == 1  # one writer
    assert done.stderr.replace("\r", "\n").count("random epoch 2/2:   0%") == 1  # one progress bar


def test_ctrl_c_stops_all_processes_and_leaves_a_checkpoint(words, tmp_path):
    command = [sys.executable, *LAUNCH, *words, "--epochs", "200", "--output", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert "random epoch 1/200: train" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and "interrupted" in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    state = torch.load(tmp_path / "run" / "checkpoints" / "random.pt", weights_only=True)
    assert 1 <= len(state["history"]) < 200
