"""Photos as people take them: near and far, tilted, in any light, sharp or not; made anew for every epoch."""

from dataclasses import dataclass

import cv2
import torch
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as V

from hairseg.datasets import Split
from hairseg.transforms import IGNORE, Preset

SOURCE_SIZE = 512  # side of the photos that augmentation starts from, so that coming closer shows more


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


@dataclass
class Varied(Dataset):
    """Training photos and masks, each varied by its index and the epoch's seed alone, whatever process does it."""

    people: Split  # at SOURCE_SIZE
    scenes: Split  # at SOURCE_SIZE, photos without any person; may be empty
    preset: Preset
    augmentation: Augmentation
    seed: int

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Photo, uint8 (image_size, image_size, 3), and mask, uint8 (image_size, image_size) of {0, 1, IGNORE}."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed * 1_000_003 + index)
            photo, mask = self._frame(index)
            photo = _photometric(self.augmentation)(photo).permute(1, 2, 0)
            if _uniform(0, 1) < self.augmentation.jpeg:
                photo = _as_jpeg(photo, quality=round(_uniform(30, 95)))
        return photo, mask[0]

    def _frame(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Photo (3, image_size, image_size) and mask (1, image_size, image_size), before their colours change."""
        settings, kind = self.augmentation, _uniform(0, 1)
        far, hairless = kind < settings.far, kind > 1 - settings.hairless
        in_scene = len(self.scenes) and (far or hairless or _uniform(0, 1) < settings.scene)
        frame = self._backdrop() if in_scene else self._padding()
        if hairless and in_scene:
            if settings.any_colour:
                repainted = v2.ColorJitter(saturation=settings.any_colour, hue=settings.any_colour / 2)(frame[0])
                frame = repainted, frame[1]
            return frame
        people = [index]
        if far and _uniform(0, 1) < settings.company:
            people.append(int(torch.randint(len(self.people), ())))
        for person in people:
            size = _log_uniform(*(settings.far_size if far else settings.size))
            photo, mask = _turned(*_cut(*self.people[person]), size * self.preset.image_size, settings)
            frame = _pasted(frame, photo, mask, settings.feather if in_scene else 0)
        return frame

    def _padding(self) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.preset.image_size
        colour = torch.tensor(self.preset.mean).mul(255).round().to(torch.uint8)
        return colour.view(3, 1, 1).expand(3, size, size).clone(), torch.full((1, size, size), IGNORE, dtype=torch.uint8)

    def _backdrop(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Part of a scene that fills the frame."""
        photo, mask = _cut(*self.scenes[int(torch.randint(len(self.scenes), ()))])
        height, width = mask.shape[1:]
        side = int(_uniform(*self.augmentation.crop) * min(height, width))
        top, left = int(_uniform(0, height - side)), int(_uniform(0, width - side))
        size = self.preset.image_size
        photo = V.resized_crop(photo, top, left, side, side, [size, size], antialias=True)
        return photo, torch.zeros(1, size, size, dtype=torch.uint8)


def _photometric(settings: Augmentation) -> v2.Transform:
    return v2.Compose([
        v2.RandomApply([v2.ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue)], 0.8),
        v2.RandomGrayscale(settings.grey),
        v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], settings.blur),
    ])


def _as_jpeg(photo: torch.Tensor, quality: int) -> torch.Tensor:
    _, data = cv2.imencode(".jpg", photo.numpy(), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return torch.from_numpy(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))


def _cut(photo: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A photo (height, width, 3) and its mask (height, width) out of their padding, channels first."""
    inside = mask != IGNORE
    rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return photo[window].permute(2, 0, 1), mask[window][None]


def _turned(photo: torch.Tensor, mask: torch.Tensor, longer_side: float,
            settings: Augmentation) -> tuple[torch.Tensor, torch.Tensor]:
    """A photo and its mask scaled, stretched, mirrored and rotated; the corners that rotation opens are IGNORE."""
    if _uniform(0, 1) < 0.5:
        photo, mask = photo.flip(2), mask.flip(2)
    stretch = _log_uniform(1 / (1 + settings.stretch), 1 + settings.stretch) ** 0.5
    scale = longer_side / max(photo.shape[1:])
    size = [max(8, round(photo.shape[1] * scale * stretch)), max(8, round(photo.shape[2] * scale / stretch))]
    photo = V.resize(photo, size, antialias=True)
    mask = (V.resize(mask.float(), size, antialias=True) >= 0.5).to(torch.uint8)
    angle = _uniform(-settings.rotation, settings.rotation)
    photo = V.rotate(photo, angle, InterpolationMode.BILINEAR, expand=True)
    return photo, V.rotate(mask, angle, InterpolationMode.NEAREST, expand=True, fill=IGNORE)


def _pasted(frame: tuple[torch.Tensor, torch.Tensor], photo: torch.Tensor, mask: torch.Tensor,
            feather: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A photo laid over a frame at a random place, all of one within the other or up to a fifth of it beyond.

    Its edge fades into a scene over a random width, or the network would learn to look for pasted rectangles.
    """
    under, under_mask = frame
    size = under.shape[-1]
    corner = []
    for side in mask.shape[1:]:
        room = size - side
        beyond = 0.2 * min(side, size) if room > 0 else 0
        corner.append(round(_uniform(min(0, room) - beyond, max(0, room) + beyond)))
    top, left = corner
    into = slice(max(0, top), min(size, top + mask.shape[1])), slice(max(0, left), min(size, left + mask.shape[2]))
    out_of = tuple(slice(part.start - start, part.stop - start) for part, start in zip(into, corner))

    cover = (mask != IGNORE).float()
    radius = round(_uniform(0, feather) * max(mask.shape[1:]))
    if radius > 0 and _uniform(0, 1) < 0.7:
        window = (2 * radius + 1, 2 * radius + 1)
        faded = torch.from_numpy(cv2.blur(cover[0].numpy(), window, borderType=cv2.BORDER_CONSTANT))
        cover = (2 * faded[None] - 1).clamp(0, 1)
    photo, mask, cover = (part[(slice(None), *out_of)] for part in (photo, mask, cover))
    window = (slice(None), *into)
    under[window] = torch.lerp(under[window].float(), photo.float(), cover).round().to(torch.uint8)
    faded_hair = (mask == 1) & (cover < 0.9) & (cover > 0.1)
    under_mask[window] = torch.where(faded_hair, IGNORE, torch.where(cover > 0.5, mask, under_mask[window]))
    return under, under_mask


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * torch.rand(()).item()


def _log_uniform(low: float, high: float) -> float:
    return low * (high / low) ** torch.rand(()).item()
