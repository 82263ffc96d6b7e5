import os
from collections import Counter

import numpy as np
import pytest
from conftest import DATA, draw_celebamask_hq, draw_figaro1k, draw_portrait
from PIL import Image

from hairseg.data.datasets import find_pairs, find_scenes, load_pair, load_scenes, split_of
from hairseg.data.decoded import load_arrays
from hairseg.data.groups import hair_type
from hairseg.errors import InputError
from hairseg.networks.preprocessing import IGNORE, Preprocessing


def draw_borza(root, names=("000001", "000002")):
    root.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        photo, mask = draw_portrait(seed)
        Image.fromarray(photo).save(root / f"{name}.png")
        Image.fromarray(np.where(mask, 255, 128).astype(np.uint8)).save(root / f"{name}.bmp")
    return root


def test_a_split_depends_on_the_id_alone():
    whole = Counter(split_of("celebamask-hq", str(image_id)) for image_id in range(30_000))
    assert whole["test"] / 30_000 == pytest.approx(600 / 2600, abs=0.01)
    assert whole["val"] / (whole["val"] + whole["train"]) == pytest.approx(0.1, abs=0.01)
    # Written down once: a change here would mix published test photos into training.
    assert [i for i in range(30) if split_of("celebamask-hq", str(i)) == "test"] == [5, 8, 15, 24]
    assert [i for i in range(100) if split_of("celebamask-hq", str(i)) == "val"] == [
        16,
        21,
        29,
        38,
        41,
        43,
        49,
        60,
        63,
        79,
        95,
    ]


def test_celebamask_hq_is_found_by_its_layout(tmp_path):
    dataset, pairs = find_pairs(draw_celebamask_hq(tmp_path, [3, 2001, 10]))
    assert dataset == "celebamask-hq" and [pair.id for pair in pairs] == ["3", "10", "2001"]
    photo, mask = load_pair(pairs[2], dataset)
    expected_photo, expected_mask = draw_portrait(2001)
    np.testing.assert_array_equal(mask, expected_mask)
    assert np.abs(photo.astype(int) - expected_photo).mean() < 8


def test_people_without_a_hair_mask_are_skipped_unless_asked_for(tmp_path):
    root = draw_celebamask_hq(tmp_path, [1, 2, 3], hairless=(2,))
    assert [pair.id for pair in find_pairs(root)[1]] == ["1", "3"]
    dataset, pairs = find_pairs(root, include_hairless=True)
    assert [pair.id for pair in pairs] == ["1", "2", "3"]
    photo, mask = load_pair(pairs[1], dataset)
    assert mask.shape == photo.shape[:2] and not mask.any()


def test_figaro1k_brings_its_own_test_split(tmp_path):
    dataset, pairs = find_pairs(draw_figaro1k(tmp_path, [1, 2, 4, 5, 7], [3, 6]))
    assert dataset == "figaro1k"
    assert [pair.id for pair in pairs if pair.split == "test"] == ["Frame00003", "Frame00006"]
    assert all(pair.split in ("train", "val") for pair in pairs if pair.id not in ("Frame00003", "Frame00006"))
    np.testing.assert_array_equal(load_pair(pairs[0], dataset)[1], draw_portrait(1)[1])


def test_borza_takes_hair_and_leaves_the_face(tmp_path):
    dataset, pairs = find_pairs(draw_borza(tmp_path))
    assert dataset == "borza" and [pair.id for pair in pairs] == ["000001", "000002"]
    np.testing.assert_array_equal(load_pair(pairs[1], dataset)[1], draw_portrait(1)[1])


def write_folder(root, photos: dict, masks: dict):
    """Photos and masks by their file names, uint8 arrays each, in the layout "folder"."""
    for part, pictures in (("photos", photos), ("masks", masks)):
        (root / part).mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            Image.fromarray(picture).save(root / part / name)
    return root


def test_ones_own_photos_are_a_data_set_called_like_their_folder(tmp_path):
    photo, hair = draw_portrait(1)
    labels = np.where(hair, 255, 0).astype(np.uint8)
    labels[:20] = 128
    root = write_folder(
        tmp_path / "mine",
        {"a.JPG": photo, "b.png": photo, "c.jpeg": photo},
        {"a.png": labels, "b.PNG": labels[::2, ::2], "c.png": labels},
    )
    (root / "photos" / ".DS_Store").write_text("not a photo")
    dataset, pairs = find_pairs(root)
    assert dataset == "mine" and [pair.id for pair in pairs] == ["a", "b", "c"]
    assert [pair.split for pair in pairs] == [split_of("mine", name) for name in "abc"]
    _, mask = load_pair(pairs[0], dataset)
    assert (mask[:20] == IGNORE).all() and np.array_equal(mask[20:] == 1, hair[20:]) and not (mask[20:] == IGNORE).any()
    found, half = load_pair(pairs[1], dataset)
    assert found.shape[:2] == (96, 96) and half.shape == (48, 48)
    arrays = load_arrays({dataset: pairs}, Preprocessing(96), workers=1)
    assert ((arrays.masks[0] == IGNORE).numpy() == (mask == IGNORE)).all()


def test_noise_of_jpeg_in_masks_is_evened_out_and_other_values_are_named(tmp_path):
    photo, hair = draw_portrait(1)
    labels = np.where(hair, 255, 0).astype(np.uint8)
    labels[:20] = 128
    noisy = np.clip(labels + np.random.default_rng(0).normal(0, 8, labels.shape), 0, 255).astype(np.uint8)
    root = write_folder(tmp_path / "mine", {"a.png": photo, "b.png": photo}, {"a.png": labels, "b.png": noisy})
    dataset, pairs = find_pairs(root)
    np.testing.assert_array_equal(load_pair(pairs[0], dataset)[1], load_pair(pairs[1], dataset)[1])
    Image.fromarray(np.where(hair, 255, 77).astype(np.uint8)).save(root / "masks" / "b.png")
    with pytest.raises(InputError, match=r"1 pairs cannot be used: b.png cannot be read .* like 77, expected 255 hair"):
        load_arrays({dataset: pairs}, Preprocessing(64), workers=1)


def test_a_folder_of_wrong_masks_is_named_before_training(tmp_path):
    photo, hair = draw_portrait(1)
    inverted = write_folder(tmp_path / "inverted", {"a.png": photo}, {"a.png": np.where(hair, 0, 255).astype(np.uint8)})
    with pytest.raises(
        InputError, match=r"as inverted ones do: expected 255 where hair is and 0 elsewhere; invert them"
    ):
        find_pairs(inverted)
    empty = write_folder(tmp_path / "empty", {"a.png": photo}, {"a.png": hair.astype(np.uint8)})  # 1 where hair is
    with pytest.raises(
        InputError, match=r"1 masks in .* with 255 where hair is: a\.png has the lightest value 1; write"
    ):
        find_pairs(empty)
    labels = np.where(hair, 255, 0).astype(np.uint8)
    unpaired = write_folder(tmp_path / "unpaired", {"a.png": photo, "b.png": photo}, {"b.png": labels, "c.png": labels})
    with pytest.raises(InputError, match=r"2 names lack the photo .* or the mask .*: a; c; add"):
        find_pairs(unpaired)
    twice = write_folder(tmp_path / "twice", {"a.png": photo, "a.jpg": photo}, {"a.png": labels})
    with pytest.raises(InputError, match=r"1 photos have the name of another: a.jpg; give"):
        find_pairs(twice)
    with pytest.raises(InputError, match=r"is called like a published data set"):
        find_pairs(write_folder(tmp_path / "figaro1k", {"a.png": photo}, {"a.png": labels}))


def test_files_without_a_partner_are_listed(tmp_path):
    root = draw_celebamask_hq(tmp_path / "celeb", [1, 2, 3])
    for image_id in (1, 3):
        (root / "CelebA-HQ-img" / f"{image_id}.jpg").unlink()
    with pytest.raises(InputError, match=r"2 hair masks have no photo.*00001_hair.png; 00003_hair.png"):
        find_pairs(root)
    root = draw_figaro1k(tmp_path / "figaro", [1, 2], [3])
    (root / "GT" / "Training" / "Frame00002-gt.pbm").unlink()
    (root / "Original" / "Testing" / "Frame00003-org.jpg").unlink()
    with pytest.raises(InputError, match=r"2 frames lack.*Training/Frame00002; Testing/Frame00003"):
        find_pairs(root)
    root = draw_borza(tmp_path / "borza")
    (root / "000001.bmp").unlink()
    with pytest.raises(InputError, match=r"1 base names lack.*000001"):
        find_pairs(root)


def test_what_is_no_file_is_no_photo(tmp_path):
    """Guards against waiting for the end of a pipe or a device."""
    photo, hair = draw_portrait(1)
    root = write_folder(
        tmp_path / "mine", {"a.png": photo, "b.png": photo}, {"a.png": np.where(hair, 255, 0).astype(np.uint8)}
    )
    os.mkfifo(root / "masks" / "b.png")
    with pytest.raises(InputError, match=r"1 names lack the photo .* or the mask .*: b;"):
        find_pairs(root)
    (root / "photos" / "b.png").unlink()
    os.mkfifo(root / "photos" / "pipe.png")
    (root / "photos" / "device.png").symlink_to("/dev/zero")
    (root / "photos" / "nowhere.png").symlink_to(root / "nowhere")
    (root / "photos" / "folder.png").mkdir()
    assert [pair.id for pair in find_pairs(root)[1]] == ["a"]
    assert [scene.id for scene in find_scenes(root / "photos")] == ["a"]


def test_unknown_layouts_say_what_was_expected(tmp_path):
    with pytest.raises(
        InputError, match=r"no layout that is known: expected celebamask-hq: CelebA-HQ-img/ID.jpg.*figaro1k"
    ):
        find_pairs(tmp_path)
    with pytest.raises(InputError, match=r"is not a folder"):
        find_pairs(tmp_path / "gone")
    with pytest.raises(InputError, match=r"holds no photos with hair masks"):
        find_pairs(tmp_path, "figaro1k")


def test_unreadable_and_misshapen_pairs_are_listed_together(tmp_path):
    root = draw_celebamask_hq(tmp_path, [1, 2, 3, 4])
    (root / "CelebA-HQ-img" / "2.jpg").write_text("text")
    mask = root / "CelebAMask-HQ-mask-anno" / "0" / "00003_hair.png"
    mask.write_bytes(mask.read_bytes()[:60])
    Image.new("L", (50, 96)).save(root / "CelebAMask-HQ-mask-anno" / "0" / "00004_hair.png")
    dataset, pairs = find_pairs(root)
    with pytest.raises(InputError) as error:
        load_arrays({dataset: pairs}, Preprocessing(64), workers=2)
    assert str(error.value).startswith("3 pairs cannot be used")
    for part in (
        "2.jpg is not a picture",
        "00003_hair.png cannot be read",
        "00004_hair.png is 50 x 96 but its photo 96 x 96",
    ):
        assert part in str(error.value)


def test_arrays_hold_each_pair_in_order(tmp_path):
    dataset, pairs = find_pairs(draw_celebamask_hq(tmp_path, [5, 6, 7]))
    preprocessing = Preprocessing(64)
    split = load_arrays({dataset: pairs}, preprocessing, workers=2)
    for index, pair in enumerate(pairs):
        photo, mask = load_pair(pair, dataset)
        np.testing.assert_array_equal(split[index][0], preprocessing.fit_photo(photo))
        np.testing.assert_array_equal(split[index][1], preprocessing.fit_mask(mask))
    assert len(split) == 3


def test_scenes_are_photos_without_hair(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.JPG", "sub/a.png"):
        Image.new("RGB", (40, 20), "green").save(tmp_path / name)
    scenes = find_scenes(tmp_path)
    assert find_scenes(tmp_path, tmp_path / "sub") == [*scenes, scenes[1]]
    assert [scene.id for scene in scenes] == ["b", "a"] and all(scene.mask is None for scene in scenes)
    split = load_arrays({"scenes": scenes}, Preprocessing(64), workers=1)
    assert not (split.masks == 1).any() and (split.masks == 0).sum() == 2 * 64 * 32
    (tmp_path / "c.jpg").write_text("text")
    with pytest.raises(InputError, match=r"1 scenes cannot be used: c.jpg is not a picture"):
        load_scenes(find_scenes(tmp_path))
    with pytest.raises(InputError, match=r"holds no scenes: expected a folder with photos"):
        find_scenes(tmp_path / "gone")


@pytest.mark.parametrize(
    "frame, expected",
    [
        ("Frame00001", "straight"),
        ("Frame00150", "straight"),
        ("Frame00151", "wavy"),
        ("Frame00450", "curly"),
        ("Frame00451", "kinky"),
        ("Frame00750", "braids"),
        ("Frame00751", "dreadlocks"),
        ("Frame01050", "short"),
    ],
)
def test_frames_of_figaro1k_tell_the_type_of_hair(frame, expected):
    assert hair_type("figaro1k", frame) == expected
    assert (
        hair_type("celebamask-hq", "27636")
        is hair_type("figaro1k", "Frame01051")
        is hair_type("figaro1k", "mine")
        is None
    )


@pytest.mark.skipif(not DATA.exists(), reason="the real photos are not on this machine")
@pytest.mark.parametrize(
    "folder, name, images", [("CelebAMask-HQ-mini", "celebamask-hq", 895), ("Figaro1k", "figaro1k", 853)]
)
def test_real_data_sets_are_read(folder, name, images):
    dataset, pairs = find_pairs(DATA / folder)
    assert dataset == name and len(pairs) == images and Counter(pair.split for pair in pairs)["test"] > 100
    split = load_arrays({dataset: pairs[:8]}, Preprocessing(), workers=2)
    assert 0.05 < (split.masks == 1).float().mean() < 0.7
