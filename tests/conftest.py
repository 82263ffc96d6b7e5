"""Drawn portraits in the published layouts, and a small model repository."""

import asyncio
import contextlib
import io
import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

from hairseg.networks.backbones import build_model
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANTS
from hairseg.repository import ModelRepository
from hairseg.repository.config import Config, VariantConfig
from hairseg.repository.metrics import Metrics

PROJECT = Path(__file__).parent.parent
DATA = PROJECT.parent / "shared" / "data"

SLOW_FILES = {"test_commands.py", "test_export.py", "test_package.py", "test_parallel.py"}

# Fuzzing: the same few values every time, or with HYPOTHESIS_PROFILE=hour new ones for about an hour.
settings.register_profile(
    "few",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("hour", settings.get_profile("few"), max_examples=3000, derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Of several processes that test (`-n 2`) each computes in one thread, so that they do not wait for one another."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that drive a browser, and those that start processes or train, by their files."""
    for item in items:
        folder = (
            item.path.relative_to(PROJECT / "tests").parts[0] if item.path.is_relative_to(PROJECT / "tests") else ""
        )
        if folder == "browser":
            item.add_marker(pytest.mark.browser)
        if folder in ("browser", "fuzz", "stress") or item.path.name in SLOW_FILES:
            item.add_marker(pytest.mark.slow)


def draw_portrait(seed: int, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A drawn head: uint8 RGB photo (size, size, 3) and bool hair mask (size, size)."""
    rng = np.random.default_rng(seed)
    photo = np.full((size, size, 3), rng.integers(150, 230, 3), np.uint8)
    centre = (size // 2 + int(rng.integers(-6, 7)), size // 2 + int(rng.integers(-4, 5)))
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, centre, (size // 3, size // 2 - 6), 0, 0, 360, 1, -1)
    face = np.zeros_like(mask)
    cv2.ellipse(face, (centre[0], centre[1] + size // 8), (size // 5, size // 4), 0, 0, 360, 1, -1)
    photo[mask == 1] = rng.integers(10, 90, 3)
    photo[face == 1] = (224, 172, 140)
    photo = np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)
    return photo, (mask == 1) & (face == 0)


def draw_celebamask_hq(root: Path, ids: list[int], hairless: tuple[int, ...] = ()) -> Path:
    """Drawn portraits in the layout of CelebAMask-HQ."""
    for image_id in ids:
        photo, mask = draw_portrait(image_id)
        photo_path = root / "CelebA-HQ-img" / f"{image_id}.jpg"
        mask_path = root / "CelebAMask-HQ-mask-anno" / str(image_id // 2000) / f"{image_id:05d}_hair.png"
        for path in (photo_path, mask_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(photo_path, quality=95)
        if image_id not in hairless:
            Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB").save(mask_path)
    return root


def draw_figaro1k(root: Path, training: list[int], testing: list[int]) -> Path:
    """Drawn portraits in the layout of Figaro1k, by the numbers of its frames."""
    for folder, numbers in (("Training", training), ("Testing", testing)):
        for part in ("Original", "GT"):
            (root / part / folder).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            photo, mask = draw_portrait(number)
            Image.fromarray(photo).save(root / "Original" / folder / f"Frame{number:05d}-org.jpg", quality=95)
            Image.fromarray(mask).save(root / "GT" / folder / f"Frame{number:05d}-gt.pbm")
    return root


def write_repository(folder: Path, variants: tuple[str, ...] = VARIANTS, seed: int = 0) -> Path:
    """A model repository of random weights on efficientnet_lite0."""
    torch.manual_seed(seed)
    repository = ModelRepository(folder)
    for variant in variants:
        repository.save_weights(variant, "efficientnet_lite0", build_model("efficientnet_lite0").state_dict())
        repository.save_history(variant, [])
    repository.save_metrics(Metrics())
    entries = {variant: VariantConfig(init="random") for variant in variants}
    repository.save_config(Config.from_training("efficientnet_lite0", Preprocessing(64), entries))
    return folder


def run_python(*words: object, rc: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS...` in the project's folder, and check its exit code."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1800, stdin=subprocess.DEVNULL)
    assert done.returncode == rc, done.stdout + done.stderr
    return done


def run_here(*words: object, rc: int = 0) -> subprocess.CompletedProcess[str]:
    """Do the same as `run_python` in this process, which saves importing PyTorch again."""
    script, *options = map(str, words[1:] if words[0] == "-m" else words)
    out, err, threads = io.StringIO(), io.StringIO(), (torch.get_num_threads(), cv2.getNumThreads())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        patch.setattr(sys, "argv", [script, *options])
        patch.syspath_prepend((PROJECT / script).parent)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
                run = runpy.run_module if words[0] == "-m" else runpy.run_path
                run(script, run_name="__main__")
        finally:
            torch.set_num_threads(threads[0])
            cv2.setNumThreads(threads[1])
    done = subprocess.CompletedProcess(words, ended.value.code or 0, out.getvalue(), err.getvalue())
    assert done.returncode == rc, done.stdout + done.stderr
    return done


@contextlib.contextmanager
def served(page, **options) -> Iterator[str]:
    """The address of a page, on a port of its own.

    However busy the machine is: Gradio gives a page up that it does not see within three seconds, unless `_frontend`.
    """
    defaults = {"prevent_thread_lock": True, "quiet": True, "ssr_mode": False, "_frontend": False}
    _, url, _ = page.launch(**{**defaults, **options})
    try:
        yield url
    finally:
        page.close(verbose=False)


@pytest.fixture
def logged(capfd) -> Iterator[Callable[[], str]]:
    """A function that gives what was written since it was last asked: by this process, and to the log of its pages.

    Their server writes its log to the standard error that it found when it started, which is another one.
    """
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger("uvicorn.error").addHandler(handler)

    def written() -> str:
        text = log.getvalue()
        log.seek(0)
        log.truncate()
        return text + "".join(capfd.readouterr())

    yield written
    logging.getLogger("uvicorn.error").removeHandler(handler)


def run_apart(coroutine):
    """What a coroutine gives, run in a thread of its own: the one that tests run in may have an event loop at work."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="session", autouse=True)
def cache_of_decoded_photos(tmp_path_factory):
    """Of the tests alone, also in the commands that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAIRSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def files_of_pages(tmp_path_factory):
    """Of the tests of this process alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        yield


@pytest.fixture(scope="session")
def portraits(tmp_path_factory) -> Path:
    """Drawn CelebAMask-HQ: nine people to train on, one to validate and three to test on."""
    return draw_celebamask_hq(tmp_path_factory.mktemp("celebamask-hq"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16])


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory) -> Path:
    """Not to be changed by tests: those that do write one of their own."""
    return write_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def small_disk(tmp_path_factory) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def accept_all_components(monkeypatch):
    """Untrained networks are sure of nothing: what they find is hair all the same."""
    from hairseg.inference import multiscale

    monkeypatch.setattr(multiscale, "CONFIDENT_LOGIT", -np.inf)
