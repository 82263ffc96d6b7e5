"""Views of masks and the card to share, on drawn photos."""

import numpy as np
import pytest
from PIL import ImageColor

from hairseg.page.events import how_bald
from hairseg.page.views import VIEWS, draw_view, middle_of_hair, share_alone, share_of_hair
from hairseg.paper import VARIANT_COLOURS

PHOTO = np.full((200, 300, 3), 120, np.uint8)

COLOURS = {variant: np.array(ImageColor.getrgb(colour)) for variant, colour in VARIANT_COLOURS.items()}


def box(left: int, right: int) -> np.ndarray:
    alpha = np.zeros((200, 300), np.float32)
    alpha[50:150, left:right] = 1
    return alpha


ALPHAS = {"random": box(50, 200), "pretrained": box(100, 250)}


def test_the_middle_of_the_hair_has_as_much_of_it_on_either_side():
    assert middle_of_hair(ALPHAS["random"], 0.5) == pytest.approx(125 / 300, abs=1 / 300)
    two = np.maximum(box(0, 10), box(250, 300))  # the middle of most of it, not of both
    assert middle_of_hair(two, 0.5) == pytest.approx(270 / 300, abs=1 / 300)
    assert middle_of_hair(0 * two, 0.5) == 0.5


@pytest.mark.parametrize("alpha, said", [(0.05, "no"), (0.3, "hardly any"), (0.9, "hardly any")])
def test_hair_that_is_dyed_is_never_said_to_be_none(alpha, said):
    picture = np.zeros((100, 100), np.float32)
    picture[0, :10] = alpha
    assert how_bald(picture, share_of_hair(picture, 0.5)) == said
    picture[:20] = 1
    assert how_bald(picture, share_of_hair(picture, 0.5)) == ""


def test_shares_are_counted():
    assert share_of_hair(ALPHAS["random"], 0.5) == pytest.approx(100 * 150 / 60_000)
    assert share_alone(ALPHAS, "random", 0.5) == pytest.approx(100 * 50 / 60_000)
    assert share_alone(ALPHAS, "pretrained", 0.5) == pytest.approx(100 * 50 / 60_000)
    assert share_of_hair(np.zeros((4, 4), np.float32), 0.5) == 0
    for share in (share_of_hair(ALPHAS["random"], 0.5), share_alone(ALPHAS, "random", 0.5)):
        assert type(share < 1) is bool, "NumPy's False is a text to Gradio, and so true in the browser"


def test_what_is_hair_depends_on_the_model_s_threshold():
    faint = {"random": 0.4 * ALPHAS["random"], "pretrained": 0 * ALPHAS["pretrained"]}
    assert share_of_hair(faint["random"], 0.5) == share_alone(faint, "random", 0.5) == 0
    assert share_of_hair(faint["random"], 0.3) == share_alone(faint, "random", 0.3) == pytest.approx(0.25)
    for view in ("Outline", "Where they differ"):
        assert (draw_view(view, PHOTO, faint, "random", 0.3) != draw_view(view, PHOTO, faint, "random", 0.5)).any()


def test_the_mask_is_the_alpha_and_the_tint_its_colour():
    np.testing.assert_array_equal(
        draw_view("Mask", PHOTO, ALPHAS, "random", 0.5), 255 * ALPHAS["random"].astype(np.uint8)
    )
    tint = draw_view("Tint", PHOTO, ALPHAS, "pretrained", 0.5)
    np.testing.assert_array_equal(tint[0, 0], PHOTO[0, 0])
    np.testing.assert_array_equal(tint[100, 150], np.rint(0.4 * 120 + 0.6 * COLOURS["pretrained"]))


def test_the_outline_is_white_on_black_along_the_edge_alone():
    outline = draw_view("Outline", PHOTO, ALPHAS, "random", 0.5)
    assert outline[100, 50].min() > 200  # on the edge
    np.testing.assert_array_equal(outline[100, 120], PHOTO[100, 120])
    np.testing.assert_array_equal(outline[20, 20], PHOTO[20, 20])


@pytest.mark.parametrize("variant, alone, other", [("random", 75, 225), ("pretrained", 225, 75)])
def test_where_they_differ_is_striped_where_they_agree_grey(variant, alone, other):
    view = draw_view("Where they differ", PHOTO, ALPHAS, variant, 0.5).astype(int)
    striped = view[60:140, alone - 20 : alone + 20]
    colours = {tuple(colour) for colour in striped.reshape(-1, 3)}
    assert colours == {tuple(np.rint(part * COLOURS[variant]).astype(int)) for part in (1, 0.35)}
    shifted = striped[1:, :-1] == striped[:-1, 1:] if variant == "random" else striped[1:, 1:] == striped[:-1, :-1]
    assert shifted.all()  # they lean one way for one network, the other for the other: legible without colour
    assert len({tuple(colour) for colour in view[60:140, other - 20 : other + 20].reshape(-1, 3)}) == 1
    both = view[100, 150]
    assert both[0] == both[1] == both[2] < view[10, 10, 0]


def test_every_view_is_drawn_for_tiny_and_bald_photos():
    for shape in ((1, 1), (2, 5), (40, 3)):
        alphas = {name: np.zeros(shape, np.float32) for name in ("random", "pretrained")}
        for view in VIEWS:
            assert draw_view(view, np.zeros((*shape, 3), np.uint8), alphas, "random", 0.5).shape[:2] == shape
