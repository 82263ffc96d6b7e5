"""One photo in every preset."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hairseg.images import scale_down
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import PLAIN, RecolourSettings

COLUMNS, MARGIN, CAPTION = 5, 8, 24  # pixels: between the pictures, and of the line below each


def contact_sheet(
    photo: np.ndarray, alpha: np.ndarray, settings: RecolourSettings = PLAIN, tile: int = 320
) -> np.ndarray:
    """The photo and all presets on one sheet, five in a row, each named.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width): how much of each pixel is hair.
        tile: longer side of each small picture in pixels; a smaller photo stays as it is.

    Returns:
        uint8 RGB.

    Raises:
        InputError: the sizes of photo and alpha differ.

    Example:
        >>> contact_sheet(np.full((40, 30, 3), 90, np.uint8), np.ones((40, 30), np.float32)).shape
        (224, 198, 3)
    """
    photo, alpha = scale_down(photo, tile), scale_down(alpha, tile)
    recolourer, size = HairRecolourer(photo, alpha), photo.shape[1::-1]
    tiles = {"original": photo} | {name: recolourer.recolour(name, settings) for name in PRESETS}

    width, height = size[0] + MARGIN, size[1] + CAPTION + MARGIN
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width + MARGIN, rows * height + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (name, picture) in enumerate(tiles.items()):
        left, top = MARGIN + index % COLUMNS * width, MARGIN + index // COLUMNS * height
        sheet.paste(Image.fromarray(picture), (left, top))
        middle = (left + size[0] / 2, top + size[1] + CAPTION / 2)
        draw.text(middle, name, "black", ImageFont.load_default(15), anchor="mm")
    return np.array(sheet)
