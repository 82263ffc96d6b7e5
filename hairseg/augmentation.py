"""Photos as people take them: near and far, tilted, in any light, sharp or not; made anew for every epoch.

What happens to a photo is drawn on the CPU, from its index and the epoch's seed alone; it is done batch by batch on the
device that trains (`render`), so that a GPU does not wait for it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from hairseg.arrays import Split
from hairseg.transforms import IGNORE, Preset

SOURCE_SIZE = 512  # side of the photos that augmentation starts from, so that coming closer shows more
GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as JPEG has it
TO_YCBCR = np.array([GREY, [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
# Quantisation of luminance and chrominance at quality 50, ITU-T T.81 (JPEG), tables K.1 and K.2.
LUMINANCE = [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
             87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
             72, 92, 95, 98, 112, 100, 103, 99]
CHROMINANCE = [17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
               99, 99, 99] + 32 * [99]


@dataclass(frozen=True)
class Augmentation:
    """How training photos are varied. Shares are probabilities; sizes are of the photo's longer side, in frames."""

    size: tuple[float, float] = (0.7, 1.6)  # of most photos: from some space around the head to a part of it
    far: float = 0.25  # share of frames that show their people smaller than that, in a scene
    far_size: tuple[float, float] = (0.14, 0.7)
    company: float = 0.3  # share of those that show a second person
    hairless: float = 0.05  # share of frames that show a scene and nobody
    crop: tuple[float, float] = (0.5, 1.0)  # part of a scene that fills the frame, of its shorter side
    any_colour: float = 0.0  # how far hue (half as far) and saturation of frames without people are changed on top
    scene: float = 0.6  # share of the others with a scene around the photo; the rest have the padding of a preset
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


class Layer(NamedTuple):
    """Photos to be laid over frames of a batch. Coordinates are those of `grid_sample`: a square is [-1, 1] x [-1, 1]."""

    frames: torch.Tensor  # int64 (photos,): the frames' indices in the batch
    photos: torch.Tensor  # uint8 (photos, side, side, 3)
    planes: torch.Tensor | None  # uint8 (photos, 2, side, side), 255 where hair is, and where the photo is; None: scenes
    placing: torch.Tensor  # float32 (photos, 2, 3): affine, from a place in the frame to that in the photo's square
    middles: torch.Tensor  # float32 (photos, 2): x and y of the middle of the photo in its square
    halves: torch.Tensor  # float32 (photos, 2): half its width and height
    feathers: torch.Tensor  # float32 (photos,): width over which it fades in from its edges


class Batch(NamedTuple):
    """What `render` makes frames of."""

    layers: list[Layer]  # the lowest first
    colours: torch.Tensor  # float32 (frames, 3, 3): to be multiplied with RGB
    contrasts: torch.Tensor  # float32 (frames,): to be multiplied with the distance from the mean grey
    blurred: torch.Tensor  # int64: indices of frames
    kernels: torch.Tensor  # float32 (blurred, 5): what each of them is convolved with, along either axis
    compressed: torch.Tensor  # int64: indices of frames
    quantisation: torch.Tensor  # float32 (compressed, 2, 8, 8): JPEG tables of each of them


@dataclass
class Varied(Dataset):
    """Training photos and masks with what is to happen to them, by their indices and the epoch's seed alone."""

    people: Split  # at SOURCE_SIZE
    scenes: Split  # at SOURCE_SIZE, photos without any person; may be empty
    preset: Preset
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
            frames, sources, chosen, where = zip(*pasted)
            source = sources[0]
            photos = torch.from_numpy(np.stack([_reduced(source.photos[each].numpy(), reduction) for each in chosen]))
            planes = None
            if of_people:
                planes = torch.from_numpy(np.stack([_planes(source.masks[each].numpy(), reduction) for each in chosen]))
            where = (torch.tensor(np.array(part), dtype=torch.float32) for part in zip(*where))
            stacked.append(Layer(torch.tensor(frames), photos, planes, *where))
        colours, contrasts, sigmas, qualities = zip(*looks)
        blurred = [frame for frame, sigma in enumerate(sigmas) if sigma]
        compressed = [frame for frame, quality in enumerate(qualities) if quality]
        kernels = np.exp(-0.5 * (np.arange(-2, 3) / np.array([sigmas[frame] for frame in blurred])[:, None]) ** 2)
        return Batch(
            stacked, torch.tensor(np.array(colours), dtype=torch.float32), torch.tensor(contrasts, dtype=torch.float32),
            torch.tensor(blurred, dtype=torch.int64), torch.tensor(kernels / kernels.sum(1, keepdims=True), dtype=torch.float32),
            torch.tensor(compressed, dtype=torch.int64), _quantisation([qualities[frame] for frame in compressed]),
        )

    def _scene_and_people(self, rng: np.random.Generator, index: int) -> tuple[list[tuple], bool]:
        """What a frame shows, the lowest first: source, index in it, its reduction, placing, middle, half size and feather;
        and whether it is a frame without people that may take any colour."""
        settings, kind, pasted = self.augmentation, rng.random(), []
        far, hairless = kind < settings.far, kind > 1 - settings.hairless
        in_scene = len(self.scenes) and (far or hairless or rng.random() < settings.scene)
        if in_scene:
            pasted.append(self._backdrop(rng))
            if hairless:
                return pasted, settings.any_colour > 0
        people = [index]
        if far and rng.random() < settings.company:
            people.append(int(rng.integers(len(self.people))))
        for person in people:
            size = _log_uniform(rng, *(settings.far_size if far else settings.size))
            pasted.append(self._person(rng, person, size * self.preset.image_size, settings.feather if in_scene else 0))
        return pasted, False

    def _backdrop(self, rng: np.random.Generator) -> tuple:
        """Part of a scene that fills the frame."""
        chosen = int(rng.integers(len(self.scenes)))
        left, top, right, bottom = window = _window(self.scenes.masks[chosen])
        side = rng.uniform(*self.augmentation.crop) * min(right - left, bottom - top)
        centre = rng.uniform(left + side / 2, right - side / 2), rng.uniform(top + side / 2, bottom - side / 2)
        size = self.preset.image_size
        linear = np.eye(2) * side / size
        placing = _placing(linear, np.array(centre) - linear @ [size / 2, size / 2], size)
        return self.scenes, chosen, _reduction(side / size), placing, *_middle_and_half(window), 0.0

    def _person(self, rng: np.random.Generator, index: int, longer_side: float, feather: float) -> tuple:
        """A photo scaled, stretched, mirrored and rotated, at a random place: all of it within the frame or the frame
        within it, or up to a fifth beyond.

        Its edge fades into a scene over a random width, or the network would learn to look for pasted rectangles.
        """
        settings, side = self.augmentation, self.preset.image_size
        left, top, right, bottom = window = _window(self.people.masks[index])
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
        return self.people, index, _reduction(1 / scale), _placing(linear, offset, side), *_middle_and_half(window), width


def render(batch: Batch, preset: Preset) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames as a network is trained on: uint8 photos (frames, side, side, 3) and masks (frames, side, side) of
    {0, 1, IGNORE}, on the batch's device."""
    frames, side, device = len(batch.colours), preset.image_size, batch.colours.device
    colour = torch.tensor(preset.mean).mul(255).round().to(device, non_blocking=True)
    photos = colour.view(1, 3, 1, 1).expand(frames, 3, side, side).contiguous()
    masks = torch.full((frames, side, side), IGNORE, dtype=torch.uint8, device=device)
    for layer in batch.layers:
        _paint(photos, masks, layer)
    photos = torch.einsum("fij,fjhw->fihw", batch.colours, photos).clamp_(0, 255)
    grey = torch.einsum("fchw,c->f", photos, _constant(GREY, device)).div_(side * side).view(-1, 1, 1, 1)
    photos = grey + batch.contrasts.view(-1, 1, 1, 1) * (photos - grey)
    if len(batch.blurred):
        photos[batch.blurred] = _blur(photos[batch.blurred], batch.kernels)
    if len(batch.compressed):
        photos[batch.compressed] = _compress(photos[batch.compressed].clamp_(0, 255), batch.quantisation)
    return photos.clamp_(0, 255).round_().to(torch.uint8).permute(0, 2, 3, 1), masks


def _paint(canvas: torch.Tensor, masks: torch.Tensor, layer: Layer) -> None:
    """Lay photos over their frames, float32 canvas (frames, 3, side, side) and masks (frames, side, side), in place."""
    side = canvas.shape[-1]
    steps = (torch.arange(side, device=canvas.device) * 2 + 1) / side - 1
    x, y, offset = layer.placing[:, None, None].unbind(-1)
    grid = x * steps[:, None] + (y * steps[:, None, None] + offset)
    photos = F.grid_sample(layer.photos.permute(0, 3, 1, 2).float(), grid, padding_mode="border", align_corners=False)
    if layer.planes is None:
        canvas[layer.frames], masks[layer.frames] = photos, 0
        return
    hair, cover = F.grid_sample(layer.planes.float(), grid, align_corners=False).unbind(1)
    hair = hair >= 0.5 * cover
    to_edges = (layer.halves[:, None, None] - (grid - layer.middles[:, None, None]).abs_()).amin(3)
    fade = (to_edges / layer.feathers.clamp(min=1e-6).view(-1, 1, 1)).clamp_(0, 1)
    cover = cover * fade / 255
    faded_hair = hair & (fade < 0.9) & (fade > 0.1)
    canvas[layer.frames] = torch.lerp(canvas[layer.frames], photos, cover[:, None])
    under = masks[layer.frames]
    masks[layer.frames] = torch.where(cover > 0.5, hair.to(torch.uint8), under).masked_fill_(faded_hair, IGNORE)


def _blur(photos: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Photos (n, 3, height, width), each convolved along both axes with its kernel (n, 5)."""
    count, channels, height, width = photos.shape
    kernels = kernels.repeat_interleave(channels, 0)
    photos = F.pad(photos, (2, 2, 2, 2), mode="reflect").view(1, count * channels, height + 4, width + 4)
    photos = F.conv2d(photos, kernels[:, None, None, :], groups=count * channels)
    return F.conv2d(photos, kernels[:, None, :, None], groups=count * channels).view(count, channels, height, width)


def _compress(photos: torch.Tensor, quantisation: torch.Tensor) -> torch.Tensor:
    """Photos (n, 3, height, width) in [0, 255] as JPEG leaves them: chroma at half the size, 8 x 8 blocks quantised.

    ITU-T T.81; sides are multiples of 16. Without the rounding of a decoder's integer arithmetic.
    """
    to_ycbcr = _constant(TO_YCBCR, photos.device)
    ycbcr = torch.einsum("ij,njhw->nihw", to_ycbcr, photos)
    luminance = _quantise(ycbcr[:, :1] - 128, quantisation[:, 0]) + 128
    chroma = _quantise(F.avg_pool2d(ycbcr[:, 1:], 2), quantisation[:, 1])
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.einsum("ij,njhw->nihw", _constant(np.linalg.inv(TO_YCBCR), photos.device), torch.cat([luminance, chroma], 1))


def _quantise(planes: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Planes (n, channels, height, width) with the cosine transform of their 8 x 8 blocks rounded to multiples of tables (n, 8, 8)."""
    k = np.arange(8)
    cosine = np.where(k == 0, 1, 2**0.5)[:, None] / 8**0.5 * np.cos(np.pi * (2 * k + 1) * k[:, None] / 16)
    cosine = _constant(cosine, planes.device)
    count, channels, height, width = planes.shape
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8)
    steps = table[:, None, None, :, None, :]
    blocks = torch.einsum("ux,ncyxzw,vw->ncyuzv", cosine, blocks, cosine).div_(steps).round_().mul_(steps)
    return torch.einsum("ux,ncyuzv,vw->ncyxzw", cosine, blocks, cosine).reshape(planes.shape)


def _draw_look(rng: np.random.Generator, settings: Augmentation, repainted: bool) -> tuple[np.ndarray, float, float, float]:
    """Colour matrix (3, 3), contrast, standard deviation of the blur in pixels (0: none), quality of the JPEG (0: none)."""
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


def _quantisation(qualities: list[float]) -> torch.Tensor:
    """Tables of luminance and chrominance per quality, (qualities, 2, 8, 8), scaled as libjpeg does."""
    tables = np.array([LUMINANCE, CHROMINANCE]).reshape(2, 8, 8)
    scales = [5000 / quality if quality < 50 else 200 - 2 * quality for quality in qualities]
    scaled = np.floor((tables * np.array(scales).reshape(-1, 1, 1, 1) + 50) / 100)
    return torch.tensor(np.clip(scaled, 1, 255), dtype=torch.float32)


def _window(mask: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a photo in its square, in pixels; right and bottom beyond its last."""
    inside = mask.numpy() != IGNORE
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _middle_and_half(window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Of left, top, right and bottom in pixels, as `Layer` has them."""
    first, last = np.array(window).reshape(2, 2) * 2 / SOURCE_SIZE - 1
    return (first + last) / 2, (last - first) / 2


def _reduced(picture: np.ndarray, reduction: int) -> np.ndarray:
    size = picture.shape[1] // reduction, picture.shape[0] // reduction
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if reduction > 1 else picture


def _planes(mask: np.ndarray, reduction: int) -> np.ndarray:
    return np.stack([_reduced(where.astype(np.uint8) * 255, reduction) for where in (mask == 1, mask != IGNORE)])


def _placing(linear: np.ndarray, offset: np.ndarray, side: int) -> np.ndarray:
    """Pixels (x, y) of a frame -> linear @ (x, y) + offset, pixels of a source, as `affine_grid` wants it."""
    centre = linear @ [side / 2, side / 2] + offset
    return np.hstack([linear * side / SOURCE_SIZE, (centre * 2 / SOURCE_SIZE - 1)[:, None]])


def _reduction(shrinkage: float) -> int:
    """Side of the blocks of pixels to average, so that bilinear sampling then leaves few out."""
    return 2 ** int(np.clip(round(np.log2(shrinkage) - 0.2), 0, 4))


def _constant(values: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).to(device, non_blocking=True)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return low * (high / low) ** rng.random()
