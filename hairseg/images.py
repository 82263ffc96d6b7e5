"""Pictures: reading files as upright RGB photos, checking arrays, scaling, writing PNG and JPEG."""

import io
import os
import struct
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
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

    pillow_heif.register_heif_opener()  # pyright: ignore[reportUnknownMemberType]

MAX_PIXELS = 120_000_000
# Pillow warns above 90 megapixels; `load_photo` has its own limit.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
# It also warns of malformed metadata, which do not affect the photo.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# Formats of cameras, phones, browsers and data sets. Others are refused: Pillow passes some to external programs, such
# as EPS to Ghostscript, whatever the file's suffix, and decodes some while opening them (ICO).
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

# Headers of the HEIF boxes that rotate or mirror an image (ISO/IEC 23008-12, 6.5.10 and 6.5.12).
HEIF_TRANSFORMATIONS = (b"\0\0\0\x09irot", b"\0\0\0\x09imir")

JPEG_START_MARKER, JPEG_END_MARKER = b"\xff\xd8", b"\xff\xd9"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

NEW_SUBFILE_TYPE, PHOTOMETRIC, DNG_VERSION = 254, 262, 50706  # TIFF tags
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
RAW_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear raw

ROUNDING_TOLERANCE = 1e-3  # by which resampling may leave [0, 1]

# Run-length encoding of differences to the row above: faster than string matching, and as small for photos.
_FAST_PNG = {
    cv2.IMWRITE_PNG_COMPRESSION: 1,
    cv2.IMWRITE_PNG_STRATEGY: cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_FILTER: cv2.IMWRITE_PNG_FILTER_UP,
}
FAST_PNG = [number for setting in _FAST_PNG.items() for number in setting]


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
    source: str | os.PathLike[str] | bytes | BinaryIO | Image.Image,
    name: str | None = None,
    longer_side: int | None = None,
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
    if isinstance(source, str | os.PathLike):
        source = Path(source)
        name = name or source.name
        if not os.path.isfile(source):
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
        with _as_file(source) as file:
            return _decode(file, name, longer_side)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more on broken files
        raise _explain(error, name) from None


def count_pixels(source: str | Path | BinaryIO) -> int:
    """Return the number of pixels according to a file's header; 0 if `load_photo` would refuse the file."""
    try:
        with _as_file(source) as file, _open(file, "The picture") as image:
            return image.width * image.height
    except Exception:  # as for `load_photo`
        return 0


def as_photo(photo: ArrayLike | Image.Image) -> np.ndarray:
    """Check a photo, and convert it to uint8 RGB where its meaning is unambiguous.

    Args:
        photo: uint8 RGB, (height, width, 3), which is returned unchanged. Also accepted: grey (height, width) or
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
    """Check an alpha, and convert it to float32 where its meaning is unambiguous.

    Args:
        alpha: float32 in [0, 1], (height, width), which is returned unchanged. Also accepted: other floats in [0, 1],
            bool masks, uint8 masks up to 255, additional axes of length 1, views, PIL images, PyTorch tensors on any
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
    if array.dtype == np.uint8:
        if array.max() == 1:
            raise InputError(
                "A uint8 mask whose largest value is 1 is ambiguous.",
                remedy="Pass it as bool, or with values up to 255.",
            )
        array = np.divide(array, 255, dtype=np.float32)
    elif array.dtype == bool:
        array = array.astype(np.float32)
    lowest, highest = (array.min(), array.max()) if array.dtype.kind == "f" else (np.nan, np.nan)
    if not -ROUNDING_TOLERANCE <= lowest <= highest <= 1 + ROUNDING_TOLERANCE:  # also False for NaN
        values = "values outside of [0, 1] or NaN" if array.dtype.kind == "f" else f"type {array.dtype}"
        raise InputError(f"The mask has {values}.", remedy="Pass floats in [0, 1], bool, or uint8 in [0, 255].")
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


def _explain(error: Exception, name: str) -> InputError:
    """Turn an error of reading a picture into one for the user."""
    match error:
        case UnidentifiedImageError():
            remedy = "Choose a JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF file."
            return InputError(f"{name} is not a picture that can be read.", remedy=remedy)
        case Image.DecompressionBombError():
            megapixels = MAX_PIXELS // 1_000_000
            return InputError(f"{name} has more than {megapixels} megapixels.", remedy="Scale it down and try again.")
        case PermissionError():
            return InputError(f"{name} cannot be read: permission denied.", remedy="Change its permissions.")
        case MemoryError():
            return InputError(f"{name} does not fit into memory.", remedy="Scale it down and try again.")
        case _:
            return InputError(f"{name} is broken and cannot be read.", remedy="Copy or save it again.")


def _as_file(source: str | Path | bytes | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Open a path; a file object that is passed stays open."""
    if isinstance(source, str | Path):
        return open(source, "rb")
    return nullcontext(io.BytesIO(source) if isinstance(source, bytes) else source)


def _open(file: BinaryIO, name: str) -> Image.Image:
    if reason := find_decompression_bomb(file):
        raise InputError(f"{name} {reason}, which takes too long to read.", remedy="Save it again as JPEG.")
    try:
        image = Image.open(file, formats=readable_formats())
    except UnidentifiedImageError:
        file.seek(0)
        if file.read(4) not in TIFF_SIGNATURES:
            raise
        # Floating-point colour is one: the file does not record whether it is linear or sRGB.
        problem = f"{name} is broken, or a TIFF file in an unsupported pixel format."
        raise InputError(problem, remedy="Export it as JPEG.") from None
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


def _decode(file: BinaryIO, name: str, longer_side: int | None) -> np.ndarray:
    if not file.seekable():  # such as a download or a pipe
        file = io.BytesIO(file.read())
    try:
        with _open(file, name) as image:
            return _to_rgb(image, name, longer_side)
    except (InputError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception:
        file.seek(0)
        content = file.read()
        if content.startswith(JPEG_START_MARKER):
            return _decode_unterminated_jpeg(content, name, longer_side)
        if content.startswith(PNG_SIGNATURE):
            return _decode_png_without_metadata(content, name)
        raise


def _decode_png_without_metadata(content: bytes, name: str) -> np.ndarray:
    """Decode a PNG without its metadata, which Pillow refuses if it is malformed or contains megabytes of text."""
    chunks, start = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while start + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        end = start + size + 12
        if kind in PNG_PIXEL_CHUNKS:
            chunks.append(content[start:end])
        start = end
    with Image.open(io.BytesIO(b"".join(chunks)), formats=["PNG"]) as image:
        return _to_rgb(image, name)


def _decode_unterminated_jpeg(content: bytes, name: str, longer_side: int | None) -> np.ndarray:
    """Decode a JPEG that lacks its end marker, with one added.

    If rows are missing, libjpeg decodes any bytes before the marker as pixels; after a complete scan it skips them. So
    two different fillers give the same photo if and only if no rows are missing.

    Raises:
        OSError: rows are missing.
    """
    content = content.rstrip(b"\xff")  # a marker cut in half
    photos: list[np.ndarray] = []
    for filler in (b"", 64 * b"\x5a"):
        with Image.open(io.BytesIO(content + filler + JPEG_END_MARKER), formats=["JPEG"]) as image:
            photos.append(_to_rgb(image, name, longer_side))
    if not np.array_equal(photos[0], photos[1]):
        raise OSError("rows are missing")
    return photos[0]


def _to_rgb(image: Image.Image, name: str, longer_side: int | None = None) -> np.ndarray:
    if not image.width * image.height:
        raise InputError(f"{name} has no pixels.", remedy="Choose another picture.")
    if image.width * image.height > MAX_PIXELS:  # before `draft` reduces the size
        raise Image.DecompressionBombError
    if longer_side:
        width, height = (max(1, side * longer_side // max(image.size)) for side in image.size)
        image.draft(None, (width, height))
    transpose = TRANSPOSE_BY_ORIENTATION.get(_orientation(image))
    image_format, profile = image.format, image.info.get("icc_profile")
    if transpose is not None:
        image = image.transpose(transpose)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image_format == "BMP" and image.getchannel("A").getextrema() == (0, 0):
            image.putalpha(255)  # most programs ignore the fourth channel of a BMP and leave it 0
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB") if image.mode != "RGB" else image
    return np.array(_to_srgb(image, profile) if profile else image)


def _orientation(image: Image.Image) -> Any:
    """Return the EXIF orientation; 1 if it has been applied, is missing, or if there are too many EXIF data to parse.

    pillow-heif applies the HEIF boxes for rotation and resets the EXIF orientation, also when there are no such boxes.
    """
    file = getattr(image, "fp", None)  # None if the image is decoded already
    if image.format == "HEIF" and image.info.get("original_orientation") and file:
        file.seek(0)
        content = file.read()
        if not any(box in content for box in HEIF_TRANSFORMATIONS):
            return image.info["original_orientation"]
    image.load()  # the EXIF chunk of a PNG may be at its end
    if len(image.info.get("exif") or b"") > MAX_EXIF_BYTES or "Raw profile type exif" in image.info:
        return 1
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Convert to uint8 from the smallest range that contains the values: [0, 1] (only floats), 8 bits or 16 bits."""
    are_floats = values.dtype.kind == "f"
    values = np.nan_to_num(values.astype(np.float64))
    highest = values.max()
    if are_floats and 0 < highest <= 1:
        values = values * 255
    elif highest > 255:
        values = values / 257
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    cms: Any = ImageCms  # only partly annotated
    try:
        source = cms.getOpenProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB" or "sRGB" in cms.getProfileDescription(source):
            return image
        return cms.profileToProfile(image, source, cms.createProfile("sRGB"))
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


def fit_size(shape: Sequence[int], longer_side: int) -> tuple[int, int]:
    """Return the width and height to which a picture of a shape is scaled for a longer side of that many pixels.

    Example:
        >>> fit_size((300, 400, 3), 100)
        (100, 75)
    """
    scale = longer_side / max(shape[:2])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def scale_down(picture: np.ndarray, longer_side: int) -> np.ndarray:
    """Scale a picture of any channels, if necessary, to a longer side of that many pixels; keep its aspect ratio.

    Example:
        >>> scale_down(np.zeros((300, 400, 3), np.uint8), 100).shape
        (75, 100, 3)
    """
    if longer_side >= max(picture.shape[:2]):
        return picture
    return cv2.resize(picture, fit_size(picture.shape, longer_side), interpolation=cv2.INTER_AREA)


def downsample(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a picture of any channels to a smaller size: each pixel becomes about the mean of those it covers.

    The picture is halved repeatedly first, which is faster than one area interpolation. An odd last row or column is
    dropped.

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
