import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_celebamask_hq, draw_figaro1k
from PIL import Image

from hairseg.data import decoded
from hairseg.data.datasets import find_pairs, load_pair
from hairseg.data.decoded import load_arrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(64)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HAIRSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pairs(tmp_path):
    return dict([find_pairs(draw_celebamask_hq(tmp_path / "celebamask-hq", [1, 2, 3]))])


def count_decoding(monkeypatch) -> list[str]:
    ids = []
    monkeypatch.setattr(
        decoded, "load_pair", lambda pair, *args, **kwargs: ids.append(pair.id) or load_pair(pair, *args, **kwargs)
    )
    return ids


def test_photos_are_decoded_once_until_they_change(cache, pairs, monkeypatch):
    ids = count_decoding(monkeypatch)
    first = load_arrays(pairs, PREPROCESSING, 1)
    again = load_arrays(pairs, PREPROCESSING, 2)
    assert ids == ["1", "2", "3"]
    assert np.array_equal(first.photos, again.photos)
    assert np.array_equal(first.masks, again.masks)

    photo = pairs["celebamask-hq"][1].photo
    modified = photo.stat().st_mtime_ns
    Image.open(photo).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photo, quality=95)
    os.utime(photo, ns=(modified, modified))
    changed = load_arrays(pairs, PREPROCESSING, 1)
    assert not np.array_equal(changed.photos[1], first.photos[1])
    assert np.array_equal(changed.photos[0], first.photos[0])
    load_arrays(pairs, Preprocessing(96), 1)
    assert len(ids) == 9
    assert len(list(cache.iterdir())) == 3


def test_photos_are_memory_mapped_copy_on_write(cache, pairs):
    split = load_arrays(pairs, PREPROCESSING, 1)
    before = split.photos.clone()
    assert str(cache) in Path("/proc/self/maps").read_text()
    split.photos.zero_()
    assert np.array_equal(load_arrays(pairs, PREPROCESSING, 1).photos, before)


def test_several_data_sets_are_concatenated(cache, pairs, tmp_path):
    figaro1k = find_pairs(draw_figaro1k(tmp_path / "figaro1k", [1, 2], [500]))[1]
    split = load_arrays(pairs | {"figaro1k": figaro1k}, PREPROCESSING, 2)
    assert len(split) == 6
    photo, mask = load_pair(figaro1k[-1], "figaro1k")
    np.testing.assert_array_equal(split[5][0], PREPROCESSING.fit_photo(photo))
    np.testing.assert_array_equal(split[[4, 5]][1][1], PREPROCESSING.fit_mask(mask))


def test_interrupted_decoding_leaves_no_entry(cache, pairs, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(decoded, "load_pair", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_arrays(pairs, PREPROCESSING, 1)
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("HAIRSEG_CACHE", str(cache))
    assert len(load_arrays(pairs, PREPROCESSING, 1)) == 3


def test_disk_space_is_reserved_before_decoding(cache, pairs, monkeypatch):
    """Writing to a memory-mapped file on a full disk would kill the process."""

    def raise_disk_full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", raise_disk_full)
    with pytest.raises(InputError, match=r"cache/\w+ cannot be written .*disk is full.*HAIRSEG_CACHE"):
        load_arrays(pairs, PREPROCESSING, 1)
    assert list(cache.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("HAIRSEG_CACHE", str(cache))
    assert len(load_arrays(pairs, PREPROCESSING, 1)) == 3


def test_entry_written_by_another_process_meanwhile_is_used(cache, pairs, monkeypatch):
    first = load_arrays(pairs, PREPROCESSING, 1)
    monkeypatch.setattr(type(cache), "is_dir", lambda path, seen=[]: bool(seen.append(path)) or len(seen) > 1)
    again = load_arrays(pairs, PREPROCESSING, 1)
    assert np.array_equal(again.photos, first.photos)
    assert len(list(cache.iterdir())) == 1


def test_full_disk_is_one_error_and_leaves_nothing(small_disk, pairs, monkeypatch):
    monkeypatch.setenv("HAIRSEG_CACHE", str(small_disk))
    with pytest.raises(
        InputError, match=r"disk is full.* Free some space, or choose another folder with HAIRSEG_CACHE"
    ):
        load_arrays(pairs, Preprocessing(320), 1)
    assert list(small_disk.iterdir()) == []
    assert len(load_arrays(pairs, PREPROCESSING, 1)) == 3


@pytest.mark.parametrize("value", ["", "  "])
def test_blank_cache_variable_counts_as_unset(tmp_path, pairs, monkeypatch, value):
    monkeypatch.setenv("HAIRSEG_CACHE", value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    load_arrays(pairs, PREPROCESSING, 1)
    assert len(list((tmp_path / "home" / ".cache" / "hairseg").iterdir())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["celebamask-hq", "home"]


@pytest.mark.parametrize("home", ["/proc/nobody", None])
def test_without_a_writable_home_the_cache_is_temporary(portraits, monkeypatch, caplog, home):
    monkeypatch.delenv("HAIRSEG_CACHE")
    if home:
        monkeypatch.setenv("HOME", home)
    else:  # a user without an entry in the list of users
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    decoded._create_temporary_cache.cache_clear()
    dataset, pairs = find_pairs(portraits)
    assert len(load_arrays({dataset: pairs}, Preprocessing(32), workers=1)) == len(pairs)
    (record,) = caplog.records
    assert "until this process ends. HAIRSEG_CACHE names another folder." in record.getMessage()
    folder = Path(decoded._create_temporary_cache().name)
    assert len(list(folder.iterdir())) == 1
    decoded._create_temporary_cache.cache_clear()
    gc.collect()
    assert not folder.exists()
