import hashlib
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import DATA, draw_celebamask_hq, draw_figaro1k, draw_portrait
from PIL import Image

from hairseg.data.datasets import Pair, find_pairs, find_scenes, load_pair, load_scenes, split_of
from hairseg.data.decoded import load_arrays
from hairseg.data.groups import hair_type, scoring_groups
from hairseg.errors import InputError
from hairseg.networks.preprocessing import IGNORE, Preprocessing
from hairseg.repository.photo_types import GROUP_NAMES

# SHA-256 of the splits of the ids 0 to 4999.
DIGESTS = {
    "celebamask-hq": "3200289e207833ac",
    "borza": "062a7e9ead486432",
    "scenes": "136aed2381c27327",
    "street": "abedae698a47b545",
}


def draw_borza(root, names=("000001", "000002")):
    root.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        photo, mask = draw_portrait(seed)
        Image.fromarray(photo).save(root / f"{name}.png")
        Image.fromarray(np.where(mask, 255, 128).astype(np.uint8)).save(root / f"{name}.bmp")
    return root


def test_split_depends_only_on_the_id():
    splits = Counter(split_of("celebamask-hq", str(image_id)) for image_id in range(30_000))
    assert splits["test"] / 30_000 == pytest.approx(600 / 2600, abs=0.01)
    assert splits["val"] / (splits["val"] + splits["train"]) == pytest.approx(0.1, abs=0.01)
    # Published: any change would mix test photos of released models into training.
    assert [i for i in range(30) if split_of("celebamask-hq", str(i)) == "test"] == [5, 8, 15, 24]
    assert [i for i in range(100) if split_of("celebamask-hq", str(i)) == "val"] == [
        16, 21, 29, 38, 41, 43, 49, 60, 63, 79, 95,
    ]  # fmt: skip
    digests = {
        dataset: hashlib.sha256(" ".join(split_of(dataset, str(i)) for i in range(5000)).encode()).hexdigest()[:16]
        for dataset in ("celebamask-hq", "borza", "scenes", "street")
    }
    assert digests == DIGESTS


def test_celebamask_hq_is_found_by_its_layout(tmp_path):
    dataset, pairs = find_pairs(draw_celebamask_hq(tmp_path, [3, 2001, 10]))
    assert dataset == "celebamask-hq"
    assert [pair.id for pair in pairs] == ["3", "10", "2001"]
    photo, mask = load_pair(pairs[2], dataset)
    expected_photo, expected_mask = draw_portrait(2001)
    np.testing.assert_array_equal(mask, expected_mask)
    assert np.abs(photo.astype(int) - expected_photo).mean() < 8


def test_people_without_a_hair_mask_are_included_on_request(tmp_path):
    root = draw_celebamask_hq(tmp_path, [1, 2, 3], hairless=(2,))
    assert [pair.id for pair in find_pairs(root)[1]] == ["1", "3"]
    dataset, pairs = find_pairs(root, include_hairless=True)
    assert [pair.id for pair in pairs] == ["1", "2", "3"]
    photo, mask = load_pair(pairs[1], dataset)
    assert mask.shape == photo.shape[:2]
    assert not mask.any()


def test_figaro1k_has_its_own_test_split(tmp_path):
    dataset, pairs = find_pairs(draw_figaro1k(tmp_path, [1, 2, 4, 5, 7], [3, 6]))
    assert dataset == "figaro1k"
    assert [pair.id for pair in pairs if pair.split == "test"] == ["Frame00003", "Frame00006"]
    assert all(pair.split in ("train", "val") for pair in pairs if pair.id not in ("Frame00003", "Frame00006"))
    np.testing.assert_array_equal(load_pair(pairs[0], dataset)[1], draw_portrait(1)[1])


def test_borza_masks_separate_hair_from_face(tmp_path):
    dataset, pairs = find_pairs(draw_borza(tmp_path))
    assert dataset == "borza"
    assert [pair.id for pair in pairs] == ["000001", "000002"]
    np.testing.assert_array_equal(load_pair(pairs[1], dataset)[1], draw_portrait(1)[1])


def write_folder(root, photos: dict, masks: dict):
    """Write uint8 photos and masks, given by file name, in the layout "folder"."""
    for part, pictures in (("photos", photos), ("masks", masks)):
        (root / part).mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            Image.fromarray(picture).save(root / part / name)
    return root


def test_own_photos_are_a_data_set_named_by_their_folder(tmp_path):
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
    assert dataset == "mine"
    assert [pair.id for pair in pairs] == ["a", "b", "c"]
    assert [pair.split for pair in pairs] == [split_of("mine", name) for name in "abc"]
    _, mask = load_pair(pairs[0], dataset)
    assert (mask[:20] == IGNORE).all()
    assert np.array_equal(mask[20:] == 1, hair[20:])
    assert not (mask[20:] == IGNORE).any()
    photo, half = load_pair(pairs[1], dataset)
    assert photo.shape[:2] == (96, 96)
    assert half.shape == (48, 48)
    arrays = load_arrays({dataset: pairs}, Preprocessing(96), workers=1)
    assert ((arrays.masks[0] == IGNORE).numpy() == (mask == IGNORE)).all()


def test_noise_in_masks_is_removed_and_other_values_are_errors(tmp_path):
    photo, hair = draw_portrait(1)
    labels = np.where(hair, 255, 0).astype(np.uint8)
    labels[:20] = 128
    noisy = np.clip(labels + np.random.default_rng(0).normal(0, 8, labels.shape), 0, 255).astype(np.uint8)
    root = write_folder(tmp_path / "mine", {"a.png": photo, "b.png": photo}, {"a.png": labels, "b.png": noisy})
    dataset, pairs = find_pairs(root)
    np.testing.assert_array_equal(load_pair(pairs[0], dataset)[1], load_pair(pairs[1], dataset)[1])
    Image.fromarray(np.where(hair, 255, 77).astype(np.uint8)).save(root / "masks" / "b.png")
    with pytest.raises(InputError, match=r"1 pairs cannot be used: b.png cannot be read .* like 77, not 255 hair"):
        load_arrays({dataset: pairs}, Preprocessing(64), workers=1)


def test_wrong_masks_in_a_folder_are_errors(tmp_path):
    photo, hair = draw_portrait(1)
    inverted = write_folder(tmp_path / "inverted", {"a.png": photo}, {"a.png": np.where(hair, 0, 255).astype(np.uint8)})
    with pytest.raises(InputError, match=r"seem inverted\. Invert them: 255 is hair, 0 is the rest\.$"):
        find_pairs(inverted)
    empty = write_folder(tmp_path / "empty", {"a.png": photo}, {"a.png": hair.astype(np.uint8)})
    with pytest.raises(InputError, match=r"1 masks in .* with 255 for hair: a\.png has the maximum value 1\. Convert"):
        find_pairs(empty)
    labels = np.where(hair, 255, 0).astype(np.uint8)
    unpaired = write_folder(tmp_path / "unpaired", {"a.png": photo, "b.png": photo}, {"b.png": labels, "c.png": labels})
    with pytest.raises(InputError, match=r"2 names lack the photo .* or the mask .*: a; c\. Add"):
        find_pairs(unpaired)
    twice = write_folder(tmp_path / "twice", {"a.png": photo, "a.jpg": photo}, {"a.png": labels})
    with pytest.raises(InputError, match=r"1 files have the id of another file: a\.png\. Give"):
        find_pairs(twice)
    with pytest.raises(InputError, match=r"has the name of a published data set"):
        find_pairs(write_folder(tmp_path / "figaro1k", {"a.png": photo}, {"a.png": labels}))


def test_unpaired_files_are_listed(tmp_path):
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


def test_pipes_devices_and_dangling_links_are_skipped(tmp_path):
    """Reading them would block or fail."""
    photo, hair = draw_portrait(1)
    root = write_folder(
        tmp_path / "mine", {"a.png": photo, "b.png": photo}, {"a.png": np.where(hair, 255, 0).astype(np.uint8)}
    )
    os.mkfifo(root / "masks" / "b.png")
    with pytest.raises(InputError, match=r"1 names lack the photo .* or the mask .*: b\."):
        find_pairs(root)
    (root / "photos" / "b.png").unlink()
    os.mkfifo(root / "photos" / "pipe.png")
    (root / "photos" / "device.png").symlink_to("/dev/zero")
    (root / "photos" / "nowhere.png").symlink_to(root / "nowhere")
    (root / "photos" / "folder.png").mkdir()
    assert [pair.id for pair in find_pairs(root)[1]] == ["a"]
    assert [scene.id for scene in find_scenes(root / "photos")] == ["a"]


@pytest.mark.parametrize(
    "name", [".Trash-1000", ".thumbnails", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "$Recycle.Bin"]
)
def test_hidden_and_system_folders_are_skipped(tmp_path, name):
    root = draw_celebamask_hq(tmp_path / "celebamask-hq", [1, 2])
    folder = root / "CelebA-HQ-img" / name / "files"
    folder.mkdir(parents=True)
    for path in (folder / "3.jpg", root / "CelebA-HQ-img" / "._1.jpg"):
        path.write_text("not a photo")
    mask_folder = root / "CelebAMask-HQ-mask-anno" / name
    mask_folder.mkdir()
    (mask_folder / "00004_hair.png").write_text("not a mask")
    assert [pair.id for pair in find_pairs(root, include_hairless=True)[1]] == ["1", "2"]
    assert [scene.id for scene in find_scenes(root / "CelebA-HQ-img")] == ["1", "2"]


def test_data_sets_in_hidden_folders_are_found(tmp_path):
    root = draw_celebamask_hq(tmp_path / ".cache" / "celebamask-hq", [1, 2])
    assert len(find_pairs(root)[1]) == 2


def test_names_that_differ_in_case_are_distinct_but_suffixes_are_not(tmp_path):
    photo, hair = draw_portrait(1)
    labels = np.where(hair, 255, 0).astype(np.uint8)
    root = write_folder(
        tmp_path / "mine", {"a.png": photo, "A.png": 255 - photo}, {"a.png": labels, "A.png": labels[::-1]}
    )
    dataset, pairs = find_pairs(root)
    assert [pair.id for pair in pairs] == ["A", "a"]
    arrays = load_arrays({dataset: pairs}, Preprocessing(96), workers=1)
    np.testing.assert_array_equal(arrays.photos, [255 - photo, photo])
    np.testing.assert_array_equal(arrays.masks == 1, [hair[::-1], hair])

    celeb = draw_celebamask_hq(tmp_path / "celebamask-hq", [1, 2])
    photos = celeb / "CelebA-HQ-img"
    (photos / "1.JPG").write_bytes((photos / "1.jpg").read_bytes())
    with pytest.raises(InputError, match=r"1 files have the id of another file: 1\.jpg"):
        find_pairs(celeb)


def test_unknown_layouts_list_the_supported_ones(tmp_path):
    with pytest.raises(
        InputError, match=r"no known data set layout\. Supported layouts: celebamask-hq: CelebA-HQ-img/ID.jpg.*figaro1k"
    ):
        find_pairs(tmp_path)
    with pytest.raises(InputError, match=r"is not a folder"):
        find_pairs(tmp_path / "gone")
    with pytest.raises(InputError, match=r"contains no photos with hair masks"):
        find_pairs(tmp_path, "figaro1k")


def test_unreadable_and_mismatched_pairs_are_listed_together(tmp_path):
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


def test_arrays_contain_each_pair_in_order(tmp_path):
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
    assert [scene.id for scene in scenes] == ["b", "a"]
    assert all(scene.mask is None for scene in scenes)
    split = load_arrays({"scenes": scenes}, Preprocessing(64), workers=1)
    assert not (split.masks == 1).any()
    assert (split.masks == 0).sum() == 2 * 64 * 32
    (tmp_path / "c.jpg").write_text("text")
    with pytest.raises(InputError, match=r"1 scenes cannot be used: c.jpg is not a picture"):
        load_scenes(find_scenes(tmp_path))
    with pytest.raises(InputError, match=r"contains no scenes\. Choose a folder of photos"):
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
def test_figaro1k_frame_numbers_give_the_hair_type(frame, expected):
    assert hair_type("figaro1k", frame) == expected
    assert (
        hair_type("celebamask-hq", "27636")
        is hair_type("figaro1k", "Frame01051")
        is hair_type("figaro1k", "mine")
        is None
    )


@pytest.mark.parametrize(
    "dataset, image_id, side, expected",
    [
        ("street", "1", 60, ["head"]),
        ("street", "1", 30, ["upper body"]),
        ("street", "1", 10, ["whole person"]),
        ("street", "1", 0, ["hairless"]),
        ("street", "bare-1", 0, ["hairless"]),
        ("street", "bare-1", 10, ["hairless"]),
        ("street", "hat-1", 60, ["hats"]),
        ("street", "hat-1", 0, ["hats", "hairless"]),
        ("everyday", "group-mask-1", 60, ["groups"]),
        ("everyday", "snapshot-1", 60, ["snapshots"]),
        ("everyday", "old-1", 60, ["older people"]),
        ("hair-types", "hairtype-kinky-1", 60, ["kinky", "head"]),
        ("hair-types", "hairtype-blue-1", 60, ["head"]),
        ("figaro1k", "Frame00451", 60, ["kinky", "head"]),
        ("lfw-parts", "Abdullah_al-Attiyah_0001", 60, ["snapshots"]),
        ("lfw-parts", "1", 0, ["snapshots", "hairless"]),
    ],
)
def test_photos_are_scored_in_the_groups_of_id_data_set_and_mask(dataset, image_id, side, expected):
    mask = np.zeros((100, 80), np.uint8)
    mask[:side, 20:25] = 1
    mask[60:] = IGNORE
    groups = scoring_groups(dataset, Pair(image_id, Path("photo.jpg"), Path("mask.png"), "test"), mask)
    assert groups == expected
    assert GROUP_NAMES.keys() >= set(groups)


@pytest.mark.skipif(not DATA.exists(), reason="the real photos are not on this machine")
@pytest.mark.parametrize(
    "folder, name, images", [("CelebAMask-HQ-mini", "celebamask-hq", 895), ("Figaro1k", "figaro1k", 853)]
)
def test_real_data_sets_are_read(folder, name, images):
    dataset, pairs = find_pairs(DATA / folder)
    assert dataset == name
    assert len(pairs) == images
    assert Counter(pair.split for pair in pairs)["test"] > 100
    split = load_arrays({dataset: pairs[:8]}, Preprocessing(), workers=2)
    assert 0.05 < (split.masks == 1).float().mean() < 0.7
