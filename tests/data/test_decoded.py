import errno
import os

import numpy as np
import pytest
from conftest import draw_celebamask_hq, draw_figaro1k
from PIL import Image

from hairseg.data import decoded
from hairseg.data.datasets import find_pairs, load_pair
from hairseg.data.decoded import load_arrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing

PRESET = Preprocessing(64)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HAIRSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pairs(tmp_path):
    return dict([find_pairs(draw_celebamask_hq(tmp_path / "celebamask-hq", [1, 2, 3]))])


def count_decoding(monkeypatch) -> list[str]:
    ids = []
    monkeypatch.setattr(decoded, "load_pair", lambda pair, *others: ids.append(pair.id) or load_pair(pair, *others))
    return ids


def test_photos_are_decoded_once_as_long_as_their_contents_stay(cache, pairs, monkeypatch):
    ids = count_decoding(monkeypatch)
    first = load_arrays(pairs, PRESET, 1)
    again = load_arrays(pairs, PRESET, 2)
    assert (
        ids == ["1", "2", "3"]
        and np.array_equal(first.photos, again.photos)
        and np.array_equal(first.masks, again.masks)
    )

    photo = pairs["celebamask-hq"][1].photo
    modified = photo.stat().st_mtime_ns
    Image.open(photo).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photo, quality=95)
    os.utime(photo, ns=(modified, modified))
    changed = load_arrays(pairs, PRESET, 1)
    assert not np.array_equal(changed.photos[1], first.photos[1]) and np.array_equal(changed.photos[0], first.photos[0])
    load_arrays(pairs, Preprocessing(96), 1)
    assert len(ids) == 9 and len(list(cache.iterdir())) == 3


def test_photos_are_mapped_not_held_and_writing_to_them_spoils_nothing(cache, pairs):
    split = load_arrays(pairs, PRESET, 1)
    before = split.photos.clone()
    assert any(str(cache) in line for line in open("/proc/self/maps"))
    split.photos.zero_()
    assert np.array_equal(load_arrays(pairs, PRESET, 1).photos, before)


def test_several_data_sets_follow_one_another(cache, pairs, tmp_path):
    figaro1k = find_pairs(draw_figaro1k(tmp_path / "figaro1k", [1, 2], [500]))[1]
    split = load_arrays(pairs | {"figaro1k": figaro1k}, PRESET, 2)
    assert len(split) == 6
    photo, mask = load_pair(figaro1k[-1], "figaro1k")
    np.testing.assert_array_equal(split[5][0], PRESET.fit_photo(photo))
    np.testing.assert_array_equal(split[[4, 5]][1][1], PRESET.fit_mask(mask))


def test_what_was_broken_off_is_not_taken_for_whole(cache, pairs, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(decoded, "load_pair", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_arrays(pairs, PRESET, 1)
    assert list(cache.iterdir()) == []
    killed, at_work = cache / ".a.1.partial", cache / ".b.2.partial"
    for folder in (killed, at_work):
        folder.mkdir()
    os.utime(killed, (0, 0))
    monkeypatch.undo()
    monkeypatch.setenv("HAIRSEG_CACHE", str(cache))
    assert len(load_arrays(pairs, PRESET, 1)) == 3
    assert at_work.exists() and not killed.exists()


def test_a_full_disk_is_told_before_anything_is_mapped(cache, pairs, monkeypatch):
    """A mapped file that outgrows the disk would kill the process."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"cache/\w+ cannot be .* full .*: expected 50 kB of room.*HAIRSEG_CACHE"):
        load_arrays(pairs, PRESET, 1)
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("HAIRSEG_CACHE", str(cache))
    assert len(load_arrays(pairs, PRESET, 1)) == 3


def test_what_another_process_has_written_meanwhile_is_used(cache, pairs, monkeypatch):
    whole = load_arrays(pairs, PRESET, 1)
    monkeypatch.setattr(type(cache), "is_dir", lambda path, seen=[]: bool(seen.append(path)) or len(seen) > 1)
    again = load_arrays(pairs, PRESET, 1)
    assert np.array_equal(again.photos, whole.photos) and len(list(cache.iterdir())) == 1


def test_a_disk_that_is_too_small_ends_in_one_line_and_leaves_nothing(small_disk, pairs, monkeypatch):
    monkeypatch.setenv("HAIRSEG_CACHE", str(small_disk))
    with pytest.raises(InputError, match=r"the disk is full .*: expected 1.3 MB of room there; make room, or name"):
        load_arrays(pairs, Preprocessing(320), 1)
    assert list(small_disk.iterdir()) == []
    assert len(load_arrays(pairs, PRESET, 1)) == 3
