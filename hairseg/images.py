"""Read any picture as an upright RGB photo, check arrays given as photos or alphas, write PNG and JPEG."""

import io
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from hairseg.decompression_bombs import MAX_EXIF_BYTES, find_decompression_bomb
from hairseg.errors import InputError

with suppress(ImportError):  # training does not require pillow-heif
    import pillow_heif

    pillow_heif.register_heif_opener()

MAX_PIXELS = 120_000_000
# Pillow warns above 90 megapixels; `load_photo` has its own limit.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
# It also warns of malformed metadata, which do not affect the photo.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# What cameras, phones, browsers and data sets write. An allow-list, since Pillow passes some other formats to external
# programs (EPS to Ghostscript) whatever the file's suffix, and decodes others while opening them (ICO).
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP", "TIFF", "PPM", "JPEG2000")

TRANSPOSE_BY_ORIENTATION = {  # EXIF orientation -> operation that makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# HEIF boxes, with their size, that rotate or mirror an image (ISO/IEC 23008-12, 6.5.10 and 6.5.12).
HEIF_TRANSFORMATIONS = (b"\0\0\0\x09irot", b"\0\0\0\x09imir")

JPEG_END_MARKER = b"\xff\xd9"

NEW_SUBFILE_TYPE, PHOTOMETRIC, DNG_VERSION = 254, 262, 50706  # TIFF tags
RAW_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear raw

ROUNDING_TOLERANCE = 1e-3  # by which resampling may leave [0, 1]

# Users wait for these files. The RLE strategy on differences to the row above is faster than string matching, and its
# files are as small for photos.
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
    """Return those of `FORMATS` that Pillow supports on this machine; HEIF, for example, requires pillow-heif."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def readable_suffixes() -> frozenset[str]:
    """Return the lower-case suffixes of files that `load_photo` reads, `.mpo` (stereo JPEG) included."""
    formats = (*readable_formats(), "MPO")
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in formats)


def load_photo(
    source: str | Path | bytes | BinaryIO | Image.Image, name: str | None = None, longer_side: int | None = None
) -> np.ndarray:
    """Read a picture as an upright photo.

    EXIF orientation is applied; transparent pixels are composited over white; an embedded RGB colour profile (such as
    Display P3 of phones) is converted to sRGB; grey, palette, CMYK and 16-bit pictures become 8-bit RGB; an animation
    gives its first frame.

    Args:
        source: path, file contents, binary file object, or PIL image.
        name: what error messages call the picture; the file's name by default.
        longer_side: in pixels, if a smaller photo is enough. A JPEG is then decoded at a half, a quarter or an eighth
            of its size, with its longer side no shorter than this, which is several times as fast.

    Returns:
        uint8 RGB photo, (height, width, 3).

    Raises:
        InputError: not a picture, broken, missing, a camera raw file, or larger than `MAX_PIXELS`.

    Example:
        >>> from PIL import Image
        >>> load_photo(Image.new("RGBA", (2, 1), (200, 0, 0, 0))).tolist()  # transparent, so white
        [[[255, 255, 255], [255, 255, 255]]]
        >>> load_photo("no/such/photo.jpg")
        Traceback (most recent call last):
        hairseg.errors.InputError: photo.jpg is not a file. Check the path.
    """
    if isinstance(source, (str, Path)):
        name = name or Path(source).name
        if not _is_file(source):
            raise InputError(f"{name:.120} is not a file.", remedy="Check the path.")
    elif not isinstance(source, bytes | Image.Image) and not hasattr(source, "read"):
        raise InputError(
            f"A {type(source).__name__} is not a picture that can be read.",
            remedy="Pass a path, bytes, a binary file or a PIL image.",
        )
    name = name or "The picture"
    try:
        if isinstance(source, Image.Image):
            return _to_rgb(source, name)
        return _decode(io.BytesIO(source) if isinstance(source, bytes) else source, name, longer_side)
    except UnidentifiedImageError:
        raise InputError(
            f"{name} is not a picture that can be read.",
            remedy="Choose a JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF file.",
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except InputError:
        raise
    except PermissionError:
        raise InputError(f"{name} cannot be read: permission denied.", remedy="Change its permissions.") from None
    except MemoryError:
        raise InputError(f"{name} does not fit into memory.", remedy="Scale it down and try again.") from None
    except Exception:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more on broken files
        raise InputError(f"{name} is broken and cannot be read.", remedy="Copy or save it again.") from None


def count_pixels(file: str | Path | BinaryIO) -> int:
    """Return the number of pixels that a picture's header gives; 0 if the header cannot be read."""
    try:
        with _open(file, "The picture") as image:
            return image.width * image.height
    except Exception:  # `load_photo` raises the error for the user
        return 0


def as_photo(photo: ArrayLike | Image.Image) -> np.ndarray:
    """Check an array that a caller gives as a photo, and convert it where its meaning is unambiguous.

    Args:
        photo: uint8 RGB, (height, width, 3), which is returned as it is. Also accepted: grey (height, width) or
            (height, width, 1), RGBA (composited over white), floats in [0, 1], views, PIL images, PyTorch tensors on
            any device.

    Returns:
        uint8 RGB, (height, width, 3), contiguous.

    Raises:
        InputError: any other array, such as (3, height, width), floats up to 255, NaN, or an empty one.

    Example:
        >>> as_photo(np.float32([[0, 0.5, 1]]))[0].tolist()
        [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    """
    if isinstance(photo, Image.Image):
        return load_photo(photo)
    array = _to_numpy(photo)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise InputError(
            f"An array of shape {array.shape} is not a photo.",
            remedy="Pass RGB of shape (height, width, 3); `hairseg.load_photo` reads files.",
        )
    if array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:
        array = (255 * array + 0.5).astype(np.uint8)
    if array.dtype != np.uint8:
        values = "values outside of [0, 1] or NaN" if array.dtype.kind == "f" else f"type {array.dtype}"
        raise InputError(f"The photo has {values}.", remedy="Pass uint8 in [0, 255], or floats in [0, 1].")
    if array.shape[2] == 4:
        return load_photo(Image.fromarray(np.ascontiguousarray(array)))
    return np.ascontiguousarray(np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array)


def as_alpha(alpha: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Check an array that a caller gives as an alpha, and convert it where its meaning is unambiguous.

    Args:
        alpha: float32 in [0, 1], (height, width), which is returned as it is. Also accepted: other floats in [0, 1],
            bool masks, uint8 masks up to 255, further axes of length 1, views, PIL images, PyTorch tensors on any
            device.
        shape: height and width of the photo.

    Returns:
        float32 in [0, 1], (height, width), contiguous.

    Raises:
        InputError: any other array, such as one of another size, floats up to 255, NaN, or a uint8 mask whose largest
            value is 1: it could mean 1 of 1 or 1 of 255.

    Example:
        >>> as_alpha(np.uint8([[0, 51, 255]]), (1, 3)).tolist()
        [[0.0, 0.20000000298023224, 1.0]]
    """
    array = _to_numpy(alpha)
    height, width = shape
    if array.ndim > 2 and array.size == height * width and shape in (array.shape[:2], array.shape[-2:]):
        array = array.reshape(shape)
    if array.shape != shape or not array.size:
        raise InputError(
            f"The mask has shape {array.shape}, and the photo is {height} pixels high and {width} wide.",
            remedy="Pass a mask of shape (height, width) of the photo.",
        )
    if array.dtype == np.uint8 and array.max() == 1:
        raise InputError(
            "A uint8 mask whose largest value is 1 is ambiguous.", remedy="Pass it as bool, or with values up to 255."
        )
    if array.dtype == np.uint8:
        array = np.divide(array, 255, dtype=np.float32)
    elif array.dtype == bool:
        array = array.astype(np.float32)
    if array.dtype.kind != "f":
        raise InputError(
            f"The mask has type {array.dtype}.", remedy="Pass floats in [0, 1], bool, or uint8 in [0, 255]."
        )
    lowest, highest = array.min(), array.max()
    if not -ROUNDING_TOLERANCE <= lowest <= highest <= 1 + ROUNDING_TOLERANCE:  # also False for NaN
        raise InputError(
            "The mask has values outside of [0, 1] or NaN.", remedy="Pass floats in [0, 1], bool, or uint8 in [0, 255]."
        )
    array = np.ascontiguousarray(array, np.float32)
    return array if lowest >= 0 and highest <= 1 else array.clip(0, 1)


def _to_numpy(array: Any) -> np.ndarray:
    """Convert what NumPy can, and PyTorch tensors on any device, without importing PyTorch."""
    try:
        if hasattr(array, "detach"):
            array = array.detach().cpu()
            array = array.float() if array.is_floating_point() else array  # NumPy has no bfloat16
        return np.asarray(array)
    except (ValueError, TypeError, NotImplementedError):  # lists of different lengths, sparse or meta tensors
        raise InputError("A photo or mask must be an array.", remedy="Pass a NumPy array.") from None


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # the name is too long, or contains a NUL
        return False


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels.", remedy="Scale it down and try again."
    )


def _open(file: str | Path | BinaryIO, name: str) -> Image.Image:
    if reason := find_decompression_bomb(file):
        raise InputError(f"{name} {reason}, which takes too long to read.", remedy="Save it again as JPEG.")
    image = Image.open(file, formats=readable_formats())
    if image.format == "TIFF" and _is_camera_raw(image):
        raise InputError(
            f"{name} is a camera raw file, of which only a thumbnail can be read.", remedy="Export it as JPEG."
        )
    return image


def _is_camera_raw(image: Any) -> bool:
    """Recognise raw files that are TIFF files: DNG, CR2, and those that start with a thumbnail, as NEF and ARW do."""
    tags = image.tag_v2
    image.fp.seek(8)
    is_cr2 = image.fp.read(2) == b"CR"
    subfile_type = tags.get(NEW_SUBFILE_TYPE)
    starts_with_thumbnail = isinstance(subfile_type, int) and bool(subfile_type & 1)
    return is_cr2 or DNG_VERSION in tags or starts_with_thumbnail or tags.get(PHOTOMETRIC) in RAW_PHOTOMETRICS


def _decode(file: str | Path | BinaryIO, name: str, longer_side: int | None) -> np.ndarray:
    if not isinstance(file, (str, Path)) and not file.seekable():  # such as a download or a pipe
        file = io.BytesIO(file.read())
    with _open(file, name) as image:
        try:
            return _to_rgb(image, name, longer_side)
        except OSError:
            if image.format not in ("JPEG", "MPO"):
                raise
    if isinstance(file, (str, Path)):
        return _decode_unterminated_jpeg(Path(file).read_bytes(), name, longer_side)
    file.seek(0)
    return _decode_unterminated_jpeg(file.read(), name, longer_side)


def _decode_unterminated_jpeg(content: bytes, name: str, longer_side: int | None) -> np.ndarray:
    """Decode a JPEG that lacks its end marker, with one added.

    Where rows are missing, libjpeg decodes whatever bytes precede the marker as pixels; behind a complete scan it skips
    them. So two different fillers give the same photo if, and only if, no rows are missing.

    Raises:
        OSError: rows are missing.
    """
    photos, content = [], content.rstrip(b"\xff")  # the first half of a marker
    for filler in (b"", 64 * b"\x5a"):
        with Image.open(io.BytesIO(content + filler + JPEG_END_MARKER), formats=["JPEG"]) as image:
            photos.append(_to_rgb(image, name, longer_side))
    if not np.array_equal(*photos):
        raise OSError("rows are missing")
    return photos[0]


def _to_rgb(image: Image.Image, name: str, longer_side: int | None = None) -> np.ndarray:
    if not image.width * image.height:
        raise InputError(f"{name} has no pixels.", remedy="Choose another picture.")
    if image.width * image.height > MAX_PIXELS:  # checked before `draft` reduces the size
        raise _too_large(name)
    if longer_side:
        width, height = (max(1, side * longer_side // max(image.size)) for side in image.size)
        image.draft(None, (width, height))
    transpose = TRANSPOSE_BY_ORIENTATION.get(_orientation(image))
    profile, transparency = image.info.get("icc_profile"), image.info.get("transparency")
    if transpose is not None:
        image = image.transpose(transpose)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        image = Image.fromarray(_to_8_bits(values))
        if isinstance(transparency, int):  # the transparent value of a 16-bit PNG
            image.putalpha(Image.fromarray((values != transparency).astype(np.uint8) * 255))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB") if image.mode != "RGB" else image
    return np.array(_to_srgb(image, profile) if profile else image)


def _orientation(image: Image.Image) -> Any:
    """Return the EXIF orientation that is still to be applied; 1 without EXIF data or with too many to parse.

    libheif applies a HEIF's own rotation, and pillow-heif then resets the EXIF orientation, even when it rotated
    nothing.
    """
    file = getattr(image, "fp", None)  # None once decoded
    if image.format == "HEIF" and image.info.get("original_orientation") and file:
        file.seek(0)
        content = file.read()
        if not any(box in content for box in HEIF_TRANSFORMATIONS):
            return image.info["original_orientation"]
    image.load()  # the EXIF data of a PNG may be at its end
    if len(image.info.get("exif") or b"") > MAX_EXIF_BYTES or "Raw profile type exif" in image.info:
        return 1
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Convert grey of more than 8 bits to uint8. Its range is 16 bits unless all values fit in 8 bits or in [0, 1]."""
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
    except Exception:  # a photo with a broken profile is still readable
        return image


def encode_png(picture: np.ndarray) -> bytes:
    r"""Return the PNG file contents of a picture: uint8 grey (height, width), RGB (..., 3) or RGBA (..., 4).

    Example:
        >>> encode_png(np.zeros((2, 2), np.uint8))[:4]
        b'\x89PNG'
    """
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".png", picture, FAST_PNG)[1].tobytes()


def encode_jpeg(picture: np.ndarray, quality: int = 95, max_bytes: int | None = None) -> bytes:
    """Return the JPEG file contents of a uint8 RGB picture, (height, width, 3).

    Args:
        picture: uint8 RGB, (height, width, 3).
        quality: 1 to 100.
        max_bytes: while the file is larger, quality is lowered by 10, to no less than 40.

    Example:
        >>> noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
        >>> len(encode_jpeg(noise)) > 45_000 >= len(encode_jpeg(noise, max_bytes=45_000))
        True
    """
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    while True:
        content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if max_bytes is None or len(content) <= max_bytes or quality < 50:
            return content
        quality -= 10


def scale_down(picture: np.ndarray, longer_side: int) -> np.ndarray:
    """Scale a picture of any channels, if necessary, to a longer side of that many pixels; keep its aspect ratio.

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


def downsample(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a picture of any channels to a smaller size: each pixel is about the mean of those it covers.

    The picture is halved as often as possible first, which is faster than one area interpolation. A last odd row or
    column is dropped.

    Args:
        picture: (height, width) or (height, width, channels).
        size: width and height of the result.

    Example:
        >>> downsample(np.float32([[0, 4, 8, 8]]), (2, 1)).tolist()
        [[2.0, 8.0]]
    """
    while picture.shape[0] >= 2 * size[1] and picture.shape[1] >= 2 * size[0] and min(picture.shape[:2]) > 1:
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        picture = cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def alpha_to_grey(alpha: np.ndarray) -> np.ndarray:
    """Convert alpha, float32 in [0, 1], (height, width), to a uint8 grey picture in which hair is 255.

    Example:
        >>> alpha_to_grey(np.float32([[0, 0.5, 1]])).tolist()
        [[0, 128, 255]]
    """
    return cv2.convertScaleAbs(alpha, alpha=255)
