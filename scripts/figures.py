"""Draw the pictures of docs/how-it-works.md.

    python scripts/figures.py --photos FOLDER

FOLDER holds the photos that docs/pictures/CREDITS.md lists. The pictures are written to docs/pictures.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from hairseg import HairPredictor, HairRecolourer, RecolourSettings, load_photo
from hairseg.images import alpha_to_grey
from hairseg.recolouring.matting import matte_edges

PROJECT = Path(__file__).parents[1]
PICTURES = PROJECT / "docs" / "pictures"
EXAMPLES = PROJECT / "hairseg" / "page" / "examples"
TILE = 330  # pixels, width and height of each tile
GAP = 6
ORANGE = (213, 94, 0)


def tiles(*pictures: np.ndarray) -> Image.Image:
    """Arrange uint8 pictures in one row, each centred in a square."""
    row = Image.new("RGB", (len(pictures) * (TILE + GAP) - GAP, TILE), "white")
    for index, picture in enumerate(pictures):
        tile = ImageOps.pad(Image.fromarray(picture).convert("RGB"), (TILE, TILE), color="white")
        row.paste(tile, (index * (TILE + GAP), 0))
    return row


def coarse_and_zoomed(predictor: HairPredictor, photo: np.ndarray) -> Image.Image:
    """The photo with its zoom window, and the alpha of the coarse pass, of the zoomed pass and of both combined."""
    prediction = predictor.submit(photo)["pretrained"].result()
    rows, columns = prediction.windows[0]
    outlined = cv2.rectangle(photo.copy(), (columns.start, rows.start), (columns.stop, rows.stop), ORANGE, 6)
    coarse, zoomed = (1 / (1 + np.exp(-logits)) for logits in (prediction.coarse, prediction.zoomed[0]))
    return tiles(outlined, *map(alpha_to_grey, (coarse, zoomed, prediction.alpha(photo))))


def refinement(predictor: HairPredictor, photo: np.ndarray, window: tuple[slice, slice]) -> Image.Image:
    """A window of the photo, and its alpha before and after refinement."""
    prediction = predictor.submit(photo)["pretrained"].result()
    unrefined, refined = (prediction.alpha(photo, refined=refined)[window] for refined in (False, True))
    return tiles(photo[window], alpha_to_grey(unrefined), alpha_to_grey(refined))


def dye(predictor: HairPredictor, photo: np.ndarray) -> Image.Image:
    """The steps from a photo to dyed hair, and a dye of two colours."""
    alpha = predictor.alphas(photo)["pretrained"]
    recolourer = HairRecolourer(photo, alpha)
    foreground = recolourer.cutout()
    on_grey = Image.new("RGBA", photo.shape[1::-1], (225, 225, 225, 255))
    on_grey.alpha_composite(Image.fromarray(foreground))
    ombre = RecolourSettings(second_colour="violet", second_mode="ombre", natural_roots=0.1)
    return tiles(photo, np.array(on_grey), recolourer.recolour("burgundy"), recolourer.recolour("light blond", ombre))


def hairline(predictor: HairPredictor, photo: np.ndarray, window: tuple[slice, slice]) -> Image.Image:
    """A window of the photo, its alpha before and after matting, and its hair dyed platinum."""
    alpha = predictor.alphas(photo)["pretrained"]
    matted, dyed = matte_edges(photo, alpha), HairRecolourer(photo, alpha).recolour("platinum")
    return tiles(photo[window], alpha_to_grey(alpha[window]), alpha_to_grey(matted[window]), dyed[window])


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photos in docs/pictures/CREDITS.md")
    photos = parser.parse_args().photos
    predictor = HairPredictor.from_pretrained()
    dark_bun = load_photo(EXAMPLES / "dark-bun.jpg")
    curls, waves, bob = (
        load_photo(photos / name)
        for name in ("058-curls-in-profile.jpg", "083-long-red-waves.jpg", "081-black-bob.jpg")
    )
    pictures = {
        "coarse-and-zoomed-pass": coarse_and_zoomed(predictor, dark_bun),
        "refinement": refinement(predictor, curls, np.s_[0:360, 600:960]),
        "hairline": hairline(predictor, bob, np.s_[10:250, 260:500]),
        "dye": dye(predictor, waves),
    }
    for name, picture in pictures.items():
        picture.save(PICTURES / f"{name}.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
