"""Data sets in their published layouts, and in one for photos of one's own: pairs of photo and mask, splits."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hairseg.data.masks import check_masks, read_face_and_hair, read_hair, read_labels
from hairseg.errors import InputError, raise_if_any
from hairseg.images import load_photo

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

SMALLEST_MASK = 16  # longer side in pixels


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
    hat: Path | None = None  # a photo of the hat that the person wears in this one (`hats`)


@dataclass(frozen=True)
class Layout:
    """How one data set lies on disk."""

    expected: str  # for messages
    matches: Callable[[Path], bool]  # is this folder laid out so?
    pairs: Callable[[Path], list[Pair]]
    read_mask: Callable[[Path], np.ndarray]  # mask file -> (height, width), bool or uint8 of {0, 1, IGNORE}


def hash_fraction(key: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def split_of(dataset: str, image_id: str) -> str:
    """Split of an image by its id alone, so that it never depends on which other images are present."""
    if hash_fraction(f"{dataset}/{image_id}/test") < TEST_SHARE:
        return "test"
    return _train_or_val(dataset, image_id)


def _train_or_val(dataset: str, image_id: str) -> str:
    return "val" if hash_fraction(f"{dataset}/{image_id}/val") < VAL_SHARE else "train"


def _celebamask_hq_pairs(root: Path) -> list[Pair]:
    photos = {path.stem: path for path in visible_files(root / "CelebA-HQ-img", PHOTO_SUFFIXES)}
    masks = {
        path.stem.removesuffix("_hair").lstrip("0") or "0": path
        for path in visible_files(root / "CelebAMask-HQ-mask-anno", (".png",))
        if path.stem.endswith("_hair")
    }
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
        photos = _by_frame(root / "Original" / folder, PHOTO_SUFFIXES, "-org")
        masks = _by_frame(root / "GT" / folder, (".pbm", ".png"), "-gt")
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


def _by_frame(folder: Path, suffixes: tuple[str, ...], end: str) -> dict[str, Path]:
    return {path.stem.removesuffix(end): path for path in visible_files(folder, suffixes) if path.stem.endswith(end)}


def _borza_pairs(root: Path) -> list[Pair]:
    photos = {path.stem: path for path in visible_files(root, PHOTO_SUFFIXES)}
    masks = {path.stem: path for path in visible_files(root, (".bmp",))}
    raise_if_any(
        sorted(photos.keys() ^ masks.keys()),
        "base names lack the photo (.png or .jpg) or the mask (.bmp)",
        "add the missing files or remove the others",
    )
    return [Pair(name, photos[name], masks[name], split_of("borza", name)) for name in sorted(photos)]


def _folder_pairs(root: Path) -> list[Pair]:
    photos = visible_files(root / "photos", PHOTO_SUFFIXES)
    masks = {path.stem: path for path in visible_files(root / "masks", (".png",))}
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
    return pairs


def visible_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files with one of the suffixes, in either case, anywhere in a folder, but no hidden ones as macOS leaves them.

    What is no file, a pipe, a device or a link to nowhere, is none: whoever waited for its end would wait for ever.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )


LAYOUTS = {
    "celebamask-hq": Layout(
        "CelebA-HQ-img/ID.jpg and CelebAMask-HQ-mask-anno/N/0ID_hair.png (0 or 255)",
        lambda root: (root / "CelebA-HQ-img").is_dir() and (root / "CelebAMask-HQ-mask-anno").is_dir(),
        _celebamask_hq_pairs,
        read_hair,
    ),
    "figaro1k": Layout(
        "Original/{Training,Testing}/FrameN-org.jpg and GT/{Training,Testing}/FrameN-gt.pbm",
        lambda root: (root / "Original").is_dir() and (root / "GT").is_dir(),
        _figaro1k_pairs,
        read_hair,
    ),
    "folder": Layout(
        "photos/NAME.jpg (or .jpeg, .png) and masks/NAME.png (255 hair, 0 other, 128 not labelled)",
        lambda root: (root / "photos").is_dir() and (root / "masks").is_dir(),
        _folder_pairs,
        read_labels,
    ),
    "borza": Layout(
        "NAME.bmp masks (0 background, 128 face, 255 hair) and NAME.png photos",
        lambda root: bool(visible_files(root, (".bmp",))),
        _borza_pairs,
        read_face_and_hair,
    ),
}


def find_pairs(root: str | Path, dataset: str = "auto", include_hairless: bool = False) -> tuple[str, list[Pair]]:
    """Find the photos of a data set with their masks.

    Args:
        root: the data set's folder.
        dataset: a name in `LAYOUTS`, or "auto" to choose by layout.
        include_hairless: also give people without a hair mask, as empty masks; the paper leaves them out.

    Returns:
        The data set's name, in the layout "folder" that of its folder, and its pairs, always in the same order.

    Raises:
        InputError: no such folder, no known layout, no pairs, files without their partner (all of them listed), or
            masks that cannot be what the layout says (`check_masks`).
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder", f"a data set, {_expected_layouts()}")
    if dataset == "auto":
        dataset = next((name for name, layout in LAYOUTS.items() if layout.matches(root)), "")
        if not dataset:
            raise InputError(f"{root} has no layout that is known", _expected_layouts())
    pairs = LAYOUTS[dataset].pairs(root)
    if not include_hairless:
        pairs = [pair for pair in pairs if pair.mask]
    if not pairs:
        raise InputError(f"{root} holds no photos with hair masks", LAYOUTS[dataset].expected)
    check_masks(root, [pair.mask for pair in pairs if pair.mask], LAYOUTS[dataset].read_mask)
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
    mask = read_mask(pair.mask, dataset)
    if max(mask.shape) < SMALLEST_MASK < max(photo.shape):
        raise InputError(f"{pair.mask.name} is only {mask.shape[1]} x {mask.shape[0]}")
    ratio = photo.shape[0] * mask.shape[1] / (photo.shape[1] * mask.shape[0])
    if not 0.98 < ratio < 1.02:
        raise InputError(
            f"{pair.mask.name} is {mask.shape[1]} x {mask.shape[0]} but its photo {photo.shape[1]} x {photo.shape[0]}"
        )
    return (_part(photo, pair.window), _part(mask, pair.window)) if pair.window else (photo, mask)


def read_mask(path: Path, dataset: str) -> np.ndarray:
    """A mask file of a data set: (height, width), bool or uint8 of {0, 1, IGNORE}. Raises InputError; it is named."""
    try:
        return layout_of(dataset).read_mask(path)
    except Exception as error:  # as in `check_masks`
        raise InputError(f"{path.name} cannot be read ({str(error) or type(error).__name__})") from None


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
        paths = visible_files(Path(root), PHOTO_SUFFIXES)
        if not paths:
            raise InputError(
                f"{root} holds no scenes", "a folder with photos (.jpg, .jpeg or .png) that show no person"
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
