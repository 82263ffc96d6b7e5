"""Mutated pictures are read as photos, or refused with one sentence."""

import io

import numpy as np
import pytest
from conftest import PROJECT, draw_portrait
from fuzzing import mutated, refused_in_one_sentence
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, features

from hairseg.images import MAX_PIXELS, count_pixels, load_photo, readable_formats

SAVE_OPTIONS = {  # by format
    "JPEG": [{}, {"progressive": True}, {"exif": True}, {"icc_profile": True}],
    "PNG": [{}, {"exif": True}, {"icc_profile": True}],
    "WEBP": [{}, {"lossless": True}, {"save_all": True}, {"exif": True}],
    "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "jpeg"}],
    "BMP": [{}],
    "GIF": [{}, {"save_all": True}],
    "HEIF": [{}],
    "AVIF": [{}],
    "JPEG2000": [{}],
    "ICO": [{}],
    "PPM": [{}],
}


def write_pictures() -> list[bytes]:
    """Encode a small picture in all formats that Pillow writes on this machine, in several modes."""
    photo = Image.fromarray(draw_portrait(1, 48)[0]).crop((0, 0, 40, 48))
    alpha = photo.copy()
    alpha.putalpha(photo.convert("L"))
    sixteen = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274] = 6
    values = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        "save_all": True,
    }
    pictures = []
    for name in readable_formats():
        for names in SAVE_OPTIONS.get(name, []):
            options = {key: values.get(key, value) for key, value in names.items()}
            options |= {"append_images": [photo.rotate(90)]} if "save_all" in options else {}
            others = (alpha, photo.convert("L"), photo.convert("P"), photo.convert("CMYK"), sixteen)
            for picture in (photo, *(() if names else others)):
                file = io.BytesIO()
                try:
                    picture.save(file, name, **options)
                except (OSError, ValueError, KeyError):  # this format has no such mode
                    continue
                pictures.append(file.getvalue())
    for path in sorted((PROJECT / "hairseg" / "page" / "examples").glob("*.jpg"))[:2]:
        pictures.append(path.read_bytes())
    return pictures


PICTURES = write_pictures()


def test_the_corpus_contains_every_common_format():
    formats = set()
    for content in PICTURES:
        with Image.open(io.BytesIO(content)) as picture:
            formats.add(picture.format)
        assert load_photo(content).dtype == np.uint8
    assert {"JPEG", "PNG", "TIFF", "BMP", "GIF"} < formats
    assert ("WEBP" in formats) == features.check("webp")


@given(content=mutated(PICTURES), longer_side=st.none() | st.integers(1, 2000))
def test_mutated_pictures_are_read_or_refused(content, longer_side):
    def load():
        photo = load_photo(content, "holiday.jpg", longer_side)
        assert photo.dtype == np.uint8
        assert photo.ndim == 3
        assert photo.shape[2] == 3
        assert 0 < photo.shape[0] * photo.shape[1] <= MAX_PIXELS

    message = refused_in_one_sentence(load)
    assert message is None or message.startswith("holiday.jpg ")


@given(content=mutated(PICTURES))
def test_pixels_of_mutated_pictures_are_counted(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(content)
    assert count_pixels(path) >= 0


@given(content=st.binary(max_size=400))
@pytest.mark.parametrize(
    "head", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0", b"BM", b"8BPS"]
)
def test_arbitrary_bytes_are_read_or_refused(head, content):
    refused_in_one_sentence(lambda: load_photo(head + content))
