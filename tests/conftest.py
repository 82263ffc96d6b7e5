"""Shared fixtures and helpers: drawn portraits, a small model repository, and commands."""

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

SLOW_FILES = {
    "test_backbones.py", "test_commands.py", "test_export.py", "test_gpu.py", "test_kills.py", "test_package.py",
    "test_parallel.py", "test_transfer.py",
}  # fmt: skip

# Converting the networks of each test's repository for OpenVINO would take minutes. test_engines.py names the engine.
os.environ["HAIRSEG_ENGINE"] = "pytorch"

# Fuzz tests use the same few examples each time; with HYPOTHESIS_PROFILE=hour, new examples for about an hour.
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
    """Let each process of `pytest -n` compute in one thread, so that they do not compete for cores."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their files."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
        if "fuzz" in item.path.parts or item.path.name in SLOW_FILES:
            item.add_marker(pytest.mark.slow)


def draw_portrait(seed: int, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Draw a head; return a uint8 RGB photo (size, size, 3) and a bool hair mask (size, size)."""
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
    """Write drawn portraits in the layout of CelebAMask-HQ."""
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
    """Write drawn portraits in the layout of Figaro1k, with these frame numbers."""
    for folder, numbers in (("Training", training), ("Testing", testing)):
        for part in ("Original", "GT"):
            (root / part / folder).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            photo, mask = draw_portrait(number)
            Image.fromarray(photo).save(root / "Original" / folder / f"Frame{number:05d}-org.jpg", quality=95)
            Image.fromarray(mask).save(root / "GT" / folder / f"Frame{number:05d}-gt.pbm")
    return root


def write_repository(folder: Path, variants: tuple[str, ...] = VARIANTS, seed: int = 0) -> Path:
    """Write a model repository with random weights of efficientnet_lite0."""
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
    """Like `run_python`, but in this process, which saves the import of PyTorch."""
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
    """Serve a page on a free port; yield its address.

    With `_frontend`, Gradio would give up if a busy machine did not answer within three seconds.
    """
    defaults = {"prevent_thread_lock": True, "quiet": True, "ssr_mode": False, "_frontend": False}
    _, url, _ = page.launch(**{**defaults, **options})
    try:
        yield url
    finally:
        page.close(verbose=False)


@pytest.fixture
def logged(capfd) -> Iterator[Callable[[], str]]:
    """A function that returns what this process and its page servers have logged since the last call.

    The page servers' logger keeps the standard error of the time of its creation, which pytest has since replaced.
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
    """Run a coroutine in another thread, since this one may have a running event loop; return its result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="session", autouse=True)
def decoded_photos_cache(tmp_path_factory):
    """A cache of decoded photos for the tests and the commands that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAIRSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def gradio_folder(tmp_path_factory):
    """A folder for the temporary files of pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        yield


@pytest.fixture(scope="session")
def portraits(tmp_path_factory) -> Path:
    """Drawn portraits in the layout of CelebAMask-HQ: nine in train, one in val, three in test."""
    return draw_celebamask_hq(tmp_path_factory.mktemp("celebamask-hq"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16])


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory) -> Path:
    """A model repository that tests must not change."""
    return write_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def small_disk(tmp_path_factory) -> Iterator[Path]:
    """The folder of a mounted disk of 256 KiB."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def accept_all_components(monkeypatch):
    """Accept all connected components, since untrained networks are confident of none."""
    from hairseg.inference import multiscale

    monkeypatch.setattr(multiscale, "CONFIDENT_LOGIT", -np.inf)
