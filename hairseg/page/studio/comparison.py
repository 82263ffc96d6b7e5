"""Compare the masks of both networks for a photo, in numbers and in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from hairseg.recolouring.light import rgb_to_lightness

SMALL_HEAD_FRACTION = 0.03  # of the photo; less hair is called a small head

SMALL_HEAD_SIDE = 0.3  # of the photo; less hair of a larger head is called hair

MIN_FOCUS_FRACTION, MAX_FOCUS_FRACTION = 0.22, 0.55  # of the photo's width and height

FOCUS_MARGIN = 0.8  # on each side, as a fraction of the hair's size

MIN_HAIR_FRACTION = 0.0002  # of the photo; smaller components are ignored

NEGLIGIBLE_FRACTION = 0.03  # of the other network's hair

HEAD_MARGIN = 0.25  # fraction of a head's size; nearer components belong to the head

MAX_HEADS = 8

UNLIT_LIGHTNESS = 3.0  # median L* of hair without visible strands

VISIBLE_ALPHA = 0.1  # colour is visible from this alpha

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as fractions of the photo's width and height."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of the masks of both networks.

    Args:
        fractions: Fraction of the photo that is hair, by variant.
        agreement: Intersection over union of both masks; 1 if both are empty.
        focus: Box around all heads, for a closer view; None if the heads are large.
        heads: Boxes of the heads in the pretrained network's mask.
    """

    fractions: dict[str, float]
    agreement: float
    focus: Box | None
    heads: list[Box]

    @property
    def small_heads(self) -> int:
        """Number of heads; 0 if one of them is large."""
        sides = [max(right - left, bottom - top) for left, top, right, bottom in self.heads]
        return len(sides) if max(sides, default=0.0) < SMALL_HEAD_SIDE else 0


def compare(alphas: Mapping[str, np.ndarray], threshold: float) -> Comparison:
    """Compare the alphas of both networks for a photo.

    Args:
        alphas: By variant, float32 in [0, 1], (height, width).
        threshold: Alpha from which a pixel is hair.
    """
    masks = {variant: alpha >= threshold for variant, alpha in alphas.items()}
    either = np.count_nonzero(masks["random"] | masks["pretrained"])
    both = np.count_nonzero(masks["random"] & masks["pretrained"])
    fractions = {variant: float(mask.mean()) for variant, mask in masks.items()}
    heads = find_heads(masks["pretrained"])
    return Comparison(fractions, both / either if either else 1.0, find_focus(heads), heads)


def find_heads(mask: np.ndarray) -> list[Box]:
    """Return a box around each head, from left to right.

    Connected components that are closer than `HEAD_MARGIN` belong to one head.

    Args:
        mask: bool, (height, width).

    Returns:
        At most `MAX_HEADS` boxes (left, top, right, bottom), fractions of width and height.

    Example:
        >>> mask = np.zeros((100, 100), bool)
        >>> mask[10:20, 40:50] = mask[10:20, 80:90] = True
        >>> find_heads(mask)
        [(0.4, 0.1, 0.5, 0.2), (0.8, 0.1, 0.9, 0.2)]
    """
    mask = mask[::2, ::2]  # accurate enough, in a third of the time
    height, width = mask.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    heads: list[Box] = []
    for left, top, columns, rows, area in sorted(stats[1:].tolist(), key=lambda row: -row[cv2.CC_STAT_AREA]):
        if area < MIN_HAIR_FRACTION * mask.size:
            break
        box = left / width, top / height, (left + columns) / width, (top + rows) / height
        near = [head for head in heads if _overlap(_grow(head, HEAD_MARGIN), box)]
        heads = [head for head in heads if head not in near] + [_union([box, *near])]
    return sorted(heads[:MAX_HEADS])


def find_focus(heads: list[Box]) -> Box | None:
    """Return a box around all heads, with the photo's aspect ratio, unless it covers most of the photo.

    Example:
        >>> find_focus([(0.4, 0.1, 0.5, 0.2)])
        (0.32, 0.035, 0.58, 0.295)
    """
    if not heads:
        return None
    left, top, right, bottom = _union(heads)
    side = max(MIN_FOCUS_FRACTION, (1 + 2 * FOCUS_MARGIN) * max(right - left, bottom - top))
    if side >= MAX_FOCUS_FRACTION:
        return None
    x = min(max((left + right) / 2 - side / 2, 0), 1 - side)
    y = min(max(top - side / 4, 0), 1 - side)  # the face is below the hair
    return round(x, 4), round(y, 4), round(x + side, 4), round(y + side, 4)


def restrict_to_head(alpha: np.ndarray, head: Box | None) -> np.ndarray:
    """Return the alpha of one head: 0 outside its box and a margin. For None, the alpha is returned unchanged."""
    if head is None:
        return alpha
    height, width = alpha.shape
    left, top, right, bottom = _grow(head, HEAD_MARGIN / 2)
    box = np.s_[max(0, int(top * height)) : round(bottom * height), max(0, int(left * width)) : round(right * width)]
    restricted = np.zeros_like(alpha)
    restricted[box] = alpha[box]
    return restricted


def _grow(box: Box, margin: float) -> Box:
    left, top, right, bottom = box
    x, y = margin * (right - left), margin * (bottom - top)
    return left - x, top - y, right + x, bottom + y


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _union(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def find_middle(mask: np.ndarray) -> float:
    """Return the median column of the hair, as a fraction of the width; 0.5 without hair."""
    cumulative = np.cumsum(np.sum(mask[::4], axis=0))  # every fourth row is accurate enough
    if not cumulative[-1]:
        return 0.5
    return float((np.searchsorted(cumulative, cumulative[-1] / 2) + 0.5) / len(cumulative))


def format_percent(fraction: float) -> str:
    """Format a fraction, with fewer digits the larger it is.

    Example:
        >>> [format_percent(value) for value in (0.31, 0.0034, 0.00002, 0)]
        ['31 %', '0.3 %', 'less than 0.1 %', '0 %']
    """
    if fraction == 0:
        return "0 %"
    if fraction < 0.0005:
        return "less than 0.1 %"
    return f"{100 * fraction:.1f} %" if fraction < 0.0995 else f"{100 * fraction:.0f} %"


def caption(fraction: float, alpha: np.ndarray, photo: np.ndarray, small_heads: int = 1) -> str:
    """Describe one network's result, such as "hair: 12 % of the photo".

    Args:
        fraction: Fraction of the photo that is hair.
        alpha: float32 in [0, 1], (height, width).
        photo: uint8 RGB, (height, width, 3).
        small_heads: Number of heads in the photo; 0 if one of them is large.
    """
    if fraction < MIN_HAIR_FRACTION:
        return "no hair found" if alpha.max() <= VISIBLE_ALPHA else "hardly any hair found"
    small = "hair of small heads" if small_heads > 1 else "hair of a small head"
    subject = small if small_heads and fraction < SMALL_HEAD_FRACTION else "hair"
    darkness = ", too dark to look natural in light colours" if is_unlit(photo, alpha) else ""
    return f"{subject}: {format_percent(fraction)} of the photo{darkness}"


def is_unlit(photo: np.ndarray, alpha: np.ndarray) -> bool:
    """Return whether most of the hair is black in the photo, without visible strands."""
    step = max(1, max(alpha.shape) // 500)
    lightness = rgb_to_lightness(np.ascontiguousarray(photo[::step, ::step]))[alpha[::step, ::step] > 0.9]
    return bool(lightness.size and np.median(lightness) < UNLIT_LIGHTNESS)


def verdict(comparison: Comparison, scores: Mapping[str, float] | None) -> str:
    """Describe how the results of both networks for a photo differ.

    Args:
        comparison: Comparison of their masks.
        scores: F1 of both variants on photos of whole persons; None if not measured.

    Example:
        >>> found = Comparison({"pretrained": 0.01, "random": 0.0}, 0.0, None, [])
        >>> verdict(found, {"pretrained": 0.86, "random": 0.58})
        'Only the pretrained network finds hair here. On whole persons: pretrained F1 86 %, from scratch 58 %.'
    """
    random, pretrained = (comparison.fractions[variant] for variant in ("random", "pretrained"))
    if max(random, pretrained) < MIN_HAIR_FRACTION:
        finding = "Neither network finds hair here."
    elif random < NEGLIGIBLE_FRACTION * pretrained:
        finding = "Only the pretrained network finds hair here."
    elif pretrained < NEGLIGIBLE_FRACTION * random:
        finding = "Only the network from scratch finds hair here; is it any?"
    elif comparison.agreement > 0.9:
        finding = f"An easy photo: they agree on {format_percent(comparison.agreement)} of this hair."
    else:
        finding = f"They agree on {format_percent(comparison.agreement)} of this hair."
    if not scores or comparison.agreement > 0.9:
        return finding
    f1 = f"pretrained F1 {format_percent(scores['pretrained'])}, from scratch {format_percent(scores['random'])}"
    return f"{finding} On whole persons: {f1}."
