"""Pictures as cameras, scanners and downloads produce them, and arrays of unusual kinds."""

import io
import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT, draw_portrait
from PIL import Image

from hairseg.errors import InputError
from hairseg.images import as_alpha, as_photo, load_photo

RED, BLUE = (200, 10, 20), (10, 20, 200)


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def interlaced_png(photo: np.ndarray) -> bytes:
    """An Adam7 PNG, which Pillow and OpenCV do not write (PNG specification, section 8.2)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in photo[y::dy, x::dx])
    header = struct.pack(">IIBBBBB", photo.shape[1], photo.shape[0], 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["WEBP", "PNG", "GIF", "TIFF"])
def test_the_first_frame_of_an_animation_or_page_of_a_scan_is_read(format):
    options = {"lossless": True} if format == "WEBP" else {}
    frames = [Image.new("RGB", (8, 6), colour) for colour in (RED, BLUE)]
    content = encode(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert np.abs(load_photo(content).astype(int) - RED).max() <= 2


def test_an_interlaced_png_is_read():
    photo, _ = draw_portrait(1)
    assert np.array_equal(load_photo(interlaced_png(photo)), photo)


@pytest.mark.parametrize("has_adobe_marker", [True, False])
def test_cmyk_jpegs_are_not_inverted(has_adobe_marker):
    content = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    if not has_adobe_marker:
        start = content.index(b"\xff\xee")
        content = content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]
    assert load_photo(content)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_half_of_16_bits_is_half_of_8_bits(suffix):
    content = cv2.imencode(suffix, np.full((4, 5, 3), 0x8000, np.uint16))[1].tobytes()
    assert (load_photo(content) == 128).all()


@pytest.mark.parametrize("type", [np.float32, np.float64, np.int32])
def test_a_tiff_in_an_unsupported_pixel_format_is_refused(type):
    content = cv2.imencode(".tif", np.full((4, 5, 3), 0.5, type))[1].tobytes()
    with pytest.raises(
        InputError, match=r"^x is broken, or a TIFF file in an unsupported pixel format\. Export it as JPEG"
    ):
        load_photo(content, "x")


@pytest.mark.parametrize("profile", [b"garbage", bytes(5_000_000)], ids=["garbage", "5 MB of zeros"])
def test_broken_colour_profiles_are_ignored(profile):
    photo = load_photo(encode(Image.new("RGB", (8, 6), RED), "JPEG", quality=100, icc_profile=profile))
    assert np.abs(photo.astype(int) - RED).max() <= 2


def with_chunk(png: bytes, name: bytes, data: bytes, is_valid: bool = True) -> bytes:
    """Insert a chunk after the header of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(name + data) ^ (not is_valid))
    return png[:33] + struct.pack(">I", len(data)) + name + data + checksum + png[33:]


@pytest.mark.parametrize(
    "name, data, is_valid",
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)), True),
        (b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(bytes(5_000_000)), True),
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(5_000_000)), True),
        (b"tEXt", b"Comment\0x", False),
        (b"pHYs", b"\0", True),
        (b"gAMA", b"", True),
    ],
    ids=["5 MB of text", "5 MB of international text", "5 MB of profile", "wrong checksum", "short", "empty"],
)
def test_malformed_metadata_of_a_png_is_ignored(name, data, is_valid):
    photo, _ = draw_portrait(1)
    content = encode(Image.fromarray(photo), "PNG")
    assert np.array_equal(load_photo(with_chunk(content, name, data, is_valid)), photo)
    with pytest.raises(InputError, match=r"^x is broken"):
        load_photo(with_chunk(content[:-3000], name, data, is_valid), "x")


@pytest.mark.parametrize("opacity", [0, 255])
def test_a_bmp_whose_fourth_channel_is_empty_is_opaque(opacity):
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 56, 8, 6, 1, 32, 3, 4 * 8 * 6, 0, 0, 0, 0) + masks  # with BI_BITFIELDS
    content = struct.pack("<2sIHHI", b"BM", 14 + 56 + 4 * 8 * 6, 0, 0, 14 + 56) + header
    assert (load_photo(content + bytes([*RED[::-1], opacity]) * 8 * 6) == RED).all()


def test_path_like_objects_are_read(tmp_path):
    photo, _ = draw_portrait(1)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    with os.scandir(tmp_path) as entries:
        assert np.array_equal(load_photo(next(entries)), photo)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_undefined_exif_orientations_are_ignored(orientation):
    photo, _ = draw_portrait(1)
    exif = Image.Exif()
    exif[0x112] = orientation
    assert np.array_equal(load_photo(encode(Image.fromarray(photo), "PNG", exif=exif)), photo)


def test_malformed_exif_data_print_no_warning_and_are_no_error(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 6)).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05")
    code = f"from hairseg import load_photo; print(load_photo({str(path)!r}).shape)"
    for option in ("default", "error"):
        command = [sys.executable, "-W", option, "-c", code]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
        assert done.stdout == "(6, 8, 3)\n", done.stderr
        assert "EXIF" not in done.stderr


class Download(io.RawIOBase):
    """A stream without a position, as urllib and pipes give."""

    def __init__(self, content: bytes):
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._content.readinto(buffer)


def test_streams_without_a_position_are_read():
    photo, _ = draw_portrait(1)
    assert np.array_equal(load_photo(Download(encode(Image.fromarray(photo), "PNG"))), photo)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
@pytest.mark.parametrize("read", [load_photo, as_photo])
def test_pictures_without_pixels_are_refused(read, size):
    with pytest.raises(InputError, match=r"no pixels"):
        read(Image.new("RGB", size))


@pytest.mark.parametrize(
    "tensor",
    [torch.empty(4, 5, 3, device="meta"), torch.ones(4, 5, 3).to_sparse()],
    ids=["meta", "sparse"],
)
def test_tensors_without_dense_data_are_refused(tensor):
    with pytest.raises(InputError, match=r"Pass a NumPy array\."):
        as_photo(tensor)
    with pytest.raises(InputError, match=r"Pass a NumPy array\."):
        as_alpha(tensor[..., 0] if tensor.is_meta else tensor, (4, 5))


@pytest.mark.parametrize(
    "make",
    [
        lambda photo: np.frombuffer(photo.tobytes(), np.uint8).reshape(photo.shape),
        lambda photo: photo[::-1].copy()[::-1],
        np.asfortranarray,
        memoryview,
        lambda photo: (photo / 255).astype(">f4"),
        lambda photo: np.ma.masked_array(photo, mask=photo > 100),
    ],
    ids=["read-only", "negative strides", "Fortran order", "memoryview", "big-endian", "masked"],
)
def test_arrays_of_other_memory_layouts_are_the_same_photo(make):
    photo, _ = draw_portrait(1)
    assert np.array_equal(as_photo(make(photo)), photo)
