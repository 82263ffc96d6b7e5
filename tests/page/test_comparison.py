"""The comparison of both masks, in numbers and in words, and the share card."""

import numpy as np
import pytest

from hairseg.page.studio.comparison import (
    Comparison,
    caption,
    compare,
    find_focus,
    find_heads,
    find_middle,
    restrict_to_head,
    verdict,
)
from hairseg.page.studio.share_card import FORMATS, draw_share_card
from hairseg.page.studio.studio import THUMBNAIL_SIDE, crop_to_head


def box(left: int, right: int, top: int = 50, bottom: int = 150) -> np.ndarray:
    alpha = np.zeros((200, 300), np.float32)
    alpha[top:bottom, left:right] = 1
    return alpha


ALPHAS = {"random": box(50, 200), "pretrained": box(100, 250)}

SCORES = {"pretrained": 0.86, "random": 0.58}


def test_fractions_and_agreement_are_counted():
    comparison = compare(ALPHAS, 0.5)
    assert comparison.fractions == {"random": pytest.approx(0.25), "pretrained": pytest.approx(0.25)}
    assert comparison.agreement == pytest.approx(100 / 200) and comparison.focus is None
    assert compare({name: 0 * alpha for name, alpha in ALPHAS.items()}, 0.5).agreement == 1


def test_hair_depends_on_the_models_threshold():
    faint = {"random": 0.4 * ALPHAS["random"], "pretrained": ALPHAS["pretrained"]}
    assert compare(faint, 0.5).fractions["random"] == 0 and compare(faint, 0.3).fractions["random"] == 0.25


def test_the_middle_halves_the_hair():
    assert find_middle(ALPHAS["random"] > 0) == pytest.approx(125 / 300, abs=1 / 300)
    two = np.maximum(box(0, 10), box(250, 300))  # the median lies in the larger part, not between both parts
    assert find_middle(two > 0) == pytest.approx(270 / 300, abs=1 / 300)
    assert find_middle(two > 2) == 0.5


@pytest.mark.parametrize(
    "hair",
    [box(140, 160, 20, 40), box(0, 15, 0, 15), box(280, 300, 180, 200), box(100, 120, 20, 40) + box(150, 160, 30, 40)],
)
def test_a_small_head_is_in_focus_with_some_of_its_surroundings(hair):
    left, top, right, bottom = find_focus(find_heads(hair > 0))
    rows, columns = np.nonzero(hair)
    assert 0 <= left <= columns.min() / 300 and columns.max() / 300 <= right <= 1
    assert 0 <= top <= rows.min() / 200 and rows.max() / 200 <= bottom <= 1
    assert right - left == pytest.approx(bottom - top, abs=1e-3) and right - left >= 0.2  # the photo's aspect ratio


def test_large_heads_and_photos_without_hair_are_shown_completely():
    assert find_focus(find_heads(box(50, 250) > 0)) is None and find_focus([]) is None
    speck = np.zeros((1000, 1000), bool)
    speck[5:8, 5:8] = True
    assert find_focus(find_heads(speck)) is None


def test_each_head_has_one_box_also_where_its_hair_is_in_pieces():
    pieces = box(20, 50, 20, 60) + box(52, 58, 40, 70) + box(200, 240, 30, 90)
    left, right = find_heads(pieces > 0)
    assert left == pytest.approx((20 / 300, 20 / 200, 58 / 300, 70 / 200), abs=0.01)
    assert right == pytest.approx((200 / 300, 30 / 200, 240 / 300, 90 / 200), abs=0.01)
    assert len(find_heads((np.indices((400, 400)).sum(0) % 40 == 0) & (np.indices((400, 400))[0] % 40 < 9))) <= 8


def test_one_head_keeps_its_alpha_and_the_others_lose_theirs():
    both = box(20, 50) + box(200, 240)
    head = find_heads(both > 0)[1]
    np.testing.assert_array_equal(restrict_to_head(both, head), box(200, 240))
    assert restrict_to_head(both, None) is both


@pytest.mark.parametrize("value, said", [(0.05, "no hair found"), (0.3, "hardly any hair found")])
def test_the_caption_is_not_no_hair_found_if_colour_is_visible(value, said):
    alpha = np.full((100, 100), value, np.float32)
    photo = np.full((100, 100, 3), 90, np.uint8)
    assert caption(0, alpha, photo) == said and caption(0.0001, alpha + 0.5, photo) == "hardly any hair found"


def test_a_small_head_is_not_called_hardly_any_hair():
    alpha = ALPHAS["random"]
    photo = np.full((*alpha.shape, 3), 90, np.uint8)
    assert caption(0.002, alpha, photo) == "hair of a small head: 0.2 % of the photo"
    assert caption(0.002, alpha, photo, small_heads=3) == "hair of small heads: 0.2 % of the photo"
    assert caption(0.002, alpha, photo, small_heads=0) == "hair: 0.2 % of the photo"
    assert caption(0.12, alpha, photo) == "hair: 12 % of the photo"
    small, large = (0.4, 0.1, 0.5, 0.2), (0.1, 0.1, 0.6, 0.5)
    for heads, number in (([], 0), ([small], 1), ([small, small], 2), ([small, large], 0)):
        assert Comparison({}, 1.0, None, heads).small_heads == number


@pytest.mark.parametrize("value, is_dark", [(6, True), (40, False)])
def test_the_caption_says_that_hair_is_too_dark_for_light_colours(value, is_dark):
    photo, alpha = np.full((60, 60, 3), 200, np.uint8), np.zeros((60, 60), np.float32)
    photo[:30], alpha[:30] = value, 1
    said = caption(0.5, alpha, photo)
    assert said.startswith("hair: 50 % of the photo")
    assert said.endswith("too dark to look natural in light colours") == is_dark


@pytest.mark.parametrize(
    "alphas, words",
    [
        (ALPHAS, "They agree on 50 % of this hair. On whole persons: pretrained F1 86 %, from scratch 58 %."),
        ({"random": 0 * box(0, 9), "pretrained": box(0, 9)}, "Only the pretrained network finds hair here. On whole"),
        (
            {"random": box(0, 9), "pretrained": 0 * box(0, 9)},
            "Only the network from scratch finds hair here; is it any?",
        ),
        ({"random": box(0, 99), "pretrained": box(0, 99)}, "An easy photo: they agree on 100 % of this hair."),
        ({"random": 0 * box(0, 9), "pretrained": 0 * box(0, 9)}, "Neither network finds hair here."),
    ],
)
def test_the_verdict_describes_the_difference(alphas, words):
    assert verdict(compare(alphas, 0.5), SCORES).startswith(words)
    assert "On whole persons" not in verdict(compare(alphas, 0.5), None)


@pytest.mark.parametrize("size", FORMATS.values())
@pytest.mark.parametrize("shape", [(100, 200), (1280, 960), (3, 700)])
def test_the_card_contains_all_four_pictures(shape, size):
    photo, alpha = np.full((*shape, 3), (200, 30, 30), np.uint8), np.ones(shape, np.float32)
    green = np.full((*shape, 3), (10, 160, 40), np.uint8)
    card = draw_share_card(
        photo, {"random": alpha, "pretrained": 0 * alpha}, green, "ocean blue", "https://a.org", size
    )
    assert card.shape == (size[1], size[0], 3)
    areas = [(card == colour).all(axis=2).sum() for colour in ((200, 30, 30), (10, 160, 40))]
    assert areas[0] == areas[1] > 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (40, 3), (600, 900)])
def test_thumbnails_are_square_or_as_large_as_the_photo(shape):
    alpha = np.zeros(shape, np.float32)
    alpha[: shape[0] // 3] = 1
    photo, alpha = crop_to_head(np.zeros((*shape, 3), np.uint8), alpha, 0.5)
    assert photo.shape[:2] == alpha.shape and max(alpha.shape) <= THUMBNAIL_SIDE
