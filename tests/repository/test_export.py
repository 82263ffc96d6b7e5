"""The exported ONNX file computes the same as PyTorch."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import draw_portrait, write_repository

from hairseg.errors import InputError
from hairseg.networks.onnx import PhotoToAlpha
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository import ModelRepository, export
from hairseg.repository.export import export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = write_repository(tmp_path_factory.mktemp("exported"), ("random",))
    assert export_onnx(folder) == [folder / "random" / "model.onnx"]
    return folder


class Redness(torch.nn.Module):
    """A network whose logit is the normalised red channel."""

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return photos[:, :1]


@pytest.mark.parametrize("shape", [(64, 64), (640, 480), (333, 1000), (20, 47), (1, 5), (500, 3)])
def test_model_includes_preprocessing(shape):
    preprocessing = Preprocessing(64, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    noise = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    photo = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    square = preprocessing.normalise(torch.from_numpy(preprocessing.fit_photo(photo))[None])
    window = preprocessing.window(*shape)
    logits = cv2.resize(square[0, 0][window].numpy(), shape[::-1], interpolation=cv2.INTER_LINEAR)
    alpha = PhotoToAlpha(Redness(), preprocessing)(torch.from_numpy(photo)).numpy()
    # A shade of grey is 1 / (255 * 0.2) in logits; OpenCV enlarges with weights of 11 bits, which rounds a shade away.
    np.testing.assert_allclose(np.log(alpha / (1 - alpha)), logits.reshape(shape), atol=1.5 / 51)


def test_unseen_photos_of_any_size(exported):
    repository = ModelRepository(exported)
    session = onnxruntime.InferenceSession(str(repository.onnx("random")))
    model = PhotoToAlpha(repository.load_network("random"), repository.config.preprocessing).eval()
    for seed, (height, width) in enumerate([(96, 96), (31, 200), (300, 7), (64, 64)]):
        photo = cv2.resize(draw_portrait(seed)[0], (width, height))
        (alpha,) = session.run(["alpha"], {"photo": photo})
        with torch.inference_mode():
            expected = model(torch.from_numpy(photo)).numpy()
        assert alpha.dtype == np.float32 and alpha.shape == (height, width)
        np.testing.assert_allclose(alpha, expected, atol=1e-3)


def test_file_with_a_different_output_is_not_kept(small_repository, monkeypatch):
    before = sorted(small_repository.rglob("*"))
    monkeypatch.setattr("torch.onnx.export", lambda model, inputs, path, **_: Path(path).write_bytes(b"half"))
    monkeypatch.setattr(export, "_difference", lambda *_: float("nan"))
    with pytest.raises(InputError, match=r"model\.onnx gives alphas that differ by nan"):
        export_onnx(small_repository)
    assert sorted(small_repository.rglob("*")) == before


def test_missing_package_is_named(small_repository, monkeypatch):
    monkeypatch.setattr(export, "PACKAGES", ("onnx", "not_there"))
    with pytest.raises(InputError, match=r"Exporting needs not_there\. Run `pip install not_there`\."):
        export_onnx(small_repository)


def test_old_pytorch_is_named(small_repository, monkeypatch):
    monkeypatch.setattr(export, "MIN_PYTORCH", "99.0")
    with pytest.raises(InputError, match=r"too old for exporting\. Install PyTorch 99\.0 or later\."):
        export_onnx(small_repository)
