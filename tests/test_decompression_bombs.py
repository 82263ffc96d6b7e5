"""Pictures that take minutes to open are refused before Pillow parses them; ordinary pictures are read."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from hairseg.decompression_bombs import (
    MAX_GIF_EXTENSION_BYTES,
    MAX_JPEG_SCANS,
    MAX_TIFF_VALUES,
    find_decompression_bomb,
)
from hairseg.errors import InputError
from hairseg.images import count_pixels, load_photo

GREY = Image.new("RGB", (64, 64), (90, 120, 60))


def encoded(format: str, **options) -> bytes:
    file = io.BytesIO()
    GREY.save(file, format, **options)
    return file.getvalue()


BMP = encoded("BMP")


def jpeg_of_scans(scans: int) -> bytes:
    """A progressive JPEG with additional empty scans."""
    empty = b"\xff\xda" + struct.pack(">HB", 8, 1) + bytes([1, 0, 1, 63, 0, 0])
    return encoded("JPEG", progressive=True)[:-2] + scans * empty + b"\xff\xd9"


def gif_of_comments(number: int, length: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0x80, 0, 0) + bytes(6) + b"\0"  # Pillow skips the last byte
    comment = b"!\xfe" + (bytes([length]) + length * b"A" if length else b"") + b"\0"
    return head + number * comment + b",\0\0\0\0\2\0\2\0\0\2\2\x44\x01\0;"


def directory(tags: list[tuple[int, int, int, int]], data: bytes = b"") -> bytes:
    """A TIFF or EXIF directory. A tag is its number, type, count of values, and their offset or value."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


SHARED = directory([(0x112, 3, 1, 6), *((1000 + tag, 7, 60_000, 26) for tag in range(5000))], bytes(80_000))


def jpeg_of_exif(*parts: bytes) -> bytes:
    """A JPEG without a JFIF header, in whose EXIF data Pillow looks for the resolution on opening."""
    jpeg = encoded("JPEG")
    segments = (b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts)
    return jpeg[:2] + b"".join(segments) + jpeg[2 + 2 + 16 :]


def tiff_of_strips(strips: int, order: str = "<", big: bool = False) -> bytes:
    magic = b"II" if order == "<" else b"MM"
    if big:
        head = magic + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
        return head + struct.pack(f"{order}QHHQQ", 1, 273, 4, strips, 0)
    return magic + struct.pack(f"{order}HIHHHII", 42, 8, 1, 273, 4, strips, 0)


@pytest.mark.parametrize(
    "file, reason",
    [
        (jpeg_of_scans(800), "has 8.. scans"),
        (jpeg_of_scans(800).replace(b"\xff\xda", b"\xff\x01\xff\xda"), "has 8.. scans"),  # markers without a length
        (jpeg_of_scans(8000), "has more than 2000 segments"),
        (encoded("JPEG")[:-2] + 3000 * b"\xff\xe1\0\2", "has more than 2000 segments"),
        (gif_of_comments(500, 255), "has more than 1000000 bytes before its first picture"),
        (gif_of_comments(MAX_GIF_EXTENSION_BYTES // 40, 1), "has more than 1000000 bytes before its first picture"),
        (gif_of_comments(MAX_GIF_EXTENSION_BYTES // 20, 0), "has more than 1000000 bytes before its first picture"),
        (tiff_of_strips(4_000_000), "a tag of 4000000 values"),
        (tiff_of_strips(4_000_000, ">"), "a tag of 4000000 values"),
        (tiff_of_strips(1 << 40, big=True), "a tag of 1099511627776 values"),
        (tiff_of_strips(4_000_000, ">").replace(b"MM\0*", b"MM\0+"), "a tag of 4000000 values"),
        (directory([(273, 6, 4_000_000, 8)]), "a tag of 4000000 values"),
        (SHARED, "has tags larger than the file"),
        (SHARED[:-100_000], "has tags larger than the file"),
        (directory(10_001 * [(1000, 7, 1, 0)]), "has 10001 tags"),
        (jpeg_of_exif(SHARED[:65_000], SHARED[65_000:130_000], SHARED[130_000:]), "has 14.* bytes of EXIF data"),
        (jpeg_of_exif(*3000 * [b""]), "has more than 2000 segments"),
        (BMP[:30] + b"\1" + BMP[31:], "is a run-length encoded BMP"),
    ],
    ids=[
        "jpeg",
        "jpeg of markers",
        "jpeg of many scans",
        "jpeg of segments behind its scan",
        "long gif",
        "gif of comments",
        "gif of empty comments",
        "tiff",
        "big-endian tiff",
        "bigtiff",
        "tiff that looks like bigtiff",
        "tiff of signed bytes",
        "tiff of shared data",
        "tiff of shared data, cut off",
        "tiff of many tags",
        "jpeg of shared data",
        "jpeg of many segments",
        "run-length encoded bmp",
    ],
)
def test_decompression_bombs_are_refused(file, reason, tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(file)
    for source in (path, file):
        with pytest.raises(InputError, match=rf"{reason}.*, which takes too long to read\. Save it again as JPEG"):
            load_photo(source)
    assert count_pixels(path) == 0


def test_ordinary_pictures_are_read():
    animation = io.BytesIO()
    GREY.save(animation, "GIF", save_all=True, append_images=3 * [GREY], comment=500 * b"a comment ", loop=0)
    video = np.random.default_rng(0).integers(0, 256, 8_000_000, np.uint8).tobytes()  # as phones append to a photo
    assert video.count(b"\xff\xda") > MAX_JPEG_SCANS
    exif = b"Exif\0\0" + 100 * b"\xff\xda"  # in which a thumbnail might be
    notes = b"!\xff\x0bXMP DataXMP" + 2000 * (b"\xff" + 255 * b"x") + b"\0"  # as Adobe's programs write them
    gif = encoded("GIF")
    gif = gif[: gif.index(b",")] + notes + gif[gif.index(b",") :]
    ordinary = [gif, encoded("JPEG") + video, encoded("JPEG", exif=exif)]
    ordinary += [
        encoded("JPEG", progressive=True),
        jpeg_of_scans(MAX_JPEG_SCANS - 20),
        animation.getvalue(),
        encoded("TIFF"),
    ]
    ordinary += [BMP, encoded("JPEG", exif=directory([(0x112, 3, 1, 1)], bytes(60_000)))]
    ordinary += [
        encoded("TIFF", big_tiff=True),
        encoded("TIFF", compression="tiff_lzw"),
        encoded("PNG"),
        encoded("MPO"),
    ]
    for file in ordinary:
        assert find_decompression_bomb(io.BytesIO(file)) is None
        assert np.abs(load_photo(file).astype(int) - (90, 120, 60)).max() < 12


@pytest.mark.parametrize(
    "beginning", [b"", b"\xff\xd8\xff", b"GIF89a", b"GIF89a" + bytes(7) + b"!", b"II", b"MM\0*\0\0"]
)
def test_truncated_headers_are_left_to_pillow(beginning):
    file = io.BytesIO(b"before" + beginning)
    file.seek(6)
    assert find_decompression_bomb(file) is None
    assert file.tell() == 6
    with pytest.raises(InputError, match=r"is not a picture|is broken"):
        load_photo(beginning)


def test_a_tag_with_the_maximum_of_values_is_accepted():
    assert find_decompression_bomb(io.BytesIO(tiff_of_strips(MAX_TIFF_VALUES) + bytes(4 * MAX_TIFF_VALUES))) is None


def test_exif_tags_that_share_their_bytes_are_ignored():
    chunk = b"eXIf" + SHARED
    chunk = struct.pack(">I", len(SHARED)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    png = encoded("PNG")
    assert load_photo(png[:33] + chunk + png[33:]).shape == (64, 64, 3)
