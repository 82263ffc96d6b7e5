import io
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from conftest import PROJECT, draw_portrait
from PIL import Image, ImageCms

from hairseg import images
from hairseg.errors import InputError
from hairseg.images import FORMATS, alpha_to_grey, encode_png, load_photo


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def quadrants() -> np.ndarray:
    """Red, green, blue and grey quarters, 40 wide and 20 high."""
    photo = np.zeros((20, 40, 3), np.uint8)
    photo[:10, :20], photo[:10, 20:], photo[10:, :20], photo[10:, 20:] = (
        (200, 0, 0),
        (0, 200, 0),
        (0, 0, 200),
        (90, 90, 90),
    )
    return photo


@pytest.mark.parametrize(
    "orientation, stored",
    [
        (1, lambda photo: photo),
        (2, lambda photo: photo[:, ::-1]),
        (3, lambda photo: photo[::-1, ::-1]),
        (4, lambda photo: photo[::-1]),
        (5, lambda photo: photo.transpose(1, 0, 2)),
        (6, lambda photo: np.rot90(photo)),
        (7, lambda photo: np.rot90(photo, 2).transpose(1, 0, 2)),
        (8, lambda photo: np.rot90(photo, -1)),
    ],
)
def test_exif_orientation_makes_the_photo_upright(quadrants, orientation, stored):
    exif = Image.Exif()
    exif[274] = orientation
    file = encoded(Image.fromarray(np.ascontiguousarray(stored(quadrants))), "PNG", exif=exif)
    np.testing.assert_array_equal(load_photo(file), quadrants)


def test_transparency_is_laid_over_white():
    image = Image.new("RGBA", (4, 3), (200, 0, 0, 128))
    assert load_photo(encoded(image, "PNG"))[0, 0].tolist() == pytest.approx([227, 127, 127], abs=1)


def test_palette_with_a_transparent_colour_is_laid_over_white():
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert load_photo(encoded(image, "PNG"))[0, 0].tolist() == [10, 20, 30]
    assert load_photo(encoded(image, "PNG", transparency=1))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "mode, colour, expected",
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("LA", (77, 255), (77, 77, 77)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
    ],
)
def test_grey_and_bilevel_become_rgb(mode, colour, expected):
    photo = load_photo(encoded(Image.new(mode, (5, 4), colour), "PNG"))
    assert photo.shape == (4, 5, 3) and photo.dtype == np.uint8
    assert photo[0, 0].tolist() == list(expected)


def test_cmyk_becomes_rgb():
    photo = load_photo(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert photo[4, 4].tolist() == pytest.approx([255, 0, 0], abs=3)


def test_sixteen_bit_grey_keeps_its_range():
    values = np.array([[0, 257 * 100, 65535]], np.uint16)
    np.testing.assert_array_equal(load_photo(encoded(Image.fromarray(values), "PNG"))[0, :, 0], [0, 100, 255])


@pytest.mark.parametrize("highest", [1, 2, 255])
def test_dark_sixteen_bit_grey_stays_dark(highest):
    """Guards against whole numbers taken for shares of 1: a picture of 0 and 1 would be black and white."""
    values = np.array([[0, 1, highest]], np.uint16)
    np.testing.assert_array_equal(load_photo(encoded(Image.fromarray(values), "PNG"))[0, :, 0], [0, 1, highest])


def test_sixteen_bit_rgb_keeps_its_range():
    values = np.full((4, 4, 3), (65535, 257 * 100, 0), np.uint16)
    file = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    assert load_photo(file)[0, 0].tolist() == pytest.approx([255, 100, 0], abs=1)


def test_float_grey_in_the_unit_interval_keeps_its_range():
    values = np.array([[0.0, 0.5, 1.0]], np.float32)
    np.testing.assert_allclose(load_photo(encoded(Image.fromarray(values), "TIFF"))[0, :, 0], [0, 128, 255], atol=1)


def test_heic_of_phones_is_read(quadrants):
    np.testing.assert_allclose(
        load_photo(encoded(Image.fromarray(quadrants), "HEIF", quality=95))[5, 5], [200, 0, 0], atol=12
    )


def test_embedded_profile_is_converted_to_srgb():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A space like sRGB whose red and green primaries are exchanged.
    exchanged = srgb.replace(b"rXYZ", b"tmpX").replace(b"gXYZ", b"rXYZ").replace(b"tmpX", b"gXYZ")
    exchanged = exchanged.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    red = Image.new("RGB", (4, 4), (200, 0, 0))
    assert load_photo(encoded(red, "PNG", icc_profile=exchanged))[0, 0].tolist() == pytest.approx([0, 200, 0], abs=3)
    assert load_photo(encoded(red, "PNG", icc_profile=srgb))[0, 0].tolist() == [200, 0, 0]
    for damaged in (b"broken", srgb[:200], srgb[:130] + b"\xff" * (len(srgb) - 130), srgb.replace(b"rTRC", b"xTRC")):
        assert load_photo(encoded(red, "PNG", icc_profile=damaged))[0, 0].tolist() == pytest.approx([200, 0, 0], abs=60)


def test_a_text_file_named_jpg_gets_one_sentence(tmp_path):
    path = tmp_path / "selfie.jpg"
    path.write_text("not a picture")
    with pytest.raises(
        InputError, match=r"^selfie.jpg is not a picture that can be read: expected JPEG.*; choose another"
    ):
        load_photo(path)


def test_a_missing_file_a_folder_and_an_empty_file_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    for path, message in (
        (tmp_path / "gone.png", "gone.png is not a file"),
        (tmp_path, "is not a file"),
        (tmp_path / "empty.png", "empty.png is not a picture"),
    ):
        with pytest.raises(InputError, match=message):
            load_photo(path)


def test_a_cut_off_file_is_called_broken(quadrants, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "half.jpg"
    path.write_bytes(encoded(Image.fromarray(noise), "JPEG")[:2000])
    with pytest.raises(InputError, match=r"half.jpg is broken"):
        load_photo(path)


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(monkeypatch, quadrants):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    for kind, longer_side in (("PNG", None), ("JPEG", None), ("JPEG", 4)):
        with pytest.raises(InputError, match="too large"):
            load_photo(encoded(Image.fromarray(quadrants), kind), longer_side=longer_side)


@pytest.mark.parametrize(
    "tag, kind, value",
    [(282, 2, b"abc\0"), (282, 9, b"\xff\xff\xff\xff"), (0x8298, 12, struct.pack("<I", 38)), (0xA005, 2, b"x\0\0\0")],
    ids=["text for a ratio", "below zero", "double for a text", "text for a directory"],
)
def test_odd_exif_costs_neither_the_photo_nor_its_direction(quadrants, tag, kind, value):
    """Guards against the rest of the EXIF data being written anew for the sake of one number in it."""
    entries = struct.pack("<HHII", 0x112, 3, 1, 6) + struct.pack("<HHI", tag, kind, 4 if kind == 2 else 1) + value
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<Id", 0, 3.5)
    file = encoded(Image.fromarray(quadrants), "JPEG", exif=exif, quality=95, subsampling=0)
    assert np.abs(load_photo(file).astype(int) - np.rot90(quadrants, -1)).mean() < 6


def test_exif_data_of_many_megabytes_are_not_read(quadrants):
    """Guards against an orientation of a million values."""
    values = 1_000_000
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 3, values, 26, 0) + values * b"\6\0"
    assert np.array_equal(load_photo(encoded(Image.fromarray(quadrants), "PNG", exif=exif)), quadrants)


def test_the_transparent_value_of_a_16_bit_png_is_white(tmp_path):
    values = np.array([[0, 30_000], [65_535, 0]], np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png", transparency=0)
    assert load_photo(tmp_path / "grey.png")[..., 0].tolist() == [[255, 117], [255, 255]]


def test_what_pillow_decodes_when_it_opens_it_is_refused(quadrants):
    with pytest.raises(InputError, match="not a picture that can be read"):
        load_photo(encoded(Image.fromarray(quadrants), "ICO"))


def test_a_large_photo_that_is_allowed_is_read_without_a_warning(tmp_path):
    """In a process of its own, since pytest hides warnings. 100 megapixels of one colour make a small PNG."""
    Image.new("L", (10_000, 10_000), 7).save(tmp_path / "large.png")
    code = "import sys; from hairseg.images import load_photo; print(load_photo(sys.argv[1])[::5000, ::5000].tolist())"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "large.png"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.stderr == "" and done.stdout.strip() == str([[[7] * 3] * 2] * 2)


def test_names_that_no_file_can_have_are_named():
    for name in ("x" * 5000, "a\0b", ""):
        with pytest.raises(InputError, match="is not a file: expected a picture"):
            load_photo(name)


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_png_round_trip_is_lossless(channels):
    picture = np.random.default_rng(0).integers(0, 256, (13, 7, *channels), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(picture))) as image:
        np.testing.assert_array_equal(np.asarray(image), picture)


def test_alpha_becomes_grey_by_rounding():
    alpha = np.array([[0, 1, 0.5, 0.1]], np.float32)
    assert alpha_to_grey(alpha).tolist() == [[0, 255, 128, 26]]


def test_a_jpeg_is_decoded_no_larger_than_needed(tmp_path):
    """At a power of two of its size, as an area filter would scale it; never smaller than asked for."""
    large = cv2.resize(
        load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"),
        (1024, 768),
        interpolation=cv2.INTER_CUBIC,
    )
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=95)
    half = load_photo(tmp_path / "large.jpg", longer_side=300)
    assert half.shape == (384, 512, 3) and load_photo(tmp_path / "large.jpg", longer_side=256).shape == (192, 256, 3)
    assert np.abs(half.astype(int) - cv2.resize(large, (512, 384), interpolation=cv2.INTER_AREA)).mean() < 2
    assert (
        load_photo(tmp_path / "large.jpg", longer_side=600).shape
        == load_photo(tmp_path / "large.jpg").shape
        == large.shape
    )
    Image.fromarray(large).save(tmp_path / "large.png")
    assert load_photo(tmp_path / "large.png", longer_side=100).shape == large.shape


def test_nothing_is_handed_to_other_programs(monkeypatch, tmp_path):
    """Pillow leaves EPS to Ghostscript, WMF to Windows and more to others, whatever the file is called."""
    encapsulated = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    started = []
    monkeypatch.setattr(subprocess, "check_call", lambda *words, **options: started.append(words))
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **options: started.append(words))
    for name in ("drawing.eps", "photo.jpg", "photo"):
        (tmp_path / name).write_bytes(encapsulated)
        with pytest.raises(InputError, match=f"^{name} is not a picture that can be read"):
            load_photo(tmp_path / name)
    with pytest.raises(InputError, match="is not a picture that can be read"):
        load_photo(encapsulated)
    assert started == []


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_the_list_is_read_whatever_was_opened_before(format, tmp_path):
    photo = draw_portrait(1, 64)[0]
    path = tmp_path / "photo"
    if format not in Image.SAVE:
        pytest.skip(f"Pillow does not write {format}")
    Image.fromarray(photo).save(path, format=format)
    assert np.abs(load_photo(path).astype(int) - photo).mean() < 12
