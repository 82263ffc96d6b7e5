import time
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import PROJECT, draw_portrait
from torch import nn

from hairseg.errors import InputError
from hairseg.images import load_photo
from hairseg.inference import multiscale
from hairseg.inference.multiscale import (
    MAX_LOOKS,
    TwoPassPrediction,
    _part_of,
    drop_low_confidence_components,
    find_zoom_windows,
    reconcile_with_coarse,
)
from hairseg.inference.predictor import HairPredictor
from hairseg.networks import devices
from hairseg.networks.devices import supports_bfloat16
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository import BUNDLED, ModelRepository


@pytest.fixture(scope="module")
def predictor(small_repository) -> HairPredictor:
    return HairPredictor(small_repository)


class Red(nn.Module):
    """Takes red for hair, as coarsely as a network with a stride of 16."""

    def forward(self, photos):
        redness = photos[:, :1] - photos[:, 1:2].clamp(min=0) - 0.5
        return F.interpolate(F.avg_pool2d(redness, 16), size=photos.shape[2:], mode="bilinear") * 4


@pytest.fixture
def finds_red(small_repository) -> HairPredictor:
    predictor = HairPredictor(small_repository, ["pretrained"])
    predictor.config = replace(predictor.config, image_size=256)
    predictor.networks["pretrained"] = Red()
    return predictor


def field_with_red(height, width, *discs) -> tuple[np.ndarray, np.ndarray]:
    """A green photo with red discs (row, column, radius), and their mask."""
    photo = np.full((height, width, 3), (40, 150, 60), np.uint8)
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), bool)
    for row, column, radius in discs:
        mask |= np.hypot(y - row, x - column) < radius
    photo[mask] = (250, 20, 20)
    return photo, mask


def iou(one, other) -> float:
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("height, width", [(96, 96), (50, 200), (300, 40), (1, 1), (1, 700)])
def test_alphas_have_the_photos_own_size(predictor, height, width):
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    alphas = predictor.alphas(photo)
    assert alphas.keys() == {"pretrained", "random"}
    for alpha in alphas.values():
        assert alpha.shape == (height, width) and alpha.dtype == np.float32
        assert 0 <= alpha.min() and alpha.max() <= 1


def test_unrefined_alpha_is_the_sigmoid_of_the_networks_logits(predictor, small_repository, accept_all_components):
    """At the network's own size nothing is scaled: a plain forward pass must agree, within bfloat16 where used."""
    photo, _ = draw_portrait(1, 64)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    tensor = torch.from_numpy(((photo / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        expected = torch.sigmoid(ModelRepository(small_repository).load_network("random")(tensor))[0, 0].numpy()
    alpha = predictor.alphas(photo, refined=False)["random"]
    assert np.abs(alpha - expected).mean() < 0.005 and np.abs(alpha - expected).max() < 0.05


@pytest.mark.skipif(not supports_bfloat16(torch.device("cpu")), reason="this CPU multiplies no matrices in bfloat16")
def test_in_bfloat16_the_alphas_are_those_of_float32(monkeypatch):
    """Of one look; where to look closer is decided by thresholds, which may fall either way."""
    photo = load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg")

    def alphas():
        predictor = HairPredictor(BUNDLED)
        return [multiscale._sigmoid(predictor._look(network, [photo])[0]) for network in predictor.networks.values()]

    fast = alphas()
    monkeypatch.setattr(devices, "supports_bfloat16", lambda device: False)
    for quick, exact in zip(fast, alphas(), strict=True):
        assert 0 < np.abs(quick - exact).mean() < 0.005


def test_a_padded_photo_is_segmented_as_within_its_padding(predictor, accept_all_components):
    """A wide photo and the same photo with the bars that letterboxing would add give the same alpha inside."""
    photo = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    padded = np.empty((64, 64, 3), np.uint8)
    padded[:] = (124, 116, 104)
    padded[16:48] = photo
    alphas = [predictor.alphas(picture, refined=False)["random"] for picture in (photo, padded)]
    np.testing.assert_allclose(alphas[0], alphas[1][16:48], atol=1e-5)


@pytest.mark.parametrize(
    "height, width, disc",
    [
        (800, 800, (200, 600, 70)),
        (600, 1200, (500, 1100, 60)),
        (1200, 500, (90, 90, 80)),
    ],
)
def test_small_hair_is_looked_at_closer(finds_red, height, width, disc):
    photo, mask = field_with_red(height, width, disc)
    (logits,) = finds_red._look(finds_red.networks["pretrained"], [photo])
    whole = TwoPassPrediction((height, width), finds_red.config.image_size, logits, [], []).alpha(photo, refined=False)
    closer = finds_red.alphas(photo, refined=False)["pretrained"]
    assert iou(closer >= 0.5, mask) > iou(whole >= 0.5, mask) + 0.1
    assert iou(finds_red.alphas(photo)["pretrained"] >= 0.5, mask) > 0.95
    ((rows, columns),) = find_zoom_windows(logits, (height, width))
    inner = [side - 1 for side in (rows.start, rows.stop) if 0 < side < height]
    assert np.abs(np.diff(closer, axis=0))[inner, columns].max() < 0.15  # of 1 in a hard seam


def test_a_glance_is_one_look_at_the_whole(finds_red):
    photo, _ = field_with_red(600, 800, (500, 700, 60))
    (logits,) = finds_red._look(finds_red.networks["pretrained"], [photo])
    looks = []
    finds_red.networks["pretrained"].register_forward_hook(lambda *_: looks.append(1))
    predict_single_pass = finds_red.predict_single_pass(photo, "pretrained")
    assert (
        np.array_equal(predict_single_pass, TwoPassPrediction((600, 800), 256, logits, [], []).alpha(photo))
        and len(looks) == 1
    )
    with pytest.raises(InputError, match="is no photo"):
        finds_red.predict_single_pass(photo[..., 0], "pretrained")


def test_people_far_apart_are_all_looked_at(finds_red):
    photo, mask = field_with_red(900, 900, (150, 150, 60), (150, 700, 70), (700, 400, 65))
    assert iou(finds_red.alphas(photo)["pretrained"] >= 0.5, mask) > 0.95


class FillsCloserLooks(nn.Module):
    """Finds a disc in the whole, and calls all of every closer look hair or that disc alone."""

    def __init__(self, fills):
        super().__init__()
        self.fills, self.looks = fills, 0

    def forward(self, photos):
        self.looks += 1
        y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in photos.shape[2:]), indexing="ij")
        disc = 3.0 - 100 * (torch.hypot(x, y) > (0.4 if self.looks == 1 else 0.75)).float()
        if self.looks > 1 and self.fills:
            disc = torch.full_like(disc, 9.0)
        return disc.clamp(-6).expand(len(photos), 1, *disc.shape)


def test_a_closer_look_that_grows_over_what_was_not_suspected_is_not_believed(small_repository):
    """At 256 x 256, where the network suspects nothing beyond the disc and its stride."""
    photo, alphas = np.zeros((256, 256, 3), np.uint8), {}
    for fills in (False, True):
        predictor = HairPredictor(small_repository, ["pretrained"])
        predictor.config = replace(predictor.config, image_size=256)
        predictor.networks["pretrained"] = network = FillsCloserLooks(fills)
        alphas[fills] = predictor.alphas(photo, refined=False)["pretrained"]
        assert network.looks == 2
    y, x = np.mgrid[:256, :256]
    disc = np.hypot(x - 127.5, y - 127.5) < 0.4 * 128
    assert iou(alphas[False] >= 0.5, disc) > 0.9 and iou(alphas[True] >= 0.5, disc) > 0.9


def test_a_find_beyond_what_was_suspected_is_believed_where_the_closer_look_is_certain():
    """Each find by itself: two of which a tenth and more was not suspected, and one that was not for the most part."""
    closer = np.full((60, 90), -6, np.float32)
    closer[10:30, 10:30], closer[10:30, 40:60], closer[40:58, 10:80] = 3.0, 7.0, 7.0
    first = np.full_like(closer, -1.0)
    suspected = np.zeros(closer.shape, bool)
    suspected[10:25, :70], suspected[40:58, 10:40] = True, True
    result = reconcile_with_coarse(closer, first, suspected)
    np.testing.assert_array_equal(result[10:30, 40:60], 7.0)
    assert np.array_equal(result[closer < 0], closer[closer < 0])
    np.testing.assert_array_equal(result[10:30, 10:30], -1.0)
    np.testing.assert_array_equal(result[40:58, 10:80], -1.0)
    suspected[10:29, 10:30] = True  # but for a twentieth
    assert np.array_equal(reconcile_with_coarse(closer, first, suspected)[:35], closer[:35])


def test_a_find_that_the_network_is_sure_of_nowhere_is_no_hair():
    logits = np.full((100, 100), -6, np.float32)
    logits[10:40, 10:40] = 1.5  # alpha 0.82 at most
    logits[60:90, 60:90] = 1.5
    logits[60:64, 60:90] = 4.0  # a part of it is sure
    kept = drop_low_confidence_components(logits)
    np.testing.assert_allclose(kept[10:40, 10:40], -1.5)
    rest = np.ones_like(logits, bool)
    rest[10:40, 10:40] = False
    assert np.array_equal(kept[rest], logits[rest])
    judged = np.zeros_like(rest)
    judged[:, :20] = True
    assert np.array_equal(drop_low_confidence_components(logits, judged), logits), "most of it is left to a closer look"
    judged[:, :30] = True
    np.testing.assert_array_equal(drop_low_confidence_components(logits, judged), kept)
    assert logits[20, 20] == 1.5, "what is given stays"


def test_a_doubt_ranks_pixels_as_before():
    logits = np.random.default_rng(0).uniform(0.1, 1.5, (20, 20)).astype(np.float32)
    kept = drop_low_confidence_components(logits)
    assert np.array_equal(np.argsort(kept, axis=None), np.argsort(logits, axis=None)) and kept.max() < 0


def test_two_looks_are_compared_place_by_place():
    """Against OpenCV's resize of the same window, which a whole number of pixels fits."""
    logits = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    scaled = cv2.resize(logits, (240, 320), interpolation=cv2.INTER_LINEAR)  # 8 of a photo's pixels to each
    window = slice(64, 192), slice(40, 168)
    expected = scaled[window]
    found = _part_of(logits, window, (128, 128), (320, 240))
    np.testing.assert_allclose(found, expected, atol=0.02)
    found = _part_of(logits, window, (16, 16), (320, 240))
    np.testing.assert_allclose(found, logits[8:24, 5:21], atol=1e-5)


def test_a_photo_without_hair_stays_empty(finds_red):
    photo, _ = field_with_red(700, 500)
    photo[::7] //= 2
    assert finds_red.alphas(photo)["pretrained"].max() < 0.1


def logits_with(height, width, *boxes) -> np.ndarray:
    logits = np.full((height, width), -6, np.float32)
    for top, left, bottom, right in boxes:
        logits[top:bottom, left:right] = 3
    return logits


def test_a_look_serves_the_photo_at_any_size(small_repository):
    """A small bright head far from the middle: a look at one size gives the alpha of twice the size, scaled."""
    predictor = HairPredictor(small_repository)
    photo = np.full((300, 400, 3), 200, np.uint8)
    photo[30:80, 40:80] = draw_portrait(3, 96)[0][:50, :40]
    twice = cv2.resize(photo, (800, 600), interpolation=cv2.INTER_NEAREST)
    for variant, pending in predictor.submit(photo).items():
        look = pending.result()
        np.testing.assert_array_equal(look.alpha(photo), predictor.alphas(photo)[variant])
        small, large = (look.alpha(picture, refined=False) for picture in (photo, twice))
        assert large.shape == (600, 800)
        assert np.abs(cv2.resize(large, (400, 300), interpolation=cv2.INTER_AREA) - small).max() < 0.02


def test_networks_that_nobody_holds_finish_their_looks_and_go(small_repository):
    """A page that serves several models lets go of one while a photo may still wait for it."""
    predictor = HairPredictor(small_repository)
    photo = draw_portrait(3)[0]
    expected, networks = predictor.alphas(photo), weakref.WeakSet(predictor.networks.values())
    looks = [predictor.submit(photo) for _ in range(4)]
    del predictor
    for look in looks:
        for variant, pending in look.items():
            np.testing.assert_array_equal(pending.result().alpha(photo), expected[variant])
    until = time.monotonic() + 10
    while networks and time.monotonic() < until:  # a thread holds its last work for a moment
        time.sleep(0.01)
    assert not networks


def test_every_network_is_given_the_same_photo_scaled_once(small_repository, monkeypatch):
    predictor, scaled = HairPredictor(small_repository), []
    fit_photo = Preprocessing.fit_photo
    monkeypatch.setattr(Preprocessing, "fit_photo", lambda *given: scaled.append(1) or fit_photo(*given))
    monkeypatch.setattr("hairseg.inference.predictor.find_zoom_windows", lambda logits, shape: [])
    predictor.alphas(draw_portrait(3)[0])
    assert len(predictor.networks) == 2 and len(scaled) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (3, 3)])
def test_nothing_is_looked_at_closer_than_a_pixel(shape):
    """Guards against a window of no width in a photo of a pixel or two."""
    height, width = (round(200 * side / max(shape)) or 1 for side in shape)
    logits = np.full((height, width), -5, np.float32)
    logits[: height // 3 or 1, : width // 3 or 1] = 5
    for rows, columns in find_zoom_windows(logits, shape):
        assert 0 <= rows.start < rows.stop <= shape[0] and 0 <= columns.start < columns.stop <= shape[1]


def test_closer_windows_surround_small_finds_within_the_photo():
    ((rows, columns),) = find_zoom_windows(logits_with(100, 200, (0, 180, 20, 200)), (500, 1000))
    assert rows.start == 0 and columns.stop == 1000  # moved inwards at the corner
    assert rows.stop - rows.start == columns.stop - columns.start == 130  # 1.3 times 20 cells of 5 pixels


def test_what_fills_the_frame_is_not_looked_at_again():
    assert find_zoom_windows(logits_with(200, 200, (20, 20, 170, 170)), (1000, 1000)) == []
    assert find_zoom_windows(logits_with(200, 200), (1000, 1000)) == []


def test_specks_and_parts_of_one_head_need_no_window_of_their_own():
    assert find_zoom_windows(logits_with(200, 200, (10, 10, 13, 13)), (200, 200)) == []
    parts = logits_with(200, 200, (50, 50, 80, 80), (81, 60, 84, 70))
    assert len(find_zoom_windows(parts, (200, 200))) == 1


def test_a_crowd_is_bounded():
    boxes = [(20 + 40 * i, 20 + 40 * j, 30 + 40 * i, 30 + 40 * j) for i in range(4) for j in range(4)]
    assert len(find_zoom_windows(logits_with(200, 200, *boxes), (200, 200))) == MAX_LOOKS


def test_only_the_wanted_variant_is_loaded(small_repository):
    assert HairPredictor(small_repository, ["random"]).networks.keys() == {"random"}


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_photo_is_refused(predictor, array):
    with pytest.raises(InputError, match="is no photo: expected uint8"):
        predictor.alphas(array)
