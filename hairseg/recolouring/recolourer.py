"""Photo + alpha + colour -> the same hair, dyed.

Dyeing keeps the light and changes the pigment. So the lightness of the hair is moved by one smooth curve, from the
distribution it has to the one that hair of the wanted colour has in photographs, and every lightness then takes its hue
and chroma from a ramp of the pigment (both in dye.py). What was at hand goes on top: grain, and the play of hue.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hairseg.errors import InputError
from hairseg.recolouring.dye import LEVELS, PERCENTILES, level, pigment_ramp, tone_curve
from hairseg.recolouring.foreground import estimate_foreground
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.strands import clamp_edge_lightness, hue_variation, root_to_tip, smooth_lightness, streaks

HAZE = 0.03  # alpha this near to 0 or 1 is a network's way of being sure; it lies over most of a photo

APPROACH = 0.9  # part of the way to the colour's lightness; the rest is left to the light the photo was taken in

LIGHTNESS_STEP = 18.0  # L* that `lightness` 1 adds

TINT_KEPT = 0.2  # part of the hair's own play of hue that shows through the dye

CHUNK = 1 << 15  # pixels dyed at once: what lies between the steps stays in the processor's cache


@dataclass(frozen=True)
class RecolourSettings:
    """How a colour is put on. Raises InputError if a value is out of its range; the message names it."""

    strength: float = 1.0
    """0 leaves the photo as it is, 1 is fully dyed."""
    vividness: float = 0.0
    """-1 natural (muted) to 1 vivid; 0 is the colour as given."""
    lightness: float = 0.0
    """-1 darker to 1 lighter; 0 is the colour as given."""
    natural_roots: float = 0.0
    """0 to 1: the part of the hair's length along which its own colour, full at the roots, fades out."""
    second_colour: str | None = None
    """`#rrggbb` or the name of a preset; None for a single colour."""
    second_mode: str = "ombre"
    """Where the second colour goes: "ombre" is the tips, "streaks" is single strands."""

    def __post_init__(self):
        for name, lowest in (("strength", 0), ("vividness", -1), ("lightness", -1), ("natural_roots", 0)):
            if not lowest <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)!r}: expected a number from {lowest} to 1.")
        if self.second_mode not in ("ombre", "streaks"):
            raise InputError(f'second_mode is {self.second_mode!r}: expected "ombre" or "streaks".')
        if self.second_colour is not None:
            parse_colour(self.second_colour)


def recolour(
    photo: np.ndarray, alpha: np.ndarray, colour: str, settings: RecolourSettings = RecolourSettings()
) -> np.ndarray:
    """The photo with its hair dyed. For several colours on one photo, `HairRecolourer` does the common part once.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width): how much of each pixel is hair.
        colour: `#rrggbb` or the name of a preset.

    Returns:
        uint8 RGB of the photo's size. Where alpha is 0 it is the photo bit for bit; at strength 0, everywhere.

    Raises:
        InputError: an unknown colour, or an alpha of another size than the photo.
    """
    return HairRecolourer(photo, alpha).recolour(colour, settings)


class HairRecolourer:
    """One photo's hair, taken apart once, to be dyed in any number of colours.

    What is kept covers the hair's pixels alone, as flat lists.
    """

    def __init__(self, photo: np.ndarray, alpha: np.ndarray):
        """photo: uint8 RGB, (height, width, 3); alpha: float32 in [0, 1], (height, width).

        Raises:
            InputError: the sizes differ.
        """
        if photo.shape[:2] != alpha.shape:
            raise InputError(f"The alpha is {alpha.shape} and the photo {photo.shape[:2]}: expected the same size.")
        self.photo = photo
        alpha = np.clip((alpha - HAZE) / (1 - 2 * HAZE), 0, 1)
        left, top, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
        # some of what surrounds the hair belongs to the box, to tell edges and the background's colour by
        margin = max(width, height) // 16 + 4
        self.box = np.s_[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]
        photo, alpha = photo[self.box], alpha[self.box]
        self.hair = np.flatnonzero(alpha > 0)
        if not self.hair.size:
            return
        foreground = estimate_foreground(photo, alpha)
        lab = cv2.cvtColor(foreground.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
        core = alpha >= 0.9 * min(1, alpha.max())
        lightness = clamp_edge_lightness(lab[..., 0].copy(), core)
        smooth = smooth_lightness(lightness, core)
        sample = lightness[core]
        self.percentiles = np.percentile(sample[:: len(sample) // 50_000 + 1], PERCENTILES)

        self.pixels = self._of_hair(photo)
        self.alpha = self._of_hair(alpha)
        self.foreground = self._of_hair(foreground)
        self.level = level(self._of_hair(smooth))
        self.grain = self._of_hair(lightness - smooth)
        self.tint = TINT_KEPT * self._of_hair(hue_variation(lab, alpha))
        self._box_alpha, self._box_lightness = alpha, lightness

    def recolour(self, colour: str, settings: RecolourSettings = RecolourSettings()) -> np.ndarray:
        """The whole photo, its hair dyed; see the function `recolour`."""
        colours = [colour] if settings.second_colour is None else [colour, settings.second_colour]
        colours = [parse_colour(each) for each in colours]
        result = self.photo.copy()
        if not self.hair.size or settings.strength == 0:
            return result
        dyes = [self._mix_dye(each, settings) for each in colours]
        # where two colours meet, the line follows the strands: light ones take the dye sooner
        ruffle = np.interp(np.linspace(0, 100, LEVELS), self.percentiles, PERCENTILES / 100 - 0.5).astype(np.float32)
        dyed = np.empty_like(self.pixels)
        for start in range(0, len(dyed), CHUNK):
            part = slice(start, start + CHUNK)
            lab = self._apply(dyes[0], part)
            if len(dyes) == 2:
                if settings.second_mode == "ombre":
                    second = _smoothstep(0.25, 0.8, self.along[part] + 0.2 * ruffle[self.level[part]])
                else:
                    second = _smoothstep(0.45, 1.05, self.streaks[part] + 0.3 * ruffle[self.level[part]])
                lab += second[:, None] * (self._apply(dyes[1], part) - lab)
            weight = settings.strength * self.alpha[part]
            if settings.natural_roots > 0:
                weight *= _smoothstep(0, settings.natural_roots, self.along[part] + 0.1 * ruffle[self.level[part]])
            # I = alpha F + (1 - alpha) B, so a new F needs no B: the change of F is added in proportion
            colour = cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0]
            colour *= 255
            colour -= self.foreground[part]
            colour *= weight[:, None]
            colour += self.pixels[part]
            dyed[part] = np.rint(np.clip(colour, 0, 255, out=colour), out=colour)
        box = result[self.box].copy()
        box.reshape(-1, 3)[self.hair] = dyed
        result[self.box] = box
        return result

    @cached_property
    def along(self) -> np.ndarray:
        """0 at the roots to 1 at the tips, for every pixel of hair."""
        return self._of_hair(root_to_tip(self._box_alpha))

    @cached_property
    def streaks(self) -> np.ndarray:
        """A rank from 0 to 1 that strands have in common, for every pixel of hair."""
        return self._of_hair(streaks(self._box_lightness))

    def _of_hair(self, picture):
        return np.take(picture.reshape(-1, *picture.shape[2:]), self.hair, axis=0)

    def _mix_dye(self, rgb, settings):
        ramp, target = pigment_ramp(rgb, settings.vividness)
        median = self.percentiles[2]
        goal = median + APPROACH * (target - median) + LIGHTNESS_STEP * settings.lightness
        return *tone_curve(self.percentiles, np.clip(goal, 3, 92)), ramp

    def _apply(self, dye, part):
        """Lab of some of the hair's pixels once dyed, float32 (pixels, 3)."""
        curve, gain, (ramp_a, ramp_b, room) = dye
        before = self.level[part]
        lab = np.empty((len(before), 3), np.float32)
        lab[:, 0] = np.clip(np.take(curve, before) + np.take(gain, before) * self.grain[part], 1.8, 99)
        after = level(lab[:, 0])
        lab[:, 1:] = np.take(room, after)[:, None] * self.tint[part]
        lab[:, 1] += np.take(ramp_a, after)
        lab[:, 2] += np.take(ramp_b, after)
        return lab


def _smoothstep(start, end, x):
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
