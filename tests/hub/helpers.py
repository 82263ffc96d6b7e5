"""Repositories to push, the client's settings, and faults, for all tests that use the fake Hub."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import write_repository
from hub.fake_hub import WRITER, FakeHub
from huggingface_hub import constants

from hairseg.errors import InputError
from hairseg.hub import card
from hairseg.repository import ModelRepository
from hairseg.repository.config import VariantConfig
from hairseg.repository.metrics import Metrics

REPO = "ada/hair"

WEIGHTS = "pretrained/model.safetensors"

SHORT_TIMEOUT_S = 0.4

MAX_SECONDS = 60


def training_entry(init: str) -> VariantConfig:
    return VariantConfig(
        **{
            "init": init,
            "recipe": "paper",
            "loss": "mse",
            "optimiser": "adam",
            "learning_rate": 0.0001,
            "epochs": 15,
            "batch_size": 6,
            "seed": 0,
            "datasets": ["celebamask-hq"],
            "images": {"train": 621, "val": 69, "test": 205},
            "split": "per image by SHA-256 of its id",
            "best_epoch": 12,
            "selected_by": "auroc on val",
            "best_test_epoch": {"epoch": 13, "auroc": 0.9812},
            "seconds": 1234.5,
            "device": "cpu, 2 threads",
            "command": "python train.py --data CelebAMask-HQ",
            "versions": {"python": "3.11.7", "torch": "2.15.0"},
        }
    )


METRICS = {
    "dataset": "celebamask-hq",
    "split": "test",
    "images": 205,
    "image_size": 64,
    "variants": {
        "pretrained": {
            "auroc": 0.98741,
            "f1": 0.91234,
            "iou": 0.83882,
            "mse": 0.02345,
            "boundary_iou": 0.51234,
            "calibration_error": 0.01234,
        },
        "random": {
            "auroc": 0.96123,
            "f1": 0.85234,
            "iou": 0.74234,
            "mse": 0.05432,
            "boundary_iou": 0.41234,
            "calibration_error": 0.02345,
        },
    },
}


def write_pushable(folder: Path, variants: tuple[str, ...] = ("pretrained", "random")) -> Path:
    repository = ModelRepository(write_repository(folder, variants))
    entries = {variant: training_entry("imagenet" if variant == "pretrained" else "random") for variant in variants}
    repository.save_config(repository.config.model_copy(update={"variants": entries}))
    metrics = Metrics(**METRICS | {"variants": {variant: METRICS["variants"][variant] for variant in variants}})
    repository.save_metrics(metrics)
    for name in ("figure3", "figure4"):
        repository.figure(name).parent.mkdir(exist_ok=True)
        repository.figure(name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    repository.save_card(card.render_card(repository.config, metrics, REPO))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def configure_client(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the client reads from the environment when it is imported."""
    for name, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(folder / "cache"),
        "HF_TOKEN_PATH": str(folder / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_PROGRESS_BARS": True,
        "HF_HUB_DISABLE_XET": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def publish(hub: FakeHub, folder: Path, repo_id: str = REPO) -> str:
    return hub.put(repo_id, contents(folder))


def assert_fails(call: Callable, *words: str, error: type[InputError] = InputError) -> InputError:
    """Check that a call fails within a minute, with one line that contains these words."""
    started = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    assert time.monotonic() - started < MAX_SECONDS
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600, message
    assert message.endswith("."), message
    for word in words:
        assert word in message, message
    return caught.value


def invert_last_bit(weights: bytes) -> bytes:
    return weights[:-1] + bytes([weights[-1] ^ 1])


# Faults of a download and what the error says; None means that the Hub is down.
FAULTS = {
    "down": (None, "connection"),
    "silent": (dict(kind="stall"), "did not answer in time"),
    "silent for headers": (dict(kind="stall", path="/resolve/", method="HEAD"), "did not answer in time"),
    "silent within the weights": (dict(kind="stall", path="signature", at=100_000), "did not answer in time"),
    "dropped": (dict(kind="cut"), "connection"),
    "cut within the weights": (dict(kind="cut", path="signature", at=100_000), "connection"),
    "cut within the listing": (dict(kind="cut", path="/revision/", at=10), "connection"),
    "wrong weights": (dict(kind="corrupt", path="signature"), "does not match its checksum"),
    "wrong config": (dict(kind="corrupt", path="/config.json"), "does not match its checksum"),
    "wrong listing": (dict(kind="corrupt", path="/api/"), "unexpected response"),
    "always 500": (dict(kind="status"), "failed with status 500"),
    "always 503 for weights": (dict(kind="status", path="signature", status=503), "failed with status 503"),
    "too many requests": (dict(kind="status", status=429), "failed with status 429"),
}
