"""Crops of photos of whole persons, like those of the zoomed pass."""

from dataclasses import replace

import numpy as np

from hairseg.data.datasets import Pair, hash_fraction, read_mask

MAX_HAIR_SIZE = 0.4  # longer side as a fraction of the photo's; photos of larger hair are not cropped

# Sides of square crops, in multiples of the hair's longer side. Networks mistake garments for hair.
HEAD_RANGE, BODY_RANGE, GARMENT_RANGE = (1.6, 3.0), (3.2, 7.0), (1.5, 4.0)


def zoomed_crops(pairs: list[Pair], dataset: str) -> list[Pair]:
    """Crop photos with small hair to the head, to the upper body, and to a garment below the hair where it fits.

    The id of the photo seeds position and size. Crops and photos are scaled to one size, so crops show more detail.

    Args:
        pairs: pairs of one data set; those without a mask, without hair or with large hair are skipped.
        dataset: name that `find_pairs` returned.

    Raises:
        InputError: a mask cannot be read.
    """
    crops: list[Pair] = []
    for pair in pairs:
        if pair.mask is None:
            continue
        mask = read_mask(pair.mask, dataset)
        rows, columns = np.nonzero(mask == 1)
        if not len(rows):
            continue
        hair_size = 1 + int(max(np.ptp(rows), np.ptp(columns)))
        if hair_size < MAX_HAIR_SIZE * max(mask.shape):
            crops += _crop_person(pair, mask.shape, hair_size, rows, columns)
    return crops


def _crop_person(
    pair: Pair, shape: tuple[int, ...], hair_size: int, rows: np.ndarray, columns: np.ndarray
) -> list[Pair]:
    height, width = shape
    first_row, last_row = int(rows.min()), int(rows.max())
    centre_row, centre_column = (first_row + last_row) / 2, (int(columns.min()) + int(columns.max())) / 2

    def draw_side(name: str, low: float, high: float) -> float:
        return hair_size * low * (high / low) ** hash_fraction(f"{pair.id}/{name}")

    def crop(name: str, row: float, side: float) -> Pair:
        side = min(side, height, width)
        top = min(max(0, row - side / 2), height - side)
        left = min(max(0, centre_column - side / 2), width - side)
        window = left / width, top / height, (left + side) / width, (top + side) / height
        return replace(pair, id=f"{pair.id}/{name}", window=window)

    head, body, garment = (
        draw_side("head", *HEAD_RANGE),
        draw_side("body", *BODY_RANGE),
        draw_side("garment", *GARMENT_RANGE),
    )
    crops = [crop("head", centre_row, head), crop("body", centre_row + 0.3 * body, body)]
    garment_top = last_row + 0.05 * height
    free_height = height - garment_top - garment
    if free_height > 0:
        row = garment_top + garment / 2 + hash_fraction(f"{pair.id}/place") * free_height
        crops.append(crop("garment", row, garment))
    return crops
