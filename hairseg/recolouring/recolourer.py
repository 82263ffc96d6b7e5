"""Photo + alpha + colour -> the same hair, dyed.

Dyeing keeps the light and changes the pigment. So the lightness of the hair is moved by one smooth curve, from the
distribution it has to the one that hair of the wanted colour has in photographs, and every lightness then takes its hue
and chroma from a ramp of the pigment (both in dye.py). What was at hand goes on top: grain, and the variation of hue.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey
from hairseg.recolouring.dye import LEVELS, PERCENTILES, level, pigment_ramp, tone_curve
from hairseg.recolouring.foreground import estimate_foreground
from hairseg.recolouring.light import lightness_of
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.pixels import pick, put
from hairseg.recolouring.settings import PLAIN, RecolourSettings
from hairseg.recolouring.strands import (
    clamp_edge_lightness,
    hue_variation,
    lab_on_grid,
    root_to_tip,
    smooth_lightness,
    streaks,
)

HAZE = 0.03  # alpha this near to 0 or 1 is a network's way of being sure; it lies over most of a photo

APPROACH = 0.9  # share of the distance to the colour's lightness; the rest is left to the light the photo was taken in

LIGHTNESS_STEP = 18.0  # L* that `lightness` 1 adds

TINT_KEPT = 0.2  # share of the hair's own variation of hue that shows through the dye

CHUNK = 1 << 15  # pixels dyed at once: what lies between the steps stays in the processor's cache


def recolour(photo: np.ndarray, alpha: np.ndarray, colour: str, settings: RecolourSettings = PLAIN) -> np.ndarray:
    """The photo with its hair dyed. For several colours on one photo, `HairRecolourer` does the common work once.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width): how much of each pixel is hair.
        colour: `#rrggbb` or the name of a preset.

    Returns:
        uint8 RGB of the photo's size. Where alpha is 0 it is the photo bit for bit; at strength 0, everywhere.

    Raises:
        InputError: an unknown colour, or an alpha of another size than the photo.

    Example:
        >>> photo = np.full((8, 8, 3), 90, np.uint8)
        >>> alpha = np.zeros((8, 8), np.float32)
        >>> alpha[:4] = 1  # the upper half is hair
        >>> red = recolour(photo, alpha, "cherry red")
        >>> bool(red[0, 0, 0] > red[0, 0, 2]), red[7, 7].tolist()
        (True, [90, 90, 90])
    """
    return HairRecolourer(photo, alpha).recolour(colour, settings)


def cutout(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The hair alone, with the background's colour taken out of its soft edges.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width): how much of each pixel is hair.

    Returns:
        uint8 RGBA of the photo's size; A is the alpha in 8 bits.

    Raises:
        InputError: an alpha of another size than the photo.

    Example:
        >>> cutout(np.full((2, 2, 3), 90, np.uint8), np.float32([[1, 0], [1, 0]]))[0].tolist()
        [[90, 90, 90, 255], [90, 90, 90, 0]]
    """
    return HairRecolourer(photo, alpha).cutout()


@dataclass
class _HairPixels:
    """What dyeing needs of every pixel of hair, as flat lists."""

    colour: np.ndarray  # of the photo
    alpha: np.ndarray
    foreground: np.ndarray  # the hair's own colour, before it was mixed with the background
    level: np.ndarray  # of its smooth lightness, index into the tables of dye.py
    grain: np.ndarray  # what its lightness has beyond that, L*
    tint: np.ndarray  # a*, b* that the dye lets through, (2, pixels)
    percentiles: np.ndarray  # L* of all of them together, at PERCENTILES
    lightness: np.ndarray  # L* in the whole box, as a picture


class HairRecolourer:
    """One photo's hair, separated once from its background, to be dyed in any number of colours or cut out.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width): how much of each pixel is hair.

    Raises:
        InputError: the sizes differ.
    """

    def __init__(self, photo: np.ndarray, alpha: np.ndarray):
        if photo.shape[:2] != alpha.shape:
            raise InputError(f"the alpha is {alpha.shape} and the photo {photo.shape[:2]}", "the same size")
        self.photo, self.alpha = photo, alpha
        left, top, width, height = cv2.boundingRect((alpha > HAZE).astype(np.uint8))
        # the box holds some of the hair's surroundings, to tell edges and the background's colour by
        margin = max(width, height) // 16 + 4
        self.box = np.s_[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]
        self._alpha = np.clip((alpha[self.box] - HAZE) / (1 - 2 * HAZE), 0, 1)
        self.hair = np.flatnonzero(self._alpha > 0)
        if self.hair.size:
            self.foreground = estimate_foreground(photo[self.box], self._alpha)

    def recolour(self, colour: str, settings: RecolourSettings = PLAIN) -> np.ndarray:
        """The whole photo, its hair dyed; see the function `recolour`."""
        colours = [colour] if settings.second_colour is None else [colour, settings.second_colour]
        colours = [parse_colour(name) for name in colours]
        result = self.photo.copy()
        if not self.hair.size or settings.strength == 0:
            return result
        pixels = self._pixels
        dyes = [self._mix_dye(rgb, settings) for rgb in colours]
        # where two colours meet, the line follows the strands: light ones take the dye sooner
        ruffle = np.interp(np.linspace(0, 100, LEVELS), pixels.percentiles, PERCENTILES / 100 - 0.5).astype(np.float32)
        dyed = np.empty_like(pixels.colour)
        for start in range(0, len(dyed), CHUNK):
            chunk = slice(start, start + CHUNK)
            lab = self._apply(dyes[0], chunk)
            if len(dyes) == 2:
                if settings.second_mode == "ombre":
                    second = _smoothstep(0.25, 0.8, self._along[chunk] + 0.2 * ruffle[pixels.level[chunk]])
                else:
                    second = _smoothstep(0.45, 1.05, self._streaks[chunk] + 0.3 * ruffle[pixels.level[chunk]])
                lab += second[:, None] * (self._apply(dyes[1], chunk) - lab)
            weight = settings.strength * pixels.alpha[chunk]
            if settings.natural_roots > 0:
                ruffled = self._along[chunk] + 0.1 * ruffle[pixels.level[chunk]]
                weight *= _smoothstep(0, settings.natural_roots, ruffled)
            # I = alpha F + (1 - alpha) B, so a new F needs no B: the change of F is added in proportion
            rgb = cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0]
            rgb *= 255
            rgb -= pixels.foreground[chunk]
            rgb *= cv2.merge([weight, weight, weight]).reshape(-1, 3)
            rgb += pixels.colour[chunk]
            dyed[chunk] = np.rint(np.clip(rgb, 0, 255, out=rgb), out=rgb)
        result[self.box] = put(self.photo[self.box], self.hair, dyed)
        return result

    def cutout(self) -> np.ndarray:
        """The hair alone, uint8 RGBA of the photo's size; see the function `cutout`."""
        grey = alpha_to_grey(self.alpha)
        colour = cv2.copyTo(
            self.photo, grey, np.zeros_like(self.photo)
        )  # nothing of the photo hides where there is no hair
        if self.hair.size:
            colour[self.box] = self.foreground
        return np.dstack([colour, grey])

    @cached_property
    def _pixels(self) -> _HairPixels:
        core = self._alpha >= 0.9 * min(1, self._alpha.max())  # hair for sure
        lightness = clamp_edge_lightness(lightness_of(self.foreground), core)
        smooth = smooth_lightness(lightness, core)
        sample = lightness[core]
        return _HairPixels(
            colour=pick(self.photo[self.box], self.hair),
            alpha=self._of_hair(self._alpha),
            foreground=pick(self.foreground, self.hair),
            level=level(self._of_hair(smooth)),
            grain=self._of_hair(lightness - smooth),
            tint=TINT_KEPT * self._of_hair(hue_variation(lab_on_grid(self.foreground), self._alpha)).T.copy(),
            percentiles=np.percentile(sample[:: len(sample) // 20_000 + 1], PERCENTILES),
            lightness=lightness,
        )

    @cached_property
    def _along(self) -> np.ndarray:
        """0 at the roots to 1 at the tips, for every pixel of hair."""
        return self._of_hair(root_to_tip(self._alpha))

    @cached_property
    def _streaks(self) -> np.ndarray:
        """A rank from 0 to 1 that strands have in common, for every pixel of hair."""
        return self._of_hair(streaks(self._pixels.lightness))

    def _of_hair(self, picture: np.ndarray) -> np.ndarray:
        return np.take(picture.reshape(-1, *picture.shape[2:]), self.hair, axis=0)

    def _mix_dye(self, rgb: tuple[int, int, int], settings: RecolourSettings):
        """The tables of one colour on this hair: tone curve, gain of the grain, ramp of the pigment."""
        ramp, target = pigment_ramp(rgb, settings.vividness)
        median = self._pixels.percentiles[2]
        goal = median + APPROACH * (target - median) + LIGHTNESS_STEP * settings.lightness
        return *tone_curve(self._pixels.percentiles, np.clip(goal, 3, 92)), ramp

    def _apply(self, dye, chunk: slice) -> np.ndarray:
        """Lab of those pixels of hair once dyed, float32 (pixels, 3)."""
        curve, gain, (ramp_a, ramp_b, room) = dye
        before = self._pixels.level[chunk]
        lightness = np.clip(np.take(curve, before) + np.take(gain, before) * self._pixels.grain[chunk], 1.8, 99)
        after = level(lightness)
        tint = np.take(room, after) * self._pixels.tint[:, chunk]
        return cv2.merge([lightness, tint[0] + np.take(ramp_a, after), tint[1] + np.take(ramp_b, after)]).reshape(-1, 3)


def _smoothstep(start: float, end: float, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
