from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from hairseg.data import hats as hats_module
from hairseg.data.datasets import Pair
from hairseg.data.decoded import load_arrays
from hairseg.data.hats import HAT_FRACTION, add_hats, cut_out_object, find_crown, find_hats, paste_hat, turn_grey
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing

RED, FLOOR = (200, 30, 40), (120, 140, 90)


def draw_hat(width: int = 300, height: int = 200) -> np.ndarray:
    """Draw a red half disc on a grainy floor, (height, width, 3)."""
    grain = np.random.default_rng(0).integers(-6, 7, (height, width, 3))
    picture = np.full((height, width, 3), FLOOR, np.uint8)
    cv2.ellipse(picture, (width // 2, height * 3 // 4), (width // 3, height // 2), 0, 180, 360, RED, -1)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def draw_head(size: int = 224) -> tuple[np.ndarray, np.ndarray]:
    """Draw a photo and mask of dark hair, 80 pixels wide from row 60 down, around a pale face."""
    photo, mask = np.full((size, size, 3), 230, np.uint8), np.zeros((size, size), np.uint8)
    cv2.circle(mask, (100, 100), 40, 1, -1)
    cv2.ellipse(mask, (100, 120), (30, 40), 0, 0, 360, 0, -1)
    photo[mask == 1] = 20
    return photo, mask


def test_hat_is_cut_out_along_its_edge():
    photo = draw_hat()
    hat = cut_out_object(photo)
    assert hat is not None
    height, width = hat.shape[:2]
    assert width == pytest.approx(200 * 256 / 300, abs=6)
    assert height == pytest.approx(100 * 256 / 300, abs=6)
    opaque = hat[..., 3] > 250
    assert np.abs(hat[opaque][:, :3].mean(0) - RED).max() < 5
    assert hat[..., 3].mean() / 255 == pytest.approx(np.pi / 4, abs=0.06), (
        "A half disc fills pi / 4 of its bounding box."
    )
    assert hat[2, [2, -3], 3].max() < 50, "The corners are floor."


def test_bare_floor_has_no_hat():
    grain = np.random.default_rng(0).integers(100, 140, (200, 300, 3)).astype(np.uint8)
    assert cut_out_object(grain) is None


def test_crown_is_the_upper_part_of_the_hair():
    _, mask = draw_head()
    centre_x, top, width = find_crown(mask)
    assert centre_x == pytest.approx(100, abs=1)
    assert top == 60
    assert width == pytest.approx(80, abs=3)
    mask[110:190, 40:60] = 1  # A strand that hangs down is not part of the crown.
    assert find_crown(mask)[2] == pytest.approx(80, abs=3)
    assert find_crown(np.zeros_like(mask)) is None
    assert find_crown(np.ones_like(mask)) is None, "Hair across the whole width has no crown."


def test_hat_covers_hair(monkeypatch):
    monkeypatch.setattr(hats_module, "BAND_FRACTION", 0)
    monkeypatch.setattr(hats_module, "GREY_FRACTION", 0)
    photo, mask = draw_head()
    hat = cut_out_object(draw_hat())
    for key in "abcdef":
        with_hat, visible = paste_hat(photo, mask, hat, key)
        is_hat = (with_hat != photo).any(2)
        assert is_hat[63, 100], "The crown is covered."
        assert visible[63, 100] == 0
        assert not is_hat[130:].any(), "The face is not covered."
        assert np.array_equal(visible[130:], mask[130:])
        assert visible.sum() < mask.sum()
        assert not (visible > mask).any()
        red = with_hat[is_hat & (mask == 1) & (visible == 0)].mean(0)
        assert red[0] > 2 * red[1]
    assert not np.array_equal(paste_hat(photo, mask, hat, "a")[0], paste_hat(photo, mask, hat, "b")[0])
    assert np.array_equal(paste_hat(photo, mask, hat, "a")[0], paste_hat(photo, mask, hat, "a")[0])


def test_hair_is_visible_above_a_band(monkeypatch):
    monkeypatch.setattr(hats_module, "BAND_FRACTION", 1)
    monkeypatch.setattr(hats_module, "GREY_FRACTION", 0)
    photo, mask = draw_head()
    hat = cut_out_object(draw_hat())
    for key in "abcdefgh":
        with_hat, visible = paste_hat(photo, mask, hat, key)
        is_hat, covered = (with_hat != photo).any(2), (mask == 1) & (visible == 0)
        rows = np.flatnonzero(covered.any(1))
        assert len(rows)
        assert np.ptp(rows) < 50, "A band is low."
        assert np.ptp(np.flatnonzero(covered.any(0))) > 60, "It goes from side to side."
        assert is_hat[covered].mean() > 0.95
    assert sum((paste_hat(photo, mask, hat, key)[1][60:64] == 1).sum() > 0 for key in "abcdefgh") >= 4


def test_only_hair_turns_grey(monkeypatch):
    photo, mask = draw_head()
    photo[mask == 1] = (90, 50, 20)
    photo[120:150, 90:110] = (220, 170, 150)
    grey = turn_grey(photo, mask == 1, 0.6)
    inside = cv2.erode(mask, np.ones((9, 9))) == 1
    assert np.ptp(grey[inside].astype(int), axis=1).max() <= 1, "No colour is left."
    assert grey[inside].mean() > 1.8 * photo[inside].mean(), "It is lighter."
    outside = cv2.dilate(mask, np.ones((13, 13))) == 0
    assert np.array_equal(grey[outside], photo[outside])
    assert turn_grey(photo, mask == 1, 1.0)[inside].mean() > grey[inside].mean()
    half = cv2.resize(mask, (112, 112), interpolation=cv2.INTER_NEAREST)
    assert np.abs(turn_grey(photo, half == 1, 0.6).astype(int) - grey)[inside].mean() < 3
    monkeypatch.setattr(hats_module, "GREY_FRACTION", 1)
    with_hat, visible = paste_hat(photo, mask, cut_out_object(draw_hat()), "a")
    inside = cv2.erode(visible, np.ones((5, 5))) == 1
    assert inside.sum() > 50
    assert np.median(np.ptp(with_hat[inside].astype(int), axis=1)) <= 1


def test_masks_of_another_size_are_covered_at_the_same_position():
    photo, mask = draw_head()
    hat = cut_out_object(draw_hat())
    _, full = paste_hat(photo, mask, hat, "a")
    small = cv2.resize(mask, (112, 112), interpolation=cv2.INTER_NEAREST)
    _, half = paste_hat(photo, small, hat, "a")
    assert half.shape == (112, 112)
    assert (cv2.resize(half, (224, 224), interpolation=cv2.INTER_NEAREST) != full).mean() < 0.01


def test_ids_decide_who_wears_which_hat(tmp_path):
    hats = [tmp_path / "hat1.jpg", tmp_path / "hat2.jpg"]
    pairs = [Pair(str(n), tmp_path / f"{n}.jpg", tmp_path / f"{n}.png", "train") for n in range(400)]
    with_hats = add_hats(pairs, hats)
    assert len(with_hats) / 400 == pytest.approx(HAT_FRACTION, abs=0.08)
    assert {pair.hat for pair in with_hats} == set(hats)
    fewer = add_hats(pairs[::2], hats)
    assert fewer == [pair for pair in with_hats if int(pair.id.partition("/")[0]) % 2 == 0]
    assert add_hats([replace(pairs[0], mask=None)] * 50, hats) == [], "People without hair get no hat."


def test_hats_are_found_by_their_names(tmp_path):
    for number in range(12):
        Image.fromarray(draw_hat()).save(tmp_path / f"hat_{number}.png")
    Image.fromarray(draw_hat()).save(tmp_path / "shoe_1.png")
    found = [path.stem for path in find_hats(tmp_path)]
    assert 5 < len(found) < 12, "Some are in the test split."
    assert all(name.startswith("hat") for name in found)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no hats"):
        find_hats(tmp_path / "empty")


def test_cached_photos_have_hats_on(tmp_path, monkeypatch):
    monkeypatch.setenv("HAIRSEG_CACHE", str(tmp_path / "cache"))
    photo, mask = draw_head()
    for name, picture in (("photo", photo), ("mask", mask * 255), ("hat", draw_hat())):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pair = Pair("1", tmp_path / "photo.png", tmp_path / "mask.png", "train")
    pair_with_hat = replace(pair, id="1/with_hat", hat=tmp_path / "hat.png")
    arrays = load_arrays({"celebamask-hq": [pair, pair_with_hat]}, Preprocessing(224), 1)
    with_hat, visible = paste_hat(photo, mask, cut_out_object(draw_hat()), "1/with_hat")
    assert np.array_equal(arrays.photos[0].numpy(), photo)
    assert np.array_equal(arrays.photos[1].numpy(), with_hat)
    assert np.array_equal(arrays.masks[1].numpy(), visible)
