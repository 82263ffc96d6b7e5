"""Parts of photos that show a whole person, such as a network sees when it looks closer."""

from dataclasses import replace

import numpy as np

from hairseg.data.datasets import Pair, hash_fraction, read_mask

SMALL_HAIR = 0.4  # of the photo's longer side: the hair's longer side below which there is more to see closer

# Sides of square crops, in longer sides of the hair. A garment shows no hair, and is what is mistaken for it.
HEAD, BODY, GARMENT = (1.6, 3.0), (3.2, 7.0), (1.5, 4.0)


def zoomed_crops(pairs: list[Pair], dataset: str) -> list[Pair]:
    """Crops of the photos in which hair is small: the head, the upper body, and a garment below the hair where one
    fits.

    Places and sizes depend on the photo's id alone. Photos keep more pixels in a crop than in the whole, since all are
    scaled to one size.

    Raises:
        InputError: a mask cannot be read.
    """
    crops = []
    for pair in pairs:
        if pair.mask is None:
            continue
        mask = read_mask(pair.mask, dataset)
        rows, columns = np.nonzero(mask == 1)
        if len(rows) and (side := 1 + int(max(np.ptp(rows), np.ptp(columns)))) < SMALL_HAIR * max(mask.shape):
            crops += _crops_of(pair, mask.shape, side, (rows.min(), rows.max()), (columns.min(), columns.max()))
    return crops


def _crops_of(
    pair: Pair, shape: tuple[int, int], hair: int, rows: tuple[int, int], columns: tuple[int, int]
) -> list[Pair]:
    def drawn(kind: str, low: float, high: float) -> float:
        return hair * low * (high / low) ** hash_fraction(f"{pair.id}/{kind}")

    def crop(kind: str, row: float, side: float) -> Pair:
        side = min(side, *shape)
        top, left = (
            min(max(0, centre - side / 2), length - side)
            for centre, length in zip((row, sum(columns) / 2), shape, strict=True)
        )
        height, width = shape
        window = left / width, top / height, (left + side) / width, (top + side) / height
        return replace(pair, id=f"{pair.id}/{kind}", window=window)

    body = drawn("body", *BODY)
    crops = [crop("head", sum(rows) / 2, drawn("head", *HEAD)), crop("body", sum(rows) / 2 + 0.3 * body, body)]
    garment = drawn("garment", *GARMENT)
    below = rows[1] + 0.05 * shape[0]
    room = shape[0] - below - garment
    if room > 0:
        crops.append(crop("garment", below + garment / 2 + hash_fraction(f"{pair.id}/place") * room, garment))
    return crops
