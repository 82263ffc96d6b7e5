import io
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT, draw_portrait
from PIL import Image, ImageCms

from hairseg import images
from hairseg.errors import InputError
from hairseg.files import is_hidden
from hairseg.images import FORMATS, alpha_to_grey, as_alpha, as_photo, encode_png, load_photo


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


def test_transparency_is_composited_over_white():
    image = Image.new("RGBA", (4, 3), (200, 0, 0, 128))
    assert load_photo(encoded(image, "PNG"))[0, 0].tolist() == pytest.approx([227, 127, 127], abs=1)


def test_a_transparent_palette_colour_becomes_white():
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
    assert photo.shape == (4, 5, 3)
    assert photo.dtype == np.uint8
    assert photo[0, 0].tolist() == list(expected)


def test_cmyk_becomes_rgb():
    photo = load_photo(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert photo[4, 4].tolist() == pytest.approx([255, 0, 0], abs=3)


def test_sixteen_bit_grey_keeps_its_range():
    values = np.array([[0, 257 * 100, 65535]], np.uint16)
    np.testing.assert_array_equal(load_photo(encoded(Image.fromarray(values), "PNG"))[0, :, 0], [0, 100, 255])


@pytest.mark.parametrize("highest", [1, 2, 255])
def test_dark_16_bit_grey_stays_dark(highest):
    """Guards against integers taken for values in [0, 1]: a picture of 0 and 1 would become black and white."""
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
    with pytest.raises(InputError, match=r"^selfie\.jpg is not a picture that can be read\. Choose a JPEG.* file\.$"):
        load_photo(path)


def test_missing_files_folders_and_empty_files_are_reported(tmp_path):
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
        with pytest.raises(InputError, match="has more than 0 megapixels"):
            load_photo(encoded(Image.fromarray(quadrants), kind), longer_side=longer_side)


@pytest.mark.parametrize(
    "tag, kind, value",
    [(282, 2, b"abc\0"), (282, 9, b"\xff\xff\xff\xff"), (0x8298, 12, struct.pack("<I", 38)), (0xA005, 2, b"x\0\0\0")],
    ids=["text for a ratio", "below zero", "double for a text", "text for a directory"],
)
def test_malformed_exif_tags_do_not_affect_orientation(quadrants, tag, kind, value):
    """Guards against the EXIF data being serialised again to change one value, which fails on malformed tags."""
    entries = struct.pack("<HHII", 0x112, 3, 1, 6) + struct.pack("<HHI", tag, kind, 4 if kind == 2 else 1) + value
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<Id", 0, 3.5)
    file = encoded(Image.fromarray(quadrants), "JPEG", exif=exif, quality=95, subsampling=0)
    assert np.abs(load_photo(file).astype(int) - np.rot90(quadrants, -1)).mean() < 6


def test_exif_data_of_many_megabytes_are_ignored(quadrants):
    """Guards against an orientation of a million values."""
    values = 1_000_000
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 3, values, 26, 0) + values * b"\6\0"
    assert np.array_equal(load_photo(encoded(Image.fromarray(quadrants), "PNG", exif=exif)), quadrants)


def test_formats_that_pillow_decodes_on_opening_are_refused(quadrants):
    with pytest.raises(InputError, match="not a picture that can be read"):
        load_photo(encoded(Image.fromarray(quadrants), "ICO"))


def test_a_large_photo_within_the_limit_is_read_without_a_warning(tmp_path):
    """In a process of its own, since pytest hides warnings. 100 megapixels of one colour make a small PNG."""
    Image.new("L", (10_000, 10_000), 7).save(tmp_path / "large.png")
    code = "import sys; from hairseg.images import load_photo; print(load_photo(sys.argv[1])[::5000, ::5000].tolist())"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "large.png"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.strip() == str([[[7] * 3] * 2] * 2)


def test_invalid_file_names_are_reported():
    for name in ("x" * 5000, "a\0b", ""):
        with pytest.raises(InputError, match=r"is not a file\. Check the path\."):
            load_photo(name)


@pytest.mark.parametrize("source", [None, 7, np.zeros((4, 4, 3), np.uint8)])
def test_other_types_are_not_called_broken_pictures(source):
    with pytest.raises(InputError, match=r"^A \w+ is not a picture that can be read\. Pass a path"):
        load_photo(source)


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_png_round_trip_is_lossless(channels):
    picture = np.random.default_rng(0).integers(0, 256, (13, 7, *channels), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(picture))) as image:
        np.testing.assert_array_equal(np.asarray(image), picture)


def test_alpha_becomes_grey_by_rounding():
    alpha = np.array([[0, 1, 0.5, 0.1]], np.float32)
    assert alpha_to_grey(alpha).tolist() == [[0, 255, 128, 26]]


def test_a_jpeg_is_decoded_no_larger_than_needed(tmp_path):
    """Its size is divided by a power of two, with the result of an area filter; it is never smaller than requested."""
    large = cv2.resize(
        load_photo(PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"),
        (1024, 768),
        interpolation=cv2.INTER_CUBIC,
    )
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=95)
    half = load_photo(tmp_path / "large.jpg", longer_side=300)
    assert half.shape == (384, 512, 3)
    assert load_photo(tmp_path / "large.jpg", longer_side=256).shape == (192, 256, 3)
    assert np.abs(half.astype(int) - cv2.resize(large, (512, 384), interpolation=cv2.INTER_AREA)).mean() < 2
    assert (
        load_photo(tmp_path / "large.jpg", longer_side=600).shape
        == load_photo(tmp_path / "large.jpg").shape
        == large.shape
    )
    Image.fromarray(large).save(tmp_path / "large.png")
    assert load_photo(tmp_path / "large.png", longer_side=100).shape == large.shape


def test_no_external_program_is_started(monkeypatch, tmp_path):
    """Pillow passes EPS to Ghostscript, WMF to Windows and more to others, whatever the suffix."""
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
def test_every_allowed_format_is_read(format, tmp_path):
    photo = draw_portrait(1, 64)[0]
    path = tmp_path / "photo"
    if format not in Image.SAVE:
        pytest.skip(f"Pillow does not write {format}")
    Image.fromarray(photo).save(path, format=format)
    assert np.abs(load_photo(path).astype(int) - photo).mean() < 12


def unterminated_jpeg(quality: int = 90, **options) -> tuple[np.ndarray, bytes]:
    photo = draw_portrait(1, 200)[0]
    content = encoded(Image.fromarray(photo), "JPEG", quality=quality, **options)
    assert content.endswith(b"\xff\xd9")
    return load_photo(content), content[:-2]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("padding", [b"", b"\xff", bytes(500)])
def test_a_jpeg_without_an_end_marker_is_read(progressive, padding, tmp_path):
    photo, content = unterminated_jpeg(progressive=progressive)
    (tmp_path / "photo.jpg").write_bytes(content + padding)
    for source in (content + padding, io.BytesIO(content + padding), tmp_path / "photo.jpg"):
        np.testing.assert_array_equal(load_photo(source), photo)
    assert load_photo(content, longer_side=100).shape == (100, 100, 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_rows_is_broken(progressive):
    _, content = unterminated_jpeg(progressive=progressive)
    for length in (len(content) - 4, len(content) - 40, len(content) // 2):
        with pytest.raises(InputError, match=r"^cut\.jpg is broken"):
            load_photo(content[:length], "cut.jpg")


def tiff_with_tags(**tags: int) -> bytes:
    numbers = {"subfile_type": 254, "dng_version": 50706, "photometric": 262}
    info = {numbers[name]: value for name, value in tags.items()}
    return encoded(Image.fromarray(draw_portrait(1, 64)[0]), "TIFF", tiffinfo=info)


def cr2() -> bytes:
    """A TIFF with the letters CR behind its header, and the directory that was there at its end."""
    content = tiff_with_tags()
    directory_bytes = 6 + 12 * struct.unpack_from("<H", content, 8)[0]
    directory = content[8 : 8 + directory_bytes]
    return content[:4] + struct.pack("<I", len(content)) + b"CR" + content[10:] + directory


@pytest.mark.parametrize(
    "content",
    [
        tiff_with_tags(subfile_type=1),
        tiff_with_tags(dng_version=1),
        cr2(),
    ],
    ids=["NEF and ARW", "DNG", "CR2"],
)
def test_camera_raw_files_are_refused(content):
    """Guards against the mask of the thumbnail that such files start with."""
    with pytest.raises(InputError, match=r"^photo\.dng is a camera raw file.*\. Export it as JPEG\.$"):
        load_photo(content, "photo.dng")
    assert load_photo(tiff_with_tags(subfile_type=0)).shape == (64, 64, 3)


def heic_with_exif_orientation(photo: np.ndarray, orientation: int) -> bytes:
    """A HEIC whose EXIF data are turned without a rotation box: pillow-heif writes one only for what it is given."""
    exif = Image.Exif()
    exif[274] = 1
    content = encoded(Image.fromarray(photo), "HEIF", quality=95, exif=exif.tobytes())
    for order in ("<", ">"):
        tag = struct.pack(f"{order}HHIH", 274, 3, 1, 1)
        content = content.replace(tag, struct.pack(f"{order}HHIH", 274, 3, 1, orientation))
    return content


def test_exif_orientation_of_a_heic_without_a_rotation_box_is_applied(quadrants):
    stored = np.ascontiguousarray(np.rot90(np.kron(quadrants, np.ones((4, 4, 1), np.uint8))))
    content = heic_with_exif_orientation(stored, 6)
    assert b"irot" not in content
    photo = load_photo(content)
    assert photo.shape == (80, 160, 3)
    assert np.abs(photo[::4, ::4].astype(int) - quadrants).mean() < 12


def test_exif_orientation_of_a_heic_with_a_rotation_box_is_not_applied_twice(quadrants):
    stored = np.ascontiguousarray(np.rot90(np.kron(quadrants, np.ones((4, 4, 1), np.uint8))))
    exif = Image.Exif()
    exif[274] = 6
    content = encoded(Image.fromarray(stored), "HEIF", quality=95, exif=exif.tobytes())
    assert b"irot" in content
    assert np.abs(load_photo(content)[::4, ::4].astype(int) - quadrants).mean() < 12


def test_hidden_names():
    assert all(is_hidden(name) for name in (".a", "x/.git", "__MACOSX", "$Recycle.Bin", "System Volume Information"))
    assert not any(is_hidden(name) for name in ("a.jpg", ".x/a.jpg", "MACOSX", "x"))


def test_a_valid_photo_and_alpha_are_returned_as_they_are():
    photo, alpha = draw_portrait(1)[0], np.random.default_rng(0).random((96, 96), np.float32)
    assert as_photo(photo) is photo
    assert as_alpha(alpha, (96, 96)) is alpha


PHOTO = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
GREY_PHOTO = np.repeat(PHOTO[..., :1], 3, axis=2)


@pytest.mark.parametrize(
    "given, expected",
    [
        (PHOTO / 255, PHOTO),
        ((PHOTO / 255).astype(np.float16), PHOTO),
        (torch.from_numpy(PHOTO), PHOTO),
        (torch.from_numpy(PHOTO / 255).bfloat16().requires_grad_(), None),
        (PHOTO[::-1, ::-1], PHOTO[::-1, ::-1].copy()),
        (PHOTO.transpose(2, 0, 1).copy().transpose(1, 2, 0), PHOTO),
        (GREY_PHOTO[..., 0], GREY_PHOTO),
        (GREY_PHOTO[..., :1], GREY_PHOTO),
        (np.dstack([PHOTO, np.full((2, 4), 255, np.uint8)]), PHOTO),
        (np.dstack([PHOTO, np.zeros((2, 4), np.uint8)]), np.full_like(PHOTO, 255)),
        (Image.fromarray(PHOTO), PHOTO),
    ],
)
def test_unambiguous_photos_are_converted(given, expected):
    photo = as_photo(given)
    assert photo.dtype == np.uint8
    assert photo.flags.c_contiguous
    assert photo.shape == (2, 4, 3)
    assert np.abs(photo.astype(int) - (PHOTO if expected is None else expected)).max() <= (expected is None)


@pytest.mark.parametrize(
    "given",
    [
        PHOTO.transpose(2, 0, 1)[..., :2],
        PHOTO.astype(np.float32),
        np.where(PHOTO > 90, np.nan, PHOTO / 255),
        PHOTO / 255 - 0.1,
        PHOTO.astype(np.int64),
        PHOTO > 90,
        PHOTO[:0],
        PHOTO[None],
        None,
        "photo.jpg",
        [[1, 2], [3]],
    ],
)
def test_other_photos_are_refused_with_one_sentence_and_a_remedy(given):
    with pytest.raises(InputError, match=r"^[A-Z][^.]*\. (Pass|Pass RGB) .*\.$|outside of \[0, 1\]"):
        as_photo(given)


ALPHA = np.float32([[0, 0.2, 0.4], [0.6, 0.8, 1]])


@pytest.mark.parametrize(
    "given, expected",
    [
        (ALPHA.astype(np.float64), ALPHA),
        (ALPHA.astype(np.float16), ALPHA),
        (np.round(ALPHA * 255).astype(np.uint8), ALPHA),
        (ALPHA > 0.5, np.float32(ALPHA > 0.5)),
        (torch.from_numpy(ALPHA)[None, None], ALPHA),
        (ALPHA[..., None], ALPHA),
        (ALPHA.T.copy().T, ALPHA),
        (ALPHA * 1.0005, ALPHA),
        (np.zeros((2, 3), np.uint8), 0 * ALPHA),
        (Image.fromarray(np.round(ALPHA * 255).astype(np.uint8)), ALPHA),
    ],
)
def test_unambiguous_alphas_are_converted(given, expected):
    alpha = as_alpha(given, (2, 3))
    assert alpha.dtype == np.float32
    assert alpha.flags.c_contiguous
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    np.testing.assert_allclose(alpha, expected, atol=1e-3)


@pytest.mark.parametrize(
    "given",
    [
        ALPHA * 255,
        np.where(ALPHA > 0.5, np.nan, ALPHA),
        ALPHA - 0.1,
        (ALPHA > 0.5).astype(np.uint8),
        (ALPHA > 0.5).astype(np.int64),
        ALPHA.T,
        np.dstack([ALPHA, ALPHA]),
        None,
    ],
)
def test_other_alphas_are_refused_with_one_sentence_and_a_remedy(given):
    with pytest.raises(InputError, match=r"^(The|A) .*\. Pass .*\.$"):
        as_alpha(given, (2, 3))
