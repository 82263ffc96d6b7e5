"""Photos as people take them: near and far, tilted, in any light, sharp or not; made anew for every epoch.

What happens to a photo is drawn on the CPU, from its index and the epoch's seed alone; it is done batch by batch on the
device that trains (`render`), so that a GPU does not wait for it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from hairseg.data.decoded import PhotoArrays
from hairseg.data.jpeg import TO_YCBCR, quantisation
from hairseg.data.rendering import Batch, Layer
from hairseg.networks.preprocessing import IGNORE, Preprocessing

SOURCE_SIZE = 512  # side of the photos that augmentation starts from, so that coming closer shows more


@dataclass(frozen=True)
class Augmentation:
    """How training photos are varied. Shares are probabilities; sizes are of the photo's longer side, in frames."""

    size: tuple[float, float] = (0.7, 1.6)  # of most photos: from some space around the head to a part of it
    far: float = 0.25  # share of frames that show their people smaller than that, in a scene
    far_size: tuple[float, float] = (0.14, 0.7)
    second_person_share: float = 0.3  # share of those that show a second person
    hairless: float = 0.05  # share of frames that show a scene and nobody
    crop: tuple[float, float] = (0.5, 1.0)  # part of a scene that fills the frame, of its shorter side
    any_colour: float = 0.0  # how far hue (half as far) and saturation of frames without people are changed on top
    scene: float = (
        0.6  # share of the others with a scene around the photo; the rest have the padding of a preprocessing
    )
    stretch: float = 0.1  # aspect ratio, times or divided by one more than that
    rotation: float = 20.0  # degrees to either side
    feather: float = 0.08  # widest soft edge of a photo in a scene, of its longer side
    brightness: float = 0.35
    contrast: float = 0.35
    saturation: float = 0.35
    hue: float = 0.04
    grey: float = 0.08
    blur: float = 0.2
    jpeg: float = 0.3


@dataclass
class AugmentedPhotos(Dataset):
    """Training photos and masks with what is to happen to them, by their indices and the epoch's seed alone."""

    people: PhotoArrays  # at SOURCE_SIZE
    scenes: PhotoArrays  # at SOURCE_SIZE, photos without any person; may be empty
    preprocessing: Preprocessing
    augmentation: Augmentation
    seed: int

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, indices: list[int]) -> Batch:
        layers, looks = {}, []
        for frame, index in enumerate(indices):
            rng = np.random.default_rng((self.seed % 2**63, index))
            pasted, repainted = self._scene_and_people(rng, index)
            for height, (source, chosen, reduction, *where) in enumerate(pasted):
                layers.setdefault((height, source is self.people, reduction), []).append((frame, source, chosen, where))
            looks.append(_draw_look(rng, self.augmentation, repainted))
        stacked = []
        for (_, of_people, reduction), pasted in sorted(layers.items(), key=lambda item: item[0]):
            frames, sources, chosen, where = zip(*pasted, strict=True)
            source = sources[0]
            photos = torch.from_numpy(np.stack([_reduced(source.photos[index].numpy(), reduction) for index in chosen]))
            planes = None
            if of_people:
                planes = torch.from_numpy(np.stack([_planes(source, index, reduction) for index in chosen]))
            where = (torch.tensor(np.array(values), dtype=torch.float32) for values in zip(*where, strict=True))
            stacked.append(Layer(torch.tensor(frames), photos, planes, *where))
        colours, contrasts, sigmas, qualities = zip(*looks, strict=True)
        blurred = [frame for frame, sigma in enumerate(sigmas) if sigma]
        compressed = [frame for frame, quality in enumerate(qualities) if quality]
        kernels = np.exp(-0.5 * (np.arange(-2, 3) / np.array([sigmas[frame] for frame in blurred])[:, None]) ** 2)
        return Batch(
            stacked,
            torch.tensor(np.array(colours), dtype=torch.float32),
            torch.tensor(contrasts, dtype=torch.float32),
            torch.tensor(blurred, dtype=torch.int64),
            torch.tensor(kernels / kernels.sum(1, keepdims=True), dtype=torch.float32),
            torch.tensor(compressed, dtype=torch.int64),
            quantisation([qualities[frame] for frame in compressed]),
        )

    def _scene_and_people(self, rng: np.random.Generator, index: int) -> tuple[list[tuple], bool]:
        """What a frame shows, the lowest first: source, index in it, its reduction, placing, middle, half size and
        feather; and whether it is a frame without people that may take any colour."""
        settings, kind, pasted = self.augmentation, rng.random(), []
        far, hairless = kind < settings.far, kind > 1 - settings.hairless
        in_scene = len(self.scenes) and (far or hairless or rng.random() < settings.scene)
        if in_scene:
            pasted.append(self._backdrop(rng))
            if hairless:
                return pasted, settings.any_colour > 0
        people = [index]
        if far and rng.random() < settings.second_person_share:
            people.append(int(rng.integers(len(self.people))))
        for person in people:
            size = _log_uniform(rng, *(settings.far_size if far else settings.size))
            pasted.append(
                self._person(rng, person, size * self.preprocessing.image_size, settings.feather if in_scene else 0)
            )
        return pasted, False

    def _backdrop(self, rng: np.random.Generator) -> tuple:
        """Part of a scene that fills the frame."""
        weights = self.scenes.weights.cumsum(0).numpy()
        chosen = int(np.searchsorted(weights[:-1], rng.random() * weights[-1], side="right"))
        left, top, right, bottom = window = self.scenes.windows[chosen].tolist()
        side = rng.uniform(*self.augmentation.crop) * min(right - left, bottom - top)
        centre = rng.uniform(left + side / 2, right - side / 2), rng.uniform(top + side / 2, bottom - side / 2)
        size = self.preprocessing.image_size
        linear = np.eye(2) * side / size
        placing = _placing(linear, np.array(centre) - linear @ [size / 2, size / 2], size)
        return self.scenes, chosen, _reduction(side / size), placing, *_middle_and_half(window), 0.0

    def _person(self, rng: np.random.Generator, index: int, longer_side: float, feather: float) -> tuple:
        """A photo scaled, stretched, mirrored and rotated, at a random place: all of it within the frame or the frame
        within it, or up to a fifth beyond.

        Its edge fades into a scene over a random width, or the network would learn to look for pasted rectangles.
        """
        settings, side = self.augmentation, self.preprocessing.image_size
        left, top, right, bottom = window = self.people.windows[index].tolist()
        stretch = _log_uniform(rng, 1 / (1 + settings.stretch), 1 + settings.stretch) ** 0.5
        scale = longer_side / max(right - left, bottom - top)
        scales = np.array([scale / stretch, scale * stretch])
        mirrored, angle = rng.random() < 0.5, np.radians(rng.uniform(-settings.rotation, settings.rotation))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        covers = np.abs(turn) @ (scales * [right - left, bottom - top])  # width and height once turned
        room = side - covers
        beyond = np.where(room > 0, 0.2 * np.minimum(covers, side), 0)
        corner = rng.uniform(np.minimum(0, room) - beyond, np.maximum(0, room) + beyond)
        linear = np.diag([-1 if mirrored else 1, 1]) @ np.diag(1 / scales) @ turn
        offset = np.array([left + right, top + bottom]) / 2 - linear @ (corner + covers / 2)
        fades = rng.random() < 0.7
        width = rng.uniform(0, feather) * max(right - left, bottom - top) * 2 / SOURCE_SIZE if fades else 0
        return (
            self.people,
            index,
            _reduction(1 / scale),
            _placing(linear, offset, side),
            *_middle_and_half(window),
            width,
        )


def _draw_look(
    rng: np.random.Generator, settings: Augmentation, repainted: bool
) -> tuple[np.ndarray, float, float, float]:
    """Colour matrix (3, 3), contrast, sigma of the blur in pixels (0: none), quality of the JPEG (0: none)."""

    def around_one(reach):
        return rng.uniform(max(0, 1 - reach), 1 + reach)

    colours, contrast = np.eye(3), 1.0
    if repainted:
        colours = _recolouring(around_one(settings.any_colour), rng.uniform(-0.5, 0.5) * settings.any_colour)
    if rng.random() < 0.8:
        contrast = around_one(settings.contrast)
        jitter = _recolouring(around_one(settings.saturation), rng.uniform(-settings.hue, settings.hue))
        colours = around_one(settings.brightness) * jitter @ colours
    if rng.random() < settings.grey:
        colours = _recolouring(0, 0) @ colours
    sigma = rng.uniform(0.3, 1.5) if rng.random() < settings.blur else 0
    quality = rng.uniform(30, 95) if rng.random() < settings.jpeg else 0
    return colours, contrast, sigma, quality


def _recolouring(saturation: float, hue: float) -> np.ndarray:
    """Matrix (3, 3) that multiplies the saturation and turns the hue, in turns, at equal luminance: in Y'CbCr."""
    cos, sin = saturation * np.cos(2 * np.pi * hue), saturation * np.sin(2 * np.pi * hue)
    return np.linalg.inv(TO_YCBCR) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ TO_YCBCR


def _middle_and_half(window: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Of left, top, right and bottom in pixels, as `Layer` has them."""
    first, last = np.array(window).reshape(2, 2) * 2 / SOURCE_SIZE - 1
    return (first + last) / 2, (last - first) / 2


def _reduced(picture: np.ndarray, reduction: int) -> np.ndarray:
    size = picture.shape[1] // reduction, picture.shape[0] // reduction
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if reduction > 1 else picture


def _planes(source: PhotoArrays, index: int, reduction: int) -> np.ndarray:
    """As `Layer` has them."""
    mask, (left, top, right, bottom) = source.masks[index].numpy(), source.windows[index].tolist()
    photo = np.zeros(mask.shape, np.uint8)
    photo[top:bottom, left:right] = 255
    planes = np.where(mask == 1, photo, 0), photo, np.where(mask == IGNORE, photo, 0)
    return np.stack([_reduced(plane, reduction) for plane in planes])


def _placing(linear: np.ndarray, offset: np.ndarray, side: int) -> np.ndarray:
    """Pixels (x, y) of a frame -> linear @ (x, y) + offset, pixels of a source, as `affine_grid` wants it."""
    centre = linear @ [side / 2, side / 2] + offset
    return np.hstack([linear * side / SOURCE_SIZE, (centre * 2 / SOURCE_SIZE - 1)[:, None]])


def _reduction(shrinkage: float) -> int:
    """Side of the blocks of pixels to average, so that bilinear sampling then leaves few out."""
    return 2 ** int(np.clip(round(np.log2(shrinkage) - 0.2), 0, 4))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return low * (high / low) ** rng.random()
