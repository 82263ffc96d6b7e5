import copy
import multiprocessing
import pickle
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import PROJECT, draw_portrait
from torch import nn
from torch.utils.data import DataLoader, Dataset

from hairseg.errors import InputError
from hairseg.images import load_photo
from hairseg.inference import multiscale
from hairseg.inference.multiscale import (
    MAX_WINDOWS,
    TwoPassPrediction,
    _resample,
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


def unrefined_alpha(predictor: HairPredictor, photo: np.ndarray, variant: str = "pretrained") -> np.ndarray:
    return predictor.submit(photo)[variant].result().alpha(photo, refined=False)


class RedNetwork(nn.Module):
    """Predicts hair for red pixels, at the resolution of a network with a stride of 16."""

    def forward(self, photos):
        redness = photos[:, :1] - photos[:, 1:2].clamp(min=0) - 0.5
        return F.interpolate(F.avg_pool2d(redness, 16), size=photos.shape[2:], mode="bilinear") * 4


@pytest.fixture
def red_predictor(small_repository) -> HairPredictor:
    predictor = HairPredictor(small_repository, ["pretrained"])
    predictor.config = predictor.config.model_copy(update={"image_size": 256})
    predictor.networks["pretrained"] = RedNetwork()
    return predictor


def photo_with_red_discs(height, width, *discs) -> tuple[np.ndarray, np.ndarray]:
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
def test_alphas_have_the_photo_s_size(predictor, height, width):
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    alphas = predictor.alphas(photo)
    assert alphas.keys() == {"pretrained", "random"}
    for alpha in alphas.values():
        assert alpha.shape == (height, width)
        assert alpha.dtype == np.float32
        assert alpha.min() >= 0
        assert alpha.max() <= 1


def test_unrefined_alpha_is_the_sigmoid_of_the_networks_logits(predictor, small_repository, accept_all_components):
    """At the network's input size nothing is scaled: a plain forward pass agrees, within bfloat16 where used."""
    photo, _ = draw_portrait(1, 64)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    tensor = torch.from_numpy(((photo / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        expected = torch.sigmoid(ModelRepository(small_repository).load_network("random")(tensor))[0, 0].numpy()
    alpha = unrefined_alpha(predictor, photo, "random")
    assert np.abs(alpha - expected).mean() < 0.005
    assert np.abs(alpha - expected).max() < 0.05


@pytest.mark.skipif(not supports_bfloat16(torch.device("cpu")), reason="this CPU multiplies no matrices in bfloat16")
def test_in_bfloat16_the_alphas_are_those_of_float32(monkeypatch):
    """Only for the coarse pass, since rounding may change the choice of windows for the zoomed passes."""
    photo = load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg")

    def alphas():
        predictor = HairPredictor(BUNDLED)
        return [multiscale._sigmoid(predictor._forward(network, [photo])[0]) for network in predictor.networks.values()]

    fast = alphas()
    monkeypatch.setattr(devices, "supports_bfloat16", lambda device: False)
    for approximate, exact in zip(fast, alphas(), strict=True):
        assert 0 < np.abs(approximate - exact).mean() < 0.005


def test_padding_a_photo_does_not_change_its_alpha(predictor, accept_all_components):
    """A wide photo has the same alpha with and without the padding that preprocessing adds."""
    photo = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    padded = np.empty((64, 64, 3), np.uint8)
    padded[:] = (124, 116, 104)
    padded[16:48] = photo
    alphas = [unrefined_alpha(predictor, picture, "random") for picture in (photo, padded)]
    np.testing.assert_allclose(alphas[0], alphas[1][16:48], atol=1e-5)


@pytest.mark.parametrize(
    "height, width, disc",
    [
        (800, 800, (200, 600, 70)),
        (600, 1200, (500, 1100, 60)),
        (1200, 500, (90, 90, 80)),
    ],
)
def test_zoomed_passes_improve_small_hair(red_predictor, height, width, disc):
    photo, mask = photo_with_red_discs(height, width, disc)
    (logits,) = red_predictor._forward(red_predictor.networks["pretrained"], [photo])
    single_pass = TwoPassPrediction((height, width), red_predictor.config.image_size, logits, [], [])
    coarse, zoomed = single_pass.alpha(photo, refined=False), unrefined_alpha(red_predictor, photo)
    assert iou(zoomed >= 0.5, mask) > iou(coarse >= 0.5, mask) + 0.1
    assert iou(red_predictor.alphas(photo)["pretrained"] >= 0.5, mask) > 0.95
    ((rows, columns),) = find_zoom_windows(logits, (height, width))
    inner = [side - 1 for side in (rows.start, rows.stop) if 0 < side < height]
    assert np.abs(np.diff(zoomed, axis=0))[inner, columns].max() < 0.15, "no seam"


def test_a_single_pass_prediction_runs_the_network_once(red_predictor):
    photo, _ = photo_with_red_discs(600, 800, (500, 700, 60))
    (logits,) = red_predictor._forward(red_predictor.networks["pretrained"], [photo])
    passes = []
    red_predictor.networks["pretrained"].register_forward_hook(lambda *_: passes.append(1))
    alpha = red_predictor.predict_single_pass(photo, "pretrained")
    np.testing.assert_array_equal(alpha, TwoPassPrediction((600, 800), 256, logits, [], []).alpha(photo))
    assert len(passes) == 1
    with pytest.raises(InputError, match="is not a photo"):
        red_predictor.predict_single_pass(photo[None], "pretrained")


def test_several_heads_far_apart_are_all_segmented(red_predictor):
    photo, mask = photo_with_red_discs(900, 900, (150, 150, 60), (150, 700, 70), (700, 400, 65))
    assert iou(red_predictor.alphas(photo)["pretrained"] >= 0.5, mask) > 0.95


class DiscNetwork(nn.Module):
    """Finds a disc in the coarse pass; in zoomed passes the same disc, or hair everywhere."""

    def __init__(self, fills_windows: bool):
        super().__init__()
        self.fills_windows, self.passes = fills_windows, 0

    def forward(self, photos):
        self.passes += 1
        y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in photos.shape[2:]), indexing="ij")
        disc = 3.0 - 100 * (torch.hypot(x, y) > (0.4 if self.passes == 1 else 0.75)).float()
        if self.passes > 1 and self.fills_windows:
            disc = torch.full_like(disc, 9.0)
        return disc.clamp(-6).expand(len(photos), 1, *disc.shape)


def test_a_zoomed_component_far_beyond_the_coarse_candidates_is_reduced(small_repository):
    """At 256 x 256 pixels, the coarse candidates are the disc and a margin of one stride."""
    photo, alphas = np.zeros((256, 256, 3), np.uint8), {}
    for fills_windows in (False, True):
        predictor = HairPredictor(small_repository, ["pretrained"])
        predictor.config = predictor.config.model_copy(update={"image_size": 256})
        predictor.networks["pretrained"] = network = DiscNetwork(fills_windows)
        alphas[fills_windows] = unrefined_alpha(predictor, photo)
        assert network.passes == 2
    y, x = np.mgrid[:256, :256]
    disc = np.hypot(x - 127.5, y - 127.5) < 0.4 * 128
    assert iou(alphas[False] >= 0.5, disc) > 0.9
    assert iou(alphas[True] >= 0.5, disc) > 0.9


def test_very_confident_components_may_extend_further():
    """Three components: two with a quarter of their pixels outside the candidates, and one mostly outside."""
    zoomed = np.full((60, 90), -6, np.float32)
    zoomed[10:30, 10:30], zoomed[10:30, 40:60], zoomed[40:58, 10:80] = 3.0, 7.0, 7.0
    coarse = np.full_like(zoomed, -1.0)
    candidates = np.zeros(zoomed.shape, bool)
    candidates[10:25, :70], candidates[40:58, 10:40] = True, True
    result = reconcile_with_coarse(zoomed, coarse, candidates)
    np.testing.assert_array_equal(result[10:30, 40:60], 7.0)
    assert np.array_equal(result[zoomed < 0], zoomed[zoomed < 0])
    np.testing.assert_array_equal(result[10:30, 10:30], -1.0)
    np.testing.assert_array_equal(result[40:58, 10:80], -1.0)
    candidates[10:29, 10:30] = True  # all but a twentieth
    assert np.array_equal(reconcile_with_coarse(zoomed, coarse, candidates)[:35], zoomed[:35])


def test_components_without_a_confident_part_are_dropped():
    logits = np.full((100, 100), -6, np.float32)
    logits[10:40, 10:40] = 1.5  # alpha 0.82 at most
    logits[60:90, 60:90] = 1.5
    logits[60:64, 60:90] = 4.0  # the confident part
    kept = drop_low_confidence_components(logits)
    np.testing.assert_allclose(kept[10:40, 10:40], -1.5)
    rest = np.ones_like(logits, bool)
    rest[10:40, 10:40] = False
    assert np.array_equal(kept[rest], logits[rest])
    within = np.zeros_like(rest)
    within[:, :20] = True
    assert np.array_equal(drop_low_confidence_components(logits, within), logits), "most pixels are outside"
    within[:, :30] = True
    np.testing.assert_array_equal(drop_low_confidence_components(logits, within), kept)
    assert logits[20, 20] == 1.5, "the argument is unchanged"


def test_a_dropped_component_ranks_its_pixels_as_before():
    logits = np.random.default_rng(0).uniform(0.1, 1.5, (20, 20)).astype(np.float32)
    kept = drop_low_confidence_components(logits)
    assert np.array_equal(np.argsort(kept, axis=None), np.argsort(logits, axis=None))
    assert kept.max() < 0


def test_coarse_logits_are_resampled_to_a_window():
    """Against OpenCV's resize of the same window, which a whole number of pixels fits."""
    logits = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    scaled = cv2.resize(logits, (240, 320), interpolation=cv2.INTER_LINEAR)  # 8 x 8 pixels of the photo each
    window = slice(64, 192), slice(40, 168)
    expected = scaled[window]
    found = _resample(logits, window, (128, 128), (320, 240))
    np.testing.assert_allclose(found, expected, atol=0.02)
    found = _resample(logits, window, (16, 16), (320, 240))
    np.testing.assert_allclose(found, logits[8:24, 5:21], atol=1e-5)


def test_a_photo_without_hair_stays_empty(red_predictor):
    photo, _ = photo_with_red_discs(700, 500)
    photo[::7] //= 2
    assert red_predictor.alphas(photo)["pretrained"].max() < 0.1


def logits_with(height, width, *boxes) -> np.ndarray:
    logits = np.full((height, width), -6, np.float32)
    for top, left, bottom, right in boxes:
        logits[top:bottom, left:right] = 3
    return logits


def test_a_prediction_gives_alpha_at_any_size(small_repository):
    """A small bright head far from the centre: alpha at twice the size, scaled down, is alpha at the original size."""
    predictor = HairPredictor(small_repository)
    photo = np.full((300, 400, 3), 200, np.uint8)
    photo[30:80, 40:80] = draw_portrait(3, 96)[0][:50, :40]
    doubled = cv2.resize(photo, (800, 600), interpolation=cv2.INTER_NEAREST)
    for variant, future in predictor.submit(photo).items():
        prediction = future.result()
        np.testing.assert_array_equal(prediction.alpha(photo), predictor.alphas(photo)[variant])
        small, large = (prediction.alpha(picture, refined=False) for picture in (photo, doubled))
        assert large.shape == (600, 800)
        assert np.abs(cv2.resize(large, (400, 300), interpolation=cv2.INTER_AREA) - small).max() < 0.02


def test_a_deleted_predictor_finishes_its_work_and_is_freed(small_repository):
    """A page that serves several models unloads one while a photo still waits for it."""
    predictor = HairPredictor(small_repository)
    photo = draw_portrait(3)[0]
    expected, networks = predictor.alphas(photo), weakref.WeakSet(predictor.networks.values())
    submitted = [predictor.submit(photo) for _ in range(4)]
    del predictor
    for futures in submitted:
        for variant, future in futures.items():
            np.testing.assert_array_equal(future.result().alpha(photo), expected[variant])
    deadline = time.monotonic() + 10
    while networks and time.monotonic() < deadline:  # a thread keeps its last task for a moment
        time.sleep(0.01)
    assert not networks


def test_a_photo_is_preprocessed_once_for_all_networks(small_repository, monkeypatch):
    predictor, calls = HairPredictor(small_repository), []
    fit_photo = Preprocessing.fit_photo
    monkeypatch.setattr(Preprocessing, "fit_photo", lambda *arguments: calls.append(1) or fit_photo(*arguments))
    monkeypatch.setattr("hairseg.inference.predictor.find_zoom_windows", lambda logits, shape: [])
    predictor.alphas(draw_portrait(3)[0])
    assert len(predictor.networks) == 2
    assert len(calls) == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda predictor: pickle.loads(pickle.dumps(predictor))])
def test_a_copy_has_the_same_networks(small_repository, duplicate, monkeypatch):
    monkeypatch.chdir(small_repository.parent)
    original = HairPredictor(small_repository.name, ["random"])
    photo, expected = draw_portrait(3)[0], original.alphas(draw_portrait(3)[0])["random"]
    monkeypatch.chdir("/")
    copied = duplicate(original)
    assert copied.networks.keys() == {"random"}
    assert copied.device == original.device
    np.testing.assert_array_equal(copied.alphas(photo)["random"], expected)


class Alphas(Dataset):
    def __init__(self, predictor: HairPredictor):
        self.predictor = predictor

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.predictor.alphas(draw_portrait(index)[0])["random"])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
def test_workers_of_a_data_loader_may_use_a_predictor(predictor):
    """Guards against waiting forever for threads of the parent, which a fork does not copy."""
    expected = [predictor.alphas(draw_portrait(index)[0])["random"] for index in range(3)]
    loader = DataLoader(Alphas(predictor), batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=60)
    for alpha, alpha_here in zip(loader, expected, strict=True):
        np.testing.assert_allclose(alpha.numpy(), alpha_here, atol=1e-3)


def test_on_a_gpu_a_forked_process_is_refused(small_repository, monkeypatch):
    predictor = HairPredictor(small_repository, ["random"])
    predictor.device = torch.device("cuda")
    monkeypatch.setattr(predictor, "_process", -1)
    with pytest.raises(InputError, match="cuda cannot be used in a forked process"):
        predictor.alphas(draw_portrait(1)[0])


def test_options_of_from_pretrained_are_passed_to_the_hub(small_repository, monkeypatch):
    calls = []

    def resolve(repo: str, **options) -> SimpleNamespace:
        calls.append((repo, options))
        return SimpleNamespace(folder=small_repository)

    monkeypatch.setattr("hairseg.inference.predictor.resolve", resolve)
    options = {"token": "t", "cache_dir": Path("cache"), "local_files_only": True, "force_download": True}
    predictor = HairPredictor.from_pretrained("user/name", revision="v1", variants=["random"], device="cpu", **options)
    assert calls == [("user/name", {"revision": "v1", **options})]
    assert predictor.networks.keys() == {"random"}


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (3, 3)])
def test_windows_of_tiny_photos_are_not_empty(shape):
    height, width = (round(200 * side / max(shape)) or 1 for side in shape)
    logits = np.full((height, width), -5, np.float32)
    logits[: height // 3 or 1, : width // 3 or 1] = 5
    for rows, columns in find_zoom_windows(logits, shape):
        assert 0 <= rows.start < rows.stop <= shape[0]
        assert 0 <= columns.start < columns.stop <= shape[1]


def test_windows_surround_small_components_within_the_photo():
    ((rows, columns),) = find_zoom_windows(logits_with(100, 200, (0, 180, 20, 200)), (500, 1000))
    assert rows.start == 0
    assert columns.stop == 1000
    assert rows.stop - rows.start == columns.stop - columns.start == 130  # 1.3 times 20 cells of 5 pixels


def test_hair_that_fills_the_photo_needs_no_window():
    assert find_zoom_windows(logits_with(200, 200, (20, 20, 170, 170)), (1000, 1000)) == []
    assert find_zoom_windows(logits_with(200, 200), (1000, 1000)) == []


def test_specks_and_parts_of_one_head_need_no_window():
    assert find_zoom_windows(logits_with(200, 200, (10, 10, 13, 13)), (200, 200)) == []
    parts = logits_with(200, 200, (50, 50, 80, 80), (81, 60, 84, 70))
    assert len(find_zoom_windows(parts, (200, 200))) == 1


def test_the_number_of_windows_is_bounded():
    boxes = [(20 + 40 * i, 20 + 40 * j, 30 + 40 * i, 30 + 40 * j) for i in range(4) for j in range(4)]
    assert len(find_zoom_windows(logits_with(200, 200, *boxes), (200, 200))) == MAX_WINDOWS


def test_only_the_requested_variant_is_loaded(small_repository):
    assert HairPredictor(small_repository, ["random"]).networks.keys() == {"random"}


@pytest.mark.parametrize("array", [np.zeros((3, 40, 30), np.uint8), np.full((4, 4, 3), 255.0), np.zeros((0, 4, 3))])
def test_arrays_that_are_not_photos_are_refused(predictor, array):
    for call in (predictor.alphas, predictor.submit, lambda photo: predictor.predict_single_pass(photo, "random")):
        with pytest.raises(InputError, match=r"not a photo|values outside"):
            call(array)


def test_photos_in_other_forms_are_converted(predictor):
    photo, _ = draw_portrait(2)
    expected = predictor.alphas(photo)["random"]
    tensor = torch.from_numpy(photo).permute(2, 0, 1).contiguous()
    for form in (
        photo / 255,
        torch.from_numpy(photo),
        tensor.permute(1, 2, 0),
        np.dstack([photo, np.full((96, 96), 255)]),
    ):
        form = form.astype(np.uint8) if getattr(form, "shape", (0,))[-1] == 4 else form
        np.testing.assert_array_equal(predictor.alphas(form)["random"], expected)
