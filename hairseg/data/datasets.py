"""Hair data sets: published layouts, a layout for your own photos, splits, and photos without people."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hairseg.data.masks import check_masks, read_binary_mask, read_face_and_hair_mask, read_labelled_mask
from hairseg.errors import InputError, raise_if_any
from hairseg.files import is_hidden
from hairseg.images import load_photo

SPLITS = ("train", "val", "test")

TEST_FRACTION = 600 / 2600  # the paper has about 2,000 training and 600 test photos

VAL_FRACTION = 0.1  # of the training photos

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")

MIN_MASK_SIZE = 16  # longer side in pixels


@dataclass(frozen=True)
class Pair:
    """A photo and its hair mask.

    Attributes:
        id: identifier of the image in its data set, such as "27636" or "Frame00001".
        photo: path of the photo.
        mask: path of the mask; None for a person without visible hair, or a scene.
        split: "train", "val" or "test".
        window: left, top, right and bottom of the crop in [0, 1]; None for the whole photo.
        hat: path of the photo of a hat that is pasted onto the head (`hairseg.data.hats`).
    """

    id: str
    photo: Path
    mask: Path | None
    split: str
    window: tuple[float, float, float, float] | None = None
    hat: Path | None = None


@dataclass(frozen=True)
class Layout:
    """Directory layout of a data set.

    Attributes:
        description: file names and mask values, for error messages.
        matches: whether a folder has this layout.
        find_pairs: lists the pairs in a folder.
        read_mask: reads a mask file as (height, width), bool or uint8 of {0, 1, IGNORE}.
        split_rule: how photos are split, for the model card.
    """

    description: str
    matches: Callable[[Path], bool]
    find_pairs: Callable[[Path], list[Pair]]
    read_mask: Callable[[Path], np.ndarray]
    split_rule: str = "per image by SHA-256 of its id, 77 : 23; a tenth of train, chosen likewise, is val"


def hash_fraction(key: str) -> float:
    """Map a key to a number in [0, 1), distributed uniformly over keys."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def split_of(dataset: str, image_id: str) -> str:
    """Return the split of an image, which depends on its id alone."""
    if hash_fraction(f"{dataset}/{image_id}/test") < TEST_FRACTION:
        return "test"
    return _train_or_val(dataset, image_id)


def _train_or_val(dataset: str, image_id: str) -> str:
    return "val" if hash_fraction(f"{dataset}/{image_id}/val") < VAL_FRACTION else "train"


def _celebamask_hq_pairs(root: Path) -> list[Pair]:
    photos = index_by_stem(find_files(root / "CelebA-HQ-img", PHOTO_SUFFIXES))
    masks = index_by_stem(
        (path for path in find_files(root / "CelebAMask-HQ-mask-anno", (".png",)) if path.stem.endswith("_hair")),
        lambda stem: stem.removesuffix("_hair").lstrip("0") or "0",
    )
    raise_if_any(
        sorted(path.name for image_id, path in masks.items() if image_id not in photos),
        "hair masks have no photo of their id in CelebA-HQ-img",
        "Add the photos or remove the masks.",
    )
    return [
        Pair(image_id, photos[image_id], masks.get(image_id), split_of("celebamask-hq", image_id))
        for image_id in sorted(photos, key=lambda image_id: (len(image_id), image_id))
    ]


def _figaro1k_pairs(root: Path) -> list[Pair]:
    pairs: list[Pair] = []
    unpaired: list[str] = []
    for folder in ("Training", "Testing"):
        photos = _figaro1k_frames(root / "Original" / folder, PHOTO_SUFFIXES, "-org")
        masks = _figaro1k_frames(root / "GT" / folder, (".pbm", ".png"), "-gt")
        unpaired += [f"{folder}/{frame}" for frame in sorted(photos.keys() ^ masks.keys())]
        for frame in sorted(photos.keys() & masks.keys()):
            split = "test" if folder == "Testing" else _train_or_val("figaro1k", frame)
            pairs.append(Pair(frame, photos[frame], masks[frame], split))
    raise_if_any(
        unpaired, "frames lack the photo in Original or the mask in GT", "Add the missing files or remove the others."
    )
    return pairs


def _figaro1k_frames(folder: Path, suffixes: tuple[str, ...], ending: str) -> dict[str, Path]:
    paths = (path for path in find_files(folder, suffixes) if path.stem.endswith(ending))
    return index_by_stem(paths, lambda stem: stem.removesuffix(ending))


def _borza_pairs(root: Path) -> list[Pair]:
    photos, masks = find_files(root, PHOTO_SUFFIXES), find_files(root, (".bmp",))
    return _match_names("borza", photos, masks, "base names lack the photo (.png or .jpg) or the mask (.bmp)")


def _folder_pairs(root: Path) -> list[Pair]:
    dataset = root.resolve().name
    if dataset in LAYOUTS:
        raise InputError(
            f"The folder {root} has the name of a published data set.",
            remedy="Rename it: your data set is known by the name of its folder.",
        )
    photos, masks = find_files(root / "photos", PHOTO_SUFFIXES), find_files(root / "masks", (".png",))
    return _match_names(
        dataset, photos, masks, "names lack the photo (.jpg, .jpeg or .png) in photos or the mask (.png) in masks"
    )


def _match_names(dataset: str, photo_paths: list[Path], mask_paths: list[Path], problem: str) -> list[Pair]:
    """Pair photos and masks of the same base name."""
    photos, masks = index_by_stem(photo_paths), index_by_stem(mask_paths)
    raise_if_any(sorted(photos.keys() ^ masks.keys()), problem, "Add the missing files or remove the others.")
    return [Pair(name, photos[name], masks[name], split_of(dataset, name)) for name in sorted(photos)]


def index_by_stem(paths: Iterable[Path], id_of: Callable[[str], str] = str) -> dict[str, Path]:
    """Index files by the id in their stem. Two files of the same id, such as 1.jpg and 1.JPG, are an error."""
    by_id: dict[str, Path] = {}
    duplicates = [path.name for path in paths if by_id.setdefault(id_of(path.stem), path) != path]
    raise_if_any(duplicates, "files have the id of another file", "Give each photo and each mask a unique name.")
    return by_id


def find_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """List the files of a folder and its subfolders with one of the suffixes, in upper or lower case.

    Hidden files, system folders, pipes, devices and dangling links are skipped.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes
        and not any(is_hidden(part) for part in path.relative_to(folder).parts)
        and path.is_file()
    )


LAYOUTS = {
    "celebamask-hq": Layout(
        description="CelebA-HQ-img/ID.jpg and CelebAMask-HQ-mask-anno/N/0ID_hair.png (0 or 255)",
        matches=lambda root: (root / "CelebA-HQ-img").is_dir() and (root / "CelebAMask-HQ-mask-anno").is_dir(),
        find_pairs=_celebamask_hq_pairs,
        read_mask=read_binary_mask,
    ),
    "figaro1k": Layout(
        description="Original/{Training,Testing}/FrameN-org.jpg and GT/{Training,Testing}/FrameN-gt.pbm",
        matches=lambda root: (root / "Original").is_dir() and (root / "GT").is_dir(),
        find_pairs=_figaro1k_pairs,
        read_mask=read_binary_mask,
        split_rule="Figaro1k's Training and Testing; a tenth of Training, chosen by SHA-256 of its id, is val",
    ),
    "folder": Layout(
        description="photos/NAME.jpg (or .jpeg, .png) and masks/NAME.png (255 hair, 0 other, 128 not labelled)",
        matches=lambda root: (root / "photos").is_dir() and (root / "masks").is_dir(),
        find_pairs=_folder_pairs,
        read_mask=read_labelled_mask,
    ),
    "borza": Layout(
        description="NAME.bmp masks (0 background, 128 face, 255 hair) and NAME.png photos",
        matches=lambda root: bool(find_files(root, (".bmp",))),
        find_pairs=_borza_pairs,
        read_mask=read_face_and_hair_mask,
    ),
}


def find_pairs(root: str | Path, layout: str = "auto", include_hairless: bool = False) -> tuple[str, list[Pair]]:
    """Find the photos and masks of a data set.

    Args:
        root: folder of the data set.
        layout: name in `LAYOUTS`, or "auto" to detect it.
        include_hairless: whether to include people without a hair mask, as empty masks; the paper leaves them out.

    Returns:
        Name of the data set (for the layout "folder", the name of its folder), and its pairs in a stable order.

    Raises:
        InputError: the folder is missing, has no known layout or no pairs, photos or masks are missing (all are
            listed), or the masks contradict the layout (`check_masks`).
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder.", remedy=f"Choose the folder of a data set. {_supported_layouts()}")
    if layout == "auto":
        layout = next((name for name, known in LAYOUTS.items() if known.matches(root)), "")
        if not layout:
            raise InputError(f"{root} has no known data set layout.", remedy=_supported_layouts())
    pairs = LAYOUTS[layout].find_pairs(root)
    if not include_hairless:
        pairs = [pair for pair in pairs if pair.mask]
    if not pairs:
        raise InputError(
            f"{root} contains no photos with hair masks.", remedy=f"Name the files {LAYOUTS[layout].description}."
        )
    check_masks(root, [pair.mask for pair in pairs if pair.mask], LAYOUTS[layout].read_mask)
    return (root.resolve().name if layout == "folder" else layout), pairs


def find_datasets(
    roots: Iterable[str | Path], layout: str = "auto", include_hairless: bool = False
) -> dict[str, list[Pair]]:
    """Find the photos and masks of several data sets, by name.

    Args:
        roots: folders of the data sets.
        layout: as for `find_pairs`.
        include_hairless: as for `find_pairs`.

    Raises:
        InputError: two data sets have the same name, or what `find_pairs` raises.
    """
    datasets: dict[str, list[Pair]] = {}
    for root in roots:
        dataset, pairs = find_pairs(root, layout, include_hairless)
        if dataset in datasets:
            raise InputError(
                f"{root} is a second data set with the name {dataset}.", remedy="Put its photos into one folder."
            )
        datasets[dataset] = pairs
    return datasets


def layout_of(dataset: str) -> Layout:
    """Return the layout of a data set, given the name that `find_pairs` returned."""
    return LAYOUTS.get(dataset, LAYOUTS["folder"])


def _supported_layouts() -> str:
    return f"Supported layouts: {'; '.join(f'{name}: {layout.description}' for name, layout in LAYOUTS.items())}."


def load_pair(pair: Pair, dataset: str, longer_side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a photo and its mask, cropped to the window of the pair.

    Args:
        pair: the pair to read.
        dataset: name that `find_pairs` returned.
        longer_side: size in pixels that suffices; larger JPEGs may be decoded at a reduced size (`load_photo`).

    Returns:
        uint8 RGB photo (height, width, 3), and mask at its own height and width, bool or uint8 of {0, 1, IGNORE}.

    Raises:
        InputError: a file cannot be read, or the aspect ratios of photo and mask differ.
    """
    photo = load_photo(pair.photo, longer_side=longer_side)
    if pair.mask is None:
        return photo, np.zeros(photo.shape[:2], bool)
    mask = read_mask(pair.mask, dataset)
    if max(mask.shape) < MIN_MASK_SIZE < max(photo.shape):
        raise InputError(f"{pair.mask.name} is only {mask.shape[1]} x {mask.shape[0]}.")
    ratio = photo.shape[0] * mask.shape[1] / (photo.shape[1] * mask.shape[0])
    if not 0.98 < ratio < 1.02:
        raise InputError(
            f"{pair.mask.name} is {mask.shape[1]} x {mask.shape[0]} but its photo {photo.shape[1]} x {photo.shape[0]}."
        )
    return (_crop(photo, pair.window), _crop(mask, pair.window)) if pair.window else (photo, mask)


def read_mask(path: Path, dataset: str) -> np.ndarray:
    """Read a mask file of a data set as (height, width), bool or uint8 of {0, 1, IGNORE}.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return layout_of(dataset).read_mask(path)
    except Exception as error:  # Pillow's decoders raise many types
        raise InputError(f"{path.name} cannot be read ({str(error) or type(error).__name__}).") from None


def _crop(picture: np.ndarray, window: tuple[float, float, float, float]) -> np.ndarray:
    height, width = picture.shape[:2]
    left, right = round(window[0] * width), round(window[2] * width)
    top, bottom = round(window[1] * height), round(window[3] * height)
    return picture[top : max(top + 1, bottom), left : max(left + 1, right)]


def find_scenes(*roots: str | Path) -> list[Pair]:
    """Find photos without people, as pairs without a mask, sorted by name within each folder.

    Raises:
        InputError: a folder is missing or contains no photo.
    """
    scenes: list[Pair] = []
    for root in roots:
        paths = find_files(Path(root), PHOTO_SUFFIXES)
        if not paths:
            raise InputError(
                f"{root} contains no scenes.",
                remedy="Choose a folder of photos (.jpg, .jpeg or .png) that show no person.",
            )
        scenes += [Pair(path.stem, path, None, split_of("scenes", path.stem)) for path in paths]
    return scenes


def load_scenes(scenes: list[Pair]) -> dict[str, list[np.ndarray]]:
    """Read scenes at full resolution, uint8 RGB (height, width, 3) each, grouped by the name of their folder.

    Raises:
        InputError: lists every scene that cannot be read.
    """
    photos: dict[str, list[np.ndarray]] = {}
    problems: list[str] = []
    for scene in scenes:
        try:
            photos.setdefault(scene.photo.parent.name, []).append(load_photo(scene.photo))
        except InputError as error:
            problems.append(str(error).rstrip("."))
    raise_if_any(problems, "scenes cannot be used", "Repair or remove these files.")
    return photos
