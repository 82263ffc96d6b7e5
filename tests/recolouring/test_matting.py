import cv2
import numpy as np
import pytest

from hairseg.images import alpha_to_grey
from hairseg.recolouring.matting import matte_edges
from hairseg.recolouring.recolourer import HairRecolourer


def head(hair: int, skin: int) -> tuple[np.ndarray, np.ndarray]:
    """Hair above a forehead, and an alpha that ends softly 8 pixels below the hairline."""
    photo, alpha = np.full((200, 200, 3), skin, np.uint8), np.zeros((200, 200), np.float32)
    photo[:100], alpha[:100] = hair, 1
    alpha[100:108] = np.linspace(0.9, 0.1, 8)[:, None]
    return photo, alpha


def test_skin_at_a_dark_hairline_is_not_hair():
    photo, alpha = head(hair=25, skin=190)
    matted = matte_edges(photo, alpha)
    assert matted[102:, 100].max() <= 0.1
    np.testing.assert_array_equal(matted[:80], alpha[:80])
    assert (matted <= alpha).all()


def test_strands_on_skin_stay_hair():
    photo, alpha = head(hair=25, skin=190)
    photo[100:108, 60] = 25
    matted = matte_edges(photo, alpha)
    np.testing.assert_allclose(matted[102:107, 60], alpha[102:107, 60], atol=0.02)


@pytest.mark.parametrize("hair, skin", [(190, 185), (210, 60), (110, 230)])
def test_light_hair_and_hair_that_is_not_darker_than_skin_keep_their_alpha(hair, skin):
    photo, alpha = head(hair, skin)
    np.testing.assert_array_equal(matte_edges(photo, alpha), alpha)


def test_dyeing_does_not_change_the_forehead():
    photo, alpha = head(hair=25, skin=190)
    dyed = HairRecolourer(photo, alpha).recolour("platinum")
    change = cv2.absdiff(dyed, photo)[103:, 100].max()
    assert change <= 2


def test_a_bright_strand_inside_the_hair_stays_hair():
    photo, alpha = head(hair=25, skin=190)
    photo[20:80, 100:103] = 190
    np.testing.assert_array_equal(matte_edges(photo, alpha)[20:80], alpha[20:80])


def test_cutouts_keep_their_alpha_and_opaque_pixels():
    photo, alpha = head(hair=25, skin=190)
    cut = HairRecolourer(photo, alpha).cutout()
    np.testing.assert_array_equal(cut[..., 3], alpha_to_grey(alpha))
    np.testing.assert_array_equal(cut[:100, :, :3], photo[:100])


def test_a_photo_without_background_or_edges_keeps_its_alpha():
    photo = np.full((40, 40, 3), 30, np.uint8)
    for value in (0.0, 1.0, 0.5):
        alpha = np.full((40, 40), value, np.float32)
        np.testing.assert_array_equal(matte_edges(photo, alpha), alpha)
