"""CelebAMask-HQ, Figaro1k and Borza face/hair in their published layouts: pairs of photo and mask, and their splits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hairseg.errors import InputError, raise_if_any
from hairseg.images import load_photo, readable_formats

SPLITS = ("train", "val", "test")

TEST_SHARE = 600 / 2600  # the paper's: about 2,000 photos to train on, 600 to test on

VAL_SHARE = 0.1  # of the training photos

_BY_ID = "per image by SHA-256 of its id, 77 : 23; a tenth of train, chosen likewise, is val"

SPLIT_RULES = {
    "celebamask-hq": _BY_ID,
    "figaro1k": "Figaro1k's Training and Testing; a tenth of Training, chosen by SHA-256 of its id, is val",
    "borza": _BY_ID,
}

FIGARO1K_TYPES = ("straight", "wavy", "curly", "kinky", "braids", "dreadlocks", "short")

FIGARO1K_FRAMES_PER_TYPE = 150


@dataclass(frozen=True)
class Pair:
    """One photo and its hair mask."""

    id: str  # of the image in its data set, "27636" or "Frame00001"
    photo: Path
    mask: Path | None  # None: a person without visible hair
    split: str  # "train", "val" or "test"


@dataclass(frozen=True)
class Layout:
    """How one data set lies on disk."""

    expected: str  # for messages
    matches: Callable[[Path], bool]  # is this folder laid out so?
    pairs: Callable[[Path], list[Pair]]
    read_mask: Callable[[Path], np.ndarray]  # mask file -> bool (height, width), True is hair


def share_of(key: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def split_of(dataset: str, image_id: str) -> str:
    """PhotoArrays of an image by its id alone, so that it never depends on which other images are present."""
    if share_of(f"{dataset}/{image_id}/test") < TEST_SHARE:
        return "test"
    return _train_or_val(dataset, image_id)


def _train_or_val(dataset: str, image_id: str) -> str:
    return "val" if share_of(f"{dataset}/{image_id}/val") < VAL_SHARE else "train"


def _celebamask_hq_pairs(root: Path) -> list[Pair]:
    photos = {path.stem: path for path in (root / "CelebA-HQ-img").glob("*.jpg")}
    masks = {str(int(path.name[:5])): path for path in (root / "CelebAMask-HQ-mask-anno").glob("*/*_hair.png")}
    raise_if_any(
        sorted(path.name for image_id, path in masks.items() if image_id not in photos),
        "hair masks have no photo of their id in CelebA-HQ-img",
        "add the photos or remove the masks",
    )
    return [
        Pair(image_id, photos[image_id], masks.get(image_id), split_of("celebamask-hq", image_id))
        for image_id in sorted(photos, key=lambda image_id: (len(image_id), image_id))
    ]


def _figaro1k_pairs(root: Path) -> list[Pair]:
    pairs, unpaired = [], []
    for folder in ("Training", "Testing"):
        photos = {path.name.split("-")[0]: path for path in (root / "Original" / folder).glob("*-org.jpg")}
        masks = {path.name.split("-")[0]: path for path in (root / "GT" / folder).glob("*-gt.pbm")}
        unpaired += [f"{folder}/{frame}" for frame in sorted(photos.keys() ^ masks.keys())]
        pairs += [
            Pair(
                frame, photos[frame], masks[frame], "test" if folder == "Testing" else _train_or_val("figaro1k", frame)
            )
            for frame in sorted(photos.keys() & masks.keys())
        ]
    raise_if_any(
        unpaired, "frames lack the photo in Original or the mask in GT", "add the missing files or remove the others"
    )
    return pairs


def _borza_pairs(root: Path) -> list[Pair]:
    photos = {path.stem: path for suffix in ("png", "jpg") for path in root.rglob(f"*.{suffix}")}
    masks = {path.stem: path for path in root.rglob("*.bmp")}
    raise_if_any(
        sorted(photos.keys() ^ masks.keys()),
        "base names lack the photo (.png or .jpg) or the mask (.bmp)",
        "add the missing files or remove the others",
    )
    return [Pair(name, photos[name], masks[name], split_of("borza", name)) for name in sorted(photos)]


def _read_grey(path: Path) -> np.ndarray:
    with Image.open(path, formats=readable_formats()) as image:
        return np.asarray(image.convert("L"))


LAYOUTS = {
    "celebamask-hq": Layout(
        "CelebA-HQ-img/ID.jpg and CelebAMask-HQ-mask-anno/N/0ID_hair.png (0 or 255)",
        lambda root: (root / "CelebA-HQ-img").is_dir() and (root / "CelebAMask-HQ-mask-anno").is_dir(),
        _celebamask_hq_pairs,
        lambda path: _read_grey(path) > 127,
    ),
    "figaro1k": Layout(
        "Original/{Training,Testing}/FrameN-org.jpg and GT/{Training,Testing}/FrameN-gt.pbm",
        lambda root: (root / "Original").is_dir() and (root / "GT").is_dir(),
        _figaro1k_pairs,
        lambda path: _read_grey(path) > 127,
    ),
    "borza": Layout(
        "NAME.bmp masks (0 background, 128 face, 255 hair) and NAME.png photos",
        lambda root: next(root.rglob("*.bmp"), None) is not None,
        _borza_pairs,
        lambda path: _read_grey(path) > 191,
    ),
}


def find_pairs(root: str | Path, dataset: str = "auto", include_hairless: bool = False) -> tuple[str, list[Pair]]:
    """Find the photos of a data set with their masks.

    Args:
        root: the data set's folder.
        dataset: a name in `LAYOUTS`, or "auto" to choose by layout.
        include_hairless: also give people without a hair mask, as empty masks; the paper leaves them out.

    Returns:
        The data set's name and its pairs in the order of their ids.

    Raises:
        InputError: no such folder, no known layout, no pairs, or files without their partner (all of them listed).
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: expected a data set, {_expected_layouts()}.")
    if dataset == "auto":
        dataset = next((name for name, layout in LAYOUTS.items() if layout.matches(root)), None)
        if dataset is None:
            raise InputError(f"{root} has no layout that is known: expected {_expected_layouts()}.")
    pairs = LAYOUTS[dataset].pairs(root)
    if not include_hairless:
        pairs = [pair for pair in pairs if pair.mask]
    if not pairs:
        raise InputError(f"{root} holds no photos with hair masks: expected {LAYOUTS[dataset].expected}.")
    return dataset, pairs


def _expected_layouts() -> str:
    return ", or ".join(f"{name}: {layout.expected}" for name, layout in LAYOUTS.items())


def load_pair(pair: Pair, dataset: str, longer_side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read one pair at its own size: uint8 RGB photo (height, width, 3) and bool mask (mask's height and width).

    Args:
        longer_side: in pixels; a JPEG may then come smaller than its own size, but not smaller than that (`load_photo`).

    Raises:
        InputError: a file cannot be read, or photo and mask differ in shape by more than a scaling.
    """
    photo = load_photo(pair.photo, longer_side=longer_side)
    if pair.mask is None:
        return photo, np.zeros(photo.shape[:2], bool)
    try:
        mask = LAYOUTS[dataset].read_mask(pair.mask)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{pair.mask.name} cannot be read ({error})") from None
    ratio = photo.shape[0] * mask.shape[1] / (photo.shape[1] * mask.shape[0])
    if not 0.98 < ratio < 1.02:
        raise InputError(
            f"{pair.mask.name} is {mask.shape[1]} x {mask.shape[0]} but its photo {photo.shape[1]} x {photo.shape[0]}"
        )
    return photo, mask


def find_scenes(root: str | Path) -> list[Pair]:
    """Photos without any person, as pairs without a mask, in the order of their names.

    Raises:
        InputError: no such folder, or no .jpg or .png in it.
    """
    paths = sorted(path for suffix in ("jpg", "png") for path in Path(root).rglob(f"*.{suffix}"))
    if not paths:
        raise InputError(f"{root} holds no scenes: expected a folder with photos (.jpg or .png) that show no person.")
    return [Pair(path.stem, path, None, split_of("scenes", path.stem)) for path in paths]


def load_scenes(scenes: list[Pair]) -> list[np.ndarray]:
    """Scenes at their own sizes: uint8 RGB (height, width, 3) each.

    Raises:
        InputError: lists every scene that cannot be read.
    """
    photos, problems = [], []
    for scene in scenes:
        try:
            photos.append(load_photo(scene.photo))
        except InputError as error:
            problems.append(str(error).rstrip("."))
    raise_if_any(problems, "scenes cannot be used", "repair or remove these files")
    return photos


def hair_type(dataset: str, image_id: str) -> str | None:
    """Type of hair of a Figaro1k frame, which its number tells; None for other frames and data sets."""
    number = image_id.removeprefix("Frame")
    if dataset != "figaro1k" or not number.isdecimal():
        return None
    kind = (int(number) - 1) // FIGARO1K_FRAMES_PER_TYPE
    return FIGARO1K_TYPES[kind] if 0 <= kind < len(FIGARO1K_TYPES) else None
