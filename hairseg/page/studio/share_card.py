"""The share card: one picture of the photo, the recoloured photo and both masks."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from hairseg.images import alpha_to_grey

FORMATS = {"4:5": (1080, 1350), "9:16": (1080, 1920), "1:1": (1080, 1080)}  # width and height in pixels

MARGIN, CAPTION_HEIGHT, FOOTER_HEIGHT = 24, 44, 72  # pixels


def draw_share_card(
    photo: np.ndarray,
    alphas: dict[str, np.ndarray],
    recoloured: np.ndarray,
    colour: str,
    link: str,
    size: tuple[int, int] = FORMATS["4:5"],
) -> np.ndarray:
    """Draw the photo and the recoloured photo above both masks.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alphas: By variant, float32 in [0, 1], (height, width).
        recoloured: uint8 RGB, (height, width, 3).
        colour: A preset's name or #rrggbb.
        link: Address of the page.
        size: Width and height in pixels.

    Returns:
        uint8 RGB, (height, width, 3).
    """
    width, height = size
    card = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(card)
    tile_width = (width - 3 * MARGIN) // 2
    free = height - FOOTER_HEIGHT - 2 * (CAPTION_HEIGHT + MARGIN) - MARGIN
    heights = (free * 3 // 5, free * 2 // 5)
    rows = (
        (("Before", photo), (f"After: {colour}", recoloured)),
        (("From scratch", alpha_to_grey(alphas["random"])), ("Pretrained", alpha_to_grey(alphas["pretrained"]))),
    )
    top = MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        for column, (title, picture) in enumerate(row):
            left = MARGIN + column * (tile_width + MARGIN)
            tile = ImageOps.contain(Image.fromarray(picture).convert("RGB"), (tile_width, row_height))
            card.paste(tile, (left + (tile_width - tile.width) // 2, top + (row_height - tile.height) // 2))
            middle = (left + tile_width / 2, top + row_height + CAPTION_HEIGHT / 2)
            draw.text(middle, title, "black", ImageFont.load_default(26), anchor="mm")
        top += row_height + CAPTION_HEIGHT + MARGIN
    footer = f"What is pretraining worth?  {link}".strip()
    draw.text((width / 2, height - FOOTER_HEIGHT / 2), footer[:90], "#444", ImageFont.load_default(24), anchor="mm")
    return np.array(card)
