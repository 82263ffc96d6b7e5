"""Photo -> alpha at the photo's own size, with the networks of a model repository."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from hairseg.config import Config
from hairseg.errors import InputError
from hairseg.hub.publish import push
from hairseg.hub.resolution import resolve
from hairseg.networks.deeplab import DeepLabV3
from hairseg.networks.precision import autocast, prepare_for_inference
from hairseg.paper import VARIANTS
from hairseg.refinement import refine_alpha
from hairseg.repository import BUNDLED, ModelRepository

SUSPICION = -1.4  # logit from which a pixel may be hair: alpha 0.2
SMALLEST_FIND = 12  # pixels of the network's input
SURROUNDINGS = 1.3  # side of a closer look, in longer sides of the hair
LARGEST_LOOK = 0.9  # of the photo's longer side: beyond it the whole photo shows as much
MAX_LOOKS = 6
AGREEMENT = 0.9  # share of a closer look's hair that must lie where the first look suspected some,
NEARBY = 8  # or within so many pixels of the network's input: half its stride

FADE = 0.08  # of a closer look's sides, over which it gives way to the look at the whole


@dataclass(frozen=True)
class Look:
    """What one network says of a photo, whatever the size the photo is shown at."""

    shape: tuple[int, int]  # height and width of the photo that was looked at
    image_size: int  # side of the network's square input, in pixels
    whole: np.ndarray  # hair logits of the whole photo, float32 (height, width) in the network's pixels
    windows: list[tuple[slice, slice]]  # rows and columns of the photo that were looked at closer
    closer: list[np.ndarray]  # hair logits of those, as of the whole, as far as they are believed (`agreed`)

    def alpha(self, photo: np.ndarray, refined: bool = True) -> np.ndarray:
        """The alpha of the photo that was looked at, in that size or another: float32 in [0, 1], (height, width).

        Args:
            photo: uint8 RGB, (height, width, 3).
            refined: whether edges follow the photo (`refinement.refine_alpha`), or are the network's, scaled.
        """
        alpha = self._at_size_of(photo, self.whole, refined)
        scales = [own / seen for own, seen in zip(alpha.shape, self.shape, strict=True)]
        for seen, logits in zip(self.windows, self.closer, strict=True):
            rows, columns = (
                slice(round(side.start * scale), max(round(side.start * scale) + 1, round(side.stop * scale)))
                for side, scale in zip(seen, scales, strict=True)
            )
            weight = _fading((rows, columns), alpha.shape)
            near = self._at_size_of(photo[rows, columns], logits, refined)
            alpha[rows, columns] += weight * (near - alpha[rows, columns])
        return alpha

    def _at_size_of(self, photo: np.ndarray, logits: np.ndarray, refined: bool) -> np.ndarray:
        height, width = photo.shape[:2]
        alpha = _sigmoid(cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR))
        return refine_alpha(photo, alpha, max(height, width) / self.image_size) if refined else alpha


class HairPredictor:
    """The networks of one model repository, loaded once and used for any number of photos, also by several threads at
    once.

    Args:
        folder: a model repository on disk.
        variants: which networks to load; all that the repository has by default.
        device: where they run.

    Raises:
        InputError: the repository is not whole, or lacks one of the variants.
    """

    def __init__(self, folder: str | Path, variants: Iterable[str] | None = None, device: str | torch.device = "cpu"):
        self.folder = Path(folder)
        repository = ModelRepository(folder)
        self.config: Config = repository.config
        self.device = torch.device(device)
        self.networks = {
            variant: prepare_for_inference(repository.load_network(variant), self.device)
            for variant in (variants or [name for name in VARIANTS if name in self.config.variants])
        }
        # On a CPU the networks share the cores: each loses less to waiting alone on its own than all would on all of
        # them.
        at_once = len(self.networks) if self.device.type == "cpu" else 1
        self._threads = ThreadPoolExecutor(
            at_once, "network", torch.set_num_threads, (max(1, torch.get_num_threads() // at_once),)
        )

    @classmethod
    def from_pretrained(
        cls,
        repo: str | Path = BUNDLED,
        revision: str | None = None,
        variants: Iterable[str] | None = None,
        device: str | torch.device = "cpu",
    ) -> "HairPredictor":
        """Load a model repository by its name; what is missing of one on the Hub is downloaded once.

        Args:
            repo: a folder, or "USER/NAME" or "USER/NAME@REVISION" on the Hugging Face Hub; the bundled pair by default.
            revision: branch, tag or commit on the Hub.
            variants: which networks to load; all that the repository has by default.
            device: where they run.

        Raises:
            InputError: no such repository, or as the class itself; HubError where the Hub is at fault.

        Example:
            >>> predictor = HairPredictor.from_pretrained(variants=["pretrained"])
            >>> predictor.alphas(np.zeros((40, 30, 3), np.uint8))["pretrained"].shape
            (40, 30)
        """
        return cls(resolve(f"{repo}@{revision}" if revision else str(repo)).folder, variants, device)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Push the model repository that this was loaded from, as `hairseg.push` does.

        Args:
            repo_id: "USER/NAME"; made where there is none.
            private: only its owner sees it.
            token: of the Hub; by default the one that its client finds.

        Returns:
            The address of the repository on the Hub.

        Raises:
            InputError: as `hairseg.push`.
        """
        return push(self.folder, repo_id, private, token=token).url

    def alphas(self, photo: np.ndarray, refined: bool = True) -> dict[str, np.ndarray]:
        """Segment one photo with every loaded variant.

        A network sees the photo as a whole, then closer wherever it suspects hair that fills little of the frame.

        Args:
            photo: uint8 RGB, (height, width, 3), upright.
            refined: whether edges follow the photo (`refinement.refine_alpha`), or are the network's, scaled.

        Returns:
            Alpha per variant: float32 in [0, 1], (height, width), how much of each pixel is hair.

        Raises:
            InputError: the array is no photo.
        """
        if len(self.networks) == 1:
            return {variant: self._alpha(network, photo, refined) for variant, network in self.networks.items()}
        pending = {
            variant: self._threads.submit(self._alpha, network, photo, refined)
            for variant, network in self.networks.items()
        }
        return {variant: alpha.result() for variant, alpha in pending.items()}

    def begin_looks(self, photo: np.ndarray) -> dict[str, Future]:
        """Under way, a `Look` at a photo by every network. They need the networks no more once they are there."""
        return {
            variant: self._threads.submit(self._look_at, network, photo) for variant, network in self.networks.items()
        }

    def _alpha(self, network: DeepLabV3, photo: np.ndarray, refined: bool) -> np.ndarray:
        return self._look_at(network, photo).alpha(photo, refined)

    def _look_at(self, network: DeepLabV3, photo: np.ndarray) -> Look:
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size:
            raise InputError(
                f"an array of {photo.dtype} and shape {photo.shape} is no photo",
                "uint8 (height, width, 3)",
                "read files with hairseg.images.load_photo",
            )
        whole = self._look(network, [photo])[0]
        windows = closer_windows(whole, photo.shape[:2])
        looks = self._look(network, [photo[window] for window in windows])
        suspected = cv2.dilate(
            (whole > SUSPICION).astype(np.float32), np.ones((2 * NEARBY + 1, 2 * NEARBY + 1), np.uint8)
        )
        closer = []
        for window, logits in zip(windows, looks, strict=True):
            first, near = (_part_of(picture, window, logits.shape, photo.shape[:2]) for picture in (whole, suspected))
            closer.append(agreed(logits, first, near >= 0.5))
        return Look(photo.shape[:2], self.config.image_size, whole, windows, closer)

    @torch.inference_mode()
    def _look(self, network: DeepLabV3, photos: list[np.ndarray]) -> list[np.ndarray]:
        """Hair logits of photos at the network's input size, padding cut off: float32 (height, width) each."""
        if not photos:
            return []
        preset = self.config.preset
        squares = torch.from_numpy(np.stack([preset.fit_photo(photo) for photo in photos])).to(self.device)
        with autocast(self.device):
            logits = network(preset.normalise(squares))
        return [
            square[preset.window(*photo.shape[:2])]
            for square, photo in zip(logits[:, 0].cpu().numpy(), photos, strict=True)
        ]


def closer_windows(logits: np.ndarray, shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Where to look closer: at hair, or what may be hair, that fills little of the frame.

    Args:
        logits: hair logits of the whole photo, (height, width) in the network's pixels.
        shape: height and width of the photo.

    Returns:
        Rows and columns of at most `MAX_LOOKS` windows, those of the largest finds first.
    """
    scale = max(shape) / max(logits.shape)
    _, _, finds, _ = cv2.connectedComponentsWithStats((logits > SUSPICION).astype(np.uint8))
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


def agreed(closer: np.ndarray, first: np.ndarray, suspected: np.ndarray) -> np.ndarray:
    """What to believe where a part of a photo was looked at twice.

    A closer look finds the edges of what the first look found. When some of what it calls hair was not even suspected,
    it has taken a coat or a lap for part of a head: then a pixel is hair only where both looks say so.

    Args:
        closer, first: hair logits of both looks, of the same part at the same size, (height, width).
        suspected: where the first look suspects hair or does so nearby, bool, (height, width).
    """
    found = closer > 0
    agrees = not found.any() or suspected[found].mean() >= AGREEMENT
    return closer if agrees else np.minimum(closer, first)


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
        ramp = np.minimum(from_start, from_stop) / (FADE * (side.stop - side.start))
        ramps.append(np.broadcast_to(np.minimum(1, ramp), side.stop - side.start))
    return np.minimum(ramps[0][:, None], ramps[1][None]).astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).sigmoid_().numpy()
