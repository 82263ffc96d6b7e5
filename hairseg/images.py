"""Whatever a user hands over becomes an upright RGB photo, or one clear error; and results become PNG files."""

import io
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from hairseg.decompression_bombs import LARGEST_EXIF, find_decompression_bomb
from hairseg.errors import InputError

with suppress(ImportError):  # machines that only train need no HEIC
    import pillow_heif

    pillow_heif.register_heif_opener()

MAX_PIXELS = 120_000_000
# Pillow warns of photos from 90 megapixels on; `load_photo` has this bound of its own.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

# What cameras, phones, browsers and data sets write. Others Pillow hands to programs of their own (EPS to Ghostscript),
# whatever their names, or decodes them before it is told to (ICO); and each is one more way to hold it up.
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP", "TIFF", "PPM", "JPEG2000")

TURNS = {  # by EXIF orientation, what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# People wait for these files. Run lengths of differences to the row above: faster than strings, as small for photos.
FAST_PNG = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_UP,
]


@cache
def readable_formats() -> tuple[str, ...]:
    """`FORMATS` as far as this machine's Pillow has them: HEIF, say, comes with pillow-heif alone."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def load_photo(source, name: str | None = None, longer_side: int | None = None) -> np.ndarray:
    """Read a picture as an upright photo.

    EXIF orientation is applied; transparency is laid over white; an embedded RGB colour profile (Display P3 of phones,
    say) is converted to sRGB; grey, palette, CMYK and 16-bit pictures become 8-bit RGB; of an animation, the first
    picture is taken.

    Args:
        source: path, bytes, binary file object, or PIL image.
        name: what error messages call it; the file's name by default.
        longer_side: in pixels, if no more is needed. A JPEG is then decoded at a half, a quarter or an eighth of its
            size, where its longer side stays at least that: several times as fast.

    Returns:
        uint8 RGB photo, shape (height, width, 3).

    Raises:
        InputError: not a picture, broken, missing, or larger than `MAX_PIXELS`.

    Example:
        >>> from PIL import Image
        >>> load_photo(Image.new("RGBA", (2, 1), (200, 0, 0, 0))).tolist()  # transparent, so white
        [[[255, 255, 255], [255, 255, 255]]]
        >>> load_photo("no/such/photo.jpg")
        Traceback (most recent call last):
        hairseg.errors.InputError: photo.jpg is not a file: expected a picture such as JPEG, PNG...; check the path.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source, name or "the picture")
    if isinstance(source, (str, Path)):
        name = name or Path(source).name
        if not _is_file(source):
            raise InputError(
                f"{name:.120} is not a file", "a picture such as JPEG, PNG, WebP or HEIC", "check the path"
            )
    name = name or "the picture"
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with _opened(file, name) as image:
            return _to_rgb(image, name, longer_side)
    except UnidentifiedImageError:
        raise InputError(
            f"{name} is not a picture that can be read",
            "JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF",
            "choose another file or save it again as JPEG",
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except InputError:
        raise
    except PermissionError:
        raise InputError(
            f"{name} may not be read", "a file that this user may read", "change its permissions"
        ) from None
    except MemoryError:
        raise InputError(f"{name} takes more memory than there is", None, "scale it down and try again") from None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more on broken files
        raise InputError(f"{name} is broken and cannot be read", "a whole picture", "copy or save it again") from None


def count_pixels(file: str | Path | BinaryIO) -> int:
    """How many pixels a picture has, as its header says; 0 if that cannot be read."""
    try:
        with _opened(file, "the picture") as image:
            return image.width * image.height
    except Exception:  # `load_photo` finds the words
        return 0


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} is too large", f"at most {MAX_PIXELS // 1_000_000} megapixels", "scale it down and try again"
    )


def _opened(file: str | Path | BinaryIO, name: str) -> Image.Image:
    if cost := find_decompression_bomb(file):
        raise InputError(f"{name} {cost}, which takes too long to read", None, "save it again as JPEG")
    return Image.open(file, formats=readable_formats())


def _to_rgb(image: Image.Image, name: str, longer_side: int | None = None) -> np.ndarray:
    if image.width * image.height > MAX_PIXELS:  # before a draft makes it smaller
        raise _too_large(name)
    if longer_side:
        width, height = (max(1, side * longer_side // max(image.size)) for side in image.size)
        image.draft(None, (width, height))
    turn = TURNS.get(_orientation(image))
    profile, transparent = image.info.get("icc_profile"), image.info.get("transparency")
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        image = Image.fromarray(_to_eight_bits(values))
        if isinstance(transparent, int):  # the value that is: 16-bit PNG
            image.putalpha(Image.fromarray((values != transparent).astype(np.uint8) * 255))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB") if image.mode != "RGB" else image
    return np.array(_to_srgb(image, profile) if profile else image)


def _orientation(image: Image.Image) -> Any:
    """What its EXIF data say, 1 without any, or with more of them than is worth the time."""
    image.load()  # a PNG may have them at its end
    if len(image.info.get("exif") or b"") > LARGEST_EXIF or "Raw profile type exif" in image.info:
        return 1
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey of more than 8 bits -> uint8; 16-bit range unless the values already fit in 8 bits or in [0, 1]."""
    are_floats = values.dtype.kind == "f"
    values = np.nan_to_num(values.astype(np.float64))
    highest = values.max()
    if are_floats and 0 < highest <= 1:
        values = values * 255
    elif highest > 255:
        values = values / 257
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source: Any = ImageCms.getOpenProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB" or "sRGB" in ImageCms.getProfileDescription(source):
            return image
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB")) or image
    except Exception:  # whatever a broken profile raises, it must not cost the user the photo
        return image


def encode_png(picture: np.ndarray) -> bytes:
    """PNG file contents of a picture: uint8 grey (height, width), RGB (height, width, 3) or RGBA (height, width, 4).

    Example:
        >>> encode_png(np.zeros((2, 2), np.uint8))[:4]
        b'\\x89PNG'
    """
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", picture, FAST_PNG)[1].tobytes()


def encode_jpeg(picture: np.ndarray, quality: int = 95, at_most: int | None = None) -> bytes:
    """JPEG file contents of a uint8 RGB picture, (height, width, 3).

    Args:
        quality: 1 to 100.
        at_most: bytes; quality falls in steps of 10 until the file is no larger, but not below 40.

    Example:
        >>> noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
        >>> len(encode_jpeg(noise)) > 45_000 >= len(encode_jpeg(noise, at_most=45_000))
        True
    """
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    while True:
        file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if at_most is None or len(file) <= at_most or quality < 50:
            return file
        quality -= 10


def scale_down(picture: np.ndarray, longer_side: int) -> np.ndarray:
    """A picture of any channels, its longer side at most that many pixels, its aspect ratio kept.

    Example:
        >>> scale_down(np.zeros((300, 400, 3), np.uint8), 100).shape
        (75, 100, 3)
    """
    height, width = picture.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def shrink(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture of any channels at a smaller width and height: about the mean of what each pixel covers.

    It is halved first, several times as fast as in one step, and loses a last odd row or column.

    Example:
        >>> shrink(np.float32([[0, 4, 8, 8]]), (2, 1)).tolist()
        [[2.0, 8.0]]
    """
    while picture.shape[0] >= 2 * size[1] and picture.shape[1] >= 2 * size[0] and min(picture.shape[:2]) > 1:
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        picture = cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


downsample = shrink


def as_photo(photo: object) -> np.ndarray:
    """Convert an array or tensor to a uint8 RGB photo, (height, width, 3).

    Raises:
        InputError: the values are not those of a photo.
    """
    array = np.asarray(photo)
    if array.dtype != np.uint8:
        raise InputError(f"The photo has values of type {array.dtype}.", remedy="Pass uint8 values from 0 to 255.")
    if array.ndim == 2:
        return np.stack([array] * 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise InputError(f"The photo has the shape {array.shape}.", remedy="Pass an array (height, width, 3).")
    return array if array.shape[2] == 3 else load_photo(Image.fromarray(array))


def as_alpha(alpha: object, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a mask or alpha of the given (height, width) to float32 in [0, 1].

    Raises:
        InputError: another size, NaN, or values outside of [0, 1].
    """
    array = np.asarray(alpha)
    if array.shape != tuple(shape):
        raise InputError(f"The alpha is {array.shape} and the photo {tuple(shape)}.", remedy="Pass both at one size.")
    array = array.astype(np.float32) / (255 if array.dtype == np.uint8 else 1)
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise InputError("The alpha has values outside of 0 to 1.", remedy="Divide an 8-bit mask by 255.")
    return array


def alpha_to_grey(alpha: np.ndarray) -> np.ndarray:
    """Alpha in [0, 1], float32 (height, width) -> uint8 grey picture, 255 is hair.

    Example:
        >>> alpha_to_grey(np.float32([[0, 0.5, 1]])).tolist()
        [[0, 128, 255]]
    """
    return cv2.convertScaleAbs(alpha, alpha=255)
