"""Mutated masks of data sets are read, or refused before training with one sentence."""

import io
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_portrait
from fuzzing import mutated, refused_in_one_sentence
from hypothesis import given
from PIL import Image

from hairseg.data.datasets import find_pairs, load_pair
from hairseg.networks.preprocessing import IGNORE

PHOTO, HAIR = draw_portrait(1, 48)


def written(picture: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


GREY = Image.fromarray(HAIR.astype(np.uint8) * 255)
PNG = [written(GREY.convert(mode), "PNG") for mode in ("1", "L", "P", "RGB", "RGBA", "I;16", "LA")]
BMP = [written(GREY.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB")]
PBM = [written(GREY.convert("1"), "PPM"), written(GREY, "PPM")]

LAYOUTS = {
    "celebamask-hq": ("CelebA-HQ-img/1.png", "CelebAMask-HQ-mask-anno/0/00001_hair.png", PNG),
    "figaro1k": ("Original/Training/Frame00001-org.png", "GT/Training/Frame00001-gt.pbm", PBM + PNG),
    "own": ("photos/1.png", "masks/1.png", PNG),
    "borza": ("1.png", "1.bmp", BMP),
}


@pytest.fixture(params=LAYOUTS)
def layout(request, tmp_path) -> tuple[Path, Path, list[bytes]]:
    """A data set of one photo, the path of its mask, and contents for it."""
    photo, mask, contents = LAYOUTS[request.param]
    for folder in ("Original/Testing", "GT/Testing") if request.param == "figaro1k" else ():
        (tmp_path / request.param / folder).mkdir(parents=True)
    for name in (photo, mask):
        (tmp_path / request.param / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PHOTO).save(tmp_path / request.param / photo)
    return tmp_path / request.param, tmp_path / request.param / mask, contents


def test_unchanged_masks_are_read(layout):
    root, path, contents = layout
    for content in contents:
        path.write_bytes(content)
        dataset, (pair,) = find_pairs(root)
        np.testing.assert_array_equal(load_pair(pair, dataset)[1] == 1, HAIR)


@given(content=mutated(PNG + BMP + PBM))
def test_mutated_masks_are_read_or_refused(layout, content):
    root, path, _ = layout
    path.write_bytes(content)

    def read():
        dataset, (pair,) = find_pairs(root)
        photo, mask = load_pair(pair, dataset)
        assert mask.ndim == 2
        assert set(np.unique(mask)) <= {0, 1, IGNORE}
        np.testing.assert_array_equal(photo, PHOTO)

    refused_in_one_sentence(read)
