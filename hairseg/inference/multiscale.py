"""Two-pass inference: a coarse pass over the photo, zoomed passes over windows with small components, and their merge.

A component is a connected component of the pixels with a positive hair logit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hairseg.inference.refinement import refine_alpha

Window = tuple[slice, slice]  # rows and columns

CANDIDATE_LOGIT = -1.4  # logit above which a pixel may be hair: alpha 0.2
CONFIDENT_LOGIT = 1.9  # logit that the top pixels of a component must reach, or it is dropped: alpha 0.87
VERY_CONFIDENT_LOGIT = 5.0  # logit of components that may extend further beyond the coarse candidates: alpha 0.993
TOP_FRACTION = 0.05  # of a component's pixels, by logit, that decide how confident the network is

MIN_COMPONENT_PIXELS = 12  # of the network's input
WINDOW_SCALE = 1.3  # side of a window, relative to the longer side of its component
MAX_WINDOW_FRACTION = 0.9  # of the photo's longer side; a larger window shows no more than the coarse pass
MAX_WINDOWS = 6

MIN_OVERLAP = 0.9  # fraction of a zoomed component that must lie near coarse candidates
MIN_OVERLAP_VERY_CONFIDENT = 0.75  # the same for a very confident component
CANDIDATE_MARGIN = 8  # pixels of the network's input that still are near: half its stride

BLEND_FRACTION = 0.08  # of a window's side, over which its alpha is blended into the coarse one


@dataclass(frozen=True)
class TwoPassPrediction:
    """Merged logits of one network for one photo, from which alpha is made at any size of the photo."""

    shape: tuple[int, int]  # height and width of the photo that was segmented
    image_size: int  # side of the network's square input, in pixels
    coarse: np.ndarray  # hair logits of the photo, float32 (height, width) in pixels of the network's input
    windows: list[Window]  # windows of the photo that have a zoomed pass
    zoomed: list[np.ndarray]  # hair logits of each window, as `coarse`

    def alpha(self, photo: np.ndarray, refined: bool = True) -> np.ndarray:
        """Return the alpha of the photo that was segmented, at that size or another.

        Args:
            photo: uint8 RGB, (height, width, 3).
            refined: refine the edges with `refinement.refine_alpha`, rather than only scale the logits.

        Returns:
            float32 in [0, 1], (height, width).
        """
        shape = photo.shape[:2]
        scales = [target / source for target, source in zip(shape, self.shape, strict=True)]
        windows = [_scale_window(window, scales) for window in self.windows]
        weights = [_blend_weights(window, shape) for window in windows]
        visible = np.ones(shape, bool)
        for window in windows:
            visible[window] = False  # replaced by the zoomed pass; near the window's borders there is hardly any hair
        alpha = self._alpha(photo, self.coarse, refined, visible)
        for window, weight, logits in zip(windows, weights, self.zoomed, strict=True):
            zoomed = self._alpha(photo[window], logits, refined)
            zoomed -= alpha[window]
            zoomed *= weight
            alpha[window] += zoomed
        return alpha

    def _alpha(
        self, photo: np.ndarray, logits: np.ndarray, refined: bool, visible: np.ndarray | None = None
    ) -> np.ndarray:
        height, width = photo.shape[:2]
        alpha = _sigmoid(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR))
        return refine_alpha(photo, alpha, max(height, width) / self.image_size, visible) if refined else alpha


def find_zoom_windows(logits: np.ndarray, shape: tuple[int, int]) -> list[Window]:
    """Find windows for zoomed passes: around components of candidate pixels that fill little of the photo.

    Args:
        logits: hair logits of the coarse pass, (height, width).
        shape: height and width of the photo.

    Returns:
        At most `MAX_WINDOWS` windows of the photo, those of the largest components first.
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
    """Merge the logits of all passes over a photo: reconcile zoomed ones with the coarse one, drop unsure components.

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
        if (merged > 0).any() or (coarse_crop > 0).any():  # else the coarse pass's low alpha stays as it is
            kept_windows.append(window)
            kept_logits.append(merged)
    # The coarse pass only decides on components without a zoomed pass of their own. With MAX_WINDOWS windows, further
    # components may have been left out, and none is dropped.
    decided_by_coarse = np.full(coarse.shape, len(windows) < MAX_WINDOWS)
    scales = [target / source for target, source in zip(coarse.shape, shape, strict=True)]
    for window in windows:
        decided_by_coarse[_scale_window(window, scales)] = False
    coarse = drop_low_confidence_components(coarse, decided_by_coarse)
    return TwoPassPrediction(shape, image_size, coarse, kept_windows, kept_logits)


def drop_low_confidence_components(logits: np.ndarray, within: np.ndarray | None = None) -> np.ndarray:
    """Make components negative in which the network is not confident anywhere.

    Networks are confident of some part of most hair, and hardly ever of fur or knitwear. As in hysteresis thresholding
    (J. Canny, "A Computational Approach to Edge Detection", TPAMI 1986), a component with a confident part is kept.

    Args:
        logits: hair logits, (height, width).
        within: bool, (height, width): only components that have at least half of their pixels here may be dropped;
            None: all may.

    Returns:
        A changed copy of the logits, which ranks the pixels of each component as before.
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
            result[window][component] -= 2 * top  # the top pixels become as negative as they were positive
    return result


def reconcile_with_coarse(zoomed: np.ndarray, coarse: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Limit the components of a zoomed pass that extend beyond the coarse candidates to what both passes call hair.

    A zoomed pass sharpens the edges of what the coarse pass found. Where a part of a component is no coarse candidate,
    the zoomed pass has mistaken a coat or a lap for a part of a head. A very confident component may extend further.

    Args:
        zoomed: hair logits of a window, (height, width).
        coarse: those of the coarse pass, resampled to the same pixels.
        candidates: bool, (height, width): where the coarse pass has candidates or does so nearby.

    Returns:
        Hair logits, (height, width).
    """
    result = zoomed.copy()
    if candidates[zoomed > 0].all():  # the usual case, without the cost of labelling components
        return result
    for window, component in _components(zoomed):
        values = zoomed[window][component]
        min_overlap = MIN_OVERLAP_VERY_CONFIDENT if _is_confident(values, VERY_CONFIDENT_LOGIT) else MIN_OVERLAP
        if candidates[window][component].mean() < min_overlap:
            result[window][component] = np.minimum(values, coarse[window][component])
    return result


def _is_confident(logits: np.ndarray, min_logit: float) -> bool:
    """Tell whether the top pixels of a component reach a logit."""
    return bool((logits >= min_logit).mean() >= TOP_FRACTION)


def _components(logits: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield the bounding window of each component, and its pixels there, bool."""
    labels, components = _label_components(logits > 0)
    for label, (left, top, width, height, _) in enumerate(components.tolist()):
        if label:
            window = slice(top, top + height), slice(left, left + width)
            yield window, labels[window] == label


def _label_components(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's label, and each label's left, top, width, height and area. Label 0 is the background."""
    _, labels, components, _ = cv2.connectedComponentsWithStats(pixels.astype(np.uint8), connectivity=8)
    return labels, components


def _resample(logits: np.ndarray, window: Window, size: tuple[int, ...], shape: tuple[int, int]) -> np.ndarray:
    """Resample the logits of a photo of that shape to a window of it, with `size` rows and columns."""
    steps, starts = [], []
    for side, target_length, photo_length, logits_length in zip(window, size, shape, logits.shape, strict=True):
        scale = logits_length / photo_length
        steps.append((side.stop - side.start) / target_length * scale)
        starts.append(side.start * scale + 0.5 * steps[-1] - 0.5)  # coordinates refer to the centres of pixels
    to_logits = np.array([[steps[1], 0, starts[1]], [0, steps[0], starts[0]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(logits, to_logits, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _scale_window(window: Window, scales: Sequence[float]) -> Window:
    """Scale rows and columns, to at least one pixel each."""
    rows, columns = (
        slice(round(side.start * scale), max(round(side.start * scale) + 1, round(side.stop * scale)))
        for side, scale in zip(window, scales, strict=True)
    )
    return rows, columns


def _clamped_window(centre: float, side: int, length: int) -> slice:
    """Return one side of a window around a centre, shifted inwards where it would leave [0, length)."""
    start = max(0, min(round(centre - side / 2), length - side))
    return slice(start, min(length, start + side))


def _blend_weights(window: Window, shape: tuple[int, int]) -> np.ndarray:
    """Return float32 weights of a window's size: 1 inside, falling towards the borders that are not the photo's own."""
    ramps = []
    for side, length in zip(window, shape, strict=True):
        from_start = np.arange(1, side.stop - side.start + 1) if side.start else np.inf
        from_stop = np.arange(side.stop - side.start, 0, -1) if side.stop < length else np.inf
        ramp = np.minimum(1, np.minimum(from_start, from_stop) / (BLEND_FRACTION * (side.stop - side.start)))
        ramps.append(np.broadcast_to(ramp, side.stop - side.start).astype(np.float32))
    return np.minimum(ramps[0][:, None], ramps[1][None])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Apply the sigmoid in place, in one thread: PyTorch's would compete with other variants' networks for cores."""
    cv2.exp(np.negative(logits, out=logits), logits)
    logits += 1
    return np.divide(1, logits, out=logits)
