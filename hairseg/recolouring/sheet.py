"""One photo in every preset."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer, RecolourSettings


def contact_sheet(
    photo: np.ndarray, alpha: np.ndarray, settings: RecolourSettings = RecolourSettings(), tile: int = 320
) -> np.ndarray:
    """The photo and all presets on one sheet, five in a row, each named: uint8 RGB.

    Args:
        tile: longer side of each small picture in pixels; a smaller photo stays as it is.
    """
    scale = min(1.0, tile / max(alpha.shape))
    size = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
    photo, alpha = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (photo, alpha))
    recolourer = HairRecolourer(photo, alpha)
    tiles = {"original": photo} | {name: recolourer.recolour(name, settings) for name in PRESETS}

    columns, margin, line = 5, 8, 24
    width, height = size[0] + margin, size[1] + line + margin
    sheet = Image.new("RGB", (columns * width + margin, -(-len(tiles) // columns) * height + margin), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (name, picture) in enumerate(tiles.items()):
        left, top = margin + index % columns * width, margin + index // columns * height
        sheet.paste(Image.fromarray(picture), (left, top))
        middle = (left + size[0] / 2, top + size[1] + line / 2)
        draw.text(middle, name, "black", ImageFont.load_default(15), anchor="mm")
    return np.array(sheet)
