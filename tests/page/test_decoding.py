"""Photos opened in processes of their own: the same photos, the same sentences, and bounds that hold."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from PIL import Image

from hairseg.errors import InputError
from hairseg.images import encode_jpeg, encode_png, load_photo
from hairseg.page.decoding import GIB, Decoder


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "selfie at home.jpg"
    path.write_bytes(encode_jpeg(np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)))
    return path


@pytest.fixture
def black(tmp_path):
    """A small file of 100 megapixels."""
    Image.new("L", (10_000, 10_000)).save(tmp_path / "black.png")
    return tmp_path / "black.png"


def process_of(decoder: Decoder):
    """The one process of a decoder, which stays."""
    process = decoder._idle.get()
    decoder._idle.put(process)
    return process


@pytest.mark.parametrize("longer_side", [None, 300])
def test_a_photo_is_the_same_as_here(photo, longer_side):
    decoder, expected = Decoder(), load_photo(photo, longer_side=longer_side)
    for source in (str(photo), photo.read_bytes()):
        loaded = decoder.load(source, longer_side=longer_side)
        np.testing.assert_array_equal(loaded, expected)
        assert loaded.flags.writeable
        assert decoder.pixels(source) == 600 * 800


def test_what_is_wrong_is_told_in_the_same_words_and_the_process_goes_on(photo, tmp_path):
    decoder = Decoder()
    decoder.load(photo)
    process = process_of(decoder)
    (tmp_path / "text.jpg").write_text("no picture")
    for source, name in ((tmp_path / "text.jpg", None), (tmp_path / "gone.jpg", None), (b"", "the frame")):
        with pytest.raises(InputError) as here:
            load_photo(source, name)
        with pytest.raises(InputError) as apart:
            decoder.load(source, name)
        assert str(apart.value) == str(here.value)
        assert decoder.pixels(source) == 0
    assert decoder.load(photo).shape == (600, 800, 3) and process_of(decoder) is process


def test_a_photo_that_takes_too_much_memory_gets_a_sentence(photo, black):
    decoder = Decoder(memory=GIB // 2)
    decoder.load(photo)
    with pytest.raises(InputError, match=r"black.png takes (more memory than there is|too much time or memory)"):
        decoder.load(black)
    assert decoder.load(photo).shape == (600, 800, 3)


def test_a_photo_that_takes_too_much_time_gets_a_sentence(black):
    decoder = Decoder(seconds=-1)  # so that the first second is one too many
    with pytest.raises(InputError, match=r"black.png takes too much time or memory to read: save it again as JPEG"):
        decoder.load(black)
        decoder.load(black)


@pytest.mark.parametrize("is_at_work", [False, True], ids=["idle", "at work"])
def test_a_process_that_a_decoder_has_crashed_is_replaced(photo, black, is_at_work):
    decoder = Decoder()
    decoder.load(photo)
    process = process_of(decoder)
    if is_at_work:
        threading.Timer(0.2, os.kill, (process.pid, signal.SIGSEGV)).start()
        with pytest.raises(InputError, match=r"black\.png takes too much"):
            decoder.load(black)
    else:
        os.kill(process.pid, signal.SIGSEGV)
        process.wait()
    assert decoder.load(photo).shape == (600, 800, 3)
    assert process_of(decoder) is not process


def test_several_photos_are_opened_at_once_and_each_is_its_own(tmp_path):
    decoder, loaded = Decoder(2), {}
    files = {index: encode_png(np.full((50 + index, 40, 3), index, np.uint8)) for index in range(12)}
    threads = [
        threading.Thread(target=lambda index=index, file=file: loaded.update({index: decoder.load(file)}))
        for index, file in files.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {index: (photo.shape[0], photo.min(), photo.max()) for index, photo in loaded.items()} == {
        index: (50 + index, index, index) for index in files
    }


def test_processes_end_with_the_page():
    decoder = Decoder()
    decoder.start()
    process = process_of(decoder)
    process.stdin.close()  # as the system does when the page is no more, whatever ended it
    assert process.wait(timeout=60) == 0


def test_a_start_ahead_of_the_first_photo_is_used_by_it(photo):
    decoder = Decoder()
    decoder.start()
    process, began = process_of(decoder), time.monotonic()
    while process.poll() is None and time.monotonic() - began < 0.1:
        time.sleep(0.02)
    decoder.load(photo)
    assert process_of(decoder) is process
