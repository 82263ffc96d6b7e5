"""Whatever a user hands over becomes an upright RGB photo, or one clear error; and results become PNG files."""

import io
from contextlib import suppress
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from hairseg.errors import InputError

with suppress(ImportError):  # machines that only train need no HEIC
    import pillow_heif

    pillow_heif.register_heif_opener()

MAX_PIXELS = 120_000_000
# What Pillow decodes by itself. Others it hands to programs of their own (EPS to Ghostscript), whatever a file is called.
FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "HEIF",
    "AVIF",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "ICO",
    "PPM",
    "JPEG2000",
    "PSD",
    "QOI",
    "SGI",
    "PCX",
    "DDS",
    "TGA",
)
# People wait for these files. Runs alone, after differences to the row above: faster than strings, and as small for photos.
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
        longer_side: in pixels, if no more is needed: a JPEG is then decoded at a half, a quarter or an eighth of its size
            where its longer side stays at least that, several times as fast.

    Returns:
        uint8 RGB photo, shape (height, width, 3).

    Raises:
        InputError: not a picture, broken, missing, or larger than `MAX_PIXELS`.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source, name or "the picture")
    if isinstance(source, (str, Path)):
        name = name or Path(source).name
        if not Path(source).is_file():
            raise InputError(
                f"{name} is not a file: expected a picture such as JPEG, PNG, WebP or HEIC; check the path."
            )
    name = name or "the picture"
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=readable_formats()
        ) as image:
            if longer_side:
                image.draft(None, [max(1, side * longer_side // max(image.size)) for side in image.size])
            return _to_rgb(image, name)
    except UnidentifiedImageError:
        raise InputError(
            f"{name} is not a picture that can be read: expected JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF; "
            "choose another file or save it again as JPEG."
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error and more on broken files
        raise InputError(
            f"{name} is broken and cannot be read ({str(error).rstrip('.')}): expected a whole picture; "
            "copy or save it again."
        ) from None


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} is too large: expected at most {MAX_PIXELS // 1_000_000} megapixels; scale it down and try again."
    )


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    profile = image.info.get("icc_profile")
    image = image.convert("RGB") if image.mode != "RGB" else image
    return np.array(_to_srgb(image, profile) if profile else image)


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey of more than 8 bits -> uint8; 16-bit range unless the values already fit in 8 bits or in [0, 1]."""
    values = np.nan_to_num(values.astype(np.float64))
    highest = values.max()
    if values.dtype.kind == "f" and 0 < highest <= 1:
        values = values * 255
    elif highest > 255:
        values = values / 257
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB" or "sRGB" in ImageCms.getProfileDescription(source):
            return image
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):  # a broken profile must not cost the user the photo
        return image


def encode_png(picture: np.ndarray) -> bytes:
    """uint8 grey (height, width), RGB (height, width, 3) or RGBA (height, width, 4) -> PNG file contents."""
    conversion = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[
        picture.ndim if picture.ndim == 2 else picture.shape[2]
    ]
    if conversion is not None:
        picture = cv2.cvtColor(picture, conversion)
    return cv2.imencode(".png", picture, FAST_PNG)[1].tobytes()


def alpha_to_grey(alpha: np.ndarray) -> np.ndarray:
    """float alpha in [0, 1] -> uint8 grey picture, 255 is hair."""
    return cv2.convertScaleAbs(alpha, alpha=255)
