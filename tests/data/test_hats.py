from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from hairseg.data import hats as hats_module
from hairseg.data.datasets import Pair
from hairseg.data.decoded import load_arrays
from hairseg.data.hats import WORN_SHARE, add_hats, crown_of, cut_out, find_hats, greyed, paste_hat
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing

RED, FLOOR = (200, 30, 40), (120, 140, 90)


def lying_hat(width: int = 300, height: int = 200) -> np.ndarray:
    """A red half disc in the middle of a floor with some grain, (height, width, 3)."""
    grain = np.random.default_rng(0).integers(-6, 7, (height, width, 3))
    picture = np.full((height, width, 3), FLOOR, np.uint8)
    cv2.ellipse(picture, (width // 2, height * 3 // 4), (width // 3, height // 2), 0, 180, 360, RED, -1)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def head(size: int = 224) -> tuple[np.ndarray, np.ndarray]:
    """A pale face under a cap of dark hair, 80 pixels wide, whose top is in row 60: photo and mask."""
    photo, mask = np.full((size, size, 3), 230, np.uint8), np.zeros((size, size), np.uint8)
    cv2.circle(mask, (100, 100), 40, 1, -1)
    cv2.ellipse(mask, (100, 120), (30, 40), 0, 0, 360, 0, -1)
    photo[mask == 1] = 20
    return photo, mask


def test_a_hat_is_cut_out_along_its_edge():
    photo = lying_hat()
    hat = cut_out(photo)
    assert hat is not None
    height, width = hat.shape[:2]
    assert width == pytest.approx(200 * 256 / 300, abs=6) and height == pytest.approx(100 * 256 / 300, abs=6)
    opaque = hat[..., 3] > 250
    assert np.abs(hat[opaque][:, :3].mean(0) - RED).max() < 5
    assert hat[..., 3].mean() / 255 == pytest.approx(np.pi / 4, abs=0.06), "a half disc in its box"
    assert hat[2, 2, 3] < 50 and hat[2, -3, 3] < 50, "its corners are floor"


def test_there_is_no_hat_on_a_bare_floor():
    grain = np.random.default_rng(0).integers(100, 140, (200, 300, 3)).astype(np.uint8)
    assert cut_out(grain) is None


def test_the_crown_is_the_upper_part_of_the_hair():
    _, mask = head()
    middle, top, width = crown_of(mask)
    assert middle == pytest.approx(100, abs=1) and top == 60
    assert width == pytest.approx(80, abs=3)
    mask[110:190, 40:60] = 1  # a strand that hangs down beside it is no part of the crown
    assert crown_of(mask)[2] == pytest.approx(80, abs=3)
    assert crown_of(np.zeros_like(mask)) is None
    assert crown_of(np.ones_like(mask)) is None, "hair over all of the width shows no crown"


def test_hair_under_a_hat_is_not_to_be_seen(monkeypatch):
    monkeypatch.setattr(hats_module, "BAND_SHARE", 0)
    monkeypatch.setattr(hats_module, "GREY_SHARE", 0)
    photo, mask = head()
    hat = cut_out(lying_hat())
    for key in "abcdef":
        dressed, left = paste_hat(photo, mask, hat, key)
        worn = (dressed != photo).any(2)
        assert worn[63, 100] and left[63, 100] == 0, "the crown is covered"
        assert not worn[130:].any() and np.array_equal(left[130:], mask[130:]), "the face is not"
        assert left.sum() < mask.sum() and not (left > mask).any()
        red = dressed[worn & (mask == 1) & (left == 0)].mean(0)
        assert red[0] > 2 * red[1]
    assert not np.array_equal(paste_hat(photo, mask, hat, "a")[0], paste_hat(photo, mask, hat, "b")[0])
    assert np.array_equal(paste_hat(photo, mask, hat, "a")[0], paste_hat(photo, mask, hat, "a")[0])


def test_hair_is_to_be_seen_above_a_band(monkeypatch):
    monkeypatch.setattr(hats_module, "BAND_SHARE", 1)
    monkeypatch.setattr(hats_module, "GREY_SHARE", 0)
    photo, mask = head()
    hat = cut_out(lying_hat())
    for key in "abcdefgh":
        dressed, left = paste_hat(photo, mask, hat, key)
        worn, covered = (dressed != photo).any(2), (mask == 1) & (left == 0)
        rows = np.flatnonzero(covered.any(1))
        assert len(rows) and np.ptp(rows) < 50, "a band is low"
        assert np.ptp(np.flatnonzero(covered.any(0))) > 60, "and goes from side to side"
        assert worn[covered].mean() > 0.95
    assert sum((paste_hat(photo, mask, hat, key)[1][60:64] == 1).sum() > 0 for key in "abcdefgh") >= 4


def test_hair_turns_grey_and_nothing_else(monkeypatch):
    photo, mask = head()
    photo[mask == 1] = (90, 50, 20)
    photo[120:150, 90:110] = (220, 170, 150)
    grey = greyed(photo, mask == 1, 0.6)
    inside = cv2.erode(mask, np.ones((9, 9))) == 1
    assert np.ptp(grey[inside].astype(int), axis=1).max() <= 1, "no colour is left"
    assert grey[inside].mean() > 1.8 * photo[inside].mean(), "it is lighter"
    outside = cv2.dilate(mask, np.ones((13, 13))) == 0
    assert np.array_equal(grey[outside], photo[outside])
    assert greyed(photo, mask == 1, 1.0)[inside].mean() > grey[inside].mean()
    half = cv2.resize(mask, (112, 112), interpolation=cv2.INTER_NEAREST)
    assert np.abs(greyed(photo, half == 1, 0.6).astype(int) - grey)[inside].mean() < 3
    monkeypatch.setattr(hats_module, "GREY_SHARE", 1)
    worn, left = paste_hat(photo, mask, cut_out(lying_hat()), "a")
    seen = cv2.erode(left, np.ones((5, 5))) == 1
    assert seen.sum() > 50 and np.median(np.ptp(worn[seen].astype(int), axis=1)) <= 1


def test_masks_of_another_size_are_covered_at_the_same_place():
    photo, mask = head()
    hat = cut_out(lying_hat())
    _, whole = paste_hat(photo, mask, hat, "a")
    small = cv2.resize(mask, (112, 112), interpolation=cv2.INTER_NEAREST)
    _, half = paste_hat(photo, small, hat, "a")
    assert half.shape == (112, 112)
    assert (cv2.resize(half, (224, 224), interpolation=cv2.INTER_NEAREST) != whole).mean() < 0.01


def test_the_same_people_always_wear_the_same_hats(tmp_path):
    hats = [tmp_path / "hat1.jpg", tmp_path / "hat2.jpg"]
    pairs = [Pair(str(n), tmp_path / f"{n}.jpg", tmp_path / f"{n}.png", "train") for n in range(400)]
    worn = add_hats(pairs, hats)
    assert len(worn) / 400 == pytest.approx(WORN_SHARE, abs=0.08)
    assert {pair.hat for pair in worn} == set(hats)
    fewer = add_hats(pairs[::2], hats)
    assert fewer == [pair for pair in worn if int(pair.id.partition("/")[0]) % 2 == 0]
    assert add_hats([replace(pairs[0], mask=None)] * 50, hats) == [], "people without hair are left as they are"


def test_hats_are_found_by_their_names(tmp_path):
    for number in range(12):
        Image.fromarray(lying_hat()).save(tmp_path / f"hat_{number}.png")
    Image.fromarray(lying_hat()).save(tmp_path / "shoe_1.png")
    found = [path.stem for path in find_hats(tmp_path)]
    assert 5 < len(found) < 12 and all(name.startswith("hat") for name in found), "some are kept for testing"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no hats"):
        find_hats(tmp_path / "empty")


def test_hats_are_put_on_before_photos_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HAIRSEG_CACHE", str(tmp_path / "cache"))
    photo, mask = head()
    for name, picture in (("photo", photo), ("mask", mask * 255), ("hat", lying_hat())):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pair = Pair("1", tmp_path / "photo.png", tmp_path / "mask.png", "train")
    worn = replace(pair, id="1/worn", hat=tmp_path / "hat.png")
    arrays = load_arrays({"celebamask-hq": [pair, worn]}, Preprocessing(224), 1)
    dressed, left = paste_hat(photo, mask, cut_out(lying_hat()), "1/worn")
    assert np.array_equal(arrays.photos[0].numpy(), photo) and np.array_equal(arrays.photos[1].numpy(), dressed)
    assert np.array_equal(arrays.masks[1].numpy(), left)
