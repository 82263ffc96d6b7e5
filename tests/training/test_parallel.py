"""Two processes do what one does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from conftest import PROJECT
from torch.nn.parallel import DistributedDataParallel

from hairseg.networks.backbones import build_model
from hairseg.networks.preset import IGNORE
from hairseg.training.losses import bce_dice_loss
from hairseg.training.parallel import backward, gather_batch, synchronise

LAUNCH = [
    sys.executable,
    "-m",
    "accelerate.commands.launch",
    "--multi_gpu",
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
    "--main_process_port",
    "0",
    "train.py",
    "--device",
    "cpu",
]


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Four photos, and masks of which one is padding for the most part: each process's own mean would differ."""
    generator = torch.Generator().manual_seed(1)
    masks = torch.randint(0, 2, (4, 64, 64), dtype=torch.uint8, generator=generator)
    masks[0, 10:] = IGNORE
    return torch.randn(4, 3, 64, 64, generator=generator), masks


def step_of(rank: int | None, folder: Path) -> None:
    """Outcome of one step, by one process of two, or by one alone (rank None), left in a file."""
    alone = rank is None
    if not alone:
        dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(0)
    network = build_model("efficientnet_lite0").to(memory_format=torch.channels_last)
    prepared = network if alone else DistributedDataParallel(synchronise(network))
    part = slice(None) if alone else slice(2 * rank, 2 * rank + 2)
    photos, masks = (values[part] for values in batch())
    torch.manual_seed(7)  # dropout
    loss = bce_dice_loss(
        gather_batch(prepared.train()(photos.to(memory_format=torch.channels_last))[:, 0]), gather_batch(masks)
    )
    backward(loss)
    torch.save(
        {
            "loss": loss.detach(),
            "gradients": {name: weight.grad for name, weight in network.named_parameters()},
            "buffers": dict(network.named_buffers()),
        },
        folder / f"{rank}.pt",
    )
    if not alone:
        dist.destroy_process_group()


def test_loss_gradients_and_statistics_are_those_of_one_process(tmp_path):
    """Within what rounding makes of 48 normalised layers; statistics of each process's own batch are far beyond that."""
    step_of(None, tmp_path)
    torch.multiprocessing.start_processes(step_of, (tmp_path,), nprocs=2, start_method="spawn")
    alone, *both = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (None, 0, 1))
    for part in both:
        torch.testing.assert_close(part["loss"], alone["loss"])
        torch.testing.assert_close(part["buffers"], alone["buffers"], rtol=1e-4, atol=1e-5)
        scale = max(gradient.norm() for gradient in alone["gradients"].values())
        for name, gradient in alone["gradients"].items():
            assert (part["gradients"][name] - gradient).norm() < 0.02 * gradient.norm() + 1e-4 * scale, name


@pytest.fixture(scope="module")
def words(portraits) -> list[str]:
    """Nine photos to train on and three, which two processes cannot share evenly, to test on."""
    return list(
        map(
            str,
            [
                "--data",
                portraits,
                "--backbone",
                "efficientnet_lite0",
                "--variants",
                "random",
                "--batch-size",
                4,
                "--image-size",
                64,
                "--learning-rate",
                1e-4,
                "--precision",
                "float32",
            ],
        )
    )


def run(command: list[str], rc: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == rc, done.stdout + done.stderr
    return done


def test_two_processes_give_the_history_of_one(words, tmp_path):
    """Adam's first steps follow the gradients' signs, so that rounding errors show: hence not to the last digit."""
    done = run([*LAUNCH, *words, "--epochs", "3", "--output", str(tmp_path / "two")])
    run([sys.executable, "train.py", *words, "--epochs", "3", "--output", str(tmp_path / "one")])
    histories = [json.loads((tmp_path / name / "random" / "history.json").read_text()) for name in ("one", "two")]
    for one, two in zip(*histories, strict=True):
        for split in ("train", "val", "test"):
            assert two[split]["loss"] == pytest.approx(one[split]["loss"], rel=5e-3)
    config, scores = (json.loads((tmp_path / "two" / name).read_text()) for name in ("config.json", "metrics.json"))
    assert config["variants"]["random"]["device"].startswith("2 x cpu")
    assert scores["variants"]["random"]["mse"] == pytest.approx(
        histories[1][config["variants"]["random"]["best_epoch"] - 1]["test"]["loss"], rel=2e-3
    )
    assert done.stdout.count("random epoch 2/3: train") == 1  # one writer
    assert done.stderr.replace("\r", "\n").count("random epoch 2/3:   0%") == 1  # one progress bar


def test_a_batch_that_does_not_divide_is_refused_in_one_line(words, tmp_path):
    done = run([*LAUNCH, *words, "--batch-size", "3", "--output", str(tmp_path)], rc=1)
    assert done.stderr.count("error: a batch of 3 photos does not divide among 2 processes") == 1


def test_ctrl_c_stops_all_processes_and_training_goes_on_from_there(words, tmp_path):
    command = [*LAUNCH, *words, "--epochs", "200", "--output", str(tmp_path / "run")]
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
