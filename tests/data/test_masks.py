"""Masks that contradict their layout are listed before training; unusual file names are read."""

import shutil

import numpy as np
import pytest
from conftest import draw_celebamask_hq, draw_figaro1k, draw_portrait
from PIL import Image

from hairseg.data.datasets import find_pairs, load_pair
from hairseg.data.decoded import load_arrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing

HAIR = draw_portrait(1)[1]


def in_palette(hair: np.ndarray) -> Image.Image:
    picture = Image.fromarray(hair.astype(np.uint8) * 2)
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 0, 60])
    return picture


def in_alpha(hair: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((*hair.shape, 3), 255), hair * 255]).astype(np.uint8), "RGBA")


def in_colour(hair: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(hair[..., None], [255, 0, 0], [0, 255, 0]).astype(np.uint8))


def grey(hair: np.ndarray, value: int) -> Image.Image:
    return Image.fromarray(hair.astype(np.uint8) * np.uint8(value))


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda hair: grey(hair, 1), r"00001_hair.png has the maximum value 1; 00002_hair.png"),
        (lambda hair: grey(hair, 40), "has the maximum value 40"),
        (in_palette, "00001_hair.png is coloured"),
        (in_alpha, "00001_hair.png has an alpha channel, which is not read"),
        (in_colour, "00001_hair.png is coloured"),
        (lambda hair: grey(hair, 100), "marks any hair. Mark hair with 255"),
        (lambda hair: grey(hair & False, 0), "marks any hair. Mark hair with 255"),
        (lambda hair: grey(~hair & False | True, 255), "mark 100% of all pixels as hair"),
        (lambda hair: grey(~hair, 255), "seem inverted. Invert them"),
    ],
)
def test_wrong_masks_are_listed_before_training(tmp_path, write, message):
    root = draw_celebamask_hq(tmp_path, [1, 2])
    for path in root.rglob("*_hair.png"):
        write(HAIR).save(path)
    with pytest.raises(InputError, match=message):
        find_pairs(root)


def test_masks_full_of_hair_are_logged(tmp_path, caplog):
    root = draw_celebamask_hq(tmp_path, [1, 2, 3, 4])
    grey(np.ones((96, 96), bool), 255).save(next(root.rglob("00003_hair.png")))
    assert len(find_pairs(root)[1]) == 4
    assert caplog.messages == [f"1 masks in {root} mark every pixel as hair: 00003_hair.png"]


def test_opaque_alpha_grey_in_rgb_and_empty_masks_are_valid(tmp_path, caplog):
    root = draw_celebamask_hq(tmp_path, [1, 2, 3])
    grey(HAIR, 255).convert("RGBA").save(next(root.rglob("00001_hair.png")))
    grey(HAIR & False, 0).save(next(root.rglob("00003_hair.png")))
    dataset, pairs = find_pairs(root)
    assert np.array_equal(load_pair(pairs[0], dataset)[1], HAIR)
    assert not load_pair(pairs[2], dataset)[1].any()
    assert not caplog.messages


def test_appledouble_files_are_skipped_and_other_spellings_read(tmp_path):
    root = draw_celebamask_hq(tmp_path / "celeb", [1, 2, 27636])
    photos, masks = root / "CelebA-HQ-img", root / "CelebAMask-HQ-mask-anno"
    for path in [*photos.iterdir(), *masks.rglob("*.png")]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")
    (masks / "0" / "00001_hair.png").rename(masks / "0" / "1_hair.PNG")
    (photos / "1.jpg").rename(photos / "1.JPG")
    (photos / "2.jpg").rename(photos / "2.jpeg")
    dataset, pairs = find_pairs(root)
    assert [(pair.id, pair.photo.name) for pair in pairs] == [("1", "1.JPG"), ("2", "2.jpeg"), ("27636", "27636.jpg")]
    assert len(load_arrays({dataset: pairs}, Preprocessing(64), 1)) == 3

    figaro = draw_figaro1k(tmp_path / "figaro", [1, 2], [3])
    training = figaro / "Original" / "Training"
    (training / "Frame00001-org.jpg").rename(training / "Frame00001-org.JPG")
    assert [pair.id for pair in find_pairs(figaro)[1]] == ["Frame00001", "Frame00002", "Frame00003"]

    borza = tmp_path / "borza"
    borza.mkdir()
    Image.fromarray(draw_portrait(1)[0]).save(borza / "a.JPEG")
    grey(HAIR, 255).save(borza / "a.BMP")
    assert find_pairs(borza)[0] == "borza"


def test_masks_of_absurd_sizes_are_listed(tmp_path):
    root = draw_celebamask_hq(tmp_path, [1, 2, 3])
    grey(np.ones((1, 1), bool), 255).save(next(root.rglob("00001_hair.png")))
    Image.new("1", (20_000, 20_000)).save(next(root.rglob("00002_hair.png")))
    dataset, pairs = find_pairs(root)
    with pytest.raises(InputError) as raised:
        load_arrays({dataset: pairs}, Preprocessing(64), 1)
    message = str(raised.value)
    assert message.startswith("2 pairs cannot be used: 00001_hair.png is only 1 x 1; 00002_hair.png cannot be read (")
    assert "400000000 pixels" in message or "20000 x 20000" in message
    shutil.rmtree(root)


@pytest.mark.parametrize("fault", [MemoryError(), IndexError("index out of range"), SyntaxError("broken PNG file")])
def test_any_decoder_error_names_the_mask(tmp_path, monkeypatch, fault):
    """For example, Pillow tries to read all of a PNG chunk that claims to hold 4 GB."""

    def raise_fault(*_):
        raise fault

    root = draw_celebamask_hq(tmp_path, [1, 2])
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_end", raise_fault)
    dataset, pairs = find_pairs(root)
    with pytest.raises(InputError, match=r"^0000\d_hair\.png cannot be read \(\w"):
        load_pair(pairs[0], dataset)
