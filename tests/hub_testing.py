"""What the tests of hairseg.hub share: repositories to push, the client pointed at the stand-in, and its faults."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import write_repository
from hub_api import WRITER
from hub_server import HubServer
from huggingface_hub import constants

from hairseg.errors import InputError
from hairseg.hub import card
from hairseg.repository import ModelRepository
from hairseg.repository.config import VariantConfig
from hairseg.repository.metrics import Metrics

REPO = "ada/hair"


WEIGHTS = "pretrained/model.safetensors"


SHORT = 0.4  # seconds the client waits for an answer where none will come


NOT_HANGING = 60  # seconds; far more than any of these calls needs, far less than for ever


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
    repository.save_config(replace(repository.config, variants=entries))
    metrics = Metrics(**METRICS | {"variants": {variant: METRICS["variants"][variant] for variant in variants}})
    repository.save_metrics(metrics)
    for name in ("figure3", "figure4"):
        repository.figure(name).parent.mkdir(exist_ok=True)
        repository.figure(name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    repository.save_card(card.render_card(repository.config, metrics, REPO))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def point_client_at(url: str, tmp_path: Path, monkeypatch) -> None:
    # The client reads these once from the environment, on import.
    for name, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_PROGRESS_BARS": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client's naps between its attempts


def publish(server: HubServer, folder: Path, repo_id: str = REPO) -> str:
    return server.put(repo_id, contents(folder))


def fails(call, *words: str, error: type = InputError) -> InputError:
    """The call ends soon, with one sentence that has these words."""
    started = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    assert time.monotonic() - started < NOT_HANGING
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600, message
    for word in words:
        assert word in message, message
    return caught.value


def other_weights(weights: bytes) -> bytes:
    return weights[:-1] + bytes([weights[-1] ^ 1])


LISTING = "/(tree|revision)/[0-9a-f]{40}"  # old clients see the files in what is told of a commit

FAULTS = {
    "refused": (None, "cannot be reached"),
    "stalled": (dict(kind="stall"), "did not answer in time"),
    "stalled at the listing": (dict(kind="stall", path=LISTING), "did not answer in time"),
    "stalled at a file's head": (dict(kind="stall", path="/resolve/", method="HEAD"), "did not answer in time"),
    "stalled within the weights": (dict(kind="stall", path="signature", at=100_000), "did not answer in time"),
    "dripping": (dict(kind="drip", path="/api/", at=0.3), "did not answer in time"),
    "dropped": (dict(kind="drop"), "cut off"),
    "cut within the weights": (dict(kind="cut", path="signature", at=100_000), "cut off"),
    "cut within the listing": (dict(kind="cut", path=LISTING, at=10), "cut off"),
    "wrong weights": (dict(kind="corrupt", path="signature"), "arrived damaged"),
    "wrong config": (dict(kind="corrupt", path="/config.json"), "arrived damaged"),
    "wrong listing": (dict(kind="corrupt", path="/api/"), "does not answer like a Hub"),
    "always 500": (dict(kind="status"), "fails with status 500"),
    "always 503 for weights": (dict(kind="status", path="signature", status=503), "fails with status 503"),
    "too many requests": (dict(kind="status", status=429), "no more requests"),
}
