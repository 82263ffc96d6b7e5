"""A picture to send to friends: figure 3 and the recolouring, captioned."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hairseg.images import alpha_to_grey, scale_down

TILE, MARGIN, CAPTION = 480, 16, 40  # pixels


def share_card(photo: np.ndarray, alphas: dict[str, np.ndarray], recoloured: np.ndarray, colour: str) -> np.ndarray:
    """Random mask, photo, pretrained mask and the recoloured photo in two rows of two.

    Args:
        photo, recoloured: uint8 RGB, (height, width, 3).
        alphas: by variant, float32 in [0, 1], (height, width).
        colour: a preset's name or #rrggbb, for the caption.

    Returns:
        uint8 RGB.
    """
    tiles = {
        "Trained from random weights": alpha_to_grey(alphas["random"]),
        "Fine-tuned from pretrained weights": alpha_to_grey(alphas["pretrained"]),
        "The photo": photo,
        f"Hair in {colour}": recoloured,
    }
    pictures = {title: scale_down(picture, TILE) for title, picture in tiles.items()}
    height, width = (max(picture.shape[axis] for picture in pictures.values()) for axis in (0, 1))
    width = max(width, 300)
    card = Image.new("RGB", (2 * width + 3 * MARGIN, 2 * (height + CAPTION) + 3 * MARGIN), "white")
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(17)
    for index, (title, picture) in enumerate(pictures.items()):
        left = MARGIN + index % 2 * (width + MARGIN)
        top = MARGIN + index // 2 * (height + CAPTION)
        card.paste(Image.fromarray(picture), (left + (width - picture.shape[1]) // 2, top))
        draw.text((left + width / 2, top + picture.shape[0] + CAPTION / 2), title, "black", font, anchor="mm")
    draw.text((card.width - MARGIN, card.height - 12), "HairSeg", "#666", ImageFont.load_default(14), anchor="rm")
    return np.array(card)
