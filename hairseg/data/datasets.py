"""Data sets in their published layouts, and in one for photos of one's own: pairs of photo and mask, splits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hairseg.errors import InputError, raise_if_any
from hairseg.images import load_photo, readable_formats
from hairseg.networks.preset import IGNORE

SPLITS = ("train", "val", "test")

TEST_SHARE = 600 / 2600  # the paper's: about 2,000 photos to train on, 600 to test on

VAL_SHARE = 0.1  # of the training photos

_BY_ID = "per image by SHA-256 of its id, 77 : 23; a tenth of train, chosen likewise, is val"

SPLIT_RULES = {
    "celebamask-hq": _BY_ID,
    "figaro1k": "Figaro1k's Training and Testing; a tenth of Training, chosen by SHA-256 of its id, is val",
    "borza": _BY_ID,
}

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")

# Of the layout "folder": how far a value of a mask may be from the one it stands for, and the share of pixels further
# off
# that is taken for blurred outlines.
LABEL_NOISE, BLURRED_SHARE = 32, 0.05

# Of the layout "folder": how many of a set's masks are looked at, and the share of hair beyond which they are inverted.
MASKS_CHECKED, INVERTED_SHARE = 200, 0.6


@dataclass(frozen=True)
class Pair:
    """One photo and its hair mask."""

    id: str  # of the image in its data set, "27636" or "Frame00001"
    photo: Path
    mask: Path | None  # None: a person without visible hair
    split: str  # "train", "val" or "test"
    window: tuple[float, float, float, float] | None = (
        None  # left, top, right, bottom of the part shown, in [0, 1]; None: all
    )


@dataclass(frozen=True)
class Layout:
    """How one data set lies on disk."""

    expected: str  # for messages
    matches: Callable[[Path], bool]  # is this folder laid out so?
    pairs: Callable[[Path], list[Pair]]
    read_mask: Callable[[Path], np.ndarray]  # mask file -> (height, width), bool or uint8 of {0, 1, IGNORE}


def share_of(key: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def split_of(dataset: str, image_id: str) -> str:
    """Split of an image by its id alone, so that it never depends on which other images are present."""
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


def _folder_pairs(root: Path) -> list[Pair]:
    photos = [path for path in _visible(root / "photos") if path.suffix.lower() in PHOTO_SUFFIXES]
    masks = {path.stem: path for path in _visible(root / "masks") if path.suffix.lower() == ".png"}
    by_name = {path.stem: path for path in photos}
    raise_if_any(
        sorted(path.name for path in photos if by_name[path.stem] != path),
        "photos have the name of another",
        "give every photo a name of its own",
    )
    raise_if_any(
        sorted(by_name.keys() ^ masks.keys()),
        "names lack the photo (.jpg, .jpeg or .png) in photos or the mask (.png) in masks",
        "add the missing files or remove the others",
    )
    dataset = root.resolve().name
    if dataset in LAYOUTS:
        raise InputError(
            f"the folder {root} is called like a published data set",
            "a name of its own, by which it is known",
            "rename it",
        )
    pairs = [Pair(name, by_name[name], masks[name], split_of(dataset, name)) for name in sorted(by_name)]
    _check_share_of_hair(root, pairs)
    return pairs


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _check_share_of_hair(root: Path, pairs: list[Pair]) -> None:
    """Raise InputError where masks, taken together, cannot be what the layout "folder" says."""
    hair = labelled = 0
    masks = [pair.mask for pair in pairs if pair.mask]
    for path in masks[:: -(-len(masks) // MASKS_CHECKED) or 1]:
        try:
            mask = _read_labels(path)
        except (OSError, ValueError, SyntaxError):  # named with all others of its kind when photos are decoded
            continue
        hair += np.count_nonzero(mask == 1)
        labelled += np.count_nonzero(mask != IGNORE)
    if labelled and not hair:
        raise InputError(
            f"no mask in {root / 'masks'} marks any hair",
            "255 where hair is and 0 elsewhere",
            "write the masks with 255, or give photos that show nobody as --scenes",
        )
    if labelled and hair > INVERTED_SHARE * labelled:
        raise InputError(
            f"the masks in {root / 'masks'} mark {hair / labelled:.0%} of all pixels as hair, as inverted ones do",
            "255 where hair is and 0 elsewhere",
            "invert them",
        )


def _read_labels(path: Path) -> np.ndarray:
    """Mask of the layout "folder": uint8 of {0, 1, IGNORE}, each value the nearest of 0, 128 and 255.

    Raises:
        ValueError: many values are near none of these.
    """
    grey = _read_grey(path)
    nearest = np.select([grey < 64, grey > 191], [np.int16(0), np.int16(255)], np.int16(128))
    off = np.abs(grey - nearest) > LABEL_NOISE
    if off.mean() > BLURRED_SHARE:
        raise ValueError(
            f"{off.mean():.0%} of its values are like {grey[off][0]}, expected 255 hair, 0 other, 128 not labelled"
        )
    return np.select([nearest == 0, nearest == 255], [np.uint8(0), np.uint8(1)], np.uint8(IGNORE))


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
    "folder": Layout(
        "photos/NAME.jpg (or .jpeg, .png) and masks/NAME.png (255 hair, 0 other, 128 not labelled)",
        lambda root: (root / "photos").is_dir() and (root / "masks").is_dir(),
        _folder_pairs,
        _read_labels,
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
        The data set's name, in the layout "folder" that of its folder, and its pairs in the order of their ids.

    Raises:
        InputError: no such folder, no known layout, no pairs, files without their partner (all of them listed), or a
            set of masks of the layout "folder" that is inverted or empty.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder: expected a data set, {_expected_layouts()}.")
    if dataset == "auto":
        dataset = next((name for name, layout in LAYOUTS.items() if layout.matches(root)), "")
        if not dataset:
            raise InputError(f"{root} has no layout that is known: expected {_expected_layouts()}.")
    try:
        pairs = LAYOUTS[dataset].pairs(root)
    except FileNotFoundError:  # a layout that was asked for by its name
        pairs = []
    if not include_hairless:
        pairs = [pair for pair in pairs if pair.mask]
    if not pairs:
        raise InputError(f"{root} holds no photos with hair masks: expected {LAYOUTS[dataset].expected}.")
    return (root.resolve().name if dataset == "folder" else dataset), pairs


def split_rule(dataset: str) -> str:
    """How the photos of a data set are split, in words."""
    return SPLIT_RULES.get(dataset, _BY_ID)


def layout_of(dataset: str) -> Layout:
    """Layout of a data set by the name that `find_pairs` gives it."""
    return LAYOUTS.get(dataset, LAYOUTS["folder"])


def _expected_layouts() -> str:
    return ", or ".join(f"{name}: {layout.expected}" for name, layout in LAYOUTS.items())


def load_pair(pair: Pair, dataset: str, longer_side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read one pair at its own size, or the part of it that is its window.

    Args:
        dataset: the name that `find_pairs` gave it.
        longer_side: in pixels; a JPEG may then come smaller than its own size, but not smaller than that
            (`load_photo`).

    Returns:
        uint8 RGB photo (height, width, 3), and mask (mask's height and width), bool or uint8 of {0, 1, IGNORE}.

    Raises:
        InputError: a file cannot be read, or photo and mask differ in shape by more than a scaling.
    """
    photo = load_photo(pair.photo, longer_side=None if pair.window else longer_side)
    if pair.mask is None:
        return photo, np.zeros(photo.shape[:2], bool)
    try:
        mask = layout_of(dataset).read_mask(pair.mask)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{pair.mask.name} cannot be read ({error})") from None
    ratio = photo.shape[0] * mask.shape[1] / (photo.shape[1] * mask.shape[0])
    if not 0.98 < ratio < 1.02:
        raise InputError(
            f"{pair.mask.name} is {mask.shape[1]} x {mask.shape[0]} but its photo {photo.shape[1]} x {photo.shape[0]}"
        )
    return (_part(photo, pair.window), _part(mask, pair.window)) if pair.window else (photo, mask)


def _part(picture: np.ndarray, window: tuple[float, float, float, float]) -> np.ndarray:
    height, width = picture.shape[:2]
    left, top, right, bottom = (
        round(share * length) for share, length in zip(window, (width, height, width, height), strict=True)
    )
    return picture[top : max(top + 1, bottom), left : max(left + 1, right)]


def find_scenes(*roots: str | Path) -> list[Pair]:
    """Photos without any person, as pairs without a mask, folder by folder in the order of their names.

    Raises:
        InputError: no such folder, or no photo in it.
    """
    scenes = []
    for root in roots:
        paths = sorted(path for path in Path(root).rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
        if not paths:
            raise InputError(
                f"{root} holds no scenes: expected a folder with photos (.jpg, .jpeg or .png) that show no person."
            )
        scenes += [Pair(path.stem, path, None, split_of("scenes", path.stem)) for path in paths]
    return scenes


def load_scenes(scenes: list[Pair]) -> dict[str, list[np.ndarray]]:
    """Scenes at their own sizes, uint8 RGB (height, width, 3) each, by the names of the folders that they lie in.

    Raises:
        InputError: lists every scene that cannot be read.
    """
    photos, problems = {}, []
    for scene in scenes:
        try:
            photos.setdefault(scene.photo.parent.name, []).append(load_photo(scene.photo))
        except InputError as error:
            problems.append(str(error).rstrip("."))
    raise_if_any(problems, "scenes cannot be used", "repair or remove these files")
    return photos
