"""Commands that are killed at random moments and run again give the same results as uninterrupted commands.

HAIRSEG_KILLS=100 python -m pytest tests/stress    kills every command 100 times
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import draw_portrait
from hub.fake_hub import FakeHub
from stress.killing import contents, corrupt_files, finish, kill, leftovers, measure, start

from hairseg.repository import BUNDLED

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("HAIRSEG_KILLS", "1"))
WEIGHTS = "pretrained/model.safetensors"
PHOTOS = 4


@pytest.fixture
def rng() -> random.Random:
    return random.Random(0)


def received(hub: FakeHub, path: str = "") -> Callable[[], bool]:
    """Return a function that returns whether the Hub has received a request for the path."""
    return lambda: any(path in request for request in hub.requests)


def change_one_weight(weights: bytes, rng: random.Random) -> bytes:
    """Change the lowest byte of one number near the end of the file."""
    changed = bytearray(weights)
    changed[-4 * rng.randrange(1, 1000)] ^= rng.randrange(1, 256)
    return bytes(changed)


@pytest.mark.parametrize("interrupted_at", ["any moment", "the answer to the commit"])
def test_killed_push_commits_all_files_or_none(
    hub: FakeHub, tmp_path: Path, rng: random.Random, interrupted_at: str
) -> None:
    repo = f"ada/pushed-{interrupted_at.replace(' ', '-')}"
    source = tmp_path / "source"
    shutil.copytree(BUNDLED, source)

    def push() -> BaseProcess:
        hub.requests.clear()
        return start("-m", "hairseg", "hub", "push", source, repo)

    seconds = measure(push(), received(hub))
    for _ in range(KILLS):
        before = hub.files(repo)
        after = before | {WEIGHTS: change_one_weight(before[WEIGHTS], rng)}
        (source / WEIGHTS).write_bytes(after[WEIGHTS])
        if interrupted_at == "any moment":
            kill(push(), received(hub), rng.uniform(0, seconds))
        else:
            hub.faults.add("stall", path="/commit/", at=1)
            assert kill(push(), received(hub, "/commit/"), 0.3)
            hub.faults.clear()
        assert hub.files(repo) in (before, after)
        finish(push())
        assert hub.files(repo) == after
    assert hub.repo(repo).main in hub.repo(repo).tags.values()
    assert not leftovers(source, Path(os.environ["HF_HOME"]))


@pytest.mark.parametrize("interrupted_at", ["any moment", "a download"])
def test_pull_after_a_killed_pull_is_complete(
    hub: FakeHub, tmp_path: Path, rng: random.Random, interrupted_at: str
) -> None:
    repo = f"ada/pulled-{interrupted_at.replace(' ', '-')}"
    output, cache = tmp_path / "pulled", Path(os.environ["HF_HOME"])
    files = contents(BUNDLED)
    hub.put(repo, {**files})

    def pull() -> BaseProcess:
        hub.requests.clear()
        return start("-m", "hairseg", "hub", "pull", repo, "--output", output)

    seconds = measure(pull(), received(hub))
    shutil.rmtree(output)
    for _ in range(KILLS):
        files[WEIGHTS] = change_one_weight(files[WEIGHTS], rng)
        hub.put(repo, {WEIGHTS: files[WEIGHTS]})
        if interrupted_at == "any moment":
            kill(pull(), received(hub), rng.uniform(0, seconds))
        else:
            hub.faults.add("stall", path="signature", at=rng.randrange(1, len(files[WEIGHTS])))
            assert kill(pull(), received(hub, "signature"), 0.3)
            hub.faults.clear()
        assert not corrupt_files(tmp_path)
        assert not corrupt_files(cache)
        if not output.exists():
            finish(pull())
        assert contents(output) == files
        assert not leftovers(tmp_path)
        shutil.rmtree(output)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(PHOTOS):
        cv2.imwrite(str(folder / f"{index}.png"), draw_portrait(index, 128)[0])
    return folder


def predict(photos: Path, output: Path) -> BaseProcess:
    return start("-m", "hairseg", photos, "--output", output, "--colour", "copper", "--skip-existing")


def test_skip_existing_completes_a_killed_folder(photos: Path, tmp_path: Path, rng: random.Random) -> None:
    expected, output = tmp_path / "expected", tmp_path / "killed"
    seconds = measure(predict(photos, expected), expected.exists)
    for _ in range(KILLS):
        kill(predict(photos, output), output.exists, rng.uniform(0, seconds))
        assert not corrupt_files(output)
        finish(predict(photos, output))
        assert contents(output) == contents(expected)
        assert not leftovers(output)
        shutil.rmtree(output)


def test_skip_existing_completes_a_folder_after_a_full_disk(photos: Path, tmp_path: Path, small_disk: Path) -> None:
    expected, output = tmp_path / "expected", small_disk / "results"
    finish(predict(photos, expected))
    size = sum(map(len, contents(expected).values()))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - size // 2))
    process = predict(photos, output)
    process.join()
    assert process.exitcode == 2
    assert not corrupt_files(output)
    filler.unlink()
    finish(predict(photos, output))
    assert contents(output) == contents(expected)
    assert not leftovers(output)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Draw heads in the layout `folder`, and scenes without people."""
    for folder in ("own/photos", "own/masks", "scenes"):
        (tmp_path / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(12):
        photo, mask = draw_portrait(index)
        cv2.imwrite(str(tmp_path / "own" / "photos" / f"{index}.png"), photo)
        cv2.imwrite(str(tmp_path / "own" / "masks" / f"{index}.png"), mask * np.uint8(255))
    for index in range(6):
        scene = cv2.resize(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8), (90, 60), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "scenes" / f"{index}.png"), scene)
    return tmp_path


@pytest.mark.parametrize("recipe", ["paper", "modern"])
def test_killed_training_resumes_to_the_same_result(data: Path, rng: random.Random, recipe: str) -> None:
    options = ["--recipe", recipe, "--epochs", "2", "--batch-size", "4", "--variants", "random", "--image-size", "64"]
    options += ["--backbone", "efficientnet_lite0", "--device", "cpu", "--workers", "1"]
    options += ["--scenes", str(data / "scenes")] if recipe == "modern" else []
    output, checkpoints = data / "killed", data / "killed" / "checkpoints"

    def train(output: Path) -> BaseProcess:
        resume = ["--resume"] if (output / "checkpoints").exists() else []
        cache = str(output.with_suffix(".cache"))
        return start("train.py", "--data", data / "own", "--output", output, *options, *resume, HAIRSEG_CACHE=cache)

    seconds = measure(train(data / "expected"), lambda: True)
    for _ in range(KILLS):
        if not kill(train(output), lambda: True, rng.uniform(0.1, 1) * seconds):
            break
        assert not corrupt_files(output)
    if checkpoints.exists() or not (output / "config.json").exists():
        finish(train(output))
    assert training_result(output) == training_result(data / "expected")
    assert not leftovers(output, output.with_suffix(".cache"))


def training_result(output: Path) -> dict[str, object]:
    """Read weights, history, metrics and config, without durations and the command."""
    config, metrics = (json.loads((output / name).read_text()) for name in ("config.json", "metrics.json"))
    history = json.loads((output / "random" / "history.json").read_text())
    for record in [*history, config["variants"]["random"]]:
        del record["seconds"]
    del config["variants"]["random"]["command"]
    weights = (output / "random" / "model.safetensors").read_bytes()
    return {"weights": weights, "history": history, "metrics": metrics, "config": config}
