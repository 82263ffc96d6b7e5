"""Collages: a contact sheet with all presets, and a card to share."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hairseg.images import alpha_to_grey, as_alpha, as_photo, scale_down
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import DEFAULT_SETTINGS, RecolourSettings

# Pixels.
MARGIN, CAPTION_HEIGHT = 8, 24
CONTACT_SHEET_TILE_SIDE, SHARE_CARD_TILE_SIDE = 320, 480  # maximum longer side of a picture
SHARE_CARD_MIN_WIDTH = 300  # of a column; the width of the longest caption


def tile(pictures: Mapping[str, np.ndarray], columns: int, min_width: int = 0) -> np.ndarray:
    """Arrange captioned pictures in rows on a white sheet.

    Args:
        pictures: by caption, uint8 grey (height, width) or RGB (height, width, 3).
        columns: number of pictures in a row.
        min_width: minimum width of a column in pixels.

    Returns:
        uint8 RGB, (height, width, 3).

    Example:
        >>> tile({"a": np.zeros((30, 40), np.uint8), "b": np.zeros((20, 40, 3), np.uint8)}, columns=2).shape
        (70, 104, 3)
    """
    height = max(picture.shape[0] for picture in pictures.values())
    width = max(min_width, *(picture.shape[1] for picture in pictures.values()))
    cell_width, cell_height = width + MARGIN, height + CAPTION_HEIGHT + MARGIN
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell_width + MARGIN, rows * cell_height + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (caption, picture) in enumerate(pictures.items()):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * cell_width, MARGIN + row * cell_height
        sheet.paste(Image.fromarray(picture), (left + (width - picture.shape[1]) // 2, top))
        centre = (left + width / 2, top + picture.shape[0] + CAPTION_HEIGHT / 2)
        draw.text(centre, caption, "black", ImageFont.load_default(15), anchor="mm")
    return np.array(sheet)


def contact_sheet(photo: np.ndarray, alpha: np.ndarray, settings: RecolourSettings = DEFAULT_SETTINGS) -> np.ndarray:
    """Show the photo and its hair in each preset colour, five in a row.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).
        settings: settings of all colours.

    Returns:
        uint8 RGB, (height, width, 3).

    Raises:
        InputError: photo and alpha differ in size.

    Example:
        >>> contact_sheet(np.full((40, 30, 3), 90, np.uint8), np.ones((40, 30), np.float32)).shape
        (224, 198, 3)
    """
    photo = as_photo(photo)
    alpha = as_alpha(alpha, photo.shape[:2])
    photo, alpha = (scale_down(picture, CONTACT_SHEET_TILE_SIDE) for picture in (photo, alpha))
    recolourer = HairRecolourer(photo, alpha)
    pictures = {name: recolourer.recolour(name, settings) for name in PRESETS}
    return tile({"original": recolourer.photo, **pictures}, columns=5)


def share_card(photo: np.ndarray, alphas: dict[str, np.ndarray], recoloured: np.ndarray, colour: str) -> np.ndarray:
    """Show both masks, the photo and the recoloured photo in two rows.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alphas: by variant, float32 in [0, 1], (height, width).
        recoloured: uint8 RGB, (height, width, 3).
        colour: name of a preset or #rrggbb, for the caption.

    Returns:
        uint8 RGB, (height, width, 3).
    """
    pictures = {
        "Trained from random weights": alpha_to_grey(alphas["random"]),
        "Fine-tuned from pretrained weights": alpha_to_grey(alphas["pretrained"]),
        "Photo": photo,
        f"Hair in {colour}, by HairSeg": recoloured,
    }
    tiles = {caption: scale_down(picture, SHARE_CARD_TILE_SIDE) for caption, picture in pictures.items()}
    return tile(tiles, columns=2, min_width=SHARE_CARD_MIN_WIDTH)
