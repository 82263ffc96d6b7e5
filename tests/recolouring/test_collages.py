"""Contact sheet and share card."""

import numpy as np
import pytest

from hairseg.errors import InputError
from hairseg.recolouring.collages import contact_sheet, share_card
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import recolour


def test_contact_sheet_shows_the_photo_and_every_preset():
    photo = np.random.default_rng(0).integers(40, 90, (160, 160, 3), np.uint8)
    alpha = np.zeros((160, 160), np.float32)
    alpha[20:120, 40:140] = 1
    sheet = contact_sheet(photo, alpha)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (3 * (160 + 24 + 8) + 8, 5 * (160 + 8) + 8, 3)
    assert np.array_equal(sheet[8:168, 8:168], photo)
    for index, name in enumerate(PRESETS, start=1):
        top, left = 8 + index // 5 * 192, 8 + index % 5 * 168
        assert np.array_equal(sheet[top : top + 160, left : left + 160], recolour(photo, alpha, name)), name


def test_contact_sheet_refuses_an_alpha_of_another_size():
    with pytest.raises(InputError):
        contact_sheet(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.float32))


@pytest.mark.parametrize("shape", [(100, 200), (1280, 960), (3, 700)])
def test_share_card_shows_all_four_pictures(shape):
    photo, alpha = np.full((*shape, 3), (200, 30, 30), np.uint8), np.ones(shape, np.float32)
    green = np.full((*shape, 3), (10, 160, 40), np.uint8)
    card = share_card(photo, {"random": alpha, "pretrained": 0 * alpha}, green, "ocean blue")
    scale = min(1, 480 / max(shape))
    area = max(1, round(shape[0] * scale)) * max(1, round(shape[1] * scale))
    for colour in ((200, 30, 30), (10, 160, 40)):
        assert (card == colour).all(axis=2).sum() == area
