"""Recolouring of the hair in a photo.

Dyeing keeps the light and changes the pigment. A smooth tone curve maps the hair's lightness to the distribution that
hair of the target colour has in photographs. The pigment's ramp gives the a*, b* of each lightness (both in dye.py).
Then the hair's fine grain and hue variation are added again.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey, as_alpha, as_photo
from hairseg.recolouring.dye import LEVELS, PERCENTILES, lightness_index, pigment_ramp, tone_curve
from hairseg.recolouring.foreground import estimate_foreground, repeat_channel
from hairseg.recolouring.illuminant import estimate_light
from hairseg.recolouring.light import rgb_to_lightness
from hairseg.recolouring.matting import matte_edges, smoothstep
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.settings import DEFAULT_SETTINGS, RecolourSettings
from hairseg.recolouring.strands import (
    clamp_edge_lightness,
    hue_variation,
    lab_on_grid,
    local_mean,
    root_to_tip,
    smooth_lightness,
    strand_rank,
)

HAZE = 0.03  # networks seldom reach alpha 0 or 1; values this close are rounded

# Fraction of the difference to a lighter colour's lightness, by the hair's median L*. It is below 1 to keep some of the
# exposure, and lower for unlit hair, which would look flat.
UNLIT, LIT = 1.0, 5.0
UNLIT_LIFT, LIFT = 0.83, 0.9
LIGHTNESS_STEP = 18.0  # L* added at `lightness` 1

# Light hair scatters light into its shadows, so that lightened curls have less contrast. Curls are recognised by the
# standard deviation of L* in a neighbourhood, relative to that of all hair.
MAX_RELIEF = 20.0  # L*
CURLY = (0.55, 0.75)
MIN_CURLINESS = 0.4  # in [0, 1]; below it, the limit would not be visible

OMBRE_END = 1.05  # position from roots (0) to tips (1) that the transition of ombre never passes
OMBRE_FADE = 0.6875  # length of the transition, as a fraction of OMBRE_END - ombre_start

HUE_VARIATION_KEPT = 0.2  # fraction of the hair's hue variation that is visible through the dye

NEWEST_WEIGHT = 0.1  # of a frame in the moving average of a video's scene
CUT = 15.0  # L*; a larger change of the median is a cut

CHUNK_SIZE = 1 << 15  # pixels dyed at once, so that temporary arrays fit into the CPU's cache


def recolour(
    photo: np.ndarray, alpha: np.ndarray, colour: str, settings: RecolourSettings = DEFAULT_SETTINGS
) -> np.ndarray:
    """Dye the hair in a photo. For several colours of one photo, `HairRecolourer` is faster.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width), the fraction of each pixel that is hair.
        colour: `#rrggbb` or the name of a preset.
        settings: strength, vividness, second colour and more.

    Returns:
        uint8 RGB, (height, width, 3); equal to the photo where alpha is 0, and everywhere at strength 0.

    Raises:
        InputError: the colour is unknown, an array or `settings` is unsuitable, or photo and alpha differ in size.

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
    """Cut out the hair, without the colour of the background in its soft edges.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width), the fraction of each pixel that is hair.

    Returns:
        uint8 RGBA, (height, width, 4), with `alpha` in 8 bits as A.

    Raises:
        InputError: an array is unsuitable, or photo and alpha differ in size.

    Example:
        >>> cutout(np.full((2, 2, 3), 90, np.uint8), np.float32([[1, 0], [1, 0]]))[0].tolist()
        [[90, 90, 90, 255], [90, 90, 90, 0]]
    """
    return HairRecolourer(photo, alpha).cutout()


@dataclass
class _HairPixels:
    """The pixels of hair in flat arrays."""

    colour: np.ndarray  # of the photo, uint8 RGB
    alpha: np.ndarray
    foreground: np.ndarray  # colour without the background, uint8 RGB
    level: np.ndarray  # smoothed lightness, as an index into the tables of dye.py
    mean_level: np.ndarray  # local mean of the lightness, as an index, too
    grain: np.ndarray  # lightness minus smoothed lightness, L*
    hue: np.ndarray  # a* and b* of the hue variation that is kept, (2, pixels)


class _Dye(NamedTuple):
    """Lookup tables of one colour for this hair, (LEVELS,) each."""

    curve: np.ndarray
    grain_gain: np.ndarray
    a: np.ndarray
    b: np.ndarray
    hue_headroom: np.ndarray
    max_relief: float | None  # limit of the difference to the mean L* of the neighbourhood


class _Scene(NamedTuple):
    """Properties that are smoothed over the frames of a video."""

    light: np.ndarray  # colour of the light, factors of linear RGB
    median: np.ndarray  # L* of the hair, ()


class HairRecolourer:
    """The hair of one photo, separated from the background once, to recolour in several colours or to cut out.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width), the fraction of each pixel that is hair.
        previous: the last frame of a video, so that noise does not change the dye from frame to frame.

    Raises:
        InputError: an array is unsuitable, or photo and alpha differ in size.

    Example:
        >>> recolourer = HairRecolourer(np.full((8, 8, 3), 90, np.uint8), np.ones((8, 8), np.float32))
        >>> [recolourer.recolour(colour).shape for colour in ("copper", "#8e24aa")]
        [(8, 8, 3), (8, 8, 3)]
    """

    def __init__(self, photo: np.ndarray, alpha: np.ndarray, previous: "HairRecolourer | None" = None) -> None:
        # Only the scene is kept, so that the frames of a video can be freed.
        self._previous = previous._scene if previous is not None and previous._hair.size else None
        self.photo = as_photo(photo)
        self.alpha = as_alpha(alpha, self.photo.shape[:2])
        left, top, width, height = cv2.boundingRect((self.alpha > HAZE).astype(np.uint8))
        # The foreground estimation needs some background around the hair.
        margin = max(width, height) // 16 + 4
        self._box = np.s_[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]
        self._unmatted = np.clip((self.alpha[self._box] - HAZE) / (1 - 2 * HAZE), 0, 1)

    def recolour(self, colour: str, settings: RecolourSettings = DEFAULT_SETTINGS) -> np.ndarray:
        """Dye the hair; arguments, result and errors are as for the function `recolour`."""
        if not isinstance(settings, RecolourSettings):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(
                f"The settings are a {type(settings).__name__}.", remedy="Pass hairseg.RecolourSettings(strength=0.8)."
            )
        colours = [colour] if settings.second_colour is None else [colour, settings.second_colour]
        rgbs = [parse_colour(text) for text in colours]
        result = self.photo.copy()
        if not self._hair.size or settings.strength == 0:
            return result
        dyes = [self._create_dye(rgb, settings) for rgb in rgbs]
        dyed = np.empty_like(self._pixels.colour)
        for start in range(0, len(dyed), CHUNK_SIZE):
            chunk = slice(start, start + CHUNK_SIZE)
            dyed[chunk] = self._dye_chunk(chunk, dyes, settings)
        box = result[self._box].copy()
        # Pixels as items of three bytes: assigning rows of three values is five times slower.
        np.put(box.view("V3"), self._hair, dyed.view("V3"))
        result[self._box] = box
        return result

    def cutout(self) -> np.ndarray:
        """Cut out the hair; the result is as for the function `cutout`."""
        grey = alpha_to_grey(self.alpha)
        # Transparent pixels must not contain the photo.
        colour = cv2.copyTo(self.photo, grey, np.zeros_like(self.photo))
        if self._unmatted.any():
            colour[self._box] = estimate_foreground(self.photo[self._box], self._unmatted)
        rgba = cv2.cvtColor(colour, cv2.COLOR_RGB2RGBA)
        rgba[..., 3] = grey
        return rgba

    @cached_property
    def _alpha(self) -> np.ndarray:
        """Matted alpha, float32 (height, width) of the box."""
        return matte_edges(self.photo[self._box], self._unmatted)

    @cached_property
    def _hair(self) -> np.ndarray:
        """Flat indices of the pixels of hair in the box."""
        return np.flatnonzero(self._alpha > 0)

    @cached_property
    def _foreground(self) -> np.ndarray:
        """Unmixed colour of the hair, uint8 RGB (height, width, 3) of the box."""
        return estimate_foreground(self.photo[self._box], self._alpha)

    @cached_property
    def _percentiles(self) -> np.ndarray:
        """L* of the hair at PERCENTILES. Not smoothed over a video, so they cancel changes of exposure."""
        sample = self._lightness[self._core]
        return np.percentile(sample[:: len(sample) // 20_000 + 1], PERCENTILES)

    @cached_property
    def _scene(self) -> _Scene:
        scene = _Scene(estimate_light(self.photo, self.alpha), self._percentiles[2])
        if self._previous is None or abs(scene.median - self._previous.median) > CUT:
            return scene
        pairs = zip(self._previous, scene, strict=True)
        return _Scene(*(before + NEWEST_WEIGHT * (now - before) for before, now in pairs))

    @cached_property
    def _core(self) -> np.ndarray:
        """Pixels that are certainly hair, bool (height, width) of the box."""
        return self._alpha >= 0.9 * min(1, self._alpha.max())

    @cached_property
    def _lightness(self) -> np.ndarray:
        """CIE L* of the hair, float32 (height, width) of the box."""
        return clamp_edge_lightness(rgb_to_lightness(self._foreground), self._core)

    @cached_property
    def _pixels(self) -> _HairPixels:
        lightness = self._lightness
        smooth = smooth_lightness(lightness, self._core)
        hue = hue_variation(lab_on_grid(self._foreground), self._alpha)
        return _HairPixels(
            colour=self._gather(self.photo[self._box]),
            alpha=self._gather(self._alpha),
            foreground=self._gather(self._foreground),
            level=lightness_index(self._gather(smooth)),
            mean_level=lightness_index(self._gather(local_mean(smooth, self._alpha))),
            grain=self._gather(lightness - smooth),
            hue=HUE_VARIATION_KEPT * self._gather(hue).T.copy(),
        )

    @cached_property
    def _root_to_tip(self) -> np.ndarray:
        return self._gather(root_to_tip(self._alpha))

    @cached_property
    def _strand_rank(self) -> np.ndarray:
        return self._gather(strand_rank(self._lightness))

    @cached_property
    def _lightness_rank(self) -> np.ndarray:
        """Percentile of each pixel's smoothed lightness among all hair, minus 0.5: about -0.5 to 0.5."""
        table = np.interp(np.linspace(0, 100, LEVELS), self._percentiles, PERCENTILES / 100 - 0.5)
        return table.astype(np.float32)[self._pixels.level]

    def _gather(self, picture: np.ndarray) -> np.ndarray:
        """Return the pixels of hair of a picture of the box, as a flat array."""
        return np.take(picture.reshape(-1, *picture.shape[2:]), self._hair, axis=0)

    def _create_dye(self, rgb: tuple[int, int, int], settings: RecolourSettings) -> _Dye:
        (a, b, headroom), lightness = pigment_ramp(rgb, settings.vividness, self._scene.light)
        median = float(self._percentiles[2])
        lift = float(np.interp(self._scene.median, (UNLIT, LIT), (UNLIT_LIFT, LIFT)))
        target = min(lightness, median + lift * (lightness - median)) + LIGHTNESS_STEP * settings.lightness
        curve, grain_gain = tone_curve(self._percentiles, float(np.clip(target, 3, 92)))
        max_relief = None
        if target > median:
            sample = slice(None, None, len(self._hair) // 5_000 + 1)
            dyed, mean = curve[self._pixels.level[sample]], curve[self._pixels.mean_level[sample]]
            curliness = float(np.interp(np.std(dyed - mean) / (np.std(dyed) + 1e-3), CURLY, (0, 1)))
            max_relief = MAX_RELIEF / curliness if curliness > MIN_CURLINESS else None
        return _Dye(curve, grain_gain, a, b, headroom, max_relief)

    def _dye_chunk(self, chunk: slice, dyes: list[_Dye], settings: RecolourSettings) -> np.ndarray:
        """Dye some pixels of hair and composite them onto the photo: RGB, float32 but integral, (pixels, 3)."""
        pixels = self._pixels
        lab = self._apply(dyes[0], chunk)
        if len(dyes) == 2:
            second = self._second_colour_weight(chunk, settings)
            lab += second[:, None] * (self._apply(dyes[1], chunk) - lab)
        weight = settings.strength * pixels.alpha[chunk]
        if settings.natural_roots > 0:
            position = self._root_to_tip[chunk] + 0.1 * self._lightness_rank[chunk]
            weight *= smoothstep(0, settings.natural_roots, position)
        # Since I = alpha F + (1 - alpha) B, a change of F changes I by alpha times the change, for any B.
        rgb = cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0]
        rgb *= 255
        rgb -= pixels.foreground[chunk]
        rgb *= repeat_channel(weight).reshape(-1, 3)
        rgb += pixels.colour[chunk]
        return np.rint(np.clip(rgb, 0, 255, out=rgb), out=rgb)

    def _second_colour_weight(self, chunk: slice, settings: RecolourSettings) -> np.ndarray:
        """Return the weight of the second colour. Lighter strands have more, so that its border follows the strands."""
        rank = self._lightness_rank[chunk]
        if settings.second_mode == "ombre":
            start = settings.ombre_start
            end = start + OMBRE_FADE * (OMBRE_END - start)
            return smoothstep(start, end, self._root_to_tip[chunk] + 0.2 * rank)
        return smoothstep(0.45, 1.05, self._strand_rank[chunk] + 0.3 * rank)

    def _apply(self, dye: _Dye, chunk: slice) -> np.ndarray:
        """Look up the dyed CIELAB of some pixels of hair, float32 (pixels, 3)."""
        level = self._pixels.level[chunk]  # always in range; mode="wrap" is the fastest
        lightness = np.take(dye.curve, level, mode="wrap")
        if dye.max_relief is not None:
            mean = np.take(dye.curve, self._pixels.mean_level[chunk], mode="wrap")
            lightness -= mean
            # relief / (1 + (relief / max_relief) ** 4) ** 0.25; powers would take ten times as long.
            divisor = lightness * lightness
            divisor *= 1 / dye.max_relief**2
            divisor *= divisor
            divisor += 1
            lightness /= np.sqrt(np.sqrt(divisor, out=divisor), out=divisor)
            lightness += mean
        lightness += np.take(dye.grain_gain, level, mode="wrap") * self._pixels.grain[chunk]
        np.clip(lightness, 1.8, 99, out=lightness)
        level = lightness_index(lightness)
        hue = np.take(dye.hue_headroom, level, mode="wrap") * self._pixels.hue[:, chunk]
        channels = [lightness, hue[0] + np.take(dye.a, level, mode="wrap"), hue[1] + np.take(dye.b, level, mode="wrap")]
        return cv2.merge(channels).reshape(-1, 3)
