"""Decoding in subprocesses returns the same photos and errors, within limits of memory and time."""

import resource
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hairseg.errors import InputError
from hairseg.images import encode_jpeg, encode_png, load_photo
from hairseg.page import decoder as decoder_module
from hairseg.page.decoder import GIB, Decoder
from hairseg.page.store import decoder_for


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


limited = pytest.mark.skipif(sys.platform != "linux", reason="needs resource limits")


def process_of(decoder: Decoder):
    """Return the process of a decoder that has only one."""
    process = decoder._idle.get()
    decoder._idle.put(process)
    return process


@pytest.mark.parametrize("longer_side", [None, 300])
def test_photos_equal_those_of_load_photo(photo, longer_side):
    decoder, expected = Decoder(), load_photo(photo, longer_side=longer_side)
    for source in (str(photo), photo.read_bytes()):
        loaded = decoder.load(source, longer_side=longer_side)
        np.testing.assert_array_equal(loaded, expected)
        assert loaded.flags.writeable
        assert decoder.count_pixels(source) == 600 * 800


def test_errors_equal_those_of_load_photo_and_the_subprocess_survives(photo, tmp_path):
    decoder = Decoder()
    decoder.load(photo)
    process = process_of(decoder)
    (tmp_path / "text.jpg").write_text("no picture")
    for source, name in ((tmp_path / "text.jpg", None), (tmp_path / "gone.jpg", None), (b"", "the frame")):
        with pytest.raises(InputError) as in_process:
            load_photo(source, name)
        with pytest.raises(InputError) as in_subprocess:
            decoder.load(source, name)
        assert str(in_subprocess.value) == str(in_process.value)
        assert decoder.count_pixels(source) == 0
    assert decoder.load(photo).shape == (600, 800, 3) and process_of(decoder) is process


@limited
def test_too_much_memory_is_an_input_error(photo, black):
    decoder = Decoder(max_bytes=GIB // 2)
    decoder.load(photo)
    with pytest.raises(InputError, match=r"black.png (does not fit into memory|takes too much time or memory)"):
        decoder.load(black)
    assert decoder.load(photo).shape == (600, 800, 3)


@limited
def test_too_much_time_is_an_input_error(black):
    decoder = Decoder(max_seconds=-1)  # decoding takes longer than no time
    with pytest.raises(InputError, match=r"black.png takes too much time or memory to decode. Save it as JPEG"):
        decoder.load(black)
        decoder.load(black)


def test_an_idle_subprocess_that_has_died_is_replaced(photo):
    decoder = Decoder()
    decoder.load(photo)
    process = process_of(decoder)
    process.kill()
    process.wait()
    assert decoder.load(photo).shape == (600, 800, 3)
    assert process_of(decoder) is not process


def test_a_crash_fails_one_photo_and_leaves_no_core_dump(photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    decoder, before = Decoder(), set(tmp_path.iterdir())
    decoder.load(photo)
    process = process_of(decoder)
    process.send_signal(signal.SIGSTOP)  # the next photo is still being decoded when it crashes
    crash = threading.Timer(0.3, lambda: [process.send_signal(number) for number in (signal.SIGSEGV, signal.SIGCONT)])
    crash.start()
    with pytest.raises(InputError, match=r"selfie at home\.jpg takes too much time or memory"):
        decoder.load(photo)
    crash.join()
    assert decoder.load(photo).shape == (600, 800, 3)
    assert set(tmp_path.iterdir()) == before


def test_a_subprocess_that_hangs_is_killed(photo, monkeypatch):
    monkeypatch.setattr(decoder_module, "WALL_CLOCK_FACTOR", 1)
    decoder = Decoder(max_seconds=1)
    decoder.load(photo)
    process_of(decoder).send_signal(signal.SIGSTOP)
    with pytest.raises(InputError, match="takes too much time or memory"):
        decoder.load(photo)
    assert decoder.load(photo).shape == (600, 800, 3)


def test_subprocesses_get_no_secrets_and_import_nothing_from_the_current_folder(photo, tmp_path, monkeypatch):
    (tmp_path / "queue.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAIRSEG_AUTH", "ada:sesame")
    monkeypatch.setenv("HF_TOKEN", "hf_sesame")
    decoder = Decoder()
    assert decoder.load(photo).shape == (600, 800, 3)
    environment = Path(f"/proc/{process_of(decoder).pid}/environ")
    assert not environment.exists() or b"sesame" not in environment.read_bytes()


def test_huge_photos_have_their_own_decoder(photo, black):
    assert decoder_for(str(photo)) is decoder_module.REGULAR
    assert decoder_for(str(black)) is decoder_module.HUGE


def test_concurrent_photos_are_not_mixed_up(tmp_path):
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


def test_subprocesses_end_with_the_page():
    decoder = Decoder()
    decoder.start()
    process = process_of(decoder)
    process.stdin.close()  # as the kernel does when the page exits or is killed
    assert process.wait(timeout=60) == 0


def test_load_uses_the_subprocess_that_start_has_started(photo):
    decoder = Decoder()
    decoder.start()
    process, began = process_of(decoder), time.monotonic()
    while process.poll() is None and time.monotonic() - began < 0.1:
        time.sleep(0.02)
    decoder.load(photo)
    assert process_of(decoder) is process
