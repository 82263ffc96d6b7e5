import numpy as np
import pytest
import torch

from conftest import draw_portrait
from hairseg import InputError
from hairseg.prediction import HairPredictor
from hairseg.repository import load_network


@pytest.fixture(scope="module")
def predictor(small_repository) -> HairPredictor:
    return HairPredictor(small_repository)


@pytest.mark.parametrize("height, width", [(96, 96), (50, 200), (300, 40), (1, 1), (1, 700)])
def test_alphas_have_the_photos_own_size(predictor, height, width):
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    alphas = predictor.alphas(photo)
    assert alphas.keys() == {"pretrained", "random"}
    for alpha in alphas.values():
        assert alpha.shape == (height, width) and alpha.dtype == np.float32
        assert 0 <= alpha.min() and alpha.max() <= 1


def test_alpha_is_the_sigmoid_of_the_networks_logits(predictor, small_repository):
    """At the network's own size nothing is scaled: a plain forward pass must agree."""
    photo, _ = draw_portrait(1, 64)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    tensor = torch.from_numpy(((photo / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        expected = torch.sigmoid(load_network(small_repository, "random")(tensor))[0, 0]
    np.testing.assert_allclose(predictor.alphas(photo)["random"], expected, atol=1e-5)


def test_a_padded_photo_is_segmented_as_within_its_padding(predictor):
    """A wide photo and the same photo with the bars that letterboxing would add give the same alpha inside."""
    photo = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    padded = np.empty((64, 64, 3), np.uint8)
    padded[:] = (124, 116, 104)
    padded[16:48] = photo
    np.testing.assert_allclose(predictor.alphas(photo)["random"], predictor.alphas(padded)["random"][16:48], atol=1e-5)


def test_only_the_wanted_variant_is_loaded(small_repository):
    assert HairPredictor(small_repository, ["random"]).networks.keys() == {"random"}


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_photo_is_refused(predictor, array):
    with pytest.raises(InputError, match="is no photo: expected uint8"):
        predictor.alphas(array)
