"""ZeroGPU, with a fake of the package spaces that also forks for each call."""

import multiprocessing
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import draw_portrait

from hairseg.inference.predictor import HairPredictor
from hairseg.page.launch import load
from hairseg.page.registry import ModelRegistry
from hairseg.page.store import PhotoStore

pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")


class FakeSpaces(ModuleType):
    """Runs decorated functions in a forked process; arguments and results are pickled."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.calls, self.error, self.durations = 0, None, []

    def GPU(self, duration: int) -> Callable[[Any], Any]:
        self.durations.append(duration)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                self.calls += 1
                if self.error:
                    raise self.error
                with multiprocessing.get_context("fork").Pool(1) as pool:
                    return pool.apply_async(call_task, (function.__name__, arguments)).get(60)

            tasks[function.__name__] = function
            return call

        return decorate


tasks: dict[str, Callable[..., Any]] = {}


def call_task(name: str, arguments: tuple[Any, ...]) -> Any:
    return tasks[name](*arguments)


@pytest.fixture
def spaces(monkeypatch):
    fake = FakeSpaces()
    monkeypatch.setitem(sys.modules, "spaces", fake)
    monkeypatch.delitem(sys.modules, "hairseg.page.zero_gpu", raising=False)
    module = import_module("hairseg.page.zero_gpu")
    monkeypatch.setattr(module, "load_on_gpu", lambda folder: HairPredictor(folder))  # this machine may have no GPU
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    yield fake
    sys.modules.pop("hairseg.page.zero_gpu", None)


@pytest.fixture
def photos(spaces, small_repository, tmp_path):
    registry = ModelRegistry.from_predictor(HairPredictor(small_repository))
    (model,) = registry
    predictor = load(model, "auto", "auto", {})
    assert type(predictor).__name__ == "ZeroGpuPredictor"
    assert predictor.device.type == "cpu", "the page's own process must not use the GPU"
    assert spaces.calls == 0, "loading needs no GPU"
    return PhotoStore(ModelRegistry([model], lambda _: predictor))


def alphas_of(photos: PhotoStore, path: str) -> dict[str, np.ndarray]:
    return {variant: photos.photo(path).alpha(variant) for variant in ("pretrained", "random")}


def save_photo(tmp_path, seed: int) -> str:
    from PIL import Image

    path = tmp_path / f"{seed}.png"
    Image.fromarray(draw_portrait(seed)[0]).save(path)
    return str(path)


def test_a_photo_takes_one_call_and_has_the_alphas_of_both_networks(spaces, photos, small_repository, tmp_path):
    expected = HairPredictor(small_repository).alphas(draw_portrait(1)[0])
    found = alphas_of(photos, save_photo(tmp_path, 1))
    assert spaces.calls == 1
    assert spaces.durations == [15]
    for variant, alpha in found.items():
        np.testing.assert_allclose(alpha, expected[variant], atol=1e-4)


def test_the_cpu_is_used_if_no_gpu_is_available(spaces, photos, small_repository, tmp_path, capsys):
    spaces.error = RuntimeError("ZeroGPU quota exceeded")
    expected = HairPredictor(small_repository).alphas(draw_portrait(2)[0])
    for variant, alpha in alphas_of(photos, save_photo(tmp_path, 2)).items():
        np.testing.assert_allclose(alpha, expected[variant], atol=1e-4)
    written = capsys.readouterr().err
    assert "note: ZeroGPU: " in written
    assert "quota exceeded" in written
    assert "Traceback" not in written


def test_camera_frames_use_no_gpu(spaces, photos):
    alpha = photos.predictor().predict_single_pass(draw_portrait(3)[0], "pretrained")
    assert alpha.shape == (96, 96)
    assert spaces.calls == 0
