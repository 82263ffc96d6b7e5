"""What a network says of a photo: a look at the whole, closer looks at small finds, and what is believed of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hairseg.inference.refinement import refine_alpha

CANDIDATE_LOGIT = -1.4  # logit from which a pixel may be hair: alpha 0.2
SMALLEST_FIND = 12  # pixels of the network's input
SURROUNDINGS = 1.3  # side of a closer look, in longer sides of the hair
LARGEST_LOOK = 0.9  # of the photo's longer side: beyond it the whole photo shows as much
MAX_LOOKS = 6
AGREEMENT = 0.9  # share of what a closer look finds that must lie where the first look suspected some,
CERTAIN_AGREEMENT = 0.75  # or where the closer look is certain,
NEARBY = 8  # or within so many pixels of the network's input: half its stride

TOP_FRACTION = 0.05  # share of a find: its surest pixels
CONFIDENT_LOGIT = 1.9  # logit that they must reach, or it is no hair: alpha 0.87
VERY_CONFIDENT_LOGIT = 5.0  # logit of a find of which a closer look is certain: alpha 0.993

FADE = 0.08  # of a closer look's sides, over which it gives way to the look at the whole


@dataclass(frozen=True)
class TwoPassPrediction:
    """What one network says of a photo, whatever the size the photo is shown at."""

    shape: tuple[int, int]  # height and width of the photo that was looked at
    image_size: int  # side of the network's square input, in pixels
    whole: np.ndarray  # hair logits of the whole photo, float32 (height, width) in the network's pixels
    windows: list[tuple[slice, slice]]  # rows and columns of the photo that were looked at closer
    closer: list[np.ndarray]  # hair logits of those, as of the whole

    def alpha(self, photo: np.ndarray, refined: bool = True) -> np.ndarray:
        """The alpha of the photo that was looked at, in that size or another: float32 in [0, 1], (height, width).

        Args:
            photo: uint8 RGB, (height, width, 3).
            refined: whether edges follow the photo (`refinement.refine_alpha`), or are the network's, scaled.
        """
        shape = photo.shape[:2]
        scales = [own / seen for own, seen in zip(shape, self.shape, strict=True)]
        windows = [_scaled(window, scales) for window in self.windows]
        weights = [_fading(window, shape) for window in windows]
        wanted = np.ones(shape, bool)
        for window in windows:
            wanted[window] = False  # a closer look takes its place, and where that fades there is hardly any hair
        alpha = self._at_size_of(photo, self.whole, refined, wanted)
        for window, weight, logits in zip(windows, weights, self.closer, strict=True):
            near = self._at_size_of(photo[window], logits, refined)
            near -= alpha[window]
            near *= weight
            alpha[window] += near
        return alpha

    def _at_size_of(
        self, photo: np.ndarray, logits: np.ndarray, refined: bool, wanted: np.ndarray | None = None
    ) -> np.ndarray:
        height, width = photo.shape[:2]
        alpha = _sigmoid(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR))
        return refine_alpha(photo, alpha, max(height, width) / self.image_size, wanted) if refined else alpha


def find_zoom_windows(logits: np.ndarray, shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Where to look closer: at hair, or what may be hair, that fills little of the frame.

    Args:
        logits: hair logits of the whole photo, (height, width) in the network's pixels.
        shape: height and width of the photo.

    Returns:
        Rows and columns of at most `MAX_LOOKS` windows, those of the largest finds first.
    """
    scale = max(shape) / max(logits.shape)
    _, finds = _connected(logits > CANDIDATE_LOGIT)
    windows = []
    for left, top, width, height, area in sorted(finds[1:].tolist(), key=lambda find: -find[4]):
        side = round(SURROUNDINGS * max(width, height) * scale)
        row, column = (top + height / 2) * scale, (left + width / 2) * scale
        covered = any(
            rows.start <= row < rows.stop and columns.start <= column < columns.stop for rows, columns in windows
        )
        if area < SMALLEST_FIND or not 0 < side <= LARGEST_LOOK * max(shape) or covered:
            continue
        windows.append(
            tuple(_around(centre, side, length) for centre, length in zip((row, column), shape, strict=True))
        )
    return windows[:MAX_LOOKS]


def combine(
    shape: tuple[int, int],
    image_size: int,
    whole: np.ndarray,
    windows: list[tuple[slice, slice]],
    closer: list[np.ndarray],
) -> TwoPassPrediction:
    """What to believe of all looks at a photo: closer ones that agree with the first, and finds that one is sure of.

    Args:
        shape: height and width of the photo.
        image_size: side of the network's square input.
        whole, closer: hair logits of the photo and of its windows, float32 (height, width) each.
    """
    reach = np.ones((2 * NEARBY + 1, 2 * NEARBY + 1), np.uint8)
    suspected = cv2.dilate((whole > CANDIDATE_LOGIT).astype(np.float32), reach)
    kept, believed = [], []
    for window, logits in zip(windows, closer, strict=True):
        first, near = (_part_of(picture, window, logits.shape, shape) for picture in (whole, suspected))
        found = drop_low_confidence_components(reconcile_with_coarse(logits, first, near >= 0.5))
        if (found > 0).any() or (first > 0).any():  # else a suspicion stays one, without a hole in it
            kept.append(window)
            believed.append(found)
    # What a closer look has seen, or would have if there had not been others before it, is not judged by the first.
    judged = np.full(whole.shape, len(windows) < MAX_LOOKS)
    for window in windows:
        judged[_scaled(window, [own / seen for own, seen in zip(whole.shape, shape, strict=True)])] = False
    return TwoPassPrediction(shape, image_size, drop_low_confidence_components(whole, judged), kept, believed)


def drop_low_confidence_components(logits: np.ndarray, judged: np.ndarray | None = None) -> np.ndarray:
    """Hair logits in which a find that the network is sure of nowhere is none.

    Hair is found with certainty somewhere, and fur or knitwear hardly ever. As in hysteresis thresholding (J. Canny,
    "A Computational Approach to Edge Detection", TPAMI 1986), what is connected with something sure stays as it is.

    Args:
        logits: (height, width).
        judged: where finds are judged, bool (height, width): those that lie there for the most part; None: all.
    """
    result = logits.copy()
    if judged is not None and not (logits[judged] > 0).any():
        return result
    for window, pixels in _finds(logits):
        if judged is not None and judged[window][pixels].mean() < 0.5:
            continue
        found = logits[window][pixels]
        if not _reaches(found, CONFIDENT_LOGIT):
            surest = np.quantile(found, 1 - TOP_FRACTION)
            result[window][pixels] -= 2 * surest  # so that what it was surest of is as surely none
    return result


def reconcile_with_coarse(closer: np.ndarray, first: np.ndarray, suspected: np.ndarray) -> np.ndarray:
    """What to believe where a part of a photo was looked at twice.

    A closer look finds the edges of what the first look found. When some of a find was not even suspected, it has taken
    a coat or a lap for part of a head: then a pixel is hair only where both looks say so. A closer look that is certain
    may find more than one that is not.

    Args:
        closer, first: hair logits of both looks, of the same part at the same size, (height, width).
        suspected: where the first look suspects hair or does so nearby, bool, (height, width).
    """
    result = closer.copy()
    if suspected[closer > 0].all():  # as a rule: that is known sooner than which pixels hang together
        return result
    for window, pixels in _finds(closer):
        found = closer[window][pixels]
        wanted = CERTAIN_AGREEMENT if _reaches(found, VERY_CONFIDENT_LOGIT) else AGREEMENT
        if suspected[window][pixels].mean() < wanted:
            result[window][pixels] = np.minimum(found, first[window][pixels])
    return result


def _reaches(logits: np.ndarray, certainty: float) -> bool:
    """Whether the surest pixels of a find reach that logit."""
    return bool((logits >= certainty).mean() >= TOP_FRACTION)


def _finds(logits: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """What is called hair and hangs together: its rows and columns, and which of the pixels there, bool."""
    places, finds = _connected(logits > 0)
    for find, (left, top, width, height, _) in enumerate(finds.tolist()):
        if find:
            window = slice(top, top + height), slice(left, left + width)
            yield window, places[window] == find


def _connected(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which find every pixel belongs to, and left, top, width, height and area of each; the first is none of them."""
    _, places, finds, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        pixels.astype(np.uint8),
        8,
        cv2.CV_32S,
        cv2.CCL_GRANA,  # by far the fastest of OpenCV's here
    )
    return places, finds


def _part_of(
    logits: np.ndarray, window: tuple[slice, slice], size: tuple[int, int], shape: tuple[int, int]
) -> np.ndarray:
    """The logits of a photo of some shape within a window of it, in the photo's pixels, scaled to a size."""
    steps, starts = [], []
    for side, pixels, length, of_logits in zip(window, size, shape, logits.shape, strict=True):
        scale = of_logits / length
        steps.append((side.stop - side.start) / pixels * scale)
        starts.append(side.start * scale + 0.5 * steps[-1] - 0.5)  # pixels are places by their middles
    to_logits = np.array([[steps[1], 0, starts[1]], [0, steps[0], starts[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(logits, to_logits, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _scaled(window: tuple[slice, slice], scales: list[float]) -> tuple[slice, slice]:
    """Rows and columns times their scales, of a pixel at least."""
    rows, columns = (
        slice(round(side.start * scale), max(round(side.start * scale) + 1, round(side.stop * scale)))
        for side, scale in zip(window, scales, strict=True)
    )
    return rows, columns


def _around(centre: float, side: int, length: int) -> slice:
    """The part of [0, length) of that side around a centre, moved inwards where it would reach beyond."""
    start = max(0, min(round(centre - side / 2), length - side))
    return slice(start, min(length, start + side))


def _fading(window: tuple[slice, slice], shape: tuple[int, int]) -> np.ndarray:
    """float32 of a window's size: 1 inside, towards 0 within `FADE` of the sides that are not the photo's own."""
    ramps = []
    for side, length in zip(window, shape, strict=True):
        from_start = np.arange(1, side.stop - side.start + 1) if side.start else np.inf
        from_stop = np.arange(side.stop - side.start, 0, -1) if side.stop < length else np.inf
        ramp = np.minimum(1, np.minimum(from_start, from_stop) / (FADE * (side.stop - side.start)))
        ramps.append(np.broadcast_to(ramp, side.stop - side.start).astype(np.float32))
    return np.minimum(ramps[0][:, None], ramps[1][None])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """In place. PyTorch's would spread over cores that other variants are at work on, and wait for them."""
    cv2.exp(np.negative(logits, out=logits), logits)
    logits += 1
    return np.divide(1, logits, out=logits)
