"""Data augmentation: scale, rotation, scenes behind people, colour, blur and compression.

Parameters are drawn on the CPU, seeded by the epoch and the index of the photo, so epochs are reproducible. Pixels are
rendered batch by batch on the training device (`hairseg.data.rendering`), so that a GPU does not wait.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from hairseg.data.decoded import PhotoArrays
from hairseg.data.jpeg import RGB_TO_YCBCR, quantisation_tables
from hairseg.data.rendering import Layer, RenderBatch
from hairseg.networks.preprocessing import IGNORE, Preprocessing

SOURCE_SIZE = 512  # side of the source photos in pixels, larger than frames for the sake of enlarged photos


@dataclass(frozen=True)
class Augmentation:
    """Ranges and probabilities of data augmentation.

    A frame is a rendered training photo. A scale is the longer side of a photo as a multiple of the frame's side.

    Attributes:
        scale: range for most photos.
        distant_prob: probability of people in a scene at `distant_scale`.
        distant_scale: range for distant people.
        second_person_prob: probability of a second person in a frame with distant people, and of each further one.
        max_people: maximum number of distant people in a frame.
        no_person_prob: probability of a scene without people.
        scene_prob: probability of a scene behind other photos; without one, photos are padded.
        scene_crop: range of the part of a scene that fills the frame, as a fraction of its shorter side.
        scene_colour: maximum additional change of the saturation factor of scenes without people; their hue shifts by
            up to half as many turns.
        max_stretch: maximum change of the aspect ratio.
        max_rotation: in degrees, to either side.
        max_feather: maximum width of a photo's soft edge in a scene, as a fraction of its longer side.
        brightness: maximum change of the factor.
        contrast: maximum change of the factor.
        saturation: maximum change of the factor.
        hue: maximum shift of the hue in turns.
        dim_light_prob: probability of a frame in dim, warm light.
        greyscale_prob: probability of a grey frame.
        blur_prob: probability of a blurred frame.
        jpeg_prob: probability of a compressed frame.
    """

    scale: tuple[float, float] = (0.7, 1.6)
    distant_prob: float = 0.25
    distant_scale: tuple[float, float] = (0.14, 0.7)
    second_person_prob: float = 0.3
    max_people: int = 2
    no_person_prob: float = 0.05
    scene_prob: float = 0.6
    scene_crop: tuple[float, float] = (0.5, 1.0)
    scene_colour: float = 0.0
    max_stretch: float = 0.1
    max_rotation: float = 20.0
    max_feather: float = 0.08
    brightness: float = 0.35
    contrast: float = 0.35
    saturation: float = 0.35
    hue: float = 0.04
    dim_light_prob: float = 0.0
    greyscale_prob: float = 0.08
    blur_prob: float = 0.2
    jpeg_prob: float = 0.3


class Placement(NamedTuple):
    """One photo or scene in a frame; the last four fields are those of `Layer`."""

    source: PhotoArrays
    photo_index: int
    reduction: int  # side of the blocks that are averaged before the photo is sampled
    transform: np.ndarray
    centre: np.ndarray
    half_size: np.ndarray
    feather: float


class Effects(NamedTuple):
    """Changes of a frame's pixels after painting."""

    colour_matrix: np.ndarray  # (3, 3)
    contrast: float
    blur_sigma: float  # in pixels; 0 for none
    jpeg_quality: float  # 0 for none


@dataclass
class AugmentedPhotos(Dataset[RenderBatch]):
    """Training photos with augmentation parameters, which depend on nothing but index and seed.

    Attributes:
        people: photos of people at `SOURCE_SIZE`.
        scenes: photos without people at `SOURCE_SIZE`; may be empty.
        preprocessing: defines the size of the frames.
        augmentation: ranges and probabilities.
        seed: seed of the epoch.
    """

    people: PhotoArrays
    scenes: PhotoArrays
    preprocessing: Preprocessing
    augmentation: Augmentation
    seed: int

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, indices: list[int]) -> RenderBatch:
        """Draw the augmentation of a batch of photos."""
        layers: dict[tuple[int, bool, int], list[tuple[int, Placement]]] = {}
        effects: list[Effects] = []
        for frame, index in enumerate(indices):
            rng = np.random.default_rng((self.seed % 2**63, index))
            placements, varies_colour = self._draw_placements(rng, index)
            for level, placement in enumerate(placements):
                key = level, placement.source is self.people, placement.reduction
                layers.setdefault(key, []).append((frame, placement))
            effects.append(_draw_effects(rng, self.augmentation, varies_colour))
        blurred = [frame for frame, drawn in enumerate(effects) if drawn.blur_sigma]
        compressed = [frame for frame, drawn in enumerate(effects) if drawn.jpeg_quality]
        sigmas = np.array([effects[frame].blur_sigma for frame in blurred])
        kernels = np.exp(-0.5 * (np.arange(-2, 3) / sigmas[:, None]) ** 2)
        return RenderBatch(
            [_stack_layer(layers[key], has_people=key[1]) for key in sorted(layers)],
            _to_float32([drawn.colour_matrix for drawn in effects]),
            _to_float32([drawn.contrast for drawn in effects]),
            torch.tensor(blurred, dtype=torch.int64),
            _to_float32(kernels / kernels.sum(1, keepdims=True)),
            torch.tensor(compressed, dtype=torch.int64),
            quantisation_tables([effects[frame].jpeg_quality for frame in compressed]),
        )

    def _draw_placements(self, rng: np.random.Generator, index: int) -> tuple[list[Placement], bool]:
        """Draw the layers of a frame from the lowest to the highest, and whether `scene_colour` applies to it."""
        settings, case = self.augmentation, rng.random()
        placements: list[Placement] = []
        is_distant, is_empty = case < settings.distant_prob, case > 1 - settings.no_person_prob
        has_scene = len(self.scenes) > 0 and (is_distant or is_empty or rng.random() < settings.scene_prob)
        if has_scene:
            placements.append(self._draw_scene(rng))
            if is_empty:
                return placements, settings.scene_colour > 0
        people = [index]
        while is_distant and len(people) < settings.max_people and rng.random() < settings.second_person_prob:
            people.append(int(rng.integers(len(self.people))))
        for person in people:
            scale = _log_uniform(rng, *(settings.distant_scale if is_distant else settings.scale))
            longer_side = scale * self.preprocessing.image_size
            placements.append(self._draw_person(rng, person, longer_side, settings.max_feather if has_scene else 0))
        return placements, False

    def _draw_scene(self, rng: np.random.Generator) -> Placement:
        """Draw a crop of a scene that fills the frame."""
        weights = self.scenes.weights.cumsum(0).numpy()
        index = int(np.searchsorted(weights[:-1], rng.random() * weights[-1], side="right"))
        left, top, right, bottom = window = self.scenes.windows[index].tolist()
        side = rng.uniform(*self.augmentation.scene_crop) * min(right - left, bottom - top)
        centre = rng.uniform(left + side / 2, right - side / 2), rng.uniform(top + side / 2, bottom - side / 2)
        size = self.preprocessing.image_size
        linear = np.eye(2) * side / size
        transform = _normalised_transform(linear, np.array(centre) - linear @ [size / 2, size / 2], size)
        return Placement(self.scenes, index, _reduction(side / size), transform, *_centre_and_half_size(window), 0.0)

    def _draw_person(self, rng: np.random.Generator, index: int, longer_side: float, max_feather: float) -> Placement:
        """Scale, stretch, mirror and rotate a photo, and place it so that it covers the frame or lies within it.

        Up to a fifth of it may lie outside the frame. Most photos fade into the scene over a random width, since a
        network would learn to find sharp edges of pasted rectangles.
        """
        settings, side = self.augmentation, self.preprocessing.image_size
        left, top, right, bottom = window = self.people.windows[index].tolist()
        size = np.array([right - left, bottom - top])
        stretch = _log_uniform(rng, 1 / (1 + settings.max_stretch), 1 + settings.max_stretch) ** 0.5
        scale = longer_side / size.max()
        scales = np.array([scale / stretch, scale * stretch])
        is_mirrored, angle = rng.random() < 0.5, np.radians(rng.uniform(-settings.max_rotation, settings.max_rotation))
        rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        rotated_size = np.abs(rotation) @ (scales * size)
        free = side - rotated_size
        margin = np.where(free > 0, 0.2 * np.minimum(rotated_size, side), 0)
        corner = rng.uniform(np.minimum(0, free) - margin, np.maximum(0, free) + margin)
        linear = np.diag([-1 if is_mirrored else 1, 1]) @ np.diag(1 / scales) @ rotation
        offset = np.array([left + right, top + bottom]) / 2 - linear @ (corner + rotated_size / 2)
        is_feathered = rng.random() < 0.7
        feather = rng.uniform(0, max_feather) * size.max() * 2 / SOURCE_SIZE if is_feathered else 0
        transform = _normalised_transform(linear, offset, side)
        return Placement(self.people, index, _reduction(1 / scale), transform, *_centre_and_half_size(window), feather)


def _stack_layer(placed: list[tuple[int, Placement]], has_people: bool) -> Layer:
    frames = [frame for frame, _ in placed]
    placements = [placement for _, placement in placed]
    photos = [_reduce(each.source.photos[each.photo_index].numpy(), each.reduction) for each in placements]
    coverage = torch.from_numpy(np.stack([_coverage(each) for each in placements])) if has_people else None
    return Layer(
        torch.tensor(frames),
        torch.from_numpy(np.stack(photos)),
        coverage,
        _to_float32([each.transform for each in placements]),
        _to_float32([each.centre for each in placements]),
        _to_float32([each.half_size for each in placements]),
        _to_float32([each.feather for each in placements]),
    )


def _to_float32(values: np.ndarray | list[np.ndarray] | list[float]) -> torch.Tensor:
    return torch.tensor(np.array(values), dtype=torch.float32)


def _draw_effects(rng: np.random.Generator, settings: Augmentation, varies_colour: bool) -> Effects:
    def draw_factor(change: float) -> float:
        return rng.uniform(max(0, 1 - change), 1 + change)

    colours, contrast = np.eye(3), 1.0
    if varies_colour:
        colours = _colour_matrix(draw_factor(settings.scene_colour), rng.uniform(-0.5, 0.5) * settings.scene_colour)
    if rng.random() < 0.8:
        contrast = draw_factor(settings.contrast)
        jitter = _colour_matrix(draw_factor(settings.saturation), rng.uniform(-settings.hue, settings.hue))
        colours = draw_factor(settings.brightness) * jitter @ colours
    if settings.dim_light_prob and rng.random() < settings.dim_light_prob:
        colours = _draw_dim_light(rng) @ colours
    if rng.random() < settings.greyscale_prob:
        colours = _colour_matrix(0, 0) @ colours
    sigma = rng.uniform(0.3, 1.5) if rng.random() < settings.blur_prob else 0
    quality = rng.uniform(30, 95) if rng.random() < settings.jpeg_prob else 0
    return Effects(colours, contrast, sigma, quality)


def _draw_dim_light(rng: np.random.Generator) -> np.ndarray:
    """Return a diagonal RGB matrix (3, 3) that darkens all channels, blue most and red least."""
    warmth = rng.random()
    return _log_uniform(rng, 0.25, 0.8) * np.diag([1, 1 - 0.3 * warmth, 1 - 0.5 * warmth])


def _colour_matrix(saturation: float, hue: float) -> np.ndarray:
    """Return the RGB matrix (3, 3) that scales saturation and shifts hue, in turns, at constant luma."""
    cos, sin = saturation * np.cos(2 * np.pi * hue), saturation * np.sin(2 * np.pi * hue)
    return np.linalg.inv(RGB_TO_YCBCR) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ RGB_TO_YCBCR


def _centre_and_half_size(window: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Convert left, top, right and bottom in pixels to `Layer.centres` and `Layer.half_sizes`."""
    first, last = np.array(window).reshape(2, 2) * 2 / SOURCE_SIZE - 1
    return (first + last) / 2, (last - first) / 2


def _reduce(picture: np.ndarray, reduction: int) -> np.ndarray:
    size = picture.shape[1] // reduction, picture.shape[0] // reduction
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if reduction > 1 else picture


def _coverage(placement: Placement) -> np.ndarray:
    """Return one photo's `Layer.coverage`."""
    mask = placement.source.masks[placement.photo_index].numpy()
    left, top, right, bottom = placement.source.windows[placement.photo_index].tolist()
    photo = np.zeros(mask.shape, np.uint8)
    photo[top:bottom, left:right] = 255
    planes = np.where(mask == 1, photo, 0), photo, np.where(mask == IGNORE, photo, 0)
    return np.stack([_reduce(plane, placement.reduction) for plane in planes])


def _normalised_transform(linear: np.ndarray, offset: np.ndarray, side: int) -> np.ndarray:
    """Convert a map from frame to source pixels, linear @ (x, y) + offset, to `Layer.transforms`: (2, 3)."""
    centre = linear @ [side / 2, side / 2] + offset
    return np.hstack([linear * side / SOURCE_SIZE, (centre * 2 / SOURCE_SIZE - 1)[:, None]])


def _reduction(shrinkage: float) -> int:
    """Return the side of the blocks to average, a power of two, so that bilinear sampling skips few pixels."""
    return 2 ** int(np.clip(round(np.log2(shrinkage) - 0.2), 0, 4))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return low * (high / low) ** rng.random()
