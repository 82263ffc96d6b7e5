"""OpenVINO computes the same as PyTorch, and is used only where it can be."""

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import draw_portrait, run_python
from torch.utils.data import DataLoader

from hairseg import HairPredictor
from hairseg.cli.app import invoke
from hairseg.errors import InputError
from hairseg.inference.engines import ENGINES, select_engine
from hairseg.networks.openvino import is_installed
from hairseg.repository import BUNDLED

pytestmark = pytest.mark.skipif(not is_installed(), reason="OpenVINO is not installed")

MAX_MEAN_DIFFERENCE = 0.005  # of alpha; that of bfloat16 is 0.002

PHOTO = cv2.resize(draw_portrait(1, 300)[0], (400, 300))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("HAIRSEG_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def predictor(cache) -> HairPredictor:
    return HairPredictor(BUNDLED, ["pretrained"], engine="openvino")


def alpha(predictor: HairPredictor, photo: np.ndarray = PHOTO) -> np.ndarray:
    return predictor.alphas(photo)["pretrained"]


def test_openvino_gives_the_masks_of_pytorch(predictor):
    for photo in (PHOTO, cv2.imread("hairseg/page/examples/astronaut.jpg")[..., ::-1]):
        expected = alpha(HairPredictor(BUNDLED, ["pretrained"]), photo)
        found = alpha(predictor, photo)
        assert found.shape == expected.shape and found.dtype == np.float32
        assert np.abs(found - expected).mean() < MAX_MEAN_DIFFERENCE
        assert ((found >= 0.5) != (expected >= 0.5)).mean() < 0.01


def test_openvino_is_selected_on_a_cpu_only():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert [select_engine(name, cpu) for name in ENGINES] == ["openvino", "pytorch", "openvino"]
    assert [select_engine(name, gpu) for name in ENGINES[:2]] == ["pytorch", "pytorch"]
    with pytest.raises(
        InputError, match=r"^OpenVINO does not run on cuda\. Choose --device cpu or --engine pytorch\.$"
    ):
        select_engine("openvino", gpu)
    with pytest.raises(InputError, match=r"^The engine 'tensorrt' "):
        select_engine("tensorrt", cpu)


def test_threads_share_a_network(predictor):
    photos = [cv2.flip(PHOTO, 1), PHOTO, PHOTO[:200], PHOTO[:, :250]]
    expected = [alpha(predictor, photo) for photo in photos]
    with ThreadPoolExecutor(4, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for found, alone in zip(pool.map(lambda photo: alpha(predictor, photo), photos), expected, strict=True):
            np.testing.assert_allclose(found, alone, atol=1e-2)


def test_a_pickled_predictor_keeps_its_engine(predictor):
    copy = pickle.loads(pickle.dumps(predictor))
    assert copy.engine == "openvino"
    np.testing.assert_array_equal(alpha(copy), alpha(predictor))


class Alphas:
    """A data set that segments a photo in the worker process."""

    def __init__(self, predictor: HairPredictor):
        self.predictor = predictor

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        return torch.from_numpy(alpha(self.predictor)), self.predictor.engine


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
def test_a_forked_process_uses_pytorch(predictor):
    """Guards against waiting forever for OpenVINO's threads, which a fork does not copy."""
    expected = alpha(predictor)
    loader = DataLoader(Alphas(predictor), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=60)
    ((found, engine),) = loader
    assert engine == "pytorch" and predictor.engine == "openvino"
    assert np.abs(found.numpy() - expected).mean() < MAX_MEAN_DIFFERENCE


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("hairseg.networks.openvino.find_spec", lambda name: None)
    assert select_engine("auto", torch.device("cpu")) == "pytorch"
    with pytest.raises(InputError, match=r'^OpenVINO is not installed\. Run `pip install "hairseg\[fast\]"`\.$'):
        select_engine("openvino", torch.device("cpu"))


def test_converted_networks_are_cached(predictor, cache, monkeypatch):
    (entry,) = cache.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("hairseg.networks.openvino.convert", lambda *_: pytest.fail("converted again"))
        np.testing.assert_array_equal(
            alpha(HairPredictor(BUNDLED, ["pretrained"], engine="openvino")), alpha(predictor)
        )
    for damaged in ("network.xml", "network.bin"):
        (entry / damaged).write_bytes(b"<net")
        again = HairPredictor(BUNDLED, ["pretrained"], engine="openvino")
        assert np.abs(alpha(again) - alpha(predictor)).mean() < MAX_MEAN_DIFFERENCE
        assert (entry / damaged).stat().st_size > 10_000, "replaced"


def test_a_cache_that_cannot_be_written_is_not_needed(predictor, small_repository, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HAIRSEG_CACHE", str(tmp_path / "file"))
    found = HairPredictor(small_repository, ["pretrained"], engine="openvino")
    assert np.abs(alpha(found) - alpha(HairPredictor(small_repository, ["pretrained"]))).mean() < MAX_MEAN_DIFFERENCE


def test_openvino_reports_nothing(tmp_path, monkeypatch):
    """Its telemetry writes ~/intel when it starts."""
    code = (
        "import sys; from hairseg import HairPredictor;"
        f"HairPredictor({str(BUNDLED)!r}, ['pretrained'], engine='openvino');"
        "print(sys.modules['openvino_telemetry'])"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HAIRSEG_CACHE", str(tmp_path / "cache"))
    assert run_python("-c", code).stdout == "None\n"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_predict_takes_an_engine(predictor, tmp_path):
    photo = tmp_path / "a.png"
    cv2.imwrite(str(photo), PHOTO[..., ::-1])
    for engine in ("auto", "pytorch"):
        assert invoke(["predict", str(photo), "--output", str(tmp_path / engine), "--engine", engine]) == 0
    masks = [cv2.imread(str(tmp_path / name / "a.alpha.png"), cv2.IMREAD_GRAYSCALE) for name in ("auto", "pytorch")]
    assert 0 < np.abs(masks[0].astype(int) - masks[1]).mean() < 255 * MAX_MEAN_DIFFERENCE
