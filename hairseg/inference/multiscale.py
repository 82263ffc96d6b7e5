"""Two-pass inference: a coarse pass over the photo, zoomed passes over windows around small heads, and their merge.

A component is a connected component of the pixels with a positive hair logit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hairseg.inference.refinement import refine_alpha

Window = tuple[slice, slice]  # rows and columns

CANDIDATE_LOGIT = -1.4  # alpha 0.2; pixels above it may be hair
CONFIDENT_LOGIT = 1.9  # alpha 0.87; components whose top pixels are below it are dropped
VERY_CONFIDENT_LOGIT = 5.0  # alpha 0.993; components whose top pixels reach it may extend beyond the coarse candidates
TOP_FRACTION = 0.05  # top pixels: the fraction of a component's pixels with the highest logits

MIN_COMPONENT_PIXELS = 12  # of the network's input
WINDOW_SCALE = 1.3  # side of a window, relative to the longer side of its component
MAX_WINDOW_FRACTION = 0.9  # of the photo's longer side; a larger window hardly magnifies
MAX_WINDOWS = 6

MIN_OVERLAP = 0.9  # fraction of a zoomed component that must lie near coarse candidates
MIN_OVERLAP_VERY_CONFIDENT = 0.75
CANDIDATE_MARGIN = 8  # "near", in pixels of the network's input: half its stride

BLEND_FRACTION = 0.08  # of a window's side; width of the border where its alpha fades into the coarse alpha


@dataclass(frozen=True)
class TwoPassPrediction:
    """Merged logits of one network for one photo, from which `alpha` is computed for the photo at any size."""

    shape: tuple[int, int]  # height and width of the segmented photo
    image_size: int  # side of the network's square input, in pixels
    coarse: np.ndarray  # hair logits of the photo, float32 (height, width) in pixels of the network's input
    windows: list[Window]  # windows of the photo with a zoomed pass
    zoomed: list[np.ndarray]  # hair logits of each window, as for `coarse`

    def alpha(self, photo: np.ndarray, refined: bool = True) -> np.ndarray:
        """Return the alpha of the photo.

        Args:
            photo: the segmented photo, also at another size: uint8 RGB, (height, width, 3).
            refined: refine the edges with `refinement.refine_alpha`, instead of only scaling the logits.

        Returns:
            float32 in [0, 1], (height, width).
        """
        shape = photo.shape[:2]
        scales = [target / source for target, source in zip(shape, self.shape, strict=True)]
        windows = [_scale_window(window, scales) for window in self.windows]
        visible = np.ones(shape, bool)
        for window in windows:
            visible[window] = False  # the zoomed pass replaces it; the window's borders hardly contain hair
        alpha = self._alpha(photo, self.coarse, refined, visible)
        for window, logits in zip(windows, self.zoomed, strict=True):
            zoomed = self._alpha(photo[window], logits, refined)
            zoomed -= alpha[window]
            zoomed *= _blend_weights(window, shape)
            alpha[window] += zoomed
        return alpha

    def _alpha(
        self, photo: np.ndarray, logits: np.ndarray, refined: bool, visible: np.ndarray | None = None
    ) -> np.ndarray:
        height, width = photo.shape[:2]
        alpha = _sigmoid(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR))
        return refine_alpha(photo, alpha, max(height, width) / self.image_size, visible) if refined else alpha


def find_zoom_windows(logits: np.ndarray, shape: tuple[int, int]) -> list[Window]:
    """Find windows for zoomed passes, around connected components of candidate pixels that fill little of the photo.

    Args:
        logits: hair logits of the coarse pass, (height, width).
        shape: height and width of the photo.

    Returns:
        At most `MAX_WINDOWS` windows of the photo, of the largest components first.
    """
    scale = max(shape) / max(logits.shape)
    _, components = _label_components(logits > CANDIDATE_LOGIT)
    windows: list[Window] = []
    for left, top, width, height, area in sorted(components[1:].tolist(), key=lambda component: -component[4]):
        side = round(WINDOW_SCALE * max(width, height) * scale)
        row, column = (top + height / 2) * scale, (left + width / 2) * scale
        covered = any(
            rows.start <= row < rows.stop and columns.start <= column < columns.stop for rows, columns in windows
        )
        if area < MIN_COMPONENT_PIXELS or not 0 < side <= MAX_WINDOW_FRACTION * max(shape) or covered:
            continue
        windows.append((_clamped_window(row, side, shape[0]), _clamped_window(column, side, shape[1])))
    return windows[:MAX_WINDOWS]


def merge_passes(
    shape: tuple[int, int], image_size: int, coarse: np.ndarray, windows: list[Window], zoomed: list[np.ndarray]
) -> TwoPassPrediction:
    """Merge the passes over a photo: reconcile zoomed with coarse logits, drop components of low confidence.

    Args:
        shape: height and width of the photo.
        image_size: side of the network's square input, in pixels.
        coarse: hair logits of the coarse pass, float32 (height, width).
        windows: as `find_zoom_windows` returns them.
        zoomed: hair logits of each window, float32 (height, width).
    """
    kernel = np.ones((2 * CANDIDATE_MARGIN + 1, 2 * CANDIDATE_MARGIN + 1), np.uint8)
    candidates = cv2.dilate((coarse > CANDIDATE_LOGIT).astype(np.float32), kernel)
    kept_windows, kept_logits = [], []
    for window, logits in zip(windows, zoomed, strict=True):
        coarse_crop, candidates_crop = (_resample(plane, window, logits.shape, shape) for plane in (coarse, candidates))
        merged = drop_low_confidence_components(reconcile_with_coarse(logits, coarse_crop, candidates_crop >= 0.5))
        if (merged > 0).any() or (coarse_crop > 0).any():  # otherwise the low coarse alpha is kept
            kept_windows.append(window)
            kept_logits.append(merged)
    # Only components without a zoomed pass are dropped by their coarse logits. If MAX_WINDOWS was reached, some of them
    # may lack a zoomed pass only for this reason, and none is dropped.
    decided_by_coarse = np.full(coarse.shape, len(windows) < MAX_WINDOWS)
    scales = [target / source for target, source in zip(coarse.shape, shape, strict=True)]
    for window in windows:
        decided_by_coarse[_scale_window(window, scales)] = False
    coarse = drop_low_confidence_components(coarse, decided_by_coarse)
    return TwoPassPrediction(shape, image_size, coarse, kept_windows, kept_logits)


def drop_low_confidence_components(logits: np.ndarray, within: np.ndarray | None = None) -> np.ndarray:
    """Make the logits of components negative in which the network is nowhere confident.

    Networks are confident in some part of most hair, and hardly ever in fur or knitwear. A component with a confident
    part is kept, as in hysteresis thresholding (J. Canny, "A Computational Approach to Edge Detection", TPAMI 1986).

    Args:
        logits: hair logits, (height, width).
        within: bool, (height, width); components with less than half of their pixels here are kept. By default
            everywhere.

    Returns:
        A copy of the logits, which ranks the pixels within each component as before.
    """
    result = logits.copy()
    if within is not None and not (logits[within] > 0).any():
        return result
    for window, component in _components(logits):
        if within is not None and within[window][component].mean() < 0.5:
            continue
        values = logits[window][component]
        if not _is_confident(values, CONFIDENT_LOGIT):
            top = np.quantile(values, 1 - TOP_FRACTION)
            result[window][component] -= 2 * top  # so that `top` becomes `-top`
    return result


def reconcile_with_coarse(zoomed: np.ndarray, coarse: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Reduce components of a zoomed pass that extend beyond the coarse candidates to the minimum of both passes.

    Such components are mostly false positives, a coat or a lap, since zoomed passes only sharpen the edges of hair that
    the coarse pass has found. Very confident components may extend further.

    Args:
        zoomed: hair logits of a window, (height, width).
        coarse: hair logits of the coarse pass, resampled to the window.
        candidates: bool, (height, width), pixels on or near coarse candidates.

    Returns:
        Hair logits, (height, width).
    """
    result = zoomed.copy()
    if candidates[zoomed > 0].all():  # the most frequent case; labelling components takes time
        return result
    for window, component in _components(zoomed):
        values = zoomed[window][component]
        min_overlap = MIN_OVERLAP_VERY_CONFIDENT if _is_confident(values, VERY_CONFIDENT_LOGIT) else MIN_OVERLAP
        if candidates[window][component].mean() < min_overlap:
            result[window][component] = np.minimum(values, coarse[window][component])
    return result


def _is_confident(logits: np.ndarray, min_logit: float) -> bool:
    """Return whether all top pixels of a component reach a logit."""
    return bool((logits >= min_logit).mean() >= TOP_FRACTION)


def _components(logits: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield the bounding window of each component, and its mask within the window, bool."""
    labels, components = _label_components(logits > 0)
    for label, (left, top, width, height, _) in enumerate(components.tolist()):
        if label:
            window = slice(top, top + height), slice(left, left + width)
            yield window, labels[window] == label


def _label_components(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's label, and each label's left, top, width, height and area. Label 0 is the background."""
    # CCL_GRANA takes half the time of the default algorithm on masks of this size.
    _, labels, components, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        pixels.astype(np.uint8), 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    return labels, components


def _resample(logits: np.ndarray, window: Window, size: tuple[int, ...], shape: tuple[int, int]) -> np.ndarray:
    """Resample the logits of a photo with height and width `shape` to `size` rows and columns of a window."""
    steps, starts = [], []
    for side, target_length, photo_length, logits_length in zip(window, size, shape, logits.shape, strict=True):
        scale = logits_length / photo_length
        steps.append((side.stop - side.start) / target_length * scale)
        starts.append(side.start * scale + 0.5 * steps[-1] - 0.5)  # coordinates refer to the centres of pixels
    to_logits = np.array([[steps[1], 0, starts[1]], [0, steps[0], starts[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(logits, to_logits, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _scale_window(window: Window, scales: Sequence[float]) -> Window:
    """Scale a window, to at least one row and one column."""
    rows, columns = (
        slice(round(side.start * scale), max(round(side.start * scale) + 1, round(side.stop * scale)))
        for side, scale in zip(window, scales, strict=True)
    )
    return rows, columns


def _clamped_window(centre: float, side: int, length: int) -> slice:
    """Return rows or columns of a window around a centre, shifted so that they stay within [0, length)."""
    start = max(0, min(round(centre - side / 2), length - side))
    return slice(start, min(length, start + side))


def _blend_weights(window: Window, shape: tuple[int, int]) -> np.ndarray:
    """Return a window's weights, float32: 1 inside, decreasing towards borders that are not borders of the photo."""
    ramps = []
    for side, length in zip(window, shape, strict=True):
        from_start = np.arange(1, side.stop - side.start + 1) if side.start else np.inf
        from_stop = np.arange(side.stop - side.start, 0, -1) if side.stop < length else np.inf
        ramp = np.minimum(1, np.minimum(from_start, from_stop) / (BLEND_FRACTION * (side.stop - side.start)))
        ramps.append(np.broadcast_to(ramp, side.stop - side.start).astype(np.float32))
    return np.minimum(ramps[0][:, None], ramps[1][None])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Apply the sigmoid in place, in one thread, since the networks of other variants may occupy the other cores."""
    cv2.exp(np.negative(logits, out=logits), logits)
    logits += 1
    return np.divide(1, logits, out=logits)
