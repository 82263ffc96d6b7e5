"""Photos, drafts and masks of `hairseg label`."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import draw_portrait
from PIL import Image

from hairseg.data.datasets import find_pairs, load_pair
from hairseg.errors import InputError
from hairseg.files import WriteError
from hairseg.images import load_photo
from hairseg.labelling.folder import LabelFolder
from hairseg.networks.preprocessing import IGNORE
from hairseg.page.studio.strokes import Stroke

LEFT_HALF = slice(0, 48)


def find_left_half(photo: np.ndarray) -> np.ndarray:
    mask = np.zeros(photo.shape[:2], bool)
    mask[:, LEFT_HALF] = True
    return mask


@pytest.fixture
def root(tmp_path) -> Path:
    """Portraits a, b and c (rotated by EXIF), a draft of b, a broken photo, and files that training does not read."""
    photos, drafts = tmp_path / "holiday" / "photos", tmp_path / "holiday" / "drafts"
    for folder in (photos / ".trash", photos / "@eaDir", drafts):
        folder.mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(folder / "hidden.jpg")
    for seed, name in enumerate("abc"):
        photo = Image.fromarray(draw_portrait(seed)[0][:, :80])
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "c" else 1
        photo.save(photos / f"{name}.jpg", exif=exif)
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n")
    Image.new("RGB", (9, 9)).save(photos / "phone.webp")
    Image.fromarray(np.repeat(np.uint8([[0, 128, 255, 255]]), 5, axis=0).repeat(10, 0).repeat(10, 1)[:48]).save(
        drafts / "b.png"
    )
    return tmp_path / "holiday"


@pytest.fixture
def folder(root) -> LabelFolder:
    return LabelFolder(root, find_left_half)


def labels_of(photo: str, root: Path) -> np.ndarray:
    """Labels with all three values, of the size of the photo."""
    height, width = load_photo(root / "photos" / photo).shape[:2]
    return np.resize(np.repeat(np.uint8([255, 128, 0]), 20), (height, width))


def test_photos_are_listed_with_their_state(folder):
    folder.save("a", labels_of("a.jpg", folder.root).tobytes())
    *usable, other = folder.entries()
    assert [(entry["name"], entry["state"]) for entry in usable] == [
        ("a", "done"), ("b", "draft"), ("broken", "new"), ("c", "new"),
    ]  # fmt: skip
    assert other["name"] == "phone.webp" and "Convert the photo" in other["error"]


def test_a_photo_opens_with_its_mask_its_draft_or_a_prediction(folder):
    np.testing.assert_array_equal(folder.labels("a"), 255 * find_left_half(np.zeros((96, 80))))
    draft = folder.labels("b")  # half as large as its photo
    assert draft.shape == (96, 80)
    assert [draft[50, x] for x in (5, 30, 50, 70)] == [0, 128, 255, 255]
    saved = labels_of("b.jpg", folder.root)
    folder.save("b", saved.tobytes())
    np.testing.assert_array_equal(folder.labels("b"), saved)


def test_training_reads_what_was_saved(folder):
    for path in ("broken.png", "phone.webp"):
        (folder.root / "photos" / path).unlink()
    for name in "abc":
        folder.save(name, labels_of(f"{name}.jpg", folder.root).tobytes())
    dataset, pairs = find_pairs(folder.root)
    assert dataset == "holiday" and [pair.id for pair in pairs] == ["a", "b", "c"]
    for pair in pairs:
        photo, mask = load_pair(pair, dataset)
        assert photo.shape[:2] == mask.shape == ((80, 96) if pair.id == "c" else (96, 80))
        expected = labels_of(pair.photo.name, folder.root)
        for value, read in ((255, 1), (128, IGNORE), (0, 0)):
            np.testing.assert_array_equal(mask == read, expected == value)
    with Image.open(folder.root / "masks" / "a.png") as picture:
        assert picture.mode == "L"


def test_labelling_resumes_with_the_masks_on_disk(folder):
    (folder.root / "masks" / "more").mkdir(parents=True)
    saved = labels_of("a.jpg", folder.root)
    Image.fromarray(saved).save(folder.root / "masks" / "more" / "a.png")
    resumed = LabelFolder(folder.root, find_left_half)
    assert [entry["state"] for entry in resumed.entries()] == ["done", "draft", "new", "new", "new"]
    np.testing.assert_array_equal(resumed.labels("a"), saved)
    resumed.save("a", np.zeros_like(saved).tobytes())
    assert [path.name for path in (folder.root / "masks").rglob("*.png")] == ["a.png"]
    assert not resumed.labels("a").any()


def test_a_mask_that_cannot_be_written_leaves_the_previous_one(folder, monkeypatch):
    saved = labels_of("a.jpg", folder.root)
    folder.save("a", saved.tobytes())

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(WriteError, match="the disk is full"):
            folder.save("a", np.zeros_like(saved).tobytes())
        with pytest.raises(WriteError):
            folder.save("c", labels_of("c.jpg", folder.root).tobytes())
    np.testing.assert_array_equal(folder.labels("a"), saved)
    assert [path.name for path in (folder.root / "masks").iterdir()] == ["a.png"]
    assert folder.entries()[3] == {"name": "c", "state": "new"}


@pytest.mark.parametrize("content", [b"", bytes(96 * 80 - 1), bytes(96 * 80 * 3), b"\x01" * (96 * 80)])
def test_labels_of_another_photo_are_refused(folder, content):
    with pytest.raises(InputError, match="does not belong to this photo"):
        folder.save("a", content)
    assert not (folder.root / "masks").exists()


@pytest.mark.parametrize("name", ["broken", "phone.webp", "hidden", "../photos/a", "/etc/passwd", "", None, ["a"]])
def test_other_files_are_not_read(folder, name):
    for read in (folder.labels, folder.photo, folder.thumbnail):
        with pytest.raises(InputError, match=r"^(broken.png (is|cannot)|.+ is not a photo ).*\. [^.]+\.$"):
            read(name)
    with pytest.raises(InputError):
        folder.save(name, b"")


@pytest.mark.parametrize("size", [(40, 40), (96, 80)])
def test_a_mask_of_another_aspect_ratio_is_not_stretched(folder, size):
    Image.new("L", size).save(folder.root / "drafts" / "b.png")
    with pytest.raises(InputError, match=re.escape(f"b.png is {size[0]} x {size[1]}")):
        LabelFolder(folder.root, find_left_half).labels("b")


def test_a_snapped_stroke_ends_at_an_edge_of_the_photo(folder):
    photo = np.full((200, 300, 3), 220, np.uint8)
    photo[:, :160] = 30
    Image.fromarray(photo).save(folder.root / "photos" / "edge.png")
    edge = LabelFolder(folder.root, find_left_half)
    (left, top, width, height), painted = edge.snap("edge", Stroke(True, 0.1, ((0.49, 0.4), (0.49, 0.6))))
    mask = np.zeros((200, 300), bool)
    mask[top : top + height, left : left + width] = painted
    assert mask[80:120, 135:159].all() and not mask[80:120, 162:].any()
    assert painted.any(axis=0).all() and painted.any(axis=1).all()
    assert cv2.connectedComponents(mask.view(np.uint8))[0] == 2


def test_a_folder_without_photos_or_with_two_of_a_name_is_refused(root):
    Image.new("RGB", (9, 9)).save(root / "photos" / "a.png")
    with pytest.raises(InputError, match=r"^1 files have the id of another file: a.png\."):
        LabelFolder(root, find_left_half)
    with pytest.raises(InputError, match=r"contains no photos\. Add"):
        LabelFolder(root / "drafts", find_left_half)
